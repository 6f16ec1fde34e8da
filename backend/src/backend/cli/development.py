"""`backend dev`: pending migrations, a few lines for the developer, and the server."""

from pathlib import Path
from typing import Any

from backend.cli.errors import CommandError
from backend.cli.listener import listen
from backend.cli.preflight import prepare_schema
from backend.cli.server import serve
from backend.settings import settings

__all__ = ["run_development"]

STOP_SECONDS = 2
SOURCE = Path(__file__).resolve().parents[1]
REPOSITORY = Path(__file__).resolve().parents[4]


def run_development(*, with_reload: bool) -> None:
    if not settings.is_development:
        raise CommandError(
            "`backend dev` is for development, and ENVIRONMENT is production. "
            "Use `backend serve`, or unset ENVIRONMENT."
        )
    listener = listen(settings.backend_host, settings.backend_port)
    # At the start only: at a reload the newest migration may be half-written.
    for migration in prepare_schema():
        print(f"Migrated: {migration}")
    print(welcome(), flush=True)
    reload: dict[str, Any] = {"reload": True, "reload_dirs": [str(SOURCE)]} if with_reload else {}
    serve(listener, log_level="warning", timeout_graceful_shutdown=STOP_SECONDS, **reload)


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
