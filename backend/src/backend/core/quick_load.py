"""One object by key at the least cost, for what every request reads."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast
from weakref import WeakKeyDictionary

from sqlalchemy import BindParameter, Dialect, Select, inspect
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.pool import Pool, PoolProxiedConnection

from backend.core.engines import POOL_TIMEOUT_SECONDS, NoGreenletError, translated

__all__ = ["QuickLoad", "observers"]

T = TypeVar("T", bound=DeclarativeBase)

Processor = Callable[[Any], Any]

observers: list[Callable[[str, tuple[Any, ...], float, int], None]] = []
"""Told of each statement, its values, its time in milliseconds and its rows: SQLAlchemy's events do
not see them. For `backend.core.observe`."""


@dataclass(frozen=True)
class _Compiled:
    """A statement in the words of one database."""

    text: str
    parameters: tuple[tuple[str, Any, Processor | None], ...]
    """Name, value where it is part of the statement, and what the driver wants made of it."""
    columns: tuple[tuple[str, Processor | None], ...]


class QuickLoad(Generic[T]):
    """A SELECT of at most one object, which is compiled once and sent by the driver itself, on a
    connection that is given back at once: a seventh of what the ORM takes for it.

    The object belongs to the session as if the session had loaded it. A session that is in the
    middle of something is asked in the ordinary way, and sees its own changes.
    """

    def __init__(self, model: type[T], statement: Select[T]) -> None:
        self.statement = statement
        mapper = inspect(model)
        self._identity_key = mapper.identity_key_from_primary_key
        self._new = mapper.class_manager.new_instance
        self._columns = tuple(mapper.columns)
        self._attributes = [mapper.get_property_by_column(item).key for item in self._columns]
        self._primary_key = [mapper.get_property_by_column(item).key for item in mapper.primary_key]
        self._compiled: dict[str, _Compiled] = {}

    async def one(self, session: AsyncSession, **values: Any) -> T | None:
        engine = session.bind
        if session.in_transaction() or not isinstance(engine, AsyncEngine):
            found: T | None = await session.scalar(self.statement, values)
            return found
        row = await self._fetch(engine, values)
        return None if row is None else self._attached(session, row)

    async def _fetch(self, engine: AsyncEngine, values: Mapping[str, Any]) -> dict[str, Any] | None:
        dialect = engine.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = self._compile(dialect)
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
        return {
            attribute: process(value) if process else value
            for (attribute, process), value in zip(compiled.columns, rows[0], strict=True)
        }

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

    def _compile(self, dialect: Dialect) -> _Compiled:
        plain = self.statement.with_only_columns(*self._columns, maintain_column_froms=True)
        compiled: Any = plain.compile(dialect=dialect)
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
                (attribute, column.type.dialect_impl(dialect).result_processor(dialect, None))
                for attribute, column in zip(self._attributes, self._columns, strict=True)
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
