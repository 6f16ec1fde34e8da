"""Single statements at the least cost, for what every request and every sign-in asks.

They are compiled once and sent by the driver itself, on a connection of the pool that is given back
at once: a seventh of the time that the ORM takes. A session that is in the middle of something is
asked in the ordinary way, and sees its own changes.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar, cast
from weakref import WeakKeyDictionary

from sqlalchemy import (
    JSON,
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Dialect,
    Engine,
    Enum,
    Float,
    Insert,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    Select,
    String,
    Time,
    TypeDecorator,
    Uuid,
    inspect,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapper, Session, configure_mappers
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.pool import AsyncAdaptedQueuePool, Pool, PoolProxiedConnection
from sqlalchemy.types import TypeEngine

from backend.core.engines import (
    POOL_TIMEOUT_SECONDS,
    NoGreenletError,
    refuse_nul,
    translated,
    unconcerned,
)

__all__ = [
    "DriverRefusedError",
    "Loader",
    "QuickInsert",
    "QuickLoad",
    "fetch",
    "is_known",
    "is_listened_to",
    "is_plain",
    "is_quiet",
    "observers",
    "result_processors",
]

T = TypeVar("T", bound=DeclarativeBase)

Processor = Callable[[Any], Any]

observers: list[Callable[[str, tuple[Any, ...], float, int], None]] = []
"""Told of each statement, its values, its time in milliseconds and its rows: SQLAlchemy's events do
not see them. For `backend.core.observe`."""


class DriverRefusedError(Exception):
    """Nothing was done. Asked in the ordinary way, SQLAlchemy says why by errors that are known."""


class QuickLoad(Generic[T]):
    """A SELECT of at most one object, which belongs to the session as if it had loaded it."""

    def __init__(self, model: type[T], statement: Select[T]) -> None:
        self.statement = statement
        self._loader = Loader(model)
        self._quick = _QuickStatement(
            statement.with_only_columns(*self._loader.columns, maintain_column_froms=True),
            self._loader.columns,
        )

    async def one(self, session: AsyncSession, **values: Any) -> T | None:
        engine = session.bind
        if (
            isinstance(engine, AsyncEngine)
            and is_quiet(engine, session.sync_session)
            and self._loader.loads_rows_alone
        ):
            with suppress(DriverRefusedError):
                row = await self._quick.first(engine, values)
                if row is None:
                    return None
                if (loaded := self._loader.attached(session, row)) is not None:
                    return loaded
        found: T | None = await session.scalar(self.statement, values)
        return found


class Loader(Generic[T]):
    """Makes objects of rows, as the ORM does where a session reads all columns of one table."""

    def __init__(self, model: type[T]) -> None:
        mapper = inspect(model)
        self.columns = tuple(mapper.columns)
        self._new = mapper.class_manager.new_instance
        self._names = [mapper.get_property_by_column(item).key for item in self.columns]
        self._names_known = frozenset(self._names)
        self._key_at = [self.columns.index(item) for item in mapper.primary_key]
        self._class, _, self._token = mapper.identity_key_from_primary_key(mapper.primary_key)
        self._mapper = mapper

    @cached_property
    def _is_plain(self) -> bool:
        return is_plain(self._mapper)

    @property
    def loads_rows_alone(self) -> bool:
        """Nothing is loaded with an object, and nobody is told of it."""
        listeners: Any = self._mapper.class_manager.dispatch
        return self._is_plain and not listeners.load

    def attached(self, session: AsyncSession, row: Sequence[Any]) -> T | None:
        """The session's own object where it has one, as it is; None where that has not all of its
        columns loaded, which is the session's to do."""
        key = (self._class, tuple([row[index] for index in self._key_at]), self._token)
        identity_map = session.sync_session.identity_map
        known: Any = identity_map.get(key)
        if known is not None:
            return cast("T", known) if self._names_known <= known.__dict__.keys() else None
        # `Session.add` would begin a transaction.
        instance = cast("T", self._new())
        instance.__dict__.update(zip(self._names, row, strict=True))
        state: Any = instance_state(instance)
        state.key = key
        state.session_id = session.sync_session.hash_key
        identity_map._add_unpresent(state, key)  # noqa: SLF001
        return instance


def is_quiet(engine: AsyncEngine, session: Session) -> bool:
    """Nobody could tell that the driver is asked directly, or would have changed the statement."""
    listeners: Any = session.dispatch
    return (
        not session.in_transaction()
        and not engine.echo
        and not engine.get_execution_options()  # such as a schema_translate_map
        and not listeners.loaded_as_persistent
        and unconcerned.issuperset(listeners.do_orm_execute)
        and unconcerned.issuperset(listeners.after_begin)  # which may say whose rows are seen
        and not listeners.after_transaction_create
        and not is_listened_to(engine.sync_engine)
        and _has_turns(engine.pool)
    )


_OF_ENGINES = (
    "before_cursor_execute",
    "after_cursor_execute",
    "before_execute",
    "after_execute",
    "begin",
    "commit",
)


def is_listened_to(engine: Engine) -> bool:
    """By others than this project: an instrumentation, or what writes something of its own."""
    listeners: Any = engine.dispatch
    return any(not unconcerned.issuperset(getattr(listeners, name)) for name in _OF_ENGINES)


def _has_turns(pool: Any) -> bool:
    return type(pool) is AsyncAdaptedQueuePool and pool.size() > 0


LAZY = frozenset({"select", "raise", "raise_on_sql", "write_only", "dynamic", "noload", True})


def is_plain(mapper: Mapper[Any]) -> bool:
    """An object is one row of one table, all of it."""
    return (
        mapper.polymorphic_on is None
        and not mapper.inherits
        and all(item.lazy in LAZY for item in mapper.relationships)
        and all(
            not item.deferred and len(item.columns) == 1 and isinstance(item.columns[0], Column)
            for item in mapper.column_attrs
        )
    )


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
        if isinstance(engine, AsyncEngine) and is_quiet(engine, session.sync_session):
            with suppress(DriverRefusedError):
                row = await self._quick.first(engine, values)
                return None if row is None else row[0]
        found = await session.scalar(self.statement, values)
        await session.commit()
        return found


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
        self.compiled: dict[str, _Compiled | None] = {}

    async def first(self, engine: AsyncEngine, values: Mapping[str, Any]) -> list[Any] | None:
        dialect = engine.dialect
        if dialect.name not in self.compiled:
            self.compiled[dialect.name] = self._compile(dialect)
        if (compiled := self.compiled[dialect.name]) is None:
            raise DriverRefusedError
        arguments = tuple(
            process(values.get(name, value)) if process else values.get(name, value)
            for name, value, process in compiled.parameters
        )
        rows = await fetch(engine, compiled.text, arguments)
        if not rows:
            return None
        return [
            process(value) if process else value
            for process, value in zip(compiled.columns, rows[0], strict=True)
        ]

    def _compile(self, dialect: Dialect) -> _Compiled | None:
        configure_mappers()  # as the first query of the ORM does
        if not all(is_known(column, dialect) for column in self.columns):
            return None
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
            result_processors(dialect, self.columns),
        )


def _stored_as(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    while isinstance(kind, TypeDecorator):
        kind = kind.impl if isinstance(kind.impl, TypeEngine) else kind.impl()
    return kind


_KNOWN_TYPES = (
    String,
    Integer,
    Boolean,
    Date,
    DateTime,
    Time,
    Interval,
    Enum,
    Float,
    Numeric,
    Uuid,
    LargeBinary,
    JSON,
)


def is_known(column: ColumnElement[Any], dialect: Dialect) -> bool:
    """Whether its values are made of the driver's without asking the cursor: those of arrays, and
    of types that somebody adds, may be made otherwise."""
    return isinstance(_stored_as(column.type.dialect_impl(dialect)), _KNOWN_TYPES)


_OIDS = ((Float, 701), (Numeric, 1700))  # of PostgreSQL's types, as the cursor would tell


def result_processors(
    dialect: Dialect, columns: Sequence[ColumnElement[Any]]
) -> tuple[Processor | None, ...]:
    """What makes of the driver's values those that the columns declare."""
    found = []
    for column in columns:
        kind = column.type.dialect_impl(dialect)
        stored = _stored_as(kind)
        oid = next((oid for known, oid in _OIDS if isinstance(stored, known)), None)
        found.append(kind.result_processor(dialect, oid))
    return tuple(found)


async def fetch(
    engine: AsyncEngine, text: str, arguments: Sequence[Any]
) -> Sequence[Sequence[Any]]:
    """The rows of a statement in the driver's words, which is a transaction of its own.

    Raises DriverRefusedError, or what a client's value, or a database that is away, is translated
    to.
    """
    if engine.dialect.name == "sqlite":
        refuse_nul(arguments)
    started = time.perf_counter() if observers else 0.0
    rows: Sequence[Sequence[Any]] = await _send(engine, text, arguments)
    if observers:
        for observer in observers:
            observer(text, tuple(arguments), (time.perf_counter() - started) * 1000, len(rows))
    return rows


async def _send(engine: AsyncEngine, text: str, arguments: Sequence[Any]) -> Any:
    turns = _turns(engine.pool)
    await _turn(turns)
    try:
        try:
            proxy = await _connection(engine)
        except Exception as error:
            raise _known(error) from error
        try:
            driver: Any = proxy.driver_connection
            if engine.dialect.name == "sqlite":
                return await driver.execute_fetchall(text, arguments)
            return await driver.fetch(text, *arguments)
        except BaseException as error:
            if not isinstance(error, Exception):
                proxy.invalidate(error)
                raise
            if _is_closed(driver):
                proxy.invalidate(error)
            raise _known(error) from error
        finally:
            if proxy.is_valid:
                proxy.close()
    finally:
        turns.release()


def _known(error: Exception) -> Exception:
    if isinstance(error, PoolTimeoutError):
        return error
    return translated(error) or DriverRefusedError()


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
    connecting = asyncio.ensure_future(engine.raw_connection())
    try:
        return await asyncio.shield(connecting)
    except asyncio.CancelledError:
        connecting.add_done_callback(_give_back)
        raise


def _give_back(connecting: asyncio.Future[PoolProxiedConnection]) -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().close()
