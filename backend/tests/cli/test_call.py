"""`backend call`: the answer, and what the request caused."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.routing import iter_route_contexts
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app import app
from backend.db import SessionDep
from backend.services.auth.models import UserSession
from backend.services.auth.utils import CurrentUser
from backend.services.users.models import User
from backend.settings import settings
from tests.cli.command import Command
from tests.cli.conftest import Invoke
from tests.support.accounts import Accounts

ME = "/api/users/me"


@pytest.fixture
def broken_routes() -> Iterator[None]:
    """Two routes with mistakes in them, for as long as the test runs."""
    router = APIRouter()

    @router.get("/api/broken")
    async def broken() -> None:
        raise ZeroDivisionError("a mistake with token=abcdef in it")

    @router.post("/api/forgetful", status_code=204)
    async def forgetful(session: SessionDep, user: CurrentUser) -> None:
        user.name = "Never stored"

    before = list(app.router.routes)
    app.include_router(router)
    yield
    app.router.routes[:] = before


async def sessions(session: AsyncSession) -> int | None:
    return await session.scalar(select(func.count()).select_from(UserSession))


async def test_the_answer_is_shown_with_sql_and_log_and_leaves_no_session(
    invoke: Invoke, accounts: Accounts, async_session: AsyncSession
) -> None:
    await accounts.verified("ada@example.com")
    before = await sessions(async_session)
    done = await invoke("call", "get", ME, "--as", "ADA@example.com")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("200 OK, ")
    assert '"email": "ada@example.com"' in done.stdout
    assert "\n1 SQL statement, " in done.stdout
    assert "ms  1 row     SELECT users.id" in done.stdout
    assert "\n1 log line\n  info    request " in done.stdout
    assert "path=/api/users/me status=200" in done.stdout
    assert done.stdout.endswith("\nno mails\n")
    await async_session.rollback()
    assert await sessions(async_session) == before


async def test_a_change_stays_and_its_mails_are_shown(
    invoke: Invoke, accounts: Accounts, async_session: AsyncSession, tmp_path: Path
) -> None:
    await accounts.verified("ada@example.com")
    body = tmp_path / "body.json"
    body.write_text('{"name": "Ada", "email": "new@example.com"}')
    done = await invoke(
        "call", "PATCH", ME, "--as", "ada@example.com", "--data", f"@{body}", "--json"
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["status"], document["body"]["name"]) == (200, "Ada")
    assert any(item["text"].startswith("UPDATE users") for item in document["statements"])
    assert {item["rows"] for item in document["statements"]} >= {1}
    assert {mail["to"] for mail in document["mails"]} >= {"new@example.com"}
    assert all(mail["subject"] and mail["text"] for mail in document["mails"])
    assert document["failure"] is None
    stored = await async_session.scalar(select(User.name).where(User.email == "ada@example.com"))
    assert stored == "Ada"


async def test_no_secret_is_shown(invoke: Invoke, accounts: Accounts) -> None:
    await accounts.register("ada@example.com")
    data = '{"email": "ada@example.com"}'
    options = ("call", "POST", "/api/auth/request-verify-token", "--json", "--data", "@-")
    done = await invoke(*options, stdin=data)
    (mail,) = json.loads(done.stdout)["mails"]
    assert "/verify-email?token=***" in mail["text"]
    assert "/verify-email?token=***" in mail["html"]
    account = await accounts.verified("bob@example.com")
    form = f"username=bob@example.com&password={account.password.replace(' ', '+')}"
    urlencoded = "Content-Type: application/x-www-form-urlencoded"
    done = await invoke(
        "call", "POST", "/api/auth/jwt/login", "--data", form, "--header", urlencoded
    )
    assert done.stdout.startswith("200 OK")
    assert '"access_token": "***"' in done.stdout
    assert account.password not in done.stdout
    given = f"Authorization: Bearer {account.token}"
    done = await invoke("call", "GET", ME, "--header", given, "--json")
    assert done.returncode == 0
    assert account.token not in done.stdout


async def test_an_answer_from_400_on_ends_with_1(invoke: Invoke) -> None:
    done = await invoke("call", "GET", ME)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("401 Unauthorized")


@pytest.mark.usefixtures("broken_routes")
async def test_what_fails_shows_its_traceback(invoke: Invoke, accounts: Accounts) -> None:
    await accounts.verified("ada@example.com")
    done = await invoke("call", "GET", "/api/broken")
    assert done.returncode == 1
    assert done.stdout.startswith("500 ")
    assert "Traceback" in done.stdout
    assert "ZeroDivisionError: a mistake with token=*** in it" in done.stdout
    done = await invoke("call", "POST", "/api/forgetful", "--as", "ada@example.com", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["status"]) == (1, 204)
    assert "LostWriteError: The request ended with changes that nobody" in document["failure"]


async def test_what_cannot_be_meant_is_refused_with_the_remedy(
    invoke: Invoke, accounts: Accounts, async_session: AsyncSession
) -> None:
    account = await accounts.verified("ada@example.com")
    before = await sessions(async_session)
    as_ada = ("--as", "ada@example.com")
    for arguments, sentence in (
        (("GET", ME, "--as", "nobody@example.com"), "`backend user create nobody@example.com`"),
        (("GET", "/users/me"), "The path that you mean is /api/users/me"),
        (("GET", "api/users/me?x=1"), "The path that you mean is /api/users/me"),
        (("GET", f"http://127.0.0.1:8000{ME}"), "The path that you mean is /api/users/me"),
        (("GET", f"/api/user/{account.id}"), "The nearest is /api/users/{id}"),
        (("PATCH", ME, *as_ada, "--data", "{name: 1}"), "not JSON at line 1, column 2"),
        (("PATCH", ME, *as_ada, "--data", "@nowhere.json"), "nowhere.json cannot be read"),
        (("GET", ME, "--header", "nonsense"), "A header is a name, a colon and a value"),
        (("GET", ME, *as_ada, "--header", "Authorization: x"), "Leave out --as"),
    ):
        done = await invoke("call", *arguments)
        assert (done.returncode, done.stdout) == (1, ""), arguments
        assert done.stderr.startswith("Error: ")
        assert sentence in done.stderr
    await async_session.rollback()
    assert await sessions(async_session) == before


async def test_production_refuses(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "environment", "production")
    done = await invoke("call", "GET", ME, "--as", "ada@example.com")
    assert (done.returncode, done.stdout) == (1, "")
    assert "for development" in done.stderr
    assert "ENVIRONMENT is production" in done.stderr


async def test_the_command_writes_nothing_but_its_output(
    backend: Command, accounts: Accounts
) -> None:
    """In a process of its own, where the logs are configured as for every command."""
    await accounts.verified("ada@example.com")
    done = backend("call", "GET", ME, "--as", "ada@example.com", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert [line["event"] for line in document["log"]] == ["request"]
    assert len(document["statements"]) == 1


def test_routes_of_a_test_are_taken_away_again() -> None:
    assert not any(context.path == "/api/broken" for context in iter_route_contexts(app.routes))
