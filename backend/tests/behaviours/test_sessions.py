"""S4, S8, S9, S10: sessions live in the database and end at once."""

import asyncio
import base64
import json
import time
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from httpx2 import AsyncClient
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import select, text

from backend.core import crypto
from backend.core.clock import utc_now
from backend.db import async_session_maker
from backend.services.auth.models import UserSession
from backend.services.auth.tokens import write_access_token
from backend.settings import settings
from tests.support.accounts import Account, Accounts


async def status_of_me(client: AsyncClient, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return (await client.get("/api/users/me", headers=headers)).status_code


async def test_s4_a_token_is_refused_right_after_logout(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    here = await accounts.verified("jane@example.com")
    there = await accounts.signed_in("jane@example.com")
    logout = await async_client.post("/api/auth/jwt/logout", headers=here.headers)
    assert logout.status_code == 204
    assert await status_of_me(async_client, here.token) == 401
    assert await status_of_me(async_client, there.token) == 200
    again = await async_client.post("/api/auth/jwt/logout", headers=here.headers)
    assert again.status_code == 401


async def test_s4_deactivation_and_deletion_count_with_the_next_request(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    admin = await accounts.superuser()
    jane = await accounts.verified("jane@example.com")
    john = await accounts.verified("john@example.com")
    deactivated = await async_client.patch(
        f"/api/users/{jane.id}", json={"is_active": False}, headers=admin.headers
    )
    assert deactivated.status_code == 200
    assert await status_of_me(async_client, jane.token) == 401
    await async_client.patch(
        f"/api/users/{jane.id}", json={"is_active": True}, headers=admin.headers
    )
    assert await status_of_me(async_client, jane.token) == 401, "its sessions ended for good"
    deleted = await async_client.delete(f"/api/users/{john.id}", headers=admin.headers)
    assert deleted.status_code == 204
    assert await status_of_me(async_client, john.token) == 401
    assert (await accounts.login("john@example.com")).status_code == 400


async def test_s4_sessions_end_by_themselves(
    accounts: Accounts, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    jane = await accounts.verified("jane@example.com")
    async with async_session_maker() as session:
        row = (await session.scalars(select(UserSession))).one()
        lifetime = row.expires_at - row.created_at
        assert lifetime.total_seconds() == settings.access_token_minutes * 60
        row.expires_at = row.created_at
        await session.commit()
    assert await status_of_me(async_client, jane.token) == 401


def forged(account: Account, **changes: object) -> str:
    """A token as we sign them, with something wrong with it."""
    header, payload, _signature = account.token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "==")) | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    key = OctKey.import_key(crypto.derive_key("access-token"))
    return jwt.encode(json.loads(base64.urlsafe_b64decode(header + "==")), claims, key)


def unsigned(account: Account) -> str:
    payload = account.token.split(".")[1]
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
    return f"{header}.{payload}."


def with_another_key(account: Account) -> str:
    payload = account.token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return jwt.encode({"alg": "HS256", "typ": "at+jwt"}, claims, OctKey.import_key("x" * 32))


def with_another_type(account: Account) -> str:
    payload = account.token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    key = OctKey.import_key(crypto.derive_key("access-token"))
    return jwt.encode({"alg": "HS256", "typ": "JWT"}, claims, key)


@pytest.mark.parametrize(
    "bad",
    [
        unsigned,
        with_another_key,
        with_another_type,
        lambda account: account.token[:-2],
        lambda account: account.token + "x",
        lambda account: forged(account, exp=int(time.time()) - 1),
        lambda account: forged(account, exp="tomorrow"),
        lambda account: forged(account, exp=None),
        lambda account: forged(account, aud="somebody-else"),
        lambda account: forged(account, iss="https://attacker.example"),
        lambda account: forged(account, sid=str(uuid.uuid4())),
        lambda account: forged(account, sid="1 OR 1=1"),
        lambda account: forged(account, sid=None),
        lambda account: forged(account, sub=str(uuid.uuid4())),
        lambda account: "",
        lambda account: "é" * 20,
        lambda account: "a.b.c",
        lambda account: "x" * 5000,
        lambda account: "null",
    ],
)
async def test_a_token_that_is_not_ours_is_401(
    accounts: Accounts, async_client: AsyncClient, bad: Callable[[Account], str]
) -> None:
    jane = await accounts.verified("jane@example.com")
    headers = {b"Authorization": f"Bearer {bad(jane)}".encode()}
    response = await async_client.get("/api/users/me", headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert await status_of_me(async_client, jane.token) == 200


async def test_the_token_says_what_rfc_9068_asks_for(accounts: Accounts) -> None:
    jane = await accounts.verified("jane@example.com")
    header, payload, _ = jane.token.split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "HS256", "typ": "at+jwt"}
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert set(claims) == {"iss", "aud", "sub", "sid", "iat", "exp", "jti"}
    assert claims["sub"] == jane.id


async def test_s8_nothing_that_signs_in_is_stored_as_it_is_sent(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    jane = await accounts.verified("jane@example.com")
    await async_client.post("/api/auth/forgot-password", json={"email": jane.email})
    async with async_session_maker() as session:
        for table in ("users", "emails", "one_time_tokens", "user_sessions"):
            rows = repr((await session.execute(text(f"SELECT * FROM {table}"))).all())
            for part in (jane.token, *jane.token.split("."), jane.password, "token="):
                assert part not in rows, f"{table} holds {part}"


async def test_s9_answers_with_tokens_are_not_cached_and_401_says_how(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    await accounts.verified("jane@example.com")
    login = await accounts.login("jane@example.com")
    assert login.headers["Cache-Control"] == "no-store"
    for method, path in (
        ("GET", "/api/users/me"),
        ("PATCH", "/api/users/me"),
        ("GET", "/api/users"),
        ("POST", "/api/auth/jwt/logout"),
        ("GET", f"/api/users/{uuid.uuid4()}"),
    ):
        response = await async_client.request(method, path)
        assert response.status_code == 401, (method, path)
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="api"'
        assert response.headers["Content-Type"] == "application/problem+json"
    bad = await async_client.get("/api/users/me", headers={"Authorization": "Bearer bad"})
    assert 'error="invalid_token"' in bad.headers["WWW-Authenticate"]


async def test_a_sign_in_loses_against_a_reset_that_ran_meanwhile(accounts: Accounts) -> None:
    """The password was right when it was looked at, and is another one when the session begins."""
    from backend.services.auth.sessions import SessionService
    from backend.services.users.service import UserService

    await accounts.verified("jane@example.com")
    async with async_session_maker() as session:
        stale = await UserService.get_by_email(session, "jane@example.com")
        assert stale is not None
        await session.commit()
        session.expunge(stale)
    async with async_session_maker() as session:
        user = await UserService.get_by_email(session, "jane@example.com")
        assert user is not None
        user.hashed_password = "changed"
        await session.commit()
    async with async_session_maker() as session:
        assert await SessionService.begin(session, stale) is None


async def test_a_token_that_was_accepted_is_refused_when_its_time_is_over(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    """That its signature was looked at before changes nothing."""
    jane = await accounts.verified("jane@example.com")
    async with async_session_maker() as session:
        row = (await session.scalars(select(UserSession))).one()
    expires_at = utc_now() + timedelta(seconds=2)
    token = write_access_token(row.id, row.user_id, expires_at)
    assert str(row.user_id) == jane.id
    assert await status_of_me(async_client, token) == 200
    await asyncio.sleep((expires_at - utc_now()).total_seconds())
    assert await status_of_me(async_client, token) == 401
    assert await status_of_me(async_client, jane.token) == 200
