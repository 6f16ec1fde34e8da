"""The developer's database, before and after a change of the source."""

import importlib

from alembic import command
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, inspect, select, table

from backend import db
from backend.cli.database_errors import failed_migration
from backend.cli.errors import CommandError
from backend.cli.preflight import require_known_schema
from backend.cli.runtime import run
from backend.core.schema import alembic_config, schema_state, upgrade
from backend.settings import settings

__all__ = ["apply_migrations", "count_rows", "refuse_unfit_database", "take_back"]


def refuse_unfit_database() -> None:
    """It is for development, it answers, and it is of this code."""
    if not settings.is_development:
        raise CommandError(
            "`backend service` changes the source, which is for development, and ENVIRONMENT is "
            "production."
        )
    _require_one_head()
    require_known_schema(run(schema_state(db.engine)))


def _require_one_head() -> None:
    heads = ScriptDirectory.from_config(alembic_config()).get_heads()
    if len(heads) > 1:
        raise CommandError(
            f"The migrations have more than one head: {', '.join(sorted(heads))}. Join them with "
            '`uv run alembic merge heads -m "Merge"`, and try again.'
        )


def apply_migrations(revision: str) -> None:
    """Brings the developer's database to the newest revision, in one transaction."""
    importlib.invalidate_caches()
    try:
        upgrade()
    except BaseException as error:
        if _is_at(revision):
            return  # the interruption came too late: it is done
        sentence = failed_migration(error) if isinstance(error, Exception) else None
        if sentence is None:
            raise
        raise CommandError(f"{sentence}\nThe source tree is as it was.") from error


def take_back(revision: str | None) -> None:
    """Brings the developer's database down to a revision; None is before the first."""
    config = alembic_config()
    config.attributes["configure_logging"] = False
    try:
        command.downgrade(config, revision or "base")
    except BaseException:
        if not _is_at(revision):
            raise


def _is_at(revision: str | None) -> bool:
    async def current() -> str | None:
        async with db.engine.connect() as connection:
            return await connection.run_sync(
                lambda sync: MigrationContext.configure(sync).get_current_revision()
            )

    try:
        return run(current()) == revision
    except Exception:  # noqa: BLE001 - the database is away, and says nothing of what it did
        return False


def count_rows(name: str) -> int:
    """0 where the table is not there."""

    async def count() -> int:
        async with db.engine.connect() as connection:
            if not await connection.run_sync(lambda sync: inspect(sync).has_table(name)):
                return 0
            return await connection.scalar(select(func.count()).select_from(table(name))) or 0

    return run(count())
