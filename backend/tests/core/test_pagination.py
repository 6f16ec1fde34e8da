"""Keyset pages over columns of every kind, also where they hold NULL."""

import base64
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from sqlalchemy import BigInteger, Index, MetaData, String, Uuid, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Mapped, mapped_column
from tests.support.statements import recorded_statements

from backend import db
from backend.core.columns import FixedDecimal, UTCDateTime
from backend.core.errors import InvalidInputError
from backend.core.ids import new_id
from backend.core.pagination import Cursor, InvalidCursorError, Page, Slice, paginate
from backend.core.quick import observers


class Base(DeclarativeBase):
    metadata = MetaData()
    type_annotation_map = {datetime: UTCDateTime(), uuid.UUID: Uuid()}  # noqa: RUF012


class Row(Base):
    __tablename__ = "made_rows"
    __table_args__ = tuple(
        Index(f"ix_{name}", name, "id")
        for name in ("day", "moment", "price", "whole", "big", "ratio", "word", "key", "required")
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    day: Mapped[date | None]
    moment: Mapped[datetime | None]
    price: Mapped[Decimal | None] = mapped_column(FixedDecimal(5, 2))
    whole: Mapped[int | None]
    big: Mapped[int | None] = mapped_column(BigInteger)
    ratio: Mapped[float | None]
    word: Mapped[str | None] = mapped_column(String(600))
    key: Mapped[uuid.UUID | None]
    required: Mapped[int]

    @property
    def double(self) -> int:
        return len(self.word or "") * 2


VALUES: dict[str, list[Any]] = {
    "day": [date(1, 1, 1), date(2030, 1, 1), date(2030, 1, 2), date(9999, 12, 31)],
    "moment": [datetime(2030, 1, 1, hour, 0, 0, 1, tzinfo=UTC) for hour in range(4)],
    "price": [Decimal("-999.99"), Decimal("0.10"), Decimal("0.30"), Decimal("999.99")],
    "whole": [-(2**31), 0, 1, 2**31 - 1],
    "big": [-(2**63), 0, 2**53 + 1, 2**63 - 1],
    "ratio": [-1e300, 0.1, 0.1 + 0.2, 1e300],
    "word": ["a", "b", "e\u0301", "\N{GRINNING FACE}"],
    "key": [uuid.UUID(int=number) for number in (0, 1, 2**64, 2**128 - 1)],
}


@pytest_asyncio.fixture
async def session(async_session: AsyncSession) -> AsyncIterator[AsyncSession]:
    """With two rows for each value of each column, and two without any."""
    async with db.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    for number in [0, 1, 2, 3, 0, 1, 2, 3]:
        values = {name: of_column[number] for name, of_column in VALUES.items()}
        async_session.add(Row(required=number, **values))
        await async_session.flush()
    async_session.add_all([Row(required=9), Row(required=9)])
    await async_session.commit()
    yield async_session


async def walk(
    session: AsyncSession, column: InstrumentedAttribute[Any], *, descending: bool, limit: int
) -> list[Row]:
    found: list[Row] = []
    cursor = None
    while cursor or not found:
        with recorded_statements() as statements:
            page = await paginate(
                session,
                select(Row),
                order_by=[column, Row.id],
                descending=descending,
                limit=limit,
                cursor=cursor,
            )
        assert len(statements) <= 2
        assert page.items
        found += page.items
        cursor = page.next_cursor
    return found


@pytest.mark.parametrize("name", VALUES)
async def test_what_has_no_value_comes_last_in_both_directions(
    session: AsyncSession, name: str
) -> None:
    column = getattr(Row, name)
    order = {value: place for place, value in enumerate(await in_order(session, column))}
    rows = list(await session.scalars(select(Row)))
    valued = [row for row in rows if getattr(row, name) is not None]
    empty = [row for row in rows if getattr(row, name) is None]
    rising = sorted(valued, key=lambda row: (order[getattr(row, name)], row.id))
    empty.sort(key=lambda row: row.id)
    for limit in (1, 2, 3, 8, 9, 10, 11):
        assert await walk(session, column, descending=False, limit=limit) == rising + empty
        assert (
            await walk(session, column, descending=True, limit=limit) == rising[::-1] + empty[::-1]
        )


async def in_order(session: AsyncSession, column: InstrumentedAttribute[Any]) -> list[Any]:
    """The values as this database orders them: letters it has an order of its own for."""
    values = select(column).where(column.is_not(None)).distinct().order_by(column)
    return list(await session.scalars(values))


async def test_a_column_that_is_never_empty_is_one_statement(session: AsyncSession) -> None:
    with recorded_statements() as statements:
        page = await paginate(session, select(Row), order_by=[Row.required, Row.id], limit=100)
    assert len(page.items) == 10
    assert len(statements) == 1


async def test_every_statement_follows_the_index(session: AsyncSession, database_kind: str) -> None:
    sent: list[tuple[str, Any]] = []

    def record(statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    observers.append(record)
    await walk(session, Row.day, descending=False, limit=3)
    await walk(session, Row.day, descending=True, limit=3)
    observers.remove(record)
    explain = "EXPLAIN QUERY PLAN" if database_kind == "sqlite" else "EXPLAIN"
    async with db.engine.connect() as connection:
        if database_kind == "postgresql":  # which would rather read and sort so few rows
            for way in ("seqscan", "bitmapscan", "sort"):
                await connection.exec_driver_sql(f"SET enable_{way} = off")
        for statement, parameters in sent:
            rows = await connection.exec_driver_sql(f"{explain} {statement}", parameters)
            plan = "\n".join(str(row) for row in rows)
            assert "ix_day" in plan, (statement, plan)
            assert "Sort" not in plan, (statement, plan)
            assert "TEMP B-TREE" not in plan, (statement, plan)
    assert len(sent) > 8


@pytest.mark.parametrize("letter", ["a", "\N{GRINNING FACE}", "\x01"])
async def test_a_cursor_that_was_given_out_is_taken_back(
    session: AsyncSession, letter: str
) -> None:
    """Of the longest text that an index of a generated service may hold."""
    for number in range(2):
        session.add(Row(required=9, word=letter * 599 + str(number)))
    await session.commit()
    statement = select(Row).where(Row.word.startswith(letter * 599))
    page = await paginate(session, statement, order_by=[Row.word, Row.id], limit=1)
    cursor = TypeAdapter[Any](Cursor).validate_python(page.next_cursor)
    rest = await paginate(session, statement, order_by=[Row.word, Row.id], limit=1, cursor=cursor)
    assert len(rest.items) == 1
    assert rest.next_cursor is None


def forged(*values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("day", ["tomorrow", 1, "2030-13-01", True, ["2030-01-01"]]),
        ("moment", ["2030-01-01T00:00:00", "now", 1]),
        ("price", ["NaN", "Infinity", "1E+9999", "1000", "x", 1, ""]),
        ("whole", [2**31, -(2**31) - 1, 1.5, "1", True]),
        ("big", [2**63, 10**400, "1"]),
        ("ratio", [float("nan"), float("inf"), 10**400, "1", False]),
        ("word", ["\0", "\ud800", 1, []]),
        ("key", ["1", 1, "x" * 32]),
        ("required", [None, "1"]),
    ],
)
async def test_a_forged_cursor_is_refused(
    session: AsyncSession, name: str, wrong: list[Any]
) -> None:
    order_by = [getattr(Row, name), Row.id]
    key = str(uuid.UUID(int=0))
    cursors = [forged(f"{name},id", value, key) for value in wrong]
    cursors += [forged(), forged(f"{name},id"), forged(f"{name},id", None, "x"), "", "é", "=" * 9]
    cursors += [forged(f"-{name},id", None, key), forged(f"{name},id", None, None)]
    for cursor in cursors:
        with pytest.raises(InvalidCursorError):
            await paginate(session, select(Row), order_by=order_by, cursor=cursor)
    assert issubclass(InvalidCursorError, InvalidInputError)


class ReadRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    word: str | None
    required: int


class ReadWithProperty(ReadRow):
    double: int


class ReadByAlias(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    needed: int = Field(validation_alias="required")


class StrictRead(ReadRow):
    model_config = ConfigDict(extra="forbid")


@pytest.mark.parametrize("schema", [ReadRow, ReadWithProperty, ReadByAlias, StrictRead])
def test_a_page_has_what_its_rows_have(schema: type[BaseModel]) -> None:
    row = Row(id=new_id(), word="a", required=2)
    page = Page[schema].model_validate(Slice([row], None), from_attributes=True)  # type: ignore[valid-type]
    assert page.items == [schema.model_validate(row)]


def test_a_page_takes_other_rows_too() -> None:
    key = new_id()
    made: dict[str, Any] = {"id": key, "word": None, "required": 1}
    for item in (made, ReadRow(**made)):
        assert Page[ReadRow](items=[item], next_cursor=None).items == [ReadRow(**made)]
    assert Page[int](items=[1, 2], next_cursor=None).items == [1, 2]
