"""More rows like one that is there, as many as a list needs to show what it costs."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Table

from backend.check.probes.columns import is_counted, unique_columns, value_for
from backend.check.probes.database import Database, Key
from backend.check.probes.names import target_of
from backend.check.probes.rows import Row, Rows
from backend.check.tables import TableFact

__all__ = ["Copies"]


@dataclass
class Copies:
    rows: Rows
    _before: dict[str, tuple[Table, list[Key]]] = field(default_factory=dict)
    """The keys that each table had, those that refer to others first."""

    @property
    def database(self) -> Database:
        return self.rows.database

    def add(self, row: Row, count: int, kept: frozenset[str] = frozenset()) -> None:
        """Each with rows of its own to refer to, save those of the columns in `kept`: what is
        loaded once and used again would hide what a list costs. Raises RefusedError."""
        self._remember(row.fact.table)
        copies = [dict(row.values) for _ in range(count)]
        unique = unique_columns(row.fact.table)
        for column in row.fact.table.columns:
            name = column.name
            target = target_of(self.rows.tables, row.fact, name)
            if target is not None:
                if name not in kept and self._is_to_be_copied(row, column, target):
                    made = self._targets(target, row.values[name], count)
                    for copy, value in zip(copies, made, strict=True):
                        copy[name] = value
            elif column.primary_key and (column.default is not None or is_counted(column)):
                for copy in copies:
                    del copy[name]
            elif name in unique or column.primary_key:
                for copy in copies:
                    copy[name] = value_for(column, self.rows.maker("copy"))
        self.database.insert_all(row.fact.table, copies)

    def remove(self) -> None:
        for table, keys in self._before.values():
            self.database.delete_all_but(table, keys)

    def _remember(self, table: Table) -> None:
        if table.name not in self._before:
            self._before[table.name] = (table, self.database.keys(table))

    @staticmethod
    def _is_to_be_copied(row: Row, column: Column[Any], target: TableFact) -> bool:
        """Not the owner, and not the tree above a row of a tree."""
        is_owner = column.name == "owner_id"
        return not is_owner and target is not row.fact and row.values[column.name] is not None

    def _targets(self, fact: TableFact, key: Any, count: int) -> list[Any]:
        """The keys of new rows like the one that is referred to."""
        if fact.name == "users":
            self._remember(fact.table)
            return [self.rows.add_user(fact).id for _ in range(count)]
        values = self.database.find(fact.table, [key])
        if values is None:
            return [key] * count
        before = set(self.database.keys(fact.table))
        self.add(Row(fact, values, by_service=True), count)
        return [new[0] for new in self.database.keys(fact.table) if new not in before]
