"""Comments that allow what a rule is against."""

from collections.abc import Iterator

from backend.check.catalogue import catalogue
from backend.check.explain import nearest
from backend.check.finding import Finding, Place
from backend.check.registry import rule
from backend.check.sources import Sources
from backend.check.suppression import all_suppressions, misspelt_suppressions

__all__: list[str] = []


@rule("BK001", "Every suppression says why", facts="sources")
def suppressions_have_reasons(sources: Sources) -> Iterator[Finding]:
    known: list[str] | None = None
    for item in all_suppressions(sources):
        known = known or list(catalogue())
        if item.rule not in known:
            yield Finding(
                "BK001",
                Place(item.path, item.line),
                f"allow {item.rule}",
                f"There is no rule {item.rule}, and so nothing is allowed by naming it.",
                f"Write an id that `backend explain` lists{nearest(item.rule, known)}",
            )
        elif not item.reason:
            yield Finding(
                "BK001",
                Place(item.path, item.line),
                f"allow {item.rule}",
                f"The suppression of {item.rule} does not say why, and so it allows nothing.",
                f"Write the reason: `# check: allow {item.rule}: because …`.",
            )
    for comment in misspelt_suppressions(sources):
        rules = ", ".join(comment.rules) or "BK203"
        yield Finding(
            "BK001",
            Place(comment.path, comment.line),
            f"allow {', '.join(comment.rules)}".strip(),
            f"`{comment.comment}` is not how something is allowed, and so it allows nothing.",
            f"Write `# check: allow {rules}: because …`"
            + ("." if comment.rules else ", with the id of the rule; Ruff has `# noqa`."),
        )


@rule("BK002", "Every suppression suppresses something", facts="sources")
def suppressions_are_used(_sources: Sources) -> Iterator[Finding]:
    """Known only when all rules have run: `apply_suppressions` makes the findings."""
    return iter(())


@rule("BK003", "The app can be imported", facts="start")
def app_can_be_imported(_start: object) -> Iterator[Finding]:
    """`Project` makes the finding where it tries."""
    return iter(())
