"""The rules: each a function of what it needs to know, under an id that never changes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from backend.check.finding import Finding, Level

__all__ = ["RULES", "Rule", "rule"]

Function = TypeVar("Function", bound=Callable[..., Iterable[Finding]])


@dataclass(frozen=True)
class Rule:
    id: str
    title: str
    """The rule as a sentence about good code: "Every foreign key has an index"."""
    facts: str
    """The attribute of `check.project.Project` that the function is given: `sources`, `imports`,
    `routes`, `tables`, `migrations`, `probes`, `tests`, `settings`, `documents`."""
    level: Level
    function: Callable[[Any], Iterable[Finding]]


RULES: dict[str, Rule] = {}


def rule(
    id: str,  # noqa: A002 - the word that everybody uses for it
    title: str,
    *,
    facts: str,
    level: Level = Level.ERROR,
) -> Callable[[Function], Function]:
    """Registers a rule. Its page is `check/pages/ID.md`."""

    def register(function: Function) -> Function:
        if id in RULES:
            raise ValueError(f"{id} is taken by {RULES[id].title!r}")
        RULES[id] = Rule(id, title, facts, level, function)
        return function

    return register
