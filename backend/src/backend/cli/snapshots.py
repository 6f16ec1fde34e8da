"""`backend db snapshot` and `backend db reset --to`: states of the development database by name."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from backend import db
from backend.cli.errors import CommandError
from backend.cli.preflight import require_development
from backend.cli.runtime import run
from backend.core.schema import SchemaState, compare, schema_state
from backend.settings import settings

__all__ = ["Snapshot", "find", "get", "restore", "save"]

LATEST = "latest"
"""Is replaced each time; any other name is taken once."""
NAME = re.compile(r"[A-Za-z0-9_-]{1,30}")


@dataclass(frozen=True)
class Snapshot:
    """`size` in bytes; `place` is its file, or its database."""

    name: str
    made_at: datetime
    revision: str | None
    size: int
    place: str


class _Store(Protocol):
    def save(self, name: str, revision: str | None) -> None:
        """Replaces one of the same name."""

    def find(self) -> list[Snapshot]: ...

    def restore(self, name: str) -> None: ...

    def removal(self, snapshot: Snapshot) -> str:
        """The command that removes it."""


def _store() -> _Store:
    """For the development database; refuses in production."""
    require_development(
        "backend db snapshot", "docs/operations.md says how to back a production database up."
    )
    if settings.database.get_backend_name() == "sqlite":
        from backend.cli import snapshots_sqlite

        return snapshots_sqlite
    from backend.cli import snapshots_postgresql

    return snapshots_postgresql


def save(name: str) -> Snapshot:
    """Raises CommandError where the name is taken, or cannot be one."""
    store = _store()
    _check(name)
    if name != LATEST and (taken := _by_name().get(name)):
        raise CommandError(
            f"There is a snapshot {name} already, of {taken.made_at:%Y-%m-%d %H:%M} UTC. "
            f"Choose another name, or remove it first: `{store.removal(taken)}`."
        )
    store.save(name, run(schema_state(db.engine)).current)
    return _by_name()[name]


def find() -> list[Snapshot]:
    """Newest first."""
    return sorted(_store().find(), key=lambda snapshot: snapshot.made_at, reverse=True)


def get(name: str) -> Snapshot:
    """One to go back to. Raises CommandError where there is none, or this code cannot use it."""
    _check(name)
    found = _by_name()
    if name not in found:
        names = ", ".join(found) or "none yet; `backend db snapshot` makes one"
        raise CommandError(f"There is no snapshot {name}. There are: {names}.")
    snapshot = found[name]
    if compare(snapshot.revision).state == "foreign":
        raise CommandError(
            f"The snapshot {name} is at revision {snapshot.revision}, which this version does not "
            "know. Check out the version that made it, and try again. Nothing was changed."
        )
    return snapshot


def restore(snapshot: Snapshot) -> SchemaState:
    """What the schema is then to this version. Nothing is migrated: to go back before a migration
    is what snapshots are for."""
    _store().restore(snapshot.name)
    return compare(snapshot.revision)


def _check(name: str) -> None:
    """It becomes a part of the name of a file or a database."""
    if not NAME.fullmatch(name):
        raise CommandError(
            f"{name!r} cannot be the name of a snapshot. Use at most 30 letters, digits, - and _."
        )


def _by_name() -> dict[str, Snapshot]:
    return {snapshot.name: snapshot for snapshot in find()}
