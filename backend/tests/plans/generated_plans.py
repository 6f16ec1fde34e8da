"""Runs where the app has the services of `services.py`: in a copy, by test_generated_plans.py."""

import os
from collections.abc import Iterable

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
INTO_THE_NULLS = {"GET /api/items?is_pinned=true&sort=-due_on": 3}
"""Save where its page reaches the rows without a value."""

SIZE = FULL if os.environ.get("FULL_SIZE") else SMALL
OF_THE_OWNER = SIZE.items // 8
"""All of the owner's rows, twice: SQLite takes more steps for a row that is searched."""


def bounds_of(lists: Iterable[str]) -> dict[str, int]:
    """A search looks into every row of the owner; so do two conditions that share no index."""
    return {label: OF_THE_OWNER for label in lists if "search=" in label or "&" in label}


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
    lists = set(calls.counts)
    assert {label: count for label, count in calls.counts.items() if count != 2} == INTO_THE_NULLS
    bounds = bounds_of(lists)
    await call_the_rest(calls, admin, await sign_in(calls, "user3@example.com"))
    others = {label: count for label, count in calls.counts.items() if label not in lists}
    assert others == STATEMENTS
    bounds["DELETE /api/users/{id}"] = 10 * SIZE.items // SIZE.users
    assert [*calls.too_much(bounds)] == []


@pytest.mark.skipif(SIZE is FULL, reason="a few rows are enough to see it")
@pytest.mark.timeout(300)
async def test_an_index_that_is_missing_is_noticed(calls: Calls) -> None:
    admin = await sign_in(calls, "user0@example.com")
    found = [index for asked in SERVICES for index in model_of(asked.spec).__table__.indexes]
    indexes = sorted(found, key=lambda index: str(index.name))
    for index in indexes if os.environ.get("EVERY_INDEX") else indexes[-1:]:
        async with db.engine.begin() as connection:
            await connection.run_sync(index.drop)
        calls.measured.clear()
        await call_lists(calls, admin)
        assert [*calls.too_much(bounds_of(calls.counts))], f"nothing needs {index.name}"
        async with db.engine.begin() as connection:
            await connection.run_sync(index.create)
