"""What the probes found."""

from dataclasses import dataclass, field

from backend.check.routes import Route

__all__ = ["Detail", "Probes"]


@dataclass(frozen=True)
class Detail:
    route: Route
    message: str
    """The request and its answer."""
    remedy: str


@dataclass
class Probes:
    requests: int = 0
    routes: int = 0
    tables: int = 0
    """Owned ones whose rows a second user asked for."""
    lists: int = 0
    """Whose statements were counted with few rows and with many."""
    unrefused: list[Detail] = field(default_factory=list)
    reached: list[Detail] = field(default_factory=list)
    crashed: list[Detail] = field(default_factory=list)
    growing: list[Detail] = field(default_factory=list)
    leaked: list[Detail] = field(default_factory=list)
    not_examined: list[str] = field(default_factory=list)
    """What could not be asked, each with the reason."""

    @property
    def count(self) -> int:
        return self.requests

    @property
    def examined(self) -> str:
        return (
            f"{self.requests} requests to {self.routes} routes, as nobody and as somebody else; "
            f"{self.tables} owned tables, {self.lists} lists"
        )
