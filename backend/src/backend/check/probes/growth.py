"""BK604: whether a list sends more statements the more rows it shows."""

from typing import Any

from backend.check.probes.client import Exchange
from backend.check.probes.copies import Copies
from backend.check.probes.database import RefusedError
from backend.check.probes.names import named_by, parameters_of
from backend.check.probes.people import Person
from backend.check.probes.result import Detail, Probes
from backend.check.probes.rows import Row, Rows
from backend.check.routes import Route

__all__ = ["list_parts", "lists", "probe_growth"]

FEW, MANY = 2, 20
TOLERATED = 2
"""Statements more that may have another reason than the rows."""


class _NotExamined(Exception):  # noqa: N818 - a reason, and not an error
    """Why the statements could not be counted."""


async def probe_growth(rows: Rows, route: Route, row: Row, person: Person, found: Probes) -> None:
    """`row` is one that the route shows to `person`. The rows that this adds do not stay."""
    copies = Copies(rows)
    try:
        detail = await _probe(copies, route, row, person)
    except (_NotExamined, RefusedError) as reason:
        found.not_examined.append(f"statements of {route.name}: {reason}")
    else:
        found.lists += 1
        found.growing += [detail] if detail else []
    copies.remove()


async def _probe(copies: Copies, route: Route, row: Row, person: Person) -> Detail | None:
    rows = copies.rows
    path = await rows.path_for(route, person)
    if path is None:
        raise _NotExamined("there is no row for its path")
    kept = frozenset(
        column
        for parameter in parameters_of(route)
        for column in (parameter, *_columns_to(rows, route, parameter, row))
    )
    query = {"limit": 100} if any(item.alias == "limit" for item in route.query_params) else {}
    answers = []
    for more in (FEW - 1, MANY - FEW):
        copies.add(row, more, kept)
        answer = await rows.client.send(route, person=person, path=path, query=query)
        if not answer.is_success:
            raise _NotExamined(f"it answered {answer.status}")
        answers.append(answer)
    few, many = answers
    shown = (_length(few), _length(many))
    if shown[1] <= shown[0]:
        raise _NotExamined("it shows no more rows where there are more")
    if many.statements <= few.statements + TOLERATED:
        return None
    return Detail(
        route,
        f"{route.name} sent {few.statements} SQL statements for {shown[0]} rows and "
        f"{many.statements} for {shown[1]}.",
        "Load what the answer shows with the rows, by `selectinload(...)` or a join in the list's "
        "query, and ask nothing for each row.",
    )


def _columns_to(rows: Rows, route: Route, parameter: str, row: Row) -> list[str]:
    """The columns with which the row refers to what the parameter names."""
    named = {fact.name for fact in named_by(rows.tables, route, parameter)[:1]}
    return [
        column.name
        for column in row.fact.table.columns
        for key in column.foreign_keys
        if key.target_fullname.rpartition(".")[0] in named
    ]


def lists(answer: Exchange, row: Row) -> bool:
    """Whether the row itself is an item of the answer, and not only what an item refers to."""
    column = next(iter(row.fact.table.primary_key)).name
    return any(
        isinstance(item, dict) and str(item.get(column)) == str(row.id)
        for part in list_parts(answer)
        for item in part
    )


def _length(answer: Exchange) -> int:
    """Of the longest list in the answer."""
    return max(map(len, list_parts(answer)), default=0)


def list_parts(answer: Exchange) -> list[list[Any]]:
    body = answer.json
    parts = list(body.values()) if isinstance(body, dict) else [body]
    return [part for part in parts if isinstance(part, list)]
