"""The report of a project that has not changed since, kept in a folder that git ignores."""

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from backend.check.config import backend_of
from backend.check.engine import Examined, LeftOut, Report
from backend.check.finding import Finding, Level, Place

__all__ = ["cache_folder", "contents", "finding_from", "fingerprint", "read_report", "write_report"]

_NOT_INPUT = {".git", ".venv", ".uv", "__pycache__", "node_modules", "var", "dist"}
_KEPT = 20


def cache_folder(root: Path) -> Path:
    return backend_of(root) / ".check_cache"


def fingerprint(root: Path, rules: Iterable[str], only: Iterable[str] | None) -> str:
    """Of everything that the report depends on: each file of the project, the packages that are
    installed, what was asked for, and what the tests recorded."""
    digest = hashlib.sha256()
    asked = [sys.version, platform.platform(), *rules, "of", *(sorted(only or ["all"]))]
    digest.update("\0".join(asked).encode())
    for path in sys.path:
        if path.endswith("site-packages") and os.path.isdir(path):  # noqa: PTH112
            digest.update("\0".join(sorted(os.listdir(path))).encode())  # noqa: PTH208
    for file in sorted(_inputs(root)):
        digest.update(file.removeprefix(str(root)).encode())
        with open(file, "rb") as content:  # noqa: PTH123 - hundreds of them
            digest.update(hashlib.sha256(content.read()).digest())
    return digest.hexdigest()


def contents(root: Path) -> dict[str, bytes]:
    """A digest of each file of the project, by its path from the root."""
    return {
        Path(file).relative_to(root).as_posix(): hashlib.sha256(Path(file).read_bytes()).digest()
        for file in _inputs(root)
    }


def _inputs(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = [
            name
            for name in folders
            if name not in _NOT_INPUT and not name.startswith(".venv") and not _is_cache(name)
        ]
        for name in files:
            path = os.path.join(folder, name)  # noqa: PTH118
            if not name.endswith(".pyc") and os.path.isfile(path):  # noqa: PTH113
                yield path
    record = cache_folder(root) / "tests.json"
    if record.exists():
        yield str(record)


def _is_cache(name: str) -> bool:
    return name.startswith(".") and name.endswith(("_cache", ".hypothesis", ".schemathesis"))


def read_report(root: Path, key: str) -> Report | None:
    try:
        kept = json.loads((cache_folder(root) / f"{key}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Report(
        findings=[finding_from(**item) for item in kept["findings"]],
        outside=[finding_from(**item) for item in kept["outside"]],
        asked=tuple(kept["asked"]),
        examined=[Examined(**item) for item in kept["examined"]],
        left_out=[LeftOut(**item) for item in kept["left_out"]],
        suppressed=kept["suppressed"],
        cached=True,
    )


def finding_from(*, place: dict[str, Any], level: str, fixable: bool, **texts: str) -> Finding:
    fix = _run_again if fixable else None
    return Finding(place=Place(**place), level=Level(level), fix=fix, **texts)


def _run_again(_root: Path) -> None:
    raise NotImplementedError("Only a check that has run can mend, not the memory of one.")


def _kept(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "place": asdict(finding.place),
        "subject": finding.subject,
        "message": finding.message,
        "remedy": finding.remedy,
        "level": finding.level,
        "fixable": finding.fix is not None,
    }


def write_report(root: Path, key: str, report: Report) -> None:
    """A report with a crash in it is made again. What cannot be written is not kept."""
    if report.crashes:
        return
    kept = {
        "findings": [_kept(item) for item in report.findings],
        "outside": [_kept(item) for item in report.outside],
        "asked": report.asked,
        "examined": [asdict(item) for item in report.examined],
        "left_out": [asdict(item) for item in report.left_out],
        "suppressed": report.suppressed,
    }
    folder = cache_folder(root)
    try:
        folder.mkdir(exist_ok=True)
        draft = folder / f"{key}.{os.getpid()}"
        draft.write_text(json.dumps(kept), encoding="utf-8")
        draft.replace(folder / f"{key}.json")
        older = sorted(
            (path for path in folder.glob("*.json") if len(path.stem) == len(key)),
            key=lambda path: path.stat().st_mtime,
        )
        for path in older[:-_KEPT]:
            path.unlink(missing_ok=True)
    except OSError:
        return
