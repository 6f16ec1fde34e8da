"""Comments that allow what a rule is against."""

from collections.abc import Iterator

from backend.check.finding import Finding, Place
from backend.check.registry import rule
from backend.check.sources import Sources
from backend.check.suppression import all_suppressions

__all__: list[str] = []


@rule("BK001", "Every suppression says why", facts="sources")
def suppressions_have_reasons(sources: Sources) -> Iterator[Finding]:
    for item in all_suppressions(sources):
        if not item.reason:
            yield Finding(
                "BK001",
                Place(item.path, item.line),
                f"allow {item.rule}",
                f"The suppression of {item.rule} does not say why, and so it allows nothing.",
                f"Write the reason: `# check: allow {item.rule}: because …`.",
            )


@rule("BK002", "Every suppression suppresses something", facts="sources")
def suppressions_are_used(_sources: Sources) -> Iterator[Finding]:
    """Known only when all rules have run: `apply_suppressions` makes the findings."""
    return iter(())


@rule("BK003", "The app can be imported", facts="start")
def app_can_be_imported(_start: object) -> Iterator[Finding]:
    """`Project` makes the finding where it tries."""
    return iter(())
