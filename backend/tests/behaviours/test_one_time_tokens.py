"""T1 to T6 for the mailed tokens."""

import asyncio
import re
from datetime import timedelta

import pytest
from httpx2 import AsyncClient
from sqlalchemy import select, text, update

from backend.core.clock import utc_now
from backend.db import async_session_maker
from backend.services.auth.models import OneTimeToken
from tests.support.accounts import PASSWORD, Accounts
from tests.support.mail import link_in, token_in

NEW_PASSWORD = "quite another phrase"


async def reset_token(accounts: Accounts, email: str) -> str:
    answer = await accounts.client.post("/api/auth/forgot-password", json={"email": email})
    assert answer.status_code == 202
    return token_in(await accounts.mailbox.last(email))


async def reset(client: AsyncClient, token: str, password: str = NEW_PASSWORD) -> int:
    body = {"token": token, "password": password}
    return (await client.post("/api/auth/reset-password", json=body)).status_code


async def verify(client: AsyncClient, token: str) -> int:
    return (await client.post("/api/auth/verify", json={"token": token})).status_code


async def test_t1_of_parallel_resets_with_one_token_exactly_one_succeeds(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    await accounts.verified("jane@example.com")
    token = await reset_token(accounts, "jane@example.com")
    passwords = [f"phrase of runner {number}" for number in range(8)]
    statuses = await asyncio.gather(
        *(reset(async_client, token, password) for password in passwords)
    )
    assert sorted(statuses) == [200] + [400] * 7
    winner = passwords[statuses.index(200)]
    assert (await accounts.login("jane@example.com", winner)).status_code == 200


async def test_t1_of_parallel_verifications_with_one_token_exactly_one_succeeds(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    await accounts.register("jane@example.com")
    token = token_in(await accounts.mailbox.last("jane@example.com"))
    statuses = await asyncio.gather(*(verify(async_client, token) for _ in range(8)))
    assert sorted(statuses) == [200] + [400] * 7


async def test_t1_tokens_are_long_random_and_not_stored(accounts: Accounts) -> None:
    tokens = []
    for number in range(3):
        await accounts.register(f"user{number}@example.com")
        tokens.append(token_in(await accounts.mailbox.last(f"user{number}@example.com")))
    assert len(set(tokens)) == 3
    assert all(len(token) >= 43 for token in tokens), "256 bits in base64"
    async with async_session_maker() as session:
        stored = (await session.scalars(select(OneTimeToken.token_hash))).all()
        assert all(re.fullmatch("[0-9a-f]{64}", value) for value in stored)
        assert not set(stored) & set(tokens)
        everything = []
        for table in ("users", "emails", "one_time_tokens", "user_sessions"):
            rows = (await session.execute(text(f"SELECT * FROM {table}"))).all()
            everything.append(repr(rows))
    assert not [token for token in tokens for rows in everything if token in rows]


async def test_t2_a_newer_token_voids_the_older(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    await accounts.verified("jane@example.com")
    older = await reset_token(accounts, "jane@example.com")
    newer = await reset_token(accounts, "jane@example.com")
    assert older != newer
    assert await reset(async_client, older) == 400
    assert await reset(async_client, newer) == 200


async def test_t2_of_tokens_asked_for_in_parallel_one_works(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    await accounts.verified("jane@example.com")
    await accounts.mailbox.all()
    body = {"email": "jane@example.com"}
    await asyncio.gather(
        *(async_client.post("/api/auth/forgot-password", json=body) for _ in range(6))
    )
    mails = (await accounts.mailbox.to("jane@example.com"))[-6:]
    tokens = {token_in(mail) for mail in mails}
    assert len(tokens) == 6
    statuses = [await reset(async_client, token) for token in tokens]
    assert sorted(statuses) == [200] + [400] * 5


async def test_t2_using_one_voids_its_siblings(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    await accounts.register("jane@example.com")
    verification = token_in(await accounts.mailbox.last("jane@example.com"))
    assert await reset(async_client, await reset_token(accounts, "jane@example.com")) == 200
    assert await verify(async_client, verification) == 400
    # Having had the reset mail proved the address as well.
    assert (await accounts.login("jane@example.com", NEW_PASSWORD)).status_code == 200


async def test_t3_a_token_of_one_purpose_is_refused_for_every_other(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    jane = await accounts.verified("jane@example.com")
    await accounts.register("new@example.com")
    verification = token_in(await accounts.mailbox.last("new@example.com"))
    assert await reset(async_client, verification) == 400
    resetting = await reset_token(accounts, "jane@example.com")
    assert await verify(async_client, resetting) == 400
    for token in (resetting, verification):
        me = await async_client.get("/api/users/me", headers={"Authorization": f"Bearer {token}"})
        assert me.status_code == 401
    assert await reset(async_client, jane.token) == 422
    for path in ("verify", "reset-password"):
        body = {"token": jane.token[:128], "password": NEW_PASSWORD}
        assert (await async_client.post(f"/api/auth/{path}", json=body)).status_code == 400
    # And none of these attempts used a token up.
    assert await verify(async_client, verification) == 200
    assert await reset(async_client, resetting) == 200


async def test_t3_after_a_change_of_address_the_old_tokens_are_dead(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    jane = await accounts.verified("jane@example.com")
    old = await reset_token(accounts, "jane@example.com")
    change = await async_client.patch(
        "/api/users/me", json={"email": "jane@example.org"}, headers=jane.headers
    )
    assert change.status_code == 200
    assert change.json()["email"] == "jane@example.com", "not before it is confirmed"
    assert await reset(async_client, old) == 400
    confirming = token_in(await accounts.mailbox.last("jane@example.org"))
    old = await reset_token(accounts, "jane@example.com")
    assert await verify(async_client, confirming) == 200
    assert await reset(async_client, old) == 400
    me = await async_client.get("/api/users/me", headers=jane.headers)
    assert me.json()["email"] == "jane@example.org"
    assert (await accounts.login("jane@example.com")).status_code == 400
    assert (await accounts.login("jane@example.org")).status_code == 200


async def test_t3_an_administrators_change_of_address_voids_the_tokens_too(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    admin = await accounts.superuser()
    jane = await accounts.verified("jane@example.com")
    old = await reset_token(accounts, "jane@example.com")
    change = await async_client.patch(
        f"/api/users/{jane.id}", json={"email": "jane@example.org"}, headers=admin.headers
    )
    assert change.json()["email"] == "jane@example.org"
    assert change.json()["is_verified"] is False
    assert await reset(async_client, old) == 400
    confirming = token_in(await accounts.mailbox.last("jane@example.org"))
    assert await verify(async_client, confirming) == 200


async def test_t3_a_token_is_refused_when_the_address_was_taken_meanwhile(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    jane = await accounts.verified("jane@example.com")
    await async_client.patch(
        "/api/users/me", json={"email": "wanted@example.com"}, headers=jane.headers
    )
    confirming = token_in(await accounts.mailbox.last("wanted@example.com"))
    await accounts.verified("wanted@example.com")
    assert await verify(async_client, confirming) == 400
    me = await async_client.get("/api/users/me", headers=jane.headers)
    assert me.json()["email"] == "jane@example.com"


async def test_tokens_expire(accounts: Accounts, async_client: AsyncClient) -> None:
    await accounts.verified("jane@example.com")
    token = await reset_token(accounts, "jane@example.com")
    async with async_session_maker() as session:
        await session.execute(
            update(OneTimeToken).values(expires_at=utc_now() - timedelta(seconds=1))
        )
        await session.commit()
    assert await reset(async_client, token) == 400


async def test_a_reset_of_a_deactivated_account_is_refused(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    admin = await accounts.superuser()
    jane = await accounts.verified("jane@example.com")
    token = await reset_token(accounts, "jane@example.com")
    await async_client.patch(
        f"/api/users/{jane.id}", json={"is_active": False}, headers=admin.headers
    )
    assert await reset(async_client, token) == 400


async def test_t4_following_a_mailed_link_changes_nothing(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    """Mail scanners follow links: they may, as often as they like."""
    await accounts.register("jane@example.com")
    link = link_in(await accounts.mailbox.last("jane@example.com"))
    for _ in range(3):
        assert (await async_client.get(link)).status_code == 200
        await async_client.request("HEAD", link)
    assert (await accounts.login("jane@example.com")).status_code == 400, "still not confirmed"
    token = token_in(await accounts.mailbox.last("jane@example.com"))
    assert await verify(async_client, token) == 200


@pytest.mark.parametrize("path", ["verify-email", "reset-password"])
async def test_t6_landing_pages_give_no_referrer(async_client: AsyncClient, path: str) -> None:
    page = await async_client.get(f"/account/{path}?token=some-token")
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"


async def test_t6_tokens_are_not_taken_from_the_query_of_an_api_call(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    jane = await accounts.verified("jane@example.com")
    me = await async_client.get("/api/users/me", params={"access_token": jane.token})
    assert me.status_code == 401
    token = await reset_token(accounts, "jane@example.com")
    answer = await async_client.post(
        "/api/auth/reset-password", params={"token": token, "password": PASSWORD}
    )
    assert answer.status_code == 422
