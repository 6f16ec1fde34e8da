"""For what watches the server: is the process alive, and can it do its work."""

import asyncio
from typing import Literal

import structlog
from fastapi import APIRouter
from pydantic import BaseModel, Field

from backend import db
from backend.core.access import public
from backend.core.errors import UnavailableError
from backend.core.problems import describe
from backend.core.schema import schema_state

__all__ = ["router"]

log = structlog.get_logger("backend.health")

READY_TIMEOUT_SECONDS = 2.0

router = APIRouter(prefix="/health", tags=["health"])


class NotReadyError(UnavailableError):
    code = "not_ready"


class Live(BaseModel):
    status: Literal["live"] = "live"


class Ready(BaseModel):
    status: Literal["ready"] = "ready"
    database: Literal["ok"] = "ok"
    migrations: Literal["current", "newer"] = Field(
        "current", description="`newer`: a newer version of this server has migrated meanwhile."
    )


@router.get("/live", name="live")
@public
async def get_live() -> Live:
    """The process answers. Restart it when it does not."""
    return Live()


@router.get("/ready", name="ready", responses=describe({503: NotReadyError.code}))
@public
async def get_ready() -> Ready:
    """The database answers within two seconds, and no migration of this version is pending. Send
    no requests here while that is not so. During a roll-out the older servers stay ready."""
    try:
        async with asyncio.timeout(READY_TIMEOUT_SECONDS):
            found = await schema_state(db.engine)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is not ready
        log.warning("health.database", error=f"{type(error).__name__}: {error}"[:200])
        raise NotReadyError("The database does not answer.") from None
    if found.state == "behind":
        raise NotReadyError("The database's schema is behind; run `backend db migrate`.")
    return Ready(migrations="current" if found.state == "current" else "newer")
