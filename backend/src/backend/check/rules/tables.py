"""What the tables keep, and what they let in."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Column, DateTime, Enum, Index, String, Text, UniqueConstraint
from sqlalchemy.sql.schema import ColumnCollectionConstraint
from sqlalchemy.types import TypeEngine

from backend.check.finding import Finding, Place
from backend.check.mending import Fix, add_to_column, add_to_foreign_key, bound_text, use_utc
from backend.check.places import (
    argument_place,
    assignment,
    assignment_place,
    class_place,
    parse,
    service_of,
)
from backend.check.registry import rule
from backend.check.routes import Routes
from backend.check.shapes import input_models, text_of_field, text_of_parameter
from backend.check.tables import SERVICES, TableFact, Tables, unseen_tables
from backend.core.columns import UTCDateTime

__all__ = ["foreign_keys_have_an_index", "text_has_a_length"]


@rule("BK103", "The migrations see every table", facts="tables")
def migrations_see_every_table(tables: Tables) -> Iterator[Finding]:
    for name, place, reason in unseen_tables(tables):
        yield Finding(
            "BK103",
            place,
            name,
            f"The migrations do not see the table `{name}`: {reason}.",
            "Declare it in the `models.py` of a service, on `backend.db.Base`; a folder is a "
            "service when it has an `__init__.py`.",
        )


@rule("BK401", "Every time is aware, and in UTC", facts="tables")
def times_are_aware(tables: Tables) -> Iterator[Finding]:
    for fact in tables:
        for column in fact.table.columns:
            naive = _is_naive(column.type)
            clock = _naive_clock(fact, column.name)
            if not naive and clock is None:
                continue
            problems = [
                text
                for text in (
                    "keeps no time zone" if naive else "",
                    f"is filled by `{clock}`, which is naive" if clock else "",
                )
                if text
            ]
            yield Finding(
                "BK401",
                fact.place_of(column.name),
                f"{fact.name}.{column.name}",
                f"`{fact.name}.{column.name}` {' and '.join(problems)}.",
                f"Write `{fact.attributes.get(column.name, column.name)}: Mapped[datetime] = "
                "mapped_column(default=utc_now)`, with `utc_now` of backend.core.clock; "
                "or `UTCDateTime()` (backend.core.columns) in a `Column(…)`.",
                fix=_fix(fact, column.name, use_utc),
            )

    yield from _naive_factories(tables.root)


def _naive_factories(root: Path) -> Iterator[Finding]:
    """Of schemas and dataclasses: Ruff knows the call of `datetime.utcnow` only."""
    for path in sorted((root / SERVICES).rglob("*.py")):
        if b"default_factory" not in path.read_bytes():
            continue
        for node in ast.walk(parse(path)):
            if not isinstance(node, ast.keyword) or node.arg != "default_factory":
                continue
            if (clock := _clock(node.value)) is not None:
                place = Place(path.relative_to(root).as_posix(), node.value.lineno)
                yield Finding(
                    "BK401",
                    place,
                    f"default_factory of {path.parent.name}.{path.stem}",
                    f"A field is filled by `{clock}`, which is naive.",
                    "Write `default_factory=utc_now`, of backend.core.clock.",
                )


def _is_naive(kind: TypeEngine[Any]) -> bool:
    return not isinstance(kind, UTCDateTime) and isinstance(kind, DateTime) and not kind.timezone


_CLOCKS = frozenset({"datetime.utcnow", "datetime.now", "datetime.utcfromtimestamp"})
_DEFAULTS = frozenset({"default", "onupdate", "insert_default", "default_factory"})


def _naive_clock(fact: TableFact, column: str) -> str | None:
    """What a column is filled by, if that has no zone."""
    for keyword in _keywords(fact, column):
        if keyword.arg in _DEFAULTS and (clock := _clock(keyword.value)) is not None:
            return clock
    return None


def _clock(value: ast.expr) -> str | None:
    """`datetime.utcnow` or `datetime.now`, called without a zone or not called."""
    if isinstance(value, ast.Lambda):
        value = value.body
    if isinstance(value, ast.Call):
        if value.args or value.keywords:
            return None  # `datetime.now(UTC)`
        value = value.func
    name = ast.unparse(value)
    return name if ".".join(name.split(".")[-2:]) in _CLOCKS else None


def _keywords(fact: TableFact, column: str) -> list[ast.keyword]:
    """Those of `mapped_column(…)` or `Column(…)`."""
    value = getattr(_statement(fact, column), "value", None)
    return value.keywords if isinstance(value, ast.Call) else []


def _statement(fact: TableFact, column: str) -> ast.stmt | None:
    if fact.model is None or column not in fact.attributes:
        return None
    found = assignment(fact.model, fact.attributes[column])
    return found[1] if found else None


def _fix(fact: TableFact, column: str, make: Any, **keywords: str) -> Fix | None:
    """Only where the class itself, and no base, has the line."""
    if fact.model is None or "." in fact.model.__qualname__ or column not in fact.attributes:
        return None
    attribute = fact.attributes[column]
    found = assignment(fact.model, attribute)
    if found is None or found[0] is not fact.model:
        return None
    fix: Fix = make(fact.place.path, fact.model.__name__, attribute, **keywords)
    return fix


@rule("BK402", "Text from clients has a length, in the schema and in the column", facts="routes")
def text_has_a_length(routes: Routes) -> Iterator[Finding]:
    sent: dict[str, set[str]] = {}
    for route in routes:
        for model in input_models(route):
            for service in {service_of(model), route.service} - {None}:
                sent.setdefault(str(service), set()).update(model.model_fields)
    yield from _unbounded_fields(routes)
    yield from _unbounded_parameters(routes)
    for fact in routes.tables:
        for column in fact.table.columns:
            if _is_unbounded(column.type) and column.name in sent.get(str(fact.service), ()):
                yield Finding(
                    "BK402",
                    fact.place_of(column.name),
                    f"{fact.name}.{column.name}",
                    f"`{fact.name}.{column.name}` holds text of any length, and clients send it.",
                    "Give the column the length that the schema has: `String(200)`.",
                )


def _is_unbounded(kind: TypeEngine[Any]) -> bool:
    """`Text` is no oversight, and the schema's bound counts for it."""
    if isinstance(kind, Text | Enum):
        return False
    return isinstance(kind, String) and kind.length is None


def _unbounded_fields(routes: Routes) -> Iterator[Finding]:
    seen = set()
    for route in routes:
        for model in input_models(route):
            if model in seen or (of_class := class_place(model, routes.root)) is None:
                continue
            seen.add(model)
            for name in sorted(text_of_field(model)):
                length = _length_of_column(routes.tables, model, name)
                yield Finding(
                    "BK402",
                    assignment_place(model, name, routes.root) or of_class,
                    f"{model.__name__}.{name}",
                    f"{model.__name__}.{name} takes text of any length from the caller of "
                    f"{route.name}.",
                    f"Bound it as the column is: `{name}: Annotated[str, Field(max_length="
                    f"{length or '…'})]`.",
                    fix=_bound(model, name, length, of_class),
                )


def _bound(model: type, name: str, length: int | None, place: Place) -> Fix | None:
    """Only for a plain `str`, and by the length that its column has."""
    found = assignment(model, name)
    if length is None or "." in model.__qualname__ or found is None or found[0] is not model:
        return None
    annotation = getattr(found[1], "annotation", None)
    if annotation is None or ast.unparse(annotation) != "str":
        return None
    return bound_text(place.path, model.__name__, name, length)


def _length_of_column(tables: Tables, model: type, name: str) -> int | None:
    for fact in tables.of_service(service_of(model)):
        column: Column[Any] | None = fact.table.columns.get(name)
        if column is not None and isinstance(column.type, String):
            return column.type.length
    return None


def _unbounded_parameters(routes: Routes) -> Iterator[Finding]:
    seen: set[tuple[object, str]] = set()
    for route in routes:
        for dependant in route.dependants:
            fields = (*dependant.query_params, *dependant.path_params, *dependant.body_params)
            for field in fields:
                call = dependant.call
                if call is None or (call, field.name) in seen:
                    continue
                seen.add((call, field.name))
                if not text_of_parameter(field):
                    continue
                place = argument_place(call, field.name, routes.root)
                if place is None:
                    continue  # it is a library's
                yield Finding(
                    "BK402",
                    place,
                    f"{route.name} {field.alias}",
                    f"`{field.alias}` of {route.name} is text of any length.",
                    f"Bound it: `{field.name}: Annotated[str, "
                    f"{type(field.field_info).__name__}(max_length=…)]`.",
                )


@rule("BK403", "Every foreign key has an index", facts="tables")
def foreign_keys_have_an_index(tables: Tables) -> Iterator[Finding]:
    for fact in tables:
        for key in fact.foreign_keys:
            columns = key.column_keys
            if any(set(beginning[: len(columns)]) == set(columns) for beginning in _indexed(fact)):
                continue
            names = ", ".join(columns)
            wanted = (
                '`Index(None, "owner_id", "id")` in `__table_args__`, which serves the list too'
                if columns == ["owner_id"]
                else "`index=True` in the column's `mapped_column(…)`"
                if len(columns) == 1
                else "`Index(None, " + ", ".join(f'"{name}"' for name in columns) + ")`"
            )
            yield Finding(
                "BK403",
                fact.place_of(columns[0]),
                f"{fact.name}.{names}",
                f"No index begins with `{fact.name}.{names}`: deleting a row that it refers to "
                "reads the whole table.",
                f"Write {wanted}, and a migration.",
                fix=_fix(fact, columns[0], add_to_column, index="True")
                if len(columns) == 1
                else None,
            )


def _indexed(fact: TableFact) -> Iterator[list[str]]:
    """The columns of each index that covers every row, in their order."""
    yield [column.name for column in fact.table.primary_key.columns]
    for constraint in fact.table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield [column.name for column in constraint.columns]
    for index in fact.table.indexes:
        partial = any(
            index.dialect_options[dialect].get("where") is not None
            for dialect in ("postgresql", "sqlite")
        )
        if not partial:
            yield [getattr(item, "name", "") for item in index.expressions]


@rule("BK404", "Every foreign key says what deleting does", facts="tables")
def foreign_keys_say_what_deleting_does(tables: Tables) -> Iterator[Finding]:
    for fact in tables:
        for key in fact.foreign_keys:
            if key.ondelete is not None:
                continue
            column = key.column_keys[0]
            target = key.elements[0].target_fullname
            owner = fact.is_owned and key.column_keys == ["owner_id"]
            yield Finding(
                "BK404",
                fact.place_of(column),
                f"{fact.name}.{', '.join(key.column_keys)}",
                f"`{fact.name}.{column}` does not say what becomes of the row when the one that "
                "it refers to is deleted.",
                f'Write `ForeignKey("{target}", ondelete="CASCADE")`'
                + (
                    ": the rows go with the account."
                    if owner
                    else ', or `"RESTRICT"` to refuse it, or `"SET NULL"` where NULL is allowed.'
                ),
                fix=_fix(fact, column, add_to_foreign_key, ondelete='"CASCADE"') if owner else None,
            )


@rule("BK405", "What has a default is not null", facts="tables")
def defaults_are_not_null(tables: Tables) -> Iterator[Finding]:
    for fact in tables:
        for column in fact.table.columns:
            if (
                column.nullable
                and (column.default is not None or column.server_default is not None)
                and not _says_nullable(fact, column.name)
            ):
                yield Finding(
                    "BK405",
                    fact.place_of(column.name),
                    f"{fact.name}.{column.name}",
                    f"`{fact.name}.{column.name}` has a default and may be NULL all the same, "
                    "which nobody said.",
                    "Write `nullable=False` in its `Column(…)`, or declare it as `Mapped[…]`; "
                    "and a migration.",
                    fix=_fix(fact, column.name, add_to_column, nullable="False"),
                )


def _says_nullable(fact: TableFact, column: str) -> bool:
    """By `Mapped[… | None]` or `nullable=`, so that somebody has thought of it."""
    statement = _statement(fact, column)
    if isinstance(statement, ast.AnnAssign) and "Mapped[" in ast.unparse(statement.annotation):
        return True
    return any(keyword.arg == "nullable" for keyword in _keywords(fact, column))


@rule("BK406", "What is unique in an owned table is unique for its owner", facts="tables")
def unique_for_the_owner(tables: Tables) -> Iterator[Finding]:
    for fact in tables:
        if not fact.is_owned:
            continue
        for columns in _unique(fact):
            names = ", ".join(columns)
            if "owner_id" in columns or fact.private & set(columns):
                continue  # of a secret, the whole table has one
            if any(_refers_to_owned(fact, column, tables) for column in columns):
                continue  # what it refers to has an owner
            yield Finding(
                "BK406",
                fact.place_of(columns[0]),
                f"{fact.name}.{names}",
                f"`{fact.name}.{names}` is unique among the rows of all owners, so one user can "
                "find out what another one has, and keeps them from having it too.",
                'Write `UniqueConstraint("owner_id", '
                + ", ".join(f'"{name}"' for name in columns)
                + ")` in `__table_args__` in its place, and a migration.",
            )


def _unique(fact: TableFact) -> list[list[str]]:
    found: list[UniqueConstraint | Index | ColumnCollectionConstraint] = [
        item for item in fact.table.constraints if isinstance(item, UniqueConstraint)
    ]
    found += [index for index in fact.table.indexes if index.unique]
    columns = ([column.name for column in item.columns] for item in found)
    return sorted(item for item in columns if item)


def _refers_to_owned(fact: TableFact, column: str, tables: Tables) -> bool:
    for key in fact.table.columns[column].foreign_keys:
        target = tables.by_name.get(key.target_fullname.split(".")[0])
        if target is not None and target.is_owned:
            return True
    return False
