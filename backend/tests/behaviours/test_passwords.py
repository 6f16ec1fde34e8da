"""P1 to P6 of the behaviours, over HTTP."""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable
from pathlib import Path

import argon2
import bcrypt
import pytest
from httpx2 import AsyncClient, Response
from sqlalchemy import select, update

from backend.db import async_session_maker
from backend.services.auth import passwords
from backend.services.users.models import User
from tests.support.accounts import PASSWORD, Accounts
from tests.support.mail import token_in
from tests.support.server import run_server


@pytest.mark.parametrize("password", ["", "a", "1234567", "x" * 129, "x" * 1_000_000])
async def test_p1_refuses_too_short_and_too_long_with_a_reason(
    accounts: Accounts, password: str
) -> None:
    response = await accounts.register("jane@example.com", password)
    assert response.status_code == 400
    problem = response.json()
    assert problem["code"] == "REGISTER_INVALID_PASSWORD"
    assert "characters" in problem["detail"]["reason"]


@pytest.mark.parametrize(
    "password",
    [
        " with spaces around ",
        "pässwörd ünïcode",
        "🔑🔒🗝️🧷🖇️📎🧲🪝",
        "y\u0301" * 10,
        "z" * 119 + "unusual! ",
    ],
)
async def test_p1_compares_exactly_as_sent(accounts: Accounts, password: str) -> None:
    await accounts.verified("jane@example.com", password)
    for other in (password + "!", password[:-1], password.strip() + "?", password.upper() + "a"):
        assert (await accounts.login("jane@example.com", other)).status_code == 400


async def test_p1_accepts_exactly_128_characters(accounts: Accounts) -> None:
    password = "unlikely " * 14 + "12"
    assert len(password) == 128
    await accounts.verified("jane@example.com", password)


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "PassWord",
        "iloveyou",
        "12345678",
        "aaaaaaaaaaaa",
        "jane.doe@example.com",
        "jane.doe",
        "Jane.Doe1",
        "janedoe99",
        "JANEDOEJANEDOE",
        "Esmeralda",
        "esmeralda1986",
    ],
)
async def test_p2_refuses_common_passwords_and_own_words(accounts: Accounts, password: str) -> None:
    response = await accounts.register("jane.doe@example.com", password, name="Esmeralda Doe")
    assert response.status_code == 400, response.text
    assert response.json()["detail"]["code"] == "REGISTER_INVALID_PASSWORD"


async def test_p2_counts_at_change_and_reset_too(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    jane = await accounts.verified("jane.doe@example.com")
    change = await async_client.patch(
        "/api/users/me", json={"password": "jane.doe1"}, headers=jane.headers
    )
    assert change.status_code == 400
    assert change.json()["code"] == "UPDATE_USER_INVALID_PASSWORD"
    await async_client.post("/api/auth/forgot-password", json={"email": jane.email})
    token = token_in(await accounts.mailbox.last(jane.email))
    reset = await async_client.post(
        "/api/auth/reset-password", json={"token": token, "password": "iloveyou"}
    )
    assert reset.status_code == 400
    assert reset.json()["code"] == "RESET_PASSWORD_INVALID_PASSWORD"
    again = await async_client.post(
        "/api/auth/reset-password", json={"token": token, "password": "quite another phrase"}
    )
    assert again.status_code == 200, "a refused password must leave the link usable"


async def test_p4_a_reset_ends_sessions_and_voids_tokens(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    jane = await accounts.verified("jane@example.com")
    other = await accounts.signed_in("jane@example.com")
    change = {"email": "jane.new@example.com"}
    await async_client.patch("/api/users/me", json=change, headers=jane.headers)
    change_token = token_in(await accounts.mailbox.last("jane.new@example.com"))
    await async_client.post("/api/auth/forgot-password", json={"email": jane.email})
    token = token_in(await accounts.mailbox.last(jane.email))
    new = "quite another phrase"
    reset = await async_client.post(
        "/api/auth/reset-password", json={"token": token, "password": new}
    )
    assert reset.status_code == 200
    for account in (jane, other):
        me = await async_client.get("/api/users/me", headers=account.headers)
        assert me.status_code == 401
    voided = await async_client.post("/api/auth/verify", json={"token": change_token})
    assert voided.status_code == 400
    assert (await accounts.login("jane@example.com")).status_code == 400
    assert (await accounts.login("jane@example.com", new)).status_code == 200


async def test_p4_a_change_ends_the_other_sessions_and_keeps_this_one(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    here = await accounts.verified("jane@example.com")
    there = await accounts.signed_in("jane@example.com")
    change = await async_client.patch(
        "/api/users/me", json={"password": "quite another phrase"}, headers=here.headers
    )
    assert change.status_code == 200
    statuses = [
        (await async_client.get("/api/users/me", headers=account.headers)).status_code
        for account in (here, there)
    ]
    assert statuses == [200, 401]


async def test_p5_requests_are_answered_while_passwords_are_hashed(
    database_url: str, tmp_path: Path
) -> None:
    """With the real cost of a hash: 12 sign-ins at once, and live checks between them."""
    with run_server(
        tmp_path, DATABASE_URL=database_url, ARGON2_MEMORY_KIB="65536", ARGON2_TIME_COST="3"
    ) as server:
        async with AsyncClient(base_url=server.url, timeout=30) as client:
            await client.get("/health/live")
            form = {"username": "nobody@example.com", "password": PASSWORD}
            started = time.perf_counter()
            logins = [
                asyncio.create_task(client.post("/api/auth/jwt/login", data=form))
                for _ in range(12)
            ]
            waits = []
            while not all(login.done() for login in logins):
                asked = time.perf_counter()
                assert (await client.get("/health/live")).status_code == 200
                waits.append(time.perf_counter() - asked)
            whole = time.perf_counter() - started
            alone = await _seconds(client.post("/api/auth/jwt/login", data=form))
            form["password"] = "x" * 129
            too_long = await _seconds(client.post("/api/auth/jwt/login", data=form))
    assert {login.result().status_code for login in logins} == {400}
    assert len(waits) > 12, "the loop was blocked: almost nothing was answered meanwhile"
    assert statistics.median(waits) < whole / 12, (statistics.median(waits), whole)
    assert too_long < alone / 3, "P1: what is too long is refused without hashing it"


async def _seconds(request: Awaitable[Response]) -> float:
    started = time.perf_counter()
    assert (await request).status_code == 400
    return time.perf_counter() - started


def test_p5_no_more_hashes_at_once_than_cores() -> None:
    assert passwords._executor()._max_workers == passwords._cores()


async def _store_hash(email: str, hashed: str) -> None:
    async with async_session_maker() as session:
        await session.execute(
            update(User).where(User.email_key == email).values(hashed_password=hashed)
        )
        await session.commit()


async def _stored_hash(email: str) -> str:
    async with async_session_maker() as session:
        return (
            await session.scalars(select(User.hashed_password).where(User.email_key == email))
        ).one()


@pytest.mark.parametrize(
    "weaker",
    [
        argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD),
        bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode(),
    ],
    ids=["argon2", "bcrypt"],
)
async def test_p6_a_weaker_or_imported_hash_is_replaced_at_the_next_sign_in(
    accounts: Accounts, weaker: str
) -> None:
    await accounts.verified("jane@example.com")
    await _store_hash("jane@example.com", weaker)
    assert (await accounts.login("jane@example.com", PASSWORD + "x")).status_code == 400
    assert await _stored_hash("jane@example.com") == weaker
    assert (await accounts.login("jane@example.com")).status_code == 200
    stronger = await _stored_hash("jane@example.com")
    assert stronger.startswith("$argon2id$v=19$m=8192,t=1,p=1$")
    assert (await accounts.login("jane@example.com")).status_code == 200
    assert await _stored_hash("jane@example.com") == stronger


async def test_p6_a_long_password_with_an_imported_bcrypt_hash(accounts: Accounts) -> None:
    password = "a phrase that is longer than bcrypt ever looked at " * 2
    await accounts.verified("jane@example.com", password)
    hashed = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()
    await _store_hash("jane@example.com", hashed)
    assert (await accounts.login("jane@example.com", password)).status_code == 200


@pytest.mark.parametrize(
    "hostile",
    [
        "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21l$" + "A" * 43,
        "$argon2id$v=19$m=65536,t=4000000,p=1$c29tZXNhbHRzb21l$" + "A" * 43,
        "$argon2id$v=19$m=65536,t=2,p=255$c29tZXNhbHRzb21l$" + "A" * 43,
        "$2b$31$" + "." * 53,
        "$2b$99$" + "." * 53,
        "$2b$",
        "!",
        "pbkdf2_sha256$1000$x$y",
    ],
)
async def test_p6_a_hash_of_hostile_cost_is_refused_without_being_run(
    accounts: Accounts, hostile: str
) -> None:
    await accounts.verified("jane@example.com")
    await _store_hash("jane@example.com", hostile)
    started = time.perf_counter()
    response = await accounts.login("jane@example.com")
    assert response.status_code == 400
    assert response.json()["code"] == "LOGIN_BAD_CREDENTIALS"
    assert time.perf_counter() - started < 2


async def test_the_answer_to_a_bad_request_does_not_repeat_the_password(
    async_client: AsyncClient,
) -> None:
    body = {"email": "not an address", "password": "my secret phrase"}
    response = await async_client.post("/api/auth/register", json=body)
    assert response.status_code == 422
    assert "my secret phrase" not in json.dumps(response.json())
