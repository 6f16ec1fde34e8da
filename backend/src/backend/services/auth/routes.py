"""FastAPI-Users' routes and answers, on our manager. Where an answer would tell whether an account
exists, it is the same one for all (`docs/security.md`)."""

from types import NoneType
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Response, status
from fastapi.security import OAuth2PasswordRequestForm
from fastapi_users import exceptions
from fastapi_users.router import ErrorCode

from backend.core.access import public
from backend.core.problems import describe
from backend.services.auth.dependencies import UserManagerDep, password_form
from backend.services.auth.schemas import (
    AccessToken,
    EmailRequest,
    ResetPasswordRequest,
    TokenRequest,
)
from backend.services.auth.utils import SessionStrategy, auth_backend, current_token
from backend.services.users.models import User
from backend.services.users.schemas import UserCreate, UserRead

__all__ = ["router"]

router = APIRouter(prefix="/auth", tags=["auth"])

StrategyDep = Annotated[SessionStrategy, Depends(auth_backend.get_strategy)]


# check: allow BK205: each try costs a hash, and the proxy limits; our own limits are not there yet
@router.post(
    "/register",
    status_code=status.HTTP_201_CREATED,
    response_model=UserRead,
    responses=describe({400: ErrorCode.REGISTER_INVALID_PASSWORD}),
)
@public
async def register(request: Request, body: UserCreate, manager: UserManagerDep) -> User:
    """Sign up. The answer is the same for an address that has an account; its owner is told by
    mail."""
    try:
        return await manager.create(body, safe=True, request=request)
    except exceptions.InvalidPasswordException as error:
        raise _invalid_password(ErrorCode.REGISTER_INVALID_PASSWORD, error) from None


# check: allow BK205: each try costs a hash, and the proxy limits; our own limits are not there yet
@router.post(
    "/jwt/login",
    response_model=AccessToken,
    responses=describe({400: ErrorCode.LOGIN_BAD_CREDENTIALS}),
)
@public
async def login(
    request: Request,
    credentials: Annotated[OAuth2PasswordRequestForm, Depends(password_form)],
    manager: UserManagerDep,
    strategy: StrategyDep,
) -> Response:
    """Sign in with an address as `username`. One answer for every reason to refuse it."""
    refused = HTTPException(status.HTTP_400_BAD_REQUEST, ErrorCode.LOGIN_BAD_CREDENTIALS)
    user = await manager.authenticate(credentials)
    if user is None:
        raise refused
    try:
        response = await auth_backend.login(strategy, user)
    except exceptions.UserInactive:
        raise refused from None
    await manager.on_after_login(user, request, response)
    return response


@router.post("/jwt/logout", status_code=status.HTTP_204_NO_CONTENT, response_class=Response)
async def logout(
    user_and_token: Annotated[tuple[User, str], Depends(current_token)], strategy: StrategyDep
) -> None:
    """End this session: its token is refused from the next request on."""
    user, token = user_and_token
    await strategy.destroy_token(token, user)


# check: allow BK205: only the proxy limits this today; our own limits are not there yet
@router.post("/forgot-password", status_code=status.HTTP_202_ACCEPTED, response_model=NoneType)
@public
async def forgot_password(request: Request, body: EmailRequest, manager: UserManagerDep) -> None:
    """Ask for a mail with a reset link. The answer is the same where nobody has the address."""
    await manager.forgot_password_for(body.email, request)


# check: allow BK205: a token of 256 bits cannot be guessed; the proxy limits how often it is tried
@router.post(
    "/reset-password",
    response_model=NoneType,
    responses=describe(
        {400: (ErrorCode.RESET_PASSWORD_BAD_TOKEN, ErrorCode.RESET_PASSWORD_INVALID_PASSWORD)}
    ),
)
@public
async def reset_password(
    request: Request, body: ResetPasswordRequest, manager: UserManagerDep
) -> None:
    """Set a password with a mailed token. Every session of the account ends."""
    try:
        await manager.reset_password(body.token, body.password, request)
    except (exceptions.InvalidResetPasswordToken, exceptions.UserInactive):
        raise HTTPException(
            status.HTTP_400_BAD_REQUEST, ErrorCode.RESET_PASSWORD_BAD_TOKEN
        ) from None
    except exceptions.InvalidPasswordException as error:
        raise _invalid_password(ErrorCode.RESET_PASSWORD_INVALID_PASSWORD, error) from None


# check: allow BK205: only the proxy limits this today; our own limits are not there yet
@router.post("/request-verify-token", status_code=status.HTTP_202_ACCEPTED, response_model=NoneType)
@public
async def request_verify_token(
    request: Request, body: EmailRequest, manager: UserManagerDep
) -> None:
    """Ask for another mail that confirms an address. The same answer where there is nothing to."""
    await manager.request_verify_for(body.email, request)


# check: allow BK205: a token of 256 bits cannot be guessed; the proxy limits how often it is tried
@router.post(
    "/verify",
    response_model=UserRead,
    responses=describe({400: ErrorCode.VERIFY_USER_BAD_TOKEN}),
)
@public
async def verify(request: Request, body: TokenRequest, manager: UserManagerDep) -> User:
    """Confirm an address, a new one as well, with a mailed token."""
    try:
        return await manager.verify(body.token, request)
    except exceptions.InvalidVerifyToken:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, ErrorCode.VERIFY_USER_BAD_TOKEN) from None


def _invalid_password(code: ErrorCode, error: exceptions.InvalidPasswordException) -> HTTPException:
    return HTTPException(status.HTTP_400_BAD_REQUEST, {"code": code.value, "reason": error.reason})
