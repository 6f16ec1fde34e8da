"""The two kinds of tokens: signed ones that name a session, and mailed ones that work once."""

import uuid
from datetime import datetime, timedelta
from functools import cache, lru_cache

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core import crypto
from backend.core.clock import utc_now
from backend.core.ids import new_id
from backend.db import insert
from backend.services.auth.models import OneTimeToken, TokenPurpose
from backend.services.users.models import User
from backend.settings import settings

__all__ = ["OneTimeTokenService", "read_access_token", "write_access_token"]

ALGORITHM = "HS256"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - RFC 9068
AUDIENCE = "backend:api"
MAX_TOKEN_LENGTH = 2048


@cache
def _signing_key() -> OctKey:
    return OctKey.import_key(crypto.derive_key("access-token"))


def write_access_token(session_id: uuid.UUID, user_id: uuid.UUID, expires_at: datetime) -> str:
    """A JWT in the profile of RFC 9068 that names the session in `sid`."""
    now = utc_now()
    claims = {
        "iss": settings.public_url,
        "aud": AUDIENCE,
        "sub": str(user_id),
        "sid": str(session_id),
        "iat": int(now.timestamp()),
        "exp": int(expires_at.timestamp()),
        "jti": str(new_id()),
    }
    header = {"alg": ALGORITHM, "typ": TOKEN_TYPE}
    return jwt.encode(header, claims, _signing_key(), algorithms=[ALGORITHM])


def read_access_token(token: str) -> tuple[uuid.UUID, uuid.UUID] | None:
    """The session's id and the user's; None for anything but a valid token of ours."""
    try:
        session_id, user_id, expires_at = _signed(token)
    except (JoseError, KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return (session_id, user_id) if expires_at > utc_now().timestamp() else None


@lru_cache(1024)
def _signed(token: str) -> tuple[uuid.UUID, uuid.UUID, int]:
    """What a token says that is ours, which is the same each time: only time makes it void, or the
    session's row. What is not ours raises, and is not kept."""
    if len(token) > MAX_TOKEN_LENGTH or not token.isascii():
        raise ValueError
    decoded = jwt.decode(token, _signing_key(), algorithms=[ALGORITHM])
    claims = decoded.claims
    if (
        decoded.header.get("typ") != TOKEN_TYPE
        or claims["iss"] != settings.public_url
        or claims["aud"] != AUDIENCE
        or not isinstance(claims["exp"], int)
    ):
        raise ValueError
    return uuid.UUID(claims["sid"]), uuid.UUID(claims["sub"]), claims["exp"]


class OneTimeTokenService:
    """Tokens that were mailed. Each method joins the caller's transaction."""

    @staticmethod
    async def issue(
        session: AsyncSession,
        user_id: uuid.UUID,
        purpose: TokenPurpose,
        email: str,
        lifetime: timedelta,
    ) -> str:
        """Joins the caller's transaction. A new token for this address; the older one is void."""
        token = crypto.new_token()
        now = utc_now()
        fresh = {
            "email": email,
            "token_hash": crypto.hash_token(token),
            "created_at": now,
            "expires_at": now + lifetime,
        }
        await session.execute(
            insert(session, OneTimeToken)
            .values(user_id=user_id, purpose=purpose, **fresh)
            .on_conflict_do_update(
                index_elements=[OneTimeToken.user_id, OneTimeToken.purpose], set_=fresh
            )
        )
        return token

    @staticmethod
    async def issued_at(
        session: AsyncSession, user_id: uuid.UUID, purpose: TokenPurpose
    ) -> datetime | None:
        """When the outstanding token of this purpose was made."""
        return await session.scalar(
            select(OneTimeToken.created_at).where(
                OneTimeToken.user_id == user_id, OneTimeToken.purpose == purpose
            )
        )

    @staticmethod
    async def owner(session: AsyncSession, token: str, *purposes: TokenPurpose) -> User | None:
        """Whose token this is, without using it up."""
        return await session.scalar(
            select(User)
            .join(OneTimeToken, OneTimeToken.user_id == User.id)
            .where(
                OneTimeToken.token_hash == crypto.hash_token(token),
                OneTimeToken.purpose.in_(purposes),
                OneTimeToken.expires_at > utc_now(),
            )
        )

    @staticmethod
    async def consume(
        session: AsyncSession, token: str, *purposes: TokenPurpose
    ) -> OneTimeToken | None:
        """Joins the caller's transaction. The row that was used up; None where there is none.

        One DELETE: of parallel uses exactly one gets the row.
        """
        return await session.scalar(
            delete(OneTimeToken)
            .where(
                OneTimeToken.token_hash == crypto.hash_token(token),
                OneTimeToken.purpose.in_(purposes),
                OneTimeToken.expires_at > utc_now(),
            )
            .returning(OneTimeToken)
            .execution_options(synchronize_session=False)
        )

    @staticmethod
    async def void_all(session: AsyncSession, user_id: uuid.UUID) -> None:
        """Joins the caller's transaction. No token mailed to this user works any more."""
        await session.execute(
            delete(OneTimeToken)
            .where(OneTimeToken.user_id == user_id)
            .execution_options(synchronize_session=False)
        )
