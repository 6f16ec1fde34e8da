"""`backend dev`: pending migrations, a few lines for the developer, and the server."""

import importlib.util
import socket
import sys
from pathlib import Path

from backend.cli import reload
from backend.cli.errors import CommandError
from backend.cli.listener import listen
from backend.settings import settings

__all__ = ["run_development", "serve_development"]

STOP_SECONDS = 2
REPOSITORY = Path(__file__).resolve().parents[4]


def run_development(*, with_reload: bool) -> None:
    if not settings.is_development:
        raise CommandError(
            "`backend dev` is for development, and ENVIRONMENT is production. "
            "Use `backend serve`, or unset ENVIRONMENT."
        )
    listener = listen(settings.backend_host, settings.backend_port)
    if with_reload and not importlib.util.find_spec("watchfiles"):
        print("Without reload, which needs watchfiles: `uv sync` installs it.", file=sys.stderr)
        with_reload = False
    if with_reload:
        reload.serve_with_reload(listener)
    else:
        serve_development(listener, first=True)


def serve_development(listener: socket.socket, *, first: bool) -> None:
    """`first` applies the pending migrations. The process that watches never comes here: it stays
    without what this imports."""
    from backend.cli.preflight import prepare_schema
    from backend.cli.server import serve

    if first:
        for migration in prepare_schema():
            print(f"Migrated: {migration}")
        print(welcome(), flush=True)
    serve(listener, log_level="warning", timeout_graceful_shutdown=STOP_SECONDS)


def welcome() -> str:
    url = settings.public_url
    mail = f"Mailbox         {url}/dev/mail"
    if settings.smtp_url.get_secret_value():
        mail = "Mail            goes to SMTP_URL"
    lines = [
        "",
        f"API             {url}/api",
        f"Documentation   {url}/docs",
        mail,
        "Administrator   uv run backend user create EMAIL --superuser   (in backend/)",
    ]
    if (REPOSITORY / "bin/backend").is_file():
        lines.append("                bin/backend user create EMAIL --superuser")
    return "\n  ".join(lines) + "\n"
