"""Believable rows, by the `factory.py` of each service that has one."""

import importlib
import importlib.util
import pkgutil
import traceback
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Table, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from backend import db, services
from backend.cli.errors import CommandError
from backend.cli.runtime import run
from backend.core.errors import LostWriteError
from backend.core.guarded import GuardedSession

__all__ = ["SeededService", "seed_services", "seeding_order", "tables_by_service"]

REASON_LENGTH = 300


@dataclass(frozen=True)
class SeededService:
    """`was_empty`: the rows were made now."""

    service: str
    rows: int
    was_empty: bool


def seed_services(users: Sequence[uuid.UUID]) -> Iterator[SeededService]:
    """Seeds one service after the other, each in one transaction.

    Raises CommandError at the first factory that fails; nothing of that service is kept.
    """
    tables = tables_by_service()
    for service in seeding_order(tables):
        if importlib.util.find_spec(_factory(service)):
            yield run(_seed(service, tables[service], users))


def tables_by_service() -> dict[str, list[Table]]:
    db.import_models()
    prefix = f"{services.__name__}."
    found: dict[str, list[Table]] = {
        service.name: [] for service in pkgutil.iter_modules(services.__path__) if service.ispkg
    }
    for mapper in db.Base.registry.mappers:
        service = mapper.class_.__module__.removeprefix(prefix).partition(".")[0]
        if service in found and isinstance(mapper.local_table, Table):
            found[service].append(mapper.local_table)
    return found


def seeding_order(tables: Mapping[str, Sequence[Table]]) -> list[str]:
    """Services after those whose tables theirs refer to; else by name."""
    owners = {table.fullname: service for service in tables for table in tables[service]}
    graph: dict[str, list[str]] = {}
    for service in sorted(tables):
        keys = (key for table in tables[service] for key in table.foreign_keys)
        referred = {owners.get(key.column.table.fullname) for key in keys}
        graph[service] = sorted(name for name in referred if name and name != service)
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise CommandError(
            f"The foreign keys of these services go round in a circle ({circle}), so none of them "
            "can be seeded first. Take one of the keys out, or move the tables into one service."
        ) from None


def _factory(service: str) -> str:
    return f"{services.__name__}.{service}.factory"


async def _seed(service: str, tables: Sequence[Table], users: Sequence[uuid.UUID]) -> SeededService:
    async with db.engine.connect() as connection:
        rows = await _count(connection, tables)
    if rows:
        return SeededService(service, rows, was_empty=False)
    try:
        fake = _new_faker(service)
        module = importlib.import_module(_factory(service))
        rows = await _run_factory(module, tables, users, fake)
    except Exception as error:
        raise CommandError(_failure(service, error)) from error
    return SeededService(service, rows, was_empty=True)


async def _run_factory(
    module: Any, tables: Sequence[Table], users: Sequence[uuid.UUID], fake: Any
) -> int:
    """Commits of the factory are savepoints of one transaction, which is kept as a whole."""
    async with (
        db.engine.begin() as connection,
        db.async_session_maker(
            bind=connection, join_transaction_mode="create_savepoint"
        ) as session,
    ):
        await module.seed(session, users, fake)
        guarded = session.sync_session
        if isinstance(guarded, GuardedSession) and guarded.has_uncommitted_changes:
            raise LostWriteError("`seed` ended with changes that nobody committed")
        return await _count(connection, tables)


def _new_faker(service: str) -> Any:
    """The same values each time."""
    try:
        from faker import Faker
    except ModuleNotFoundError:
        raise CommandError(
            "Faker is for development: install the dev group with `uv sync`."
        ) from None
    fake = Faker()
    fake.seed_instance(service)
    return fake


async def _count(connection: AsyncConnection, tables: Sequence[Table]) -> int:
    counts = [
        await connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables
    ]
    return sum(counts)


def _failure(service: str, error: Exception) -> str:
    if isinstance(error, CommandError):
        return str(error)
    spec = importlib.util.find_spec(_factory(service))
    file = (spec.origin if spec else None) or _factory(service)
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    if isinstance(error, SyntaxError):
        file, lines = error.filename or file, [error.lineno]
    place = f"{file}, line {lines[-1]}" if lines else file
    return (
        f"{place}: {_reason(error)}. Nothing of {service} was kept, and what was made "
        "before it stays. Correct the factory, and run `backend db seed` again."
    )


def _reason(error: Exception) -> str:
    """In one line."""
    text = str(error)
    if isinstance(error, DBAPIError):
        text = str(error.orig)
    elif isinstance(error, ValidationError):
        text = "; ".join(
            f"{error.title}.{'.'.join(map(str, item['loc']))}: {item['msg']}"
            for item in error.errors()
        )
    return f"{type(error).__name__}: {' '.join(text.split())[:REASON_LENGTH]}".rstrip(".: ")
