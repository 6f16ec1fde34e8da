"""No statement of this project's own routes reads more than it shows, with however many rows."""

import pytest
from fastapi.routing import iter_route_contexts
from httpx2 import AsyncClient
from sqlalchemy import func, select, text

from backend import db
from backend.app import app
from backend.services.auth.passwords import hash_password
from backend.services.users.models import User
from tests.plans.calls import Calls
from tests.plans.filling import FULL, SMALL, Size, analyze, fill_own
from tests.plans.own_routes import MIXED, STATEMENTS, call_account_lists, call_own_routes, sign_in
from tests.support.accounts import PASSWORD
from tests.support.mail import Mailbox

OURS = ("/api/auth/", "/api/users", "/account/", "/health/")


async def filled(url: str, size: Size) -> None:
    await fill_own(url, size, await hash_password(PASSWORD))
    await analyze(url)


@pytest.mark.parametrize(
    "size", [SMALL, pytest.param(FULL, marks=pytest.mark.needs_more)], ids=["small", "full"]
)
@pytest.mark.timeout(600)
async def test_each_statement_reads_what_it_shows_and_each_route_sends_few(
    size: Size, database_url: str, async_client: AsyncClient, mailbox: Mailbox
) -> None:
    await filled(database_url, size)
    calls = Calls(async_client)
    await call_own_routes(calls, size, mailbox)
    lists = "GET /api/users?"
    assert {count for label, count in calls.counts.items() if label.startswith(lists)} == {2}
    others = {label: count for label, count in calls.counts.items() if not label.startswith(lists)}
    assert others == STATEMENTS
    bounds = {f"{lists}{query}": 2 * size.users for query in MIXED}
    assert [*calls.too_much(bounds)] == []


def test_no_route_is_left_out() -> None:
    called = {label.partition(",")[0] for label in STATEMENTS} | {"GET /api/users"}
    routes = {
        f"{method} {context.path_format}".replace(":uuid", "")
        for context in iter_route_contexts(app.routes)
        for method in getattr(context, "methods", None) or ()
        if (getattr(context, "path_format", None) or "").startswith(OURS)
    }
    assert len(routes) > 20
    assert routes - called == set()


async def test_an_index_that_is_missing_is_noticed(
    database_url: str, async_client: AsyncClient
) -> None:
    await filled(database_url, SMALL)
    async with db.engine.begin() as connection:
        await connection.execute(text("DROP INDEX ix_users_superusers"))
    calls = Calls(async_client)
    await call_account_lists(calls, SMALL, await sign_in(calls, "user0@example.com"))
    assert any("is_superuser=true reads" in problem for problem in calls.too_much())


async def test_what_is_read_in_an_index_alone_is_counted(
    database_url: str, async_client: AsyncClient
) -> None:
    await filled(database_url, SMALL)
    calls = Calls(async_client)
    counted = select(func.count()).where(User.email_key > "")
    async with db.async_session_maker() as session:
        assert await calls.record("a count", session.scalar(counted)) == SMALL.users
    assert [problem.partition(" reads")[0] for problem in calls.too_much()] == ["a count"]
