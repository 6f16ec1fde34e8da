"""The servers that are compared: how each is installed, fed, started and asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["SERVERS", "Server", "SignIn"]


@dataclass(frozen=True, kw_only=True)
class SignIn:
    path: str
    kind: Literal["form", "json"] = "json"
    name: str = "email"
    """The field that holds the address."""
    token: str = "token"
    """Where the answer has the token; a dot goes a level deeper."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """Paths and commands; `{port}` and `{folder}` in a command are filled in."""

    name: str
    title: str
    kind: Literal["project", "python", "node"]
    is_peer: bool = True
    database: Literal["postgresql", "sqlite"] = "postgresql"
    copy_of: str | None = None
    """Its tables are those of this other server, and so is its hash."""

    migrate: tuple[str, ...] = ()
    serve: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    sign_in: SignIn
    me: str = "/me"
    items: str = "/items"
    items_table: str = "items"
    rows: str | None = None
    """The key of the rows in a list's answer; None where the answer is the rows."""
    page_size: str = "limit"
    next_page: str | None = None
    """The key of what leads to the next page; None where pages are reached by an offset."""
    deep: str = "offset=50000"
    """The query of the page 50,000 rows deep, where there is an offset."""


_UVICORN = ("uvicorn", "--port", "{port}")
_PROJECT = Server(
    name="backend",
    title="this backend",
    kind="project",
    is_peer=False,
    migrate=("backend", "db", "migrate"),
    serve=("backend", "serve", "--port", "{port}"),
    environment={
        "ENVIRONMENT": "production",
        "SECRET_KEY": "only for the benchmark: wCw0Cqkq7tXvAqjLr1b3",
        "SMTP_URL": "smtp://127.0.0.1:9",
        "MAIL_FROM": "Benchmark <bench@example.com>",
        "DATA_DIR": "{folder}/data",
        "PUBLIC_URL": "http://127.0.0.1:{port}",
    },
    sign_in=SignIn(path="/api/auth/jwt/login", kind="form", name="username", token="access_token"),
    me="/api/users/me",
    items="/api/items",
    rows="items",
    next_page="next_cursor",
)

SERVERS: dict[str, Server] = {
    server.name: server
    for server in (
        Server(
            name="limit",
            title="the limit: raw ASGI, raw asyncpg",
            kind="python",
            is_peer=False,
            copy_of="backend",
            serve=(*_UVICORN, "--no-access-log", "app:app"),
            sign_in=SignIn(path="/login", kind="form", name="username", token="access_token"),
            rows="items",
            next_page="next_cursor",
        ),
        _PROJECT,
        Server(
            **{
                **{name: getattr(_PROJECT, name) for name in _PROJECT.__dataclass_fields__},
                "name": "backend-sqlite",
                "title": "this backend, SQLite",
                "database": "sqlite",
            }
        ),
        Server(
            name="fastapi-users",
            title="FastAPI-Users as documented",
            kind="python",
            migrate=("python", "-m", "app.migrate"),
            serve=(*_UVICORN, "app.app:app"),
            sign_in=SignIn(
                path="/auth/jwt/login", kind="form", name="username", token="access_token"
            ),
            me="/users/me",
        ),
        Server(
            name="litestar",
            title="Litestar, advanced-alchemy",
            kind="python",
            migrate=("python", "migrate.py"),
            serve=(*_UVICORN, "app:app"),
            sign_in=SignIn(path="/login", token="access_token"),
            rows="items",
            page_size="pageSize",
            deep="currentPage=1001",
        ),
        Server(
            name="django",
            title="Django REST framework, SimpleJWT",
            kind="python",
            migrate=("python", "manage.py", "migrate"),
            serve=(
                *("gunicorn", "--bind", "127.0.0.1:{port}", "--workers", "1"),
                *("--worker-class", "gthread", "--threads", "4", "project.wsgi"),
            ),
            sign_in=SignIn(path="/api/token/", name="username", token="access"),
            me="/api/me/",
            items="/api/items/",
            items_table="items_item",
            rows="results",
            next_page="next",
        ),
        Server(
            name="better-auth",
            title="better-auth, Hono, Node",
            kind="node",
            migrate=("node", "migrate.js"),
            serve=("node", "server.js"),
            environment={"NODE_ENV": "production"},
            sign_in=SignIn(path="/api/auth/sign-in/email"),
        ),
        Server(
            name="nest",
            title="Nest, TypeORM",
            kind="node",
            migrate=("node", "dist/migrate.js"),
            serve=("node", "dist/main.js"),
            environment={"NODE_ENV": "production"},
            sign_in=SignIn(path="/auth/login", token="access_token"),
            me="/profile",
        ),
    )
}
