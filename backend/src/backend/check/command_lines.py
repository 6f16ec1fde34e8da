"""Whether a `backend …` line is one that the real command takes."""

import shlex
from functools import cache
from typing import Any

from typer.main import get_command

from backend.main import app

__all__ = ["refusal_of"]


def refusal_of(line: str) -> str | None:
    """What is wrong with the line, whose first word is `backend`; None where nothing is."""
    words = shlex.split(line)[1:]
    command: Any = _program()
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            name, _, value = word.partition("=")
            option = _option(command, name)
            if option is None:
                return f"`{command.name}` has no option {name}"
            if not option["is_flag"] and not value and words:
                words.pop(0)
        elif commands := getattr(command, "commands", None):
            if word not in commands:
                return f"`{command.name}` has no command {word}"
            command = commands[word]
    return None


@cache
def _program() -> Any:
    return get_command(app)


def _option(command: Any, name: str) -> dict[str, bool] | None:
    if name == "--help":
        return {"is_flag": True}
    for parameter in command.params:
        if name in {*parameter.opts, *parameter.secondary_opts}:
            return {"is_flag": bool(getattr(parameter, "is_flag", False))}
    return None
