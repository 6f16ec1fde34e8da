"""Finds a request's route by the beginning of its path.

FastAPI asks one included router after the other, and each asks all of its routes: 10 µs a router
for every request, a millisecond with a hundred services. Here a request goes only to those routers
that have a path with its first two parts, such as `/api/users`. What none of them answers goes to
all, as it would without this.
"""

from copy import copy

from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

__all__ = ["install_routing"]


def install_routing(app: FastAPI) -> None:
    app.router.middleware_stack = _ByBeginning(app.router)


class _ByBeginning:
    def __init__(self, router: APIRouter) -> None:
        self.router = router
        self.routers: dict[str, APIRouter] = {}
        self.indexed = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # True first of the lifespan: no request waits while FastAPI prepares the routes.
        if len(self.router.routes) != self.indexed:
            self._index()
        router = self.router
        scope["router"] = router
        if scope["type"] == "http" and not scope.get("root_path"):
            router = self.routers.get(_beginning(scope["path"]), router)
        await router.app(scope, receive, send)

    def _index(self) -> None:
        routes = self.router.routes
        self.indexed = len(routes)
        beginnings = [_beginnings(route) for route in routes]
        self.routers = {}
        for path in {path for known in beginnings for path in known or ()}:
            narrow = self.routers[path] = copy(self.router)
            narrow.routes = [
                route
                for route, known in zip(routes, beginnings, strict=True)
                if known is None or path in known
            ]
            narrow.default = self.router.app


def _beginnings(route: BaseRoute) -> set[str] | None:
    """Of the paths of a route or of an included router; None where they cannot be told."""
    found = set()
    for context in iter_route_contexts([route]):
        beginning = _beginning(context.path_format or "")
        if not isinstance(context.original_route, Route) or "{" in beginning:
            return None
        found.add(beginning)
    return found


def _beginning(path: str) -> str:
    """`/api/users` of `/api/users/me`."""
    return "/".join(path.split("/", 3)[:3])
