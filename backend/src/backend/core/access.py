"""Who a route is for, where that is nobody in particular."""

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["is_public", "public"]

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def public(endpoint: Endpoint) -> Endpoint:
    """Marks a route that anybody may call without signing in; goes under `@router.get(...)`.

    It changes nothing at run time. `backend check` asks for it (BK201), so that a route is open
    because somebody meant it, and not because a dependency was forgotten.
    """
    endpoint.__public__ = True  # type: ignore[attr-defined]
    return endpoint


def is_public(endpoint: Callable[..., Any]) -> bool:
    return getattr(endpoint, "__public__", False) is True
