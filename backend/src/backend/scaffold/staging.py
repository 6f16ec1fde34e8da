"""A temporary copy of the project, in which a change is made and tried before it is taken over."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backend.cli.errors import CommandError
from backend.scaffold.checkout import Checkout
from backend.settings import Settings

__all__ = ["Change", "Run", "Staging", "open_staging"]

_FOLDERS = ("src", "tests", "migrations")
_FOLDERS_BESIDE = ("bin", "deploy", "docs")
_LARGEST_FILE_BYTES = 1_000_000
_LEFT_OUT = shutil.ignore_patterns("node_modules", ".*_cache", ".venv*")


@dataclass(frozen=True)
class Change:
    """Of one file; None is a file that is not there."""

    path: str
    before: bytes | None
    after: bytes | None


@dataclass(frozen=True)
class Run:
    """A command that runs in the copy."""

    process: "subprocess.Popen[str]"

    def output(self) -> str:
        """All that it printed, when it has ended."""
        return self.process.communicate()[0]

    @property
    def succeeded(self) -> bool:
        return self.process.wait() == 0

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()


class Staging:
    """Nothing that runs here knows of the developer's database or settings."""

    def __init__(self, checkout: Checkout, folder: Path) -> None:
        self.folder = folder / checkout.folder.parent.name / checkout.folder.name
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self.originals: dict[str, bytes | None] = {}
        self.runs: list[Run] = []
        _copy(checkout.folder, self.folder, _FOLDERS)
        _copy(checkout.folder.parent, self.folder.parent, _FOLDERS_BESIDE)
        self.copy = Checkout(self.folder)

    def write(self, path: str, text: str) -> None:
        self._remember(path)
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())

    def remove(self, path: str) -> None:
        self._remember(path)
        (self.folder / path).unlink()

    def created(self, path: str) -> None:
        """A command made this file."""
        self.originals.setdefault(path, None)

    def _remember(self, path: str) -> None:
        self.originals.setdefault(path, self.copy.read(path))

    def read(self, path: str) -> str:
        """With the line endings that it has."""
        return (self.folder / path).read_bytes().decode()

    def changes(self) -> list[Change]:
        found = [Change(p, before, self.copy.read(p)) for p, before in self.originals.items()]
        return [change for change in found if change.before != change.after]

    def start(self, *arguments: str) -> Run:
        """Python with these arguments, in a session of its own: Ctrl-C is for the command alone."""
        process = subprocess.Popen(  # noqa: S603 - this Python, and no shell
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        run = Run(process)
        self.runs.append(run)
        return run

    def run(self, *arguments: str, failure: str) -> str:
        run = self.start(*arguments)
        output = run.output()
        if not run.succeeded:
            raise CommandError(f"{failure} Nothing was changed.\n\n{self.shown(output)}")
        return output

    def shown(self, output: str) -> str:
        """Output with paths as they are in the project."""
        return output.replace(f"{self.folder}/", "").strip()

    def _environment(self) -> Mapping[str, str]:
        theirs = {name.upper() for name in Settings.model_fields}
        kept = {
            name: value
            for name, value in os.environ.items()
            if name.upper().removesuffix("_FILE") not in theirs and name != "PYTEST_ADDOPTS"
        }
        return kept | {
            "DATABASE_URL": f"sqlite:///{self.scratch / 'scratch.db'}",
            "DATA_DIR": str(self.scratch / "data"),
            "ENVIRONMENT": "development",
            "ENV_FILE": os.devnull,
            "PYTHONPATH": str(self.folder / "src"),
        }


@contextmanager
def open_staging(checkout: Checkout) -> Iterator[Staging]:
    with tempfile.TemporaryDirectory(prefix="backend-service-", ignore_cleanup_errors=True) as path:
        staging = Staging(checkout, Path(path).resolve())
        try:
            yield staging
        finally:
            for run in staging.runs:
                run.stop()


def _copy(source: Path, destination: Path, folders: tuple[str, ...]) -> None:
    """These folders, and the files beside them. Compiled modules stay valid, as times are kept."""
    destination.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.is_dir() and path.name in folders:
            shutil.copytree(path, destination / path.name, symlinks=True, ignore=_LEFT_OUT)
        elif path.is_file() and path.name != ".env" and path.stat().st_size < _LARGEST_FILE_BYTES:
            shutil.copy2(path, destination / path.name)
