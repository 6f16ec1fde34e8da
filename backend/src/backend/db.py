"""The database: `Base` for models, the engine, and a session for each request."""

import importlib
import importlib.util
import pkgutil
import re
import sqlite3
import ssl
import uuid
from collections.abc import AsyncIterator, Sequence
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, cast

import structlog
from fastapi import Depends
from sqlalchemy import (
    Dialect,
    ExceptionContext,
    MetaData,
    Uuid,
    event,
    exc,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, ExecutionContext
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase, ORMExecuteState, Session, UOWTransaction
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from backend import services
from backend.core.columns import UTCDateTime
from backend.core.errors import InvalidInputError, LostWriteError, UnavailableError
from backend.settings import Settings, settings

__all__ = [
    "Base",
    "SessionDep",
    "async_session_maker",
    "engine",
    "get_async_session",
    "import_models",
    "insert",
    "make_engine",
    "release_connection",
    "release_connections",
    "sessions_of_request",
]

log = structlog.get_logger()

CONNECT_TIMEOUT_SECONDS = 5.0
POOL_TIMEOUT_SECONDS = 10.0
STATEMENT_TIMEOUT_SECONDS = 30.0
SQLITE_BUSY_TIMEOUT_SECONDS = 10.0


class Base(DeclarativeBase):
    """Every table's base. Constraints get stable names, so that migrations can find them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it as it stands
        datetime: UTCDateTime(),
        uuid.UUID: Uuid(),
    }


def import_models() -> MetaData:
    """Imports every `backend.services.*.models`, and returns the tables that they declare."""
    for service in pkgutil.iter_modules(services.__path__, f"{services.__name__}."):
        name = f"{service.name}.models"
        if service.ispkg and importlib.util.find_spec(name):
            importlib.import_module(name)
    return Base.metadata


def insert(session: AsyncSession, model: type[Base]) -> postgresql.Insert:
    """An INSERT that knows ON CONFLICT. Both databases have the clause, in the same words."""
    if session.get_bind().dialect.name == "sqlite":
        return cast("postgresql.Insert", sqlite.insert(model))
    return postgresql.insert(model)


class GuardedSession(Session):
    """Knows whether it holds changes that nobody has committed."""

    @property
    def has_uncommitted_changes(self) -> bool:
        return bool(
            self.info.get("written")
            or self.new
            or self.deleted
            or any(self.is_modified(instance) for instance in self.dirty)
        )


@event.listens_for(GuardedSession, "after_flush")
def _note_flush(session: Session, _context: UOWTransaction) -> None:
    session.info["written"] = True


@event.listens_for(GuardedSession, "do_orm_execute")
def _note_statement(state: ORMExecuteState) -> None:
    if state.is_insert or state.is_update or state.is_delete:
        state.session.info["written"] = True


@event.listens_for(GuardedSession, "after_commit")
@event.listens_for(GuardedSession, "after_rollback")
def _forget(session: Session) -> None:
    session.info.pop("written", None)


def make_engine(
    url: URL, options: Settings = settings, *, statement_seconds: float | None = None
) -> AsyncEngine:
    """An engine for SQLite or PostgreSQL with the settings that this project relies on.

    `statement_seconds` is what PostgreSQL may take for one statement; a migration may take longer.
    """
    if url.get_backend_name() == "sqlite":
        return _make_sqlite_engine(url, options)
    return _make_postgresql_engine(url, options, statement_seconds)


def _make_sqlite_engine(url: URL, options: Settings) -> AsyncEngine:
    """SQLite in WAL mode, durable at each commit.

    Reads run outside a transaction, each on the newest state, as PostgreSQL's READ COMMITTED has
    it. The first write takes the lock with BEGIN IMMEDIATE, so that a transaction waits for its
    turn at the beginning and never fails with "database is locked" in the middle.
    """
    Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(
        url,
        pool_size=options.database_pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        hide_parameters=True,
        connect_args={"isolation_level": None, "timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        # Its own knows the letters of ASCII only, so that a search would tell É from é.
        connection.create_function("lower", 1, _lower, deterministic=True)

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def prepare_statement(
        connection: Connection,
        cursor: DBAPICursor,
        statement: str,
        parameters: Sequence[Any] | None,
        _context: ExecutionContext | None,
        _executemany: bool,
    ) -> None:
        _refuse_nul(parameters)
        if _READS.match(statement):
            return
        driver = connection.connection.driver_connection
        if driver is not None and not driver.in_transaction:
            cursor.execute("BEGIN IMMEDIATE", ())

    event.listen(engine.sync_engine, "handle_error", _translate_error)
    return engine


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _refuse_nul(parameters: Sequence[Any] | None) -> None:
    """As PostgreSQL does. SQLite would store it, and some of its functions see half of the text."""
    for value in parameters or ():
        if isinstance(value, str):
            if "\x00" in value:
                raise _value_refused("a text with a NUL byte")
        elif isinstance(value, (tuple, list)):
            _refuse_nul(value)


_READS = re.compile(r"\s*(SELECT|PRAGMA|EXPLAIN|BEGIN)\b", re.IGNORECASE)


def _make_postgresql_engine(
    url: URL, options: Settings, statement_seconds: float | None
) -> AsyncEngine:
    """PostgreSQL by asyncpg. Understands what libpq puts into addresses for TLS."""
    query = dict(url.query)
    arguments: dict[str, Any] = {
        "timeout": CONNECT_TIMEOUT_SECONDS,
        "command_timeout": statement_seconds,
        "server_settings": {"application_name": "backend", "timezone": "UTC"},
    }
    for name in ("channel_binding", "application_name", "connect_timeout", "gssencmode"):
        query.pop(name, None)
    root_certificate = query.pop("sslrootcert", None)
    if mode := query.pop("sslmode", None):
        arguments["ssl"] = mode
    if isinstance(root_certificate, str):
        context = ssl.create_default_context(cafile=root_certificate)
        context.check_hostname = mode == "verify-full"
        arguments["ssl"] = context
    if options.database_pgbouncer:
        arguments |= {
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": lambda: f"__asyncpg_{uuid.uuid4()}__",
        }
    engine = create_async_engine(
        url.set(query=query),
        pool_size=options.database_pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        hide_parameters=True,
        connect_args=arguments,
    )

    @event.listens_for(engine.sync_engine, "do_connect")
    def connect(
        dialect: Dialect,
        _entry: ConnectionPoolEntry,
        positional: tuple[Any, ...],
        named: dict[str, Any],
    ) -> DBAPIConnection:
        """asyncpg lets the errors of the network through as they are."""
        try:
            return dialect.connect(*positional, **named)
        except OSError as error:
            raise _unavailable(error) from error

    @event.listens_for(engine.sync_engine, "checkout")
    def refuse_closed(
        connection: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: PoolProxiedConnection
    ) -> None:
        """A connection that the server closed is replaced: asyncpg knows without asking it."""
        driver = entry.driver_connection
        if driver is not None and driver.is_closed():
            raise exc.DisconnectionError("the server closed this connection")

    event.listen(engine.sync_engine, "handle_error", _translate_error)
    return engine


# SQLSTATE classes (PostgreSQL manual, appendix A): data exceptions; and a server that is not there,
# does not have the database (as while `backend db reset --to` exchanges it), or has ended this
# transaction for the good of another.
_DATA_EXCEPTION = "22"
_UNAVAILABLE = ("08", "3D", "40", "53", "57")
_SQLITE_UNAVAILABLE = re.compile("locked|full|disk I/O|readonly|unable to open")


def _translate_error(context: ExceptionContext) -> Exception | None:
    """Turns what a client caused into a 4xx, and a database that is away into a 503.

    A value that the database cannot hold (a number out of range, a NUL byte, half a surrogate
    pair) is the client's mistake wherever no schema bounded it.
    """
    error = context.original_exception
    cause = error.__cause__ or error
    state = getattr(cause, "sqlstate", None) or getattr(error, "sqlstate", None) or ""
    if (
        state.startswith(_DATA_EXCEPTION)
        or isinstance(cause, (OverflowError, UnicodeEncodeError))
        or type(cause).__name__ == "DataError"
    ):
        return _value_refused(str(cause).splitlines()[0][:200])
    if (
        state.startswith(_UNAVAILABLE)
        or context.is_disconnect
        or isinstance(cause, (ConnectionError, TimeoutError, OSError))
    ):
        return _unavailable(cause)
    if isinstance(cause, sqlite3.OperationalError) and _SQLITE_UNAVAILABLE.search(str(cause)):
        return _unavailable(cause)
    return None


def _value_refused(reason: str) -> InvalidInputError:
    log.info("database.value_refused", error=reason)
    return InvalidInputError("The database cannot store one of the given values.")


def _unavailable(error: BaseException) -> UnavailableError:
    log.warning("database.unavailable", error=f"{type(error).__name__}: {error}"[:200])
    return UnavailableError("The database does not answer. Try again in a moment.")


engine = make_engine(settings.database, statement_seconds=STATEMENT_TIMEOUT_SECONDS)
async_session_maker = async_sessionmaker(
    engine, sync_session_class=GuardedSession, expire_on_commit=False
)


def _has_changes(session: AsyncSession) -> bool:
    guarded = session.sync_session
    return isinstance(guarded, GuardedSession) and guarded.has_uncommitted_changes


sessions_of_request: ContextVar[list[AsyncSession] | None] = ContextVar(
    "sessions_of_request", default=None
)


async def release_connections() -> None:
    """Gives back what this request has read with, before its answer is sent: a client that does not
    take the answer must not hold a connection. Changes that nobody committed stay for the guard."""
    for session in sessions_of_request.get() or ():
        if session.in_transaction() and not _has_changes(session):
            try:
                await session.commit()
            except Exception as error:  # noqa: BLE001 - it has only read, so nothing is lost
                log.warning("database.release_failed", error=f"{type(error).__name__}: {error}")


async def get_async_session() -> AsyncIterator[AsyncSession]:
    """The request's session. It never commits: a service does, as its last act on the database.

    What was changed and not committed is rolled back when the request ends. That is a lost write
    unless the request failed: LostWriteError in development, an error in the log in production.
    """
    async with async_session_maker() as session:
        if (of_request := sessions_of_request.get()) is not None:
            of_request.append(session)
        yield session
        if _has_changes(session):
            message = (
                "The request ended with changes that nobody committed, and they are lost. "
                "End the service's method with `await session.commit()`."
            )
            if settings.is_development:
                raise LostWriteError(message)
            log.error("database.lost_write", message=message)


SessionDep = Annotated[AsyncSession, Depends(get_async_session)]
"""The request's session, as a parameter of a route or of another dependency."""


async def release_connection(session: AsyncSession) -> None:
    """Ends a transaction that has only read, so that others may have the connection meanwhile.

    For what takes long between two statements, such as hashing a password; what was read stays
    usable. Raises LostWriteError if there are changes.
    """
    if _has_changes(session):
        raise LostWriteError("release_connection would commit changes half-way")
    await session.commit()
