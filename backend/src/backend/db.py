"""The database: `Base` for models, the engine, and a session for each request."""

import asyncio
import importlib
import importlib.util
import pkgutil
import uuid
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from contextvars import ContextVar
from datetime import datetime
from functools import partial
from typing import Annotated, Any, cast

import structlog
from fastapi import Depends
from sqlalchemy import MetaData, Uuid
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase
from starlette.requests import HTTPConnection

from backend import services
from backend.core.columns import UTCDateTime
from backend.core.engines import make_engine
from backend.core.errors import LostWriteError
from backend.core.guarded import GuardedSession
from backend.settings import settings

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

STATEMENT_TIMEOUT_SECONDS = 30.0


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


engine = make_engine(settings.database, statement_seconds=STATEMENT_TIMEOUT_SECONDS)
async_session_maker = async_sessionmaker(
    engine, sync_session_class=GuardedSession, expire_on_commit=False
)


def _guarded(session: AsyncSession) -> GuardedSession | None:
    sync_session = session.sync_session
    return sync_session if isinstance(sync_session, GuardedSession) else None


def _has_changes(session: AsyncSession) -> bool:
    guarded = _guarded(session)
    return guarded is not None and guarded.has_uncommitted_changes


def _has_begun(session: AsyncSession) -> bool:
    guarded = _guarded(session)
    return guarded is None or guarded.has_begun


def _holds_connection(session: AsyncSession) -> bool:
    guarded = _guarded(session)
    return session.in_transaction() if guarded is None else guarded.holds_connection


sessions_of_request: ContextVar[list[AsyncSession] | None] = ContextVar(
    "sessions_of_request", default=None
)


async def release_connections() -> None:
    """Gives back what this request has read with, before its answer is sent: a client that does not
    take the answer must not hold a connection. Changes that nobody committed stay for the guard."""
    for session in sessions_of_request.get() or ():
        if _holds_connection(session) and not _has_changes(session) and not _has_begun(session):
            try:
                await session.commit()
            except Exception as error:  # noqa: BLE001 - it has only read, so nothing is lost
                log.warning("database.release_failed", error=f"{type(error).__name__}: {error}")


async def _session_of_request(connection: HTTPConnection) -> AsyncSession:
    session = async_session_maker()
    if (of_request := sessions_of_request.get()) is not None:
        of_request.append(session)

    async def end(error: type[BaseException] | None, *_: object) -> None:
        await _end(session, failed=error is not None)

    stack: AsyncExitStack = connection.scope["fastapi_inner_astack"]
    stack.push_async_exit(end)
    return session


async def _session_outside_requests() -> AsyncGenerator[AsyncSession]:
    session = async_session_maker()
    try:
        yield session
    except BaseException:
        await _end(session, failed=True)
        raise
    await _end(session, failed=False)


async def _end(session: AsyncSession, *, failed: bool) -> None:
    try:
        if not failed and _has_changes(session):
            message = (
                "The request ended with changes that nobody committed, and they are lost. "
                "End the service's method with `await session.commit()`."
            )
            if settings.is_development:
                raise LostWriteError(message)
            log.error("database.lost_write", message=message)
    finally:
        if _holds_connection(session):
            await asyncio.shield(session.close())
        else:  # there is nothing to wait for
            session.sync_session.close()


class _GetAsyncSession(partial[Any]):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*args, **kwargs) if args or kwargs else _session_outside_requests()


get_async_session = _GetAsyncSession(_session_of_request)
"""The request's session. It never commits: a service does, as its last act on the database.

What was changed and not committed is rolled back when the request ends. That is a lost write
unless the request failed: LostWriteError in development, an error in the log in production.

FastAPI sees a coroutine function, and the session ends with the request: what it does for a
generator takes as long as half of a statement. Called without a request it is the generator that
scripts iterate over.
"""

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
