"""What a rule says: where, what is wrong there, and what mends it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

__all__ = ["Finding", "Level", "Place"]


class Level(StrEnum):
    ERROR = "error"
    """Ends `backend check` with 1."""
    ADVICE = "advice"
    """Is shown, and ends nothing."""


@dataclass(frozen=True, order=True)
class Place:
    """A line of a file. `path` is relative to the repository, with slashes; line 1 is the first."""

    path: str
    line: int = 1


@dataclass(frozen=True)
class Finding:
    rule: str
    """`BK203`, or the delegate's own code, as in `ruff:F401`."""
    place: Place
    subject: str
    """What it is about, by a name that survives moving lines: `GET /api/projects/{project_id}`,
    `projects.title`. With the rule and the path it identifies the finding in a baseline."""
    message: str
    """What is wrong, in one sentence that names the thing."""
    remedy: str
    """What to do, in one sentence or the line of code to write."""
    level: Level = Level.ERROR
    fix: Callable[[Path], None] | None = field(default=None, compare=False, repr=False)
    """Mends it in the checkout that it is given; None where a person has to decide."""
