"""BK203: several ids at once, in a body or a query, that are somebody else's."""

import re
from collections.abc import Iterator
from typing import Any

from backend.check.probes.client import body_schema
from backend.check.probes.columns import choices_for
from backend.check.probes.names import is_called, is_owned, target_of
from backend.check.probes.ownership import BEGIN_WITH_OWNER, SOMEBODY_ELSE, shown_in
from backend.check.probes.result import Detail, Probes
from backend.check.probes.rows import Row, Rows, as_json
from backend.check.probes.values import NoValueError
from backend.check.routes import Route
from backend.check.tables import TableFact

__all__ = ["probe_bulk"]

_IDS = re.compile(r"(?:(?P<what>\w+)_)?ids")


async def probe_bulk(rows: Rows, route: Route, found: Probes) -> None:
    """The first user's rows have to be the same afterwards, and not to be in the answer."""
    for name in dict.fromkeys([*_in_body(route), *_in_query(route)]):
        for fact in _meant(rows, route, name):
            try:
                detail = await _ask(rows, route, name, fact)
            except (ValueError, NoValueError) as error:
                found.not_examined.append(f"{route.name} with {name} of the first user: {error}")
                break
            if detail:
                found.reached.append(detail)
                return


async def _ask(rows: Rows, route: Route, name: str, fact: TableFact) -> Detail | None:
    first, second = rows.people.first, rows.people.second
    path = await rows.path_for(route, second)
    for everything in (True, False):
        row = await rows.row(fact, first)
        if row is None or path is None:
            raise ValueError(f"there is no row of {fact.name}, or none for its path")
        ids = [as_json(row.id)]
        query: dict[str, Any] = {name: ids} if name in _in_query(route) else {}
        body: Any = None
        if name in _in_body(route):
            is_whole = (body_schema(route) or {}).get("type") == "array"
            given = {name: ids, **_other_choices(row)}
            body = (
                ids
                if is_whole
                else await rows.body_for(route, second, everything=everything, given=given)
            )
        referring = _referring(rows, row)
        answer = await rows.client.send(route, person=second, path=path, query=query, body=body)
        what = _happened(row, rows.read(row))
        if (
            not what
            and answer.is_success
            and shown_in(answer, [row], set(map(str, ids)), first.word)
        ):
            what = "shown"
        if not what and _referring(rows, row) > referring:
            what = "referred to"
        if what:
            return Detail(
                route,
                f"{route.name} {SOMEBODY_ELSE} with {name} of the first user answered "
                f"{answer.status}, and the first user's row of {fact.name} was {what}.",
                BEGIN_WITH_OWNER,
            )
    return None


def _other_choices(row: Row) -> dict[str, Any]:
    """What would be seen to have changed."""
    return {
        column.name: as_json(value)
        for column in row.fact.table.columns
        for value in choices_for(column)
        if value != row.values[column.name]
    }


def _referring(rows: Rows, row: Row) -> int:
    """How many rows of all tables refer to this one."""
    return sum(
        rows.database.count(column, row.id)
        for fact in rows.tables
        for column in fact.table.columns
        if target_of(rows.tables, fact, column.name) is row.fact
    )


def _happened(before: Row, after: Row | None) -> str:
    if after is None:
        return "deleted"
    changed = [name for name, value in after.values.items() if before.values[name] != value]
    return f"changed: {', '.join(changed)}" if changed else ""


def _meant(rows: Rows, route: Route, name: str) -> Iterator[TableFact]:
    """`ids` may be those of any table of the service."""
    own = rows.tables.of_service(route.service)
    match = _IDS.fullmatch(name)
    what = match["what"] if match else None
    if what is None:
        meant = own
    else:
        targets = [target_of(rows.tables, fact, f"{what}_id") for fact in own]
        meant = [fact for fact in targets if fact is not None]
        meant = meant or [fact for fact in rows.tables if is_called(fact, what)]
    yield from (fact for fact in meant if is_owned(rows.tables, fact))


def _in_query(route: Route) -> list[str]:
    return [item.alias for item in route.query_params if _IDS.fullmatch(item.alias)]


def _in_body(route: Route) -> list[str]:
    """Also where the list is the whole body, by the name of its parameter."""
    try:
        schema = body_schema(route) or {}
    except ValueError:
        return []
    if schema.get("type") == "array":
        return [item.alias for item in route.body_params if _IDS.fullmatch(item.alias)]
    parts = [schema, *schema.get("$defs", {}).values()]
    return [name for part in parts for name in part.get("properties", {}) if _IDS.fullmatch(name)]
