"""The routes of generated services: every filter, every order, far down the list as well."""

import itertools
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

from sqlalchemy import func, select

from backend.core.pagination import _encode
from backend.db import async_session_maker
from backend.scaffold.spec import Field, Kind, ServiceSpec
from backend.services.users.models import User
from tests.plans.calls import Calls
from tests.plans.filling import id_of
from tests.plans.services import SERVICES, model_of

__all__ = ["call_lists", "call_the_rest"]

Headers = dict[str, str]

_NOBODY_HAS: Mapping[Kind, Any] = {
    Kind.STR: "nothing",
    Kind.BOOL: "true",
    Kind.INT: 2_000,
    Kind.REF: uuid.UUID(int=0),
}


_COMBINED = (
    *("state=open&is_pinned=true", "state=odd&sort=title", "is_pinned=true&sort=-due_on"),
    "search=nothing&sort=rank",
)


async def call_lists(calls: Calls, headers: Headers) -> None:
    """As the user with many rows."""
    for query in _COMBINED:
        await calls.send(f"GET /api/items?{query}", headers=headers)
    for asked in SERVICES:
        spec = asked.spec
        url = f"/api/{spec.name}"
        await calls.send(f"GET {url}", headers=headers)
        for field in spec.fields:
            if field.filterable:
                nothing = field.values[-1] if field.values else _NOBODY_HAS[field.kind]
                await calls.send(f"GET {url}?{field.name}={nothing}", headers=headers)
                query = f"{field.name}={await _a_value(spec, field)}"
                await calls.send(f"GET {url}?{field.name}=…", f"{url}?{query}", headers=headers)
        for search in ("title", "nothing") if any(field.search for field in spec.fields) else ():
            await calls.send(f"GET {url}?search={search}", headers=headers)
        names = ["created_at", *(field.name for field in spec.fields if field.sort)]
        for name, sign in itertools.product(names, ("", "-")):
            label = f"GET {url}?sort={sign}{name}"
            await calls.send(label, headers=headers)
            async for where, cursor in _deep(spec, name, sign):
                query = f"{url}?sort={sign}{name}&cursor={cursor}"
                await calls.send(f"{label}, {where}", query, headers=headers)


async def _a_value(spec: ServiceSpec, field: Field) -> Any:
    model = model_of(spec)
    column = getattr(model, field.name)
    statement = select(column).where(column.is_not(None)).limit(1)
    if spec.owned:
        statement = statement.where(model.owner_id == id_of(User, 0))
    async with async_session_maker() as session:
        return await session.scalar(statement)


async def _deep(spec: ServiceSpec, name: str, sign: str) -> AsyncIterator[tuple[str, str]]:
    """Cursors of the middle of the list, and of the middle of the rows without a value."""
    model = model_of(spec)
    columns = [getattr(model, name), model.id]
    order = sign + ",".join(column.key for column in columns)
    parts = {"deep": columns[0].is_not(None)}
    if columns[0].property.columns[0].nullable:
        parts["deep where it is null"] = columns[0].is_(None)
    for where, condition in parts.items():
        rows = select(*columns).where(condition)
        if spec.owned:
            rows = rows.where(model.owner_id == id_of(User, 0))
        async with async_session_maker() as session:
            half = await session.scalar(select(func.count()).select_from(rows.subquery())) or 0
            row = (await session.execute(rows.order_by(*columns).offset(half // 2).limit(1))).one()
        yield where, _encode([order, *row])


async def call_the_rest(calls: Calls, admin: Headers, reader: Headers) -> None:
    """A row of each is made, read, changed and deleted, by a user who has few, and that user."""
    rows = (
        ("sections", admin, {"name": "New", "code": "new"}),
        ("folders", reader, {"name": "New"}),
        ("items", reader, {"title": "New", "rank": 1}),
    )
    made: dict[str, str] = {}
    for name, headers, given in rows:
        if name == "items":
            given |= {"section_id": made["sections"], "folder_id": made["folders"]}
        created = await calls.send(f"POST /api/{name}", headers=headers, json=given)
        made[name] = created.json()["id"]
        route, url = f"/api/{name}/{{id}}", f"/api/{name}/{made[name]}"
        await calls.send(f"GET {route}", url, headers=headers)
        await calls.send(f"PATCH {route}", url, headers=headers, json=given)
    for name, headers, _given in reversed(rows):
        url = f"/api/{name}/{made[name]}"
        await calls.send(f"DELETE /api/{name}/{{id}}", url, headers=headers)
    await calls.send("DELETE /api/users/{id}", f"/api/users/{id_of(User, 1)}", headers=admin)
