"""What a SQLite database holds, by reflection, and where that differs from the models in what
Alembic does not compare: defaults, conditions, and whether text has a length."""

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    Connection,
    DefaultClause,
    Enum,
    Identity,
    MetaData,
    String,
    Table,
    Text,
    inspect,
)
from sqlalchemy.sql.elements import ClauseElement

__all__ = ["Definitions", "definitions", "unlike_the_models"]

Definitions = dict[tuple[str, str], str]


def definitions(connection: Connection) -> Definitions:
    """By table and part, such as ("notes", "column `title`"); the order of columns, and how the
    statements were written, make no difference."""
    found: Definitions = {}
    inspector = inspect(connection)
    for table in inspector.get_table_names():
        if table == "alembic_version":
            continue
        found[table, "table"] = ""
        for column in inspector.get_columns(table):
            null = "NULL" if column["nullable"] else "NOT NULL"
            default = _normal(column["default"] or "")
            found[table, f"column `{column['name']}`"] = f"{column['type']} {null} {default}"
        found[table, "primary key"] = str(inspector.get_pk_constraint(table)["constrained_columns"])
        for key in inspector.get_foreign_keys(table):
            name = f"foreign key of `{', '.join(key['constrained_columns'])}`"
            to = f"{key['referred_table']} {key['referred_columns']}"
            found[table, name] = f"{to} {sorted(key['options'].items())}"
        for unique in inspector.get_unique_constraints(table):
            found[table, f"unique constraint of `{', '.join(unique['column_names'])}`"] = ""
        for check in inspector.get_check_constraints(table):
            if check["name"]:
                name = f"check constraint `{check['name']}`"
                found[table, name] = _normal(check["sqltext"])
        for index in inspector.get_indexes(table):
            where = index.get("dialect_options", {}).get("sqlite_where", "")
            columns = index.get("expressions", index["column_names"])
            found[table, f"index `{index['name']}`"] = (
                f"{columns} {bool(index['unique'])} {_normal(str(where))}"
            )
    return found


def unlike_the_models(connection: Connection, metadata: MetaData) -> Iterator[tuple[Any, ...]]:
    """In the form of Alembic's `compare_metadata`."""
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    for table in metadata.tables.values():
        if table.name not in there:
            continue
        kept = {column["name"]: column for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in kept:
                continue
            new = _default(column, connection)
            old = _normal(kept[column.name]["default"] or "")
            if new is not None and new != old:
                yield ("modify_default", None, table.name, column.name, {}, old, new)
            kind = kept[column.name]["type"]
            wanted = column.type.dialect_impl(connection.dialect)
            if (
                isinstance(wanted, String)
                and isinstance(kind, String)
                and not isinstance(wanted, Enum | Text)
                and not isinstance(kind, Text)
                and wanted.length != kind.length
            ):
                yield ("modify_type", None, table.name, column.name, {}, kind, column.type)
        yield from _conditions(connection, table)


def _conditions(connection: Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    kept = {
        str(check["name"]): _normal(check["sqltext"])
        for check in inspect(connection).get_check_constraints(table.name)
        if check["name"]
    }
    declared = {}
    for constraint in table.constraints:
        if not isinstance(constraint, CheckConstraint):
            continue
        name = connection.dialect.identifier_preparer.format_constraint(constraint)
        if name is None or getattr(constraint, "_ddl_if", None) is not None:
            continue  # none to compare by, or of one database
        declared[name.strip('"')] = constraint
    for name, constraint in declared.items():
        if name not in kept:
            yield ("add_check", name, table.name)
        elif kept[name] != _compiled(constraint.sqltext, connection):
            yield ("change_check", name, table.name)
    for name in kept.keys() - declared.keys():
        yield ("remove_check", name, table.name)


def _default(column: Column[Any], connection: Connection) -> str | None:
    """None for what is not compared."""
    default = column.server_default
    if default is None:
        return ""
    if isinstance(default, Computed | Identity) or not isinstance(default, DefaultClause):
        return None
    if isinstance(default.arg, str):
        return _normal("'" + default.arg.replace("'", "''") + "'")
    return _compiled(default.arg, connection)


def _compiled(clause: Any, connection: Connection) -> str:
    assert isinstance(clause, ClauseElement)  # noqa: S101 - text is one too
    options = {"literal_binds": True, "include_table": False}
    return _normal(str(clause.compile(connection, compile_kwargs=options)))


_SPELLINGS = {"true": "1", "false": "0", "now": "current_timestamp"}
_PART = re.compile(r"'(?:[^']|'')*'|\d+(?:\.\d+)?|\w+|[^\s()\"`\[\]]")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def _normal(sql: str) -> str:
    """Without case, spaces, brackets and quotes of names; what is in a text stays as it is. A
    number is the same in quotes, as `server_default="0"` makes it."""
    words = []
    for word in _PART.findall(sql):
        if not word.startswith("'"):
            words.append(_SPELLINGS.get(word.lower(), word.lower()))
        elif _NUMBER.fullmatch(word[1:-1]):
            words += _PART.findall(word[1:-1])
        else:
            words.append(word)
    return " ".join(words)
