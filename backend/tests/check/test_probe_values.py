"""Bodies for the probes: made from a model's JSON schema, and accepted by that model."""

import uuid
from datetime import date, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import (
    MISSING,
    AwareDatetime,
    BaseModel,
    EmailStr,
    Field,
    HttpUrl,
    NaiveDatetime,
    SecretStr,
)

from backend.check.probes.values import Maker, NoValueError


class Status(StrEnum):
    DRAFT = "draft"
    LIVE = "live"


class Part(BaseModel):
    amount: Annotated[int, Field(ge=3, le=5)]
    labels: Annotated[list[str], Field(min_length=2)]


class Everything(BaseModel):
    title: Annotated[str, Field(min_length=1, max_length=120)]
    short: Annotated[str, Field(min_length=1, max_length=3)]
    long: Annotated[str, Field(min_length=200)]
    code: Annotated[str, Field(pattern=r"^[A-Z]{3}-\d{4}$")]
    slug: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=20)]
    phone: Annotated[str, Field(pattern=r"^\+[1-9]\d{1,14}$")]
    colour: Annotated[str, Field(pattern=r"^#(?:[0-9a-f]{3}){1,2}$")]
    printable: Annotated[str, Field(pattern=r"^[^\x00-\x1f]*$")]
    status: Status
    kind: Literal["a", "b"]
    price: Annotated[Decimal, Field(max_digits=12, decimal_places=2, ge=0)]
    share: Annotated[float, Field(gt=0, lt=0.5)]
    even: Annotated[int, Field(multiple_of=2, gt=10, lt=20)]
    below: Annotated[int, Field(le=-5)]
    flag: bool
    key: uuid.UUID
    email: EmailStr
    site: HttpUrl
    password: SecretStr
    due_on: date | None
    starts_at: AwareDatetime
    naive: NaiveDatetime | None = None
    opens: time
    lasts: timedelta
    part: Part
    parts: Annotated[list[Part], Field(min_length=1)]
    pair: tuple[int, str]
    anything: dict[str, Any]
    later: Annotated[str, Field(min_length=1)] | MISSING = MISSING


SCHEMA = Everything.model_json_schema()


@pytest.mark.parametrize("number", [0, 1, 7, 999])
@pytest.mark.parametrize("everything", [False, True])
def test_what_is_made_is_accepted(number: int, everything: bool) -> None:
    if everything:
        # Of the two kinds of times the schema does not tell which is meant.
        schema = {**SCHEMA, "properties": {**SCHEMA["properties"]}}
        del schema["properties"]["naive"]
    else:
        schema = SCHEMA
    made = Maker("probe", number, everything=everything).make(schema)
    accepted = Everything.model_validate(made)
    assert accepted.title.startswith("probe")
    assert ("later" in accepted.model_fields_set) is everything


def test_two_numbers_make_two_rows() -> None:
    first, second = (Maker("probe", number).make(SCHEMA) for number in (1, 2))
    same = {name for name, value in first.items() if second[name] == value}
    assert same <= {"share", "below", "password", "anything", "colour", "code", "phone"}


def test_given_values_win_and_what_cannot_be_made_is_said() -> None:
    assert Maker("probe", 1, {"status": "live"}).make(SCHEMA)["status"] == "live"
    with pytest.raises(NoValueError, match="nothing was found for the pattern"):
        Maker("probe", 1).make({"type": "string", "pattern": r"^(?=a)(?=b)x$"})
