"""All probes in one go: service by service, each with rows of its own."""

import asyncio
from collections.abc import Sequence

from fastapi import FastAPI, params

from backend.check.migrations import Migrations
from backend.check.probes.anonymous import is_private, probe_anonymous
from backend.check.probes.bulk import probe_bulk
from backend.check.probes.client import Client, body_schema
from backend.check.probes.database import Database
from backend.check.probes.growth import lists, probe_growth
from backend.check.probes.leaks import find_crashes, find_leaks
from backend.check.probes.names import is_called, is_owned, named_by, parameters_of
from backend.check.probes.ownership import (
    probe_item,
    probe_list,
    probe_references,
    probe_superuser_route,
)
from backend.check.probes.people import make_people
from backend.check.probes.result import Probes
from backend.check.probes.rows import Rows
from backend.check.probes.scratch import scratch
from backend.check.probes.texts import probe_texts
from backend.check.probes.values import NoValueError
from backend.check.routes import Route, Routes
from backend.check.tables import TableFact, Tables
from backend.core.observe import recorded_statements
from backend.services.email.recording import recorded_mails

__all__ = ["run_probes"]

WRITES = ("POST", "PUT", "PATCH", "DELETE")


def run_probes(
    app: FastAPI,
    routes: Routes,
    tables: Tables,
    migrations: Migrations,
    *,
    only: frozenset[str] | None = None,
) -> Probes:
    """`only` are the services whose routes are asked. `routes` and `tables` are all there are,
    since rows of one service refer to those of others. Not to be called from a running loop."""
    return asyncio.run(_run(app, routes, tables, migrations, only))


async def _run(
    app: FastAPI,
    routes: Routes,
    tables: Tables,
    migrations: Migrations,
    only: frozenset[str] | None,
) -> Probes:
    operations = [route for route in routes if route.kind == "operation" and route.is_own]
    asked = [route for route in operations if only is None or route.service in only]
    found = Probes()
    if not asked:
        return found
    async with scratch(migrations.database, tables.metadata) as place:
        with recorded_statements() as statements, recorded_mails() as mails:
            people = await make_people(with_password=any(map(_signs_in, asked)))
            client = Client(app, place.output, statements, mails)
            rows = Rows(client, Database(place.database), operations, tables, people)
            services = list(dict.fromkeys(route.service for route in asked))
            for service in services:
                client.on_inserted = False
                own = [route for route in asked if route.service == service]
                await _probe_service(rows, own, tables.of_service(service), found)
    found.requests = len(client.exchanges)
    found.routes = len({exchange.route.name for exchange in client.exchanges})
    find_leaks(client.exchanges, people, found)
    find_crashes(client.exchanges, found)
    return found


async def _probe_service(
    rows: Rows, routes: Sequence[Route], facts: list[TableFact], found: Probes
) -> None:
    people = rows.people
    facts = [fact for fact in facts if _is_asked_for(rows, fact, routes)]
    for fact in facts:
        owned = is_owned(rows.tables, fact)
        for person in (people.first, people.second) if owned else (people.first,):
            if await rows.row(fact, person) is None:
                reason = rows.refusals.get(fact.name, "its service has no POST for it")
                found.not_examined.append(f"rows of {fact.name}: {reason}")
                break
        else:
            found.tables += owned
    for route in routes:
        if is_private(route):
            await probe_anonymous(rows, route, found)
        elif route.public:
            await _probe_public(rows, route, found)
    for route in routes:
        if route.requires_superuser:
            await probe_superuser_route(rows, route, found)
    ordinary = [route for route in routes if not route.requires_superuser]
    for route in routes:
        if route.method == "GET":
            await probe_texts(rows, route)
    await _probe_lists(rows, ordinary, facts, found)
    for route in sorted(ordinary, key=lambda item: item.method == "DELETE"):
        await _probe_ownership(rows, route, found)
    await _probe_growth(rows, routes, facts, found)


def _is_asked_for(rows: Rows, fact: TableFact, routes: Sequence[Route]) -> bool:
    """Rows of sessions, of one-time tokens and of the outbox are in no path."""
    if not fact.table.primary_key.columns:
        return False
    if is_owned(rows.tables, fact):
        return True
    words = {part for route in routes for part in route.path.split("/")}
    if any(is_called(fact, word) for word in words):
        return True
    return any(
        fact in named_by(rows.tables, route, parameter)
        for route in routes
        for parameter in parameters_of(route)
    )


async def _probe_public(rows: Rows, route: Route, found: Probes) -> None:
    """What anybody may: for what it logs, and whether it fails. Once with an address that is new,
    and once with one that has an account."""
    people = rows.people
    path = await rows.path_for(route, people.first)
    if path is None:
        return
    addresses: tuple[str | None, ...] = (None,)
    if route.method in WRITES and _takes_address(route):
        addresses = ("new.person@example.com", people.spare.email)
    for address in addresses:
        given = {} if address is None else {"email": address, "username": address}
        try:
            body = await rows.body_for(route, people.first, given=given)
        except (ValueError, NoValueError) as error:
            found.not_examined.append(f"{route.name}: {error}")
            return
        await rows.client.send(route, person=None, path=path, body=body)


def _takes_address(route: Route) -> bool:
    try:
        schema = body_schema(route) or {}
    except ValueError:
        return False
    parts = [schema, *schema.get("$defs", {}).values()]
    return any({"email", "username"} & set(part.get("properties", ())) for part in parts)


def _signs_in(route: Route) -> bool:
    return route.public and any(
        isinstance(item.field_info, params.Form) and item.alias == "password"
        for item in route.body_params
    )


async def _probe_lists(
    rows: Rows, routes: Sequence[Route], facts: list[TableFact], found: Probes
) -> None:
    owned = [fact for fact in facts if is_owned(rows.tables, fact)]
    for route in routes:
        is_item = route.path.endswith("}")
        if route.method == "GET" and is_private(route) and owned and not is_item:
            await probe_list(rows, route, owned, found)


async def _probe_ownership(rows: Rows, route: Route, found: Probes) -> None:
    if not (is_private(route) or route.method in WRITES):
        return
    for parameter in parameters_of(route):
        if any(is_owned(rows.tables, fact) for fact in named_by(rows.tables, route, parameter)):
            await probe_item(rows, route, parameter, found)
    if route.method in {"POST", "PUT", "PATCH"}:
        await probe_references(rows, route, found)
    if route.method in WRITES:
        await probe_bulk(rows, route, found)


async def _probe_growth(
    rows: Rows, routes: Sequence[Route], facts: list[TableFact], found: Probes
) -> None:
    people = rows.people
    for route in routes:
        if route.method != "GET" or route.path.endswith("}"):
            continue
        person = people.superuser if route.requires_superuser else people.first
        shown = [row for fact in facts if (row := await rows.row(fact, people.first))]
        path = await rows.path_for(route, people.first)
        if not shown or path is None:
            continue
        answer = await rows.client.send(route, person=person, path=path)
        for row in shown:
            if answer.is_success and lists(answer, row):
                await probe_growth(rows, route, row, person, found)
                break
