"""BK206: texts that a careless SQL statement or pattern fails on."""

from typing import Any

from fastapi._compat import ModelField

from backend.check.probes.people import Person
from backend.check.probes.rows import Rows
from backend.check.probes.values import Maker
from backend.check.routes import Route

__all__ = ["HARD", "probe_texts"]

HARD = ("'%\\_\"", "a\0b")
"""The second by itself: many refuse it, and would refuse the first with it."""


async def probe_texts(rows: Rows, route: Route) -> None:
    """Each text in the query of a list: once without a surprise, and then with each of these."""
    person = _asker(rows, route)
    word = rows.people.second.word
    texts = [item.alias for item in route.query_params if _is_text(item, word)]
    path = await rows.path_for(route, rows.people.second) if texts else None
    if path is None:
        return
    needed = {
        item.alias: _value(item, rows.maker(word))
        for item in route.query_params
        if item.field_info.is_required()
    }
    was_inserted = rows.client.on_inserted
    for name in texts:
        query = needed | {name: word}
        plain = await rows.client.send(route, person=person, path=path, query=query)
        if plain.stopped:
            return
        # What fails only with this text fails by it, whatever rows there are.
        rows.client.on_inserted = was_inserted and not plain.is_success
        for text in HARD:
            await rows.client.send(route, person=person, path=path, query=query | {name: text})
        rows.client.on_inserted = was_inserted


def _asker(rows: Rows, route: Route) -> Person | None:
    if route.public:
        return None
    return rows.people.superuser if route.requires_superuser else rows.people.second


def _is_text(item: ModelField, word: str) -> bool:
    value = _value(item, Maker(word, 1))
    return item.alias != "cursor" and isinstance(value, str) and value.startswith(word)


def _value(item: ModelField, maker: Maker) -> Any:
    """Empty for a type without a schema."""
    try:
        return maker.make(item._type_adapter.json_schema(), item.alias)  # noqa: SLF001
    except Exception:  # noqa: BLE001 - a type without a schema, or a pattern without a text
        return ""
