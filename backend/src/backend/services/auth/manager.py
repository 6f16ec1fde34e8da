"""What happens to accounts: FastAPI-Users' manager, with its hooks, on tables of our own.

Each public method is one transaction and commits last; the hooks (`on_after_register` and so on)
run inside it, so that what they write is kept or lost together with the rest.
"""

import uuid
from datetime import timedelta
from typing import Any

from fastapi import Request
from fastapi.security import OAuth2PasswordRequestForm
from fastapi.security.utils import get_authorization_scheme_param
from fastapi_users import BaseUserManager, UUIDIDMixin, exceptions
from fastapi_users import schemas as stock
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core import crypto
from backend.core.clock import utc_now
from backend.core.ids import new_id
from backend.db import release_connection
from backend.services.auth.adapter import UserDatabase
from backend.services.auth.mails import (
    AccountExists,
    ConfirmNewEmail,
    ResetPassword,
    VerifyEmail,
    reset_link,
    verification_link,
)
from backend.services.auth.models import TokenPurpose
from backend.services.auth.passwords import hash_password, verify_password, weakness_of
from backend.services.auth.sessions import SessionService
from backend.services.auth.tokens import OneTimeTokenService
from backend.services.email.service import EmailService
from backend.services.users.addresses import EMAIL_MAX_LENGTH, email_key, normalised
from backend.services.users.models import User
from backend.services.users.schemas import PASSWORD_MAX_LENGTH, UserCreate
from backend.services.users.service import UserService
from backend.settings import settings

__all__ = ["UserManager"]

VERIFICATION_LIFETIME = timedelta(hours=settings.verification_token_hours)
RESET_LIFETIME = timedelta(minutes=settings.reset_token_minutes)
RESEND_AFTER = timedelta(minutes=5)
"""A refused sign-in sends another confirmation link no sooner than this after the last."""


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        super().__init__(UserDatabase(session), _NoPasswordHelper())

    async def validate_password(
        self, password: str, user: UserCreate | User | stock.BaseUserCreate
    ) -> None:
        """Raises InvalidPasswordException, whose reason is for the person who chose it."""
        reason = weakness_of(password, email=user.email, name=getattr(user, "name", None))
        if reason:
            raise exceptions.InvalidPasswordException(reason)

    # Signing up

    async def create(
        self,
        user_create: Any,
        safe: bool = False,
        request: Request | None = None,
    ) -> User:
        """Makes an account and mails a link that confirms its address.

        With `safe`, which is the public sign-up, a taken address gets the same answer: a user that
        was not stored, and a mail to the owner (behaviour E2). Otherwise it raises
        UserAlreadyExists. Raises InvalidPasswordException.
        """
        await self.validate_password(user_create.password, user_create)
        # Made once, before anything else: when they were made must not tell the two cases apart.
        made = {"id": new_id(), "created_at": utc_now()}
        hashed = await hash_password(user_create.password)
        values = (
            user_create.create_update_dict() if safe else user_create.create_update_dict_superuser()
        )
        values = made | values
        values.pop("password")
        user = await UserService.add(self.session, hashed_password=hashed, **values)
        if user is None:
            if not safe:
                raise exceptions.UserAlreadyExists
            await self._tell_owner(user_create.email)
            await self.session.commit()
            return User(**values, is_active=True, is_superuser=False, is_verified=False)
        if not user.is_verified:
            await self._mail_verification(user)
        await self.on_after_register(user, request)
        await self.session.commit()
        return user

    async def _tell_owner(self, email: str) -> None:
        """Joins the transaction. The way on for whoever owns the address: a reset link."""
        owner = await UserService.get_by_email(self.session, email)
        if owner is None:  # deleted or moved since
            return
        token = await OneTimeTokenService.issue(
            self.session, owner.id, TokenPurpose.RESET_PASSWORD, owner.email, RESET_LIFETIME
        )
        await EmailService.enqueue(
            self.session,
            AccountExists(
                name=owner.name, link=reset_link(token), minutes=settings.reset_token_minutes
            ),
            owner.email,
            name=owner.name,
            skip_reason=None if owner.is_active else "the account is inactive",
        )

    # Signing in

    async def authenticate(self, credentials: OAuth2PasswordRequestForm) -> User | None:
        """The user who may sign in with this; None for every reason not to (behaviour E1).

        A hash with weaker parameters than ours is replaced (behaviour P6).
        """
        email, password = credentials.username, credentials.password
        if len(password) > PASSWORD_MAX_LENGTH:
            return None
        user = None
        if len(email) <= EMAIL_MAX_LENGTH and "\0" not in email:
            user = await UserService.get_by_email(self.session, normalised(email))
            await release_connection(self.session)
        valid, stronger = await verify_password(password, user.hashed_password if user else None)
        if user is None or not valid or not user.is_active:
            return None
        if not user.is_verified and settings.sign_in_requires_verification:
            await self._remind(user)
            return None
        if stronger and not await self._replace_hash(user, stronger):
            return await self._look_again(user.id, password)
        return user

    async def _replace_hash(self, user: User, hashed: str) -> bool:
        """False if the hash was changed while this one was looked at; commits."""
        replaced = await self.session.scalar(
            update(User)
            .where(User.id == user.id, User.hashed_password == user.hashed_password)
            .values(hashed_password=hashed)
            .returning(User.id)
        )
        await self.session.commit()
        return replaced is not None

    async def _look_again(self, user_id: uuid.UUID, password: str) -> User | None:
        """Another sign-in replaced the hash first, or another password was set."""
        user = await self.session.get(User, user_id, populate_existing=True)
        await release_connection(self.session)
        valid, _ = await verify_password(password, user.hashed_password if user else None)
        return user if valid else None

    async def _remind(self, user: User) -> None:
        """Who has the password and not confirmed the address gets the link again; commits."""
        latest = await OneTimeTokenService.issued_at(
            self.session, user.id, TokenPurpose.VERIFY_EMAIL
        )
        if latest is None or latest < utc_now() - RESEND_AFTER:
            await self._mail_verification(user)
            await self.session.commit()

    # Confirming an address

    async def request_verify_for(self, email: str, request: Request | None = None) -> None:
        """`request_verify` for whoever has this address, with the same work where nobody has."""
        try:
            await self.request_verify(await self.get_by_email(email), request)
        except (exceptions.UserNotExists, IntegrityError):  # or deleted just now
            await self.session.rollback()
            await self._mail_nobody(self._verification(None, ""), email, "no account")
        except exceptions.UserInactive:
            await self._mail_nobody(self._verification(None, ""), email, "the account is inactive")
        except exceptions.UserAlreadyVerified:
            await self._mail_nobody(self._verification(None, ""), email, "verified already")

    async def request_verify(self, user: User, request: Request | None = None) -> None:
        """Mails a link that confirms the address. Raises UserInactive, UserAlreadyVerified."""
        if not user.is_active:
            raise exceptions.UserInactive
        if user.is_verified:
            raise exceptions.UserAlreadyVerified
        token = await self._mail_verification(user)
        await self.on_after_request_verify(user, token, request)
        await self.session.commit()

    async def _mail_verification(self, user: User) -> str:
        """Joins the transaction. The token that was mailed."""
        token = await OneTimeTokenService.issue(
            self.session, user.id, TokenPurpose.VERIFY_EMAIL, user.email, VERIFICATION_LIFETIME
        )
        await EmailService.enqueue(
            self.session, self._verification(user.name, token), user.email, name=user.name
        )
        return token

    @staticmethod
    def _verification(name: str | None, token: str) -> VerifyEmail:
        return VerifyEmail(
            name=name, link=verification_link(token), hours=settings.verification_token_hours
        )

    async def verify(self, token: str, request: Request | None = None) -> User:
        """Confirms the address that the token was mailed to, or moves the account to it.

        Raises InvalidVerifyToken.
        """
        purposes = (TokenPurpose.VERIFY_EMAIL, TokenPurpose.CHANGE_EMAIL)
        owner = await OneTimeTokenService.owner(self.session, token, *purposes)
        user = await UserService.lock(self.session, owner.id) if owner else None
        if user is None or not user.is_active:
            raise exceptions.InvalidVerifyToken
        used = await OneTimeTokenService.consume(self.session, token, *purposes)
        if used is None:
            raise exceptions.InvalidVerifyToken
        if used.purpose == TokenPurpose.CHANGE_EMAIL:
            user.email = used.email
        elif email_key(used.email) != user.email_key:
            raise exceptions.InvalidVerifyToken
        user.is_verified = True
        try:
            await self.session.flush()
        except IntegrityError:  # somebody else took the address meanwhile
            await self.session.rollback()
            raise exceptions.InvalidVerifyToken from None
        await OneTimeTokenService.void_all(self.session, user.id)
        await self.on_after_verify(user, request)
        await self.session.commit()
        return user

    # Resetting a password

    async def forgot_password_for(self, email: str, request: Request | None = None) -> None:
        """`forgot_password` for whoever has this address, with the same work where nobody has."""
        try:
            await self.forgot_password(await self.get_by_email(email), request)
        except (exceptions.UserNotExists, IntegrityError):  # or deleted just now
            await self.session.rollback()
            await self._mail_nobody(self._reset(None, ""), email, "no account")
        except exceptions.UserInactive:
            await self._mail_nobody(self._reset(None, ""), email, "the account is inactive")

    async def forgot_password(self, user: User, request: Request | None = None) -> None:
        """Mails a reset link. Raises UserInactive."""
        if not user.is_active:
            raise exceptions.UserInactive
        token = await OneTimeTokenService.issue(
            self.session, user.id, TokenPurpose.RESET_PASSWORD, user.email, RESET_LIFETIME
        )
        await EmailService.enqueue(
            self.session, self._reset(user.name, token), user.email, name=user.name
        )
        await self.on_after_forgot_password(user, token, request)
        await self.session.commit()

    @staticmethod
    def _reset(name: str | None, token: str) -> ResetPassword:
        return ResetPassword(
            name=name, link=reset_link(token), minutes=settings.reset_token_minutes
        )

    async def _mail_nobody(self, mail: VerifyEmail | ResetPassword, to: str, reason: str) -> None:
        """Commits a mail that is never sent: the same work as a real one takes (behaviour E3),
        and an answer for support to "I never got it"."""
        await EmailService.enqueue(self.session, mail, to, skip_reason=reason)
        await self.session.commit()

    async def reset_password(
        self, token: str, password: str, request: Request | None = None
    ) -> User:
        """Sets the password, and ends every session and every other token of the account.

        Having had the mail also proves the address. A refused password leaves the token as it is.
        Raises InvalidResetPasswordToken, UserInactive, InvalidPasswordException.
        """
        user = await OneTimeTokenService.owner(self.session, token, TokenPurpose.RESET_PASSWORD)
        if user is None:
            raise exceptions.InvalidResetPasswordToken
        if not user.is_active:
            raise exceptions.UserInactive
        await self.validate_password(password, user)
        await release_connection(self.session)
        hashed = await hash_password(password)
        locked = await UserService.lock(self.session, user.id)
        used = await OneTimeTokenService.consume(self.session, token, TokenPurpose.RESET_PASSWORD)
        if used is None or locked is None or email_key(used.email) != locked.email_key:
            raise exceptions.InvalidResetPasswordToken
        user = locked
        if not user.is_active:
            raise exceptions.UserInactive
        user.hashed_password = hashed
        user.is_verified = True
        await self._end_everything(user)
        await self.on_after_reset_password(user, request)
        await self.session.commit()
        return user

    async def _end_everything(self, user: User, *, except_token: str | None = None) -> None:
        """Joins the transaction (behaviour P4). The user's row is written first, and so locked."""
        await self.session.flush()
        await OneTimeTokenService.void_all(self.session, user.id)
        await SessionService.end_all(self.session, user.id, except_token=except_token)

    # Changing and deleting an account

    async def update(
        self,
        user_update: Any,
        user: User,
        safe: bool = False,
        request: Request | None = None,
    ) -> User:
        """Changes an account. With `safe` it is its owner who does it: a new address is mailed a
        link and takes effect when that is used, and the session at hand outlives a new password.

        Raises InvalidPasswordException, UserNotExists, UserAlreadyExists (never with `safe`), and
        UserInactive where the owner's session has ended meanwhile.
        """
        values = (
            user_update.create_update_dict() if safe else user_update.create_update_dict_superuser()
        )
        given = dict(values)
        password = values.pop("password", None)
        email = values.pop("email", user.email)
        hashed = None
        if password is not None:
            await self.validate_password(password, user)
            await self.validate_password(
                password, User(email=email, name=values.get("name", user.name))
            )
            await release_connection(self.session)
            hashed = await hash_password(password)
        token = _token_of(request) if safe else None
        user = await self._hold(user.id, token)
        for name, value in values.items():
            setattr(user, name, value)
        if hashed is not None:
            user.hashed_password = hashed
        # Before a new token is made, which it would void.
        if hashed is not None or not user.is_active:
            await self._end_everything(user, except_token=token)
        if safe and email_key(email) != user.email_key:
            await self._mail_change(user, email)
        elif email != user.email:
            await self._move(user, email, verified=values.get("is_verified", safe))
        await self.on_after_update(user, given, request)
        await self.session.commit()
        return user

    async def _hold(self, user_id: uuid.UUID, token: str | None) -> User:
        """Joins the transaction: the account as it is now, which nobody else changes meanwhile.

        Raises UserNotExists, and UserInactive where `token` is given and its session has ended
        while a hash was made: a reset that ran meanwhile must not be undone by who it was against.
        """
        user = await UserService.lock(self.session, user_id)
        if user is None:
            raise exceptions.UserNotExists
        if token is not None and await SessionService.user_of(self.session, token) is None:
            raise exceptions.UserInactive
        return user

    async def _mail_change(self, user: User, email: str) -> None:
        """Joins the transaction. Nobody learns here whether the address is taken."""
        taken = await UserService.get_by_email(self.session, email) is not None
        await OneTimeTokenService.void_all(self.session, user.id)
        token = await OneTimeTokenService.issue(
            self.session, user.id, TokenPurpose.CHANGE_EMAIL, email, VERIFICATION_LIFETIME
        )
        await EmailService.enqueue(
            self.session,
            ConfirmNewEmail(
                name=user.name,
                link=verification_link(token),
                hours=settings.verification_token_hours,
            ),
            email,
            name=user.name,
            skip_reason="the address has an account of its own" if taken else None,
        )

    async def _move(self, user: User, email: str, *, verified: bool) -> None:
        """Joins the transaction. Raises UserAlreadyExists."""
        same_address = email_key(email) == user.email_key
        user.email = email
        user.is_verified = user.is_verified if same_address else verified
        try:
            await self.session.flush()
        except IntegrityError:
            await self.session.rollback()
            raise exceptions.UserAlreadyExists from None
        if same_address:
            return
        await OneTimeTokenService.void_all(self.session, user.id)
        if user.is_active and not user.is_verified:
            await self._mail_verification(user)

    async def delete(self, user: User, request: Request | None = None) -> None:
        """Deletes the account with its sessions and tokens."""
        await self.on_before_delete(user, request)
        await self.user_db.delete(user)
        await self.on_after_delete(user, request)
        await self.session.commit()


class _NoPasswordHelper:
    """FastAPI-Users hashes on the event loop; `passwords` does it elsewhere."""

    def hash(self, password: str) -> str:
        raise NotImplementedError("use backend.services.auth.passwords.hash_password")

    def verify_and_update(
        self, plain_password: str, hashed_password: str
    ) -> tuple[bool, str | None]:
        raise NotImplementedError("use backend.services.auth.passwords.verify_password")

    def generate(self) -> str:
        return crypto.new_token()


def _token_of(request: Request | None) -> str | None:
    if request is None:
        return None
    scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    return token if scheme.lower() == "bearer" else None
