"""What a command asks for, and what it did or would do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from backend.scaffold.staging import Change

__all__ = ["Outcome", "Revision", "Written"]


@dataclass(frozen=True)
class Revision:
    """What a migration is for."""

    message: str
    service: str
    drops: bool = False
    """Its table, whose model is still there."""


@dataclass(frozen=True)
class Written:
    """The migration's file, if the models have changed, and the routes of the app."""

    path: str | None
    revision: str | None
    strangers: Sequence[str]
    """Other tables that differ from the migrations, for which nothing was written."""
    routes: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    service: str
    changes: Sequence[Change]
    routes: Sequence[Sequence[str]] = ()
    """Method, path, who may."""
    migration: str | None = None
    tests: str = ""
    """As pytest sums up."""
    is_dry_run: bool = False
    notes: Sequence[str] = field(default_factory=list)

    @property
    def created(self) -> list[str]:
        return [c.path for c in self.changes if c.before is None]

    @property
    def changed(self) -> list[str]:
        return [c.path for c in self.changes if c.before is not None and c.after is not None]

    @property
    def deleted(self) -> list[str]:
        return [c.path for c in self.changes if c.after is None]

    @property
    def contents(self) -> Mapping[str, str]:
        return {c.path: c.after.decode() for c in self.changes if c.after is not None}

    def as_document(self) -> dict[str, object]:
        document: dict[str, object] = {
            "service": self.service,
            "dry_run": self.is_dry_run,
            "created": self.created,
            "changed": self.changed,
            "deleted": self.deleted,
            "migration": self.migration,
            "routes": [
                dict(zip(("method", "path", "who"), route, strict=True)) for route in self.routes
            ],
            "tests": self.tests,
            "notes": list(self.notes),
        }
        if self.is_dry_run:
            document["contents"] = self.contents
        return document
