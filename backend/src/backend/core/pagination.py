"""Keyset pages: as fast on page 10,000 as on the first, and stable while rows come and go."""

import base64
import json
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Generic, NamedTuple, TypeVar, get_args

from fastapi import Query
from pydantic import BaseModel, Field, field_validator
from sqlalchemy import BigInteger, Column, Integer, Select, bindparam, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute

from backend.core.columns import FixedDecimal, UTCDateTime
from backend.core.errors import InvalidInputError
from backend.core.quick_rows import scalars

__all__ = ["Cursor", "InvalidCursorError", "Limit", "Page", "Search", "Slice", "paginate"]

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=100, description="How many items a page holds at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=6000, description="`next_cursor` of the page before; none for the first."),
]
Search = Annotated[
    str | None,
    Query(max_length=100, description="A part of a text, in whatever case it is written."),
]


class Slice(NamedTuple, Generic[T]):
    """Rows for one page. A route returns it as it is, with `response_model=Page[…]`."""

    items: Sequence[T]
    next_cursor: str | None


class Page(BaseModel, Generic[T]):
    """One page of a list, as it is answered."""

    items: list[T]
    next_cursor: str | None = Field(description="Give it as `cursor`; null on the last page.")

    @field_validator("items", mode="before")
    @classmethod
    def _as_dicts(cls, rows: Any) -> Any:
        """What the ORM has loaded is there as a dict, which is read in half of the time."""
        annotation: Any = cls.model_fields["items"].annotation
        names = _names_in(annotation)
        if names is None or not isinstance(rows, list):
            return rows
        return [
            vars(row) if isinstance(row, DeclarativeBase) and names <= vars(row).keys() else row
            for row in rows
        ]


@cache
def _names_in(items: Any) -> frozenset[str] | None:
    """The fields of a page's items; None where a dict of attributes would not be read alike."""
    (item,) = get_args(items)
    if not isinstance(item, type) or not issubclass(item, BaseModel):
        return None
    if _looks_at_the_row(item):
        return None
    fields = item.model_fields
    if item.model_config.get("extra", "ignore") != "ignore" or any(
        field.validation_alias for field in fields.values()
    ):
        return None
    return frozenset(fields)


def _looks_at_the_row(item: type[BaseModel]) -> bool:
    """A validator of its own may ask for what only the row has."""
    decorators = item.__pydantic_decorators__
    found: list[Any] = [
        *decorators.model_validators.values(),
        *decorators.field_validators.values(),
    ]
    return any(decorator.info.mode in {"before", "wrap", "plain"} for decorator in found)


class InvalidCursorError(InvalidInputError):
    code = "invalid_cursor"

    def __init__(self) -> None:
        super().__init__("The cursor is not one that this list gave out for this order.")


async def paginate(
    session: AsyncSession,
    statement: Select[T],
    *,
    order_by: Sequence[InstrumentedAttribute[Any]],
    descending: bool = False,
    limit: int = 20,
    cursor: str | None = None,
) -> Slice[T]:
    """The page after `cursor`, and the cursor of the next one.

    `order_by` must end in a unique column and be covered by an index. Only its first column may
    hold NULL: rows without a value come last in both directions, by a second statement where the
    page reaches them, so that each statement follows the index.
    Raises InvalidCursorError.
    """
    columns = tuple(attribute.property.columns[0] for attribute in order_by)
    order = ("-" if descending else "") + ",".join(attribute.key for attribute in order_by)
    after = None if cursor is None else _decode(cursor, order, columns)
    rows: list[T] = []
    if after is None or after[0] is not None:
        part = _Part(columns, descending, valued=True, continued=after is not None)
        rows += await scalars(session, statement, part, _values(limit + 1, after or ()))
        after = None
    if columns[0].nullable and len(rows) <= limit:
        part = _Part(columns, descending, valued=False, continued=after is not None)
        beyond = after[1:] if after else ()
        rows += await scalars(session, statement, part, _values(limit + 1 - len(rows), beyond))
    if len(rows) <= limit:
        return Slice(rows, None)
    rows = rows[:limit]
    last = [getattr(rows[-1], attribute.key) for attribute in order_by]
    return Slice(rows, _encode([order, *last]))


class _Part(NamedTuple):
    """What a page adds to its statement: the rows with a value to sort by, or those without."""

    columns: tuple[Column[Any], ...]
    descending: bool
    valued: bool
    continued: bool

    def __call__(self, statement: Select[T]) -> Select[T]:
        first, compared = self.columns[0], self.columns
        if first.nullable:
            statement = statement.where(first.is_not(None) if self.valued else first.is_(None))
        if not self.valued:
            compared = compared[1:]
        if self.continued:
            row = tuple_(*compared)
            after = tuple_(
                *(
                    bindparam(f"page_after_{number}", type_=column.type)
                    for number, column in enumerate(compared)
                )
            )
            statement = statement.where(row < after if self.descending else row > after)
        # By all columns also where the first is NULL: PostgreSQL would sort else.
        order = (item.desc() if self.descending else item.asc() for item in self.columns)
        return statement.order_by(*order).limit(bindparam("page_limit", type_=Integer()))


def _values(limit: int, after: Sequence[Any]) -> dict[str, Any]:
    return {"page_limit": limit} | {
        f"page_after_{number}": value for number, value in enumerate(after)
    }


def _encode(values: list[Any]) -> str:
    text = json.dumps(values, default=str, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str, order: str, columns: Sequence[Column[Any]]) -> tuple[Any, ...]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded.encode("ascii"), b"-_", validate=True))
        if not isinstance(values, list) or values.pop(0) != order:
            raise InvalidCursorError
        if values and values[0] is None and columns[0].nullable:
            return (None, *_parse(values[1:], columns[1:]))
        return tuple(_parse(values, columns))
    except (ValueError, TypeError, IndexError, RecursionError, ArithmeticError):
        raise InvalidCursorError from None


def _parse(values: Sequence[Any], columns: Sequence[Column[Any]]) -> list[Any]:
    """ValueError for what the columns cannot hold, so that no driver has to refuse it."""
    parsed = []
    for value, column in zip(values, columns, strict=True):
        expected = column.type.python_type
        written_as = (int, float) if expected is float else (_WRITTEN_AS.get(expected, expected),)
        if not isinstance(value, written_as) or isinstance(value, bool):
            raise ValueError("not what the column holds")
        parsed.append(_PARSERS[expected](value, column))
    return parsed


def _text(value: str, _column: Column[Any]) -> str:
    if "\0" in value:
        raise ValueError("PostgreSQL has no NUL in a text")
    value.encode()
    return value


def _whole(value: int, column: Column[Any]) -> int:
    limit = 2**63 if isinstance(column.type, BigInteger) else 2**31
    if not -limit <= value < limit:
        raise ValueError("out of range")
    return value


def _float(value: float, _column: Column[Any]) -> float:
    if not math.isfinite(value):  # OverflowError for an integer beyond all floats
        raise ValueError("not a number that is stored")
    return float(value)


def _decimal(value: str, column: Column[Any]) -> Decimal:
    amount = Decimal(value)
    kind = column.type
    fits = not isinstance(kind, FixedDecimal) or amount.adjusted() < kind.precision - kind.scale
    if not amount.is_finite() or not fits:
        raise ValueError("out of range")
    return amount


def _datetime(value: str, column: Column[Any]) -> datetime:
    moment = datetime.fromisoformat(value)
    if isinstance(column.type, UTCDateTime) and moment.tzinfo is None:
        raise ValueError("a naive datetime")
    return moment


# JSON has numbers and texts; what else a column holds is written as a text.
_WRITTEN_AS: Mapping[type, type] = {Decimal: str, date: str, datetime: str, uuid.UUID: str}
_PARSERS: Mapping[type, Callable[[Any, Column[Any]], Any]] = {
    str: _text,
    int: _whole,
    float: _float,
    Decimal: _decimal,
    date: lambda value, _column: date.fromisoformat(value),
    datetime: _datetime,
    uuid.UUID: lambda value, _column: uuid.UUID(value),
}
