"""What every answer has, whatever the route: ids, headers, CORS, health."""

import json
import uuid
from pathlib import Path

import pytest
from httpx2 import AsyncClient
from sqlalchemy import text
from tests.support.accounts import PASSWORD
from tests.support.server import run_server

from backend import db
from backend.core import engines
from backend.settings import Settings, parse_database_url


async def test_request_ids_are_made_or_taken_over(async_client: AsyncClient) -> None:
    made = await async_client.get("/health/live")
    assert uuid.UUID(made.headers["X-Request-ID"]).version == 7
    taken = await async_client.get("/health/live", headers={"X-Request-ID": "from-the-proxy.1"})
    assert taken.headers["X-Request-ID"] == "from-the-proxy.1"
    for hostile in ("x", "a b c d e f g", "x" * 65, "{}[]<>\"'--------"):
        answer = await async_client.get("/health/live", headers={"X-Request-ID": hostile})
        assert answer.headers["X-Request-ID"] != hostile


async def test_security_headers(async_client: AsyncClient) -> None:
    for path in ("/health/live", "/api/users/me", "/nowhere"):
        headers = (await async_client.get(path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert "Strict-Transport-Security" not in headers, "plain http in development"


async def test_health(async_client: AsyncClient) -> None:
    assert (await async_client.get("/health/live")).json() == {"status": "live"}
    ready = await async_client.get("/health/ready")
    assert ready.json() == {"status": "ready", "database": "ok", "migrations": "current"}


async def test_not_ready_while_migrations_are_pending(async_client: AsyncClient) -> None:
    async with db.engine.begin() as connection:
        await connection.execute(text("DELETE FROM alembic_version"))
    answer = await async_client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["code"] == "not_ready"
    assert "backend db migrate" in answer.json()["detail"]
    assert (await async_client.get("/health/live")).status_code == 200


async def test_still_ready_after_a_newer_version_has_migrated(async_client: AsyncClient) -> None:
    """In a roll-out the migration comes before the new servers."""
    async with db.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = 'newer'"))
    answer = await async_client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["migrations"] == "newer"


async def test_a_database_that_is_away_is_503_and_the_process_lives(tmp_path: Path) -> None:
    url = "postgresql://nobody:secret@127.0.0.1:1/none"
    with run_server(tmp_path, DATABASE_URL=url) as server:
        async with AsyncClient(base_url=server.url, timeout=30) as client:
            ready = await client.get("/health/ready")
            assert ready.status_code == 503
            assert (await client.get("/health/live")).status_code == 200
            form = {"username": "jane@example.com", "password": PASSWORD}
            answer = await client.post("/api/auth/jwt/login", data=form)
            assert answer.status_code == 503
            assert answer.json()["code"] == "unavailable"
            assert answer.headers["Retry-After"]
            assert "secret" not in answer.text
    assert "secret" not in server.log


async def test_an_exhausted_pool_is_503(
    async_client: AsyncClient, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "POOL_TIMEOUT_SECONDS", 0.05)
    url = parse_database_url(database_url)
    engine = db.make_engine(url, Settings(DATABASE_POOL_SIZE="1"))
    db.async_session_maker.configure(bind=engine)
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
        form = {"username": "jane@example.com", "password": PASSWORD}
        answer = await async_client.post("/api/auth/jwt/login", data=form)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    await engine.dispose()


async def test_cors_allows_the_configured_origins_with_every_method(
    database_url: str, tmp_path: Path
) -> None:
    origin = "https://app.example.com"
    settings = {"DATABASE_URL": database_url, "CORS_ORIGINS": f"{origin},http://localhost:5173"}
    with run_server(tmp_path, **settings) as server:
        async with AsyncClient(base_url=server.url, timeout=30) as client:
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                asked = {
                    "Origin": origin,
                    "Access-Control-Request-Method": method,
                    "Access-Control-Request-Headers": "authorization,content-type",
                }
                answer = await client.options("/api/users/me", headers=asked)
                assert answer.status_code == 200
                assert answer.headers["Access-Control-Allow-Origin"] == origin
            asked["Origin"] = "https://attacker.example"
            answer = await client.options("/api/users/me", headers=asked)
            assert "Access-Control-Allow-Origin" not in answer.headers
            refused = await client.get("/api/users/me", headers={"Origin": origin})
            assert refused.status_code == 401
            assert refused.headers["Access-Control-Allow-Origin"] == origin
            assert "x-request-id" in refused.headers["Access-Control-Expose-Headers"].lower()


async def test_the_log_has_a_line_for_each_request_and_no_secrets(
    database_url: str, tmp_path: Path
) -> None:
    with run_server(tmp_path, DATABASE_URL=database_url, LOG_LEVEL="DEBUG") as server:
        async with AsyncClient(base_url=server.url, timeout=30) as client:
            body = {"email": "jane@example.com", "password": PASSWORD}
            await client.post("/api/auth/register", json=body)
            await client.post("/api/auth/forgot-password", json={"email": body["email"]})
            await client.post(
                "/api/auth/jwt/login", data={"username": body["email"], "password": PASSWORD}
            )
            secret = "a-token-that-nobody-may-read"
            await client.get(f"/account/verify-email?token={secret}")
            await client.get("/api/users/me", headers={"Authorization": f"Bearer {secret}"})
    lines = [json.loads(line) for line in server.log.splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert [line["path"] for line in requests] == [
        "/api/auth/register",
        "/api/auth/forgot-password",
        "/api/auth/jwt/login",
        "/account/verify-email",
        "/api/users/me",
    ]
    assert all(line["request_id"] and line["status"] and line["ms"] > 0 for line in requests)
    for hidden in (PASSWORD, secret, "token=", "$argon2"):
        assert hidden not in server.log


@pytest.mark.parametrize(("proxies", "seen"), [("", "127.0.0.1"), ("127.0.0.1", "203.0.113.9")])
async def test_forwarded_addresses_are_believed_from_configured_proxies_only(
    database_url: str, tmp_path: Path, proxies: str, seen: str
) -> None:
    settings = {"DATABASE_URL": database_url, "TRUSTED_PROXIES": proxies}
    with run_server(tmp_path, **settings) as server:
        async with AsyncClient(base_url=server.url, timeout=30) as client:
            await client.get("/api/users/me", headers={"X-Forwarded-For": "203.0.113.9"})
    line = json.loads(next(line for line in server.log.splitlines() if "/api/users/me" in line))
    assert line["client"] == seen
