"""What the app answers: to nobody, and to somebody else."""

from collections.abc import Iterator, Sequence

from backend.check.finding import Finding
from backend.check.probes.result import Detail, Probes
from backend.check.registry import rule

__all__: list[str] = []


def _findings(rule_id: str, details: Sequence[Detail]) -> Iterator[Finding]:
    """One for each route: it is mended in one place."""
    seen = set()
    for detail in details:
        if detail.route.name not in seen:
            seen.add(detail.route.name)
            yield Finding(
                rule_id, detail.route.place, detail.route.name, detail.message, detail.remedy
            )


@rule("BK202", "A request without a sign-in is refused", facts="probes")
def anonymous_is_refused(probes: Probes) -> Iterator[Finding]:
    yield from _findings("BK202", probes.unrefused)


@rule("BK203", "Somebody else's row is a 404", facts="probes")
def others_rows_are_not_found(probes: Probes) -> Iterator[Finding]:
    yield from _findings("BK203", probes.reached)


@rule("BK206", "No probe is answered with a 500", facts="probes")
def nothing_crashes(probes: Probes) -> Iterator[Finding]:
    yield from _findings("BK206", probes.crashed)


@rule("BK604", "A list sends as many SQL statements for many rows as for few", facts="probes")
def statements_do_not_grow(probes: Probes) -> Iterator[Finding]:
    yield from _findings("BK604", probes.growing)


@rule("BK705", "No token, password or mailed link is in the log", facts="probes")
def nothing_leaks(probes: Probes) -> Iterator[Finding]:
    yield from _findings("BK705", probes.leaked)
