"""What each statement reads while the app runs, and the plan by which it does.

PostgreSQL says it by EXPLAIN ANALYZE and its counters, before the statement itself and in the same
transaction, and then takes that back. They include what foreign keys cause; where an index is gone
through from end to end, the pages tell. SQLite counts the steps of its virtual machine. A scan or
a sort of a whole table cannot hide: it reads the table.
"""

import json
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine.interfaces import DBAPICursor

from backend import db
from backend.core.quick import observers

__all__ = ["Measured", "measured_statements"]

STEPS_OF_A_ROW = 20
"""About, where the whole row is read."""
STEPS_AT_ONCE = 5
PAGES_OF_A_ROW = 2
"""Of tables and indexes, where every row is found by itself."""

_COUNTERS = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"


@dataclass
class Measured:
    text: str
    plan: str = ""
    reads: int = 0
    """Rows, those that were looked at in vain too, or as many as would take such work."""


class _Steps:
    """Of SQLite's virtual machine, since the last time."""

    def __init__(self) -> None:
        self.count = 0

    def add(self) -> int:
        self.count += STEPS_AT_ONCE
        return 0

    async def watch(self, driver: Any, measured: Measured, values: Sequence[Any]) -> None:
        await driver.set_progress_handler(None, 0)
        plan = await driver.execute_fetchall(f"EXPLAIN QUERY PLAN {measured.text}", values)
        measured.plan = "\n".join(row[3] for row in plan)
        await driver.set_progress_handler(self.add, STEPS_AT_ONCE)
        self.count = 0

    def note(self, measured: Measured) -> None:
        measured.reads = self.count // STEPS_OF_A_ROW


@asynccontextmanager
async def measured_statements() -> AsyncIterator[list[Measured]]:
    """Every statement that the app sends meanwhile, in order; complete at the end."""
    found: list[Measured] = []
    steps = _Steps()
    quick: list[tuple[Measured, Sequence[Any]]] = []
    engine = db.engine.sync_engine
    look = steps.watch if engine.dialect.name == "sqlite" else _explain

    def before(
        connection: Connection,
        _cursor: DBAPICursor,
        text: str,
        values: Any,
        _context: object,
        executemany: bool,
    ) -> None:
        measured = Measured(text)
        found.append(measured)
        adapter: Any = connection.connection.dbapi_connection
        given = values[0] if executemany else values
        adapter.run_async(lambda driver: look(driver, measured, given))

    def after(*_arguments: object) -> None:
        if engine.dialect.name == "sqlite":
            steps.note(found[-1])

    def note_quick(text: str, values: tuple[Any, ...], _ms: float, _rows: int) -> None:
        found.append(Measured(text))
        quick.append((found[-1], values))

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    observers.append(note_quick)
    try:
        yield found
    finally:
        observers.remove(note_quick)
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "after_cursor_execute", after)
    # Those read one row, or insert one under a key that comes first: they can be sent again.
    async with db.engine.connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        for measured, values in quick:
            again = values
            if measured.text.startswith("INSERT"):
                key = uuid.uuid4()
                again = [key if isinstance(values[0], uuid.UUID) else key.hex, *values[1:]]
            await look(driver, measured, again)
            if engine.dialect.name == "sqlite":
                await driver.execute_fetchall("BEGIN")
                await driver.execute_fetchall(measured.text, again)
                steps.note(measured)
                await driver.rollback()


async def _explain(driver: Any, measured: Measured, values: Sequence[Any]) -> None:
    attempt = driver.transaction()
    await attempt.start()
    try:
        before = await driver.fetchval(_COUNTERS)
        options = "ANALYZE, BUFFERS, FORMAT JSON"
        answer = await driver.fetchval(f"EXPLAIN ({options}) {measured.text}", *values)
        after = await driver.fetchval(_COUNTERS)
    finally:
        await attempt.rollback()
    (explained,) = json.loads(answer) if isinstance(answer, str) else answer
    plan = explained["Plan"]
    measured.plan = "\n".join(_lines(plan))
    pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    measured.reads = max(int((after or 0) - (before or 0)), pages // PAGES_OF_A_ROW)


def _lines(node: dict[str, Any], depth: int = 0) -> Iterator[str]:
    words = [node["Node Type"], node.get("Relation Name"), node.get("Index Name")]
    yield "  " * depth + " ".join(word for word in words if word)
    for inner in node.get("Plans", ()):
        yield from _lines(inner, depth + 1)
