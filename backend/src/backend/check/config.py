"""What the rules take for granted about this project's layout."""

from pathlib import Path

__all__ = [
    "ACCOUNTS",
    "MATERIAL",
    "PATTERN",
    "SEAM",
    "TESTED",
    "TOOLS",
    "backend_of",
    "find_root",
    "service_of",
]

PATTERN = ("__init__", "models", "schemas", "service", "routes")
"""The modules of a service."""
TESTED = ("models", "service", "routes")
"""Those of them that have a test file of their own."""
MATERIAL = (
    "backend/src/backend/scaffold/templates/",
    "backend/tests/api/clients/",
    "backend/tests/scaffold/golden/",
)
"""Python that is text to somebody: templates, and what is expected of them."""
TOOLS = ("check", "cli", "scaffold")
"""Packages of `backend` that use the services, and that no service uses."""
SEAM = frozenset({"backend.services.auth.utils", "backend.services.auth.dependencies"})
"""How every service learns who is asking. It stands beside the order of the services."""
ACCOUNTS = {"auth": frozenset({"users"})}
"""Sign-in is a query of the accounts: auth may use the tables of users as its own."""


def find_root() -> Path:
    """The repository whose code this is."""
    return Path(__file__).resolve().parents[4]


def backend_of(root: Path) -> Path:
    return root / "backend"


def service_of(path: str) -> str | None:
    """The service that a file belongs to, its tests included."""
    for prefix in ("backend/src/backend/services/", "backend/tests/services/"):
        name, slash, _rest = path.removeprefix(prefix).partition("/")
        if path.startswith(prefix) and slash:
            return name
    return None
