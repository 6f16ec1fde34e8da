"""`backend dev`, `backend serve`, `backend worker`."""

import gc
import os
import sys
from typing import Annotated

import typer

__all__ = ["dev", "serve", "worker"]

Host = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="The address to bind to (BACKEND_HOST).")
]
Port = Annotated[
    int | None,
    typer.Option(
        metavar="PORT", min=1, max=65535, help="The port to listen on (BACKEND_PORT, 8000)."
    ),
]


def dev(
    host: Host = None,
    port: Port = None,
    no_reload: Annotated[
        bool, typer.Option("--no-reload", help="Keep serving the source as it is now.")
    ] = False,
    seed: Annotated[
        bool, typer.Option("--seed", help="First do what `backend db seed` does.")
    ] = False,
) -> None:
    """Serve for development, with reload. Applies the pending migrations first."""
    _set_address(host, port)
    from backend.cli.development import run_development

    run_development(with_reload=not no_reload, with_seed=seed)


def serve(
    host: Host = None,
    port: Port = None,
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, max=256, help="Server processes.")
    ] = 1,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Leave the mail to `backend worker` processes.")
    ] = False,
) -> None:
    """Serve the API and deliver its mail; `backend` alone does the same.

    In production it refuses unsafe settings, and a database whose migrations are not those of this
    version; in development it applies pending migrations. SIGTERM lets requests finish first.
    """
    _set_address(host, port)
    if no_worker:
        os.environ["DELIVER_MAIL"] = "false"
    # While all is imported there is no garbage to find, and looking takes an eighth of the time.
    # The app's lifespan turns it on again.
    gc.disable()
    _import_structlog_without_rich()
    from backend.cli.server import run_server

    run_server(workers)


def worker() -> None:
    """Deliver mail without serving. Any number of these may run beside each other.

    Refuses what `backend serve` refuses. SIGTERM lets the mail that is under way finish first.
    """
    from backend.cli.worker import run_worker

    run_worker()


def _import_structlog_without_rich() -> None:
    """It imports rich wherever that is installed, as it is with typer: 3 MB for coloured tracebacks
    that no server's log has."""
    if "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # "not there", until it is deleted
    import structlog  # noqa: F401

    del sys.modules["rich"]


def _set_address(host: str | None, port: int | None) -> None:
    """By way of the environment: processes started from here have it too, and the default of
    PUBLIC_URL follows."""
    if host is not None:
        os.environ["BACKEND_HOST"] = host
    if port is not None:
        os.environ["BACKEND_PORT"] = str(port)
