"""What must hold before the server or a worker starts."""

import structlog

from backend import db
from backend.cli.database_errors import failed_migration
from backend.cli.errors import CommandError
from backend.cli.output import table
from backend.cli.runtime import run
from backend.core.schema import SchemaState, describe, schema_state, upgrade
from backend.settings import Problem, settings

__all__ = [
    "apply_migrations",
    "log_warnings",
    "prepare_schema",
    "refuse_unknown_database",
    "refuse_unsafe_settings",
    "require_current_schema",
    "require_development",
    "require_known_schema",
]


def require_development(command: str, instead: str) -> None:
    if not settings.is_development:
        raise CommandError(
            f"`{command}` is for development, and ENVIRONMENT is production. {instead}"
        )


def refuse_unsafe_settings() -> None:
    """Stops a production start while `settings.problems()` is not empty."""
    if settings.is_development:
        return
    if problems := settings.problems():
        raise CommandError(f"Production refuses these settings.\n\n{problem_table(problems)}")


def refuse_unknown_database() -> None:
    """In production the default, a file of SQLite, is never what was meant."""
    if settings.is_development:
        return
    if problems := [item for item in settings.problems() if item.setting == "DATABASE_URL"]:
        raise CommandError(f"Production refuses this setting.\n\n{problem_table(problems)}")


def problem_table(problems: list[Problem]) -> str:
    rows = [[item.setting, item.problem, item.remedy] for item in problems]
    return table(["setting", "problem", "how to set it"], rows)


def log_warnings() -> None:
    for warning in settings.warnings():
        structlog.get_logger("backend.settings").warning("settings.unsafe", warning=warning)


def prepare_schema() -> list[str]:
    """Applies what is pending in development, and says what; refuses in production."""
    found = run(schema_state(db.engine))
    if settings.is_development:
        require_known_schema(found)
        return apply_migrations(found)
    require_current_schema(found)
    return []


def require_known_schema(found: SchemaState) -> None:
    if found.state == "foreign":
        anew = ", or drop everything with `backend db reset`" if settings.is_development else ""
        raise CommandError(
            f"The database's schema is at revision {found.current}, which this version does not "
            f"know. Run the version that made it, or restore a backup made for this one{anew}."
        )


def require_current_schema(found: SchemaState) -> None:
    require_known_schema(found)
    if found.state == "behind":
        raise CommandError(
            f"The database's schema is behind this version; pending: {', '.join(found.pending)}. "
            "Run `backend db migrate`."
        )


def apply_migrations(found: SchemaState) -> list[str]:
    """The migrations that were pending, each with its title."""
    if not found.pending:
        return []
    try:
        upgrade()
    except Exception as error:
        sentence = failed_migration(error)
        if sentence is None:
            raise
        raise CommandError(sentence) from error
    return [describe(revision) for revision in found.pending]
