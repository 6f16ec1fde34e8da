"""What a database's refusal means for the person who runs the command."""

import os
import sqlite3
from collections.abc import Iterator

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from backend.core.errors import UnavailableError
from backend.settings import settings

__all__ = ["explain", "failed_migration", "location", "name_of"]


def name_of(url: URL) -> str:
    """Which database it is, without its password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"{url.database or url.username} at {location(url)}"


def location(url: URL) -> str:
    """Where it is: host and port, or the file."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    host = url.host or url.query.get("host") or "localhost"
    name = ",".join(host) if isinstance(host, tuple) else host
    return name if name.startswith("/") else f"{name}:{url.port or 5432}"


def explain(error: BaseException) -> str | None:
    """None where it is not about the database."""
    from alembic.util import CommandError as MigrationError

    causes = list(_chain(error))
    if isinstance(error, MigrationError):
        return _migration_sentence(str(error))
    is_database = any(isinstance(cause, SQLAlchemyError | UnavailableError) for cause in causes)
    for cause in causes:
        if isinstance(cause, sqlite3.Error):
            return _sqlite_sentence(str(cause))
        if state := getattr(cause, "sqlstate", None):
            return _postgresql_sentence(str(state), str(cause))
        if isinstance(cause, OSError):
            if settings.database.get_backend_name() == "sqlite":
                return _sqlite_folder_sentence(cause)
            if is_database:
                reason = _reason(cause)
                return (
                    f"The database at {location(settings.database)} cannot be reached ({reason}). "
                    "Start it, or correct DATABASE_URL."
                )
    return None


def failed_migration(error: Exception) -> str | None:
    """None where it is not the database that refused, but the migration's code that is wrong."""
    for cause in _chain(error):
        if isinstance(cause, DBAPIError) and cause.statement:
            reason = str(cause.orig).splitlines()[0].removeprefix("<class ").strip()
            statement = cause.statement.strip().splitlines()[0].strip(" (")
            return (
                f"A migration failed at `{statement}`: {reason}. The database is as it was. "
                "`uv run alembic upgrade head` shows the place."
            )
    return explain(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)


def _reason(error: OSError) -> str:
    """The system's words; the text of asyncio repeats the address."""
    if error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error) or "no answer in time"


def _migration_sentence(text: str) -> str:
    if "more than one head present" in text:
        return (
            "The database is at more than one revision at once. Restore a backup; in development "
            "`backend db reset` begins anew."
        )
    if "multiple heads" in text.lower() or "multiple head revisions" in text.lower():
        return (
            "The migrations have more than one head. "
            'Join them with `uv run alembic merge heads -m "Merge"`.'
        )
    if "script_location" in text:
        return (
            "There is no alembic.ini in this folder. Run the command where alembic.ini and the "
            "folder `migrations` are."
        )
    return f"The migrations cannot be used: {text.rstrip('.')}. See `uv run alembic history`."


def _postgresql_sentence(state: str, text: str) -> str | None:
    where = location(settings.database)
    reason = text.splitlines()[0].rstrip(".") if text else state
    if state.startswith("28"):
        return (
            f"The database at {where} refuses the sign-in ({reason}). "
            "Correct the user and the password in DATABASE_URL."
        )
    if state == "3D000":
        return (
            f"The database at {where} is there, but {reason}. Create it with "
            f"`createdb {settings.database.database}`, or correct DATABASE_URL."
        )
    if state == "42501":
        return f"The user of DATABASE_URL may not do this: {reason}. Grant it, or use another user."
    if state == "42P01":
        return "The database does not have this version's tables. Run `backend db migrate`."
    if state == "55P03":
        return "Somebody else holds a lock on the tables. Stop what uses them, and try again."
    if state.startswith(("08", "53", "57")):
        return f"The database at {where} does not serve ({reason}). Try again when it does."
    return None


def _sqlite_sentence(text: str) -> str | None:
    path = location(settings.database)
    if "not a database" in text or "malformed" in text:
        return (
            f"{path} is not an SQLite database, or is damaged. Restore it, or name another file "
            "in DATABASE_URL; in development `backend db reset` begins anew."
        )
    if "unable to open" in text or "readonly" in text or "read-only" in text:
        return (
            f"{path} cannot be opened for writing. Let this user write the file and its folder, "
            "or name another one in DATABASE_URL or DATA_DIR."
        )
    if "no such table" in text:
        return f"{path} does not have this version's tables. Run `backend db migrate`."
    if "locked" in text:
        return f"{path} is being written by another program. Stop it, or try again in a moment."
    return None


def _sqlite_folder_sentence(error: OSError) -> str | None:
    if error.filename is None:
        return None
    return (
        f"{error.filename} cannot be written ({error.strerror}). Let this user write there, "
        "or name another place in DATABASE_URL or DATA_DIR."
    )
