"""What is loaded by the driver itself behaves as what the session loads."""

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import (
    ForeignKey,
    bindparam,
    event,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    ORMExecuteState,
    Session,
    mapped_column,
    relationship,
    with_loader_criteria,
)

from backend import db
from backend.core.errors import UnavailableError
from backend.core.observe import recorded_statements
from backend.core.quick import QuickInsert, QuickLoad
from backend.db import async_session_maker
from backend.services.auth.models import UserSession
from backend.services.users.models import User
from backend.settings import Settings, parse_database_url

BY_ID = QuickLoad(User, select(User).where(User.id == bindparam("id")))


@pytest.fixture
async def jane(async_session: AsyncSession) -> uuid.UUID:
    user = User(email="jane@example.com", hashed_password="!", name="Jane")
    async_session.add(user)
    await async_session.commit()
    return user.id


async def load(session: AsyncSession, user_id: uuid.UUID) -> User:
    user = await BY_ID.one(session, id=user_id)
    assert user is not None
    return user


async def test_it_is_what_the_session_would_have_loaded(jane: uuid.UUID) -> None:
    async with async_session_maker() as quick, async_session_maker() as ordinary:
        loaded = await load(quick, jane)
        expected = await ordinary.get_one(User, jane)
        names = [attribute.key for attribute in inspect(User).column_attrs]
        values = [
            (getattr(user, name), type(getattr(user, name)))
            for user in (loaded, expected)
            for name in names
        ]
        assert values[: len(names)] == values[len(names) :]
        assert inspect(loaded).persistent
        assert not inspect(loaded).modified


async def test_there_may_be_none(database: None) -> None:
    async with async_session_maker() as session:
        assert await BY_ID.one(session, id=uuid.uuid4()) is None


async def test_what_is_changed_on_it_is_committed(jane: uuid.UUID) -> None:
    async with async_session_maker() as session:
        (await load(session, jane)).name = "Janet"
        await session.commit()
    async with async_session_maker() as session:
        assert (await session.get_one(User, jane)).name == "Janet"


async def test_a_session_has_one_object_of_a_row(jane: uuid.UUID) -> None:
    async with async_session_maker() as session:
        loaded = await load(session, jane)
        assert await session.get(User, jane) is loaded
        assert await load(session, jane) is loaded


async def test_a_session_sees_its_own_changes(jane: uuid.UUID) -> None:
    async with async_session_maker() as session:
        await session.execute(update(User).values(name="Janet"))
        assert (await load(session, jane)).name == "Janet"
        await session.rollback()
    async with async_session_maker() as session:
        assert (await load(session, jane)).name == "Jane"


async def test_an_object_that_is_stale_is_loaded_again(jane: uuid.UUID) -> None:
    """As after a rollback; reading an attribute of it would be an error."""
    async with async_session_maker() as session:
        loaded = await load(session, jane)
        session.add(User(email="john@example.com", hashed_password="!"))
        await session.flush()
        await session.rollback()
        assert inspect(loaded).expired
        assert (await load(session, jane)).name == "Jane"


async def test_it_holds_no_connection(jane: uuid.UUID) -> None:
    async with async_session_maker() as session:
        pool = db.engine.sync_engine.pool
        await load(session, jane)
        assert "Current Checked out connections: 0" in pool.status()


async def test_its_statement_is_recorded(jane: uuid.UUID) -> None:
    with recorded_statements() as statements:
        async with async_session_maker() as session:
            await load(session, jane)
    assert [(item.text.split()[0], item.rows) for item in statements] == [("SELECT", 1)]


async def test_it_waits_for_a_connection(jane: uuid.UUID, database_url: str) -> None:
    engine = db.make_engine(parse_database_url(database_url), Settings(DATABASE_POOL_SIZE="1"))
    db.async_session_maker.configure(bind=engine)

    async def name() -> str | None:
        async with async_session_maker() as session:
            return (await load(session, jane)).name

    assert await asyncio.gather(*(name() for _ in range(20))) == ["Jane"] * 20
    await engine.dispose()


async def test_connections_that_the_server_closed_are_replaced(
    jane: uuid.UUID, database_kind: str
) -> None:
    if database_kind == "sqlite":
        return
    closed = asyncio.Event()
    async with async_session_maker() as one, async_session_maker() as other:
        await one.execute(text("SELECT 1"))
        driver = (await (await other.connection()).get_raw_connection()).driver_connection
        assert driver is not None
        driver.add_termination_listener(lambda _driver: closed.set())
        await other.rollback()
        pid = {"pid": driver.get_server_pid()}
        await one.execute(text("SELECT pg_terminate_backend(:pid)"), pid)
        await asyncio.wait_for(closed.wait(), 10)
    for _ in range(3):
        async with async_session_maker() as session:
            assert (await load(session, jane)).name == "Jane"


async def test_a_request_that_is_given_up_leaves_no_broken_connection(jane: uuid.UUID) -> None:
    async def once() -> None:
        async with async_session_maker() as session:
            await load(session, jane)

    for _ in range(30):
        task = asyncio.create_task(once())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await once()


async def test_a_database_that_is_away_is_unavailable() -> None:
    engine = db.make_engine(parse_database_url("postgresql://nobody@127.0.0.1:1/none"))
    async with AsyncSession(engine) as session:
        with pytest.raises(UnavailableError):
            await BY_ID.one(session, id=uuid.uuid4())


async def test_a_mistake_in_the_statement_is_sqlalchemys_error(jane: uuid.UUID) -> None:
    wrong = QuickLoad(User, select(User).where(text("no_such_column = 1")))
    async with async_session_maker() as session:
        with pytest.raises(DBAPIError):
            await wrong.one(session)
    ends = datetime.now(UTC)
    twice = QuickInsert(
        insert(UserSession).values(
            id=jane, user_id=jane, created_at=ends, last_used_at=ends, expires_at=ends
        ),
        returning=UserSession.__table__.c.id,
    )
    async with async_session_maker() as session:
        assert await twice.commit(session) == jane
        with pytest.raises(IntegrityError):
            await twice.commit(session)
    async with async_session_maker() as session:
        assert await session.scalar(select(func.count()).select_from(UserSession)) == 1


async def test_a_database_that_is_not_there_is_unavailable(
    database_kind: str, database_url: str
) -> None:
    """As while `backend db reset --to` exchanges it."""
    if database_kind == "sqlite":
        return
    url = parse_database_url(database_url)
    engine = db.make_engine(url.set(database="not_there"))
    async with AsyncSession(engine) as session:
        with pytest.raises(UnavailableError):
            await BY_ID.one(session, id=uuid.uuid4())
    await engine.dispose()


async def test_a_listener_narrows_it(jane: uuid.UUID) -> None:
    """As for accounts that were deleted softly, or belong to somebody else's organisation."""

    def nobody(state: ORMExecuteState) -> None:
        state.statement = state.statement.options(with_loader_criteria(User, User.name == "nobody"))

    async with async_session_maker() as session:
        event.listen(session.sync_session, "do_orm_execute", nobody)
        assert await BY_ID.one(session, id=jane) is None


@pytest.mark.parametrize(("name", "target"), [("load", User), ("loaded_as_persistent", Session)])
async def test_a_listener_hears_of_the_object(jane: uuid.UUID, name: str, target: Any) -> None:
    heard = []

    def hear(*arguments: object) -> None:
        heard.append(arguments)

    event.listen(target, name, hear)
    try:
        async with async_session_maker() as session:
            await load(session, jane)
    finally:
        event.remove(target, name, hear)
    assert len(heard) == 1


async def test_what_is_loaded_with_an_object_is_loaded(database: None) -> None:
    class Own(DeclarativeBase):
        pass

    class Box(Own):
        __tablename__ = "boxes"
        id: Mapped[int] = mapped_column(primary_key=True)
        things: Mapped[list["Thing"]] = relationship(lazy="selectin")

    class Thing(Own):
        __tablename__ = "things"
        id: Mapped[int] = mapped_column(primary_key=True)
        box_id: Mapped[int] = mapped_column(ForeignKey("boxes.id"))

    async with db.engine.begin() as connection:
        await connection.run_sync(Own.metadata.create_all)
    async with async_session_maker() as session:
        session.add(Box(id=1, things=[Thing(id=1)]))
        await session.commit()
    by_id = QuickLoad(Box, select(Box).where(Box.id == bindparam("id")))
    async with async_session_maker() as session:
        box = await by_id.one(session, id=1)
        assert box is not None
        assert [thing.id for thing in box.things] == [1]
