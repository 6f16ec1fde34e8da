"""What a server could do at best: what a request costs this backend in reads and checks, and nothing
else; bench/README.md says where it does less.

A function of ASGI, a pool of asyncpg's connections, one statement for session and user, one for the
page, one INSERT; PyJWT, orjson, argon2-cffi. Its tables are a copy of this backend's.
"""

import asyncio
import base64
import datetime
import os
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, parse_qsl

import argon2
import asyncpg
import jwt
import orjson
import uuid_utils.compat

SECRET = os.environ["SECRET"]
LIFETIME = datetime.timedelta(hours=12)

USER = """
SELECT u.id, u.email, u.name, u.is_active, u.is_superuser, u.is_verified, u.created_at
FROM user_sessions s JOIN users u ON u.id = s.user_id
WHERE s.id = $1 AND u.id = $2 AND u.is_active AND s.revoked_at IS NULL AND s.expires_at > $3
"""
FIRST_PAGE = """
SELECT id, title, body, status, due_on, created_at, updated_at FROM items
WHERE owner_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2
"""
NEXT_PAGE = """
SELECT id, title, body, status, due_on, created_at, updated_at FROM items
WHERE owner_id = $1 AND (created_at, id) < ($3, $4)
ORDER BY created_at DESC, id DESC LIMIT $2
"""
CREATE = """
INSERT INTO items (id, owner_id, title, body, status, due_on, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
"""
BY_ADDRESS = "SELECT id, hashed_password FROM users WHERE email_key = $1 AND is_active"
BEGIN_SESSION = """
INSERT INTO user_sessions (id, user_id, ip_address, user_agent, created_at, last_used_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $5, $6)
"""

pool: asyncpg.Pool
hasher = argon2.PasswordHasher()  # checks at the parameters that the hash has
threads = ThreadPoolExecutor(
    1, initializer=lambda: os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
)


async def use_text_for_uuid(connection):
    """orjson does not know asyncpg's own class of them."""
    await connection.set_type_codec(
        "uuid", encoder=str, decoder=str, schema="pg_catalog", format="text"
    )


async def no_reset(connection):
    """Nothing was changed that would have to be undone."""


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    status, content = await answer(scope, receive)
    body = orjson.dumps(content)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def lifespan(receive, send):
    global pool
    await receive()
    pool = await asyncpg.create_pool(
        os.environ["DATABASE_URL"],
        min_size=10,
        max_size=10,
        init=use_text_for_uuid,
        reset=no_reset,
    )
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await pool.close()
    await send({"type": "lifespan.shutdown.complete"})


async def answer(scope, receive):
    path = scope["path"]
    if path == "/login":
        return await sign_in(scope, receive)
    user = await current_user(scope)
    if user is None:
        return 401, {"detail": "Unauthorized"}
    if path == "/me":
        return 200, dict(user)
    if path == "/items" and scope["method"] == "GET":
        return await page(user, scope)
    if path == "/items" and scope["method"] == "POST":
        return await create(user, await body_of(receive))
    return 404, {"detail": "Not Found"}


async def body_of(receive):
    message = await receive()
    body = message["body"]
    while message["more_body"]:
        message = await receive()
        body += message["body"]
    return body


async def current_user(scope):
    for name, value in scope["headers"]:
        if name == b"authorization" and value.startswith(b"Bearer "):
            break
    else:
        return None
    try:
        claims = jwt.decode(value[7:], SECRET, ["HS256"], audience="api", issuer="limit")
    except jwt.InvalidTokenError:
        return None
    return await pool.fetchrow(
        USER, claims["sid"], claims["sub"], datetime.datetime.now(datetime.UTC)
    )


async def page(user, scope):
    query = dict(parse_qsl(scope["query_string"].decode()))
    limit = int(query.get("limit", "20"))
    if not 1 <= limit <= 100:
        return 422, {"detail": "limit"}
    if cursor := query.get("cursor"):
        created_at, key = base64.urlsafe_b64decode(cursor).decode().split(",")
        created_at = datetime.datetime.fromisoformat(created_at)
        rows = await pool.fetch(NEXT_PAGE, user["id"], limit + 1, created_at, key)
    else:
        rows = await pool.fetch(FIRST_PAGE, user["id"], limit + 1)
    following = None
    if len(rows) > limit:
        rows = rows[:limit]
        last = f"{rows[-1]['created_at'].isoformat()},{rows[-1]['id']}"
        following = base64.urlsafe_b64encode(last.encode()).decode()
    return 200, {"items": [dict(row) for row in rows], "next_cursor": following}


async def create(user, body):
    try:
        given = orjson.loads(body)
        title = given["title"]
        text = given.get("body")
        status = given.get("status", "draft")
        due_on = given.get("due_on")
        due_on = datetime.date.fromisoformat(due_on) if due_on is not None else None
        if (
            not isinstance(title, str)
            or not 1 <= len(title) <= 120
            or not (text is None or (isinstance(text, str) and len(text) <= 2000))
            or status not in ("draft", "live")
        ):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError):
        return 422, {"detail": "invalid"}
    key = str(uuid_utils.compat.uuid7())
    now = datetime.datetime.now(datetime.UTC)
    await pool.execute(CREATE, key, user["id"], title, text, status, due_on, now)
    return 201, {
        "id": key,
        "title": title,
        "body": text,
        "status": status,
        "due_on": due_on,
        "created_at": now,
        "updated_at": now,
    }


async def sign_in(scope, receive):
    form = parse_qs((await body_of(receive)).decode())
    user = await pool.fetchrow(BY_ADDRESS, form["username"][0])
    if user is None:
        return 400, {"detail": "LOGIN_BAD_CREDENTIALS"}
    try:
        await asyncio.get_running_loop().run_in_executor(
            threads, hasher.verify, user["hashed_password"], form["password"][0]
        )
    except argon2.exceptions.VerifyMismatchError:
        return 400, {"detail": "LOGIN_BAD_CREDENTIALS"}
    session = str(uuid_utils.compat.uuid7())
    now = datetime.datetime.now(datetime.UTC)
    expires_at = now + LIFETIME
    await pool.execute(
        BEGIN_SESSION, session, user["id"], scope["client"][0], None, now, expires_at
    )
    claims = {
        "iss": "limit",
        "aud": "api",
        "sub": user["id"],
        "sid": session,
        "iat": int(time.time()),
        "exp": int(expires_at.timestamp()),
        "jti": str(uuid.uuid4()),
    }
    return 200, {"access_token": jwt.encode(claims, SECRET, "HS256"), "token_type": "bearer"}
