"""SQLite's backup API: a whole database while others work on it."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from backend.cli.errors import CommandError

__all__ = ["WAIT_SECONDS", "overwrite"]

WAIT_SECONDS = 10


def overwrite(path: Path, source: sqlite3.Connection) -> None:
    """Replaces the content in place, so that a server that has the file open goes on with it."""
    deadline = time.monotonic() + WAIT_SECONDS

    def give_up(_status: int, _remaining: int, _total: int) -> None:
        if time.monotonic() > deadline:
            raise CommandError(f"{path} is being written by another program. Stop it first.")

    with closing(sqlite3.connect(path)) as file:
        source.backup(file, progress=give_up)
