"""What is sent outside a transaction, or by the driver itself, is so only where nobody can tell."""

import enum
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from fastapi import FastAPI, HTTPException
from httpx2 import ASGITransport, AsyncClient
from pydantic import BaseModel, model_validator
from sqlalchemy import (
    ARRAY,
    JSON,
    CheckConstraint,
    Enum,
    MetaData,
    Numeric,
    TypeDecorator,
    bindparam,
    event,
    func,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import DeclarativeBase, Mapped, load_only, mapped_column
from sqlalchemy.pool import NullPool, StaticPool

from backend import db
from backend.core.columns import FixedDecimal
from backend.core.errors import LostWriteError
from backend.core.guarded import GuardedSession
from backend.core.middleware import RequestMiddleware
from backend.core.pagination import Page
from backend.core.problems import install_problem_handlers
from backend.core.quick import QuickLoad
from backend.core.quick_rows import scalars
from backend.db import SessionDep, async_session_maker, release_connection
from backend.settings import Settings, parse_database_url


class Base(DeclarativeBase):
    metadata = MetaData()


class Counter(Base):
    __tablename__ = "counters"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(default=0)


def next_number(context: Any) -> Any:
    counters: Any = Counter.__table__
    taken = update(counters).values(number=counters.c.number + 1).returning(counters.c.number)
    return context.connection.execute(taken).scalar()


class Invoice(Base):
    __tablename__ = "invoices"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(default=next_number)
    name: Mapped[str] = mapped_column(unique=True)


class Line(Base):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(CheckConstraint("what <> 'bad'", name="what"))


class Status(enum.Enum):
    DRAFT = "draft"


class Document(Base):
    __tablename__ = "documents"
    id: Mapped[int] = mapped_column(primary_key=True)
    # The value where the name belongs: what comes back cannot be read.
    status: Mapped[Status] = mapped_column(Enum(Status, native_enum=False), server_default="draft")


class Thing(Base):
    __tablename__ = "things"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    secret: Mapped[str | None]


class Preferences(Base):
    __tablename__ = "preferences"
    id: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[dict[str, Any]] = mapped_column(MutableDict.as_mutable(JSON))


class Money(TypeDecorator[Decimal]):
    impl = FixedDecimal
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(9, 2)


class Priced(Base):
    __tablename__ = "priced"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[Decimal] = mapped_column(Money())


THING = QuickLoad(Thing, select(Thing).where(Thing.id == bindparam("id")))


@pytest_asyncio.fixture(autouse=True)
async def tables(database: None) -> None:
    async with db.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


async def count(model: type[Base]) -> int:
    async with async_session_maker() as session:
        return await session.scalar(select(func.count()).select_from(model)) or 0


def checked_out() -> int:
    pool: Any = db.engine.pool
    return int(pool.checkedout())


@contextmanager
def listening(target: Any, name: str, listener: Callable[..., Any]) -> Any:
    event.listen(target, name, listener)
    try:
        yield
    finally:
        event.remove(target, name, listener)


# What is not committed is not kept


@pytest_asyncio.fixture
async def client() -> AsyncIterator[AsyncClient]:
    app = FastAPI()
    install_problem_handlers(app)
    app.add_middleware(RequestMiddleware, https=False, max_body_bytes=1000)

    @app.post("/savepoint")
    async def savepoint(session: SessionDep) -> None:
        try:
            async with session.begin_nested():
                session.add(Thing(id=1))
        except IntegrityError:
            raise HTTPException(409) from None
        await session.commit()

    @app.post("/savepoint-is-lost")
    async def savepoint_is_lost(session: SessionDep) -> None:
        async with session.begin_nested():
            session.add(Thing(id=1))

    @app.post("/refused/{how}")
    async def refused(how: str, session: SessionDep) -> None:
        change = update(Thing).values(name="after")
        if how == "text":
            await session.execute(text("UPDATE things SET name = 'after'"))
        elif how == "connection":
            await (await session.connection()).execute(change)
        elif how == "bulk":
            await session.run_sync(
                lambda own: own.bulk_update_mappings(Thing, [{"id": 1, "name": "after"}])
            )
        else:
            await session.execute(select(change.returning(Thing.id).cte()))

    @app.post("/undone")
    async def undone(session: SessionDep) -> None:
        try:
            async with session.begin_nested():
                session.add(Thing(id=1))
        except IntegrityError:
            pass

    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        yield client


async def test_a_savepoint_that_fails_leaves_nothing_open(client: AsyncClient) -> None:
    assert (await client.post("/savepoint")).status_code == 200
    for _ in range(3):
        assert (await client.post("/savepoint")).status_code == 409
        assert checked_out() == 0
    async with async_session_maker() as session:
        session.add(Thing(id=2))
        await session.commit()


async def test_what_a_savepoint_undid_is_no_lost_write(client: AsyncClient) -> None:
    await client.post("/savepoint")
    assert (await client.post("/undone")).status_code == 200
    assert checked_out() == 0


async def test_what_a_savepoint_kept_is_lost_without_a_commit(client: AsyncClient) -> None:
    with pytest.raises(LostWriteError):
        await client.post("/savepoint-is-lost")
    assert await count(Thing) == 0
    assert checked_out() == 0


async def test_release_connection_sees_what_a_savepoint_kept() -> None:
    async with async_session_maker() as session:
        async with session.begin_nested():
            session.add(Thing(id=1))
        with pytest.raises(LostWriteError):
            await release_connection(session)
        await session.rollback()
    assert await count(Thing) == 0


@pytest.mark.parametrize("how", ["text", "connection", "bulk", "cte"])
async def test_whatever_writes_is_not_committed_by_the_answer(
    client: AsyncClient, how: str, database_kind: str
) -> None:
    async with async_session_maker() as session:
        session.add(Thing(id=1, name="before"))
        await session.commit()
    if how == "cte" and database_kind == "sqlite":  # which has none that write
        assert (await client.post(f"/refused/{how}")).status_code == 500
    else:
        with pytest.raises(LostWriteError):
            await client.post(f"/refused/{how}")
    async with async_session_maker() as session:
        assert (await session.get_one(Thing, 1)).name == "before"
    assert checked_out() == 0


# What is more than one statement is a transaction


async def test_a_default_that_asks_the_database_is_part_of_it() -> None:
    async with async_session_maker() as session:
        session.add_all([Counter(id=1), Invoice(name="a", number=0)])
        await session.commit()
        session.add(Invoice(name="a"))
        with pytest.raises(IntegrityError):
            await session.commit()
        await session.rollback()
        assert await session.scalar(select(Counter.number)) == 0


async def test_what_is_added_when_an_object_is_stored_is_part_of_it() -> None:
    def add_line(session: Any, instance: object) -> None:
        if isinstance(instance, Thing):
            session.add(Line(what="bad"))

    with listening(GuardedSession, "pending_to_persistent", add_line):
        async with async_session_maker() as session:
            session.add(Thing(id=1))
            with pytest.raises(IntegrityError):
                await session.commit()
    assert await count(Thing) == 0


async def test_what_an_engines_listener_writes_is_part_of_it() -> None:
    def write(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "things" in statement:
            connection.execute(text("INSERT INTO lines (what) VALUES ('bad')"))

    with listening(db.engine.sync_engine, "after_cursor_execute", write):
        async with async_session_maker() as session:
            session.add(Thing(id=1))
            with pytest.raises(SQLAlchemyError):
                await session.commit()
    assert await count(Thing) == 0


async def test_a_value_of_the_database_that_cannot_be_read_undoes_it() -> None:
    async with async_session_maker() as session:
        session.add(Document())
        with pytest.raises(LookupError):
            await session.commit()
        await session.rollback()
    assert await count(Document) == 0


@pytest.mark.parametrize("what", ["session", "engine"])
async def test_what_a_listener_sets_for_the_transaction_holds_for_the_write(
    what: str, database_kind: str
) -> None:
    """As for a trigger that writes down who did it, or for row level security."""
    if database_kind == "sqlite":
        return
    async with db.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE things ADD who text"))
        await connection.execute(
            text("ALTER TABLE things ALTER who SET DEFAULT current_setting('app.who', true)")
        )

    def say_who(*given: Any) -> None:
        given[-1].execute(text("SELECT set_config('app.who', 'ann', true)"))

    target, name = (
        (GuardedSession, "after_begin") if what == "session" else (db.engine.sync_engine, "begin")
    )
    with listening(target, name, say_who):
        async with async_session_maker() as session:
            session.add(Thing(id=1))
            await session.commit()
    async with db.engine.connect() as connection:
        assert await connection.scalar(text("SELECT who FROM things")) == "ann"


async def test_a_listener_to_the_begin_is_heard_before_a_read(database_kind: str) -> None:
    heard: list[object] = []
    async with async_session_maker() as session:
        session.add(Thing(id=1))
        await session.commit()
    with listening(GuardedSession, "after_begin", lambda *given: heard.append(given)):
        async with async_session_maker() as session:
            assert await THING.one(session, id=1) is not None
        async with async_session_maker() as session:
            assert len(await scalars(session, select(Thing))) == 1
    assert len(heard) == 2


async def test_a_commit_that_finds_no_connection_leaves_nothing_pending(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.core.engines.POOL_TIMEOUT_SECONDS", 0.2)
    engine = db.make_engine(parse_database_url(database_url), Settings(DATABASE_POOL_SIZE="1"))
    async with engine.connect(), async_session_maker(bind=engine) as session:
        session.add(Thing(id=1))
        with pytest.raises(PoolTimeoutError):
            await session.commit()
        assert list(session.new) == []
    await engine.dispose()


# What is loaded is what the session would have loaded


async def test_a_change_inside_a_value_is_kept() -> None:
    by_id = QuickLoad(Preferences, select(Preferences).where(Preferences.id == bindparam("id")))
    async with async_session_maker() as session:
        session.add(Preferences(id=1, data={"a": 1}))
        await session.commit()
    async with async_session_maker() as session:
        found = await by_id.one(session, id=1)
        assert found is not None
        found.data["a"] = 2
        await session.commit()
    async with async_session_maker() as session:
        assert (await session.get_one(Preferences, 1)).data == {"a": 2}


async def test_what_was_loaded_in_part_is_loaded_whole() -> None:
    async with async_session_maker() as session:
        session.add(Thing(id=1, name="n", secret="s"))
        await session.commit()
    for ask in ("one", "many"):
        async with async_session_maker() as session:
            known = (await session.scalars(select(Thing).options(load_only(Thing.name)))).one()
            await session.commit()
            found = (
                await THING.one(session, id=1)
                if ask == "one"
                else (await scalars(session, select(Thing)))[0]
            )
            assert found is known
            assert found.secret == "s"


async def test_where_a_join_finds_nothing_there_is_no_object() -> None:
    async with async_session_maker() as session:
        session.add(Line(id=1, what="fine"))
        await session.commit()
    for outer in (
        select(Thing).select_from(Line).outerjoin(Thing, Thing.id == Line.id),
        select(Thing).select_from(Line).join(Thing, Thing.id == Line.id, isouter=True),
    ):
        async with async_session_maker() as session:
            assert list(await scalars(session, outer)) == [None]


async def test_types_made_of_types() -> None:
    async with async_session_maker() as session:
        session.add(Priced(id=1, price=Decimal("1.25")))
        await session.commit()
    async with async_session_maker() as session:
        (found,) = await scalars(session, select(Priced))
        assert found.price == Decimal("1.25")


async def test_arrays(database_kind: str) -> None:
    if database_kind == "sqlite":
        return

    class Own(DeclarativeBase):
        pass

    class Row(Own):
        __tablename__ = "rows_with_arrays"
        id: Mapped[int] = mapped_column(primary_key=True)
        prices: Mapped[list[Decimal]] = mapped_column(ARRAY(Numeric(9, 2)))

    async with db.engine.begin() as connection:
        await connection.run_sync(Own.metadata.create_all)
    async with async_session_maker() as session:
        session.add(Row(id=1, prices=[Decimal("1.25")]))
        await session.commit()
    async with async_session_maker() as session:
        (found,) = await scalars(session, select(Row))
        assert found.prices == [Decimal("1.25")]


def test_a_validator_of_a_pages_items_is_given_the_row() -> None:
    class Shown(BaseModel):
        label: str

        @model_validator(mode="before")
        @classmethod
        def _label(cls, row: Any) -> Any:
            return {"label": f"{row.id} {row.name}"}

    page = Page[Shown].model_validate({"items": [Thing(id=1, name="n")], "next_cursor": None})
    assert page.items[0].label == "1 n"


@pytest.mark.parametrize(
    "options", [{"poolclass": NullPool}, {"poolclass": StaticPool}, {"pool_size": 0}]
)
async def test_engines_of_every_kind(database_url: str, options: dict[str, Any]) -> None:
    async with async_session_maker() as session:
        session.add(Thing(id=1, name="n"))
        await session.commit()
    engine = create_async_engine(parse_database_url(database_url), **options)
    for _ in range(3):
        async with AsyncSession(engine) as session:
            found = await THING.one(session, id=1)
            assert found is not None
            assert found.name == "n"
    await engine.dispose()


async def test_behind_pgbouncer_every_statement_is_in_a_transaction(
    database_url: str, database_kind: str
) -> None:
    """Only there does it keep one connection of the server for what is prepared and then run."""
    if database_kind == "sqlite":
        return
    engine = db.make_engine(parse_database_url(database_url), Settings(DATABASE_PGBOUNCER="true"))
    sent: list[str] = []
    async with engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        driver.add_query_logger(lambda record: sent.append(record.query.split()[0].rstrip(";")))
    async with async_session_maker(bind=engine) as session:
        session.add(Thing(id=uuid.uuid4().int % 1000))
        await session.commit()
        await session.scalars(select(Thing))
        await session.commit()
    await engine.dispose()
    assert [word for word in sent if word in {"BEGIN", "COMMIT"}] == ["BEGIN", "COMMIT"] * 2
