"""What the app does meanwhile: the SQL that it sends, and what it logs.

For development: `backend call`, `backend check` and the tests. Mails are recorded by
`services.email.recording`.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import ExceptionContext, event
from sqlalchemy.engine import ExecutionContext
from sqlalchemy.engine.interfaces import DBAPICursor
from structlog.types import EventDict, WrappedLogger

from backend import db
from backend.core.engines import unconcerned
from backend.core.logging import redact_secrets
from backend.core.quick import observers

__all__ = ["Statement", "recorded_events", "recorded_statements"]


@dataclass(frozen=True)
class Statement:
    """Without its values, among which are addresses, hashes and sealed mail."""

    text: str
    ms: float
    """Until the driver had the result."""
    rows: int | None
    """Returned, or changed where nothing is returned; None where the driver does not say."""


@contextmanager
def recorded_statements() -> Iterator[list[Statement]]:
    """Every statement that the app sends meanwhile, in order; those that fail as well."""
    statements: list[Statement] = []
    started: dict[int, float] = {}

    def begin(
        _connection: Any,
        cursor: DBAPICursor,
        text: str,
        parameters: Any,
        _context: ExecutionContext | None,
        _executemany: bool,
    ) -> tuple[str, Any]:
        started[id(cursor)] = time.perf_counter()
        return text, parameters

    def end(
        _connection: Any,
        cursor: DBAPICursor,
        text: str,
        _parameters: Any,
        _context: ExecutionContext | None,
        _executemany: bool,
    ) -> None:
        statements.append(Statement(text, _milliseconds_since(started, cursor), _rows_of(cursor)))

    def fail(error: ExceptionContext) -> None:
        if error.statement is not None:
            cursor = error.execution_context.cursor if error.execution_context else None
            statements.append(
                Statement(error.statement, _milliseconds_since(started, cursor), None)
            )

    def quick(text: str, _values: tuple[Any, ...], ms: float, rows: int) -> None:
        statements.append(Statement(text, round(ms, 2), rows))

    engine = db.engine.sync_engine
    listeners = (
        ("before_cursor_execute", begin),
        ("after_cursor_execute", end),
        ("handle_error", fail),
    )
    for name, listener in listeners:
        # With a value to return, or it would be wrapped into another function.
        event.listen(engine, name, listener, retval=name == "before_cursor_execute")
    unconcerned.update((begin, end))
    observers.append(quick)
    try:
        yield statements
    finally:
        observers.remove(quick)
        for name, listener in listeners:
            event.remove(engine, name, listener)
        unconcerned.difference_update((begin, end))


def _milliseconds_since(started: dict[int, float], cursor: DBAPICursor | None) -> float:
    began = started.pop(id(cursor), None)
    return 0.0 if began is None else round((time.perf_counter() - began) * 1000, 2)


def _rows_of(cursor: DBAPICursor) -> int | None:
    """The async drivers' adapters have fetched the rows when the statement has ended."""
    fetched = getattr(cursor, "_rows", None)
    if cursor.description and fetched is not None:
        return len(fetched)
    return cursor.rowcount if cursor.rowcount >= 0 else None


@contextmanager
def recorded_events(level: int = logging.INFO) -> Iterator[list[dict[str, Any]]]:
    """What is logged meanwhile from `level` on, by structlog and the standard library alike.

    Each event is what would be written, secrets taken out, with its traceback as `exception`.
    Nothing is written anywhere else meanwhile.
    """
    recorder = _Recorder()
    root = logging.getLogger()
    handlers, root_level, config = root.handlers, root.level, structlog.get_config()
    root.handlers = [recorder]
    root.setLevel(level)
    structlog.configure(
        processors=[*config["processors"][:-1], recorder.take],  # without the one that renders
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    try:
        yield recorder.events
    finally:
        root.handlers = handlers
        root.setLevel(root_level)
        structlog.configure(**config)


class _Recorder(logging.Handler):
    """The root logger's handler in place of the one that writes, and structlog's last step."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        found: dict[str, Any] = {
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if record.exc_info:
            found["exc_info"] = record.exc_info
        self._add(found)

    def take(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        self._add(dict(event))
        raise structlog.DropEvent

    def _add(self, found: dict[str, Any]) -> None:
        found.pop("timestamp", None)
        event = structlog.processors.format_exc_info(None, "", found)
        self.events.append(dict(redact_secrets(None, "", event)))
