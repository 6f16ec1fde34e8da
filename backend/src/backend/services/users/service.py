import uuid
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.pagination import Slice, paginate
from backend.core.quick import QuickLoad
from backend.db import insert
from backend.services.users.addresses import email_key
from backend.services.users.models import User
from backend.services.users.schemas import UserSort

__all__ = ["UserService"]

_LAST = "\U0010ffff"
_BY_EMAIL = QuickLoad(User, select(User).where(User.email_key == bindparam("email_key")))


class UserService:
    """Accounts as rows. Passwords, tokens and mail about them are `services.auth`'s."""

    @staticmethod
    async def get(session: AsyncSession, user_id: uuid.UUID) -> User | None:
        return await session.get(User, user_id)

    @staticmethod
    async def get_by_email(session: AsyncSession, email: str) -> User | None:
        """The account of an address, in whatever case it is written."""
        return await _BY_EMAIL.one(session, email_key=email_key(email))

    @staticmethod
    async def add(session: AsyncSession, *, email: str, **values: Any) -> User | None:
        """Joins the caller's transaction. None if the address has an account already.

        One statement, so that of parallel sign-ups with one address exactly one gets the row.
        """
        statement = (
            insert(session, User)
            .values(email=email, email_key=email_key(email), **values)
            .on_conflict_do_nothing(index_elements=[User.email_key])
            .returning(User)
        )
        return await session.scalar(statement)

    @staticmethod
    async def lock(session: AsyncSession, user_id: uuid.UUID) -> User | None:
        """Joins the caller's transaction: the account as it is now, changed by nobody else until
        it ends. Whoever changes an account together with its sessions or tokens locks it first.

        An UPDATE that changes nothing: the one lock that both databases have.
        """
        return await session.scalar(
            update(User)
            .where(User.id == user_id)
            .values(updated_at=User.updated_at)
            .returning(User)
            .execution_options(populate_existing=True, synchronize_session=False)
        )

    @staticmethod
    async def find(
        session: AsyncSession,
        *,
        search: str | None = None,
        is_active: bool | None = None,
        is_superuser: bool | None = None,
        is_verified: bool | None = None,
        sort: UserSort | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Slice[User]:
        """A page of accounts, newest first unless sorted. `search` is the beginning of an address,
        and then they are in the order of their addresses: any other one has to sort all it finds.
        """
        statement = select(User)
        if search:
            start = email_key(search)
            statement = statement.where(User.email_key >= start, User.email_key < start + _LAST)
        for column, wanted in (
            (User.is_active, is_active),
            (User.is_superuser, is_superuser),
            (User.is_verified, is_verified),
        ):
            if wanted is not None:
                statement = statement.where(column.is_(wanted))
        sort = sort or (UserSort.EMAIL if search else UserSort.CREATED_AT_DESC)
        by_email = sort in {UserSort.EMAIL, UserSort.EMAIL_DESC}
        return await paginate(
            session,
            statement,
            order_by=[User.email_key] if by_email else [User.created_at, User.id],
            descending=sort.value.startswith("-"),
            limit=limit,
            cursor=cursor,
        )
