"""What `--fix` does with the findings that carry a mend."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.check.cache import contents
from backend.check.delegates import format_files
from backend.check.engine import Report
from backend.check.finding import Finding
from backend.cli.errors import CommandError

__all__ = ["Attempt", "outcomes", "try_to_mend"]


@dataclass(frozen=True)
class Attempt:
    finding: Finding
    failure: str = ""
    """Why nothing was done, where that is so."""


def try_to_mend(root: Path, findings: Iterable[Finding]) -> list[Attempt]:
    """Ruff comes last, and sees what the others wrote; every file that they touched is formatted.
    What came of it is known when the rules have run again."""
    mendable = sorted((item for item in findings if item.fix), key=_is_of_ruff)
    before = contents(root)
    done: dict[Callable[[Path], None], str] = {}
    attempts = []
    formatted = False
    for item in mendable:
        if _is_of_ruff(item) and not formatted:
            format_files(root, _touched(before, contents(root)))
            formatted = True
        if item.fix is not None and item.fix not in done:
            done[item.fix] = _failure_of(item.fix, root)
        attempts.append(Attempt(item, done[item.fix] if item.fix else ""))
    if not formatted:
        format_files(root, _touched(before, contents(root)))
    return attempts


def outcomes(
    attempts: Sequence[Attempt], before: Iterable[Finding], after: Report
) -> Iterator[str]:
    """A line for each finding that was worked on: mended is what is found no more."""
    left = Counter(_identity(item) for item in after.findings)
    left.subtract(Counter(_identity(item) for item in before if item.fix is None))
    unknown = bool(after.crashes) or any(item.fails for item in after.left_out)
    for attempt in attempts:
        item = attempt.finding
        what = f"{item.place.path}:{item.place.line}: {item.rule} {item.subject}"
        if attempt.failure:
            yield f"Not mended: {what}: {attempt.failure}"
        elif left[_identity(item)] > 0:
            yield f"Not mended: {what}: it is still found. {item.remedy}"
        elif unknown:
            yield f"Perhaps mended: {what}: the check after it could not look at everything."
        else:
            yield f"Mended: {what}"
            continue
        left[_identity(item)] -= 1


def _identity(finding: Finding) -> tuple[str, str, str]:
    """Without the line, which other mends may move."""
    return finding.rule, finding.place.path, finding.subject


def _failure_of(fix: Callable[[Path], None], root: Path) -> str:
    try:
        fix(root)
    except CommandError as reason:
        return str(reason)
    return ""


def _touched(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> set[str]:
    return {path for path, content in after.items() if before.get(path) != content}


def _is_of_ruff(finding: Finding) -> bool:
    return finding.rule.startswith("ruff")
