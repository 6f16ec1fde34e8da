"""The routes of the app as it runs, with what their dependencies require, for `backend routes`."""

from dataclasses import dataclass

from fastapi import FastAPI

from backend.check import routes
from backend.cli.errors import CommandError

__all__ = ["Route", "find_routes"]


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    who: str
    operation_id: str | None
    """None for what is not in the OpenAPI document."""


def find_routes(app: FastAPI) -> list[Route]:
    """In the order in which the app looks for them. Finding none is an error, not an answer."""
    found = [
        Route(route.method, route.path, _who_may(route), route.operation_id)
        for route in routes.collect_routes(app)
    ]
    if not found:
        raise CommandError("The app has no routes; include a router in `backend/app.py`.")
    return found


def _who_may(route: routes.Route) -> str:
    """The strictest of what was found, since all of it has to hold."""
    needed = [item for item in route.requirements if not item.optional]
    words = [
        word
        for word, holds in (
            ("superuser", any(item.superuser for item in needed)),
            ("verified", any(item.verified for item in needed)),
        )
        if holds
    ]
    schemes = [type(item).__name__ for item in route.schemes]
    if words:
        return ", ".join(words + schemes)
    if needed:
        return ", ".join(["signed in", *schemes])
    if schemes:
        return ", ".join(schemes)
    return "optional" if route.requirements else "anyone"
