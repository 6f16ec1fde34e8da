"""Values that are made up: within the bounds, believable, and the same for the same seed."""

import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import pytest
from faker import Faker
from pydantic import Field, FiniteFloat, TypeAdapter, ValidationError
from sqlalchemy import CheckConstraint

from backend.core import fields
from backend.scaffold.field_view import FieldView
from backend.scaffold.grammar import parse_service
from backend.scaffold.spec import Kind

ROWS = 36  # a dozen for each of the three people of `backend db seed`


def view(text: str) -> FieldView:
    spec = parse_service("projects", [text], "user")
    return FieldView(spec.fields[0], spec, None)


def namespace(field: FieldView) -> dict[str, Any]:
    names = {name: getattr(fields, name) for name in fields.__all__}
    make_enum: Any = StrEnum
    status = make_enum("ProjectStatus", field.members)
    limit = {field.max_length: int(field.field.maximum or 0)}
    return (
        names
        | limit
        | {
            "Annotated": Annotated,
            "Decimal": Decimal,
            "Field": Field,
            "FiniteFloat": FiniteFloat,
            "ProjectStatus": status,
            "UTC": UTC,
            "date": date,
            "datetime": datetime,
            "timedelta": timedelta,
            "uuid": uuid,
        }
    )


def adapter(field: FieldView) -> TypeAdapter[Any]:
    """What the generated schema takes."""
    return TypeAdapter(eval(field.alias_type or field.input_type, namespace(field)))


def made(field: FieldView, seed: int = 0) -> list[Any]:
    fake = Faker()
    fake.seed_instance(seed)
    return [eval(field.made, namespace(field) | {"fake": fake}) for _ in range(ROWS)]


FIELDS = [
    *(f"a:str:max={most}" for most in (1, 2, 3, 5, 9, 10, 20, 99, 100, 255)),
    *(f"a:str:max={most}:unique" for most in (2, 3, 8, 9, 10, 24, 25, 100)),
    *("a:str:min=1:max=1", "a:str:min=3:max=3", "a:str:min=30:max=60", "a:str:min=9:max=9:unique"),
    *("a:text", "a:text:max=20", "a:text:min=900", "a:text:min=5:max=5"),
    *("title:str", "name:str:max=40:unique", "city:str", "country:str:unique", "phone:str:max=5"),
    *("email:email:unique", "url:url:unique", "slug:str:unique", "description:text", "iban:str"),
    *("a:int", "a:int:min=5", "a:int:max=5", "a:int:min=-3:max=-1", "a:int:unique:max=60"),
    *("a:int:min=2147483640", "a:int:max=-2147483640", "a:int:unique:min=1:max=100"),
    *("a:bigint:unique", "a:bigint:min=9223372036854775000", "price:decimal:12.2:unique"),
    *("a:decimal:5.3", "a:decimal:2.2", "a:decimal:2.2:min=0.5", "a:decimal:15.2:max=-1"),
    *("a:decimal:4.2:min=99.9", "a:decimal:3.1:max=0.1", "a:decimal:1.1"),
    *("a:float", "a:float:min=0:max=1", "a:float:max=-1000", "a:float:min=0.001:max=0.002"),
    *("a:int:min=2147483645", "a:int:max=-2147483646", "a:bigint:max=-9223372036854775806"),
    *("a:decimal:11.7:min=0", "a:decimal:2.1:min=9.7", "a:decimal:2.1:max=-9.7"),
    *(
        "a:decimal:2.1:unique",
        "a:float:max=9007199254740992",
        "a:float:min=0.0000001:max=0.0000002",
    ),
    *("a:float:min=0.004:max=2", "a:float:min=-9007199254740992", "email:str:max=10", "url:text"),
    *("status:enum:unheard_of,known", "status:enum:a_b,a-c,b"),
    *("a:bool", "a:date:unique", "a:datetime:unique", "a:uuid:unique", "a:json"),
    "status:enum:draft,live",
]


@pytest.mark.parametrize("text", FIELDS)
def test_what_is_made_up_is_within_the_bounds(text: str) -> None:
    field = view(text)
    values = made(field)
    take = adapter(field).validate_python
    assert [take(value) for value in values] == values
    if field.field.unique:
        assert len(set(values)) == ROWS


@pytest.mark.parametrize("text", FIELDS)
def test_the_same_seed_makes_the_same(text: str) -> None:
    assert made(view(text)) == made(view(text))


@pytest.mark.parametrize("text", FIELDS)
def test_what_the_tests_use_is_right_or_wrong(text: str) -> None:
    field = view(text)
    take = adapter(field).validate_python
    if field.two:
        low, high = (eval(value, namespace(field)) for value in field.two)
        assert (take(low), take(high)) == (low, high)
        assert field.field.kind is Kind.JSON or low < high
    wrong = [eval(value, namespace(field)) for value in field.wrong]
    assert wrong
    for value in wrong:
        with pytest.raises(ValidationError):
            take(value)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("a:int:min=0", "a >= 0"),
        ("a:int:max=9", "a <= 9"),
        ("a:decimal:5.2:min=0.5:max=100", "a BETWEEN 0.50 AND 100"),
        ("order:int:min=0", '"order" >= 0'),
        ("status:enum:draft,live", "status IN ('draft', 'live')"),
    ],
)
def test_bounds_are_conditions_of_the_table(text: str, condition: str) -> None:
    check = view(text).check
    assert check is not None
    assert str(CheckConstraint(eval(check)).sqltext) == condition


def test_what_is_believable_depends_on_the_name() -> None:
    examples = {text.split(":")[0]: made(view(text))[0] for text in ("city:str", "email:email")}
    assert "@example." in examples["email"]
    assert examples["city"].replace(" ", "").isalpha()


def test_values_to_sort_are_in_one_order_whatever_the_collation_is() -> None:
    assert view("a:enum:b-a,UNKNOWN,b_c,x:sort").two == ("ProjectA.B_A", "ProjectA.X")


def test_no_name_is_one_that_is_imported() -> None:
    email, url, title = view("email:str"), view("url:text"), view("title:str")
    assert email.max_length == "PROJECT_EMAIL_MAX_LENGTH"
    assert url.max_length == "PROJECT_URL_MAX_LENGTH"
    assert title.max_length == "TITLE_MAX_LENGTH"
    assert view("type:ref:regions").variable == "type_"
    assert view("class_id:ref:regions").variable == "class_"
    assert view("delete_id:ref:regions").variable == "delete_"
    assert view("region:ref:regions").variable == "region"


def test_no_class_of_a_field_looks_like_a_test() -> None:
    assert view("test_name:str:unique").taken_error == "ProjectTestNameTakenError"
    assert view("test:ref:labs").missing_error == "ProjectTestNotFoundError"


def test_a_wrong_value_of_an_enum_is_none_of_its_values_and_fits_its_column() -> None:
    field = view("a:enum:unheard_of,unheard_of_0")
    assert field.wrong == ["None", '"unheard_of_1"']
    assert '"unheard_of_1"' in field.refused_by_the_table
