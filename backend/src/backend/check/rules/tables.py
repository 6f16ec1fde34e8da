"""What the tables keep, and what they let in."""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, get_origin

from fastapi._compat import ModelField
from pydantic import BaseModel
from sqlalchemy import Column, DateTime, Enum, Index, String, Text, UniqueConstraint
from sqlalchemy.sql.schema import ColumnCollectionConstraint
from sqlalchemy.types import TypeEngine

from backend.check.finding import Finding, Place
from backend.check.mending import (
    Fix,
    add_index,
    add_to_column,
    add_to_foreign_key,
    bound_alias,
    bound_text,
    use_alias,
    use_utc,
)
from backend.check.places import (
    argument_place,
    assignment,
    assignment_place,
    class_node,
    class_place,
    parse,
    place_of,
    service_of,
    source_file,
)
from backend.check.registry import rule
from backend.check.routes import Routes
from backend.check.shapes import (
    input_models,
    is_text_of_any_length,
    length_of,
    lengths_of_fields,
    parts,
    text_of_field,
    text_of_parameter,
)
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
    sent: dict[str, dict[str, int | None]] = {}
    for route in routes:
        for model in input_models(route):
            lengths = lengths_of_fields(model)
            for service in {service_of(model), route.service} - {None}:
                of_service = sent.setdefault(str(service), {})
                for name in model.model_fields:
                    of_service[name] = of_service.get(name) or lengths.get(name)
    yield from _unbounded_fields(routes)
    yield from _unbounded_parameters(routes)
    yield from _longer_than_the_column(routes)
    for fact in routes.tables:
        for column in fact.table.columns:
            fields = sent.get(str(fact.service), {})
            if _is_unbounded(column.type) and column.name in fields:
                length = fields[column.name]
                yield Finding(
                    "BK402",
                    fact.place_of(column.name),
                    f"{fact.name}.{column.name}",
                    f"`{fact.name}.{column.name}` holds text of any length, and clients send it.",
                    f"Give the column the length that the schema has: `String({length})`."
                    if length
                    else "Give the column and the schema one length: `String(LENGTH)`.",
                )


def _is_unbounded(kind: TypeEngine[Any]) -> bool:
    """`Text` is no oversight, and the schema's bound counts for it."""
    if isinstance(kind, Text | Enum):
        return False
    return isinstance(kind, String) and kind.length is None


def _unbounded_fields(routes: Routes) -> Iterator[Finding]:
    seen = set()
    aliases = set()
    for route in routes:
        for model in input_models(route):
            if model in seen or (of_class := class_place(model, routes.root)) is None:
                continue
            seen.add(model)
            for name in sorted(text_of_field(model)):
                length = _length_of_column(routes.tables, model, name)
                if (alias := _alias_at_fault(model, name, routes.root)) is not None:
                    if alias in aliases:
                        continue
                    aliases.add(alias)
                    place, word, value = alias
                    yield Finding(
                        "BK402",
                        place,
                        word,
                        f"`{word}` is text of any length, which the caller of {route.name} sends "
                        f"as {model.__name__}.{name}.",
                        f"Bound it as the column is: `{word} = {_bounded(value, length)}`.",
                        fix=bound_alias(place.path, word, length)
                        if length and value.startswith("Annotated[str, Field(")
                        else None,
                    )
                    continue
                annotation = _annotation(model, name)
                known = _alias_for(model, name, length) if annotation == "str" else None
                yield Finding(
                    "BK402",
                    assignment_place(model, name, routes.root) or of_class,
                    f"{model.__name__}.{name}",
                    f"{model.__name__}.{name} takes text of any length from the caller of "
                    f"{route.name}.",
                    f"Write `{name}: {known}`, which is bounded as the column is."
                    if known
                    else f"Bound it as the column is: `{name}: {_bounded(annotation, length)}`.",
                    fix=_bound(model, name, length, of_class, annotation, known),
                )


def _annotation(model: type, name: str) -> str:
    """As it is written in the model itself; nothing for what a base has."""
    found = assignment(model, name)
    if found is None or found[0] is not model:
        return ""
    annotation = getattr(found[1], "annotation", None)
    return ast.unparse(annotation) if annotation is not None else ""


def _bounded(annotation: str, length: int | None) -> str:
    """With what its `Field` says already."""
    bound = f"max_length={length or '…'}"
    if found := _FIELD.fullmatch(annotation):
        return f"Annotated[str, Field({found[1]}, {bound})]"
    return f"Annotated[str, Field({bound})]"


_FIELD = re.compile(r"Annotated\[str, Field\(([^()]+)\)\]")


def _alias_at_fault(model: type, name: str, root: Path) -> tuple[Place, str, str] | None:
    """The line, name and value of `Title = Annotated[str, …]`, if that is what a field is of."""
    found = assignment(model, name)
    if found is None or (path := source_file(found[0])) is None:
        return None
    annotation = getattr(found[1], "annotation", None)
    words = {item.id for item in ast.walk(annotation or ast.Pass()) if isinstance(item, ast.Name)}
    values = vars(sys.modules[found[0].__module__])
    for node in parse(path).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=word)], value=value) if word in words:
                of_it = values.get(word)
                if get_origin(of_it) is Annotated and is_text_of_any_length(of_it):
                    place = place_of(path, node.lineno, root)
                    return (place, word, ast.unparse(value)) if place else None
    return None


def _alias_for(model: type, name: str, length: int | None) -> str | None:
    """`Title` for `title`, where the module has it above the model, with the column's length."""
    word = "".join(part.capitalize() for part in name.split("_"))
    value = vars(sys.modules[model.__module__]).get(word)
    node, path = class_node(model), source_file(model)
    if get_origin(value) is not Annotated or length is None or node is None or path is None:
        return None
    below = {
        target.id
        for statement in parse(path).body
        if isinstance(statement, ast.Assign) and statement.lineno > node.lineno
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    return word if length_of(value) == length and word not in below else None


def _bound(
    model: type, name: str, length: int | None, place: Place, annotation: str, alias: str | None
) -> Fix | None:
    """Only for a plain `str` with or without a `Field`, and by the length that its column has."""
    if length is None or "." in model.__qualname__:
        return None
    if alias is not None:
        return use_alias(place.path, model.__name__, name, alias)
    if annotation == "str" or _FIELD.fullmatch(annotation):
        return bound_text(place.path, model.__name__, name, length)
    return None


def _longer_than_the_column(routes: Routes) -> Iterator[Finding]:
    """Of what is stored as it is sent: the body's own fields, in the one table that has them."""
    seen: set[tuple[type, str]] = set()
    for route in routes:
        if route.method not in {"POST", "PUT", "PATCH"} or not route.is_own:
            continue
        for parameter in route.body_params:
            model = parameter.field_info.annotation
            if not (isinstance(model, type) and issubclass(model, BaseModel)):
                continue
            validated = {
                field
                for item in model.__pydantic_decorators__.field_validators.values()
                for field in item.info.fields
            }
            for name, length in lengths_of_fields(model).items():
                facts = routes.tables.of_service(service_of(model))
                holding = [fact for fact in facts if name in fact.table.columns]
                if len(holding) != 1 or (model, name) in seen or validated & {name, "*"}:
                    continue
                (fact,) = holding
                kind = fact.table.columns[name].type
                if not isinstance(kind, String) or isinstance(kind, Enum) or kind.length is None:
                    continue
                place = assignment_place(model, name, routes.root)
                if kind.length >= length or name in fact.private or place is None:
                    continue
                seen.add((model, name))
                yield Finding(
                    "BK402",
                    place,
                    f"{model.__name__}.{name}",
                    f"{model.__name__}.{name} takes {length} characters from the caller of "
                    f"{route.name}, and `{fact.name}.{name}` holds {kind.length}: PostgreSQL "
                    "refuses longer ones, and the answer is a 500.",
                    "Give the schema and the column one length, from one constant.",
                )


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
                if _names_no_fields(field):
                    yield Finding(
                        "BK402",
                        place,
                        f"{route.name} {field.alias}",
                        f"`{field.alias}` of {route.name} is an object with any fields, and text "
                        "of any length.",
                        "Declare a schema that names the fields, each with its bound, and take "
                        "that: an object with any fields also brings those that the server "
                        "decides.",
                    )
                    continue
                yield Finding(
                    "BK402",
                    place,
                    f"{route.name} {field.alias}",
                    f"`{field.alias}` of {route.name} is text of any length.",
                    f"Bound it: `{field.name}: Annotated[str, "
                    f"{type(field.field_info).__name__}(max_length=…)]`.",
                )


def _names_no_fields(field: ModelField) -> bool:
    kinds = (get_origin(kind) or kind for kind in parts(field.field_info.annotation))
    return any(isinstance(kind, type) and issubclass(kind, Mapping) for kind in kinds)


@rule("BK403", "Every foreign key has an index", facts="tables")
def foreign_keys_have_an_index(tables: Tables) -> Iterator[Finding]:
    for fact in tables:
        for key in fact.foreign_keys:
            columns = key.column_keys
            if any(set(beginning[: len(columns)]) == set(columns) for beginning in _indexed(fact)):
                continue
            names = ", ".join(columns)
            order = '"owner_id", "id"' if "id" in fact.table.columns else '"owner_id"'
            wanted = (
                f"`Index(None, {order})` in `__table_args__`, which serves the list too"
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
                fix=None
                if len(columns) != 1
                else _fix(fact, "owner_id", add_index, columns=order)
                if columns == ["owner_id"]
                else _fix(fact, columns[0], add_to_column, index="True"),
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
                    else _OTHERS_OF_ONE_OWNER
                    if fact.is_owned and _refers_to_owned(fact, column, tables)
                    else ', or `"RESTRICT"` to refuse it, or `"SET NULL"` where NULL is allowed.'
                ),
                fix=_fix(fact, column, add_to_foreign_key, ondelete='"CASCADE"') if owner else None,
            )


_OTHERS_OF_ONE_OWNER = (
    ', or `"NO ACTION"` to refuse it, or `"SET NULL"` where NULL is allowed. `"RESTRICT"` would '
    "also refuse to delete the account that both belong to."
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
