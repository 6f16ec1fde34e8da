"""Who may call a route, and how often."""

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from fastapi import APIRouter
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel

from backend.check.finding import Finding, Place
from backend.check.mending import include_router
from backend.check.places import (
    assignment,
    assignment_place,
    parse,
    place_of,
    service_of,
    source_file,
)
from backend.check.registry import rule
from backend.check.routes import APP, Route, Routes
from backend.check.shapes import models_in, parts
from backend.check.tables import SERVICES, TableFact

__all__ = ["inputs_leave_to_the_server_what_is_its_own", "open_writes_are_limited"]

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@rule("BK102", "Every route that a service declares is in the app", facts="routes")
def routers_are_in_the_app(routes: Routes) -> Iterator[Finding]:
    answered = {route.endpoint for route in routes}
    for path in sorted((routes.root / SERVICES).glob("*/routes.py")):
        service = path.parent.name
        if routes.only is not None and service not in routes.only:
            continue
        module = sys.modules.get(f"backend.services.{service}.routes")
        for name, line in _routers(path):
            router = getattr(module, name, None)
            if isinstance(router, APIRouter):
                endpoints = {item.endpoint for item in iter_route_contexts(router.routes)}
                if not endpoints or endpoints & answered:
                    continue
            alias = f"{service}_{name}"
            declared = f"backend.services.{service}.routes"
            yield Finding(
                "BK102",
                Place(path.relative_to(routes.root).as_posix(), line),
                f"{service}.{name}",
                f"The routes of {name} in {service} are not in the app, so nobody can call them.",
                f"Write at the end of {APP}: from {declared} import {name} as {alias}; "
                f'app.include_router({alias}, prefix="/api")',
                fix=include_router(APP, declared, name, alias),
            )


def _routers(path: Path) -> Iterator[tuple[str, int]]:
    for node in parse(path).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=called)) if (
                ast.unparse(called).rpartition(".")[2] == "APIRouter"
            ):
                yield name, node.lineno


@rule("BK201", "Every route says who may call it", facts="routes")
def routes_say_who_may(routes: Routes) -> Iterator[Finding]:
    for route in routes:
        if route.public or not route.is_open:
            continue
        if route.kind == "mount":
            yield Finding(
                "BK201",
                route.place,
                route.name,
                f"The app mounted at {route.path} answers anybody, and nothing says that this is "
                "meant.",
                "If everybody may use it, mount `public(…)` of it, from backend.core.access; else "
                "serve it by a route that takes `CurrentUser`.",
            )
            continue
        optional = any(item.optional for item in route.requirements)
        yield Finding(
            "BK201",
            route.place,
            route.name,
            f"{route.name} answers callers who are not signed in, and nothing says that this is "
            + (
                "meant: with `optional` a user is welcome, and not required."
                if optional
                else "meant: neither it nor its router asks for a user."
            ),
            "Add the parameter `user: CurrentUser` (backend.services.auth.utils); or, if everybody "
            "may call it, `@public` (backend.core.access) under the decorator of the route.",
        )


_OF_THE_ROW = frozenset({"id", "created_at", "updated_at", "hashed_password", "password_hash"})
"""What nobody may send, whoever it is."""
_OF_THE_OWNER = frozenset(
    {"owner_id", "created_by", "created_by_id", "updated_by", "updated_by_id"}
)
_OF_THE_ADMINISTRATOR = frozenset({"is_superuser", "is_admin", "is_staff"})
_OF_THE_ACCOUNT = frozenset({"is_active", "is_verified"})
"""Of the table of accounts alone; elsewhere it is a field like any other."""


@rule("BK204", "No input takes what the server decides", facts="routes")
def inputs_leave_to_the_server_what_is_its_own(routes: Routes) -> Iterator[Finding]:
    seen: set[tuple[type, str]] = set()
    for route in routes:
        if route.method not in WRITES or not route.is_own:
            continue
        for model, is_nested in _bodies(route):
            for table in routes.tables.of_service(service_of(model)):
                for name in _server_owned(model, table, route, is_nested=is_nested):
                    place = _own_field(model, name, routes.root)
                    if place is None or (model, name) in seen:
                        continue
                    seen.add((model, name))
                    yield Finding(
                        "BK204",
                        place,
                        f"{model.__name__}.{name}",
                        f"{model.__name__} lets the caller of {route.name} choose "
                        f"`{table.name}.{name}`, which is the server's to decide.",
                        f"Delete `{name}` from {model.__name__}, and set it in the service"
                        + _how_to_set(name),
                    )


def _bodies(route: Route) -> Iterator[tuple[type[BaseModel], bool]]:
    """The models of the body, and whether each is only a part of it, or one of several."""
    for parameter in route.body_params:
        annotation = parameter.field_info.annotation
        kinds = list(parts(annotation))
        several = any(kind is list or getattr(kind, "__origin__", None) is list for kind in kinds)
        for model in models_in(annotation):
            yield model, several or model not in kinds


def _server_owned(
    model: type[BaseModel], table: TableFact, route: Route, *, is_nested: bool
) -> Iterable[str]:
    columns = set(table.table.columns.keys())
    fields = set(model.model_fields)
    if len(fields & columns) * 2 < len(fields):
        return []  # it is about something else
    owned = set(_OF_THE_ROW)
    if is_nested or ("{" not in route.path and route.method != "POST"):
        owned.discard("id")  # it says which row is meant
    if not route.requires_superuser:
        owned |= _OF_THE_OWNER | _OF_THE_ADMINISTRATOR
        if table.name == "users":
            owned |= _OF_THE_ACCOUNT
    return sorted(fields & columns & owned)


def _own_field(model: type[BaseModel], name: str, root: Path) -> Place | None:
    """None for one that a library's class brings along: FastAPI-Users drops those by itself."""
    found = assignment(model, name)
    if found is None or (path := source_file(found[0])) is None:
        return None
    return place_of(path, found[1].lineno, root) and assignment_place(model, name, root)


def _how_to_set(name: str) -> str:
    if name in _OF_THE_OWNER:
        return ": pass `user.id` of the route's `user: CurrentUser`."
    if name in _OF_THE_ADMINISTRATOR | _OF_THE_ACCOUNT:
        return "; or take it in a schema of its own, in a route with `CurrentSuperuser`."
    return ", or leave it to the column's default."


@rule("BK205", "What anybody may write is limited", facts="routes")
def open_writes_are_limited(routes: Routes) -> Iterator[Finding]:
    for route in routes:
        if (
            route.method in WRITES
            and route.kind in {"operation", "plain"}
            and route.is_open
            and not route.rate_limits
        ):
            yield Finding(
                "BK205",
                route.place,
                route.name,
                f"{route.name} lets anybody write as often as they like.",
                "Add a dependency that carries a `RateLimit` (backend.core.access), or say above "
                "the decorator what else bounds it: `# check: allow BK205: …`.",
            )
