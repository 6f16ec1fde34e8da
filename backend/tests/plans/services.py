"""Services in which every query occurs that the generator writes, and rows for them."""

import importlib
from datetime import date, timedelta
from typing import Any

from backend.scaffold.spec import Field, Kind, ServiceSpec
from backend.services.users.models import User
from tests.plans.filling import Maker, Size, fill, id_of, moment, scattered
from tests.scaffold.services import Asked

__all__ = ["SERVICES", "fill_services", "model_of"]

SERVICES = (
    Asked(
        "sections",
        "name:str:max=60:unique:sort kind:enum:big,small,odd:default=big "
        "is_hidden:bool:default=false rank:int:optional:sort code:str:max=20:filter "
        "parent:ref:sections:optional:setnull",
        "none",
    ),
    Asked("folders", "name:str:max=80:unique", "user"),
    Asked(
        "items",
        "title:str:max=120:search:sort notes:text:optional:search "
        "state:enum:open,done,odd:default=open is_pinned:bool:default=false "
        "due_on:date:optional:sort rank:int:sort:filter code:str:max=20:unique:optional:filter "
        "section:ref:sections folder:ref:folders:optional:cascade",
        "user",
    ),
)
"""In the order of the foreign keys."""


def model_of(spec: ServiceSpec) -> Any:
    return getattr(importlib.import_module(f"backend.services.{spec.name}.models"), spec.model)


async def fill_services(url: str, size: Size) -> None:
    """No row has the last value of an enum, and none is true: a filter may look for nothing."""
    for asked in SERVICES:
        spec = asked.spec
        makers = {field.name: _maker(field, size) for field in spec.fields}
        if spec.owned:
            makers["owner_id"] = lambda number: id_of(User, owner_of(number, size))
        times: dict[str, Maker] = {"created_at": moment, "updated_at": moment}
        await fill(url, model_of(spec), rows_of(spec.name, size), makers | times)


def rows_of(service: str, size: Size) -> int:
    return size.users if service == "folders" else size.items


def owner_of(number: int, size: Size) -> int:
    """The first user has the oldest sixteenth of the rows, and the others have the rest alike.

    PostgreSQL may then take it for cheap to go through everybody's newest rows until it has a page.
    """
    return 0 if number < size.items // 16 else number % size.users


def _maker(field: Field, size: Size) -> Maker:
    make = _value(field, size)
    if not field.optional:
        return make
    return lambda number: make(number) if number % 3 else None


def _value(field: Field, size: Size) -> Maker:
    first, second, *_ = *field.values, "", ""
    makers: dict[Kind, Maker] = {
        Kind.STR: lambda number: f"{field.name} {scattered(number):08x}",
        Kind.TEXT: lambda number: f"What there is to say about {number}. " * 4,
        Kind.ENUM: lambda number: (first, second)[scattered(number) >> 16 & 1],
        Kind.BOOL: lambda _number: False,
        Kind.INT: lambda number: (scattered(number) >> 8) % 10,
        Kind.DATE: lambda number: date(2026, 1, 1) + timedelta(days=scattered(number) % 1000),
        Kind.REF: _referred(field, size) if field.target else str,
    }
    return makers[field.kind]


def _referred(field: Field, size: Size) -> Maker:
    """A folder of the row's owner, or any section."""
    (target,) = [asked.spec for asked in SERVICES if asked.name == field.target]
    model, count = model_of(target), rows_of(target.name, size)
    if target.owned:
        return lambda number: id_of(model, owner_of(number, size))
    return lambda number: id_of(model, scattered(number) % count)
