"""Who is asking. Services import `fastapi_users` from here: this name is fixed.

user: User = Depends(fastapi_users.current_user())                # 401 without a session
user: User | None = Depends(fastapi_users.current_user(optional=True))
user: User = Depends(fastapi_users.current_user(verified=True))   # 403 unless verified
user: User = Depends(fastapi_users.current_user(superuser=True))  # 403 unless superuser
"""

import uuid
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request, status
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param
from fastapi_users import FastAPIUsers, exceptions
from fastapi_users.authentication import (
    AuthenticationBackend,
    Authenticator,
    BearerTransport,
    Strategy,
)
from fastapi_users.manager import BaseUserManager
from sqlalchemy.ext.asyncio import AsyncSession

from backend.db import SessionDep
from backend.services.auth.dependencies import get_user_manager
from backend.services.auth.sessions import SessionService
from backend.services.users.models import User

__all__ = [
    "CurrentSuperuser",
    "CurrentUser",
    "OptionalUser",
    "Requirements",
    "VerifiedUser",
    "auth_backend",
    "current_token",
    "fastapi_users",
]


class SessionStrategy(Strategy[User, uuid.UUID]):
    """A token names a row of `user_sessions`, which is looked at with every request."""

    def __init__(self, session: AsyncSession, request: Request) -> None:
        self.session = session
        self.request = request

    async def read_token(
        self, token: str | None, user_manager: BaseUserManager[User, uuid.UUID]
    ) -> User | None:
        return await SessionService.user_of(self.session, token) if token else None

    async def write_token(self, user: User) -> str:
        """Raises UserInactive if the account changed since its password was looked at."""
        client = self.request.client
        token = await SessionService.begin(
            self.session,
            user,
            ip_address=client.host if client else None,
            user_agent=self.request.headers.get("User-Agent"),
        )
        if token is None:
            raise exceptions.UserInactive
        return token

    async def destroy_token(self, token: str, user: User) -> None:
        await SessionService.end(self.session, token)


async def get_strategy(session: SessionDep, request: Request) -> SessionStrategy:
    """A function, since FastAPI calls a class in a thread."""
    return SessionStrategy(session, request)


@dataclass(frozen=True)
class Requirements:
    """What a dependency made by `current_user` asks for; it carries them as `requirements`."""

    optional: bool
    verified: bool
    superuser: bool


class SignedIn(SecurityBase):
    """A dependency made by `current_user`: the user, or with `with_token` the user and the token.

    One function where FastAPI-Users has a chain of four, since every request pays for each link; it
    is its own security scheme in OpenAPI. A token that was given and is not good is a 401 with
    `optional` too, inactive users are refused, and a 401 says how to authenticate (S9, S10).
    """

    def __init__(self, requirements: Requirements, *, with_token: bool = False) -> None:
        self.requirements = requirements
        self.with_token = with_token
        scheme = transport.scheme
        self.model = scheme.model
        self.scheme_name = scheme.scheme_name

    async def __call__(self, request: Request, session: SessionDep) -> Any:
        scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
        given = scheme.lower() == "bearer"
        user = await SessionService.user_of(session, token) if given else None
        allowed = self._allowed(user, given=given)
        return (allowed, token if given else None) if self.with_token else allowed

    def _allowed(self, user: User | None, *, given: bool) -> User | None:
        needs = self.requirements
        if user is None:
            if needs.optional and not given:
                return None
            error = ', error="invalid_token"' if given else ""
            raise HTTPException(
                status.HTTP_401_UNAUTHORIZED,
                headers={"WWW-Authenticate": f'Bearer realm="api"{error}'},
            )
        if (needs.verified and not user.is_verified) or (needs.superuser and not user.is_superuser):
            if needs.optional:
                return None
            raise HTTPException(status.HTTP_403_FORBIDDEN)
        return user


class QuickAuthenticator(Authenticator[User, uuid.UUID]):
    """FastAPI-Users' way of asking, with dependencies of ours."""

    def current_user(
        self,
        optional: bool = False,
        active: bool = False,
        verified: bool = False,
        superuser: bool = False,
        get_enabled_backends: Any = None,
    ) -> Any:
        if get_enabled_backends is not None:
            raise NotImplementedError("there is one backend, which is always enabled")
        return SignedIn(Requirements(optional, verified, superuser))

    def current_user_token(
        self,
        optional: bool = False,
        active: bool = False,
        verified: bool = False,
        superuser: bool = False,
        get_enabled_backends: Any = None,
    ) -> Any:
        if get_enabled_backends is not None:
            raise NotImplementedError("there is one backend, which is always enabled")
        return SignedIn(Requirements(optional, verified, superuser), with_token=True)


class _FastAPIUsers(FastAPIUsers[User, uuid.UUID]):
    def __init__(self) -> None:
        super().__init__(get_user_manager, [auth_backend])
        self.authenticator = QuickAuthenticator([auth_backend], get_user_manager)
        self.current_user = self.authenticator.current_user


transport = BearerTransport(tokenUrl="/api/auth/jwt/login")
auth_backend = AuthenticationBackend[User, uuid.UUID](
    name="jwt",
    transport=transport,
    get_strategy=get_strategy,
)
fastapi_users = _FastAPIUsers()

current_token = fastapi_users.authenticator.current_user_token(active=True)
CurrentUser = Annotated[User, Depends(fastapi_users.current_user(active=True))]
OptionalUser = Annotated[User | None, Depends(fastapi_users.current_user(optional=True))]
VerifiedUser = Annotated[User, Depends(fastapi_users.current_user(verified=True))]
CurrentSuperuser = Annotated[User, Depends(fastapi_users.current_user(superuser=True))]
