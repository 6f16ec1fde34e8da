"""Types of what comes in: bounded, and stored as they are answered."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from backend.core.fields import (
    BigInt,
    Email,
    Instant,
    Int,
    JsonObject,
    WebUrl,
    places,
)

Price = Annotated[Decimal, Field(max_digits=5, decimal_places=2), places(2)]


@pytest.mark.parametrize(
    ("type_", "given", "value"),
    [
        (Int, 2**31 - 1, 2**31 - 1),
        (BigInt, -(2**63), -(2**63)),
        (Email, "Jane@Example.com", "Jane@example.com"),
        (WebUrl, "https://example.com", "https://example.com/"),
        (WebUrl, "http://EXAMPLE.com/a?b=c#d", "http://example.com/a?b=c#d"),
        (Instant, "2030-01-01T01:00:00+01:00", datetime(2030, 1, 1, tzinfo=UTC)),
        (JsonObject, {"a": [1, None, {"b": "é"}]}, {"a": [1, None, {"b": "é"}]}),
        (Price, "1.5", Decimal("1.50")),
        (Price, "-0", Decimal("0.00")),
    ],
)
def test_a_value_is_taken_in_its_normal_form(type_: Any, given: Any, value: Any) -> None:
    taken = TypeAdapter(type_).validate_python(given)
    assert taken == value
    assert str(taken) == str(value)


def deep() -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for _ in range(100_000):
        nested = {"a": nested}
    return nested


@pytest.mark.parametrize(
    ("type_", "given"),
    [
        (Int, 2**31),
        (BigInt, 2**63),
        (Email, "jane"),
        (Email, "x" * 250 + "@example.com"),
        (WebUrl, "javascript:alert(1)"),
        (WebUrl, "ftp://example.com"),
        (WebUrl, "example.com"),
        (WebUrl, ""),
        (WebUrl, "https://example.com/" + "x" * 2000),
        (WebUrl, "https://example.com/" + "é" * 1000),
        (Instant, "2030-01-01T00:00:00"),
        (Instant, "0001-01-01T00:00:00+14:00"),
        (Instant, "9999-12-31T23:59:59-14:00"),
        (JsonObject, []),
        (JsonObject, {"a": float("nan")}),
        (JsonObject, {"a": "\ud800"}),
        (JsonObject, {"a": "x" * 65_536}),
        (JsonObject, deep()),
        (Price, "1000"),
        (Price, "1.234"),
        (Price, "NaN"),
    ],
    ids=lambda value: str(type(value)),
)
def test_what_cannot_be_stored_is_refused(type_: Any, given: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(type_).validate_python(given)


def test_clients_are_told_the_bounds() -> None:
    schemas = {
        "email": TypeAdapter(Email).json_schema(),
        "url": TypeAdapter(WebUrl).json_schema(),
        "int": TypeAdapter(Int).json_schema(),
    }
    assert schemas["email"] == {"type": "string", "format": "idn-email", "maxLength": 254}
    assert schemas["url"] == {
        "type": "string",
        "format": "uri",
        "minLength": 1,
        "maxLength": 2000,
    }
    assert schemas["int"] == {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}
