"""What requests and answers are made of: the models in a type, and the text in a schema."""

import re
import types
import uuid
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Union, get_args, get_origin

from fastapi._compat import ModelField
from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import DecimalSchema

from backend.check.routes import Route

__all__ = [
    "input_models",
    "is_bounded_text",
    "is_text_of_any_length",
    "item_of",
    "length_of",
    "lengths_of_fields",
    "models_in",
    "parts",
    "schema_of",
    "text_of_field",
    "text_of_parameter",
]

# Forms of text that are short by themselves, or are no text to anybody but the schema.
_SHORT_FORMATS = frozenset(
    {
        *("uuid", "uuid1", "uuid3", "uuid4", "uuid5", "uuid6", "uuid7", "uuid8"),
        *("date", "time", "date-time", "duration", "binary", "base64url"),
        *("email", "idn-email", "name-email"),  # Pydantic refuses longer ones
        *("ipv4", "ipv6", "ipvanyaddress", "ipvanyinterface", "ipvanynetwork"),
        *("ipv4network", "ipv6network", "ipv4interface", "ipv6interface", "color"),
    }
)
_NO_TEXT = frozenset({int, bool, float, uuid.UUID, date, datetime, Decimal, types.NoneType})
_UNBOUNDED = re.compile(r"(?<!\\)[*+]|(?<!\\)\{\d*,\}")


class _Schema(GenerateJsonSchema):
    def decimal_schema(self, schema: DecimalSchema) -> dict[str, Any]:
        """A number, and not a text beside it: it has digits, and an end."""
        return {"type": "number", "maximum": schema["le"]} if "le" in schema else {"type": "number"}


def parts(annotation: Any) -> Iterator[Any]:
    """The types in an annotation, without going into models."""
    if alias := getattr(annotation, "__value__", None):
        yield from parts(alias)
        return
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from parts(get_args(annotation)[0])
        return
    yield annotation
    for inner in get_args(annotation) if origin is not None else ():
        yield from parts(inner)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    for part in parts(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield part


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models in an annotation, and those in their fields, at any depth."""
    found: dict[type[BaseModel], None] = {}

    def visit(of: Any) -> None:
        for model in _models(of):
            if model not in found:
                found[model] = None
                for field in model.model_fields.values():
                    visit(field.annotation)

    visit(annotation)
    return list(found)


def item_of(annotation: Any) -> Any:
    """What a list, a set or a tuple of any length is made of; None for another type."""
    if alias := getattr(annotation, "__value__", None):
        return item_of(alias)
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if origin is Annotated:
        return item_of(arguments[0])
    if origin in {Union, types.UnionType}:
        others = [inner for inner in arguments if inner is not types.NoneType]
        return item_of(others[0]) if len(others) == 1 else None
    if annotation in {list, set, frozenset, tuple}:
        return Any
    if isinstance(origin, type) and origin is not dict and not issubclass(origin, str):
        if origin is tuple and (len(arguments) != 2 or arguments[1] is not Ellipsis):
            return None
        if hasattr(origin, "__iter__") and not hasattr(origin, "keys"):
            return arguments[0] if arguments else Any
    return None


def input_models(route: Route) -> list[type[BaseModel]]:
    """Of the request's body, form and query, with those in their fields."""
    parameters = [*route.body_params, *route.query_params]
    found = [model for item in parameters for model in models_in(item.field_info.annotation)]
    return list(dict.fromkeys(found))


def text_of_field(model: type[BaseModel]) -> set[str]:
    """The fields that take text of any length, by themselves or in a list or union."""
    try:
        schema = model.model_json_schema(by_alias=False, schema_generator=_Schema)
    except (PydanticInvalidForJsonSchema, PydanticUserError):
        return set()  # what it takes has no JSON, so no client sends it
    definitions = schema.get("$defs", {})
    if "$ref" in schema:
        schema = definitions.get(schema["$ref"].rpartition("/")[2], {})
    return {
        name
        for name, field in schema.get("properties", {}).items()
        if not is_bounded_text(field, definitions)
    }


def lengths_of_fields(model: type[BaseModel]) -> dict[str, int]:
    """How long the text of each field may be, where nothing but its schema says so."""
    try:
        schema = model.model_json_schema(by_alias=False, schema_generator=_Schema)
    except (PydanticInvalidForJsonSchema, PydanticUserError):
        return {}
    definitions = schema.get("$defs", {})
    if "$ref" in schema:
        schema = definitions.get(schema["$ref"].rpartition("/")[2], {})
    found = {}
    for name, field in schema.get("properties", {}).items():
        for branch in field.get("anyOf", [field]):
            if branch.get("type") == "string" and "maxLength" in branch:
                found[name] = branch["maxLength"]
    return found


def length_of(annotation: Any) -> int | None:
    """How long text of this type may be; None for another type, and for text of any length."""
    try:
        schema = TypeAdapter(annotation).json_schema(schema_generator=_Schema)
    except (PydanticInvalidForJsonSchema, PydanticUserError):
        return None
    return schema.get("maxLength") if schema.get("type") == "string" else None


def is_text_of_any_length(annotation: Any) -> bool:
    try:
        schema = TypeAdapter(annotation).json_schema(schema_generator=_Schema)
    except (PydanticInvalidForJsonSchema, PydanticUserError):
        return False
    return not is_bounded_text(schema, schema.get("$defs", {}))


def text_of_parameter(field: ModelField) -> bool:
    """Whether a parameter takes text of any length; what is in models is theirs to say."""
    kinds = list(parts(field.field_info.annotation))
    if any(_models(field.field_info.annotation)) or all(kind in _NO_TEXT for kind in kinds):
        return False
    try:
        schema = schema_of(field)
    except (PydanticInvalidForJsonSchema, PydanticUserError):
        return False
    return not is_bounded_text(schema, schema.get("$defs", {}))


def schema_of(field: ModelField) -> dict[str, Any]:
    annotated: Any = Annotated[field.field_info.annotation, field.field_info]
    return TypeAdapter(annotated).json_schema(schema_generator=_Schema)


def is_bounded_text(schema: dict[str, Any], definitions: dict[str, Any]) -> bool:
    """Whether all text in a JSON schema has a length; objects are looked at by themselves."""
    return not any(_unbounded(schema, definitions, frozenset()))


def _unbounded(
    schema: Any, definitions: dict[str, Any], seen: frozenset[str]
) -> Iterator[dict[str, Any]]:
    if not isinstance(schema, dict):
        return
    if isinstance(reference := schema.get("$ref"), str):
        name = reference.rpartition("/")[2]
        target = definitions.get(name, {})
        if name not in seen and "properties" not in target:
            yield from _unbounded(target, definitions, seen | {name})
    for key in ("anyOf", "oneOf", "allOf"):
        branches = schema.get(key, [])
        for branch in branches:
            yield from _unbounded(branch, definitions, seen)
    if schema.get("type") == "string" and not _is_short(schema):
        yield schema
    for key in ("items", "additionalProperties"):
        yield from _unbounded(schema.get(key), definitions, seen)
    for item in schema.get("prefixItems", []):
        yield from _unbounded(item, definitions, seen)


def _is_short(schema: dict[str, Any]) -> bool:
    if schema.get("contentMediaType") == "application/octet-stream":
        return True  # a file that is sent up, which the largest body bounds
    if schema.keys() & {"maxLength", "enum", "const"} or schema.get("format") in _SHORT_FORMATS:
        return True
    pattern = schema.get("pattern", "")
    return (
        pattern.startswith("^") and pattern.endswith("$") and not _UNBOUNDED.search(pattern[1:-1])
    )
