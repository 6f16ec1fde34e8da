"""What `backend doctor` looks at, each within a time limit. A failure is a finding."""

import asyncio
import contextlib
import http.client
import json
import tempfile
from collections.abc import Iterator
from datetime import timedelta

import aiosmtplib
from sqlalchemy import text

from backend.cli.checkup import Check, Status
from backend.cli.database_errors import explain, location, name_of
from backend.cli.errors import CommandError
from backend.cli.listener import listen
from backend.core.clock import utc_now
from backend.services.email.transports import SMTPTransport, make_transport
from backend.settings import settings

__all__ = ["examine"]

TIMEOUT_SECONDS = 6
CLOCK_TOLERANCE = timedelta(seconds=5)


def examine() -> list[Check]:
    return [*_settings(), _data_dir(), _port(), *_database(), _mail()]


def _settings() -> Iterator[Check]:
    problems = [] if settings.is_development else settings.problems()
    for item in problems:
        yield Check("settings", "error", f"{item.setting}: {item.problem}", item.remedy)
    for warning in settings.warnings():
        yield Check("settings", "warning", warning)
    if not problems:
        yield Check("settings", "ok", f"accepted for {settings.environment}")


def _data_dir() -> Check:
    folder = settings.data_dir.resolve()
    is_used = (
        settings.is_development
        or not settings.smtp_url.get_secret_value()
        or str(settings.database.database).startswith(str(folder))
    )
    if not is_used:
        return Check("data dir", "ok", f"{folder} is not needed with these settings")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Check(
            "data dir",
            "error",
            f"{folder} cannot be written ({error.strerror})",
            "Set DATA_DIR to a folder that this user may write.",
        )
    return Check("data dir", "ok", f"{folder} can be written")


def _port() -> Check:
    host, port = settings.backend_host, settings.backend_port
    try:
        listen(host, port).close()
    except CommandError as error:
        if _is_this_backend(host, port):
            return Check("port", "ok", f"this backend answers on port {port} of {host}")
        problem, _, remedy = str(error).partition(". ")
        return Check("port", "error", problem, remedy)
    return Check("port", "ok", f"{port} is free on {host}")


def _is_this_backend(host: str, port: int) -> bool:
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    connection = http.client.HTTPConnection(reachable, port, timeout=2)
    try:
        connection.request("GET", "/health/live")
        return bool(json.loads(connection.getresponse().read(1000)) == {"status": "live"})
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _database() -> list[Check]:
    try:
        from backend.cli.runtime import run  # makes the folder of SQLite's file, which may fail

        return run(_ask_database())
    except TimeoutError:
        message = f"{location(settings.database)} does not answer within {TIMEOUT_SECONDS} seconds"
        return [Check("database", "error", message, "Look at its server and the network between.")]
    except Exception as error:
        sentence = explain(error)
        if sentence is None:
            raise
        problem, _, remedy = sentence.partition(". ")
        return [Check("database", "error", problem, remedy)]


async def _ask_database() -> list[Check]:
    from backend import db
    from backend.core.schema import schema_state

    async with asyncio.timeout(TIMEOUT_SECONDS):
        async with db.engine.connect() as connection:
            is_postgresql = connection.dialect.name == "postgresql"
            version_of = "SHOW server_version" if is_postgresql else "SELECT sqlite_version()"
            version = await connection.scalar(text(version_of))
            now = await connection.scalar(text("SELECT now()")) if is_postgresql else utc_now()
        found = await schema_state(db.engine)
    name = "PostgreSQL" if is_postgresql else "SQLite"
    checks = [Check("database", "ok", f"{name_of(settings.database)}, {name} {version}")]
    if found.state == "current":
        checks.append(Check("migrations", "ok", f"at {found.head}, the newest"))
    elif found.state == "behind":
        message = f"pending: {', '.join(found.pending)}"
        status: Status = "warning" if settings.is_development else "error"
        checks.append(Check("migrations", status, message, "backend db migrate"))
    else:
        message = f"at {found.current}, which this version does not know"
        checks.append(Check("migrations", "error", message, "Run the version that made it."))
    off = abs(utc_now() - now)
    if off > CLOCK_TOLERANCE:
        message = f"{off.total_seconds():.0f} seconds apart from the database's"
        remedy = "Let both machines set their clocks by NTP."
        checks.append(Check("clock", "warning", message, remedy))
    else:
        checks.append(Check("clock", "ok", "agrees with the database's"))
    return checks


def _mail() -> Check:
    transport = make_transport(settings)
    if not isinstance(transport, SMTPTransport):
        return Check("mail", "ok", f"goes to the built-in mailbox, {settings.public_url}/dev/mail")
    place = f"{transport.host}:{transport.port}"
    try:
        greeting = asyncio.run(_greet(transport))
    except aiosmtplib.SMTPAuthenticationError as error:
        message = f"{place} refuses the sign-in ({error.code} {error.message})"
        return Check("mail", "error", message, "Correct the user and the password in SMTP_URL.")
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        reason = str(error) or f"no answer within {TIMEOUT_SECONDS} seconds"
        message = f"{place} cannot be used ({reason})"
        return Check("mail", "error", message, "Correct SMTP_URL, or start the mail server.")
    return Check("mail", "ok", f"{place} answers{greeting}")


async def _greet(transport: SMTPTransport) -> str:
    """Connects, with TLS and sign-in as for a mail, and sends none."""
    client = aiosmtplib.SMTP(
        hostname=transport.host,
        port=transport.port,
        username=transport.username,
        password=transport.password,
        use_tls=transport.use_tls,
        start_tls=transport.start_tls,
        timeout=TIMEOUT_SECONDS,
    )
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await client.connect()
        await client.ehlo()
        encrypted = client.get_transport_info("sslcontext") is not None
        with contextlib.suppress(aiosmtplib.SMTPException):
            await client.quit()
    signed_in = ", signed in" if transport.username else ""
    return f"{' with TLS' if encrypted else ' without TLS'}{signed_in}"
