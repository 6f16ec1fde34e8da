"""Runs where the app has the services of `services.py`: in a copy, by test_generated_plans.py."""

import os

import pytest
from httpx2 import AsyncClient

from backend import db
from backend.services.auth.passwords import hash_password
from tests.plans.calls import Calls
from tests.plans.filling import FULL, SMALL, analyze, fill_own
from tests.plans.generated_routes import call_lists, call_the_rest
from tests.plans.own_routes import sign_in
from tests.plans.services import SERVICES, fill_services, model_of
from tests.support.accounts import PASSWORD

STATEMENTS = {
    "POST /api/sections": 2,
    "GET /api/sections/{id}": 2,
    "PATCH /api/sections/{id}": 2,
    "DELETE /api/sections/{id}": 3,
    "POST /api/folders": 2,
    "GET /api/folders/{id}": 2,
    "PATCH /api/folders/{id}": 2,
    "DELETE /api/folders/{id}": 3,
    "POST /api/items": 4,
    "GET /api/items/{id}": 2,
    "PATCH /api/items/{id}": 4,
    "DELETE /api/items/{id}": 3,
    "DELETE /api/users/{id}": 3,
}
"""With the one that asks who it is. A list sends two, whatever is asked for."""

SIZE = FULL if os.environ.get("FULL_SIZE") else SMALL
OF_THE_OWNER = SIZE.items // 8
"""What a search may read: all rows of the owner, twice where it looks into two columns."""


@pytest.fixture
async def calls(database_url: str, async_client: AsyncClient) -> Calls:
    await fill_own(database_url, SIZE, await hash_password(PASSWORD))
    await fill_services(database_url, SIZE)
    await analyze(database_url)
    return Calls(async_client)


@pytest.mark.timeout(600)
async def test_each_statement_reads_what_it_shows_and_each_route_sends_few(calls: Calls) -> None:
    admin = await sign_in(calls, "user0@example.com")
    await call_lists(calls, admin)
    assert set(calls.counts.values()) == {2}
    lists = set(calls.counts)
    await call_the_rest(calls, admin, await sign_in(calls, "user3@example.com"))
    others = {label: count for label, count in calls.counts.items() if label not in lists}
    assert others == STATEMENTS
    bounds = dict.fromkeys((label for label in lists if "search=" in label), OF_THE_OWNER)
    bounds["DELETE /api/users/{id}"] = 10 * SIZE.items // SIZE.users
    assert [*calls.too_much(bounds)] == []


@pytest.mark.timeout(600)
async def test_an_index_that_is_missing_is_noticed(calls: Calls) -> None:
    admin = await sign_in(calls, "user0@example.com")
    indexes = [index for asked in SERVICES for index in model_of(asked.spec).__table__.indexes]
    for index in indexes if os.environ.get("EVERY_INDEX") else indexes[-1:]:
        async with db.engine.begin() as connection:
            await connection.run_sync(index.drop)
        calls.measured.clear()
        await call_lists(calls, admin)
        assert [*calls.too_much()], f"nothing needs {index.name}"
        async with db.engine.begin() as connection:
            await connection.run_sync(index.create)
