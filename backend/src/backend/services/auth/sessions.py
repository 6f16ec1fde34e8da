import uuid
from datetime import timedelta
from typing import cast

from sqlalchemy import Table, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.clock import utc_now
from backend.core.ids import new_id
from backend.core.quick import QuickInsert, QuickLoad
from backend.services.auth.models import UserSession
from backend.services.auth.tokens import read_access_token, write_access_token
from backend.services.users.models import User
from backend.settings import settings

__all__ = ["SessionService"]

# What every request asks: both rows by their keys, so that whatever ends a session counts at once.
_SIGNED_IN = QuickLoad(
    User,
    select(User)
    .join(UserSession, UserSession.user_id == User.id)
    .where(
        UserSession.id == bindparam("session_id"),
        User.id == bindparam("user_id"),
        User.is_active,
        UserSession.revoked_at.is_(None),
        UserSession.expires_at > bindparam("now"),
    ),
)


_sessions = cast("Table", UserSession.__table__)
_CLIENT_AND_TIMES = ("id", "ip_address", "user_agent", "created_at", "last_used_at", "expires_at")
_BEGIN = QuickInsert(
    insert(_sessions).from_select(
        ["user_id", *_CLIENT_AND_TIMES],
        select(
            User.id,
            *(bindparam(f"new_{name}", type_=_sessions.c[name].type) for name in _CLIENT_AND_TIMES),
        )
        .where(
            User.id == bindparam("user_id"),
            User.hashed_password == bindparam("hashed_password"),
            User.is_active,
        )
        .with_for_update(read=True),
        include_defaults=False,
    ),
    returning=_sessions.c.id,
)


class SessionService:
    """Sign-ins: begun, looked at with every request, and ended."""

    @staticmethod
    async def begin(
        session: AsyncSession,
        user: User,
        *,
        ip_address: str | None = None,
        user_agent: str | None = None,
    ) -> str | None:
        """Begins a sign-in and commits; the access token.

        None if the account was deactivated or got another password since `user` was read: the
        statement asks again and holds the row, so that a change of password that runs at the same
        time either refuses this sign-in or ends it (behaviour P4).
        """
        now = utc_now()
        session_id = new_id()
        expires_at = now + timedelta(minutes=settings.access_token_minutes)
        began = await _BEGIN.commit(
            session,
            user_id=user.id,
            hashed_password=user.hashed_password,
            new_id=session_id,
            new_ip_address=ip_address,
            new_user_agent=user_agent[:300] if user_agent else None,
            new_created_at=now,
            new_last_used_at=now,
            new_expires_at=expires_at,
        )
        return write_access_token(session_id, user.id, expires_at) if began else None

    @staticmethod
    async def user_of(session: AsyncSession, token: str) -> User | None:
        """The active user whose live session the token names, in one query."""
        named = read_access_token(token)
        if named is None:
            return None
        session_id, user_id = named
        return await _SIGNED_IN.one(session, session_id=session_id, user_id=user_id, now=utc_now())

    @staticmethod
    async def end(session: AsyncSession, token: str) -> None:
        """Ends the session that the token names, and commits."""
        named = read_access_token(token)
        if named is not None:
            await session.execute(
                update(UserSession)
                .where(UserSession.id == named[0], UserSession.revoked_at.is_(None))
                .values(revoked_at=utc_now())
            )
            await session.commit()

    @staticmethod
    async def end_all(
        session: AsyncSession, user_id: uuid.UUID, *, except_token: str | None = None
    ) -> None:
        """Joins the caller's transaction. Ends every session, save the one of `except_token`."""
        kept = read_access_token(except_token) if except_token else None
        statement = update(UserSession).where(
            UserSession.user_id == user_id, UserSession.revoked_at.is_(None)
        )
        if kept:
            statement = statement.where(UserSession.id != kept[0])
        await session.execute(statement.values(revoked_at=utc_now()))
