"""Engines for SQLite and PostgreSQL with the settings that this project relies on.

On both, what only reads runs outside a transaction, each statement on the newest state, and the
first write begins one, unless it is the only one: that is one round trip, and holds nothing
(`docs/decisions/one-round-trip.md`).
"""

import asyncio
import re
import sqlite3
import ssl
import time
import uuid
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import structlog
from sqlalchemy import Dialect, ExceptionContext, event, exc
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection
from sqlalchemy.engine import URL, Connection, ExecutionContext
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.util.concurrency import await_only, in_greenlet

from backend.core.errors import InvalidInputError, UnavailableError
from backend.settings import Settings, settings

__all__ = [
    "NoGreenletError",
    "make_engine",
    "only_reads",
    "refuse_nul",
    "translated",
    "unconcerned",
]

log = structlog.get_logger()

CONNECT_TIMEOUT_SECONDS = 5.0
POOL_TIMEOUT_SECONDS = 10.0
SQLITE_BUSY_TIMEOUT_SECONDS = 10.0


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
        _use_wal(cursor)
        for pragma in (
            "synchronous=FULL",
            "foreign_keys=ON",
            "temp_store=MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        # Its own knows the letters of ASCII only, so that a search would tell É from é.
        connection.create_function("lower", 1, _lower, deterministic=True)

    @event.listens_for(engine.sync_engine, "before_cursor_execute", retval=True)
    def prepare_statement(
        connection: Connection,
        cursor: DBAPICursor,
        statement: str,
        parameters: Any,
        _context: ExecutionContext | None,
        _executemany: bool,
    ) -> tuple[str, Any]:
        refuse_nul(parameters)
        if _SQLITE_READS.match(statement):
            return statement, parameters
        adapter = cast("_SQLiteConnection", connection.connection.dbapi_connection)
        adapter.wrote = adapter.wrote or _writes(statement)
        if _is_alone(connection) and not adapter.has_begun:
            return statement, parameters
        adapter.has_begun = True
        driver = connection.connection.driver_connection
        if driver is not None and not driver.in_transaction and not _BEGINS.match(statement):
            cursor.execute("BEGIN IMMEDIATE", ())
        return statement, parameters

    unconcerned.add(prepare_statement)
    _note_savepoints(engine)

    @event.listens_for(engine.sync_engine, "do_connect")
    def connect(
        dialect: Dialect,
        _entry: ConnectionPoolEntry,
        positional: tuple[Any, ...],
        named: dict[str, Any],
    ) -> DBAPIConnection:
        _require_greenlet()
        made: Any = dialect.connect(*positional, **named)
        adapter: Any = _SQLiteConnection(made.dbapi, made.driver_connection)
        return cast("DBAPIConnection", adapter)

    event.listen(engine.sync_engine, "handle_error", _translate_error)
    return engine


class _SQLiteConnection(AsyncAdapt_aiosqlite_connection):
    """Ends a transaction only where one was begun: the driver's thread is not asked for nothing."""

    has_begun = False
    wrote = False
    wrote_before: Sequence[bool] = ()
    """At each savepoint that is open."""

    def commit(self) -> None:
        self.wrote, self.wrote_before = False, ()
        if self.has_begun:
            super().commit()
            self.has_begun = False

    def rollback(self) -> None:
        self.wrote, self.wrote_before = False, ()
        if self.has_begun:
            super().rollback()
            self.has_begun = False


def _use_wal(cursor: DBAPICursor) -> None:
    """SQLite refuses at once where another process does the same with a new file just now: here its
    busy timeout does not count."""
    until = time.monotonic() + SQLITE_BUSY_TIMEOUT_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            await_only(asyncio.sleep(0.01))
        else:
            return


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def refuse_nul(parameters: Sequence[Any] | None) -> None:
    """As PostgreSQL does. SQLite would store it, and some of its functions see half of the text."""
    for value in parameters or ():
        if isinstance(value, str):
            if "\x00" in value:
                raise _value_refused("a text with a NUL byte")
        elif isinstance(value, (tuple, list)):
            refuse_nul(value)


_SQLITE_READS = re.compile(r"\s*(SELECT|PRAGMA|EXPLAIN)\b", re.IGNORECASE)
_BEGINS = re.compile(r"\s*BEGIN\b", re.IGNORECASE)


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
        _require_greenlet()
        try:
            made: Any = dialect.connect(*positional, **named)
        except OSError as error:
            raise _unavailable(error) from error
        adapter: Any = cast("Any", _PostgreSQLConnection)(
            made.dbapi,
            made.driver_connection,
            named.get("prepared_statement_cache_size", 100),
            named.get("prepared_statement_name_func"),
        )
        return cast("DBAPIConnection", adapter)

    # Behind PgBouncer only a transaction stays with one connection of the server: the driver
    # prepares a statement and then runs it, which outside of one may be on two.
    may_be_alone = not options.database_pgbouncer

    @event.listens_for(engine.sync_engine, "before_cursor_execute", retval=True)
    def note_whether_it_reads(
        connection: Connection,
        cursor: DBAPICursor,
        statement: str,
        parameters: Any,
        _context: ExecutionContext | None,
        _executemany: bool,
    ) -> tuple[str, Any]:
        adapter = cast("_PostgreSQLConnection", connection.connection.dbapi_connection)
        reads = only_reads(statement)
        adapter.wrote = adapter.wrote or (not reads and _writes(statement))
        adapter.next_is_alone = may_be_alone and (
            _is_alone(connection) or (reads and not cast("Any", cursor).server_side)
        )
        return statement, parameters

    unconcerned.add(note_whether_it_reads)
    _note_savepoints(engine)

    @event.listens_for(engine.sync_engine, "checkout")
    def refuse_closed(
        connection: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: PoolProxiedConnection
    ) -> None:
        """A connection that the server closed is replaced: asyncpg knows without asking it."""
        driver = entry.driver_connection
        if driver is not None and (driver.is_closed() or driver.is_in_transaction()):
            _require_greenlet()
            raise exc.DisconnectionError("the server closed this connection")

    event.listen(engine.sync_engine, "handle_error", _translate_error)
    return engine


class NoGreenletError(Exception):
    """The pool would have to connect, which takes a greenlet (`AsyncEngine.raw_connection`)."""


def _require_greenlet() -> None:
    if not in_greenlet():
        raise NoGreenletError


class _PostgreSQLConnection(AsyncAdapt_asyncpg_connection):
    """Begins a transaction at the first statement that does more than read, or is not alone."""

    next_is_alone = False
    wrote = False
    wrote_before: Sequence[bool] = ()

    @property
    def has_begun(self) -> bool:
        return bool(cast("Any", self)._started)  # noqa: SLF001 - ours as well

    async def _start_transaction(self) -> None:
        alone, self.next_is_alone = self.next_is_alone, False
        if not alone or self.isolation_level not in {None, "read_committed"}:
            await cast("Any", super())._start_transaction()  # noqa: SLF001 - ours as well

    def commit(self) -> None:
        self.wrote, self.wrote_before = False, ()
        cast("Any", super()).commit()

    def rollback(self) -> None:
        self.wrote, self.wrote_before = False, ()
        cast("Any", super()).rollback()


unconcerned: set[Callable[..., Any]] = set()
"""Listeners to sessions and engines that change nothing about a statement, and send none: those of
this project. With any other one, a statement goes the ordinary way, in a transaction."""


def _note_savepoints(engine: AsyncEngine) -> None:
    """What was written after a savepoint is gone when it is rolled back."""

    def adapter_of(connection: Connection) -> Any:
        return connection.connection.dbapi_connection

    @event.listens_for(engine.sync_engine, "savepoint")
    def begin(connection: Connection, _name: str | None) -> None:
        adapter = adapter_of(connection)
        adapter.wrote_before = [*adapter.wrote_before, adapter.wrote]

    @event.listens_for(engine.sync_engine, "rollback_savepoint")
    def roll_back(connection: Connection, _name: str, _context: None) -> None:
        adapter = adapter_of(connection)
        *adapter.wrote_before, adapter.wrote = adapter.wrote_before

    @event.listens_for(engine.sync_engine, "release_savepoint")
    def release(connection: Connection, _name: str, _context: None) -> None:
        adapter = adapter_of(connection)
        adapter.wrote_before = adapter.wrote_before[:-1]


@lru_cache(4096)
def _writes(statement: str) -> bool:
    return _WRITES.search(statement) is not None


_WRITES = re.compile(
    r"^\s*(INSERT|UPDATE|DELETE|MERGE|REPLACE|COPY|TRUNCATE)\b"
    r"|\b(INSERT\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|MERGE\s+INTO)\b",  # in a WITH
    re.IGNORECASE,
)


def _is_alone(connection: Connection) -> bool:
    """Whether this is all that its session writes, as `backend.db` says."""
    return bool(connection.get_execution_options().get("alone"))


@lru_cache(4096)
def only_reads(statement: str) -> bool:
    """Whether PostgreSQL may run it outside a transaction, and nobody could tell: a SELECT that
    locks nothing, and calls no function but those that are known to have no effect."""
    return (
        _SELECTS.match(statement) is not None
        and _LOCKS.search(statement) is None
        and all(_HARMLESS.fullmatch(name) for name in _CALLS.findall(statement))
    )


_SELECTS = re.compile(r"\s*SELECT\b", re.IGNORECASE)
_LOCKS = re.compile(
    r"\bFOR\s+(NO\s+KEY\s+UPDATE|UPDATE|KEY\s+SHARE|SHARE)\b|\bINTO\b", re.IGNORECASE
)
_CALLS = re.compile(r"([\w.\"]+)\s*\(")
# Words of SQL before a parenthesis, types with a size, and functions that only compute.
_HARMLESS = re.compile(
    r"all|and|any|as|by|distinct|else|exists|filter|from|having|in|join|lateral|not|on|or|over"
    r"|select|then|union|using|values|when|where"
    r"|char|character|decimal|numeric|varchar|timestamp|time"
    r"|abs|avg|bool_and|bool_or|cast|ceil|char_length|coalesce|concat|count|date_part|date_trunc"
    r"|extract|floor|greatest|least|length|lower|max|min|nullif|rank|replace|round|row|row_number"
    r"|string_agg|array_agg|json_agg|jsonb_agg|strpos|substr|substring|sum|trim|upper",
    re.IGNORECASE,
)


# SQLSTATE classes (PostgreSQL manual, appendix A): data exceptions; and a server that is not there,
# does not have the database (as while `backend db reset --to` exchanges it), or has ended this
# transaction for the good of another.
_DATA_EXCEPTION = "22"
_UNAVAILABLE = ("08", "3D", "40", "53", "57")
_SQLITE_UNAVAILABLE = re.compile("locked|full|disk I/O|readonly|unable to open")


def _translate_error(context: ExceptionContext) -> Exception | None:
    return translated(context.original_exception, is_disconnect=context.is_disconnect)


def translated(error: BaseException, *, is_disconnect: bool = False) -> Exception | None:
    """Turns what a client caused into a 4xx, and a database that is away into a 503.

    A value that the database cannot hold (a number out of range, a NUL byte, half a surrogate
    pair) is the client's mistake wherever no schema bounded it.
    """
    cause = error.__cause__ or error
    if isinstance(cause, asyncio.CancelledError):  # nobody waits for it any more
        return None
    state = getattr(cause, "sqlstate", None) or getattr(error, "sqlstate", None) or ""
    if (
        state.startswith(_DATA_EXCEPTION)
        or isinstance(cause, (OverflowError, UnicodeEncodeError))
        or type(cause).__name__ == "DataError"
    ):
        return _value_refused(str(cause).splitlines()[0][:200])
    if (
        state.startswith(_UNAVAILABLE)
        or is_disconnect
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
