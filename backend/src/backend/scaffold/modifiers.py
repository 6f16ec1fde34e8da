"""Which modifier goes with which type, and with which others."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from backend.scaffold.names import ordered_pair
from backend.scaffold.spec import Field, Kind, OnDelete

__all__ = ["FLAGS", "ON_DELETE", "UNIQUE_MIN_VALUES", "WITH_VALUE", "Refused", "complete", "modify"]

FLAGS = {
    *("optional", "unique", "index", "private", "readonly", "immutable", "search", "filter"),
    "sort",
}
ON_DELETE = {"cascade", "restrict", "setnull"}
WITH_VALUE = {"default": "draft", "min": "0", "max": "120"}
"""Each with a value for an example."""

STR_MAX_LENGTH = 255
TEXT_MAX_LENGTH = 10_000
LENGTH_LIMIT = 100_000
INDEXED_MAX_LENGTH = 600
"""Of characters: an entry of a PostgreSQL index has some 2,700 bytes, and a character up to 4."""
SEARCHED_MIN_LENGTH = 4
UNIQUE_MIN_VALUES = 100
DEFAULT_MAX_LENGTH = 50
MIN_VALUES = 3
"""Of a number: its tests set two of them, and keep one more away from the type's end."""
INT_LIMIT = 2**31
BIGINT_LIMIT = 2**63
FLOAT_LIMIT = 2**53

_NUMBERS = {Kind.INT, Kind.BIGINT, Kind.DECIMAL, Kind.FLOAT}
_TEXTS = {Kind.STR, Kind.TEXT}
_WITHOUT_DEFAULT = {
    Kind.DATETIME: "a moment that is the same for every row helps nobody",
    Kind.UUID: "one that is the same for every row helps nobody",
    Kind.EMAIL: "its characters cannot be written here",
    Kind.URL: "its characters cannot be written here",
    Kind.JSON: "its characters cannot be written here",
    Kind.REF: "a new database has nothing to refer to",
}
_CANNOT_BE = {
    "unique": {
        Kind.TEXT: "an index holds short texts only: use `str`",
        Kind.FLOAT: "two floats are hardly ever equal: use `decimal`",
        Kind.BOOL: "there could be two rows",
        Kind.ENUM: "there could be a row for each value, and no more",
        Kind.JSON: "the databases do not compare it",
        Kind.REF: "that is a relation of one to one, which is to be written by hand",
    },
    "index": {
        Kind.TEXT: "an index holds short texts only: use `str`",
        Kind.JSON: "the databases do not compare it",
        Kind.REF: "it has an index already",
    },
    "sort": {
        Kind.TEXT: "an index holds short texts only: use `str`",
        Kind.BOOL: "it puts rows into two heaps: `filter` by it",
        Kind.JSON: "it has no order",
        Kind.UUID: "its order means nothing",
        Kind.REF: "the order of ids means nothing",
    },
    "filter": {
        Kind.TEXT: "nobody gives a whole text: use `search`",
        Kind.FLOAT: "two floats are hardly ever equal: use `decimal`",
        Kind.JSON: "the databases do not compare it",
    },
    "search": dict.fromkeys(
        set(Kind) - {Kind.STR, Kind.TEXT, Kind.EMAIL, Kind.URL}, "it is not a text: use `filter`"
    ),
}


class Refused(ValueError):  # noqa: N818 - becomes a GrammarError with the place
    """Says what to do. `modifier` is the one to point at where it is not the one being read."""

    def __init__(self, message: str, modifier: str = "") -> None:
        super().__init__(message)
        self.modifier = modifier


def modify(field: Field, word: str, value: str) -> Field:
    """The field with one modifier more. Raises Refused."""
    kind = field.kind
    if word in ON_DELETE:
        if kind is not Kind.REF:
            raise Refused(f"`{word}` says what becomes of a `ref`, and this is none: leave it out.")
        return replace(field, on_delete=cast("OnDelete", word))
    if word == "min":
        return replace(field, minimum=_bound(field, word, value))
    if word == "max":
        return replace(field, maximum=_bound(field, word, value))
    if word == "default":
        if kind in _WITHOUT_DEFAULT:
            raise Refused(f"Of type `{kind}` there is no default: {_WITHOUT_DEFAULT[kind]}.")
        return replace(field, default=_default(field, value))
    if reason := _CANNOT_BE.get(word, {}).get(kind):
        raise Refused(f"`{kind}` cannot be `{word}`: {reason}.")
    flag: dict[str, Any] = {word: True}
    return replace(field, **flag)


def complete(field: Field, given: Collection[str]) -> Field:
    """With the bounds that nobody gave, once all modifiers go together. Raises Refused."""
    for first, second, reason in _CONTRADICTIONS:
        if first in given and second in given:
            raise Refused(f"`{first}` and `{second}` contradict each other: {reason}.", second)
    if "readonly" in given and not {"optional", "default"} & set(given):
        raise Refused(
            "Nobody gives a readonly field a value: add `default=…` or `optional`.", "readonly"
        )
    if "setnull" in given and "optional" not in given:
        raise Refused("`setnull` leaves the field empty: add `optional`.", "setnull")
    field = _with_bounds(field)
    low, high = field.minimum, field.maximum
    crossed = low is not None and high is not None and low > high
    if crossed or (low is not None and low == high and field.kind in _NUMBERS):
        raise Refused(f"min={low} leaves nothing below max={high}.", _later(given))
    if field.kind in _NUMBERS:
        _check_numbers(field, given)
    if "unique" in given and field.kind is Kind.STR and high == 1:
        _check_room(0)
    if "search" in given and field.is_text and high is not None and high < SEARCHED_MIN_LENGTH:
        raise Refused(f"A text of {high} characters is too short to be searched.", "search")
    if field.kind is Kind.STR and high is not None and high > INDEXED_MAX_LENGTH:
        for word in ("unique", "index", "sort", "filter"):
            if word in given:
                raise Refused(
                    f"An index holds no text of {high} characters: `{word}` needs `max=` of "
                    f"{INDEXED_MAX_LENGTH} or less.",
                    word,
                )
    if "sort" in given and field.kind is Kind.ENUM and ordered_pair(field.values) is None:
        raise Refused(
            "The two databases do not agree about the order of these values: leave `sort` out, or "
            "use values that differ in more than - and _ and in capitals.",
            "sort",
        )
    _check_default(field)
    return field


_CONTRADICTIONS = (
    ("default", "optional", "what has a value is never empty; leave one of them out"),
    ("default", "unique", "there could be one row; leave one of them out"),
    ("readonly", "immutable", "what nobody gives, nobody changes; `readonly` is enough"),
    ("private", "search", "a search would show what is in it"),
    ("private", "filter", "a filter would show what is in it"),
    ("private", "sort", "the order would show what is in it"),
    ("unique", "index", "`unique` is an index already; leave `index` out"),
    ("cascade", "setnull", "one thing becomes of the row; leave one of them out"),
    ("cascade", "restrict", "one thing becomes of the row; leave one of them out"),
    ("restrict", "setnull", "one thing becomes of the row; leave one of them out"),
)


def _with_bounds(field: Field) -> Field:
    low, high = field.minimum, field.maximum
    if field.kind in _TEXTS:
        longest = STR_MAX_LENGTH if field.kind is Kind.STR else TEXT_MAX_LENGTH
        high = longest if high is None else high
        low = (0 if field.optional else 1) if low is None else low
    return replace(field, minimum=low, maximum=high)


def _check_numbers(field: Field, given: Collection[str]) -> None:
    """There are values enough between the bounds, or between a bound and the type's own."""
    low, high = field.minimum, field.maximum
    if field.kind is Kind.FLOAT:
        if low is not None and high is not None:
            least, most = float(low), float(high)
            if not least < (least + most) / 2 < most:
                raise Refused(f"Between {low} and {high} there is no float.", _later(given))
        return
    if field.kind is Kind.DECIMAL:
        unit = 10**field.scale
        largest = 10**field.precision - 1
        smallest = -largest
    else:
        unit = 1
        limit = INT_LIMIT if field.kind is Kind.INT else BIGINT_LIMIT
        smallest, largest = -limit, limit - 1
    least = smallest if low is None else int(low * unit)
    most = largest if high is None else int(high * unit)
    values = most - least + 1
    if values < MIN_VALUES:
        raise Refused(
            f"There is room for fewer than {MIN_VALUES} values: widen min= and max=.",
            _later(given),
        )
    if "unique" in given:
        _check_room(values)


def _later(given: Collection[str]) -> str:
    """Of min and max the one that was given last."""
    return [word for word in given if word in {"min", "max"}][-1]


def _check_room(values: int) -> None:
    if values < UNIQUE_MIN_VALUES:
        raise Refused(
            f"`unique` needs room for {UNIQUE_MIN_VALUES} different values: widen the bounds.",
            "unique",
        )


def _bound(field: Field, word: str, value: str) -> int | Decimal:
    if field.kind in _TEXTS:
        length = _whole(value, f"`{word}=` of a text is a number of characters")
        if not (1 if word == "max" else 0) <= length <= LENGTH_LIMIT:
            raise Refused(f"A text has between 1 and {LENGTH_LIMIT:,} characters.")
        return length
    if field.kind in _NUMBERS:
        return _number(field, value)
    raise Refused(f"`{word}=` is for texts and numbers, and not for `{field.kind}`: leave it out.")


def _whole(value: str, what: str) -> int:
    if not re.fullmatch(r"-?\d{1,20}", value):
        raise Refused(f"{what}, and `{value}` is none.")
    return int(value)


def _number(field: Field, value: str) -> int | Decimal:
    """A value of the field's type. Raises Refused for one that its column cannot hold."""
    if field.kind in {Kind.INT, Kind.BIGINT}:
        limit = INT_LIMIT if field.kind is Kind.INT else BIGINT_LIMIT
        number = _whole(value, "This is a whole number")
        if not -limit <= number < limit:
            more = ": use `bigint`" if field.kind is Kind.INT else ""
            raise Refused(f"`{field.kind}` is {-limit:,} to {limit - 1:,}{more}.")
        return number
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise Refused(f"This is a number, and `{value}` is none.") from None
    if not amount.is_finite() or abs(amount) > FLOAT_LIMIT or "e" in value.lower():
        raise Refused(f"Write a number of at most {FLOAT_LIMIT:,}, without an exponent.")
    if field.kind is Kind.DECIMAL:
        if amount != round(amount, field.scale):
            raise Refused(f"There are {field.scale} digits after the point, and here are more.")
        if abs(amount) >= 10 ** (field.precision - field.scale):
            raise Refused(
                f"There are {field.precision - field.scale} digits before the point, and here are "
                "more."
            )
        return round(amount, field.scale)
    return amount


def _default(field: Field, value: str) -> str | int | Decimal | bool | date:
    if not value:
        raise Refused("The value is missing, as in `default=draft`.")
    parse = _DEFAULTS.get(field.kind)
    return parse(field, value) if parse else _number(field, value)


def _enum_default(field: Field, value: str) -> str:
    if value not in field.values:
        raise Refused(f"`{value}` is not one of {', '.join(field.values)}.")
    return value


def _bool_default(_field: Field, value: str) -> bool:
    if value not in {"true", "false"}:
        raise Refused("The default of a bool is `true` or `false`.")
    return value == "true"


def _date_default(_field: Field, value: str) -> date:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        raise Refused(f"A date is written as in `2030-12-31`, and `{value}` is none.")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise Refused(f"There is no day `{value}`.") from None


_DEFAULTS: Mapping[Kind, Callable[[Field, str], str | bool | date]] = {
    Kind.STR: lambda _field, value: value,
    Kind.TEXT: lambda _field, value: value,
    Kind.ENUM: _enum_default,
    Kind.BOOL: _bool_default,
    Kind.DATE: _date_default,
}


def _check_default(field: Field) -> None:
    size: int | Decimal
    if isinstance(field.default, str) and field.is_text:
        if len(field.default) > DEFAULT_MAX_LENGTH:
            raise Refused(
                f"A default has at most {DEFAULT_MAX_LENGTH} characters: change a longer one in "
                "the code that is written.",
                "default",
            )
        size, what = len(field.default), f"The default has {len(field.default)} characters"
    elif isinstance(field.default, int | Decimal) and not isinstance(field.default, bool):
        size, what = field.default, f"The default is {field.default}"
    else:
        return
    if field.minimum is not None and size < field.minimum:
        raise Refused(f"{what}, and min={field.minimum} asks for more.", "default")
    if field.maximum is not None and size > field.maximum:
        raise Refused(f"{what}, and max={field.maximum} allows less.", "default")
