"""Email addresses: what makes two of them the same account's."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, EmailStr, Field, TypeAdapter, ValidationError

__all__ = ["EMAIL_MAX_LENGTH", "EmailAddress", "email_key", "normalised"]

EMAIL_MAX_LENGTH = 254  # RFC 5321, erratum 1690


def email_key(email: str) -> str:
    """The form in which addresses are compared: NFC, in lower case (behaviour M1)."""
    # Letter by letter: a whole text is lowered with a rule for sigma at the end of a word.
    lowered = "".join(letter.lower() for letter in unicodedata.normalize("NFC", email.strip()))
    return unicodedata.normalize("NFC", lowered)


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

_adapter: TypeAdapter[str] = TypeAdapter(EmailAddress)


def normalised(text: str) -> str:
    """An address as it was stored at sign-up, and any other text as it is."""
    try:
        return _adapter.validate_python(text)
    except ValidationError:
        return text
