import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response, status
from fastapi_users import exceptions
from fastapi_users.router import ErrorCode

from backend.core.pagination import Cursor, InvalidCursorError, Limit, Page, Slice
from backend.core.problems import describe
from backend.db import SessionDep
from backend.services.auth.dependencies import UserManagerDep
from backend.services.auth.utils import CurrentSuperuser, CurrentUser
from backend.services.users.addresses import EMAIL_MAX_LENGTH
from backend.services.users.models import User
from backend.services.users.schemas import AdminUserUpdate, UserRead, UserSort, UserUpdate
from backend.services.users.service import UserService

__all__ = ["router"]

router = APIRouter(prefix="/users", tags=["users"])

_UPDATE_REFUSED = {400: ErrorCode.UPDATE_USER_INVALID_PASSWORD}


@router.get("", response_model=Page[UserRead], responses=describe({422: InvalidCursorError.code}))
async def list_users(
    session: SessionDep,
    _superuser: CurrentSuperuser,
    q: Annotated[
        str | None,
        Query(
            max_length=EMAIL_MAX_LENGTH,
            pattern=r"^[^\u0000]*$",  # PostgreSQL has no such text
            description="The beginning of an address.",
        ),
    ] = None,
    is_active: bool | None = None,
    is_superuser: bool | None = None,
    is_verified: bool | None = None,
    sort: UserSort | None = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Slice[User]:
    """All accounts, page by page; superusers only. Newest first, or by address with `q`."""
    return await UserService.find(
        session,
        search=q,
        is_active=is_active,
        is_superuser=is_superuser,
        is_verified=is_verified,
        sort=sort,
        limit=limit,
        cursor=cursor,
    )


@router.get("/me", response_model=UserRead)
async def get_me(user: CurrentUser) -> User:
    """Your own account."""
    return user


@router.patch("/me", response_model=UserRead, responses=describe(_UPDATE_REFUSED))
async def update_me(
    request: Request, body: UserUpdate, user: CurrentUser, manager: UserManagerDep
) -> User:
    """Change your own account. A new address gets a mail, and takes effect when its link is used;
    a new password ends the other sessions."""
    return await _update(manager, body, user, request, safe=True)


async def _user_or_404(
    id: uuid.UUID,  # noqa: A002 - the name in FastAPI-Users' path
    manager: UserManagerDep,
    _superuser: CurrentSuperuser,
) -> User:
    try:
        return await manager.get(id)
    except exceptions.UserNotExists:
        raise HTTPException(status.HTTP_404_NOT_FOUND) from None


UserOr404 = Annotated[User, Depends(_user_or_404)]


@router.get("/{id:uuid}", response_model=UserRead)
async def get_user(user: UserOr404) -> User:
    """Any account; superusers only."""
    return user


@router.patch(
    "/{id:uuid}",
    response_model=UserRead,
    responses=describe(
        {
            400: (
                ErrorCode.UPDATE_USER_EMAIL_ALREADY_EXISTS,
                ErrorCode.UPDATE_USER_INVALID_PASSWORD,
            )
        }
    ),
)
async def update_user(
    request: Request, body: AdminUserUpdate, user: UserOr404, manager: UserManagerDep
) -> User:
    """Change any account, at once; superusers only. Deactivating it ends its sessions."""
    return await _update(manager, body, user, request, safe=False)


@router.delete("/{id:uuid}", status_code=status.HTTP_204_NO_CONTENT, response_class=Response)
async def delete_user(request: Request, user: UserOr404, manager: UserManagerDep) -> None:
    """Delete any account with what belongs to it; superusers only."""
    await manager.delete(user, request)


async def _update(
    manager: UserManagerDep, body: UserUpdate, user: User, request: Request, *, safe: bool
) -> User:
    try:
        return await manager.update(body, user, safe=safe, request=request)
    except exceptions.InvalidPasswordException as error:
        raise HTTPException(
            status.HTTP_400_BAD_REQUEST,
            {"code": ErrorCode.UPDATE_USER_INVALID_PASSWORD.value, "reason": error.reason},
        ) from None
    except exceptions.UserAlreadyExists:
        raise HTTPException(
            status.HTTP_400_BAD_REQUEST, ErrorCode.UPDATE_USER_EMAIL_ALREADY_EXISTS
        ) from None
    except (exceptions.UserInactive, exceptions.UserNotExists):  # since the request began
        gone = status.HTTP_401_UNAUTHORIZED if safe else status.HTTP_404_NOT_FOUND
        raise HTTPException(gone) from None
