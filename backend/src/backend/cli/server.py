"""Runs uvicorn: its options, and an end that waits for what is going on."""

import gc
import importlib.util
import signal
import socket
import sys
from contextlib import suppress
from types import FrameType
from typing import Any

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import ChangeReload, Multiprocess

from backend.cli.listener import listen
from backend.cli.preflight import log_warnings, prepare_schema, refuse_unsafe_settings
from backend.core.logging import configure_logging
from backend.settings import settings

__all__ = ["run_server", "serve"]

APP = "backend.app:app"

# A service manager kills after 30 seconds as a rule: requests get 20, a mail that is under way 5.
REQUESTS_FINISH_SECONDS = 20
# Longer than the 60 seconds that load balancers keep a connection for: they must be the ones to
# close it, or requests are lost.
KEEP_ALIVE_SECONDS = 65


def run_server(workers: int = 1) -> None:
    """Production's way to serve, and complete on one machine: it delivers mail as well."""
    refuse_unsafe_settings()
    listener = listen(settings.backend_host, settings.backend_port)
    applied = prepare_schema()
    configure_logging(settings)
    log = structlog.get_logger("backend.server")
    for migration in applied:
        log.info("database.migrated", migration=migration)
    log_warnings()
    log.info(
        "server.listening",
        host=settings.backend_host,
        port=settings.backend_port,
        workers=workers,
        environment=settings.environment,
    )
    serve(
        listener,
        workers=workers,
        timeout_graceful_shutdown=REQUESTS_FINISH_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )


def serve(listener: socket.socket, *, workers: int = 1, **options: Any) -> None:
    """Serves until SIGTERM or SIGINT, and returns when what was going on has finished."""
    config = uvicorn.Config(
        APP,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the app looks at TRUSTED_PROXIES
        lifespan="on",
        http=_http_protocol(),
        **options,
    )
    if config.should_reload:
        ChangeReload(config, target=uvicorn.Server(config).run, sockets=[listener]).run()
        return
    if workers > 1:
        config.load_app()  # a mistake in it ends here, instead of in one child after the other
        gc.enable()
        supervisor = Multiprocess(config, sockets=[listener])
        supervisor.run()
        if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
            sys.exit(1)
        return
    # uvicorn raises the signal again when it has finished: the end was asked for, so it is no error
    signal.signal(signal.SIGTERM, _exit)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def _http_protocol() -> Any:
    """httptools is not there on every system; what takes its place then has a limit of its own."""
    if importlib.util.find_spec("httptools") is None:
        return "auto"
    from backend.cli.http_protocol import LimitedHttpProtocol

    return LimitedHttpProtocol


def _exit(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)
