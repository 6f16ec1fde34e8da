"""Who a route is for, where that is nobody in particular, and how often they may call it."""

from dataclasses import dataclass
from typing import TypeVar

__all__ = ["RateLimit", "is_public", "public"]

T = TypeVar("T")


def public(endpoint: T) -> T:
    """Marks what anybody may call without signing in: a route, with `@public` under
    `@router.get(...)`, or an app that is mounted, as in `app.mount("/static", public(files))`.

    It changes nothing at run time. `backend check` asks for it (BK201), so that a route is open
    because somebody meant it, and not because a dependency was forgotten.
    """
    endpoint.__public__ = True  # type: ignore[attr-defined]
    return endpoint


def is_public(endpoint: object) -> bool:
    return getattr(endpoint, "__public__", False) is True


@dataclass(frozen=True)
class RateLimit:
    """What a dependency that bounds requests declares: it carries one of these as `rate_limit`."""

    requests: int
    seconds: float
    per: str
    """Whose requests are counted together: `address`, `account`."""
