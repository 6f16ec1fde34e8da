from functools import wraps
from typing import Annotated

from fastapi import Depends
from fastapi.security import OAuth2PasswordRequestForm

from backend.db import SessionDep
from backend.services.auth.manager import UserManager

__all__ = ["UserManagerDep", "get_user_manager", "password_form"]


async def get_user_manager(session: SessionDep) -> UserManager:
    return UserManager(session)


UserManagerDep = Annotated[UserManager, Depends(get_user_manager)]


@wraps(OAuth2PasswordRequestForm)
async def password_form(**fields: str) -> OAuth2PasswordRequestForm:
    """A function, since FastAPI calls a class in a thread."""
    return OAuth2PasswordRequestForm(**fields)
