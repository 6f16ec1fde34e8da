from typing import Annotated, Literal

from pydantic import BaseModel, Field

from backend.services.users.schemas import Email, Password

__all__ = ["AccessToken", "EmailRequest", "ResetPasswordRequest", "TokenRequest"]

TOKEN_MAX_LENGTH = 128
Token = Annotated[str, Field(max_length=TOKEN_MAX_LENGTH, description="The token of the link.")]


class AccessToken(BaseModel):
    """RFC 6749, 5.1."""

    access_token: str
    token_type: Literal["bearer"]


class EmailRequest(BaseModel):
    email: Email


class TokenRequest(BaseModel):
    token: Token


class ResetPasswordRequest(BaseModel):
    token: Token
    password: Password
