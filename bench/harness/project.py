"""A copy of this project as its files are now, with services that its generator writes."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.machine import BenchError
from harness.places import ROOT, SOURCES, WORK

__all__ = ["ITEMS", "environment_of", "prepare"]

Services = Mapping[str, Sequence[str]]

ITEMS: Services = {
    "items": (
        "title:str:max=120",
        "body:text:max=2000:optional",
        "status:enum:draft,live:default=draft",
        "due_on:date:optional",
    )
}

_FOLDERS = ("src", "migrations")
_FILES = ("pyproject.toml", "alembic.ini")


def environment_of(backend: Path) -> dict[str, str]:
    """Its packages are those of the project's environment; its code is its own."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(backend / "src"),
        "ENV_FILE": "none.env",
    }


def prepare(services: Services = ITEMS, name: str = "project") -> Path:
    """The copy's `backend` folder. It is made anew when a file of the original has changed."""
    folder = WORK / name
    backend = folder / "backend"
    mark = folder / "made-of"
    digest = _digest(services)
    if mark.is_file() and mark.read_text(encoding="utf-8") == digest:
        return backend
    shutil.rmtree(folder, ignore_errors=True)
    for part in _FOLDERS:
        unwanted = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "backend" / part, backend / part, ignore=unwanted)
    for part in _FILES:
        shutil.copy(ROOT / "backend" / part, backend / part)
    # The database that the migration is made on; those that are measured have their own.
    environment = os.environ | environment_of(backend) | {"DATA_DIR": str(folder / "scratch")}
    words: list[str] = []
    for service, fields in services.items():
        words += [",", service, *fields]
    for command in (
        ["-m", "backend.main", "db", "migrate"],
        [str(SOURCES / "backend/generate.py"), *words],
    ):
        result = subprocess.run(
            [sys.executable, *command],
            cwd=backend,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise BenchError(f"{command[:2]}:\n{result.stdout}{result.stderr}")
    mark.write_text(digest, encoding="utf-8")
    return backend


def _digest(services: Services) -> str:
    found = hashlib.sha256(repr(services).encode())
    found.update((SOURCES / "backend/generate.py").read_bytes())
    files = [ROOT / "backend" / part for part in _FILES]
    for part in _FOLDERS:
        files += (path for path in (ROOT / "backend" / part).rglob("*") if path.is_file())
    for path in sorted(files):
        if "__pycache__" not in path.parts:
            found.update(path.relative_to(ROOT).as_posix().encode())
            found.update(path.read_bytes())
    return found.hexdigest()
