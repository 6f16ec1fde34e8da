"""S10: who `fastapi_users.current_user(...)` lets in, seen over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from fastapi import Depends, FastAPI
from httpx2 import ASGITransport, AsyncClient

from backend.core.problems import install_problem_handlers
from backend.services.auth.utils import fastapi_users
from backend.services.users.models import User
from tests.support.accounts import Accounts


@pytest_asyncio.fixture
async def client(database: None) -> AsyncIterator[AsyncClient]:
    """An app with a route for each way to ask for a user."""
    app = FastAPI()
    install_problem_handlers(app)

    def add(path: str, **wanted: Any) -> None:
        current_user = fastapi_users.current_user(**wanted)

        @app.get(path)
        async def route(
            user: User | None = Depends(current_user),
        ) -> str | None:
            return user.email if user else None

    add("/plain")
    add("/optional", optional=True)
    add("/verified", verified=True)
    add("/superuser", superuser=True)
    add("/optional-superuser", optional=True, superuser=True)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        yield client


async def test_s10_a_bad_token_is_401_where_a_user_is_optional(
    client: AsyncClient, accounts: Accounts
) -> None:
    jane = await accounts.verified("jane@example.com")
    assert (await client.get("/optional")).json() is None
    assert (await client.get("/optional", headers=jane.headers)).json() == "jane@example.com"
    bad = await client.get("/optional", headers={"Authorization": "Bearer bad"})
    assert bad.status_code == 401
    await accounts.client.post("/api/auth/jwt/logout", headers=jane.headers)
    assert (await client.get("/optional", headers=jane.headers)).status_code == 401


async def test_s10_an_inactive_user_is_refused_by_default(
    client: AsyncClient, accounts: Accounts
) -> None:
    admin = await accounts.superuser()
    jane = await accounts.verified("jane@example.com")
    assert (await client.get("/plain", headers=jane.headers)).status_code == 200
    await accounts.client.patch(
        f"/api/users/{jane.id}", json={"is_active": False}, headers=admin.headers
    )
    for path in ("/plain", "/optional", "/verified"):
        assert (await client.get(path, headers=jane.headers)).status_code == 401


async def test_who_is_known_and_may_not_gets_403(client: AsyncClient, accounts: Accounts) -> None:
    admin = await accounts.superuser()
    jane = await accounts.verified("jane@example.com")
    assert (await client.get("/superuser")).status_code == 401
    assert (await client.get("/superuser", headers=jane.headers)).status_code == 403
    assert (await client.get("/superuser", headers=admin.headers)).status_code == 200
    assert (await client.get("/optional-superuser", headers=jane.headers)).json() is None
    await accounts.client.patch(
        f"/api/users/{jane.id}", json={"is_verified": False}, headers=admin.headers
    )
    assert (await client.get("/verified", headers=jane.headers)).status_code == 403
    assert (await client.get("/plain", headers=jane.headers)).status_code == 200
