"""A page's objects are those that the session would have loaded."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Select, event, func, inspect, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import ORMExecuteState, Session, defer, with_loader_criteria

from backend.core.errors import InvalidInputError
from backend.core.guarded import GuardedSession
from backend.core.observe import recorded_statements
from backend.core.quick_rows import scalars
from backend.db import async_session_maker
from backend.services.auth.models import UserSession
from backend.services.users.models import User


@pytest_asyncio.fixture
async def people(database: None) -> AsyncIterator[None]:
    async with async_session_maker() as session:
        for name in ("Ann", "Bob", None):
            session.add(User(email=f"{name}@example.com", hashed_password="!", name=name))
        await session.commit()
    yield


def by_address() -> Select[User]:
    return select(User).order_by(User.email_key)


async def names(session: AsyncSession, statement: Select[User]) -> list[str | None]:
    return [user.name for user in await scalars(session, statement)]


async def test_they_are_what_the_session_would_have_loaded(people: None) -> None:
    columns = [attribute.key for attribute in inspect(User).column_attrs]

    def values(users: Any) -> list[Any]:
        return [
            (name, type(getattr(user, name)), getattr(user, name))
            for user in users
            for name in columns
        ]

    async with async_session_maker() as quick, async_session_maker() as ordinary:
        found = await scalars(quick, by_address())
        assert len(found) == 3
        assert values(found) == values(await ordinary.scalars(by_address()))
        assert all(inspect(user).persistent and not inspect(user).modified for user in found)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (lambda: User.name == "Bob", ["Bob"]),
        (lambda: User.name.is_(None), [None]),
        (lambda: User.name.in_(["Ann", "Bob"]), ["Ann", "Bob"]),
        (lambda: User.name.in_([]), []),
        (lambda: User.name.icontains("O"), ["Bob"]),
        (lambda: User.id.in_(select(User.id).where(User.name == "Ann")), ["Ann"]),
        (lambda: func.lower(User.name) == "ann", ["Ann"]),
        (lambda: User.is_active & ~User.is_superuser, ["Ann", "Bob", None]),
    ],
)
async def test_whatever_the_condition(
    people: None, condition: Callable[[], Any], expected: list[str | None]
) -> None:
    async with async_session_maker() as session:
        for _ in range(2):  # the second comes from the cache
            assert await names(session, by_address().where(condition())) == expected


async def test_the_same_statement_with_other_values(people: None) -> None:
    async with async_session_maker() as session:
        for name in ("Ann", "Bob", "Ann"):
            for limit in (1, 2):
                found = by_address().where(User.name == name).limit(limit)
                assert await names(session, found) == [name]
        assert await names(session, by_address().offset(1).limit(1)) == ["Bob"]


async def test_a_session_has_one_object_of_a_row(people: None) -> None:
    async with async_session_maker() as session:
        (ann,) = await scalars(session, by_address().where(User.name == "Ann"))
        assert (await scalars(session, by_address()))[0] is ann
        ann.name = "Anna"
        await session.commit()
    async with async_session_maker() as session:
        assert await names(session, by_address()) == ["Anna", "Bob", None]


async def test_an_object_that_is_stale_is_loaded_again(people: None) -> None:
    async with async_session_maker() as session, async_session_maker() as other:
        (ann,) = await scalars(session, by_address().where(User.name == "Ann"))
        session.expire(ann)
        await other.execute(update(User).where(User.name == "Ann").values(name="Anna"))
        await other.commit()
        assert await names(session, by_address()) == ["Anna", "Bob", None]


async def test_a_session_sees_its_own_changes(people: None) -> None:
    async with async_session_maker() as session:
        session.add(User(email="carl@example.com", hashed_password="!", name="Carl"))
        assert await names(session, by_address().where(User.name == "Carl")) == ["Carl"]
        await session.rollback()
        await session.execute(update(User).where(User.name == "Bob").values(name="Ben"))
        assert await names(session, by_address().where(User.name == "Ben")) == ["Ben"]


@contextmanager
def listening(name: str, listener: Callable[..., Any], target: Any) -> Iterator[None]:
    event.listen(target, name, listener)
    try:
        yield
    finally:
        event.remove(target, name, listener)


async def test_a_listener_narrows_it(people: None) -> None:
    """As rows that are marked as deleted, or another tenant's, are kept out of every query."""

    def only_ann(state: ORMExecuteState) -> None:
        state.statement = state.statement.options(
            with_loader_criteria(User, lambda cls: cls.name == "Ann")
        )

    async with async_session_maker() as session:
        assert len(await scalars(session, by_address())) == 3
        for target in (Session, GuardedSession, session.sync_session):
            with listening("do_orm_execute", only_ann, target):
                assert await names(session, by_address()) == ["Ann"]


@pytest.mark.parametrize(
    ("name", "target"),
    [("load", User), ("loaded_as_persistent", GuardedSession)],
)
async def test_a_listener_hears_of_each_object(people: None, name: str, target: Any) -> None:
    heard = []
    async with async_session_maker() as session:
        await scalars(session, by_address())
    with listening(name, lambda *given: heard.append(given), target):
        async with async_session_maker() as session:
            await scalars(session, by_address())
    assert len(heard) == 3


async def test_options_are_followed(people: None) -> None:
    async with async_session_maker() as session:
        found = await scalars(session, by_address().options(defer(User.hashed_password)))
        assert "hashed_password" in inspect(found[0]).unloaded


async def test_what_is_no_object_of_one_table(people: None) -> None:
    async with async_session_maker() as session:
        assert await scalars(session, select(User.name).order_by(User.email_key)) == [
            "Ann",
            "Bob",
            None,
        ]
        joined = by_address().join(UserSession, UserSession.user_id == User.id, isouter=True)
        assert await names(session, joined) == ["Ann", "Bob", None]


async def test_rows_are_locked_where_that_is_asked_for(people: None, database_kind: str) -> None:
    async with async_session_maker() as session:
        await scalars(session, by_address().with_for_update())
        # SQLite has no such locks, and reads.
        assert session.in_transaction() == (database_kind == "postgresql")


async def test_its_statement_is_recorded(people: None) -> None:
    with recorded_statements() as statements:
        async with async_session_maker() as session:
            await scalars(session, by_address())
            assert not session.in_transaction()
    assert [(item.text.split()[0], item.rows) for item in statements] == [("SELECT", 3)]


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
async def test_text_that_the_database_cannot_hold_is_the_clients_mistake(
    people: None, value: str
) -> None:
    async with async_session_maker() as session:
        with pytest.raises(InvalidInputError):
            await scalars(session, by_address().where(User.name == value))


async def test_a_number_that_the_database_cannot_hold_is_the_clients_mistake(
    people: None,
) -> None:
    from backend.services.email.models import Email

    async with async_session_maker() as session:
        with pytest.raises(InvalidInputError):
            await scalars(session, select(Email).where(Email.attempts == 10**30))


async def test_there_may_be_none(database: None) -> None:
    async with async_session_maker() as session:
        assert list(await scalars(session, by_address().where(User.id == uuid.uuid4()))) == []


async def test_a_mistake_in_the_statement_is_sqlalchemys_error(people: None) -> None:
    async with async_session_maker() as session:
        with pytest.raises(DBAPIError):
            await scalars(session, by_address().where(text("no_such_column = 1")))
