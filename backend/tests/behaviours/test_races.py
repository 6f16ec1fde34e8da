"""What happens at the same time: changes of one account meet, and none undoes another."""

import asyncio
import statistics
import time
import uuid
from collections.abc import Awaitable, MutableMapping
from datetime import datetime
from typing import Any

import bcrypt
import pytest
from httpx2 import AsyncClient, Response
from sqlalchemy import update

from backend import db
from backend.db import async_session_maker
from backend.services.users.models import User
from tests.support.accounts import PASSWORD, Account, Accounts
from tests.support.mail import token_in

NEW_PASSWORD = "the owner's own phrase"
STOLEN = "the thief's own phrase"


async def reset_token(accounts: Accounts, email: str) -> str:
    await accounts.client.post("/api/auth/forgot-password", json={"email": email})
    return token_in(await accounts.mailbox.last(email))


async def test_p4_a_stolen_session_does_not_outlive_a_reset_that_runs_meanwhile(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    """The thief's change waits for its hash while the reset ends the thief's session."""
    for number in range(6):
        thief = await accounts.verified(f"victim{number}@example.com")
        token = await reset_token(accounts, thief.email)
        reset, change = await asyncio.gather(
            async_client.post(
                "/api/auth/reset-password", json={"token": token, "password": NEW_PASSWORD}
            ),
            async_client.patch("/api/users/me", json={"password": STOLEN}, headers=thief.headers),
        )
        # Either may come first; whoever was told 200 last has the account.
        assert sorted((reset.status_code, change.status_code)) in ([200, 400], [200, 401])
        works = [
            (await accounts.login(thief.email, password)).status_code
            for password in (NEW_PASSWORD, STOLEN)
        ]
        assert works == [reset.status_code, 400 if change.status_code == 401 else 200]


async def test_changes_of_one_account_at_once_give_no_5xx(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    """Sessions, tokens and the account are locked in one order: no deadlock, nothing lost."""
    admin = await accounts.superuser()
    for number in range(6):
        jane = await accounts.verified(f"jane{number}@example.com")
        await async_client.patch(
            "/api/users/me", json={"email": f"new{number}@example.com"}, headers=jane.headers
        )
        confirming = token_in(await accounts.mailbox.last(f"new{number}@example.com"))
        resetting = await reset_token(accounts, jane.email)
        # Any order of all that can happen to an account.
        calls: list[Awaitable[Response]] = [
            async_client.post("/api/auth/verify", json={"token": confirming}),
            async_client.post(
                "/api/auth/reset-password", json={"token": resetting, "password": NEW_PASSWORD}
            ),
            async_client.patch("/api/users/me", json={"password": STOLEN}, headers=jane.headers),
            async_client.post("/api/auth/forgot-password", json={"email": jane.email}),
            accounts.login(jane.email),
            async_client.patch(
                f"/api/users/{jane.id}", json={"is_active": number % 2 == 0}, headers=admin.headers
            ),
        ]
        if number >= 4:
            calls.append(async_client.delete(f"/api/users/{jane.id}", headers=admin.headers))
        answers = await asyncio.gather(*calls)
        assert all(answer.status_code < 500 for answer in answers), [
            answer.text for answer in answers
        ]


async def test_e3_asking_for_a_link_while_the_account_is_deleted_answers_as_ever(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    admin = await accounts.superuser()
    for number in range(6):
        jane = await accounts.verified(f"jane{number}@example.com")
        body = {"email": jane.email}
        _, *answers = await asyncio.gather(
            async_client.delete(f"/api/users/{jane.id}", headers=admin.headers),
            *(async_client.post("/api/auth/forgot-password", json=body) for _ in range(3)),
        )
        assert {answer.status_code for answer in answers} == {202}


async def test_e2_the_answer_does_not_tell_when_it_was_made(accounts: Accounts) -> None:
    """The id and the time of a new account are from before the hash, for a taken address too."""
    await accounts.verified("taken@example.com")
    for kind in ("taken", "free"):
        shares = []
        for number in range(11):
            email = "taken@example.com" if kind == "taken" else f"free{number}@example.com"
            started = time.time()
            body = (await accounts.register(email)).json()
            whole = time.time() - started
            made = datetime.fromisoformat(body["created_at"]).timestamp()
            shares.append((made - started) / whole)
            assert abs((uuid.UUID(body["id"]).int >> 80) / 1000 - made) < 0.005
        assert statistics.median(shares) < 0.4, (kind, shares)


async def test_p6_parallel_sign_ins_on_an_imported_hash_all_succeed(accounts: Accounts) -> None:
    await accounts.verified("jane@example.com")
    imported = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    async with async_session_maker() as session:
        await session.execute(update(User).values(hashed_password=imported))
        await session.commit()
    answers = await asyncio.gather(*(accounts.login("jane@example.com") for _ in range(6)))
    assert [answer.status_code for answer in answers] == [200] * 6


async def test_a_new_address_and_a_new_password_in_one_change(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    jane = await accounts.verified("jane@example.com")
    change = {"email": "jane@example.org", "password": NEW_PASSWORD}
    answer = await async_client.patch("/api/users/me", json=change, headers=jane.headers)
    assert answer.status_code == 200
    body = {"token": token_in(await accounts.mailbox.last("jane@example.org"))}
    assert (await async_client.post("/api/auth/verify", json=body)).status_code == 200
    assert (await accounts.login("jane@example.org", NEW_PASSWORD)).status_code == 200


async def test_p2_looks_at_the_new_name_and_address_too(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    jane = await accounts.verified("jane@example.com")
    for change in (
        {"name": "Zebulonquux", "password": "zebulonquux"},
        {"email": "zebulonquux@example.com", "password": "zebulonquux1"},
    ):
        answer = await async_client.patch("/api/users/me", json=change, headers=jane.headers)
        assert answer.status_code == 400, answer.text


@pytest.fixture
async def jane(accounts: Accounts) -> Account:
    return await accounts.verified("jane@example.com")


@pytest.mark.parametrize("path", ["/api/users/me", "/account/reset-password?token={token}"])
async def test_a_client_that_does_not_read_holds_no_connection(
    accounts: Accounts, jane: Account, path: str
) -> None:
    """The connection is back in the pool before the first byte of the answer is sent."""
    from backend.app import app

    path = path.format(token=await reset_token(accounts, jane.email))
    checked_out: list[int] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        checked_out.append(db.engine.pool.checkedout())  # type: ignore[attr-defined]

    route, _, query = path.partition("?")
    headers = [(b"authorization", f"Bearer {jane.token}".encode()), (b"host", b"127.0.0.1")]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": route,
        "root_path": "",
        "raw_path": route.encode(),
        "query_string": query.encode(),
        "headers": headers,
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    await app(scope, receive, send)
    assert checked_out
    assert set(checked_out) == {0}
