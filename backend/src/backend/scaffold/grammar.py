"""The words of `backend service new`: `name:type[:argument][:modifier…]`, read and checked.

A mistake is a GrammarError, whose text shows the place, what is meant perhaps, and the grammar.
"""

import builtins
import difflib
import keyword
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from backend.scaffold.field_view import FieldView
from backend.scaffold.modifiers import FLAGS, ON_DELETE, WITH_VALUE, Refused, complete, modify
from backend.scaffold.names import in_words, pascal, singular
from backend.scaffold.reserved import (
    CLASSES_IN_THE_MODULES,
    IN_THE_MODULES,
    OF_POSTGRESQL,
    OF_THE_LIST,
    OF_THE_MODEL,
    OF_THE_SCHEMA,
    SERVER_OWNED,
    SERVICES,
    VARIABLES_IN_THE_MODULES,
)
from backend.scaffold.spec import Field, Kind, Owner, ServiceSpec, Target

__all__ = [
    "GRAMMAR",
    "GrammarError",
    "check_targets",
    "parse_fields",
    "parse_service",
]

NAME_MAX_LENGTH = 30
ENUM_VALUE_MAX_LENGTH = 30
DECIMAL_MAX_DIGITS = 15  # what a double holds exactly, and SQLite has nothing else

GRAMMAR = """\
A field is name:type[:argument][:modifier…], without spaces. It is required unless it is optional.
  types      str text int bigint decimal:12.2 float bool date datetime uuid email url json
             enum:draft,live ref:clients
  modifiers  optional unique index default=… min=… max=… private readonly immutable
             search filter sort; of a ref also cascade restrict setnull
  for example  title:str:max=120:search status:enum:draft,live:default=draft client:ref:clients"""

_FORBIDDEN = re.compile(r"[^A-Za-z0-9:,=._-]")
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_ENUM_VALUE = re.compile(r"[A-Za-z][A-Za-z0-9]*([_-][A-Za-z0-9]+)*")
_SYNONYMS = {
    "boolean": "bool",
    "char": "str",
    "choice": "enum",
    "dict": "json",
    "double": "float",
    "foreign_key": "ref",
    "integer": "int",
    "link": "url",
    "long": "bigint",
    "money": "decimal",
    "numeric": "decimal",
    "object": "json",
    "reference": "ref",
    "references": "ref",
    "string": "str",
    "timestamp": "datetime",
    "varchar": "str",
}
_MODIFIER_SYNONYMS = {
    "default": "default=…",
    "max": "max=…",
    "min": "min=…",
    "null": "optional",
    "nullable": "optional",
    "required": "nothing: a field is required unless it is `optional`",
}


class GrammarError(ValueError):
    """What cannot be meant; `str()` is the whole message."""


@dataclass(frozen=True)
class _Part:
    """A piece of a field's text, and where it begins."""

    text: str
    start: int


class _Mistake(Exception):  # noqa: N818 - becomes a GrammarError, which has the whole text
    def __init__(self, message: str, start: int, length: int) -> None:
        super().__init__(message)
        self.start = start
        self.length = length


def parse_service(name: str, fields: Sequence[str], owner: Owner) -> ServiceSpec:
    """Raises GrammarError."""
    try:
        one = _service_name(name)
    except _Mistake as mistake:
        raise _error(name, mistake, grammar=False) from None
    spec = ServiceSpec(name=name, one=one, owner=owner, fields=tuple(parse_fields(fields)))
    if not spec.created:
        raise GrammarError(
            "Every field is readonly, so nobody could create anything: add one that is not."
            if spec.fields
            else f"A service has at least one field.\n\n{GRAMMAR}"
        )
    descending = {"created_at_desc"} | {f"{field.name}_desc" for field in spec.fields if field.sort}
    _check_own_names(spec)
    for field in spec.fields:
        if field.search and not spec.owned:
            raise _error(
                field.text,
                _Mistake(
                    "A search looks into one row after the other, and without an owner that is the "
                    "whole table: use --owner user, or find rows by `filter` or `sort`. "
                    "docs/decisions/search.md says what it costs, and how it is done by hand.",
                    field.text.find(":search") + 1,
                    len("search"),
                ),
            )
        if field.sort and field.name in descending:
            raise field_error(
                field, "This is what the order of another field is called, the other way round."
            )
        if field.target == name and not field.optional:
            raise field_error(
                field, f"The first of the {in_words(name)} could refer to none: make it optional."
            )
    return spec


def _check_own_names(spec: ServiceSpec) -> None:
    taken: dict[str, Field] = {}
    for field in spec.fields:
        for name in FieldView(field, spec, None).own_names:
            if name in taken:
                raise field_error(
                    field,
                    f"Of `{field.name}` and of `{taken[name].name}` the code would make one name, "
                    f"`{name}`: call one of them something else.",
                    at_name=True,
                )
            taken[name] = field


def parse_fields(texts: Sequence[str]) -> list[Field]:
    """Raises GrammarError."""
    fields: dict[str, Field] = {}
    for text in texts:
        try:
            field = _field(text)
            if field.name in fields:
                _mistake(f"There is a field `{field.name}` already.", _Part(text.split(":")[0], 0))
        except _Mistake as mistake:
            raise _error(text, mistake) from None
        fields[field.name] = field
    return list(fields.values())


def check_targets(spec: ServiceSpec, targets: Mapping[str, Target]) -> None:
    """Raises GrammarError where a field refers to what it cannot, or has an index's name."""
    indexed = {
        f"{target.table}_{column}": (target, column)
        for target in targets.values()
        if target.service != spec.name
        for column in target.columns
    }
    for field in spec.fields:
        if other := indexed.get(f"{spec.name}_{field.name}"):
            target, column = other
            raise field_error(
                field,
                f"An index of it would be called as one of `{column}` of the "
                f"{in_words(target.service)}: call it something else.",
                at_name=True,
            )
    for field in spec.fields:
        if not field.target or field.target == spec.name:
            continue
        if field.target not in targets:
            known = ", ".join(targets) or "none yet"
            raise field_error(
                field,
                f"There is no service `{field.target}`{_nearest(field.target, targets)} "
                f"Services that can be referred to: {known}.",
            )
        if path := _way(field.target, spec.name, targets):
            words = " refers to ".join(f"`{name}`" for name in path)
            raise field_error(
                field,
                f"{words} already, and two services cannot refer to each other: leave this out, or "
                "make a third service that refers to both.",
            )
        if targets[field.target].owned and not spec.owned:
            raise field_error(
                field,
                f"Everybody sees the {in_words(spec.name)}, and each of the "
                f"{in_words(field.target)} only its owner: use --owner user, or leave this out.",
            )


def _way(start: str, end: str, targets: Mapping[str, Target]) -> Sequence[str]:
    """From one service to another, as the one refers to the next; nothing where there is none."""
    ways = [[start]]
    seen = {start}
    for way in ways:
        target = targets.get(way[-1])
        for name in sorted(target.needs if target else ()):
            if name == end:
                return [*way, name]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []


def field_error(field: Field, message: str, *, at_name: bool = False) -> GrammarError:
    """About a field that was read already; the caret is under what it refers to, or its name."""
    referred = "" if at_name else field.target
    start = field.text.find(f":ref:{referred}") + 1 if referred else 0
    length = len(f"ref:{referred}") if referred else len(field.text.split(":")[0])
    return _error(field.text, _Mistake(message, start, length))


def _mistake(message: str, part: _Part) -> NoReturn:
    raise _Mistake(message, part.start, len(part.text))


def _error(text: str, mistake: _Mistake, *, grammar: bool = True) -> GrammarError:
    caret = " " * mistake.start + "^" * max(mistake.length, 1)
    return GrammarError(f"  {text}\n  {caret}\n{mistake}" + (f"\n\n{GRAMMAR}" if grammar else ""))


def _nearest(word: str, words: Collection[str], synonyms: Mapping[str, str] | None = None) -> str:
    """A full stop, or that and a question."""
    if meant := (synonyms or {}).get(word):
        return f". Use {meant}." if " " in meant else f". Did you mean `{meant}`?"
    found = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f". Did you mean `{found[0]}`?" if found else "."


def _field(text: str) -> Field:
    if found := _FORBIDDEN.search(text):
        raise _Mistake(
            f"`{found[0]}` cannot be in a field: letters, digits and : , = . _ - can, which no "
            "shell takes for anything else.",
            found.start(),
            1,
        )
    parts = _split(text)
    if len(parts) == 1:
        raise _Mistake(f"`{text}` has no type: write `{text or 'title'}:str`.", len(text), 1)
    name, kind_part, *modifiers = parts
    kind = _kind(kind_part)
    field = Field(text=text, name=_field_name(name, kind), kind=kind)
    if kind in _ARGUMENTS:
        argument = modifiers.pop(0) if modifiers else _Part("", len(text))
        field = replace(field, **_ARGUMENTS[kind](argument))
    return _modified(field, modifiers, name)


def _split(text: str) -> list[_Part]:
    parts: list[_Part] = []
    start = 0
    for piece in text.split(":"):
        parts.append(_Part(piece, start))
        start += len(piece) + 1
    return parts


def _kind(part: _Part) -> Kind:
    try:
        return Kind(part.text)
    except ValueError:
        kinds = [kind.value for kind in Kind]
        what = f"There is no type `{part.text}`" if part.text else "The type is missing"
        _mistake(what + _nearest(part.text, kinds, _SYNONYMS), part)


def _modified(field: Field, modifiers: Sequence[_Part], name: _Part) -> Field:
    seen: dict[str, _Part] = {}
    for part in modifiers:
        word, equals, value = part.text.partition("=")
        known = (word in WITH_VALUE and equals) or (word in FLAGS | ON_DELETE and not equals)
        if not known:
            _unknown_modifier(part, word)
        if word in seen:
            _mistake(f"`{word}` is there twice.", part)
        seen[word] = part
        try:
            field = modify(field, word, value)
        except Refused as refused:
            _mistake(str(refused), part)
    try:
        field = complete(field, seen)
    except Refused as refused:
        _mistake(str(refused), seen.get(refused.modifier, name))
    if field.filterable and field.name in OF_THE_LIST:
        _mistake(
            f"`{field.name}` is a parameter of every list, so that it cannot be a filter of one: "
            f"call it something else, such as `{field.name}_name`.",
            name,
        )
    return field


def _unknown_modifier(part: _Part, word: str) -> NoReturn:
    if word in WITH_VALUE:
        _mistake(f"`{word}` needs a value, as in `{word}={WITH_VALUE[word]}`.", part)
    if word in FLAGS | ON_DELETE:
        _mistake(f"`{word}` takes no value.", part)
    if not part.text:
        _mistake("Here is nothing between two colons, or after the last one.", part)
    words = [*FLAGS, *ON_DELETE, *(f"{word}=…" for word in WITH_VALUE)]
    _mistake(f"There is no modifier `{word}`{_nearest(word, words, _MODIFIER_SYNONYMS)}", part)


def _name(part: _Part, what: str) -> None:
    if not part.text:
        _mistake(f"The {what} is missing.", part)
    if part.text.startswith("_"):
        _mistake("A leading underscore is Python's sign for what is private: leave it out.", part)
    if not _NAME.fullmatch(part.text):
        snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "_", part.text).lower().strip("_")
        hint = f" Did you mean `{snake}`?" if _NAME.fullmatch(snake) else ""
        _mistake(
            f"A {what} is of small letters, digits and single underscores, a letter first.{hint}",
            part,
        )
    if len(part.text) > NAME_MAX_LENGTH:
        _mistake(
            f"A {what} has at most {NAME_MAX_LENGTH} characters: names of constraints, "
            "which PostgreSQL cuts at 63, are made of two of them, and so are lines of code.",
            part,
        )
    if keyword.iskeyword(part.text) or part.text in {"none", "true", "false"}:
        _mistake(f"`{part.text}` is a word of Python's own: call it something else.", part)


def _field_name(part: _Part, kind: Kind) -> str:
    _name(part, "name")
    name = part.text
    if name.startswith("model_"):
        _mistake("Pydantic keeps names that begin with `model_` to itself.", part)
    if kind is Kind.REF and not name.endswith("_id"):
        name += "_id"
    if kind is Kind.REF and name.removesuffix("_id") in VARIABLES_IN_THE_MODULES:
        _mistake(
            f"`{part.text}` has a meaning in the service's own modules already: call it something "
            "else.",
            part,
        )
    if name in SERVER_OWNED:
        _mistake(f"`{name}` is a column of every service, and the server decides about it.", part)
    for taken, owner in (
        (OF_POSTGRESQL, "every table of PostgreSQL"),
        (OF_THE_MODEL, "SQLAlchemy's models"),
        (OF_THE_SCHEMA, "Pydantic's schemas"),
        (IN_THE_MODULES, "the service's own modules"),
    ):
        if name in taken:
            _mistake(f"`{name}` has a meaning in {owner} already: call it something else.", part)
    return name


def _enum(part: _Part) -> dict[str, Any]:
    if not part.text:
        _mistake("An enum needs its values, as in `enum:draft,live`.", part)
    values: dict[str, str] = {}
    start = part.start
    for value in part.text.split(","):
        piece = _Part(value, start)
        start += len(value) + 1
        if not _ENUM_VALUE.fullmatch(value) or len(value) > ENUM_VALUE_MAX_LENGTH:
            _mistake(
                "A value of an enum begins with a letter and has letters, digits, single _ and -, "
                f"{ENUM_VALUE_MAX_LENGTH} at most.",
                piece,
            )
        member = value.replace("-", "_").upper()
        if member in values:
            _mistake(f"`{value}` and `{values[member]}` are one name in Python.", piece)
        values[member] = value
    return {"values": tuple(values.values())}


def _decimal(part: _Part) -> dict[str, Any]:
    match = re.fullmatch(r"(\d{1,3})\.(\d{1,3})", part.text)
    if not match:
        _mistake(
            "A decimal needs its digits, and how many of them come after the point, as in "
            "`decimal:12.2`.",
            part,
        )
    precision, scale = int(match[1]), int(match[2])
    if precision > DECIMAL_MAX_DIGITS:
        _mistake(
            f"A decimal has at most {DECIMAL_MAX_DIGITS} digits, which is what SQLite holds "
            "exactly: count a larger amount in its smallest unit, as a `bigint`.",
            part,
        )
    if not 0 < scale <= precision:
        _mistake(
            "Of a decimal's digits at least one and not more than all come after the point; "
            "without any it is an `int` or a `bigint`.",
            part,
        )
    return {"precision": precision, "scale": scale}


def _ref(part: _Part) -> dict[str, Any]:
    if not part.text:
        _mistake("A ref needs the service that it refers to, as in `ref:clients`.", part)
    if part.text in SERVICES:
        _mistake(
            f"`{part.text}` cannot be referred to, since nobody sees other people's accounts and "
            "mails. The account that a row belongs to is `--owner user`.",
            part,
        )
    if not _NAME.fullmatch(part.text):
        _mistake("This is not the name of a service, as in `ref:clients`.", part)
    return {"target": part.text}


_ARGUMENTS = {Kind.ENUM: _enum, Kind.DECIMAL: _decimal, Kind.REF: _ref}


def _service_name(name: str) -> str:
    """What one of them is called."""
    part = _Part(name, 0)
    _name(part, "name of a service")
    if name in SERVICES:
        _mistake(f"`{name}` is this project's own: call yours something else.", part)
    one = singular(name)
    if one is None:
        _mistake(f"A service is named in the plural. Did you mean `{_plural(name)}`?", part)
    if (
        keyword.iskeyword(one)
        or hasattr(builtins, one)
        or one in VARIABLES_IN_THE_MODULES
        or f"{one}_id" in SERVER_OWNED
    ):
        _mistake(
            f"One of them would be `{one}`, which Python or the service's own modules call "
            f"something else: be more exact, as in `customer_{name}`.",
            part,
        )
    if pascal(one).startswith("Test"):
        _mistake(
            f"The class of one would be `{pascal(one)}`, and pytest takes what begins with `Test` "
            f"for tests: call it something else, as in `customer_{name}`.",
            part,
        )
    if pascal(one) in CLASSES_IN_THE_MODULES or one in IN_THE_MODULES:
        _mistake(
            f"The class of one would be `{pascal(one)}`, which the service's own modules call "
            f"something else: be more exact, as in `customer_{name}`.",
            part,
        )
    return one


def _plural(one: str) -> str:
    if re.search(r"[^aeiou]y$", one):
        return one[:-1] + "ies"
    return one + ("es" if re.search(r"(s|x|z|ch|sh)$", one) else "s")
