"""Runs the migrations on the database of the settings, or on the connection that it is given."""

import asyncio
import re
import sys
from logging.config import fileConfig
from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, TextClause, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from backend.settings import SettingsError

try:
    from backend.core.columns import FixedDecimal, UTCDateTime
    from backend.db import import_models, make_engine
    from backend.settings import settings
except SettingsError as error:
    sys.exit(str(error))

config = context.config
if config.config_file_name and config.attributes.get("configure_logging", True):
    fileConfig(config.config_file_name, disable_existing_loggers=False)

# What PostgreSQL tells of, and what the models say for it.
GENERIC = {
    "TIMESTAMP": "sa.DateTime(timezone=True)",
    "UUID": "sa.Uuid()",
    "JSON": "sa.JSON()",
    "DOUBLE_PRECISION": "sa.Float()",
}

# Texts, and casts such as ::character varying(20), ::text[].
PARTS = re.compile(
    r"'(?:[^']|'')*'"
    r"|::(?:character varying|double precision|timestamp with(?:out)? time zone|\w+)"
    r"(?:\(\d+(?:, ?\d+)?\))?(?:\[\])?"
)

LOCK = 7_264_893_551  # any number, but always this one: two deployments migrate one by one


def render_item(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Migrations name plain types, so that they do not depend on how the code looks later."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, FixedDecimal):
        return f"sa.Numeric(precision={item.precision}, scale={item.scale})"
    if kind == "type" and item.__visit_name__ in GENERIC:
        return GENERIC[item.__visit_name__]
    if kind == "server_default" and str(getattr(item, "arg", "")) in {"true", "false"}:
        # As text it would come in brackets, which SQLite wants, and which PostgreSQL keeps.
        return f"sa.{item.arg}()"
    if kind == "server_default" and isinstance(getattr(item, "arg", None), TextClause):
        item.arg = text(without_casts(item.arg.text))
    if kind == "check" and isinstance(item.sqltext, TextClause):
        item.sqltext = text(without_casts(item.sqltext.text))
    return False


def without_casts(sql: str) -> str:
    """What PostgreSQL says of a default or a check, in words that SQLite has too: a migration that
    drops a column or a table puts them into its way back."""
    plain = PARTS.sub(lambda part: part[0] if part[0].startswith("'") else "", sql)
    return re.sub(r"= ANY \(ARRAY\[([^]]*)\]\)", r"IN (\1)", plain)


def apply_pending(connection: Connection) -> None:
    """A new migration is found by comparing the models with a database that has all the others."""
    scripts = ScriptDirectory.from_config(config)
    migrations = MigrationContext.configure(
        connection,
        opts={
            "fn": lambda heads, _context: scripts._upgrade_revs("heads", heads),  # noqa: SLF001
            "transactional_ddl": True,
        },
    )
    with Operations.context(migrations):
        migrations.run_migrations()


def take_turns(connection: Connection) -> None:
    """Waits until no other deployment migrates; ends with the transaction."""
    driver = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    elif driver is not None and not driver.in_transaction:
        connection.execute(text("BEGIN IMMEDIATE"))


def suspend_foreign_keys(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    """SQLite changes a table by making it anew, and dropping the old one would delete the rows that
    refer to it. Must be said before a transaction; `check_foreign_keys` makes up for it."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=OFF")
    cursor.close()


def check_foreign_keys(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    if broken := connection.execute(text("PRAGMA foreign_key_check")).all():
        tables = ", ".join(sorted({f"{row[0]} to {row[2]}" for row in broken}))
        raise CommandError(f"rows would refer to what is not there, from {tables}")


def run(connection: Connection) -> None:
    take_turns(connection)
    if settings.is_development and getattr(config.cmd_opts, "autogenerate", False):
        apply_pending(connection)
    context.configure(
        connection=connection,
        target_metadata=import_models(),
        render_item=render_item,
        render_as_batch=True,  # what SQLite needs, and PostgreSQL takes as well
        transactional_ddl=True,  # db.py begins a transaction for SQLite too
    )
    with context.begin_transaction():
        context.run_migrations()
        check_foreign_keys(connection)


async def run_online() -> None:
    engine = make_engine(settings.database)
    if settings.database.get_backend_name() == "sqlite":
        event.listen(engine.sync_engine, "connect", suspend_foreign_keys)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


def run_offline() -> None:
    """`alembic upgrade head --sql` prints the statements for review."""
    context.configure(
        dialect_name=settings.database.get_backend_name(),
        target_metadata=import_models(),
        literal_binds=True,
        render_item=render_item,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_offline()
elif (given := config.attributes.get("connection")) is not None:
    run(given)
else:
    asyncio.run(run_online())
