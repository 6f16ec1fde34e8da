"""Rules of other tools."""

from collections.abc import Iterator

from backend.check.delegates import Ruff
from backend.check.finding import Finding
from backend.check.registry import rule

__all__: list[str] = []


@rule("ruff", "Ruff has nothing to say, and the code is formatted", facts="ruff")
def ruff(facts: Ruff) -> Iterator[Finding]:
    """Its findings have its own codes: `ruff:F401`."""
    yield from facts.findings
