"""Small projects in a folder of the test, to run rules of files on."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from backend.check.engine import Report, load_rules, run
from backend.check.project import Project

__all__ = ["Files", "check_tree", "lines_marked", "make_tree", "service"]

Files = Mapping[str, str]
"""By path, relative to `backend/` unless it begins with a slash, which is the repository."""
MARK = "# <-"
"""Ends each line that a finding is expected at."""


def make_tree(root: Path, files: Files) -> Path:
    for name, text in files.items():
        path = root / name.lstrip("/") if name.startswith("/") else root / "backend" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return root


def service(name: str, **modules: str) -> dict[str, str]:
    """A complete service, with tests, whose modules are as given."""
    code = {"models": "TITLE_MAX_LENGTH = 100\n", "service": "async def find() -> None: ...\n"}
    code |= {"schemas": "Title = str\n", "routes": "router = APIRouter()\n"} | modules
    tests = {
        f"tests/services/{name}/test_{name}_{module}.py": "def test_it() -> None:\n    assert 1\n"
        for module in ("models", "service", "routes")
    }
    folder = f"src/backend/services/{name}"
    return {
        f"{folder}/__init__.py": "",
        **{f"{folder}/{module}.py": text for module, text in code.items()},
        **tests,
    }


def check_tree(root: Path, rules: Sequence[str], only: frozenset[str] | None = None) -> Report:
    known = load_rules()
    return run(Project(root, only), [known[id_] for id_ in rules])


def lines_marked(root: Path) -> list[tuple[str, int]]:
    return sorted(
        (path.relative_to(root).as_posix(), number)
        for path in root.rglob("*")
        if path.is_file()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if MARK in line
    )
