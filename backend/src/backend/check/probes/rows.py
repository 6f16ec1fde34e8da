"""Rows to ask for: made by the service's own POST, or put into the table where that refuses."""

import itertools
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, Table, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from backend.check.probes.client import Client, Exchange, body_schema
from backend.check.probes.columns import is_counted, unique_columns, value_for
from backend.check.probes.people import People, Person
from backend.check.probes.values import Maker, NoValueError
from backend.check.routes import Route
from backend.check.tables import TableFact, Tables

__all__ = ["Row", "Rows", "as_json", "column_for", "is_called", "parameters_of"]


@dataclass(frozen=True)
class Row:
    """As it was when it was made, by the columns' names."""

    fact: TableFact
    values: Mapping[str, Any]
    by_service: bool

    @property
    def key(self) -> tuple[Any, ...]:
        return tuple(self.values[column.name] for column in self.fact.table.primary_key)

    @property
    def id(self) -> Any:
        return self.key[0]

    def texts(self, word: str) -> list[str]:
        """What of it can be recognised in an answer: its keys that are not small numbers, and the
        texts that begin with its owner's word."""
        found = [str(value) for value in self.key if isinstance(value, str | uuid.UUID)]
        found += [
            value
            for value in self.values.values()
            if isinstance(value, str) and value.startswith(word)
        ]
        return found


@dataclass
class Rows:
    client: Client
    database: Engine
    routes: Sequence[Route]
    tables: Tables
    people: People
    refusals: dict[str, str] = field(default_factory=dict)
    """Why the service's own POST made no row of a table, by the table's name."""
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _creators: dict[str, tuple[Route, bool, Person | None]] = field(default_factory=dict)
    _kept: dict[tuple[str, uuid.UUID], Row] = field(default_factory=dict)
    _making: set[str] = field(default_factory=set)

    def maker(
        self, person: Person, given: Mapping[str, Any] | None = None, *, everything: bool = False
    ) -> Maker:
        return Maker(person.word, next(self._numbers), given or {}, everything)

    async def row(self, fact: TableFact, person: Person) -> Row | None:
        """One of this person's, as it is in the database now; made where there is none."""
        kept = self._kept.get((fact.name, person.id))
        if kept is not None and (now := self.read(kept)) is not None:
            self._kept[fact.name, person.id] = now
            return now
        made = await self.make(fact, person)
        if made is not None:
            self._kept[fact.name, person.id] = made
        return made

    def read(self, row: Row) -> Row | None:
        """None where it is gone."""
        found = self._find(row.fact, row.key)
        return Row(row.fact, found, row.by_service) if found else None

    async def make(self, fact: TableFact, person: Person) -> Row | None:
        """A new row; None where neither the service nor the table takes one."""
        if fact.name in self._making:
            return None
        if fact.name == "users":
            return await self._user(fact)
        self._making.add(fact.name)
        try:
            return await self._by_service(fact, person) or await self._by_insertion(fact, person)
        finally:
            self._making.discard(fact.name)

    async def path_for(
        self, route: Route, person: Person, known: Mapping[str, TableFact] | None = None
    ) -> dict[str, Any] | None:
        """A value of this person's rows for each parameter of the path; None where one cannot be
        had."""
        values: dict[str, Any] = {}
        for name in parameters_of(route):
            candidates = [known[name]] if known and name in known else self.named_by(route, name)
            row = None
            for fact in candidates:
                if row := await self.row(fact, person):
                    values[name] = row.values[column_for(fact, name)]
                    break
            if row is None:
                if candidates:
                    return None
                values[name] = self._made_for_path(route, name, person)
        return values

    def named_by(self, route: Route, parameter: str) -> list[TableFact]:
        """The tables whose rows a parameter may name, the likeliest first."""
        own = self.tables.of_service(route.service)
        stem = parameter.removesuffix("_id")
        before = route.path.partition(f"{{{parameter}}}")[0].rstrip("/").rpartition("/")[2]
        found = [fact for fact in own if is_called(fact, stem)]
        found += [target for fact in own if (target := self._target(fact, parameter))]
        found += [fact for fact in own if is_called(fact, before)]
        if parameter == "id" or parameter.endswith("_id"):
            found = found or [fact for fact in self.tables if is_called(fact, stem)]
            found += own
        found += [fact for fact in own if parameter in fact.table.columns]
        return list({fact.name: fact for fact in found}.values())

    async def references(self, names: Iterable[str], service: str | None, person: Person) -> Any:
        """Values for the fields of a body that refer to rows: `client_id`, `tag_ids`."""
        given: dict[str, Any] = {}
        for name in names:
            for fact in self._mentioning(service):
                single = f"{name.removesuffix('_ids')}_id" if name.endswith("_ids") else name
                target = self._target(fact, single)
                if target is None:
                    continue
                value = as_json(person.id)
                if target.name != "users":
                    row = await self.row(target, person)
                    value = as_json(row.id) if row else None
                if value is not None:
                    given[name] = [value] if name.endswith("_ids") else value
                break
        return given

    def reference_targets(self, route: Route) -> dict[str, TableFact]:
        """The fields of a route's body that name rows of other tables."""
        try:
            schema = body_schema(route)
        except ValueError:
            return {}
        found = {}
        for name in _properties(schema or {}):
            for fact in self._mentioning(route.service):
                if target := self._target(fact, name):
                    found[name] = target
                    break
        return found

    async def body_for(
        self,
        route: Route,
        person: Person,
        *,
        everything: bool = False,
        given: Mapping[str, Any] | None = None,
    ) -> Any:
        """Raises ValueError or NoValueError where none can be made."""
        schema = body_schema(route)
        if schema is None:
            return None
        wanted = [name for name in _properties(schema) if name not in (given or {})]
        references = await self.references(wanted, route.service, person)
        return self.maker(person, references | dict(given or {}), everything=everything).make(
            schema
        )

    def keys(self, fact: TableFact) -> set[tuple[Any, ...]]:
        return set(self._keys(fact.table))

    def keep_only(self, fact: TableFact, keys: set[tuple[Any, ...]]) -> None:
        """Deletes the others."""
        columns = list(fact.table.primary_key)
        with self.database.begin() as connection:
            for key in self.keys(fact) - keys:
                same = [column == value for column, value in zip(columns, key, strict=True)]
                connection.execute(delete(fact.table).where(*same))

    async def multiply(self, row: Row, count: int, kept: frozenset[str]) -> bool:
        """Puts more rows like this one into its table, each with rows of its own to refer to, save
        those of the columns in `kept`. False where the table refuses them."""
        table = row.fact.table
        unique = unique_columns(table)
        copies: list[dict[str, Any]] = [dict(row.values) for _ in range(count)]
        maker_of = [Maker("copy", next(self._numbers)) for _ in range(count)]
        for column in table.columns:
            name = column.name
            target = self._target(row.fact, name)
            if target is not None:
                if (
                    target is row.fact
                    or name == "owner_id"
                    or name in kept
                    or row.values[name] is None
                ):
                    continue
                made = await self._copies_of(target, row.values[name], count)
                if made is None:
                    continue
                for copy, value in zip(copies, made, strict=True):
                    copy[name] = value
            elif column.primary_key and (column.default is not None or is_counted(column)):
                for copy in copies:
                    del copy[name]
            elif name in unique or column.primary_key:
                for copy, maker in zip(copies, maker_of, strict=True):
                    copy[name] = value_for(column, maker)
        return self._insert(table, copies) is not None

    async def _copies_of(self, target: TableFact, value: Any, count: int) -> list[Any] | None:
        if target.name == "users":
            made = [await self._user(target) for _ in range(count)]
            return [row.id for row in made if row]
        (column, *_more) = target.table.primary_key
        found = self._select(target.table, [column == value])
        before = {key[0] for key in self._keys(target.table)}
        if not found or not await self.multiply(Row(target, found[0], True), count, frozenset()):
            return None
        after = [key[0] for key in self._keys(target.table) if key[0] not in before]
        return after if len(after) == count else None

    # How rows are made

    async def _by_service(self, fact: TableFact, person: Person) -> Row | None:
        if known := self._creators.get(fact.name):
            route, everything, asker = known
            row, _refusal = await self._created(fact, route, asker or person, everything=everything)
            if row is not None:
                return row
        refusals = []
        for route in self._candidates(fact):
            for everything in (False, True):
                row, refusal = await self._created(fact, route, person, everything=everything)
                asker = None
                if row is None and refusal is not None and refusal.status == 403:
                    asker = self.people.superuser
                    row, refusal = await self._created(fact, route, asker, everything=everything)
                if row is not None:
                    self._creators[fact.name] = (route, everything, asker)
                    return row
                if refusal is None or refusal.is_success:
                    break
                refusals.append(f"{route.name} answered {_summary(refusal)}")
        if refusals:
            self.refusals[fact.name] = refusals[-1]
        return None

    def _candidates(self, fact: TableFact) -> list[Route]:
        posts = [
            route
            for route in self.routes
            if route.method == "POST" and route.kind == "operation" and route.service is not None
            if route.service == fact.service
        ]
        return sorted(
            posts,
            key=lambda route: (
                not is_called(fact, route.path.rstrip("/").rpartition("/")[2]),
                len(parameters_of(route)),
                len(route.path),
            ),
        )

    async def _created(
        self, fact: TableFact, route: Route, person: Person, *, everything: bool
    ) -> tuple[Row | None, Exchange | None]:
        """The row that a POST made, and the answer where it was sent."""
        try:
            path = await self.path_for(route, person)
            body = await self.body_for(route, person, everything=everything)
        except (ValueError, NoValueError) as error:
            self.refusals[fact.name] = f"no body could be made for {route.name}: {error}"
            return None, None
        if path is None:
            return None, None
        before = self._keys(fact.table)
        answer = await self.client.send(route, person=person, path=path, body=body)
        if not answer.is_success:
            return None, answer
        new = [key for key in self._keys(fact.table) if key not in before]
        if not new:
            return None, answer
        values = self._find(fact, new[0])
        return (Row(fact, values, by_service=True) if values else None), answer

    async def _by_insertion(self, fact: TableFact, person: Person) -> Row | None:
        maker = self.maker(person)
        values: dict[str, Any] = {}
        for column in fact.table.columns:
            target = self._target(fact, column.name)
            if column.name == "owner_id" and fact.is_owned:
                values[column.name] = person.id
            elif (
                column.default is not None
                or column.server_default is not None
                or column.nullable
                or is_counted(column)
            ):
                continue
            elif target is not None:
                row = None if target.name == "users" else await self.row(target, person)
                values[column.name] = row.id if row else person.id
            else:
                values[column.name] = value_for(column, maker)
        key = self._insert(fact.table, [values])
        if key is None:
            return None
        self.client.on_inserted = True
        found = self._find(fact, key)
        return Row(fact, found, by_service=False) if found else None

    async def _user(self, fact: TableFact) -> Row | None:
        """An account whose rows nobody asks for."""
        spare = self.people.spare
        maker = self.maker(spare)
        values = dict(self._find(fact, [spare.id]) or {})
        for column in fact.table.columns:
            if column.name in unique_columns(fact.table) or column.name == "email":
                values[column.name] = value_for(column, maker)
        values["id"] = uuid.uuid4()
        self._insert(fact.table, [values])
        return Row(fact, values, by_service=True)

    # The database

    def _select(self, table: Table, conditions: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with self.database.connect() as connection:
            result = connection.execute(select(table).where(*conditions))
            return [dict(row) for row in result.mappings()]

    def _find(self, fact: TableFact, key: Sequence[Any]) -> dict[str, Any] | None:
        pairs = zip(fact.table.primary_key, key, strict=True)
        found = self._select(fact.table, [column == value for column, value in pairs])
        return found[0] if found else None

    def _keys(self, table: Table) -> list[tuple[Any, ...]]:
        with self.database.connect() as connection:
            return [tuple(row) for row in connection.execute(select(*table.primary_key))]

    def _insert(self, table: Table, rows: list[dict[str, Any]]) -> tuple[Any, ...] | None:
        """The key of the row if it is one; None where the table refuses them."""
        try:
            with self.database.begin() as connection:
                if len(rows) == 1:
                    result = connection.execute(insert(table).values(rows[0]))
                    return tuple(result.inserted_primary_key or ())
                connection.execute(insert(table), rows)
                return ()
        except (SQLAlchemyError, ValueError, TypeError) as error:
            self.refusals[table.name] = (
                f"{self.refusals.get(table.name, 'it has no POST of its own')}; the table itself "
                f"refuses a row: {str(getattr(error, 'orig', error)).splitlines()[0]}"
            )
            return None

    def _mentioning(self, service: str | None) -> list[TableFact]:
        return self.tables.of_service(service) or list(self.tables)

    def _target(self, fact: TableFact, column: str) -> TableFact | None:
        """What a foreign key of this column refers to."""
        found = fact.table.columns.get(column)
        if found is None:
            return None
        for key in found.foreign_keys:
            return self.tables.by_name.get(key.target_fullname.rpartition(".")[0])
        return None

    def _made_for_path(self, route: Route, name: str, person: Person) -> Any:
        for item in route.path_params:
            if item.alias == name:
                try:
                    schema = item._type_adapter.json_schema()  # noqa: SLF001
                    return self.maker(person).make(schema, name)
                except Exception:  # noqa: BLE001 - a type without a schema
                    break
        return f"{person.word}{next(self._numbers)}"


def parameters_of(route: Route) -> list[str]:
    return re.findall(r"\{(\w+)\}", route.path)


def column_for(fact: TableFact, parameter: str) -> str:
    """The column that a parameter of a path names: `slug`, else the key."""
    if parameter in fact.table.columns and not fact.table.columns[parameter].foreign_keys:
        return parameter
    return next(iter(fact.table.primary_key)).name


def as_json(value: Any) -> Any:
    if isinstance(value, uuid.UUID | Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, date | datetime | time) else value


def _properties(schema: Mapping[str, Any]) -> list[str]:
    """Of the body and of the models in it."""
    parts = [schema, *schema.get("$defs", {}).values()]
    return [name for part in parts for name in part.get("properties", {})]


def _summary(exchange: Exchange) -> str:
    """The status, and where it is a 422 the first value that was refused."""
    problem = exchange.json
    if isinstance(problem, dict) and (errors := problem.get("errors")):
        return f"{exchange.status} for {errors[0].get('pointer')}: {errors[0].get('detail')}"
    if isinstance(problem, dict) and isinstance(problem.get("detail"), str):
        return f"{exchange.status}: {problem['detail']}"
    return str(exchange.status)


def is_called(fact: TableFact, word: str) -> bool:
    """In the singular or the plural, by the table's name or the class's."""
    names = {fact.name.lower()}
    if fact.model is not None:
        names.add(re.sub(r"(?<!^)(?=[A-Z])", "_", fact.model.__name__).lower())
    word = word.replace("-", "_").lower()
    return bool(word) and any(word in _plurals(name) or name in _plurals(word) for name in names)


def _plurals(word: str) -> set[str]:
    return {word, f"{word}s", f"{word}es", f"{word.removesuffix('y')}ies"}
