"""Whether the database has the tables that this code expects."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["SchemaState", "alembic_config", "compare", "describe", "schema_state", "upgrade"]


@dataclass(frozen=True)
class SchemaState:
    """`behind`: migrations are pending. `foreign`: made by newer or other code than this."""

    state: Literal["current", "behind", "foreign"]
    current: str | None
    head: str | None
    pending: list[str]


def alembic_config() -> Config:
    """alembic.ini of the checkout, or of the working directory for an installed package."""
    checkout = Path(__file__).resolve().parents[3] / "alembic.ini"
    return Config(str(checkout if checkout.is_file() else Path("alembic.ini").resolve()))


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config())


def _current_revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


async def schema_state(engine: AsyncEngine) -> SchemaState:
    """Compares the database with the migrations of this code."""
    async with engine.connect() as connection:
        return compare(await connection.run_sync(_current_revision))


def compare(current: str | None) -> SchemaState:
    """What a database at this revision is to the migrations of this code."""
    scripts = _scripts()
    head = scripts.get_current_head()
    known = {script.revision for script in scripts.walk_revisions()}
    if current == head:
        return SchemaState("current", current, head, [])
    if current is not None and current not in known:
        return SchemaState("foreign", current, head, [])
    pending = [
        script.revision
        for script in scripts.iterate_revisions("head", current or "base")
        if script.revision != current
    ]
    return SchemaState("behind", current, head, pending[::-1])


def describe(revision: str) -> str:
    """A migration of this code with its title."""
    script = _scripts().get_revision(revision)
    return f"{revision}: {script.doc}"


def upgrade() -> None:
    """Applies the pending migrations. Not to be called from a running event loop."""
    config = alembic_config()
    config.attributes["configure_logging"] = False
    command.upgrade(config, "head")
