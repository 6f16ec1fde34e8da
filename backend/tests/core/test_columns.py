"""Decimals that are the same on both databases, and constraints that say who refused."""

import uuid
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
import pytest_asyncio
from sqlalchemy import CheckConstraint, MetaData, String, UniqueConstraint, null, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from backend import db
from backend.core.columns import FixedDecimal
from backend.core.ids import new_id
from backend.core.integrity import violates_unique

LONG = "a_name_that_is_so_long_that_postgresql_has_to_shorten"


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=db.Base.metadata.naming_convention)


class Ware(Base):
    __tablename__ = "made_wares"
    __table_args__ = (
        CheckConstraint("price >= 0.1", name="price"),
        UniqueConstraint("shelf", "number"),
        UniqueConstraint("shelf", LONG),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    price: Mapped[Decimal] = mapped_column(FixedDecimal(15, 2), server_default="0.50")
    shelf: Mapped[str] = mapped_column(String(10), default="A")
    number: Mapped[int | None]
    code: Mapped[str | None] = mapped_column(String(10), unique=True)
    long: Mapped[int | None] = mapped_column(LONG)


@pytest_asyncio.fixture
async def session(async_session: AsyncSession) -> AsyncIterator[AsyncSession]:
    async with db.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield async_session


async def test_a_decimal_is_read_as_it_was_written(session: AsyncSession) -> None:
    """With 15 digits, all of which a double holds."""
    prices = ["0.10", "0.30", "1.00", "19.99", "1234567890123.45", "9999999999999.99"]
    for price in prices:
        session.add(Ware(price=Decimal(price)))
    await session.commit()
    session.expunge_all()
    rows = await session.scalars(select(Ware).order_by(Ware.price))
    assert [str(row.price) for row in rows] == prices
    found = select(Ware).where(Ware.price == Decimal("19.99"))
    assert (await session.scalars(found)).one().price == Decimal("19.99")
    more = select(Ware.price).where(Ware.price > Decimal("1234567890123.44"))
    assert len((await session.scalars(more)).all()) == 2


async def test_what_has_more_places_is_rounded_alike(session: AsyncSession) -> None:
    ware = Ware(price=Decimal("0.125"))
    session.add(ware)
    await session.commit()
    await session.refresh(ware)
    assert str(ware.price) == "0.13"


async def test_the_default_of_the_table_is_a_decimal(session: AsyncSession) -> None:
    statement = text("INSERT INTO made_wares (id, shelf) VALUES (:id, 'A')")
    await session.execute(statement, {"id": "0" * 32})
    await session.commit()
    assert str(await session.scalar(select(Ware.price))) == "0.50"


async def test_a_check_compares_numbers(session: AsyncSession) -> None:
    session.add(Ware(price=Decimal("0.09")))
    with pytest.raises(IntegrityError):
        await session.commit()


def test_more_digits_than_a_double_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 15 digits"):
        FixedDecimal(16, 2)


async def refused(session: AsyncSession, *wares: Ware) -> IntegrityError:
    session.add_all(wares)
    with pytest.raises(IntegrityError) as caught:
        await session.flush()
    await session.rollback()
    return caught.value


async def test_a_unique_constraint_that_refuses_is_known(session: AsyncSession) -> None:
    uniques = {
        "number": (Ware.shelf, Ware.number),
        "code": (Ware.code,),
        "long": (Ware.shelf, Ware.long),
    }
    errors = {
        "number": await refused(session, Ware(number=1), Ware(number=1)),
        "code": await refused(session, Ware(code="x"), Ware(code="x")),
        "long": await refused(session, Ware(long=1), Ware(long=1)),
        "price": await refused(session, Ware(price=Decimal(0))),
        "shelf": await refused(session, Ware(shelf=null())),
    }
    for name, error in errors.items():
        named = [unique for unique, columns in uniques.items() if violates_unique(error, *columns)]
        assert named == ([name] if name in uniques else []), name
    assert not violates_unique(errors["number"], Ware.number)
