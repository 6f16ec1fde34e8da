"""What `--fix` does with the findings that carry a mend."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from backend.check.delegates import format_files
from backend.check.finding import Finding
from backend.cli.errors import CommandError

__all__ = ["mend"]


def mend(root: Path, findings: Iterable[Finding]) -> Iterator[str]:
    """A line for each finding that it works on. Ruff comes last, and sees what the others wrote."""
    mendable = sorted((item for item in findings if item.fix), key=_is_of_ruff)
    done: set[Callable[[Path], None]] = set()
    for item in mendable:
        if item.fix is None:
            continue
        what = f"{item.place.path}:{item.place.line}: {item.rule} {item.subject}"
        if item.fix not in done:
            done.add(item.fix)
            try:
                item.fix(root)
            except CommandError as reason:
                yield f"Not mended: {what}: {reason}"
                continue
        yield f"Mended: {what}"
    format_files(root, {item.place.path for item in mendable if not _is_of_ruff(item)})


def _is_of_ruff(finding: Finding) -> bool:
    return finding.rule.startswith("ruff")
