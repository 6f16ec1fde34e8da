"""K9: no hostile input gets a 5xx, and each gets a problem that says what is wrong."""

import base64
import json
import uuid
from typing import Any

import pytest
from httpx2 import AsyncClient

from tests.support.accounts import Accounts

HOSTILE_VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    10**400,
    1e308,
    "",
    "\0",
    "a\0b@example.com",
    "\ud800",
    "x" * 100_000,
    [],
    {},
    [[[[]]]],
    {"$ne": None},
    "' OR 1=1 --",
    "<script>",
    "\u202e\u0000\uffff",
    "İ" * 254,
    "a@" + "b" * 300 + ".com",
    "@",
    "a@b",
    "a@[127.0.0.1]",
    "jane@example.com\r\nBcc: x@y.z",
]


def bodies(fields: dict[str, Any]) -> list[bytes]:
    """Each field in turn with each hostile value, and bodies that are none."""
    made = [
        json.dumps(fields | {name: value}).encode() for name in fields for value in HOSTILE_VALUES
    ]
    return [
        *made,
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'"text"',
        b"NaN",
        b'{"email": NaN}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"email": "\\ud800@example.com"}',
        b'{"password": "\\ud800"}',
    ]


def assert_refused_or_harmless(answer: Any, sent: object) -> None:
    assert answer.status_code < 500, (answer.status_code, answer.text, str(sent)[:200])
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json", str(sent)[:200]
        problem = answer.json()
        assert problem["status"] == answer.status_code
        assert problem["code"]
        assert problem["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (
            "/api/auth/register",
            {"email": "jane@example.com", "password": "a fine phrase", "name": "Jane"},
        ),
        ("/api/auth/forgot-password", {"email": "jane@example.com"}),
        ("/api/auth/request-verify-token", {"email": "jane@example.com"}),
        ("/api/auth/reset-password", {"token": "x" * 43, "password": "a fine phrase"}),
        ("/api/auth/verify", {"token": "x" * 43}),
    ],
)
async def test_k9_public_routes(
    async_client: AsyncClient, path: str, fields: dict[str, Any]
) -> None:
    headers = {"Content-Type": "application/json"}
    for body in bodies(fields):
        assert_refused_or_harmless(
            await async_client.post(path, content=body, headers=headers), body
        )


async def test_k9_changing_an_account(accounts: Accounts, async_client: AsyncClient) -> None:
    admin = await accounts.superuser()
    jane = await accounts.verified("jane@example.com")
    fields = {
        "email": "jane@example.com",
        "name": "Jane",
        "is_active": True,
        "is_superuser": False,
        "is_verified": True,
        "password": "a fine phrase",
    }
    for path, account in (("/api/users/me", jane), (f"/api/users/{jane.id}", admin)):
        for body in bodies(fields):
            # A password that is fine in the other bodies ends no session here.
            without = body.replace(b'"password": "a fine phrase"', b'"name": "Jane"')
            headers = account.headers | {"Content-Type": "application/json"}
            answer = await async_client.patch(path, content=without, headers=headers)
            assert_refused_or_harmless(answer, without)
    for name in ("email", "password", "is_active", "is_superuser", "is_verified"):
        answer = await async_client.patch(
            f"/api/users/{jane.id}", json={name: None}, headers=admin.headers
        )
        assert answer.status_code == 422, (name, answer.text)


async def test_k9_people_cannot_promote_themselves(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    jane = await accounts.verified("jane@example.com")
    change = {
        "is_superuser": True,
        "is_verified": False,
        "is_active": False,
        "id": str(uuid.uuid4()),
    }
    answer = await async_client.patch("/api/users/me", json=change, headers=jane.headers)
    assert answer.json()["is_superuser"] is False
    assert answer.json()["is_verified"] is True
    assert answer.json()["is_active"] is True
    assert answer.json()["id"] == jane.id
    body = {"email": "john@example.com", "password": "a fine phrase", **change}
    answer = await async_client.post("/api/auth/register", json=body)
    assert answer.json()["is_superuser"] is False
    assert answer.json()["is_active"] is True
    assert answer.json()["id"] != change["id"]


@pytest.mark.parametrize(
    "id", ["0", "-1", "9" * 400, "%00", "..%2f..", "null", "%F0%9F%94%91", "a" * 5000]
)
async def test_k9_ids(accounts: Accounts, async_client: AsyncClient, id: str) -> None:  # noqa: A002
    admin = await accounts.superuser()
    for method in ("GET", "PATCH", "DELETE"):
        answer = await async_client.request(
            method, f"/api/users/{id}", headers=admin.headers, json={}
        )
        assert answer.status_code in {404, 422}, answer.text
        assert_refused_or_harmless(answer, id)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=" + "9" * 30,
        "limit=x",
        "cursor=x",
        "cursor=%00",
        "cursor=W10",
        "cursor=eyJhIjoxfQ",
        "cursor=WyItY3JlYXRlZF9hdCxpZCIsIjIwMjYtMDEtMDEiLCJ4Il0",
        "sort=password",
        "q=%00",
        "q=" + "x" * 300,
        "is_active=maybe",
        "cursor=" + "W" * 2000,
    ],
)
async def test_k9_list_parameters(
    accounts: Accounts, async_client: AsyncClient, query: str
) -> None:
    admin = await accounts.superuser()
    answer = await async_client.get(f"/api/users?{query}", headers=admin.headers)
    assert answer.status_code in {200, 422}, answer.text
    assert_refused_or_harmless(answer, query)


@pytest.mark.parametrize(
    "values",
    [
        ["-created_at,id", "2020-01-01T00:00:00+00:00", 1],
        ["-created_at,id", 1, 1],
        ["-created_at,id", None, None],
        ["-created_at,id", "2020-01-01", str(uuid.uuid4())],
        ["-created_at,id", [], {}],
        ["-created_at,id"],
        [],
        {},
        "x",
    ],
)
async def test_k9_forged_cursors(
    accounts: Accounts, async_client: AsyncClient, values: object
) -> None:
    admin = await accounts.superuser()
    cursor = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
    answer = await async_client.get(f"/api/users?cursor={cursor}", headers=admin.headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "invalid_cursor"


@pytest.mark.parametrize(
    "form",
    [
        b"",
        b"username=%00&password=%00",
        b"username=\xff\xfe&password=\xff",
        b"%" * 1000,
        b"username=a&username=b&password=c",
        b"username=" + b"x" * 100_000 + b"&password=y",
        b"grant_type=other&username=a&password=b",
        b"&".join([b"x=y"] * 5000),
        b"username=%ed%a0%80&password=%ed%a0%80",
    ],
)
async def test_k9_sign_in_forms(async_client: AsyncClient, form: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await async_client.post("/api/auth/jwt/login", content=form, headers=headers)
    assert 400 <= answer.status_code < 500
    assert_refused_or_harmless(answer, form)


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/json",
        "application/x-www-form-urlencoded; charset=utf-99",
        "\xff",
    ],
)
async def test_k9_content_types(async_client: AsyncClient, content_type: str) -> None:
    headers = {b"Content-Type": content_type.encode("latin-1")}
    for path in ("/api/auth/jwt/login", "/api/auth/register"):
        answer = await async_client.post(path, content=b"--x\r\n\r\n", headers=headers)
        assert 400 <= answer.status_code < 500
        assert_refused_or_harmless(answer, content_type)


async def test_k9_large_bodies_are_413_and_a_problem(async_client: AsyncClient) -> None:
    async def chunks() -> Any:
        for _ in range(10):
            yield b" " * 1_000_000

    headers = {"Content-Type": "application/json"}
    for content in (b" " * 10_000_000, chunks()):
        answer = await async_client.post("/api/auth/register", content=content, headers=headers)
        assert answer.status_code == 413
        assert_refused_or_harmless(answer, "10 MB")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "TRACE", "FOO"])
async def test_unknown_paths_and_methods_are_problems(
    async_client: AsyncClient, method: str
) -> None:
    missing = await async_client.request(method, "/api/nothing-here")
    assert missing.status_code in {404, 405}
    assert_refused_or_harmless(missing, method)
    wrong = await async_client.request(method, "/api/auth/register")
    assert wrong.status_code == 405
    assert wrong.headers["Allow"] == "POST"
    assert_refused_or_harmless(wrong, method)
