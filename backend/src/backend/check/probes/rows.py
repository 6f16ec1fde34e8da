"""Rows to ask for: made by the service's own POST, or put into the table where that refuses."""

import itertools
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any

from backend.check.probes.client import Client, Exchange, body_schema
from backend.check.probes.columns import is_counted, unique_columns, value_for
from backend.check.probes.database import Database, RefusedError
from backend.check.probes.names import (
    column_for,
    is_called,
    is_owned,
    named_by,
    parameters_of,
    target_of,
)
from backend.check.probes.people import People, Person
from backend.check.probes.values import Maker, NoValueError
from backend.check.routes import Route
from backend.check.tables import TableFact, Tables

__all__ = ["Row", "Rows", "as_json"]

FORBIDDEN = 403


@dataclass(frozen=True)
class Row:
    """As it was when it was made, by the columns' names."""

    fact: TableFact
    values: Mapping[str, Any]
    by_service: bool
    state: str = ""
    """In what it differs from the row that the service made."""

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
    database: Database
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
        self, word: str, given: Mapping[str, Any] | None = None, *, everything: bool = False
    ) -> Maker:
        """Of values that begin with this word, and that no other has made."""
        return Maker(word, next(self._numbers), given or {}, everything)

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
        found = self.database.find(row.fact.table, row.key)
        return Row(row.fact, found, row.by_service) if found else None

    async def make(self, fact: TableFact, person: Person) -> Row | None:
        """A new row; None where neither the service nor the table takes one."""
        if fact.name in self._making:
            return None
        if fact.name == "users":
            return self.add_user(fact)
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
            candidates = (
                [known[name]] if known and name in known else named_by(self.tables, route, name)
            )
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

    async def references(self, names: Iterable[str], service: str | None, person: Person) -> Any:
        """Values for the fields of a body that refer to rows: `client_id`, `tag_ids`."""
        given: dict[str, Any] = {}
        for name in names:
            for fact in self._mentioning(service):
                single = f"{name.removesuffix('_ids')}_id" if name.endswith("_ids") else name
                target = target_of(self.tables, fact, single)
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
                if target := target_of(self.tables, fact, name):
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
        return self.maker(person.word, references | dict(given or {}), everything=everything).make(
            schema
        )

    async def _by_service(self, fact: TableFact, person: Person) -> Row | None:
        if known := self._creators.get(fact.name):
            route, everything, asker = known
            row, _refusal = await self._created(fact, route, asker or person, everything=everything)
            if row is not None:
                return row
        refusals = []
        owned = is_owned(self.tables, fact)
        for route in self._candidates(fact):
            for everything in (False, True):
                row, refusal = await self._created(fact, route, person, everything=everything)
                asker = None
                if row is None and refusal and refusal.status == FORBIDDEN and not owned:
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
        before = self.database.keys(fact.table)
        answer = await self.client.send(route, person=person, path=path, body=body)
        if not answer.is_success:
            return None, answer
        new = [key for key in self.database.keys(fact.table) if key not in before]
        if not new:
            return None, answer
        values = self.database.find(fact.table, new[0])
        return (Row(fact, values, by_service=True) if values else None), answer

    async def _by_insertion(self, fact: TableFact, person: Person) -> Row | None:
        maker = self.maker(person.word)
        values: dict[str, Any] = {}
        for column in fact.table.columns:
            target = target_of(self.tables, fact, column.name)
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
        try:
            key = self.database.insert(fact.table, values)
        except RefusedError as refused:
            before = self.refusals.get(fact.name, "its service has no POST for it")
            self.refusals[fact.name] = f"{before}; {refused}"
            return None
        self.client.on_inserted = True
        found = self.database.find(fact.table, key)
        return Row(fact, found, by_service=False) if found else None

    def add_user(self, fact: TableFact) -> Row:
        """An account whose rows nobody asks for."""
        spare = self.people.spare
        maker = self.maker(spare.word)
        values = dict(self.database.find(fact.table, [spare.id]) or {})
        for column in fact.table.columns:
            if column.name in unique_columns(fact.table) or column.name == "email":
                values[column.name] = value_for(column, maker)
        values["id"] = uuid.uuid4()
        self.database.insert(fact.table, values)
        return Row(fact, values, by_service=True)

    def _mentioning(self, service: str | None) -> list[TableFact]:
        return self.tables.of_service(service) or list(self.tables)

    def _made_for_path(self, route: Route, name: str, person: Person) -> Any:
        for item in route.path_params:
            if item.alias == name:
                try:
                    schema = item._type_adapter.json_schema()  # noqa: SLF001
                    return self.maker(person.word).make(schema, name)
                except Exception:  # noqa: BLE001 - a type without a schema
                    break
        return f"{person.word}{next(self._numbers)}"


def as_json(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
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
