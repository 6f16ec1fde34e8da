"""The list of accounts, and what administrators may do."""

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from httpx2 import AsyncClient
from tests.support.accounts import Account, Accounts
from tests.support.statements import recorded_statements

from backend.db import async_session_maker
from backend.services.users.service import UserService


@pytest_asyncio.fixture
async def admin(accounts: Accounts) -> Account:
    return await accounts.superuser("zz-admin@example.com")


@pytest_asyncio.fixture
async def many(admin: Account) -> AsyncIterator[list[str]]:
    """Twenty-five more accounts, every third of them confirmed."""
    emails = [f"user{number:02}@example.com" for number in range(25)]
    async with async_session_maker() as session:
        for number, email in enumerate(emails):
            await UserService.add(
                session, email=email, hashed_password="x", is_verified=number % 3 == 0
            )
        await session.commit()
    yield emails


async def pages(client: AsyncClient, admin: Account, query: str) -> list[list[str]]:
    found: list[list[str]] = []
    cursor: str | None = None
    while True:
        more = f"&cursor={cursor}" if cursor else ""
        answer = await client.get(f"/api/users?{query}{more}", headers=admin.headers)
        assert answer.status_code == 200, answer.text
        found.append([item["email"] for item in answer.json()["items"]])
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


async def test_pages_hold_every_account_once_in_order(
    async_client: AsyncClient, admin: Account, many: list[str]
) -> None:
    everybody = [*many, admin.email]
    by_email = await pages(async_client, admin, "sort=email&limit=10")
    assert [len(page) for page in by_email] == [10, 10, 6]
    oldest_first = [admin.email, *many]
    for query, expected in (
        ("sort=email&limit=10", everybody),
        ("sort=-email&limit=7", everybody[::-1]),
        ("limit=4", oldest_first[::-1]),
        ("sort=created_at&limit=4", oldest_first),
    ):
        found = await pages(async_client, admin, query)
        assert [email for page in found for email in page] == expected, query


async def test_the_page_size_is_20_unless_said(
    async_client: AsyncClient, admin: Account, many: list[str]
) -> None:
    assert len((await pages(async_client, admin, ""))[0]) == 20


async def test_search_is_the_beginning_of_an_address_in_any_case(
    async_client: AsyncClient, admin: Account, many: list[str]
) -> None:
    found = many[10:20]
    assert await pages(async_client, admin, "q=USER1") == [found], "in the order of its index"
    assert await pages(async_client, admin, "q=USER1&limit=4") == [found[:4], found[4:8], found[8:]]
    assert await pages(async_client, admin, "q=USER1&sort=-email") == [found[::-1]]
    assert await pages(async_client, admin, "q=nobody") == [[]]
    assert await pages(async_client, admin, "q=%25") == [[]], "no wildcards"


async def test_filters(async_client: AsyncClient, admin: Account, many: list[str]) -> None:
    confirmed = await pages(async_client, admin, "is_verified=true&is_superuser=false&sort=email")
    assert confirmed == [many[::3]]
    assert await pages(async_client, admin, "is_superuser=true") == [[admin.email]]
    assert await pages(async_client, admin, "is_active=false") == [[]]


async def test_pages_stay_stable_while_accounts_come_and_go(
    async_client: AsyncClient, admin: Account, many: list[str]
) -> None:
    first = await async_client.get("/api/users?sort=email&limit=10", headers=admin.headers)
    async with async_session_maker() as session:
        await UserService.add(session, email="aaa@example.com", hashed_password="x")
        await session.commit()
    cursor = first.json()["next_cursor"]
    second = await async_client.get(
        f"/api/users?sort=email&limit=10&cursor={cursor}", headers=admin.headers
    )
    assert [item["email"] for item in second.json()["items"]] == many[10:20]


async def test_a_cursor_of_another_order_is_refused(
    async_client: AsyncClient, admin: Account, many: list[str]
) -> None:
    first = await async_client.get("/api/users?limit=5", headers=admin.headers)
    cursor = first.json()["next_cursor"]
    for query in ("sort=created_at", "sort=email"):
        answer = await async_client.get(
            f"/api/users?{query}&cursor={cursor}", headers=admin.headers
        )
        assert answer.status_code == 422
        assert answer.json()["code"] == "invalid_cursor"


async def test_the_list_takes_two_statements_however_many_accounts(
    async_client: AsyncClient, admin: Account, many: list[str]
) -> None:
    with recorded_statements() as statements:
        await async_client.get("/api/users?limit=25", headers=admin.headers)
    assert len(statements) == 2, statements


async def test_nobody_else_sees_or_changes_accounts(
    accounts: Accounts, async_client: AsyncClient, admin: Account
) -> None:
    jane = await accounts.verified("jane@example.com")
    for method, path in (
        ("GET", "/api/users"),
        ("GET", f"/api/users/{admin.id}"),
        ("GET", f"/api/users/{jane.id}"),
        ("PATCH", f"/api/users/{jane.id}"),
        ("DELETE", f"/api/users/{jane.id}"),
        ("GET", f"/api/users/{uuid.uuid4()}"),
    ):
        answer = await async_client.request(method, path, headers=jane.headers, json={})
        assert answer.status_code == 403, (method, path)
        assert answer.json()["code"] == "forbidden"


async def test_an_administrator_reads_changes_and_deletes(
    accounts: Accounts, async_client: AsyncClient, admin: Account
) -> None:
    jane = await accounts.verified("jane@example.com")
    path = f"/api/users/{jane.id}"
    assert (await async_client.get(path, headers=admin.headers)).json()["email"] == jane.email
    change = {"name": "Jane", "is_superuser": True}
    changed = await async_client.patch(path, json=change, headers=admin.headers)
    assert changed.json() | change == changed.json()
    assert (await async_client.get("/api/users", headers=jane.headers)).status_code == 200
    change = {"name": None, "is_superuser": False}
    changed = await async_client.patch(path, json=change, headers=admin.headers)
    assert changed.json()["name"] is None
    assert (await async_client.get("/api/users", headers=jane.headers)).status_code == 403
    assert (await async_client.delete(path, headers=admin.headers)).status_code == 204
    assert (await async_client.get(path, headers=admin.headers)).status_code == 404
    assert (await async_client.delete(path, headers=admin.headers)).status_code == 404


@pytest.mark.parametrize("id", [str(uuid.uuid4()), "1", "me2"])
async def test_an_account_that_is_not_there_is_404(
    async_client: AsyncClient,
    admin: Account,
    id: str,  # noqa: A002
) -> None:
    answer = await async_client.get(f"/api/users/{id}", headers=admin.headers)
    assert answer.status_code == 404
    assert answer.json()["detail"] == "Not Found"


async def test_people_change_their_own_name_and_password(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    jane = await accounts.verified("jane@example.com")
    change = {"name": "Jane Doe", "password": "quite another phrase"}
    answer = await async_client.patch("/api/users/me", json=change, headers=jane.headers)
    assert answer.json()["name"] == "Jane Doe"
    assert "password" not in answer.text
    assert (await accounts.login(jane.email, change["password"])).status_code == 200
    same = await async_client.patch("/api/users/me", json={}, headers=jane.headers)
    assert same.json() == answer.json()
