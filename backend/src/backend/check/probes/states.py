"""The first user's rows in other states: what a list shows may depend on a status or a number."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from enum import Enum
from typing import Any

from sqlalchemy import BigInteger, Column, Numeric, SmallInteger
from sqlalchemy.exc import IntegrityError

from backend.check.probes.client import body_schema
from backend.check.probes.columns import choices_for, is_counted, unique_columns, value_for
from backend.check.probes.database import RefusedError
from backend.check.probes.rows import Row, Rows

__all__ = ["states_of"]

MOST = 20
"""Of one row: more would cost more than they tell."""


@contextmanager
def states_of(rows: Rows, given: list[Row]) -> Iterator[list[Row]]:
    """Copies of these rows, each of which differs from its row in one thing: for each value of an
    enum or a bool, with the numbers at their bounds, and with what was left empty. They are put
    into the tables, since no body may set some of it, and do not stay."""
    tables = [row.fact.table for row in given]
    before = [(table, rows.database.keys(table)) for table in reversed(tables)]
    was_inserted, rows.client.on_inserted = rows.client.on_inserted, True
    try:
        yield [state for row in given for state in _put(rows, row)]
    finally:
        rows.client.on_inserted = was_inserted
        for table, keys in before:
            try:
                rows.database.delete_all_but(table, keys)
            except IntegrityError:  # somebody else could refer to one of them, and so they stay
                rows.client.on_inserted = True


def _put(rows: Rows, row: Row) -> Iterator[Row]:
    bounds = _bounds(rows, row)
    numbers = [column for column in row.fact.table.columns if _is_number(column)]
    wanted: list[dict[str, list[Any]]] = [
        {column.name: _end(column, bounds, high=high) for column in numbers}
        for high in (True, False)
        if numbers
    ]
    for column in row.fact.table.columns:
        if column.primary_key or column.foreign_keys:
            continue
        now = row.values[column.name]
        wanted += [{column.name: [value]} for value in choices_for(column) if value != now]
        if column.nullable and now is None and not choices_for(column) and column not in numbers:
            wanted.append({column.name: [value_for(column, rows.maker(rows.people.first.word))]})
    for changes in wanted[:MOST]:
        yield from _insert(rows, row, changes)


def _insert(rows: Rows, row: Row, changes: Mapping[str, list[Any]]) -> Iterator[Row]:
    """All the changes at once; where the table refuses that, each by itself, with the next of its
    values where it refuses the first."""
    first = {name: values[0] for name, values in changes.items()}
    if made := _inserted(rows, row, first):
        yield made
        return
    for name, values in changes.items():
        for value in values:
            if made := _inserted(rows, row, {name: value}):
                yield made
                break


def _inserted(rows: Rows, row: Row, changes: Mapping[str, Any]) -> Row | None:
    values = dict(row.values)
    unique = unique_columns(row.fact.table)
    for column in row.fact.table.columns:
        name = column.name
        if column.primary_key and (column.default is not None or is_counted(column)):
            del values[name]
        elif name in unique or (column.primary_key and not column.foreign_keys):
            values[name] = value_for(column, rows.maker(rows.people.first.word))
    try:
        key = rows.database.insert(row.fact.table, values | dict(changes))
    except RefusedError:
        return None
    found = rows.database.find(row.fact.table, key)
    state = ", ".join(f"{name} is {_shown(value)}" for name, value in changes.items())
    return Row(row.fact, found, by_service=False, state=state) if found else None


def _shown(value: Any) -> str:
    return str(value.value if isinstance(value, Enum) else value)


def _is_number(column: Column[Any]) -> bool:
    if column.primary_key or column.foreign_keys or choices_for(column):
        return False
    try:
        return column.type.python_type in {int, float, Decimal}
    except NotImplementedError:
        return False


def _end(column: Column[Any], bounds: Mapping[tuple[str, bool], Any], *, high: bool) -> list[Any]:
    """Values near the bound that a body declares, else near that of the type, and nearer ones."""
    kind = column.type.python_type
    most: float = 1_000_000
    if isinstance(column.type, Numeric) or hasattr(column.type, "precision"):
        digits = (getattr(column.type, "precision", None) or 9) - (
            getattr(column.type, "scale", None) or 0
        )
        most = 10 ** min(max(digits, 0), 12) - 1 if kind is Decimal else most
    elif isinstance(column.type, BigInteger):
        most = 2**53 - 1
    elif isinstance(column.type, SmallInteger):
        most = 2**15 - 1
    elif kind is int:
        most = 2**31 - 1
    ends = [most, 1000, 100, 10] if high else [-most, -1000, -1, 0, 1]
    declared = bounds.get((column.name, high))
    if declared is not None:
        ends = [declared, declared - 1 if high else declared + 1, *ends]
    return [Decimal(str(end)) if kind is Decimal else kind(end) for end in ends]


def _bounds(rows: Rows, row: Row) -> dict[tuple[str, bool], Any]:
    """By the name and whether it is the upper one, as the bodies of the service declare them."""
    found: dict[tuple[str, bool], Any] = {}
    for route in rows.routes:
        if route.service != row.fact.service or route.method not in {"POST", "PUT", "PATCH"}:
            continue
        try:
            schema = body_schema(route) or {}
        except ValueError:
            continue
        for part in [schema, *schema.get("$defs", {}).values()]:
            for name, item in part.get("properties", {}).items():
                for option in [item, *item.get("anyOf", ())]:
                    for high, words in (
                        (True, ("maximum", "exclusiveMaximum")),
                        (False, ("minimum", "exclusiveMinimum")),
                    ):
                        for word in words:
                            if word in option:
                                found.setdefault((name, high), option[word])
    return found
