"""`backend db seed`: accounts to sign in with, and rows to look at."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi_users.exceptions import UserAlreadyExists
from sqlalchemy.ext.asyncio import AsyncSession

from backend.cli.accounts import NewUser, standing
from backend.cli.factories import SeededService
from backend.cli.preflight import require_development
from backend.cli.runtime import with_session
from backend.services.auth.manager import UserManager
from backend.services.auth.passwords import verify_password
from backend.services.users.schemas import UserRead
from backend.services.users.service import UserService
from backend.settings import generated_secret, settings

__all__ = [
    "SeededAccount",
    "describe_accounts",
    "describe_service",
    "password",
    "refuse_in_production",
    "seed_accounts",
]

PEOPLE = (
    ("admin@example.com", "Admin", True),
    ("jane@example.com", "Jane Doe", False),
    ("john@example.com", "John Doe", False),
)
PASSWORD_BYTES = 12


@dataclass(frozen=True)
class SeededAccount:
    """`was_missing`: it was made now. `has_password`: it is that of the seeded accounts, still."""

    id: uuid.UUID
    email: str
    standing: list[str]
    was_missing: bool
    has_password: bool


def refuse_in_production() -> None:
    require_development(
        "backend db seed", "`backend user create` makes the accounts that production needs."
    )


def password() -> str:
    """Of all accounts that are seeded. Made once, and kept beside the development secret."""
    return generated_secret(settings.data_dir / "seed_password", PASSWORD_BYTES)


def seed_accounts() -> list[SeededAccount]:
    """An administrator and two users; who has an account already keeps it as it is."""
    refuse_in_production()

    async def work(session: AsyncSession) -> list[SeededAccount]:
        return [await _seed_account(session, *person) for person in PEOPLE]

    return with_session(work)


async def _seed_account(
    session: AsyncSession, email: str, name: str, is_superuser: bool
) -> SeededAccount:
    user = await UserService.get_by_email(session, email)
    was_missing = user is None
    if user is None:
        new = NewUser(
            email=email,
            name=name,
            password=password(),
            is_superuser=is_superuser,
            is_verified=True,
        )
        try:
            user = await UserManager(session).create(new)
        except UserAlreadyExists:  # by another command, just now
            return await _seed_account(session, email, name, is_superuser)
    has_password, _ = await verify_password(password(), user.hashed_password)
    shown = UserRead.model_validate(user).model_dump(mode="json")
    return SeededAccount(user.id, user.email, standing(shown), was_missing, has_password)


def describe_service(seeded: SeededService) -> str:
    if seeded.was_empty:
        return f"Seeded {seeded.service}: {seeded.rows} rows"
    return f"Left {seeded.service} as it is: it has {seeded.rows} rows already"


def describe_accounts(accounts: Sequence[SeededAccount]) -> list[str]:
    width = max(len(account.email) for account in accounts)
    return [
        f"{account.email:<{width}}  {_password_of(account)}"
        f"{'  (superuser)' if 'superuser' in account.standing else ''}"
        for account in accounts
    ]


def _password_of(account: SeededAccount) -> str:
    return password() if account.has_password else "has a password of its own"
