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
from fastapi_users import FastAPIUsers, exceptions
from fastapi_users.authentication import (
    AuthenticationBackend,
    Authenticator,
    BearerTransport,
    Strategy,
)
from fastapi_users.manager import BaseUserManager

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

    def __init__(self, session: SessionDep, request: Request) -> None:
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


@dataclass(frozen=True)
class Requirements:
    """What a dependency made by `current_user` asks for; it carries them as `requirements`."""

    optional: bool
    verified: bool
    superuser: bool


class StrictAuthenticator(Authenticator[User, uuid.UUID]):
    """Stock, save that a token that was given and is not good is a 401 with `optional` too, that
    inactive users are refused by default, and that a 401 says how to authenticate (S9, S10)."""

    async def _authenticate(
        self,
        *args: Any,
        user_manager: BaseUserManager[User, uuid.UUID],
        optional: bool = False,
        active: bool = False,
        verified: bool = False,
        superuser: bool = False,
        **kwargs: Any,
    ) -> tuple[User | None, str | None]:
        user, token = await super()._authenticate(
            *args, user_manager=user_manager, optional=True, active=True, **kwargs
        )
        if user is None:
            if optional and token is None:
                return None, None
            error = ', error="invalid_token"' if token is not None else ""
            raise HTTPException(
                status.HTTP_401_UNAUTHORIZED,
                headers={"WWW-Authenticate": f'Bearer realm="api"{error}'},
            )
        if (verified and not user.is_verified) or (superuser and not user.is_superuser):
            if optional:
                return None, token
            raise HTTPException(status.HTTP_403_FORBIDDEN)
        return user, token

    def current_user(
        self,
        optional: bool = False,
        active: bool = False,
        verified: bool = False,
        superuser: bool = False,
        get_enabled_backends: Any = None,
    ) -> Any:
        dependency = super().current_user(
            optional, active, verified, superuser, get_enabled_backends
        )
        dependency.requirements = Requirements(optional, verified, superuser)
        return dependency

    def current_user_token(
        self,
        optional: bool = False,
        active: bool = False,
        verified: bool = False,
        superuser: bool = False,
        get_enabled_backends: Any = None,
    ) -> Any:
        dependency = super().current_user_token(
            optional, active, verified, superuser, get_enabled_backends
        )
        dependency.requirements = Requirements(optional, verified, superuser)
        return dependency


class _FastAPIUsers(FastAPIUsers[User, uuid.UUID]):
    def __init__(self) -> None:
        super().__init__(get_user_manager, [auth_backend])
        self.authenticator = StrictAuthenticator([auth_backend], get_user_manager)
        self.current_user = self.authenticator.current_user


auth_backend = AuthenticationBackend[User, uuid.UUID](
    name="jwt",
    transport=BearerTransport(tokenUrl="/api/auth/jwt/login"),
    get_strategy=SessionStrategy,
)
fastapi_users = _FastAPIUsers()

current_token = fastapi_users.authenticator.current_user_token(active=True)
CurrentUser = Annotated[User, Depends(fastapi_users.current_user(active=True))]
OptionalUser = Annotated[User | None, Depends(fastapi_users.current_user(optional=True))]
VerifiedUser = Annotated[User, Depends(fastapi_users.current_user(verified=True))]
CurrentSuperuser = Annotated[User, Depends(fastapi_users.current_user(superuser=True))]
