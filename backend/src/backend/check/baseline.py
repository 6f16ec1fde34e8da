"""Findings that were there when the check was adopted: they are known, and end nothing."""

import json
from collections.abc import Sequence
from pathlib import Path

from backend.check.config import backend_of
from backend.check.finding import Finding

__all__ = ["Entry", "apply_baseline", "baseline_path", "read_baseline", "write_baseline"]

Entry = tuple[str, str, str]
"""Rule, path and subject: they stay when lines move."""


def baseline_path(root: Path) -> Path:
    return backend_of(root) / "check-baseline.json"


def entry_of(finding: Finding) -> Entry:
    return finding.rule, finding.place.path, finding.subject


def read_baseline(root: Path) -> list[Entry]:
    """Raises ValueError for a file that is none."""
    path = baseline_path(root)
    if not path.exists():
        return []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["findings"]
        return [(item["rule"], item["path"], item["subject"]) for item in found]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path.name} cannot be read ({type(error).__name__}: {error}). "
            "Correct it, or write it anew with `backend check --write-baseline`."
        ) from error


def write_baseline(root: Path, findings: Sequence[Finding]) -> int:
    """How many it holds now. Without any there is no file."""
    entries = sorted({entry_of(finding) for finding in findings})
    path = baseline_path(root)
    if not entries:
        path.unlink(missing_ok=True)
        return 0
    rows = [{"rule": rule, "path": file, "subject": subject} for rule, file, subject in entries]
    text = json.dumps({"version": 1, "findings": rows}, indent=2, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8")
    return len(entries)


def apply_baseline(
    findings: Sequence[Finding], entries: Sequence[Entry]
) -> tuple[list[Finding], list[Entry]]:
    """What is new, and the entries that nothing was found for."""
    known = set(entries)
    found = {entry_of(finding) for finding in findings}
    new = [finding for finding in findings if entry_of(finding) not in known]
    return new, [entry for entry in entries if entry not in found]
