"""The pages that mailed links lead to, where there is no frontend of its own.

A GET changes nothing, since mail scanners follow links; the form's POST does (behaviour T4).
"""

import re
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi_users import exceptions
from pydantic import TypeAdapter, ValidationError

from backend.core.access import public
from backend.core.pages import FormDep, PageError, Pages
from backend.services.auth.dependencies import UserManagerDep
from backend.services.auth.models import TokenPurpose
from backend.services.auth.schemas import TOKEN_MAX_LENGTH
from backend.services.auth.tokens import OneTimeTokenService
from backend.services.users.addresses import EMAIL_MAX_LENGTH, EmailAddress
from backend.services.users.schemas import PASSWORD_MAX_LENGTH, PASSWORD_MIN_LENGTH
from backend.settings import settings

__all__ = ["router"]

router = APIRouter(prefix="/account", include_in_schema=False)
pages = Pages(Path(__file__).parent / "templates" / "pages")

_TOKEN = re.compile(rf"[A-Za-z0-9_-]{{1,{TOKEN_MAX_LENGTH}}}")
_ADDRESS: TypeAdapter[str] = TypeAdapter(EmailAddress)


@dataclass(frozen=True)
class LinkRequest:
    """The form with which somebody has another link sent."""

    action: str
    heading: str
    text: str
    what: str


VERIFICATION = LinkRequest(
    "resend-verification",
    "Confirm your address",
    "We send you a link that confirms it.",
    "an account to confirm",
)
RESET = LinkRequest(
    "forgot-password",
    "Forgot your password?",
    "We send you a link with which you choose a new one.",
    "an account",
)
_USED_UP = "A link works once and for a limited time, and a newer one takes the place of an older."


# check: allow BK402: `_checked` answers text that is too long with a page
@router.get("/verify-email")
@public
async def show_verify_email(token: str = "") -> Response:
    return pages.response("verify_email.html", token=_checked(token, VERIFICATION))


# check: allow BK205: a token of 256 bits cannot be guessed; the proxy limits how often it is tried
@router.post("/verify-email")
@public
async def verify_email(request: Request, form: FormDep, manager: UserManagerDep) -> Response:
    token = _checked(form.get("token", ""), VERIFICATION)
    try:
        user = await manager.verify(token, request)
    except exceptions.InvalidVerifyToken:
        raise _dead_link(
            VERIFICATION,
            f"{_USED_UP} If you have confirmed your address already, just sign in. "
            "If not, have a new link sent.",
        ) from None
    return pages.response("verified.html", email=user.email, frontend_url=settings.frontend_url)


# check: allow BK402: `_checked` answers text that is too long with a page
@router.get("/reset-password")
@public
async def show_reset_password(manager: UserManagerDep, token: str = "") -> Response:
    """Looks at the token, so that nobody thinks up a password for a link that is dead."""
    token = _checked(token, RESET)
    return _reset_form(token, await _owner_address(manager, token))


# check: allow BK205: a token of 256 bits cannot be guessed; the proxy limits how often it is tried
@router.post("/reset-password")
@public
async def reset_password(request: Request, form: FormDep, manager: UserManagerDep) -> Response:
    token = _checked(form.get("token", ""), RESET)
    try:
        user = await manager.reset_password(token, form.get("password", ""), request)
    except exceptions.InvalidPasswordException as error:
        email = await _owner_address(manager, token)
        raise PageError(_reset_form(token, email, error=str(error.reason))) from None
    except (exceptions.InvalidResetPasswordToken, exceptions.UserInactive):
        raise _dead_reset_link() from None
    return pages.response(
        "password_changed.html", email=user.email, frontend_url=settings.frontend_url
    )


@router.get("/resend-verification")
@public
async def show_resend_verification() -> Response:
    return _link_form(VERIFICATION)


# check: allow BK205: only the proxy limits this today; our own limits are not there yet
@router.post("/resend-verification")
@public
async def resend_verification(request: Request, form: FormDep, manager: UserManagerDep) -> Response:
    email = _address(form, VERIFICATION)
    await manager.request_verify_for(email, request)
    return pages.response("link_sent.html", email=email, what=VERIFICATION.what)


@router.get("/forgot-password")
@public
async def show_forgot_password() -> Response:
    return _link_form(RESET)


# check: allow BK205: only the proxy limits this today; our own limits are not there yet
@router.post("/forgot-password")
@public
async def forgot_password(request: Request, form: FormDep, manager: UserManagerDep) -> Response:
    email = _address(form, RESET)
    await manager.forgot_password_for(email, request)
    return pages.response("link_sent.html", email=email, what=RESET.what)


def _checked(token: str, another: LinkRequest) -> str:
    """The token, if it could be one of ours."""
    if _TOKEN.fullmatch(token):
        return token
    raise _dead_link(
        another,
        "The end of the link is missing. Copy the whole of it from the mail, "
        "or have a new one sent.",
        heading="This link is not complete",
    )


async def _owner_address(manager: UserManagerDep, token: str) -> str:
    user = await OneTimeTokenService.owner(manager.session, token, TokenPurpose.RESET_PASSWORD)
    if user is None or not user.is_active:
        raise _dead_reset_link()
    return user.email


def _address(form: dict[str, str], request: LinkRequest) -> str:
    given = form.get("email", "")
    try:
        return _ADDRESS.validate_python(given)
    except ValidationError:
        raise PageError(
            _link_form(
                request,
                email=given[:EMAIL_MAX_LENGTH],
                error="Please enter an address such as name@example.com.",
                status=400,
            )
        ) from None


def _reset_form(token: str, email: str, *, error: str | None = None) -> Response:
    return pages.response(
        "reset_password.html",
        status=400 if error else 200,
        token=token,
        email=email,
        error=error,
        min_length=PASSWORD_MIN_LENGTH,
        max_length=PASSWORD_MAX_LENGTH,
    )


def _link_form(
    request: LinkRequest,
    *,
    heading: str | None = None,
    text: str | None = None,
    email: str = "",
    error: str | None = None,
    status: int = 200,
) -> Response:
    return pages.response(
        "request_link.html",
        status=status,
        action=request.action,
        heading=heading or request.heading,
        text=text or request.text,
        email=email,
        error=error,
    )


def _dead_link(
    request: LinkRequest, text: str, *, heading: str = "This link no longer works"
) -> PageError:
    return PageError(_link_form(request, heading=heading, text=text, status=400))


def _dead_reset_link() -> PageError:
    return _dead_link(
        RESET,
        f"{_USED_UP} If you have chosen a password with this one already, sign in with that. "
        "If not, have a new link sent.",
    )
