"""BK604: whether a list sends more statements the more rows it shows."""

from backend.check.probes.client import Exchange
from backend.check.probes.people import Person
from backend.check.probes.result import Detail, Probes
from backend.check.probes.rows import Row, Rows, parameters_of
from backend.check.routes import Route

__all__ = ["probe_growth"]

FEW, MANY = 2, 20
TOLERATED = 2
"""Statements more that may have another reason than the rows."""


async def probe_growth(rows: Rows, route: Route, row: Row, person: Person, found: Probes) -> None:
    """`row` is one that the route shows to `person`."""
    kept = frozenset(
        column
        for parameter in parameters_of(route)
        for column in (parameter, *_columns_to(rows, route, parameter, row))
    )
    path = await rows.path_for(route, person)
    if path is None or not await rows.multiply(row, FEW - 1, kept):
        _not_examined(rows, route, row, found)
        return
    query = {"limit": 100} if any(item.alias == "limit" for item in route.query_params) else {}
    few = await rows.client.send(route, person=person, path=path, query=query)
    if not await rows.multiply(row, MANY - FEW, kept):
        _not_examined(rows, route, row, found)
        return
    many = await rows.client.send(route, person=person, path=path, query=query)
    shown = (_length(few), _length(many))
    if not (few.is_success and many.is_success) or shown[1] <= shown[0]:
        return
    found.lists += 1
    if many.statements > few.statements + TOLERATED:
        found.growing.append(
            Detail(
                route,
                f"{route.name} sent {few.statements} SQL statements for {shown[0]} rows and "
                f"{many.statements} for {shown[1]}.",
                "Load what the answer shows with the rows, by `selectinload(...)` or a join in the "
                "list's query, and ask nothing for each row.",
            )
        )


def _columns_to(rows: Rows, route: Route, parameter: str, row: Row) -> list[str]:
    """The columns with which the row refers to what the parameter names."""
    named = {fact.name for fact in rows.named_by(route, parameter)[:1]}
    return [
        column.name
        for column in row.fact.table.columns
        for key in column.foreign_keys
        if key.target_fullname.rpartition(".")[0] in named
    ]


def _not_examined(rows: Rows, route: Route, row: Row, found: Probes) -> None:
    reason = rows.refusals.get(row.fact.name, "there is no row for its path")
    found.not_examined.append(f"statements of {route.name}: {reason}")


def _length(answer: Exchange) -> int:
    """Of the longest list in the answer."""
    body = answer.json
    parts = list(body.values()) if isinstance(body, dict) else [body]
    return max((len(part) for part in parts if isinstance(part, list)), default=0)
