"""Email addresses: what makes two of them the same account's."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, EmailStr, Field

__all__ = ["EMAIL_MAX_LENGTH", "EmailAddress", "email_key"]

EMAIL_MAX_LENGTH = 254  # RFC 5321, erratum 1690


def email_key(email: str) -> str:
    """The form in which addresses are compared: NFC, in lower case (behaviour M1)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", email.strip()).lower())


def _normalise(value: object) -> object:
    return unicodedata.normalize("NFC", value.strip()) if isinstance(value, str) else value


def _is_mailable(value: str) -> str:
    if len(email_key(value).encode()) > EMAIL_MAX_LENGTH:
        raise ValueError("the address is too long")
    if "=?" in value:
        raise ValueError("the address contains an encoded word (RFC 2047)")
    return value


EmailAddress = Annotated[
    EmailStr,
    Field(max_length=EMAIL_MAX_LENGTH),
    BeforeValidator(_normalise),
    AfterValidator(_is_mailable),
]
"""An address as API input: surrounding space is dropped before it is looked at."""
