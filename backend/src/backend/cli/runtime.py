"""The database from a command: an event loop, a session, and no connection left behind."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from backend import db
from backend.core.logging import configure_logging
from backend.settings import settings

__all__ = ["run", "with_session"]

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs it in a loop of its own. Logs no less than errors, since a command says what happens."""
    configure_logging(settings.model_copy(update={"log_level": "ERROR"}))
    return asyncio.run(_and_disconnect(work))


async def _and_disconnect(work: Awaitable[T]) -> T:
    try:
        return await work
    finally:
        await db.engine.dispose()


def with_session(work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """Runs it with a session. What it does not commit is rolled back."""

    async def begin() -> T:
        async with db.async_session_maker() as session:
            return await work(session)

    return run(begin())
