"""The migrations: complete, in one line, and fit to be run while people work."""

import re
from collections.abc import Iterator
from typing import Any

from backend.check.finding import Finding, Level, Place
from backend.check.locks import find_locks
from backend.check.migrations import Failure, Migrations
from backend.check.registry import rule

__all__ = ["migrations_are_complete"]


@rule("BK501", "The migrations make the tables that the models declare", facts="migrations")
def migrations_are_complete(migrations: Migrations) -> Iterator[Finding]:
    by_table: dict[str, list[tuple[Any, ...]]] = {}
    for difference in migrations.differences:
        by_table.setdefault(_table_of(difference), []).append(difference)
    for table, differences in by_table.items():
        first = differences[0]
        said = [_say(item) for item in differences]
        if first[0] == "add_table":
            said = said[:1]  # its indexes go without saying
        yield Finding(
            "BK501",
            _place_of(first, table, migrations),
            table,
            f"No migration does what the models say of `{table}`: {'; '.join(said)}.",
            'In backend/, run `uv run alembic revision --autogenerate -m "…"`, read the file that '
            "it writes, and run `uv run alembic upgrade head`.",
        )


def _table_of(difference: tuple[Any, ...]) -> str:
    kind, subject = difference[0], difference[1]
    if kind in {"add_table", "remove_table"}:
        return str(subject.name)
    if kind.endswith("_check"):
        return str(difference[2])
    table = getattr(subject, "table", None)
    return str(table.name if table is not None else difference[2])


def _say(difference: tuple[Any, ...]) -> str:
    kind = str(difference[0])
    if kind == "add_table":
        return "the table is not created"
    if kind == "remove_table":
        return "no model has this table any more"
    what = _subject(difference)
    match kind.partition("_"):
        case ("add", _, of):
            return f"{_WORDS.get(of, of)} {what} is not created"
        case ("remove", _, of):
            return f"{_WORDS.get(of, of)} {what} is not in the models any more"
        case ("change", _, of):
            return f"the condition of {_WORDS.get(of, of)} {what} is another one"
        case ("modify", _, of):
            return f"the {_WORDS.get(of, of)} of column {what} is another one"
    return f"{kind} {what}"


_WORDS = {
    "column": "column",
    "index": "index",
    "constraint": "constraint",
    "check": "check constraint",
    "fk": "foreign key",
    "nullable": "nullability",
    "type": "type",
    "default": "default",
}


def _subject(difference: tuple[Any, ...]) -> str:
    """The name of the column, index or constraint."""
    if str(difference[0]) in {"add_column", "remove_column"}:
        return f"`{difference[3].name}`"
    if str(difference[0]).startswith("modify_"):
        return f"`{difference[3]}`"
    if str(difference[0]).endswith("_check"):
        return f"`{difference[1]}`"
    return f"`{getattr(difference[1], 'name', None) or 'without a name'}`"


def _place_of(difference: tuple[Any, ...], table: str, migrations: Migrations) -> Place:
    """In the models; for what is in the migrations alone, there."""
    fact = migrations.tables.by_name.get(table)
    if fact is None:
        return migrations.created_at(table)
    if str(difference[0]) == "add_column":
        return fact.place_of(difference[3].name)
    if str(difference[0]).startswith("modify_"):
        return fact.place_of(difference[3])
    return fact.place


@rule("BK502", "The migrations have one end", facts="migrations")
def migrations_have_one_head(migrations: Migrations) -> Iterator[Finding]:
    heads = sorted(migrations.heads, key=migrations.age)
    if len(heads) > 1:
        names = ", ".join(f"`{script.revision}`" for script in heads)
        yield Finding(
            "BK502",
            migrations.place_of(heads[-1]),
            "heads",
            f"The migrations end in {len(heads)} places, {names}: `alembic upgrade head` refuses.",
            f"Set `down_revision` of the younger one to the other, if nobody has applied it; else "
            f'run `uv run alembic merge -m "Merge" {" ".join(item.revision for item in heads)}`.',
        )


@rule("BK503", "Every migration goes up, down, and up again", facts="migrations")
def migrations_go_down_and_up(migrations: Migrations) -> Iterator[Finding]:
    if failure := migrations.up_failure:
        yield _failed(failure, "does not go up", "Correct it; no database can be made as it is.")
        return
    for step in migrations.steps:
        if step.down:
            yield _failed(
                step.down, "does not go down", "Let `downgrade()` undo what `upgrade()` does."
            )
        if step.up:
            yield _failed(
                step.up, "goes up once only", "Let `downgrade()` undo all that `upgrade()` does."
            )
        if changes := step.left or step.changed:
            when = "down" if step.left else "down and up again"
            more = f", and {len(changes) - 3} more" if len(changes) > 3 else ""
            names = [name for item in changes for name in (*_NAMED.findall(item.part), item.table)]
            yield Finding(
                "BK503",
                migrations.named_in(step.script, names),
                step.script.revision,
                f"After the migration `{step.script.revision}` went {when} the schema is another "
                f"one than before: {', '.join(str(item) for item in changes[:3])}{more}.",
                f'Write `op.drop_table("{changes[0].table}")` in its `downgrade()`.'
                if step.left and changes[0].is_table and changes[0].what == "is still there"
                else "Let its `downgrade()` undo all that its `upgrade()` does.",
            )


_NAMED = re.compile("`([^`]+)`")


def _failed(failure: Failure, what: str, remedy: str) -> Finding:
    return Finding(
        "BK503",
        failure.place,
        failure.revision,
        f"The migration `{failure.revision}` {what}: {failure.error}.",
        remedy,
    )


_NOT_VALID = (
    "Where the table is large, write `postgresql_not_valid=True` in the constraint, and validate "
    "it in a later migration, on PostgreSQL alone."
)
_REMEDIES = {
    "require-concurrent-index-creation": "Where the table is large, build it with CREATE INDEX "
    "CONCURRENTLY before this is deployed, and give this operation `if_not_exists=True`.",
    "require-concurrent-index-deletion": "Where the table is busy, drop it with DROP INDEX "
    "CONCURRENTLY before this is deployed, and give this operation `if_exists=True`.",
    "adding-not-nullable-field": "Where the table is large, add a CHECK constraint that is NOT "
    "VALID, and validate it, before this is deployed.",
    "disallowed-unique-constraint": "Where the table is large, build it as a unique index with "
    "CREATE UNIQUE INDEX CONCURRENTLY before this is deployed, and write `op.create_index(…, "
    "unique=True, if_not_exists=True)` here.",
    "adding-foreign-key-constraint": _NOT_VALID,
    "constraint-missing-not-valid": _NOT_VALID,
    "adding-required-field": "Give the column a `server_default`, or add it as nullable, fill it, "
    "and make it NOT NULL after that.",
    "changing-column-type": "Add a column of the new type, fill it, let the code use it, and drop "
    "the old one in a later migration.",
}
_OTHERWISE = "Do it in steps that need no such lock, or say here why the table may wait."


@rule("BK504", "No migration makes a live PostgreSQL table wait", facts="migrations")
def migrations_lock_nothing(migrations: Migrations) -> Iterator[Finding]:
    """Whether a wait matters depends on the rows, which nobody can see here: that is advice. What
    fails on rows, or rewrites the table while nobody can read it, is an error."""
    for lock in find_locks(migrations):
        words = " ".join(lock.statement.text.split()).rstrip(";")
        yield Finding(
            "BK504",
            lock.statement.place,
            f"{lock.statement.revision} {words[:80]}",
            f"{words[:120]}: {lock.message} ({lock.rule})",
            _REMEDIES.get(lock.rule, _OTHERWISE),
            Level.ERROR if lock.is_severe else Level.ADVICE,
        )
