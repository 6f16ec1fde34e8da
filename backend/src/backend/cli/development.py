"""`backend dev`: pending migrations, a few lines for the developer, and the server."""

import sys
from collections.abc import Sequence
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


def run_development(*, with_reload: bool, with_seed: bool = False) -> None:
    if not settings.is_development:
        raise CommandError(
            "`backend dev` is for development, and ENVIRONMENT is production. "
            "Use `backend serve`, or unset ENVIRONMENT."
        )
    listener = listen(settings.backend_host, settings.backend_port)
    # At the start only: at a reload the newest migration may be half-written.
    for migration in prepare_schema():
        print(f"Migrated: {migration}")
    print(welcome(seed() if with_seed else []), flush=True)
    reload: dict[str, Any] = {"reload": True, "reload_dirs": [str(SOURCE)]} if with_reload else {}
    serve(listener, log_level="warning", timeout_graceful_shutdown=STOP_SECONDS, **reload)


def seed() -> list[str]:
    """The lines of the accounts. A factory that fails is no reason not to serve."""
    from backend.cli import factories, seeding

    accounts = seeding.seed_accounts()
    try:
        for seeded in factories.seed_services([account.id for account in accounts]):
            print(seeding.describe_service(seeded))
    except CommandError as error:
        print(f"Error: {error}", file=sys.stderr)
    return seeding.describe_accounts(accounts)


def welcome(accounts: Sequence[str] = ()) -> str:
    """`accounts`: a line for each that was seeded."""
    url = settings.public_url
    mail = f"Mailbox         {url}/dev/mail"
    if settings.smtp_url.get_secret_value():
        mail = "Mail            goes to SMTP_URL"
    lines = ["", f"API             {url}/api", f"Documentation   {url}/docs", mail]
    if accounts:
        first, *others = accounts
        lines += [f"Sign in as      {first}", *(f"{'':16}{other}" for other in others)]
    else:
        lines.append("Administrator   uv run backend user create EMAIL --superuser   (in backend/)")
        if (REPOSITORY / "bin/backend").is_file():
            lines.append("                bin/backend user create EMAIL --superuser")
    return "\n  ".join(lines) + "\n"
