from typing import Annotated

from fastapi import Depends

from backend.db import SessionDep
from backend.services.auth.manager import UserManager

__all__ = ["UserManagerDep", "get_user_manager"]


async def get_user_manager(session: SessionDep) -> UserManager:
    return UserManager(session)


UserManagerDep = Annotated[UserManager, Depends(get_user_manager)]
