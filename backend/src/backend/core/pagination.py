"""Keyset pages: as fast on page 10,000 as on the first, and stable while rows come and go."""

import base64
import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field
from sqlalchemy import Select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from backend.core.columns import UTCDateTime
from backend.core.errors import InvalidInputError

__all__ = ["Cursor", "InvalidCursorError", "Limit", "Page", "Slice", "paginate"]

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=100, description="How many items a page holds at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=1000, description="`next_cursor` of the page before; none for the first."),
]


class Slice(NamedTuple, Generic[T]):
    """Rows for one page. A route returns it as it is, with `response_model=Page[…]`."""

    items: Sequence[T]
    next_cursor: str | None


class Page(BaseModel, Generic[T]):
    """One page of a list, as it is answered."""

    items: list[T]
    next_cursor: str | None = Field(description="Give it as `cursor`; null on the last page.")


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

    `order_by` must end in a unique column, hold no NULL, and be covered by an index.
    Raises InvalidCursorError.
    """
    order = ("-" if descending else "") + ",".join(column.key for column in order_by)
    if cursor is not None:
        after = _decode(cursor, order, order_by)
        row = tuple_(*order_by)
        statement = statement.where(row < after if descending else row > after)
    statement = statement.order_by(
        *(column.desc() if descending else column.asc() for column in order_by)
    )
    rows = (await session.scalars(statement.limit(limit + 1))).all()
    if len(rows) <= limit:
        return Slice(rows, None)
    rows = rows[:limit]
    last = [getattr(rows[-1], column.key) for column in order_by]
    return Slice(rows, _encode([order, *last]))


def _encode(values: list[Any]) -> str:
    text = json.dumps(values, default=str, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(
    cursor: str, order: str, columns: Sequence[InstrumentedAttribute[Any]]
) -> tuple[Any, ...]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded.encode("ascii"), b"-_", validate=True))
        if not isinstance(values, list) or values.pop(0) != order:
            raise InvalidCursorError
        return tuple(_parse(value, column) for value, column in zip(values, columns, strict=True))
    except (ValueError, TypeError, IndexError, RecursionError):
        raise InvalidCursorError from None


def _parse(value: Any, column: InstrumentedAttribute[Any]) -> Any:
    expected = column.type.python_type
    if expected in {datetime, uuid.UUID} and not isinstance(value, str):
        raise InvalidCursorError
    if expected is datetime:
        moment = datetime.fromisoformat(value)
        if isinstance(column.type, UTCDateTime) and moment.tzinfo is None:
            raise InvalidCursorError
        return moment
    if expected is uuid.UUID:
        return uuid.UUID(value)
    if isinstance(value, expected) and not isinstance(value, bool):
        return value
    raise InvalidCursorError
