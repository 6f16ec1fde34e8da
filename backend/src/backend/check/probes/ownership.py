"""BK203: what a second user gets of the first one's rows. The answer for a row of somebody else
has to be the one for a row that never was."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from backend.check.probes.anonymous import is_private
from backend.check.probes.client import Exchange
from backend.check.probes.growth import list_parts
from backend.check.probes.names import column_for, is_owned, named_by, parameters_of
from backend.check.probes.result import Detail, Probes
from backend.check.probes.rows import Row, Rows, as_json
from backend.check.probes.states import states_of
from backend.check.probes.values import Maker, NoValueError
from backend.check.routes import Route
from backend.check.tables import TableFact

__all__ = [
    "BEGIN_WITH_OWNER",
    "SOMEBODY_ELSE",
    "probe_item",
    "probe_list",
    "probe_references",
    "probe_superuser_route",
    "shown_in",
]

SOMEBODY_ELSE = "as somebody else"
BEGIN_WITH_OWNER = (
    "Put the owner into the query, as `_owned(owner_id)` does, and raise NotFoundError where "
    "nothing is found: another user's row is a 404, like one that never was."
)
NOT_THERE = 404
MOST_VALUES = 12
"""Of one parameter of a list."""
SERVER_ERROR = 500


@dataclass(frozen=True)
class _Asked:
    """One route, asked for the first user's row, with the same body each time."""

    theirs: Exchange
    missing: Exchange | None
    """The same for a row that never was; None where it cannot make a difference."""
    own: Exchange
    after: Row | None
    """The first user's row after somebody else asked."""
    before: Row


async def probe_item(rows: Rows, route: Route, parameter: str, found: Probes) -> None:
    """A route with a row in its path: reads, changes and deletes it, or does something with it."""
    named = named_by(rows.tables, route, parameter)
    candidates = [fact for fact in named if is_owned(rows.tables, fact)]
    reasons = []
    for fact in candidates:
        row = await rows.row(fact, rows.people.first)
        if row is None:
            reasons.append(f"no row of {fact.name} could be made")
            continue
        for everything in (True, False):
            try:
                asked = await _ask(rows, route, parameter, row, everything=everything)
            except (ValueError, NoValueError) as error:
                reasons.append(f"no body could be made: {error}")
                break
            if asked is None:
                break
            if detail := _judge(route, fact, asked):
                found.reached.append(detail)
                return
            if asked.own.is_success:
                detail = await _under_own_parent(rows, route, parameter, row)
                if detail := detail or await _in_other_states(rows, route, parameter, row):
                    found.reached.append(detail)
                return
            reasons.append(f"it answered {asked.own.status} to the owner too")
            if asked.own.status == NOT_THERE:
                break  # a row of another table is meant
            if asked.theirs.status == NOT_THERE:
                return  # the owner got further
            row = await rows.row(fact, rows.people.first) or row
    if is_private(route) and reasons:
        found.not_examined.append(f"{route.name} {SOMEBODY_ELSE}: {reasons[0]}")


async def _ask(
    rows: Rows, route: Route, parameter: str, row: Row, *, everything: bool
) -> _Asked | None:
    first, second = rows.people.first, rows.people.second
    path = await rows.path_for(route, first, {parameter: row.fact})
    if path is None:
        return None
    column = column_for(row.fact, parameter)
    nothing = path | {parameter: _never_was(row.values[column])}
    own_body = await rows.body_for(route, first, everything=everything)
    body = await rows.body_for(route, second, everything=everything)
    send = rows.client.send
    before = rows.read(row) or row
    theirs = await send(route, person=second, path=path, body=body)
    after = rows.read(row)
    missing = None
    if theirs.status != NOT_THERE:
        missing = await send(route, person=second, path=nothing, body=body)
    if after is None:  # it was deleted; the owner asks for another
        path = await rows.path_for(route, first, {parameter: row.fact}) or path
    own = await send(route, person=first, path=path, body=own_body)
    return _Asked(theirs, missing, own, after, before)


async def _under_own_parent(rows: Rows, route: Route, parameter: str, row: Row) -> Detail | None:
    """The first user's row in a path whose other parameters are the second user's."""
    if len(parameters_of(route)) == 1:
        return None
    second = rows.people.second
    row = await rows.row(row.fact, rows.people.first) or row
    path = await rows.path_for(route, second)
    if path is None:
        return None
    column = column_for(row.fact, parameter)
    body = await rows.body_for(route, second, everything=True)
    theirs = await rows.client.send(
        route, person=second, path=path | {parameter: row.values[column]}, body=body
    )
    after = rows.read(row)
    missing = None
    if theirs.status != NOT_THERE:
        nothing = path | {parameter: _never_was(row.values[column])}
        missing = await rows.client.send(route, person=second, path=nothing, body=body)
    detail = _judge(route, row.fact, _Asked(theirs, missing, theirs, after, row))
    if detail is None:
        return None
    others = ", ".join(name for name in parameters_of(route) if name != parameter)
    return replace(detail, message=f"{detail.message[:-1]}, with their own {others} in the path.")


async def _in_other_states(rows: Rows, route: Route, parameter: str, row: Row) -> Detail | None:
    """Whoever may not reach the row may not reach it when its status is another."""
    second = rows.people.second
    row = await rows.row(row.fact, rows.people.first) or row
    path = await rows.path_for(route, rows.people.first, {parameter: row.fact})
    if path is None:
        return None
    column = column_for(row.fact, parameter)
    body = await rows.body_for(route, second, everything=True)
    with states_of(rows, [row]) as states:
        for state in states:
            there = path | {parameter: state.values[column]}
            theirs = await rows.client.send(route, person=second, path=there, body=body)
            missing = None
            if theirs.status != NOT_THERE:
                nothing = path | {parameter: _never_was(state.values[column])}
                missing = await rows.client.send(route, person=second, path=nothing, body=body)
            asked = _Asked(theirs, missing, theirs, rows.read(state), state)
            if detail := _judge(route, row.fact, asked):
                return detail
    return None


def _judge(route: Route, fact: TableFact, asked: _Asked) -> Detail | None:
    request = f"{route.name} {SOMEBODY_ELSE} answered {asked.theirs.status}"
    theirs = f"the first user's row{_in_state(asked.before)}"
    if asked.after is None:
        return Detail(route, f"{request}, and {theirs} was deleted.", BEGIN_WITH_OWNER)
    if asked.after.values != asked.before.values:
        changed = [
            name for name, value in asked.after.values.items() if asked.before.values[name] != value
        ]
        return Detail(
            route,
            f"{request}, and {theirs} was changed: {', '.join(changed)}.",
            BEGIN_WITH_OWNER,
        )
    if asked.missing is None or (not is_private(route) and route.method == "GET"):
        return None
    if asked.theirs.is_success and (
        asked.theirs.status != asked.missing.status
        or asked.theirs.answer.body != asked.missing.answer.body
    ):
        return Detail(
            route,
            f"{request} for the first user's row of {fact.name}{_in_state(asked.before)}.",
            BEGIN_WITH_OWNER,
        )
    if asked.theirs.status != asked.missing.status and not _is_accident(
        asked.theirs, asked.missing
    ):
        return Detail(
            route,
            f"{request}, and {asked.missing.status} for a row that never was: "
            "it tells that the row exists.",
            BEGIN_WITH_OWNER,
        )
    return None


def _is_accident(*answers: Exchange) -> bool:
    """A failure of the app says nothing about who may see what; that is BK206."""
    return any(answer.status >= SERVER_ERROR for answer in answers)


async def probe_list(rows: Rows, route: Route, facts: list[TableFact], found: Probes) -> None:
    """A route that answers with several rows: none of them may be the first user's, whatever is
    asked for in its query."""
    first, second = rows.people.first, rows.people.second
    shown = []
    for fact in facts:
        if row := await rows.row(fact, first):
            shown.append(row)
    path = await rows.path_for(route, second)
    if not shown or path is None:
        return
    answer = await rows.client.send(route, person=second, path=path)
    if answer.stopped:
        return
    await _see_own(rows, route, shown, found)
    with states_of(rows, shown) as states:
        known = shown + states
        for query in await _queries(rows, route, known):
            answer = await rows.client.send(route, person=second, path=path, query=query)
            if row := shown_in(answer, known, set(map(str, query.values())), first.word):
                asked = f" with ?{next(iter(query))}=…" if query else ""
                found.reached.append(
                    Detail(
                        route,
                        f"{route.name}{asked} {SOMEBODY_ELSE} answered {answer.status} and showed "
                        f"the first user's row of {row.fact.name}{_in_state(row)}.",
                        "Begin the query with the owner, as `_owned(owner_id)` does, and only "
                        "narrow it down from there: an `or_` stands in a `where` of its own.",
                    )
                )
                return


async def _see_own(rows: Rows, route: Route, shown: list[Row], found: Probes) -> None:
    """Where a list does not show its own rows to the owner, a leak of it may not be seen either."""
    first = rows.people.first
    path = await rows.path_for(route, first)
    if path is None:
        return
    answer = await rows.client.send(route, person=first, path=path)
    lists = list_parts(answer)
    if _is_accident(answer):
        return
    if not answer.is_success:
        reason = f"it answered {answer.status} to the owner too"
    elif lists and not shown_in(answer, shown, set(), first.word):
        reason = "the list shows the owner none of the rows that were made"
    else:
        return
    found.not_examined.append(f"{route.name} {SOMEBODY_ELSE}: {reason}")


def _in_state(row: Row) -> str:
    return f" whose {row.state}" if row.state else ""


def shown_in(answer: Exchange, rows: list[Row], given: set[str], word: str) -> Row | None:
    """Which of the rows the answer shows; what the request itself said counts for nothing."""
    found = [
        row
        for row in rows
        if _is_item(answer.json, row, word)
        or any(
            text in answer.answer.text
            for text in row.texts(word)
            if not any(text in value for value in given) and not _is_reference(row, text)
        )
    ]
    # States of one row have the same texts.
    text = answer.answer.text
    found = [
        row
        for row in found
        if _is_item(answer.json, row, word)
        or (isinstance(row.id, str | uuid.UUID) and str(row.id) in text)
    ] or found
    # A row shows the keys of those that it refers to.
    referred = [value for row in found for value in row.values.values() if value != row.id]
    return next((row for row in found if row.id not in referred), found[0] if found else None)


def _is_item(body: Any, row: Row, word: str) -> bool:
    """Whether something in the answer has the key and a text of the row."""
    if isinstance(body, list):
        return any(_is_item(item, row, word) for item in body)
    if not isinstance(body, dict):
        return False
    key = next(iter(row.fact.table.primary_key)).name
    if str(body.get(key)) == str(row.id):
        return any(
            isinstance(value, str) and value.startswith(word) and row.values.get(name) == value
            for name, value in body.items()
        )
    return any(_is_item(item, row, word) for item in body.values())


def _is_reference(row: Row, text: str) -> bool:
    """A row's own key and texts identify it; keys of others, such as the owner's, do not."""
    return text not in map(str, row.key) and any(
        column.foreign_keys and str(row.values[column.name]) == text
        for column in row.fact.table.columns
    )


async def _queries(rows: Rows, route: Route, shown: list[Row]) -> list[dict[str, Any]]:
    """None at all; one for each parameter, with what would find the first user's row; and the
    first user's own cursor."""
    first = rows.people.first
    queries: list[dict[str, Any]] = [{}, {"owner_id": str(first.id)}]
    names = set()
    for item in route.query_params:
        name = item.alias
        names.add(name)
        if name in {"limit", "cursor", "owner_id"}:
            continue
        try:
            schema: Mapping[str, Any] = item._type_adapter.json_schema()  # noqa: SLF001
        except Exception:  # noqa: BLE001 - a type without a schema; rows may have a value
            schema = {}
        held = [as_json(row.values.get(name)) for row in shown]
        held = [value for value in held if isinstance(value, str | int | float)]
        guesses = _guesses(schema, name, shown, first.word)
        values = [*held, *guesses] if first.word in guesses else held or guesses
        queries += [{name: value} for value in list(dict.fromkeys(values))[:MOST_VALUES]]
    if {"limit", "cursor"} <= names:
        path = await rows.path_for(route, first)
        if path is not None:
            page = await rows.client.send(route, person=first, path=path, query={"limit": 1})
            if isinstance(page.json, dict) and page.json.get("next_cursor"):
                queries.append({"cursor": page.json["next_cursor"]})
    return queries


def _guesses(schema: Mapping[str, Any], name: str, shown: list[Row], word: str) -> list[Any]:
    if name.endswith(("_id", "_ids")) or name in {"id", "ids"}:
        return [str(value) for row in shown for value in row.key]
    try:
        made = [Maker(word, number).make(schema, name) for number in (0, 1)]
    except NoValueError:
        return []
    if isinstance(made[0], str) and made[0].startswith(word):
        texts = [text for row in shown for text in row.texts(word) if text.startswith(word)]
        return [word, *texts]  # the word begins the texts of each of the first user's rows
    return [value for value in dict.fromkeys(made) if isinstance(value, str | int | float)]


async def probe_references(rows: Rows, route: Route, found: Probes) -> None:
    """A body that names a row of somebody else: it may not be referred to."""
    first, second = rows.people.first, rows.people.second
    for name, target in rows.reference_targets(route).items():
        if not is_owned(rows.tables, target):
            continue
        row = await rows.row(target, first)
        path = await rows.path_for(route, second)
        if row is None or path is None:
            found.not_examined.append(f"{route.name} with {name} of the first user: no row")
            continue
        try:
            body = await rows.body_for(route, second, given={name: as_json(row.id)})
        except (ValueError, NoValueError) as error:
            found.not_examined.append(f"{route.name} with {name} of the first user: {error}")
            continue
        answer = await rows.client.send(route, person=second, path=path, body=body)
        if answer.is_success:
            found.reached.append(
                Detail(
                    route,
                    f"{route.name} {SOMEBODY_ELSE} with the first user's {name} answered "
                    f"{answer.status}.",
                    f"Ask for the row as the caller before you refer to it, "
                    f"`await {_service_class(target)}.get(session, owner_id, data.{name})`, and "
                    "turn NotFoundError into a 422.",
                )
            )


def _service_class(fact: TableFact) -> str:
    return f"{fact.model.__name__}Service" if fact.model else "TheService"


async def probe_superuser_route(rows: Rows, route: Route, found: Probes) -> None:
    """What only superusers may, an ordinary account may not."""
    second = rows.people.second
    path = await rows.path_for(route, second)
    if path is None:
        path = {name: _never_was(uuid.UUID(int=0)) for name in parameters_of(route)}
    try:
        body = await rows.body_for(route, second)
    except (ValueError, NoValueError):
        body = None
    answer = await rows.client.send(route, person=second, path=path, body=body)
    if answer.is_success:
        found.reached.append(
            Detail(
                route,
                f"{route.name} as an ordinary user answered {answer.status}, though it is for "
                "superusers.",
                "Take the caller as `CurrentSuperuser` of backend.services.auth.utils.",
            )
        )


def _never_was(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return uuid.uuid4()
    if isinstance(value, int):
        return 1_987_654_321
    return f"never{uuid.uuid4().hex[:12]}"
