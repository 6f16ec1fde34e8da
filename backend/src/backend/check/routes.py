"""The routes of the app as it runs: whom they let in, what they take, what they answer."""

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI
from fastapi._compat import ModelField
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute, RouteContext, iter_route_contexts
from fastapi.security.base import SecurityBase
from starlette.routing import BaseRoute, Host, Mount, WebSocketRoute

from backend.check.finding import Place
from backend.check.places import REPOSITORY, function_place, parse, service_of, unwrapped
from backend.check.tables import Tables, collect_tables
from backend.core.access import RateLimit, is_public
from backend.services.auth.utils import Requirements

__all__ = ["Kind", "Route", "Routes", "collect_routes", "walk_dependants"]

Kind = Literal["operation", "plain", "websocket", "mount"]

APP = "backend/src/backend/app.py"

# FastAPI's own /openapi.json, and what FastAPI-Users has for signing up and in: made to be open.
_OPEN_LIBRARIES = ("fastapi.applications", "fastapi_users.router")


@dataclass(frozen=True)
class Route:
    """One method of one path. A mounted app that has no routes of its own is one too."""

    method: str
    """`*` for a mounted app and a WebSocket, which have none."""
    path: str
    """The whole of it, with `{names}`."""
    prefix: str
    """The part of it where an app with routes of its own is mounted."""
    kind: Kind
    endpoint: Callable[..., Any] | None
    service: str | None
    place: Place
    """The first decorator of the endpoint; for a library's route, the line that adds it."""
    is_own: bool
    """Its endpoint is code of this repository."""
    public: bool
    requirements: tuple[Requirements, ...]
    """What the `current_user` dependencies ask for, wherever they stand."""
    schemes: tuple[SecurityBase, ...]
    """Security schemes that are not those of `current_user`."""
    rate_limits: tuple[RateLimit, ...]
    dependant: Dependant | None = field(repr=False, compare=False)
    context: RouteContext = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def requires_user(self) -> bool:
        """False with `optional`, which lets anybody in."""
        return any(not item.optional for item in self.requirements)

    @property
    def requires_superuser(self) -> bool:
        return any(item.superuser and not item.optional for item in self.requirements)

    @property
    def is_open(self) -> bool:
        """Nothing that it declares keeps an anonymous caller out."""
        return not self.requires_user and not self.schemes

    @property
    def operation_id(self) -> str | None:
        """None for what is not in the OpenAPI document."""
        if not self.include_in_schema:
            return None
        explicit: str | None = getattr(self.context, "operation_id", None)
        return explicit or getattr(self.context, "unique_id", None)

    @property
    def include_in_schema(self) -> bool:
        return self.kind == "operation" and bool(getattr(self.context, "include_in_schema", False))

    @property
    def status_code(self) -> int:
        return getattr(self.context, "status_code", None) or 200

    @property
    def response_model(self) -> Any:
        """None where nothing was declared, nor follows from the return annotation."""
        return getattr(self.context, "response_model", None)

    @property
    def response_class(self) -> Any:
        found = getattr(self.context, "response_class", None)
        return found.value if isinstance(found, DefaultPlaceholder) else found

    @property
    def body_params(self) -> list[ModelField]:
        """Bodies and the fields of forms, those of dependencies too."""
        return [item for found in self.dependants for item in found.body_params]

    @property
    def query_params(self) -> list[ModelField]:
        return [item for found in self.dependants for item in found.query_params]

    @property
    def path_params(self) -> list[ModelField]:
        return [item for found in self.dependants for item in found.path_params]

    @property
    def dependants(self) -> list[Dependant]:
        return list(walk_dependants(self.dependant)) if self.dependant else []


@dataclass(frozen=True)
class Routes:
    """In the order in which the app looks for them."""

    items: tuple[Route, ...]
    root: Path
    given_tables: Tables | None = None
    only: frozenset[str] | None = None
    """The services that were looked at, where it is not all of them."""

    def __iter__(self) -> Iterator[Route]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def tables(self) -> Tables:
        return self.given_tables or collect_tables(root=self.root)

    @property
    def count(self) -> int:
        return len(self.items)

    @property
    def examined(self) -> str:
        of_services = sum(route.service is not None for route in self.items)
        return f"{len(self.items)} routes, {of_services} of them of services"


def collect_routes(
    app: FastAPI,
    tables: Tables | None = None,
    *,
    root: Path = REPOSITORY,
    only: frozenset[str] | None = None,
) -> Routes:
    """Every route, those of mounted apps too; `only` leaves out what is not of these services."""
    found = _collect(iter_route_contexts(app.routes), "", root, is_open=False)
    wanted = tuple(route for route in found if only is None or route.service in only)
    return Routes(wanted, root, tables, only)


def _collect(
    contexts: Iterable[RouteContext], prefix: str, root: Path, *, is_open: bool
) -> Iterator[Route]:
    for context in contexts:
        route = _effective(context)
        if isinstance(route, Mount | Host):
            path = prefix + getattr(route, "path", "")
            opened = is_open or is_public(route.app)
            inner: Sequence[BaseRoute] = getattr(route.app, "routes", None) or ()
            if inner:
                yield from _collect(iter_route_contexts(inner), path, root, is_open=opened)
                continue
        yield from _routes_of(context, prefix, root, is_open=is_open)


def _effective(context: RouteContext) -> object:
    """The route with the prefixes of the routers that it was included through."""
    return context._effective_route  # noqa: SLF001 - a mount has no public way to it


def _routes_of(context: RouteContext, prefix: str, root: Path, *, is_open: bool) -> Iterator[Route]:
    dependant: Dependant | None = getattr(context, "dependant", None)
    route = _effective(context)
    required = list(_required(dependant)) if dependant else []
    is_mount = isinstance(route, Mount | Host)
    endpoint = getattr(route, "app", None) if is_mount else context.endpoint
    own_path = None if is_mount else getattr(context, "path_format", None)
    path = prefix + (own_path or context.path or "")
    place = function_place(endpoint, root) if endpoint is not None else None
    # HEAD comes with GET.
    for method in sorted((context.methods or {"*"}) - {"HEAD"}) or ["HEAD"]:
        yield Route(
            method=method,
            path=path,
            prefix=prefix,
            kind=_kind_of(context),
            endpoint=endpoint,
            service=service_of(endpoint) if endpoint is not None else None,
            place=place or _added_at(path, root),
            is_own=place is not None,
            public=is_open or _is_open_by_intent(endpoint),
            requirements=tuple(item for item in required if isinstance(item, Requirements)),
            schemes=tuple(item for item in required if isinstance(item, SecurityBase)),
            rate_limits=tuple(_rate_limits(dependant)),
            dependant=dependant,
            context=context,
        )


def _kind_of(context: RouteContext) -> Kind:
    if isinstance(context.original_route, Mount | Host):
        return "mount"
    if isinstance(context.original_route, APIWebSocketRoute | WebSocketRoute):
        return "websocket"
    return "operation" if isinstance(context.original_route, APIRoute) else "plain"


def _is_open_by_intent(endpoint: Callable[..., Any] | None) -> bool:
    if endpoint is None:
        return False
    module = getattr(unwrapped(endpoint), "__module__", None) or ""
    return (
        is_public(endpoint) or is_public(unwrapped(endpoint)) or module.startswith(_OPEN_LIBRARIES)
    )


def walk_dependants(dependant: Dependant) -> Iterator[Dependant]:
    """The endpoint's own, and those that it depends on, at any depth."""
    yield dependant
    for dependency in dependant.dependencies:
        yield from walk_dependants(dependency)


def _required(dependant: Dependant) -> Iterator[Requirements | SecurityBase]:
    for dependency in dependant.dependencies:
        required = getattr(dependency.call, "requirements", None)
        if isinstance(required, Requirements):
            yield required  # what it depends on itself is how it finds out
            continue
        if isinstance(dependency.call, SecurityBase):
            yield dependency.call
        yield from _required(dependency)


def _rate_limits(dependant: Dependant | None) -> Iterator[RateLimit]:
    for found in walk_dependants(dependant) if dependant else ():
        limit = getattr(found.call, "rate_limit", None)
        if isinstance(limit, RateLimit):
            yield limit


def _added_at(path: str, root: Path) -> Place:
    """The line of app.py whose call names this path, as `app.mount("/static", …)` does."""
    file = root / APP
    if file.is_file():
        for node in ast.walk(parse(file)):
            match node:
                case ast.Call(args=[ast.Constant(value=str(given)), *_]) if given.rstrip(
                    "/"
                ) == path.rstrip("/"):
                    return Place(APP, node.lineno)
    return Place(APP)
