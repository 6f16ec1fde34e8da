"""The routes of the app as it runs, with what their dependencies require."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext, iter_route_contexts
from fastapi.security.base import SecurityBase

from backend.cli.errors import CommandError
from backend.services.auth.utils import Requirements

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
    found = [route for context in iter_route_contexts(app.routes) for route in _routes_of(context)]
    if not found:
        raise CommandError("The app has no routes; include a router in `backend/app.py`.")
    return found


def _routes_of(context: RouteContext) -> Iterator[Route]:
    dependant: Dependant | None = getattr(context, "dependant", None)
    who = _who_may(_requirements(dependant)) if dependant else "anyone"
    in_document = dependant is not None and getattr(context, "include_in_schema", False)
    operation_id = _operation_id(context) if in_document else None
    # HEAD comes with GET; a mounted app and a WebSocket have no methods.
    methods = sorted((context.methods or {"*"}) - {"HEAD"}) or ["HEAD"]
    for method in methods:
        yield Route(method, context.path_format or context.path or "", who, operation_id)


def _operation_id(context: RouteContext) -> str | None:
    return getattr(context, "operation_id", None) or getattr(context, "unique_id", None)


def _requirements(dependant: Dependant) -> Iterable[Requirements | SecurityBase]:
    for dependency in dependant.dependencies:
        required = getattr(dependency.call, "requirements", None)
        if isinstance(required, Requirements):
            yield required  # what it depends on itself is how it finds out
            continue
        if isinstance(dependency.call, SecurityBase):
            yield dependency.call
        yield from _requirements(dependency)


def _who_may(found: Iterable[Requirements | SecurityBase]) -> str:
    """The strictest of what was found, since all of it has to hold."""
    required = list(found)
    users = [item for item in required if isinstance(item, Requirements)]
    needed = [item for item in users if not item.optional]
    words = [
        word
        for word, holds in (
            ("superuser", any(item.superuser for item in needed)),
            ("verified", any(item.verified for item in needed)),
        )
        if holds
    ]
    schemes = [type(item).__name__ for item in required if isinstance(item, SecurityBase)]
    if words:
        return ", ".join(words + schemes)
    if needed:
        return ", ".join(["signed in", *schemes])
    if schemes:
        return ", ".join(schemes)
    return "optional" if users else "anyone"
