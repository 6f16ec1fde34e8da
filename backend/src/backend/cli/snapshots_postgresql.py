"""Snapshots of a PostgreSQL database: databases beside it, made with it as the template."""

import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from backend import db
from backend.cli.errors import CommandError
from backend.cli.runtime import run
from backend.cli.snapshots import Snapshot
from backend.core.clock import utc_now
from backend.settings import settings

__all__ = ["find", "removal", "restore", "save"]

IN_USE, FORBIDDEN = "55006", "42501"  # SQLSTATE
NAME_MAX_LENGTH = 63  # PostgreSQL cuts longer ones
ATTEMPTS = 3  # each waits five seconds for others to leave

# A comment of ours says what a database is: its name alone could be anybody's.
_FIND = text("""
    SELECT datname, shobj_description(oid, 'pg_database') AS comment, pg_database_size(oid) AS size
    FROM pg_database
    WHERE shobj_description(oid, 'pg_database') LIKE '{"snapshot_of": %'
      AND has_database_privilege(oid, 'CONNECT')
""")
_EXISTS = text("SELECT count(*) FROM pg_database WHERE datname = :name")
# Whatever a server process of PostgreSQL itself does there has no user, and gives way by itself.
_DISCONNECT = text("""
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = :name AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
""")


def save(name: str, revision: str | None) -> None:
    run(_save(name, revision))


def find() -> list[Snapshot]:
    return run(_find())


def restore(name: str) -> None:
    run(_restore(_place(name)))


def removal(snapshot: Snapshot) -> str:
    return f"dropdb '{snapshot.place}'"


def _source() -> str:
    return settings.database.database or settings.database.username or ""


def _place(name: str) -> str:
    place = f"{_source()}_snapshot_{name}"
    if len(place.encode()) > NAME_MAX_LENGTH:
        raise CommandError(
            f"{place} is too long for the name of a database. Choose a shorter name for the "
            "snapshot."
        )
    return place


async def _find() -> list[Snapshot]:
    async with _connection(_source()) as server:
        rows = (await server.execute(_FIND)).all()
    found = [(row, json.loads(row.comment)) for row in rows]
    return [
        Snapshot(
            name=about["name"],
            made_at=datetime.fromisoformat(about["made_at"]),
            revision=about["revision"],
            size=row.size,
            place=row.datname,
        )
        for row, about in found
        if about["snapshot_of"] == _source()
    ]


async def _save(name: str, revision: str | None) -> None:
    place = _place(name)
    is_replaced = any(snapshot.place == place for snapshot in await _find())
    about = {
        "snapshot_of": _source(),
        "name": name,
        "revision": revision,
        "made_at": utc_now().isoformat(timespec="seconds"),
    }
    # Connected to the very database that is copied: nobody but this command may be.
    async with _connection(_source()) as server:
        if not is_replaced and await server.scalar(_EXISTS, {"name": place}):
            raise CommandError(
                f"There is a database {place} already, which is no snapshot. "
                "Choose another name for the snapshot."
            )
        draft = await _copy(server, _source())
        try:
            await _execute(server, "COMMENT ON DATABASE %I IS %L", draft, json.dumps(about))
            if is_replaced:
                await _execute(server, "DROP DATABASE %I WITH (FORCE)", place)
            await _execute(server, "ALTER DATABASE %I RENAME TO %I", draft, place)
        except BaseException:
            await _execute(server, "DROP DATABASE IF EXISTS %I WITH (FORCE)", draft)
            raise


async def _restore(snapshot: str) -> None:
    """The database is there under its name all the time: two names change in one transaction."""
    async with _connection(snapshot) as server:
        draft, previous = await _copy(server, snapshot), _unused_name()

        async def exchange() -> None:
            await server.exec_driver_sql("BEGIN")
            try:
                await _execute(server, "ALTER DATABASE %I RENAME TO %I", _source(), previous)
                await _execute(server, "ALTER DATABASE %I RENAME TO %I", draft, _source())
            except BaseException:
                await server.exec_driver_sql("ROLLBACK")
                raise
            await server.exec_driver_sql("COMMIT")

        try:
            await _alone(server, _source(), exchange)
        except BaseException:
            await _execute(server, "DROP DATABASE %I WITH (FORCE)", draft)
            raise
        await _execute(server, "DROP DATABASE %I WITH (FORCE)", previous)


async def _copy(server: AsyncConnection, database: str) -> str:
    """The name of the copy."""
    draft = _unused_name()
    await _alone(
        server,
        database,
        lambda: _execute(server, "CREATE DATABASE %I TEMPLATE %I", draft, database),
    )
    return draft


def _unused_name() -> str:
    return f"backend_draft_{secrets.token_hex(8)}"


async def _alone(
    server: AsyncConnection, database: str, work: Callable[[], Awaitable[None]]
) -> None:
    """Ends the connections of others, for which PostgreSQL waits; who was in the middle of
    connecting needs another time."""
    for attempt in range(1, ATTEMPTS + 1):
        await _disconnect_others(server, database)
        try:
            await work()
        except DBAPIError as error:
            if _state(error) != IN_USE or attempt == ATTEMPTS:
                raise
        else:
            return


async def _disconnect_others(server: AsyncConnection, database: str) -> None:
    try:
        await server.execute(_DISCONNECT, {"name": database})
    except DBAPIError as error:
        if _state(error) != FORBIDDEN:
            raise
        raise CommandError(
            f"Another user is connected to {database}, which this one may not end "
            f"({_reason(error)}). Close that connection, and try again."
        ) from error


async def _execute(server: AsyncConnection, statement: str, *names: str) -> None:
    """Names cannot be parameters of such statements; PostgreSQL itself quotes them."""
    arguments = ", ".join(f"CAST(:name{number} AS text)" for number in range(len(names)))
    values = {f"name{number}": name for number, name in enumerate(names)}
    quoted = await server.scalar(
        text(f"SELECT format(:statement, {arguments})"), {"statement": statement, **values}
    )
    await server.exec_driver_sql(str(quoted))


@asynccontextmanager
async def _connection(database: str) -> AsyncIterator[AsyncConnection]:
    """Each statement commits by itself. What PostgreSQL refuses is a CommandError."""
    engine = db.make_engine(settings.database.set(database=database))
    try:
        async with engine.connect() as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")
    except DBAPIError as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        raise CommandError(sentence) from error
    finally:
        await engine.dispose()


def _state(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", ""))


def _reason(error: DBAPIError) -> str:
    return str(error.orig).splitlines()[0].rpartition(">: ")[2]


def _sentence(error: DBAPIError) -> str | None:
    reason = _reason(error)
    if _state(error) == IN_USE:
        return (
            f"Somebody connects to {_source()} again and again ({reason}). "
            "Stop that program, and try again."
        )
    if _state(error) == FORBIDDEN:
        user = settings.database.username
        return (
            f"PostgreSQL refuses ({reason}). A snapshot is a database: its user must be allowed to "
            f"make one and must own the original. As a superuser: `ALTER ROLE {user} CREATEDB`, "
            f"`ALTER DATABASE {_source()} OWNER TO {user}`."
        )
    return None
