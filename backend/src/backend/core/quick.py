"""Single statements at the least cost, for what every request and every sign-in asks.

They are compiled once and sent by the driver itself, on a connection of the pool that is given back
at once: a seventh of the time that the ORM takes. A session that is in the middle of something is
asked in the ordinary way, and sees its own changes.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast
from weakref import WeakKeyDictionary

from sqlalchemy import BindParameter, ColumnElement, Dialect, Insert, Select, inspect
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, configure_mappers
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.pool import Pool, PoolProxiedConnection

from backend.core.engines import POOL_TIMEOUT_SECONDS, NoGreenletError, translated

__all__ = ["QuickInsert", "QuickLoad", "observers"]

T = TypeVar("T", bound=DeclarativeBase)

Processor = Callable[[Any], Any]

observers: list[Callable[[str, tuple[Any, ...], float, int], None]] = []
"""Told of each statement, its values, its time in milliseconds and its rows: SQLAlchemy's events do
not see them. For `backend.core.observe`."""


class QuickLoad(Generic[T]):
    """A SELECT of at most one object, which belongs to the session as if it had loaded it."""

    def __init__(self, model: type[T], statement: Select[T]) -> None:
        self.statement = statement
        mapper = inspect(model)
        self._identity_key = mapper.identity_key_from_primary_key
        self._new = mapper.class_manager.new_instance
        columns = tuple(mapper.columns)
        self._attributes = [mapper.get_property_by_column(item).key for item in columns]
        self._primary_key = [mapper.get_property_by_column(item).key for item in mapper.primary_key]
        plain = statement.with_only_columns(*columns, maintain_column_froms=True)
        self._quick = _QuickStatement(plain, columns)

    async def one(self, session: AsyncSession, **values: Any) -> T | None:
        engine = session.bind
        if session.in_transaction() or not isinstance(engine, AsyncEngine):
            found: T | None = await session.scalar(self.statement, values)
            return found
        row = await self._quick.first(engine, values)
        if row is None:
            return None
        return self._attached(session, dict(zip(self._attributes, row, strict=True)))

    def _attached(self, session: AsyncSession, row: dict[str, Any]) -> T:
        key = self._identity_key(tuple(row[name] for name in self._primary_key))
        identity_map = session.sync_session.identity_map
        known: Any = identity_map.get(key)
        if known is not None:
            return cast("T", known)
        # As the ORM does with a row; `Session.add` would begin a transaction.
        instance = cast("T", self._new())
        instance.__dict__.update(row)
        state: Any = instance_state(instance)
        state.key = key
        state.session_id = session.sync_session.hash_key
        identity_map.add(state)
        return instance


class QuickInsert:
    """An INSERT of at most one row into a table, with one column to return: a transaction of its
    own, which is committed when it is answered."""

    def __init__(self, statement: Insert, returning: ColumnElement[Any]) -> None:
        self.statement = statement.returning(returning)
        self._quick = _QuickStatement(self.statement, (returning,))

    async def commit(self, session: AsyncSession, **values: Any) -> Any:
        """What the row has in the column; None where none was inserted. Commits what the session
        has under way as well."""
        engine = session.bind
        if session.in_transaction() or not isinstance(engine, AsyncEngine):
            found = await session.scalar(self.statement, values)
            await session.commit()
            return found
        row = await self._quick.first(engine, values)
        return None if row is None else row[0]


@dataclass(frozen=True)
class _Compiled:
    """A statement in the words of one database."""

    text: str
    parameters: tuple[tuple[str, Any, Processor | None], ...]
    """Name, value where it is part of the statement, and what the driver wants made of it."""
    columns: tuple[Processor | None, ...]


class _QuickStatement:
    def __init__(
        self, statement: Select[Any] | Insert, columns: Sequence[ColumnElement[Any]]
    ) -> None:
        self.statement = statement
        self.columns = columns
        self.compiled: dict[str, _Compiled] = {}

    async def first(self, engine: AsyncEngine, values: Mapping[str, Any]) -> list[Any] | None:
        dialect = engine.dialect
        compiled = self.compiled.get(dialect.name)
        if compiled is None:
            compiled = self.compiled[dialect.name] = self._compile(dialect)
        arguments = tuple(
            process(values.get(name, value)) if process else values.get(name, value)
            for name, value, process in compiled.parameters
        )
        started = time.perf_counter() if observers else 0.0
        rows = await _send(engine, compiled.text, arguments)
        if observers:
            for observer in observers:
                ms = (time.perf_counter() - started) * 1000
                observer(compiled.text, arguments, ms, len(rows))
        if not rows:
            return None
        return [
            process(value) if process else value
            for process, value in zip(compiled.columns, rows[0], strict=True)
        ]

    def _compile(self, dialect: Dialect) -> _Compiled:
        configure_mappers()  # as the first query of the ORM does
        compiled: Any = self.statement.compile(dialect=dialect)
        binds: dict[str, BindParameter[Any]] = compiled.binds
        return _Compiled(
            str(compiled),
            tuple(
                (
                    name,
                    binds[name].value,
                    binds[name].type.dialect_impl(dialect).bind_processor(dialect),
                )
                for name in compiled.positiontup
            ),
            tuple(
                column.type.dialect_impl(dialect).result_processor(dialect, None)
                for column in self.columns
            ),
        )


async def _send(engine: AsyncEngine, text: str, arguments: tuple[Any, ...]) -> Any:
    turns = _turns(engine.pool)
    await _turn(turns)
    try:
        proxy = await _connection(engine)
        try:
            driver: Any = proxy.driver_connection
            if engine.dialect.name == "sqlite":
                return await driver.execute_fetchall(text, arguments)
            return await driver.fetch(text, *arguments)
        except BaseException as error:
            if not isinstance(error, Exception) or _is_closed(driver):
                proxy.invalidate(error)
            if failure := translated(error):
                raise failure from error
            raise
        finally:
            if proxy.is_valid:
                proxy.close()
    finally:
        turns.release()


_semaphores: WeakKeyDictionary[Pool, asyncio.Semaphore] = WeakKeyDictionary()


def _turns(pool: Any) -> asyncio.Semaphore:
    """As many as the pool has connections. Waiting here costs a fifth of waiting there."""
    found = _semaphores.get(pool)
    if found is None:
        found = _semaphores[pool] = asyncio.Semaphore(pool.size())
    return found


async def _turn(turns: asyncio.Semaphore) -> None:
    if not turns.locked():
        await turns.acquire()
        return
    try:
        async with asyncio.timeout(POOL_TIMEOUT_SECONDS):
            await turns.acquire()
    except TimeoutError as error:
        raise translated(error) or error from error


def _is_closed(driver: Any) -> bool:
    return bool(getattr(driver, "is_closed", bool)())


async def _connection(engine: AsyncEngine) -> PoolProxiedConnection:
    """An idle one is taken without a greenlet, which costs as much as the statement."""
    pool: Any = engine.sync_engine.pool
    if pool.checkedin():
        try:
            connection: PoolProxiedConnection = pool.connect()
        except NoGreenletError:
            pass
        else:
            return connection
    return await engine.raw_connection()
