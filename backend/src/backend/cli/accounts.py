"""What `backend user` does, through the same manager as the API: one transaction each."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi_users.exceptions import InvalidPasswordException, UserAlreadyExists
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from backend import db
from backend.cli.errors import CommandError
from backend.cli.preflight import refuse_unsafe_settings, require_current_schema
from backend.cli.runtime import with_session
from backend.core import crypto
from backend.core.errors import InvalidInputError
from backend.core.schema import schema_state
from backend.services.auth.manager import UserManager
from backend.services.users.models import User
from backend.services.users.schemas import AdminUserUpdate, UserCreate, UserRead, UserSort
from backend.services.users.service import UserService

__all__ = ["NewUser", "create", "find", "set_superuser", "standing"]


class NewUser(UserCreate):
    is_superuser: bool
    is_verified: bool


class _InvitingManager(UserManager):
    """Mails a link to choose the password, in the transaction that makes the account."""

    async def on_after_register(self, user: User, request: Request | None = None) -> None:
        await self.forgot_password(user, request)


def create(email: str, password: str | None, **values: Any) -> dict[str, object]:
    """Without a password, its owner is mailed a link to choose one: nobody else ever knows it."""
    refuse_unsafe_settings()
    is_invited = password is None
    try:
        new = NewUser(
            email=email, password=crypto.new_token() if password is None else password, **values
        )
    except ValidationError as error:
        raise CommandError(_refusal(error)) from error

    async def work(session: AsyncSession) -> User:
        require_current_schema(await schema_state(db.engine))
        manager = _InvitingManager(session) if is_invited else UserManager(session)
        return await manager.create(new)

    try:
        return _shown(with_session(work))
    except UserAlreadyExists:
        raise CommandError(
            f"{email} has an account already. `backend user promote {email}` makes it a superuser."
        ) from None
    except InvalidPasswordException as error:
        raise CommandError(str(error.reason)) from None


def _refusal(error: ValidationError) -> str:
    first = error.errors()[0]
    is_pattern = first["type"] == "string_pattern_mismatch"
    reason = "it has control characters" if is_pattern else first["msg"]
    return f"The {first['loc'][0]} cannot be used: {reason.rstrip('.')}."


def set_superuser(email: str, is_superuser: bool) -> dict[str, object]:
    refuse_unsafe_settings()

    async def work(session: AsyncSession) -> User:
        require_current_schema(await schema_state(db.engine))
        user = await UserService.get_by_email(session, email)
        if user is None:
            raise CommandError(
                f"Nobody has the address {email}. `backend user create {email} --superuser` makes "
                "an account, and `backend user list` shows those that exist."
            )
        return await UserManager(session).update(AdminUserUpdate(is_superuser=is_superuser), user)

    return _shown(with_session(work))


def find(
    *, search: str | None, limit: int, cursor: str | None
) -> tuple[list[dict[str, object]], str | None]:
    refuse_unsafe_settings()

    async def work(session: AsyncSession) -> tuple[Sequence[User], str | None]:
        require_current_schema(await schema_state(db.engine))
        return await UserService.find(
            session, search=search, sort=UserSort.EMAIL, limit=limit, cursor=cursor
        )

    try:
        users, next_cursor = with_session(work)
    except InvalidInputError as error:
        raise CommandError(f"{error.detail} Leave --cursor out to begin anew.") from None
    return [_shown(user) for user in users], next_cursor


def standing(user: dict[str, object]) -> list[str]:
    words = {"is_superuser": "superuser", "is_verified": "verified"}
    return ([] if user["is_active"] else ["inactive"]) + [
        word for field, word in words.items() if user[field]
    ]


def _shown(user: User) -> dict[str, object]:
    return UserRead.model_validate(user).model_dump(mode="json")
