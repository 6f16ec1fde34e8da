"""The tables as the models declare them, with the lines that declare them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Column, ForeignKeyConstraint, MetaData, Table
from sqlalchemy.orm import DeclarativeBase, Mapper

from backend import db
from backend.check.finding import Place
from backend.check.places import REPOSITORY, assignment_place, class_place, parse, service_of

__all__ = ["SERVICES", "TableFact", "Tables", "collect_tables"]

SERVICES = "backend/src/backend/services"


@dataclass(frozen=True)
class TableFact:
    """A table, and where it is declared."""

    table: Table
    model: type | None
    """None for a `Table(…)` that no class maps."""
    service: str | None
    place: Place
    columns: dict[str, Place]
    """By the column's name in the database."""
    attributes: dict[str, str]
    """The name in the class of each column, by its name in the database."""

    @property
    def name(self) -> str:
        return self.table.name

    @property
    def is_owned(self) -> bool:
        """`owner_id`, not null, to users: the mark of rows that belong to one user."""
        column: Column[Any] | None = self.table.columns.get("owner_id")
        return (
            column is not None
            and not column.nullable
            and any(key.target_fullname.split(".")[0] == "users" for key in column.foreign_keys)
        )

    def place_of(self, column: str) -> Place:
        return self.columns.get(column, self.place)

    @property
    def foreign_keys(self) -> list[ForeignKeyConstraint]:
        found = self.table.foreign_key_constraints
        return sorted(found, key=lambda item: self.place_of(item.column_keys[0]))


@dataclass(frozen=True)
class Tables:
    """In the order of the lines that declare them."""

    items: tuple[TableFact, ...]
    metadata: MetaData
    root: Path

    def __iter__(self) -> Iterator[TableFact]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def of_service(self, service: str | None) -> list[TableFact]:
        return [fact for fact in self.items if service is not None and fact.service == service]

    @cached_property
    def by_name(self) -> dict[str, TableFact]:
        return {fact.name: fact for fact in self.items}

    @property
    def count(self) -> int:
        return len(self.items)

    @property
    def examined(self) -> str:
        columns = sum(len(fact.table.columns) for fact in self.items)
        return f"{len(self.items)} tables with {columns} columns"


def collect_tables(
    metadata: MetaData | None = None,
    *,
    root: Path = REPOSITORY,
    only: frozenset[str] | None = None,
) -> Tables:
    """The tables of the project, with every model imported, unless others are given.

    `only` leaves out those of other services; `metadata` has all of them all the same.
    """
    if metadata is None:
        metadata = db.import_models()
    mappers = {mapper.local_table: mapper for mapper in _mappers(DeclarativeBase, metadata)}
    facts = [_fact(table, mappers.get(table), root) for table in metadata.tables.values()]
    wanted = [fact for fact in facts if only is None or fact.service in only]
    return Tables(tuple(sorted(wanted, key=lambda fact: fact.place)), metadata, root)


def _mappers(base: type[DeclarativeBase], metadata: MetaData) -> Iterator[Mapper[Any]]:
    subclasses: list[type[DeclarativeBase]] = base.__subclasses__()
    for found in subclasses:
        if getattr(found, "metadata", None) is metadata:
            yield from found.registry.mappers
        else:
            yield from _mappers(found, metadata)


def _fact(table: Table, mapper: Mapper[Any] | None, root: Path) -> TableFact:
    if mapper is None:
        place = _core_table_place(table.name, root)
        service = (
            place.path.removeprefix(SERVICES).split("/")[1] if SERVICES in place.path else None
        )
        return TableFact(table, None, service, place, {}, {})
    attributes = {
        column.name: mapper.get_property_by_column(column).key
        for column in table.columns
        if column in mapper.columns.values()
    }
    cls = mapper.class_
    place = class_place(cls, root) or Place(SERVICES)
    return TableFact(
        table,
        cls,
        service_of(cls),
        place,
        {
            column: assignment_place(cls, attribute, root) or place
            for column, attribute in attributes.items()
        },
        attributes,
    )


def _core_table_place(name: str, root: Path) -> Place:
    for path in sorted((root / "backend/src/backend").rglob("*.py")):
        if b"Table(" not in path.read_bytes():
            continue
        for node in _table_calls(parse(path)):
            match node.args:
                case [ast.Constant(value=given), *_] if given == name:
                    return Place(path.relative_to(root).as_posix(), node.lineno)
    return Place(SERVICES)


def _table_calls(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="Table") | ast.Attribute(attr="Table")):
                yield node
