"""What is written stays what it was; `UPDATE_GOLDEN=1` writes it anew, for review in the diff."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scaffold.services import render_all
from tests.support.databases import BACKEND

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """As Ruff leaves it, by its place in the golden folder: `.txt`, since it is no code of ours."""
    folder = tmp_path_factory.mktemp("project")
    # Ruff sorts imports by what there is.
    shutil.copytree(BACKEND / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(BACKEND / "pyproject.toml", folder)
    files = render_all()
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    for command in ("format", "check --fix", "format"):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command.split(), "--quiet", "--no-cache", *files],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return {f"{path}.txt": (folder / path).read_text(encoding="utf-8") for path in files}


def test_every_file_is_as_it_was(written: dict[str, str]) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        _update(written)
    golden = {
        path.relative_to(GOLDEN).as_posix(): path.read_text(encoding="utf-8")
        for path in GOLDEN.rglob("*.txt")
    }
    assert sorted(written) == sorted(golden)
    for path, text in written.items():
        assert text == golden[path], path


def _update(written: dict[str, str]) -> None:
    for path in GOLDEN.rglob("*.txt"):
        path.unlink()
    for name, text in written.items():
        file = GOLDEN / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def test_ruff_changes_nothing_but_the_layout(written: dict[str, str]) -> None:
    """A name less would be an import that nothing uses."""
    for path, text in render_all().items():
        assert _words(text) == _words(written[f"{path}.txt"]), path


def _words(text: str) -> list[str]:
    return sorted(re.findall(r"\w+", text))
