"""Whether the database has the tables that this code expects.

Every server asks this at its start, so the answer does without Alembic, which takes 8 MB and a
twelfth of that time: the order of the migrations is read from their files. Alembic is imported for
what only it can do, which is to apply them, and to explain what is not a line of revisions.
"""

import ast
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

__all__ = [
    "SchemaState",
    "alembic_config",
    "compare",
    "describe",
    "read_history",
    "schema_state",
    "upgrade",
]


@dataclass(frozen=True)
class SchemaState:
    """`behind`: migrations are pending. `foreign`: made by newer or other code than this."""

    state: Literal["current", "behind", "foreign"]
    current: str | None
    head: str | None
    pending: list[str]


def _alembic_ini() -> Path:
    """That of the checkout, or of the working directory for an installed package."""
    checkout = Path(__file__).resolve().parents[3] / "alembic.ini"
    return checkout if checkout.is_file() else Path("alembic.ini").resolve()


def alembic_config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - see above

    return Config(str(_alembic_ini()))


@cache
def _scripts() -> "ScriptDirectory":
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see above

    return ScriptDirectory.from_config(alembic_config())


@cache
def _history() -> dict[str, tuple[str, ...]]:
    try:
        return read_history(_alembic_ini().parent / "migrations" / "versions")
    except (KeyError, CycleError):
        list(_scripts().walk_revisions())  # says which file is at fault
        raise


def read_history(folder: Path) -> dict[str, tuple[str, ...]]:
    """Each revision with those that it follows, the oldest first."""
    read = [_read_revision(file) for file in sorted(folder.glob("*.py"))]
    follows = {revision: down for revision, down in read if revision}
    return {name: follows[name] for name in TopologicalSorter(follows).static_order()}


def _read_revision(file: Path) -> tuple[str | None, tuple[str, ...]]:
    """The two names that Alembic's template writes above the functions of every migration."""
    values: dict[str, Any] = {}
    source = file.read_bytes()
    head = source.partition(b"\ndef ")[0]  # the rest is long, and most of the time
    for node in ast.parse(head if b"\ndown_revision" in head else source, str(file)).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            name = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
            if name in {"revision", "down_revision"}:
                values[name] = ast.literal_eval(node.value)
    down = values.get("down_revision") or ()
    return values.get("revision"), (down,) if isinstance(down, str) else tuple(down)


def _head() -> str | None:
    history = _history()
    heads = history.keys() - {name for down in history.values() for name in down}
    # Of none or of several, Alembic says what that means.
    return heads.pop() if len(heads) == 1 else _scripts().get_current_head()


def _current_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.scalars(text("SELECT version_num FROM alembic_version")).all()
    if len(found) > 1:
        from alembic.runtime.migration import MigrationContext  # noqa: PLC0415 - says it

        return MigrationContext.configure(connection).get_current_revision()
    return found[0] if found else None


async def schema_state(engine: AsyncEngine) -> SchemaState:
    """Compares the database with the migrations of this code."""
    async with engine.connect() as connection:
        return compare(await connection.run_sync(_current_revision))


def compare(current: str | None) -> SchemaState:
    """What a database at this revision is to the migrations of this code."""
    head = _head()
    if current == head:
        return SchemaState("current", current, head, [])
    history = _history()
    if current is not None and current not in history:
        return SchemaState("foreign", current, head, [])
    applied: set[str] = set()
    waiting = [current] if current else []
    while waiting:
        applied.add(name := waiting.pop())
        waiting += history[name]
    return SchemaState("behind", current, head, [name for name in history if name not in applied])


def describe(revision: str) -> str:
    """A migration of this code with its title."""
    script = _scripts().get_revision(revision)
    return f"{revision}: {script.doc}"


def upgrade() -> None:
    """Applies the pending migrations. Not to be called from a running event loop."""
    from alembic import command  # noqa: PLC0415 - see above

    config = alembic_config()
    config.attributes["configure_logging"] = False
    command.upgrade(config, "head")
