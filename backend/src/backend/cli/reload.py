"""`backend dev`: serves, and serves anew when the source changes.

The serving process is forked from one that has imported the libraries and nothing of this project,
so that a change costs the import of the project alone: a fraction of a second.
"""

import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing import connection, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from backend.cli.errors import failures_as_sentences

__all__ = ["serve_with_reload"]

SOURCE = Path(__file__).resolve().parents[1]
REFUSED = 78  # EX_CONFIG of sysexits.h: another start would end the same way
STOP_SECONDS = 15

_LIBRARIES = (
    "aiosmtplib",
    "aiosqlite",
    "alembic.command",
    "asyncpg",
    "css_inline",
    "cryptography.fernet",
    "email_validator",
    "fastapi",
    "fastapi_users.authentication",
    "jinja2",
    "joserfc.jwt",
    "pwdlib",
    "pydantic_settings",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.ext.asyncio",
    "structlog",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
    "zxcvbn.frequency_lists",
)

_can_fork = "forkserver" in multiprocessing.get_all_start_methods()
_context: Any = multiprocessing.get_context("forkserver" if _can_fork else "spawn")


def serve_with_reload(listener: socket.socket) -> None:
    """Returns when SIGINT or SIGTERM says so, or exits with 1 where the first start is refused."""
    from watchfiles import PythonFilter, watch

    if _can_fork:
        _context.set_forkserver_preload(list(_LIBRARIES))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _signal, _frame: stop.set())
    child = _start(listener, first=True)
    said = False
    for changes in watch(
        SOURCE,
        watch_filter=PythonFilter(),
        stop_event=stop,
        rust_timeout=200,
        yield_on_timeout=True,
        ignore_permission_denied=True,
    ):
        if changes:
            print(f"Changed: {_names(path for _kind, path in changes)}", file=sys.stderr)
            _stop(child)
            child = _start(listener, first=False)
            said = False
        elif child.exitcode == REFUSED:
            sys.exit(1)
        elif child.exitcode is not None and not said:
            print("It does not run like this; the next change is tried at once.", file=sys.stderr)
            said = True
    _stop(child)


def _names(paths: Iterable[str]) -> str:
    return ", ".join(sorted({str(Path(path).relative_to(SOURCE)) for path in paths}))


def _start(listener: socket.socket, *, first: bool) -> BaseProcess:
    child: BaseProcess = _context.Process(target=_serve, args=(listener, first))
    child.start()
    return child


def _stop(child: BaseProcess) -> None:
    child.terminate()
    child.join(STOP_SECONDS)
    if child.is_alive():
        child.kill()
        child.join()


def _serve(listener: socket.socket, first: bool) -> None:
    """Runs in the child. Migrations are applied at the first start only: later ones may be
    half-written."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(KeyboardInterrupt), failures_as_sentences(REFUSED):
        from backend.cli.development import serve_development

        serve_development(listener, first=first)


def _end_with_parent() -> None:
    """A parent that was killed leaves no server behind that holds the port."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
