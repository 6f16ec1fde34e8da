"""E1 to E4: nobody learns over HTTP whether an address has an account."""

import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from backend.services.auth import manager
from backend.settings import settings
from tests.support.accounts import PASSWORD, Account, Accounts
from tests.support.mail import text_of, token_in
from tests.support.server import run_server
from tests.support.smtp import MailServer

ROUNDS = 50
TOLERANCE_SECONDS = 0.010

# What differs by nature between two answers.
_OWN = {"x-request-id", "date"}


def shape(response: Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    body = response.json()
    if isinstance(body, dict):
        body = {key: value for key, value in body.items() if key != "request_id"}
    headers = {key: value for key, value in response.headers.items() if key not in _OWN}
    return response.status_code, body, headers


async def medians(*calls: Callable[[], Awaitable[Response]]) -> list[float]:
    """Each call's median time, taken in turns, so that the machine's moods fall on all alike."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, taken in zip(calls, times, strict=True):
            started = time.perf_counter()
            await call()
            taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in times]


async def _deactivated(accounts: Accounts, admin: Account, email: str) -> Account:
    account = await accounts.verified(email)
    response = await accounts.client.patch(
        f"/api/users/{account.id}", json={"is_active": False}, headers=admin.headers
    )
    assert response.status_code == 200
    return account


async def test_e1_sign_in_answers_alike_for_every_reason_to_refuse(accounts: Accounts) -> None:
    admin = await accounts.superuser()
    await accounts.verified("known@example.com")
    await _deactivated(accounts, admin, "inactive@example.com")
    await accounts.register("unverified@example.com")

    calls: list[Callable[[], Awaitable[Response]]] = [
        lambda: accounts.login("unknown@example.com"),
        lambda: accounts.login("known@example.com", "not the right one"),
        lambda: accounts.login("inactive@example.com"),
        lambda: accounts.login("unverified@example.com"),
        lambda: accounts.login("unverified@example.com", "not the right one"),
    ]
    answers = [shape(await call()) for call in calls]
    assert answers[0][0] == 400
    assert answers[0][1]["detail"] == "LOGIN_BAD_CREDENTIALS"
    assert all(answer == answers[0] for answer in answers)
    taken = await medians(*calls)
    assert max(taken) - min(taken) < TOLERANCE_SECONDS, taken


async def test_e1_whoever_has_not_confirmed_is_mailed_the_link_again_when_signing_in(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accounts.register("jane@example.com")
    await accounts.login("jane@example.com")
    assert len(await accounts.mailbox.to("jane@example.com")) == 1, "just mailed: not again"
    monkeypatch.setattr(manager, "RESEND_AFTER", timedelta(0))
    await accounts.login("jane@example.com", "not the right one")
    assert len(await accounts.mailbox.to("jane@example.com")) == 1
    assert (await accounts.login("jane@example.com")).status_code == 400
    assert len(await accounts.mailbox.to("jane@example.com")) == 2


async def test_signing_in_unverified_can_be_allowed(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "sign_in_requires_verification", False)
    await accounts.register("jane@example.com")
    account = await accounts.signed_in("jane@example.com")
    me = await accounts.client.get("/api/users/me", headers=account.headers)
    assert me.json()["is_verified"] is False


async def test_e2_sign_up_answers_alike_for_a_taken_and_a_free_address(
    accounts: Accounts,
) -> None:
    await accounts.verified("taken@example.com")
    taken = await accounts.register("taken@example.com", name="Jane")
    free = await accounts.register("free@example.com", name="Jane")
    assert taken.status_code == free.status_code == 201
    assert {key: type(value) for key, value in taken.json().items()} == {
        key: type(value) for key, value in free.json().items()
    }
    same = {"is_active", "is_superuser", "is_verified", "name"}
    assert {key: taken.json()[key] for key in same} == {key: free.json()[key] for key in same}
    assert taken.headers.keys() == free.headers.keys()

    numbers = iter(range(1000))
    times = await medians(
        lambda: accounts.register("taken@example.com"),
        lambda: accounts.register(f"free{next(numbers)}@example.com"),
    )
    assert abs(times[0] - times[1]) < TOLERANCE_SECONDS, times


async def test_e2_the_owner_is_told_by_mail_and_keeps_the_account(accounts: Accounts) -> None:
    owner = await accounts.verified("taken@example.com")
    before = len(await accounts.mailbox.to(owner.email))
    await accounts.register("Taken@Example.com", "somebody else's phrase")
    mails = await accounts.mailbox.to(owner.email)
    assert len(mails) == before + 1
    assert "account" in text_of(mails[-1])
    assert (await accounts.login(owner.email)).status_code == 200
    assert (await accounts.login(owner.email, "somebody else's phrase")).status_code == 400


async def test_e2_who_signed_up_before_the_owner_is_locked_out_by_the_owner(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    """Pre-hijacking: an account made with somebody's address is worth nothing to its maker."""
    await accounts.register("victim@example.com", "the attacker's phrase")
    await accounts.register("victim@example.com", "the owner's own phrase")
    token = token_in(await accounts.mailbox.last("victim@example.com"))
    reset = await async_client.post(
        "/api/auth/reset-password", json={"token": token, "password": "the owner's own phrase"}
    )
    assert reset.status_code == 200
    assert (await accounts.login("victim@example.com", "the attacker's phrase")).status_code == 400
    assert (await accounts.login("victim@example.com", "the owner's own phrase")).status_code == 200


async def test_e3_asking_for_a_link_answers_alike_for_known_and_unknown(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    admin = await accounts.superuser()
    await accounts.verified("known@example.com")
    await _deactivated(accounts, admin, "inactive@example.com")
    await accounts.register("unverified@example.com")
    addresses = [
        "unknown@example.com",
        "known@example.com",
        "inactive@example.com",
        "unverified@example.com",
    ]
    for path in ("/api/auth/forgot-password", "/api/auth/request-verify-token"):

        def ask(email: str, path: str = path) -> Awaitable[Response]:
            return async_client.post(path, json={"email": email})

        answers = [shape(await ask(email)) for email in addresses]
        assert answers[0][0] == 202
        assert all(answer == answers[0] for answer in answers)
        taken = await medians(*[partial(ask, email) for email in addresses])
        assert max(taken) - min(taken) < TOLERANCE_SECONDS, (path, taken)


async def test_e3_nobody_but_the_owner_is_mailed(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    await accounts.verified("known@example.com")
    before = len(await accounts.mailbox.all())
    for email in ("unknown@example.com", "known@example.com"):
        await async_client.post("/api/auth/request-verify-token", json={"email": email})
    await async_client.post("/api/auth/forgot-password", json={"email": "unknown@example.com"})
    assert len(await accounts.mailbox.all()) == before
    await async_client.post("/api/auth/forgot-password", json={"email": "KNOWN@example.com"})
    assert len(await accounts.mailbox.to("known@example.com")) == before + 1


async def test_changing_to_a_taken_address_answers_like_to_a_free_one(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    jane = await accounts.verified("jane@example.com")
    await accounts.verified("taken@example.com")
    answers = [
        await async_client.patch("/api/users/me", json={"email": email}, headers=jane.headers)
        for email in ("taken@example.com", "free@example.com")
    ]
    assert shape(answers[0]) == shape(answers[1])
    assert answers[0].status_code == 200
    assert answers[0].json()["email"] == "jane@example.com"


async def test_e4_no_mail_is_sent_inside_a_request(
    database_url: str, tmp_path: Path, mail_server: MailServer
) -> None:
    mail_server.hang = True
    with run_server(tmp_path, DATABASE_URL=database_url, SMTP_URL=mail_server.url) as server:
        async with AsyncClient(base_url=server.url, timeout=30) as client:
            body = {"email": "jane@example.com", "password": PASSWORD}
            assert (await client.post("/api/auth/register", json=body)).status_code == 201
            taken = []
            for path in ("forgot-password", "request-verify-token", "forgot-password"):
                started = time.perf_counter()
                answer = await client.post(f"/api/auth/{path}", json={"email": body["email"]})
                taken.append(time.perf_counter() - started)
                assert answer.status_code == 202
            assert max(taken) < 0.2, taken
        server.kill()
