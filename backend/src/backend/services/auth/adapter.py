"""FastAPI-Users' view of the users table. It flushes and never commits: the manager does."""

import uuid
from typing import Any

from fastapi_users.db import BaseUserDatabase
from sqlalchemy.ext.asyncio import AsyncSession

from backend.services.users.models import User
from backend.services.users.service import UserService

__all__ = ["UserDatabase"]


class UserDatabase(BaseUserDatabase[User, uuid.UUID]):
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(self, id: uuid.UUID) -> User | None:  # noqa: A002 - the base class's name
        return await UserService.get(self.session, id)

    async def get_by_email(self, email: str) -> User | None:
        return await UserService.get_by_email(self.session, email)

    async def create(self, create_dict: dict[str, Any]) -> User:
        user = User(**create_dict)
        self.session.add(user)
        await self.session.flush()
        return user

    async def update(self, user: User, update_dict: dict[str, Any]) -> User:
        for name, value in update_dict.items():
            setattr(user, name, value)
        self.session.add(user)
        await self.session.flush()
        return user

    async def delete(self, user: User) -> None:
        await self.session.delete(user)
        await self.session.flush()
