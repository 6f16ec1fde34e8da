"""Structured logs: text on a terminal, JSON elsewhere, and no secrets in either."""

import json
import logging
import re
import sys
from functools import lru_cache
from typing import Any

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from backend.settings import Settings

__all__ = ["configure_logging"]

REDACTED = "***"
_SECRET_NAME = re.compile(
    r"(password|passwd|secret|token|authorization|cookie|api_?key|credential|dsn)", re.IGNORECASE
)
# A query string's token, a URL's password, and a bearer token, wherever they appear in a text.
_SECRET_TEXTS = (
    (re.compile(r"((?:token|code|password)=)[^&\s\"']+", re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(r"(\w+://[^:/\s@]*:)[^@\s/]+@"), rf"\1{REDACTED}@"),
    (re.compile(r"(Bearer\s+)[\w.~+/-]+=*", re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), REDACTED),
)


# What one of them needs to find anything: most texts have none of it, and are looked at once.
_PERHAPS_SECRET = re.compile(r"(?:token|code|password)=|://|bearer\s|\beyJ", re.IGNORECASE)


def _redact_text(text: str) -> str:
    if _PERHAPS_SECRET.search(text):
        for pattern, replacement in _SECRET_TEXTS:
            text = pattern.sub(replacement, text)
    return text


@lru_cache(1024)
def _is_secret_name(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _redact(value: Any) -> Any:
    if isinstance(value, str):
        return _redact_text(value)
    if isinstance(value, dict):
        return {
            key: REDACTED if _is_secret_name(str(key)) else _redact(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redact(item) for item in value]
    return value


def redact_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The last step before a line is written: what looks like a secret is not."""
    return {
        key: REDACTED if _is_secret_name(key) else _redact(value) for key, value in event.items()
    }


_encoder = json.JSONEncoder(default=str)


def _to_json(event: EventDict, **_options: Any) -> str:
    return _encoder.encode(event)


def _logger_on_stderr(*_names: str) -> structlog.PrintLogger:
    """Our own lines do not go through the standard library's loggers, which takes twice as long."""
    return structlog.PrintLogger(sys.stderr)


def configure_logging(options: Settings) -> None:
    """Sends structlog and the standard library's loggers, uvicorn's among them, to stderr."""
    text = options.log_format == "text" or (options.log_format == "auto" and sys.stderr.isatty())
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True)
        if not text
        else structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Processor] = (
        [
            redact_secrets,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
        if text
        else [
            structlog.processors.format_exc_info,
            redact_secrets,
            structlog.processors.JSONRenderer(_to_json),
        ]
    )
    structlog.configure(
        processors=[*before, *last],
        logger_factory=_logger_on_stderr,
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[options.log_level]
        ),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*before, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(options.log_level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    # Our middleware writes the access log; these two say what it says already, or too much.
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    # Their debug output has the values of every statement, hashes and addresses among them.
    for name in ("aiosqlite", "asyncio", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
