"""Types for what comes in, whose values both databases hold and give back as they were."""

import json
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    EmailStr,
    Field,
    HttpUrl,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

__all__ = [
    "BIGINT_MAX",
    "BIGINT_MIN",
    "EMAIL_MAX_LENGTH",
    "INT_MAX",
    "INT_MIN",
    "URL_MAX_LENGTH",
    "BigInt",
    "Email",
    "Instant",
    "Int",
    "JsonObject",
    "WebUrl",
    "places",
]

INT_MIN, INT_MAX = -(2**31), 2**31 - 1
BIGINT_MIN, BIGINT_MAX = -(2**63), 2**63 - 1
EMAIL_MAX_LENGTH = 254  # RFC 5321, erratum 1690
URL_MAX_LENGTH = 2000
JSON_MAX_BYTES = 65_536

Int = Annotated[int, Field(ge=INT_MIN, le=INT_MAX)]
"""What an `Integer` column holds."""

BigInt = Annotated[int, Field(ge=BIGINT_MIN, le=BIGINT_MAX)]
"""What a `BigInteger` column holds."""

_http_url: TypeAdapter[HttpUrl] = TypeAdapter(HttpUrl)


def _normalised_url(value: str) -> str:
    try:
        url = str(_http_url.validate_python(value))
    except ValidationError:
        raise ValueError("an address that begins with http:// or https:// is expected") from None
    if len(url) > URL_MAX_LENGTH:
        raise ValueError(f"the address has more than {URL_MAX_LENGTH} characters")
    return url


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the year is not between 1 and 9999 in UTC") from None


def _storable(value: dict[str, Any]) -> dict[str, Any]:
    """NaN and half a surrogate pair are no JSON, though Python's parser takes them."""
    try:
        size = len(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())
    except (ValueError, RecursionError):
        raise ValueError("this is not JSON that can be stored") from None
    if size > JSON_MAX_BYTES:
        raise ValueError(f"the object has more than {JSON_MAX_BYTES} bytes")
    return value


# International addresses are accepted, so `email`, which is ASCII, would not be true (RFC 6531).
Email = Annotated[
    EmailStr,
    Field(max_length=EMAIL_MAX_LENGTH),
    WithJsonSchema({"type": "string", "format": "idn-email", "maxLength": EMAIL_MAX_LENGTH}),
]

WebUrl = Annotated[
    str,
    Field(min_length=1, max_length=URL_MAX_LENGTH, json_schema_extra={"format": "uri"}),
    AfterValidator(_normalised_url),
]
"""An http or https address, in its normal form: `https://example.com` becomes
`https://example.com/`."""

Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""An aware datetime; it becomes one in UTC."""

JsonObject = Annotated[dict[str, Any], AfterValidator(_storable)]
"""Any JSON object of at most 64 KiB."""


def places(scale: int) -> AfterValidator:
    """Gives a Decimal exactly so many places, as a `FixedDecimal` column does: 1.5 becomes 1.50.

    There is no -0, which the databases do not keep.
    """
    return AfterValidator(lambda value: _with_places(value, scale))


def _with_places(value: Decimal, scale: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP) + 0
