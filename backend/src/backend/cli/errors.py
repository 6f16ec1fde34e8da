"""Failures as a clear sentence: what is wrong, and what to do about it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["CommandError", "failures_as_sentences", "is_settings_error"]


class CommandError(Exception):
    """Why a command does not do what it was asked; ends it with exit code 1."""


@contextmanager
def failures_as_sentences(exit_code: int = 1) -> Iterator[None]:
    """What the person at the terminal can mend is said without a traceback. A mistake in the code
    keeps its traceback."""
    try:
        yield
    except Exception as error:
        sentence = _sentence_for(error)
        if sentence is None:
            raise
        sys.stdout.flush()
        print(f"Error: {sentence}", file=sys.stderr)
        raise SystemExit(exit_code) from None


def is_settings_error(error: Exception) -> bool:
    """By its name: what raises it is the import of the very module that has the class."""
    return type(error).__module__ == "backend.settings" and type(error).__name__ == "SettingsError"


def _sentence_for(error: Exception) -> str | None:
    if isinstance(error, CommandError):
        return str(error)
    if is_settings_error(error):
        return str(error)
    from backend.cli.database_errors import explain

    return explain(error)
