"""Installs what is missing: an environment for each server, and wrk."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from harness import project
from harness.machine import BenchError
from harness.places import SOURCES, WORK
from harness.servers import Server

__all__ = ["Installed", "install", "require_wrk"]


class Installed:
    """Where a server's commands run, and with what environment."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = dict(environment)

    def run(self, command: tuple[str, ...], environment: Mapping[str, str]) -> str:
        """What it printed. It must succeed."""
        result = subprocess.run(
            command,
            cwd=self.folder,
            env=os.environ | self.environment | dict(environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise BenchError(f"{' '.join(command)}:\n{result.stdout}{result.stderr}")
        return result.stdout


def require_wrk() -> None:
    if shutil.which("wrk"):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing wrk")
        command = ["apt-get", "install", "--yes", "-qq", "--no-install-recommends", "wrk"]
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=False, capture_output=True)
        subprocess.run(command, env=environment, check=False, capture_output=True)
    if not shutil.which("wrk"):
        raise BenchError("wrk makes the load, and was not found: apt-get install wrk")


def sources_of(server: Server) -> Path:
    name = "backend" if server.kind == "project" else server.name.replace("-", "_")
    return SOURCES / name


@cache
def _project() -> Installed:
    """The same for all, and not made again when somebody saves a file while it runs."""
    folder = project.prepare()
    return Installed(folder, project.environment_of(folder))


def install(server: Server) -> Installed:
    if server.kind == "project":
        return _project()
    folder = WORK / server.name
    shutil.copytree(sources_of(server), folder, dirs_exist_ok=True)
    for timing in SOURCES.glob("timing.*"):
        shutil.copy(timing, folder)
    if server.kind == "python":
        _install_python(folder)
        path = f"{folder / '.venv/bin'}:{os.environ['PATH']}"
        return Installed(folder, {"PATH": path, "PYTHONPATH": str(folder)})
    _install_node(folder)
    return Installed(folder, {})


def _install_python(folder: Path) -> None:
    requirements = folder / "requirements.txt"
    if not _is_outdated(folder, requirements):
        return
    uv = os.environ.get("UV", "uv")
    environment = os.environ | {"VIRTUAL_ENV": str(folder / ".venv")}
    base = Path(sys.base_prefix) / "bin/python3"
    for command in (
        [uv, "venv", "--quiet", "--clear", "--python", str(base), str(folder / ".venv")],
        [uv, "pip", "sync", "--quiet", "--compile-bytecode", str(requirements)],
    ):
        _run(command, folder, environment)
    _mark(folder, requirements)


def _install_node(folder: Path) -> None:
    lock = folder / "package-lock.json"
    if not shutil.which("npm"):
        raise BenchError("Node's npm was not found: install it, or leave the Node servers out.")
    if _is_outdated(folder, lock):
        _run(["npm", "ci", "--no-fund", "--no-audit"], folder, dict(os.environ))
        _mark(folder, lock)
    if (folder / "tsconfig.json").is_file():
        _run(["npx", "--no-install", "tsc", "--incremental"], folder, dict(os.environ))


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    print(f"{folder.name}: {Path(command[0]).name} {command[1]}", flush=True)
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise BenchError(f"{' '.join(command)}:\n{result.stdout}{result.stderr}")


def _is_outdated(folder: Path, pins: Path) -> bool:
    mark = folder / ".installed"
    return not mark.is_file() or mark.read_text(encoding="utf-8") != _digest(pins)


def _mark(folder: Path, pins: Path) -> None:
    (folder / ".installed").write_text(_digest(pins), encoding="utf-8")


def _digest(pins: Path) -> str:
    return hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()
