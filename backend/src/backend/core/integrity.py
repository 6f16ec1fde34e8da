"""Which constraint a database names when it refuses a row."""

from typing import Any

from sqlalchemy import Table, UniqueConstraint
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute

__all__ = ["violates_foreign_key", "violates_unique"]

_SQLITE = "UNIQUE constraint failed: "
_UNIQUE_VIOLATION = "23505"
_FOREIGN_KEY_VIOLATIONS = {"23503", "23001"}  # the second is RESTRICT's, from PostgreSQL 18 on
_NAMES = postgresql.dialect().identifier_preparer  # type: ignore[no-untyped-call]


def violates_unique(error: IntegrityError, *columns: InstrumentedAttribute[Any]) -> bool:
    """Whether it was the unique constraint of exactly these columns that refused.

    SQLite names the columns, PostgreSQL the constraint.
    """
    table = columns[0].property.columns[0].table
    names = {column.property.columns[0].name for column in columns}
    driver_error = getattr(error.orig, "__cause__", None) or error.orig
    if getattr(driver_error, "sqlstate", None) == _UNIQUE_VIOLATION:
        return getattr(driver_error, "constraint_name", None) in _constraints(table, names)
    _, found, violated = str(error.orig).partition(_SQLITE)
    return bool(found) and set(violated.split(", ")) == {f"{table.name}.{name}" for name in names}


def violates_foreign_key(error: IntegrityError) -> bool:
    """Whether a reference refused: to a row that is not there, or from one that stays."""
    driver_error = getattr(error.orig, "__cause__", None) or error.orig
    state = getattr(driver_error, "sqlstate", None)
    return state in _FOREIGN_KEY_VIOLATIONS or "FOREIGN KEY constraint failed" in str(error.orig)


def _constraints(table: Table, names: set[str]) -> set[str | None]:
    """As the migrations call them: by convention, and shortened where that is too long."""
    constraints = {
        _NAMES.format_constraint(constraint)
        for constraint in table.constraints
        if isinstance(constraint, UniqueConstraint)
        and {column.name for column in constraint.columns} == names
    }
    indexes = {
        _NAMES.format_index(index)
        for index in table.indexes
        if index.unique and {column.name for column in index.columns} == names
    }
    return {name and name.strip('"') for name in constraints | indexes}
