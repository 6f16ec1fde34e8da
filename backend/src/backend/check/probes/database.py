"""The scratch database beside the app: to put rows into it, and to see what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Engine, Table, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

__all__ = ["Database", "Key", "RefusedError"]

Key = tuple[Any, ...]


class RefusedError(Exception):
    """The table takes no such row."""


@dataclass(frozen=True)
class Database:
    engine: Engine

    def find(self, table: Table, key: Sequence[Any]) -> dict[str, Any] | None:
        """A row by its key: its values by the columns' names."""
        with self.engine.connect() as connection:
            result = connection.execute(select(table).where(*_same(table, key)))
            found = result.mappings().first()
            return dict(found) if found else None

    def keys(self, table: Table) -> list[Key]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(select(*table.primary_key))]

    def count(self, column: Column[Any], value: Any) -> int:
        """Of the rows whose column has this value."""
        with self.engine.connect() as connection:
            asked = select(func.count()).select_from(column.table).where(column == value)
            return connection.execute(asked).scalar_one()

    def insert(self, table: Table, values: dict[str, Any]) -> Key:
        """The key of the new row. Raises RefusedError."""
        try:
            with self.engine.begin() as connection:
                result = connection.execute(insert(table).values(values))
                return tuple(result.inserted_primary_key or ())
        except (SQLAlchemyError, ValueError, TypeError) as error:
            raise _refusal(table, error) from error

    def insert_all(self, table: Table, rows: list[dict[str, Any]]) -> None:
        """Raises RefusedError."""
        try:
            with self.engine.begin() as connection:
                connection.execute(insert(table), rows)
        except (SQLAlchemyError, ValueError, TypeError) as error:
            raise _refusal(table, error) from error

    def delete_all_but(self, table: Table, keys: Sequence[Key]) -> None:
        kept = set(keys)
        with self.engine.begin() as connection:
            for key in self.keys(table):
                if key not in kept:
                    connection.execute(delete(table).where(*_same(table, key)))


def _same(table: Table, key: Sequence[Any]) -> list[Any]:
    return [column == value for column, value in zip(table.primary_key, key, strict=True)]


def _refusal(table: Table, error: Exception) -> RefusedError:
    reason = str(getattr(error, "orig", error)).splitlines()[0]
    return RefusedError(f"the table {table.name} refuses a row: {reason}")
