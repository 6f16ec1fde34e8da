"""What services can rely on: reads that do not block, writes that wait, and no lost write."""

import asyncio
import sqlite3
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from fastapi import Depends, FastAPI, HTTPException
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import event, func, select, text, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

import backend.app  # noqa: F401 - configures the logs
from backend import db
from backend.core.clock import utc_now
from backend.core.engines import only_reads
from backend.core.errors import InvalidInputError, LostWriteError, UnavailableError
from backend.core.guarded import GuardedSession
from backend.core.middleware import RequestMiddleware
from backend.core.observe import recorded_events
from backend.core.problems import install_problem_handlers
from backend.db import async_session_maker, get_async_session, release_connection
from backend.services.auth.models import UserSession
from backend.services.users.models import User
from backend.settings import Settings, parse_database_url, settings


def user(*, hashed_password: str = "x", **values: object) -> User:
    return User(email=f"{uuid.uuid4().hex}@example.com", hashed_password=hashed_password, **values)


async def test_parallel_writers_wait_for_their_turn(database: None) -> None:
    """More writers than connections; each reads, thinks, and writes in one transaction."""
    async with async_session_maker() as session:
        counter = user(name="0")
        session.add(counter)
        await session.commit()

    async def count_up() -> None:
        async with async_session_maker() as session:
            await session.scalar(select(func.count()).select_from(User))
            await session.execute(
                update(User)
                .where(User.id == counter.id)
                .values(hashed_password=User.hashed_password + "x")
            )
            session.add(user())
            await session.commit()

    await asyncio.gather(*(count_up() for _ in range(40)))
    async with async_session_maker() as session:
        assert await session.scalar(select(func.count()).select_from(User)) == 41
        stored = await session.get_one(User, counter.id)
        assert stored.hashed_password == "x" * 41


async def test_reading_goes_on_while_somebody_writes(database: None) -> None:
    async with async_session_maker() as writer, async_session_maker() as reader:
        writer.add(user())
        await writer.flush()
        async with asyncio.timeout(5):
            assert await reader.scalar(select(func.count()).select_from(User)) == 0
        await writer.commit()
        assert await reader.scalar(select(func.count()).select_from(User)) == 1


async def test_a_failed_transaction_leaves_nothing_behind(async_session: AsyncSession) -> None:
    async_session.add(user())
    await async_session.flush()
    await async_session.rollback()
    assert await async_session.scalar(select(func.count()).select_from(User)) == 0


async def test_datetimes_come_back_aware_and_naive_ones_are_refused(
    async_session: AsyncSession,
) -> None:
    moment = utc_now()
    row = user(created_at=moment)
    async_session.add(row)
    await async_session.commit()
    async_session.expunge_all()
    stored = await async_session.get_one(User, row.id)
    assert stored.created_at == moment
    assert stored.created_at.utcoffset() is not None
    async_session.add(user(created_at=moment.replace(tzinfo=None)))
    with pytest.raises(Exception, match="naive datetime"):
        await async_session.commit()
    await async_session.rollback()


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
async def test_text_that_the_database_cannot_hold_is_the_clients_mistake(
    async_session: AsyncSession, value: str
) -> None:
    async_session.add(user(name=value))
    with pytest.raises(InvalidInputError):
        await async_session.commit()


async def test_a_search_ignores_the_case_of_every_letter(async_session: AsyncSession) -> None:
    async_session.add(user(name="ÉCOLE"))
    await async_session.commit()
    found = select(User.name).where(User.name.icontains("école"))
    assert await async_session.scalar(found) == "ÉCOLE"


async def test_numbers_that_the_database_cannot_hold_are_the_clients_mistake(
    async_session: AsyncSession,
) -> None:
    from backend.services.email.models import Email

    with pytest.raises(InvalidInputError):
        await async_session.execute(select(Email).where(Email.attempts == 10**30))


@pytest_asyncio.fixture
async def client(database: None) -> AsyncIterator[AsyncClient]:
    """An app whose routes treat their sessions in every way there is."""
    app = FastAPI()
    install_problem_handlers(app)
    app.add_middleware(RequestMiddleware, https=False, max_body_bytes=1000)

    @app.post("/forgets-to-commit/{how}")
    async def forget(how: str, session: AsyncSession = Depends(get_async_session)) -> str:
        session.add(user())
        if how == "flushed":
            await session.flush()
        if how == "statement":
            session.expunge_all()
            await session.execute(update(User).values(name="x"))
        return "ok"

    @app.post("/commits")
    async def commits(session: AsyncSession = Depends(get_async_session)) -> str:
        session.add(user())
        await session.commit()
        return "ok"

    @app.post("/refuses")
    async def refuses(session: AsyncSession = Depends(get_async_session)) -> str:
        session.add(user())
        await session.flush()
        raise HTTPException(409, "no")

    @app.post("/rolls-back")
    async def rolls_back(session: AsyncSession = Depends(get_async_session)) -> str:
        session.add(user())
        await session.flush()
        await session.rollback()
        return "ok"

    @app.post("/twice")
    async def twice(session: AsyncSession = Depends(get_async_session)) -> None:
        session.add_all([user(id=uuid.UUID(int=1)), user(id=uuid.UUID(int=1))])
        await session.commit()

    @app.post("/nobodys")
    async def nobodys(session: AsyncSession = Depends(get_async_session)) -> None:
        session.add(UserSession(user_id=uuid.uuid4(), expires_at=utc_now()))
        await session.commit()

    @app.post("/incomplete")
    async def incomplete(session: AsyncSession = Depends(get_async_session)) -> None:
        session.add(User(hashed_password="x"))  # without an address
        await session.commit()

    @app.delete("/nothing", status_code=204)
    async def nothing() -> None:
        return None

    @app.get("/fails")
    async def fails() -> str:
        raise RuntimeError("the inside: password=hunter2")

    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        yield client


@pytest.mark.parametrize("how", ["new", "flushed", "statement"])
async def test_a_lost_write_is_an_error_in_development(client: AsyncClient, how: str) -> None:
    with pytest.raises(LostWriteError, match="nobody committed"):
        await client.post(f"/forgets-to-commit/{how}")


async def test_a_lost_write_is_in_the_log_in_production(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "environment", "production")
    with recorded_events() as events:
        assert (await client.post("/forgets-to-commit/new")).status_code == 200
    assert "database.lost_write" in {event["event"] for event in events}


@pytest.mark.parametrize(
    ("path", "status"), [("/commits", 200), ("/refuses", 409), ("/rolls-back", 200)]
)
async def test_what_is_no_lost_write(client: AsyncClient, path: str, status: int) -> None:
    assert (await client.post(path)).status_code == status


async def test_a_500_says_nothing_of_the_inside(client: AsyncClient) -> None:
    answer = await client.get("/fails")
    assert answer.status_code == 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.json()["code"] == "internal_error"
    assert "hunter2" not in answer.text
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/twice", 409, "conflict"),
        ("/nobodys", 409, "reference_conflict"),
        ("/incomplete", 500, "internal_error"),
    ],
)
async def test_a_constraint_that_no_service_catches(
    client: AsyncClient, path: str, status: int, code: str
) -> None:
    answer = await client.post(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_an_answer_without_content_has_no_type(client: AsyncClient) -> None:
    answer = await client.delete("/nothing")
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Type" not in answer.headers


async def test_release_connection_refuses_to_commit_half_a_transaction(
    async_session: AsyncSession,
) -> None:
    async_session.add(user())
    with pytest.raises(LostWriteError):
        await release_connection(async_session)


async def test_a_database_that_is_away_is_unavailable(tmp_path: Path) -> None:
    engine = db.make_engine(parse_database_url("postgresql://nobody:secret@127.0.0.1:1/none"))
    with pytest.raises(UnavailableError) as raised:
        async with engine.connect():
            pass
    assert "secret" not in str(raised.value)
    await engine.dispose()


async def test_a_full_disk_is_unavailable_and_loses_nothing_committed(
    async_session: AsyncSession, database_kind: str
) -> None:
    if database_kind == "postgresql":
        return
    async_session.add(user(name="before"))
    await async_session.commit()
    pages = await async_session.scalar(text("PRAGMA page_count"))
    await async_session.execute(text(f"PRAGMA max_page_count = {pages}"))
    async_session.add_all(user(hashed_password="x" * 1000) for _ in range(200))
    with pytest.raises(UnavailableError):
        await async_session.commit()
    await async_session.rollback()
    assert await async_session.scalar(select(User.name)) == "before"


async def test_a_connection_that_the_server_closed_is_replaced(
    database: None, database_kind: str
) -> None:
    """As after a restart of PostgreSQL: a connection that waited in the pool fails no request."""
    if database_kind == "sqlite":
        return
    closed = asyncio.Event()
    async with async_session_maker() as one, async_session_maker() as other:
        await one.execute(text("SELECT 1"))
        connection = await (await other.connection()).get_raw_connection()
        driver = connection.driver_connection
        assert driver is not None
        driver.add_termination_listener(lambda _driver: closed.set())
        pid = driver.get_server_pid()
        await other.rollback()
        await one.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        await asyncio.wait_for(closed.wait(), 10)
    async with async_session_maker() as first, async_session_maker() as second:
        for session in (first, second):
            assert await session.scalar(text("SELECT 1")) == 1


async def _is_in_transaction(session: AsyncSession) -> bool:
    driver: Any = (await (await session.connection()).get_raw_connection()).driver_connection
    inside = driver.in_transaction if settings.database.get_backend_name() == "sqlite" else None
    return bool(driver.is_in_transaction() if inside is None else inside)


async def test_reads_are_outside_a_transaction_and_the_first_write_begins_one(
    async_session: AsyncSession,
) -> None:
    await async_session.scalars(select(User))
    await async_session.scalar(select(func.count()).select_from(User))
    assert not await _is_in_transaction(async_session)
    async_session.add(user())
    await async_session.flush()
    assert await _is_in_transaction(async_session)
    await async_session.scalars(select(User))
    assert await _is_in_transaction(async_session)
    await async_session.rollback()
    assert not await _is_in_transaction(async_session)
    assert await async_session.scalar(select(User)) is None


@contextmanager
def statements_of_driver(driver: Any) -> Iterator[list[str]]:
    """What SQLAlchemy's events leave out: BEGIN and COMMIT."""
    sent: list[str] = []
    if settings.database.get_backend_name() == "sqlite":
        driver._conn.set_trace_callback(lambda line: sent.append(line.split()[0]))
        yield sent
        driver._conn.set_trace_callback(None)
        return

    def note(record: Any) -> None:
        sent.append(record.query.split()[0].rstrip(";"))

    driver.add_query_logger(note)
    yield sent
    driver.remove_query_logger(note)


@pytest_asyncio.fixture
async def sent(database: None, database_url: str) -> AsyncIterator[list[str]]:
    engine = db.make_engine(parse_database_url(database_url), Settings(DATABASE_POOL_SIZE="1"))
    db.async_session_maker.configure(bind=engine)
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
    with statements_of_driver(driver) as sent:
        yield sent
    await engine.dispose()


async def test_one_change_needs_no_transaction_around_it(sent: list[str]) -> None:
    async with async_session_maker() as session:
        row = user(name="Ann")
        session.add(row)
        await session.commit()
        row.name = "Anna"
        await session.commit()
    async with async_session_maker() as session:
        (stored,) = await session.scalars(select(User))
        assert stored.name == "Anna"
        await session.commit()
        await session.delete(stored)
        await session.commit()
        assert await session.scalar(select(func.count()).select_from(User)) == 0
    assert {"BEGIN", "COMMIT"}.isdisjoint(sent)


async def test_two_changes_are_a_transaction(sent: list[str]) -> None:
    async with async_session_maker() as session:
        session.add_all([user(), user()])
        await session.commit()
        session.add(user())
        await session.flush()
        session.add(user())
        await session.commit()
        await session.execute(update(User).values(name="Ann"))
        session.add(user())
        await session.commit()
    # Rows of one table may go in one INSERT; what counts is what is around them.
    assert (sent[0], sent[-1], sent.count("BEGIN"), sent.count("COMMIT")) == (
        *("BEGIN", "COMMIT"),
        *(3, 3),
    )


async def test_a_session_in_somebody_elses_transaction_is_not_alone(sent: list[str]) -> None:
    """As the rows for development are made: all are kept, or none."""
    async with async_session_maker.kw["bind"].connect() as connection:
        outer = await connection.begin()
        async with AsyncSession(
            bind=connection,
            sync_session_class=GuardedSession,
            join_transaction_mode="create_savepoint",
        ) as session:
            session.add(user())
            await session.commit()
        await outer.rollback()
    async with async_session_maker() as session:
        assert await session.scalar(select(func.count()).select_from(User)) == 0
    assert "BEGIN" in sent


async def test_a_refused_change_leaves_the_session_usable(sent: list[str]) -> None:
    async with async_session_maker() as session:
        row = user()
        session.add(row)
        await session.commit()
        session.add(User(email=row.email, hashed_password="x"))
        with pytest.raises(IntegrityError):
            await session.commit()
        await session.rollback()
        session.add(user())
        await session.commit()
        assert await session.scalar(select(func.count()).select_from(User)) == 2


@pytest.mark.parametrize("name", ["after_insert", "before_flush", "after_flush"])
async def test_what_a_listener_writes_is_kept_or_lost_together(sent: list[str], name: str) -> None:
    """As one that writes a line of an audit for each change."""

    def fail(*given: Any) -> None:
        given[1].execute(text("DELETE FROM no_such_table"))

    def add_another(session: Session, *_: Any) -> None:
        session.add(User(email="same@example.com", hashed_password="x"))

    def fail_after(session: Session, *_: Any) -> None:
        session.execute(text("DELETE FROM no_such_table"))

    listener = {"after_insert": fail, "before_flush": add_another, "after_flush": fail_after}[name]
    target: Any = User if name == "after_insert" else GuardedSession
    event.listen(target, name, listener)
    try:
        async with async_session_maker() as session:
            session.add(User(email="same@example.com", hashed_password="x"))
            with pytest.raises(SQLAlchemyError):
                await session.commit()
    finally:
        event.remove(target, name, listener)
    async with async_session_maker() as session:
        assert await session.scalar(select(func.count()).select_from(User)) == 0
    assert "BEGIN" in sent


async def test_a_session_outside_of_requests(database: None) -> None:
    """As FastAPI-Users' documentation uses it in scripts."""
    get = asynccontextmanager(get_async_session)
    async with get() as session:
        session.add(user(name="Ann"))
        await session.commit()
    with pytest.raises(LostWriteError):
        async with get() as session:
            session.add(user(name="Bob"))
    async with get() as session:
        session.add(user(name="Carl"))
        await session.flush()
        await session.rollback()
    async for session in get_async_session():
        assert (await session.scalars(select(User.name))).all() == ["Ann"]


async def test_a_savepoint_begins_one_too(async_session: AsyncSession) -> None:
    async_session.add(user(name="outer"))
    inner = await async_session.begin_nested()
    async_session.add(user(name="inner"))
    await async_session.flush()
    await inner.rollback()
    await async_session.commit()
    assert (await async_session.scalars(select(User.name))).all() == ["outer"]


@pytest.mark.parametrize(
    ("statement", "reads"),
    [
        ("SELECT users.id FROM users WHERE users.id IN ($1::UUID, $2::UUID)", True),
        (
            "SELECT count(*) AS n FROM users WHERE lower(users.email) LIKE lower($1::VARCHAR(9))",
            True,
        ),
        ("select coalesce(max(x), 0) from t where exists (select 1 from u)", True),
        ("SELECT id FROM users WHERE id = $1 FOR UPDATE", False),
        ("SELECT id FROM users\n FOR NO KEY UPDATE SKIP LOCKED", False),
        ("SELECT id FROM users FOR SHARE OF users", False),
        ("SELECT pg_advisory_xact_lock(1)", False),
        ("SELECT set_config('a', 'b', true)", False),
        ("SELECT nextval('numbers')", False),
        ("SELECT app.take_one(1)", False),
        ('SELECT "take one"(1)', False),
        ("SELECT * INTO other FROM users", False),
        ("WITH gone AS (DELETE FROM users RETURNING id) SELECT id FROM gone", False),
        ("INSERT INTO users SELECT 1", False),
        ("DECLARE c CURSOR FOR SELECT 1", False),
        ("LOCK TABLE users", False),
    ],
)
def test_what_postgresql_runs_outside_a_transaction(statement: str, reads: bool) -> None:
    assert only_reads(statement) is reads


async def test_locks_are_held_until_the_transaction_ends(
    database: None, database_kind: str
) -> None:
    if database_kind == "sqlite":
        return
    async with async_session_maker() as holder, async_session_maker() as other:
        taken = text("SELECT pg_try_advisory_xact_lock(7)")
        assert await holder.scalar(taken) is True
        assert await other.scalar(taken) is False
        await holder.commit()
        assert await other.scalar(taken) is True


async def test_whoever_asks_for_a_snapshot_has_one(database: None, database_kind: str) -> None:
    if database_kind == "sqlite":
        return
    async with async_session_maker() as reader, async_session_maker() as writer:
        await reader.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        count = select(func.count()).select_from(User)
        assert await reader.scalar(count) == 0
        writer.add(user())
        await writer.commit()
        assert await reader.scalar(count) == 0
        await reader.rollback()


async def test_rows_can_be_streamed(async_session: AsyncSession) -> None:
    async_session.add_all(user() for _ in range(120))
    await async_session.commit()
    found = [row async for row in await async_session.stream_scalars(select(User.id))]
    assert len(set(found)) == 120


@pytest.mark.parametrize(
    ("written", "driver", "host"),
    [
        ("postgres://u:p@db.example/app", "postgresql+asyncpg", "db.example"),
        (
            "postgresql://u:p@db.example:5433/app?sslmode=require",
            "postgresql+asyncpg",
            "db.example",
        ),
        ("sqlite:////tmp/x.db", "sqlite+aiosqlite", None),
    ],
)
def test_database_addresses_are_taken_as_providers_write_them(
    written: str, driver: str, host: str | None
) -> None:
    url = parse_database_url(written)
    assert (url.drivername, url.host) == (driver, host)
    db.make_engine(url, Settings(DATABASE_PGBOUNCER="true"))


async def test_a_new_database_that_another_process_makes_just_now_is_waited_for(
    tmp_path: Path, database_kind: str
) -> None:
    """For switching a file to WAL SQLite lets nobody wait, however long its busy timeout is."""
    if database_kind == "postgresql":
        return
    other = sqlite3.connect(tmp_path / "new.db", isolation_level=None)
    other.execute("CREATE TABLE made (x integer)")
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO made VALUES (1)")
    engine = db.make_engine(parse_database_url(f"sqlite:///{tmp_path}/new.db"))

    async def read() -> Any:
        async with engine.connect() as connection:
            return await connection.scalar(text("SELECT count(*) FROM made"))

    reading = asyncio.create_task(read())
    done, _ = await asyncio.wait({reading}, timeout=0.3)
    other.execute("COMMIT")
    assert not done
    assert await reading == 1
    other.close()
    await engine.dispose()
