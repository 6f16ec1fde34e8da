"""`--help`: everywhere, and quick."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from backend.main import app


def commands(command: Any, path: str = "backend") -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, f"{path} {name}")


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_says_what_it_does(path: str) -> None:
    command = COMMANDS[path]
    assert command.help
    assert [option.name for option in command.params if not option.help] == []


def test_the_issues_commands_are_there() -> None:
    assert set(COMMANDS) >= {
        f"backend {name}"
        for name in (
            "dev",
            "serve",
            "worker",
            "db migrate",
            "db status",
            "db seed",
            "db snapshot",
            "db reset",
            "user create",
            "user promote",
            "user list",
            "routes",
            "config",
            "doctor",
        )
    }


def test_help_imports_neither_the_app_nor_the_settings() -> None:
    """Which is what makes it quick, and lets it work with a bad setting."""
    program = (
        "import sys, backend.main\n"
        "slow = {'fastapi', 'sqlalchemy', 'pydantic', 'alembic', 'backend.settings'}\n"
        "sys.exit(' '.join(slow & set(sys.modules)) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stderr.strip(), done.returncode) == ("", 0)
