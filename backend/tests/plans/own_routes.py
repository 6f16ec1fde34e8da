"""Every route of this project's own services, with the number of its statements."""

import uuid

from backend.core.pagination import _encode
from backend.db import async_session_maker
from backend.services.email.delivery import deliver_next
from backend.services.users.models import User
from tests.plans.calls import Calls
from tests.plans.filling import Size, id_of, moment
from tests.support.accounts import PASSWORD
from tests.support.mail import Mailbox, token_in

__all__ = ["MIXED", "STATEMENTS", "call_account_lists", "call_own_routes", "sign_in"]

STATEMENTS = {
    "POST /api/auth/register": 3,
    "POST /api/auth/register, a taken address": 4,
    "POST /api/auth/jwt/login, not confirmed": 2,
    "POST /api/auth/request-verify-token": 3,
    "POST /api/auth/request-verify-token, nobody": 2,
    "POST /api/auth/verify": 5,
    "POST /api/auth/verify, used up": 1,
    "POST /api/auth/jwt/login": 2,
    "POST /api/auth/jwt/login, a wrong password": 1,
    "POST /api/auth/jwt/login, nobody": 1,
    "POST /api/auth/jwt/logout": 2,
    "GET /api/users/me, signed out": 1,
    "POST /api/auth/forgot-password": 3,
    "POST /api/auth/forgot-password, nobody": 2,
    "POST /api/auth/reset-password": 6,
    "POST /api/auth/reset-password, used up": 1,
    "GET /api/users/me": 1,
    "GET /api/users/me, nobody": 0,
    "PATCH /api/users/me, name": 4,
    "PATCH /api/users/me, password": 6,
    "PATCH /api/users/me, email": 7,
    "POST /api/auth/verify, another address": 5,
    "GET /api/users/{id}": 2,
    "GET /api/users/{id}, nobody": 2,
    "PATCH /api/users/{id}, name": 4,
    "PATCH /api/users/{id}, email": 7,
    "PATCH /api/users/{id}, is_active": 6,
    "DELETE /api/users/{id}": 3,
    "GET /account/resend-verification": 0,
    "POST /account/resend-verification": 2,
    "GET /account/forgot-password": 0,
    "POST /account/forgot-password": 3,
    "GET /account/reset-password": 1,
    "POST /account/reset-password": 6,
    "GET /account/verify-email": 0,
    "POST /account/verify-email": 5,
    "GET /health/live": 0,
    "GET /health/ready": 2,
    "the worker, nothing is due": 1,
    "the worker, a mail": 3,
}
"""With those that ask who it is. A list of accounts sends two, whatever is asked for."""

Headers = dict[str, str]

NEW, MOVED = "new@example.com", "moved@example.com"
NOBODY = {"email": "nobody@example.com"}
ANOTHER = "another horse battery"
BY_TIME = (
    *("is_active=false", "is_superuser=true", "is_verified=false", "is_active=true"),
    "is_verified=true&is_superuser=false",
)
BY_ADDRESS = ("q=user", "q=nobody")
ORDERS = (
    ("created_at", "created_at,id", BY_TIME),
    ("-created_at", "-created_at,id", BY_TIME),
    ("email", "email_key", BY_ADDRESS),
    ("-email", "-email_key", BY_ADDRESS),
)
"""As the client says it, as the cursor does, and what has an index together with it."""
MIXED = ("sort=created_at&q=user", "sort=email&is_superuser=true", "q=user&is_superuser=true")
"""One of the two has an index: the cost is what that one finds, or everybody."""


async def sign_in(calls: Calls, email: str, password: str = PASSWORD) -> Headers:
    form = {"username": email, "password": password}
    response = await calls.client.post("/api/auth/jwt/login", data=form)
    return {"Authorization": f"Bearer {response.json()['access_token']}"}


async def call_own_routes(calls: Calls, size: Size, mailbox: Mailbox) -> None:
    await _sign_up_and_in(calls, mailbox)
    await _forget_the_password(calls, mailbox)
    await _change_the_account(calls, mailbox)
    admin = await sign_in(calls, "user0@example.com")
    await call_account_lists(calls, size, admin)
    await _administrate(calls, admin)
    await _visit_pages(calls, mailbox)
    await _deliver(calls, mailbox)


async def _sign_up_and_in(calls: Calls, mailbox: Mailbox) -> None:
    route, body = "POST /api/auth/register", {"email": NEW, "password": PASSWORD}
    await calls.send(route, json=body)
    await calls.send(f"{route}, a taken address", json=body | {"email": "user7@example.com"})
    login, form = "POST /api/auth/jwt/login", {"username": NEW, "password": PASSWORD}
    await calls.send(f"{login}, not confirmed", data=form, status=400)
    route = "POST /api/auth/request-verify-token"
    await calls.send(route, json={"email": NEW})
    await calls.send(f"{route}, nobody", json=NOBODY)
    route, body = "POST /api/auth/verify", {"token": token_in(await mailbox.last(NEW))}
    await calls.send(route, json=body)
    await calls.send(f"{route}, used up", json=body, status=400)
    token = (await calls.send(login, data=form)).json()["access_token"]
    await calls.send(f"{login}, a wrong password", data=form | {"password": "x"}, status=400)
    await calls.send(f"{login}, nobody", data=form | {"username": NOBODY["email"]}, status=400)
    headers = {"Authorization": f"Bearer {token}"}
    await calls.send("POST /api/auth/jwt/logout", headers=headers)
    await calls.send("GET /api/users/me, signed out", headers=headers, status=401)


async def _forget_the_password(calls: Calls, mailbox: Mailbox) -> None:
    route = "POST /api/auth/forgot-password"
    await calls.send(route, json={"email": NEW})
    await calls.send(f"{route}, nobody", json=NOBODY)
    route, body = "POST /api/auth/reset-password", {"token": token_in(await mailbox.last(NEW))}
    await calls.send(route, json=body | {"password": ANOTHER})
    await calls.send(f"{route}, used up", json=body | {"password": ANOTHER}, status=400)


async def _change_the_account(calls: Calls, mailbox: Mailbox) -> None:
    headers = await sign_in(calls, NEW, ANOTHER)
    await calls.send("GET /api/users/me", headers=headers)
    await calls.send("GET /api/users/me, nobody", status=401)
    for what, value in (("name", "New"), ("password", PASSWORD), ("email", MOVED)):
        await calls.send(f"PATCH /api/users/me, {what}", headers=headers, json={what: value})
    body = {"token": token_in(await mailbox.last(MOVED))}
    await calls.send("POST /api/auth/verify, another address", json=body)


async def call_account_lists(calls: Calls, size: Size, admin: Headers) -> None:
    url = "/api/users"
    for query in ("", *BY_TIME, *BY_ADDRESS, *MIXED):
        await calls.send(f"GET {url}?{query}", headers=admin)
    middle = size.users // 2
    for sort, key, narrowings in ORDERS:
        values = [moment(middle), id_of(User, middle)] if "id" in key else ["user5"]
        query = f"?sort={sort}&cursor={_encode([key, *values])}"
        await calls.send(f"GET {url}?sort={sort}, far down", f"{url}{query}", headers=admin)
        for narrowing in narrowings:
            await calls.send(f"GET {url}?sort={sort}&{narrowing}", headers=admin)


async def _administrate(calls: Calls, admin: Headers) -> None:
    route, url = "/api/users/{id}", f"/api/users/{id_of(User, 9)}"
    await calls.send(f"GET {route}", url, headers=admin)
    missing = f"/api/users/{uuid.UUID(int=0)}"
    await calls.send(f"GET {route}, nobody", missing, headers=admin, status=404)
    for what, value in (("name", "Nine"), ("email", "nine@example.com"), ("is_active", False)):
        await calls.send(f"PATCH {route}, {what}", url, headers=admin, json={what: value})
    await calls.send(f"DELETE {route}", url, headers=admin)


async def _visit_pages(calls: Calls, mailbox: Mailbox) -> None:
    for what, mail in (("resend-verification", NOBODY["email"]), ("forgot-password", MOVED)):
        await calls.send(f"GET /account/{what}")
        await calls.send(f"POST /account/{what}", data={"email": mail})
    token = token_in(await mailbox.last(MOVED))
    route, form = "/account/reset-password", {"token": token, "password": ANOTHER}
    await calls.send(f"GET {route}", f"{route}?token={token}")
    await calls.send(f"POST {route}", data=form)
    body = {"email": "newer@example.com", "password": PASSWORD}
    await calls.client.post("/api/auth/register", json=body)
    token = token_in(await mailbox.last(body["email"]))
    route = "/account/verify-email"
    await calls.send(f"GET {route}", f"{route}?token={token}")
    await calls.send(f"POST {route}", data={"token": token})
    for label in ("GET /health/live", "GET /health/ready"):
        await calls.send(label)


async def _deliver(calls: Calls, mailbox: Mailbox) -> None:
    await mailbox.all()
    for label in ("the worker, nothing is due", "the worker, a mail"):
        await calls.record(label, deliver_next(async_session_maker, mailbox.transport))
        await calls.client.post("/api/auth/forgot-password", json={"email": MOVED})
