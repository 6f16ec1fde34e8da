"""`backend db reset`, which must also work where the migrations' own state is broken."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import text

from backend import db
from backend.cli.preflight import apply_migrations, require_development
from backend.cli.runtime import run
from backend.cli.sqlite_copy import WAIT_SECONDS, overwrite
from backend.core.schema import schema_state
from backend.settings import settings

__all__ = ["refuse_in_production", "reset_database"]

# Everything of the schema that does not belong to an extension, and the word to drop it by.
_OBJECTS = text("""
    WITH objects (kind, name, class, oid) AS (
        SELECT CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
                            WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE'
                            ELSE 'TABLE' END,
               format('%I.%I', current_schema(), relname), 'pg_class'::regclass, oid
        FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace
          AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
        UNION ALL
        SELECT CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END,
               format('%I.%I', current_schema(), typname), 'pg_type'::regclass, oid
        FROM pg_type
        WHERE typnamespace = current_schema()::regnamespace AND typtype IN ('e', 'd')
        UNION ALL
        SELECT 'ROUTINE', oid::regprocedure::text, 'pg_proc'::regclass, oid
        FROM pg_proc
        WHERE pronamespace = current_schema()::regnamespace
    )
    SELECT kind, name FROM objects
    WHERE NOT EXISTS (
        SELECT 1 FROM pg_depend
        WHERE classid = objects.class AND objid = objects.oid AND deptype = 'e'
    )
""")


def refuse_in_production() -> None:
    require_development(
        "backend db reset", "Drop a production database with the tools of its server."
    )


def reset_database() -> list[str]:
    """The migrations that were applied to the empty database."""
    refuse_in_production()
    if settings.database.get_backend_name() == "sqlite":
        _empty_sqlite(Path(settings.database.database or ""))
    else:
        run(_empty_postgresql())
    return apply_migrations(run(schema_state(db.engine)))


def _empty_sqlite(path: Path) -> None:
    """What is not a database, or damaged, is removed."""
    try:
        with closing(sqlite3.connect(":memory:")) as nothing:
            overwrite(path, nothing)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


async def _empty_postgresql() -> None:
    async with db.engine.begin() as connection:
        await connection.execute(text(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'"))
        for kind, name in (await connection.execute(_OBJECTS)).all():
            await connection.execute(text(f"DROP {kind} IF EXISTS {name} CASCADE"))
