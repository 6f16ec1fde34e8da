"""The tables as the models declare them, with the lines that declare them."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Column, ForeignKeyConstraint, LargeBinary, MetaData, String, Table
from sqlalchemy.orm import DeclarativeBase, Mapper

from backend import db
from backend.check.config import service_of as service_of_path
from backend.check.finding import Place
from backend.check.places import REPOSITORY, assignment_place, class_place, parse, service_of

__all__ = ["SERVICES", "TableFact", "Tables", "collect_tables", "unseen_tables"]

SERVICES = "backend/src/backend/services"
_DECLARES = re.compile(rb"^\s+__tablename__ *=", re.MULTILINE)
_SECRET = re.compile(r"(^|_)(hash|token|secret|password|passphrase|api_key|private_key)$|^hashed_")


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
    private: frozenset[str]
    """Columns that no answer shows: secrets by their name, and what was generated as private."""

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
        service = service_of_path(place.path)
        return TableFact(table, None, service, place, {}, {}, _secrets(table))
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
        _secrets(table) | _generated_as_private(root / place.path),
    )


def _secrets(table: Table) -> frozenset[str]:
    return frozenset(
        column.name
        for column in table.columns
        if isinstance(column.type, String | LargeBinary) and _SECRET.search(column.name)
    )


def _generated_as_private(models: Path) -> frozenset[str]:
    """Fields with the modifier `private`, in the record that the generator leaves in a service."""
    record = models.with_name("generated.json")
    if not record.is_file():
        return frozenset()
    fields: list[str] = json.loads(record.read_text("utf-8")).get("fields", [])
    return frozenset(
        field.partition(":")[0] for field in fields if "private" in field.split(":")[1:]
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


def unseen_tables(tables: Tables) -> Iterator[tuple[str, Place, str]]:
    """Tables in the code that are not there when `import_models` has run: name, place, reason."""
    source = tables.root / "backend/src/backend"
    for path in sorted(source.rglob("*.py")):
        if not _DECLARES.search(path.read_bytes()):
            continue
        for node in ast.walk(parse(path)):
            if not isinstance(node, ast.ClassDef) or (name := _table_name(node)) is None:
                continue
            place = Place(path.relative_to(tables.root).as_posix(), node.lineno)
            if not _is_imported(path, source):
                yield name, place, "nothing that they import imports this file"
            elif name not in tables.metadata.tables:
                yield name, place, f"the class {node.name} is not one of `backend.db.Base`"


def _table_name(node: ast.ClassDef) -> str | None:
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="__tablename__")], value=ast.Constant(value=name)):
                return str(name)
    return None


def _is_imported(path: Path, source: Path) -> bool:
    """By the models of a service, or by `backend.db`, directly or not."""
    models = source.glob("services/*/models.py")
    waiting = [item for item in models if item.with_name("__init__.py").is_file()]
    waiting.append(source / "db.py")
    seen: set[Path] = set()
    while waiting:
        found = waiting.pop()
        if found == path:
            return True
        if found not in seen and found.is_file():
            seen.add(found)
            waiting += _imports(found, source)
    return False


def _imports(path: Path, source: Path) -> Iterator[Path]:
    """The files of this package that run when this one is imported."""
    package = path.relative_to(source.parent).with_suffix("").parts[:-1]
    for node in _run_at_import(parse(path).body):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        for name in names:
            file = source.parent / name.replace(".", "/")
            yield file.with_suffix(".py")
            yield file / "__init__.py"
            yield from (
                folder / "__init__.py" for folder in file.parents if source in folder.parents
            )


def _run_at_import(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in statements:
        yield node
        match node:
            case ast.If(test=test, body=body, orelse=orelse):
                if "TYPE_CHECKING" not in ast.unparse(test):
                    yield from _run_at_import(body)
                yield from _run_at_import(orelse)
            case ast.Try(body=body, orelse=orelse, finalbody=final):
                yield from _run_at_import([*body, *orelse, *final])
