"""Rows as after years of use: far more than a page, and one user with many of them."""

import sqlite3
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from sqlalchemy import Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite

from backend.services.auth.models import OneTimeToken, TokenPurpose, UserSession
from backend.services.email.models import Email, EmailStatus
from backend.services.users.models import User

__all__ = ["FULL", "SMALL", "Maker", "Size", "analyze", "fill", "fill_own", "id_of", "scattered"]

Maker = Callable[[int], Any]
"""The value of a column in the row of this number."""

_START = datetime(2025, 1, 1, tzinfo=UTC)
_LATER = timedelta(days=36_500)


@dataclass(frozen=True)
class Size:
    users: int
    items: int
    """Of each table of a service; a sixteenth is the first user's."""


SMALL = Size(2_000, 40_000)
"""Enough for the databases to prefer an index where there is one."""
FULL = Size(100_000, 1_000_000)


def id_of(model: Any, number: int) -> uuid.UUID:
    """In the order of creation, like a UUIDv7."""
    rest = zlib.crc32(model.__tablename__.encode())
    return uuid.UUID(int=(0x0190_0000_0000 + number) << 80 | 7 << 76 | 2 << 62 | rest)


def scattered(number: int) -> int:
    """In no order, and always the same; below 2³²."""
    return number * 2_654_435_761 % 2**32


def moment(number: int) -> datetime:
    return _START + timedelta(seconds=number)


async def fill_own(url: str, size: Size, hashed_password: str) -> None:
    """Accounts `user0@example.com` and so on, who all have this password, of whom the first is a
    superuser and hardly any is unusual. Sessions, tokens and mails of years, some of which wait."""

    def address(number: int) -> str:
        return f"user{number}@example.com"

    def user_id(number: int) -> uuid.UUID:
        return id_of(User, number % size.users)

    times: dict[str, Maker] = {"created_at": moment, "updated_at": moment}
    await fill(
        url,
        User,
        size.users,
        {
            "email": address,
            "email_key": address,
            "name": lambda number: f"User {number}",
            "hashed_password": lambda _number: hashed_password,
            "is_active": lambda number: number != 1,
            "is_superuser": lambda number: number == 0,
            "is_verified": lambda number: number != 2,
            **times,
        },
    )
    await fill(
        url,
        UserSession,
        size.users * 2,
        {
            "user_id": user_id,
            "created_at": moment,
            "last_used_at": moment,
            "expires_at": moment,
        },
    )
    await fill(
        url,
        OneTimeToken,
        size.users // 2,
        {
            "user_id": user_id,
            "purpose": lambda _number: TokenPurpose.RESET_PASSWORD,
            "email": address,
            "token_hash": lambda number: f"{scattered(number):064x}",
            "created_at": moment,
            "expires_at": moment,
        },
    )
    await fill(
        url,
        Email,
        size.users * 2,
        {
            "template": lambda _number: "auth/verify_email",
            "to_address": lambda number: address(number % size.users),
            "subject": lambda number: f"Mail {number}",
            "message_id": lambda number: f"<{number}@example.com>",
            "status": lambda number: {0: EmailStatus.FAILED, 1: EmailStatus.QUEUED}.get(
                number % 50, EmailStatus.SENT
            ),
            "attempts": lambda _number: 1,
            "due_at": lambda number: moment(number) + (_LATER if number % 50 == 1 else timedelta()),
            "created_at": moment,
        },
    )


async def fill(url: str, model: Any, count: int, makers: Mapping[str, Maker]) -> None:
    """COPY on PostgreSQL, one transaction of `executemany` on SQLite."""
    table: Table = model.__table__
    makers = {"id": lambda number: id_of(model, number), **makers}
    if url.startswith("sqlite"):
        _fill_sqlite(url, table, list(makers), _records(table, sqlite.dialect(), makers, count))
        return
    dialect: Dialect = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]
    records = _records(table, dialect, makers, count)
    connection = await asyncpg.connect(url)
    try:
        await connection.copy_records_to_table(table.name, records=records, columns=list(makers))
    finally:
        await connection.close()


def _fill_sqlite(
    url: str, table: Table, columns: list[str], records: Iterator[tuple[Any, ...]]
) -> None:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    places = ", ".join("?" * len(columns))
    try:
        with connection:
            connection.executemany(
                f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({places})", records
            )
    finally:
        connection.close()


def _records(
    table: Table, dialect: Dialect, makers: Mapping[str, Maker], count: int
) -> Iterator[tuple[Any, ...]]:
    """As the driver takes them."""
    made = [_bound(table, dialect, name, make) for name, make in makers.items()]
    return (tuple(make(number) for make in made) for number in range(count))


def _bound(table: Table, dialect: Dialect, name: str, make: Maker) -> Maker:
    process = table.columns[name].type.dialect_impl(dialect).bind_processor(dialect)
    return make if process is None else lambda number: process(make(number))


async def analyze(url: str) -> None:
    """What PostgreSQL's autovacuum does by itself."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.execute("ANALYZE")
        connection.close()
        return
    server = await asyncpg.connect(url)
    try:
        await server.execute("ANALYZE")
    finally:
        await server.close()
