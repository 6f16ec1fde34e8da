"""What other tools find, in the same report."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cached_property, partial
from pathlib import Path

from backend.check.config import backend_of
from backend.check.finding import Finding, Place
from backend.check.project import NotExamined

__all__ = ["Ruff", "find_ruff", "format_files", "mend_with_ruff"]

_FOLDERS = ("src", "tests", "migrations")


def find_ruff() -> str:
    """The one of this environment first."""
    beside = Path(sys.executable).with_name("ruff")
    found = str(beside) if beside.exists() else shutil.which("ruff")
    if not found:
        raise NotExamined("Ruff is for development: install the dev group with `uv sync`.")
    return found


class Ruff:
    """`ruff check` and `ruff format --check`, which run from `begin` on."""

    def __init__(self, root: Path, only: frozenset[str] | None = None) -> None:
        self.root = root
        self.backend = backend_of(root)
        self.targets = _targets(self.backend, only)
        self.mend = partial(mend_with_ruff, only=only)
        self._started: tuple[subprocess.Popen[str], subprocess.Popen[str]] | None = None

    def begin(self) -> None:
        if self._started is None:
            self._started = (
                self._start("check", "--output-format", "json", "--quiet"),
                self._start("format", "--check", "--output-format", "json"),
            )

    def _start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(  # noqa: S603
            [find_ruff(), *arguments, "--", *self.targets],
            cwd=self.backend,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    @property
    def count(self) -> int:
        return sum(
            1
            for target in self.targets
            for path in [self.backend / target]
            for _file in ([path] if path.is_file() else path.rglob("*.py"))
        )

    @property
    def examined(self) -> str:
        return f"ruff check and format on {self.count} files"

    @cached_property
    def findings(self) -> list[Finding]:
        self.begin()
        assert self._started is not None  # noqa: S101 - begin() sets it
        check, form = self._started
        found, complaint = check.communicate()
        if check.returncode not in {0, 1}:
            raise RuntimeError(f"ruff check failed: {complaint.strip()}")
        shown, complaint = form.communicate()
        if form.returncode not in {0, 1, 2}:
            raise RuntimeError(f"ruff format failed: {complaint.strip()}")
        return [*self._of_check(found), *self._of_format(shown)]

    def _of_check(self, output: str) -> list[Finding]:
        return [
            Finding(
                f"ruff:{item['code'] or 'syntax'}",
                Place(self._relative(item["filename"]), item["location"]["row"]),
                item["message"],
                item["message"].rstrip(".") + ".",
                _remedy(item),
                fix=self.mend if _is_safe(item["fix"]) else None,
            )
            for item in json.loads(output or "[]")
        ]

    def _of_format(self, output: str) -> list[Finding]:
        return [
            Finding(
                "ruff:format",
                Place(self._relative(item["filename"]), item["location"]["row"]),
                "format",
                "The file is not formatted.",
                "`uv run ruff format`, or `backend check --fix`.",
                fix=self.mend,
            )
            for item in json.loads(output or "[]")
            if item["code"] == "unformatted"
        ]

    def _relative(self, name: str) -> str:
        path = (self.backend / name).resolve()
        root = self.root.resolve()
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else name


def _targets(backend: Path, only: frozenset[str] | None) -> list[str]:
    if only is None:
        folders = list(_FOLDERS)
    else:
        folders = [
            f"{folder}/{name}"
            for name in sorted(only)
            for folder in ("src/backend/services", "tests/services")
        ]
    return [folder for folder in folders if (backend / folder).exists()]


def _is_safe(fix: object) -> bool:
    return isinstance(fix, dict) and fix.get("applicability") == "safe"


def _remedy(item: dict[str, object]) -> str:
    fix = item["fix"]
    if isinstance(fix, dict) and fix.get("message"):
        said = str(fix["message"]).rstrip(".")
        if _is_safe(fix):
            return f"{said}; `backend check --fix` does it."
        return said if said.endswith("?") else f"{said}."
    return f"`backend explain ruff:{item['code']}` says more."


def format_files(root: Path, paths: Iterable[str]) -> None:
    """Those of them that are Python; what is imported is sorted too."""
    files = [str(root / path) for path in sorted(paths) if path.endswith(".py")]
    if not files:
        return
    for arguments in (("check", "--select", "I", "--fix", "--quiet"), ("format", "--quiet")):
        subprocess.run(  # noqa: S603
            [find_ruff(), *arguments, "--", *files],
            cwd=backend_of(root),
            capture_output=True,
            check=False,
        )


def mend_with_ruff(root: Path, only: frozenset[str] | None = None) -> None:
    """What Ruff can mend safely, and the format."""
    backend = backend_of(root)
    targets = _targets(backend, only)
    for arguments in (("check", "--fix", "--quiet"), ("format", "--quiet")):
        subprocess.run(  # noqa: S603
            [find_ruff(), *arguments, "--", *targets], cwd=backend, capture_output=True, check=False
        )
