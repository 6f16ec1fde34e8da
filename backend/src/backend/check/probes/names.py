"""Which table a name means: that of a parameter in a path, of a field in a body, of a column."""

import re

from backend.check.routes import Route
from backend.check.tables import TableFact, Tables

__all__ = ["column_for", "is_called", "is_owned", "named_by", "parameters_of", "target_of"]


def parameters_of(route: Route) -> list[str]:
    return re.findall(r"\{(\w+)\}", route.path)


def column_for(fact: TableFact, parameter: str) -> str:
    """The column that a parameter of a path names: `slug`, else the key."""
    if parameter in fact.table.columns and not fact.table.columns[parameter].foreign_keys:
        return parameter
    return next(iter(fact.table.primary_key)).name


def target_of(tables: Tables, fact: TableFact, column: str) -> TableFact | None:
    """What a foreign key of this column refers to."""
    found = fact.table.columns.get(column)
    if found is None:
        return None
    for key in found.foreign_keys:
        return tables.by_name.get(key.target_fullname.rpartition(".")[0])
    return None


def is_owned(tables: Tables, fact: TableFact, _through: frozenset[str] = frozenset()) -> bool:
    """By an owner of its own, or through the owned row that each of its rows refers to."""
    if fact.is_owned:
        return True
    for column in fact.table.columns:
        target = None if column.nullable else target_of(tables, fact, column.name)
        if target is None or target.name in _through | {fact.name, "users"}:
            continue
        if is_owned(tables, target, _through | {fact.name}):
            return True
    return False


def named_by(tables: Tables, route: Route, parameter: str) -> list[TableFact]:
    """The tables whose rows a parameter may name, the likeliest first."""
    own = tables.of_service(route.service)
    stem = parameter.removesuffix("_id")
    before = route.path.partition(f"{{{parameter}}}")[0].rstrip("/").rpartition("/")[2]
    found = [fact for fact in own if is_called(fact, stem)]
    found += [target for fact in own if (target := target_of(tables, fact, parameter))]
    found += [fact for fact in own if is_called(fact, before)]
    if parameter == "id" or parameter.endswith("_id"):
        found = found or [fact for fact in tables if is_called(fact, stem)]
        found += own
    found += [fact for fact in own if parameter in fact.table.columns]
    return list({fact.name: fact for fact in found}.values())


def is_called(fact: TableFact, word: str) -> bool:
    """In the singular or the plural, by the table's name or the class's."""
    names = {fact.name.lower()}
    if fact.model is not None:
        names.add(re.sub(r"(?<!^)(?=[A-Z])", "_", fact.model.__name__).lower())
    word = word.replace("-", "_").lower()
    return bool(word) and any(word in _plurals(name) or name in _plurals(word) for name in names)


def _plurals(word: str) -> set[str]:
    return {word, f"{word}s", f"{word}es", f"{word.removesuffix('y')}ies"}
