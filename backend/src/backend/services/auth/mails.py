"""The mails about accounts: the fields are what their templates may use."""

from dataclasses import dataclass
from typing import ClassVar

from backend.services.email.rendering import Mail
from backend.settings import settings

__all__ = ["AccountExists", "ConfirmNewEmail", "ResetPassword", "VerifyEmail"]


@dataclass(frozen=True, kw_only=True)
class VerifyEmail(Mail):
    """Asks whoever signed up to confirm the address."""

    template: ClassVar[str] = "auth/verify_email"
    name: str | None
    link: str
    hours: int


@dataclass(frozen=True, kw_only=True)
class ConfirmNewEmail(Mail):
    """Goes to the address that an account is to move to."""

    template: ClassVar[str] = "auth/confirm_new_email"
    name: str | None
    link: str
    hours: int


@dataclass(frozen=True, kw_only=True)
class ResetPassword(Mail):
    template: ClassVar[str] = "auth/reset_password"
    name: str | None
    link: str
    minutes: int


@dataclass(frozen=True, kw_only=True)
class AccountExists(Mail):
    """Goes to the owner of an address with which somebody signed up again (behaviour E2)."""

    template: ClassVar[str] = "auth/account_exists"
    name: str | None
    link: str
    minutes: int


def verification_link(token: str) -> str:
    return f"{settings.account_pages_url}/verify-email?token={token}"


def reset_link(token: str) -> str:
    return f"{settings.account_pages_url}/reset-password?token={token}"
