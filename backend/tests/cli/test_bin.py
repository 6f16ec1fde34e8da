"""`bin/dev` and its like find uv, or say what is missing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="bin/ has shell scripts")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository of which the scripts are all that is there."""
    shutil.copytree(REPOSITORY / "bin", tmp_path / "clone/bin")
    (tmp_path / "clone/backend").mkdir()
    return tmp_path / "clone"


def make_program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def run_dev(clone: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """From elsewhere, with nothing on PATH but what the test put into `path`, and the basics."""
    programs = clone / "path"
    programs.mkdir(exist_ok=True)
    for name in ("sh", "dirname", "rm"):
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    return subprocess.run(
        [str(clone / "bin/dev"), *arguments],
        cwd="/",
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_new_python_it_says_what_to_install(clone: Path) -> None:
    make_program(clone / "path/python3", "exit 1")
    done = run_dev(clone)
    assert done.returncode == 1
    assert "Error: Python 3.11 or newer is needed" in done.stderr


def test_a_private_uv_is_taken_where_the_one_on_path_does_not_run(clone: Path) -> None:
    make_program(clone / "path/uv", "exit 127")
    make_program(clone / ".uv/bin/uv", 'echo "uv 0.13.9"; echo "$PWD: $*" >&2')
    done = run_dev(clone, "--port", "8001")
    assert done.returncode == 0
    assert f"{clone}/backend: run --quiet --no-sync backend dev --port 8001" in done.stderr


def test_an_old_uv_is_not_taken(clone: Path) -> None:
    make_program(clone / "path/uv", 'echo "uv 0.4.30"')
    make_program(clone / ".uv/bin/uv", 'echo "uv 1.0.0"; echo "taken: $*" >&2')
    assert "taken: run" in run_dev(clone).stderr


def test_a_failed_installation_of_uv_says_what_to_do(clone: Path) -> None:
    make_program(clone / "path/python3", 'case "$*" in *venv*) exit 1;; esac')
    done = run_dev(clone)
    assert done.returncode == 1
    assert "cannot make a virtual environment" in done.stderr
    assert not (clone / ".uv").exists()
