import uuid
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from fastapi_users import schemas
from pydantic import BaseModel, ConfigDict, Field, StrictBool, WithJsonSchema, model_validator
from pydantic.json_schema import SkipJsonSchema

from backend.services.users.addresses import EMAIL_MAX_LENGTH, EmailAddress
from backend.services.users.models import NAME_MAX_LENGTH

__all__ = ["AdminUserUpdate", "Email", "UserCreate", "UserRead", "UserSort", "UserUpdate"]

PASSWORD_MIN_LENGTH = 8
PASSWORD_MAX_LENGTH = 128


# International addresses are accepted, so `email`, which is ASCII, would not be true (RFC 6531).
_EMAIL_SCHEMA = WithJsonSchema(
    {
        "type": "string",
        "format": "idn-email",
        "maxLength": EMAIL_MAX_LENGTH,
        "examples": ["jane@example.com"],
    }
)
Email = Annotated[EmailAddress, _EMAIL_SCHEMA]

# The bounds are told to clients here and kept by the password policy, whose answer is a 400 with
# FastAPI-Users' code and a reason for a person to read.
Password = Annotated[
    str,
    Field(
        json_schema_extra={
            "format": "password",
            "minLength": PASSWORD_MIN_LENGTH,
            "maxLength": PASSWORD_MAX_LENGTH,
        },
        description="8 to 128 characters, compared exactly as sent. Common passwords and the "
        "account's own address or name are refused.",
    ),
]
# Control characters, line separators, and what turns the direction of the text around it.
_UNPRINTABLE = r"\u0000-\u001F\u007F-\u009F\u2028-\u202E\u2066-\u2069"
Name = Annotated[
    str,
    Field(min_length=1, max_length=NAME_MAX_LENGTH, pattern=f"^[^{_UNPRINTABLE}]*$"),
]


class UserRead(BaseModel):
    """An account. `is_verified`: its address was confirmed."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    email: Annotated[str, _EMAIL_SCHEMA]
    name: str | None
    is_active: bool
    is_superuser: bool
    is_verified: bool
    created_at: datetime


class UserCreate(schemas.CreateUpdateDictModel):
    """A sign-up. `is_active` and the like, which stock clients send along, have no effect."""

    email: Email
    password: Password
    name: Name | None = None


class _NothingIsNull(schemas.CreateUpdateDictModel):
    """Fields may be left out; a null is not a value for them. `name` alone can be emptied."""

    @model_validator(mode="after")
    def _no_nulls(self) -> Self:
        for name in self.model_fields_set - {"name"}:
            if getattr(self, name) is None:
                raise ValueError(f"{name} must not be null; leave it out to keep it")
        return self


class UserUpdate(_NothingIsNull):
    """What people may change of their own account. A new address takes effect when confirmed."""

    email: Email | SkipJsonSchema[None] = None
    password: Password | SkipJsonSchema[None] = None
    name: Name | None = None


class AdminUserUpdate(UserUpdate):
    """What a superuser may change of any account; a new address takes effect at once."""

    is_active: StrictBool | SkipJsonSchema[None] = None
    is_superuser: StrictBool | SkipJsonSchema[None] = None
    is_verified: StrictBool | SkipJsonSchema[None] = None


class UserSort(StrEnum):
    """`-` in front is descending."""

    CREATED_AT = "created_at"
    CREATED_AT_DESC = "-created_at"
    EMAIL = "email"
    EMAIL_DESC = "-email"
