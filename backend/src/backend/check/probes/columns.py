"""Values for columns, by their types, where no schema says more."""

import re
import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Enum,
    LargeBinary,
    Numeric,
    Table,
    UniqueConstraint,
)

from backend.check.probes.values import Maker
from backend.core.clock import utc_now
from backend.core.columns import UTCDateTime

__all__ = ["choices_for", "is_counted", "unique_columns", "value_for"]


def is_counted(column: Column[Any]) -> bool:
    return column.primary_key and column.autoincrement is not False and _python(column) is int


def unique_columns(table: Table) -> set[str]:
    constraints = [item for item in table.constraints if isinstance(item, UniqueConstraint)]
    columns = [constraint.columns for constraint in constraints]
    columns += [index.columns for index in table.indexes if index.unique]
    return {column.name for group in columns for column in group if not column.foreign_keys}


def _python(column: Column[Any]) -> type:
    try:
        return column.type.python_type
    except NotImplementedError:
        return str


def choices_for(column: Column[Any]) -> list[Any]:
    """All that a column may hold, where that is few: of a bool, of an enum, of a check that lists
    its values."""
    if isinstance(column.type, Boolean):
        return [False, True]
    if isinstance(column.type, Enum):
        return list(column.type.enum_class or column.type.enums)
    return _checked_values(column)


def value_for(column: Column[Any], maker: Maker) -> Any:
    """From the column's type, and from a check that lists its values."""
    choices = _checked_values(column)
    kind = _python(column)
    number = maker.number
    if choices:
        return choices[0]
    if isinstance(column.type, Enum):
        return next(iter(column.type.enum_class or column.type.enums))
    if isinstance(column.type, LargeBinary):
        return f"{maker.word}{number}".encode()
    if kind is str:
        schema: dict[str, Any] = {"type": "string"}
        if length := getattr(column.type, "length", None):
            schema["maxLength"] = length
        return maker.make(schema, column.name)
    if isinstance(column.type, Numeric) and kind is Decimal:
        return Decimal(1)
    if kind is datetime:
        moment = utc_now() + timedelta(minutes=number)
        aware = isinstance(column.type, UTCDateTime) or getattr(column.type, "timezone", False)
        return moment if aware else moment.replace(tzinfo=None)
    made: dict[type, Any] = {
        int: number,
        float: float(number),
        bool: False,
        uuid.UUID: uuid.uuid4(),
        date: date(2031, 3, 1) + timedelta(days=number),
        time: time(12, number % 60),
        timedelta: timedelta(minutes=number),
        dict: {},
        list: [],
    }
    return made.get(kind, f"{maker.word}{number}")


def _checked_values(column: Column[Any]) -> list[str]:
    """Of `status IN ('draft', 'live')`."""
    for constraint in column.table.constraints:
        if isinstance(constraint, CheckConstraint):
            found = re.search(rf"\b{column.name}\W+IN\s*\(([^)]*)\)", str(constraint.sqltext), re.I)
            if found:
                return re.findall(r"'([^']*)'", found[1])
    return []
