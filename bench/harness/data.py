"""The same rows for every server: 10,000 users, 100,000 items."""

import random
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import asyncpg

__all__ = ["PASSWORD", "Data", "Item", "User"]

PASSWORD = "many small engines"

_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)

_USERS = "n integer, id uuid, email text, name text, created_at timestamptz"
_ITEMS = (
    "n integer, id uuid, owner_n integer, owner_id uuid, title text, body text, status text,"
    " due_on date, created_at timestamptz"
)


@dataclass(frozen=True, slots=True)
class User:
    n: int
    id: uuid.UUID
    email: str
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Item:
    n: int
    id: uuid.UUID
    owner_n: int
    owner_id: uuid.UUID
    title: str
    body: str | None
    status: str
    due_on: date | None
    created_at: datetime


def _id(moment: datetime, chance: random.Random) -> uuid.UUID:
    """A UUIDv7 (RFC 9562) of a time that is not now."""
    milliseconds = int(moment.timestamp() * 1000)
    return uuid.UUID(
        int=milliseconds << 80 | 7 << 76 | chance.getrandbits(12) << 64 | 2 << 62
        | chance.getrandbits(62)
    )  # fmt: skip


@dataclass(frozen=True)
class Data:
    """User 1 owns `deep_rows` items, for the page that is far down; each of those who are signed
    in owns enough for a whole page; the rest is spread over the others."""

    users: int = 10_000
    items: int = 100_000
    deep_rows: int = 60_000
    signed_in: int = 64
    rows_of_signed_in: int = 200

    @cached_property
    def all_users(self) -> list[User]:
        chance = random.Random(1)
        return [
            User(
                n,
                _id(moment := _BEGAN + timedelta(minutes=n), chance),
                f"user{n}@example.com",
                f"User {n}",
                moment,
            )
            for n in range(1, self.users + 1)
        ]

    @cached_property
    def all_items(self) -> list[Item]:
        chance = random.Random(2)
        owners = list(self._owners())
        chance.shuffle(owners)
        began = _BEGAN + timedelta(days=30)
        found = []
        for n, owner in enumerate(owners, 1):
            moment = began + timedelta(seconds=n)
            found.append(
                Item(
                    n,
                    _id(moment, chance),
                    owner,
                    self.all_users[owner - 1].id,
                    f"Item {n} of the benchmark",
                    f"What item {n} is about, in a sentence of some words." if n % 2 else None,
                    "live" if n % 3 else "draft",
                    date(2027, 1, 1) + timedelta(days=n % 300) if n % 4 else None,
                    moment,
                )
            )
        return found

    def _owners(self) -> Iterator[int]:
        yield from [1] * self.deep_rows
        rest = self.items - self.deep_rows
        for n in range(2, self.signed_in + 1):
            yield from [n] * self.rows_of_signed_in
            rest -= self.rows_of_signed_in
        others = self.users - self.signed_in
        for number in range(rest):
            yield self.signed_in + 1 + number % others

    @property
    def emails(self) -> list[str]:
        """Of those who are signed in."""
        return [user.email for user in self.all_users[: self.signed_in]]

    @property
    def deep_titles(self) -> list[str]:
        """Those of user 1, newest first, as a list has to show them."""
        return [item.title for item in reversed(self.all_items) if item.owner_n == 1]

    async def fill_postgresql(self, url: str, statements: str) -> None:
        """`statements` move the rows from `bench_users` and `bench_items` into the tables."""
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(
                f"CREATE TEMP TABLE bench_users ({_USERS});CREATE TEMP TABLE bench_items ({_ITEMS})"
            )
            await connection.copy_records_to_table("bench_users", records=map(_row, self.all_users))
            await connection.copy_records_to_table("bench_items", records=map(_row, self.all_items))
            await connection.execute(statements)
            await connection.execute("VACUUM (ANALYZE)")
        finally:
            await connection.close()

    def fill_sqlite(self, path: Path, statements: str) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.executescript(
                f"CREATE TEMP TABLE bench_users ({_USERS});CREATE TEMP TABLE bench_items ({_ITEMS})"
            )
            connection.execute("BEGIN")
            for table, rows in (("bench_users", self.all_users), ("bench_items", self.all_items)):
                connection.executemany(
                    f"INSERT INTO {table} VALUES ({', '.join('?' * len(_row(rows[0])))})",
                    (tuple(map(_sqlite, _row(row))) for row in rows),
                )
            connection.execute("COMMIT")
            connection.executescript(f"BEGIN; {statements}; COMMIT; ANALYZE")
        finally:
            connection.close()


def _row(row: User | Item) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in row.__slots__)


def _sqlite(value: Any) -> Any:
    """As SQLAlchemy writes it."""
    if isinstance(value, uuid.UUID):
        return value.hex
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).strftime("%Y-%m-%d %H:%M:%S.%f")
    return value.isoformat() if isinstance(value, date) else value
