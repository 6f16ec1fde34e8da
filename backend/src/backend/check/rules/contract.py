"""What a route answers, and how it is found."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from inspect import Signature, signature
from typing import Any, Literal, get_args, get_origin

from fastapi.dependencies.utils import get_typed_return_annotation
from fastapi.routing import RouteContext
from fastapi.utils import generate_unique_id
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from backend.check.finding import Finding, Level, Place
from backend.check.mending import Fix, add_to_decorator, take_limit
from backend.check.places import assignment_place, function_node, parse, service_of
from backend.check.registry import rule
from backend.check.routes import APP, Route, Routes
from backend.check.shapes import item_of, models_in, parts, schema_of

__all__ = ["answers_have_a_model", "lists_are_bounded"]


@rule("BK301", "Every answer has a response model", facts="routes")
def answers_have_a_model(routes: Routes) -> Iterator[Finding]:
    for route in routes:
        if route.kind != "operation" or not route.is_own:
            continue
        if route.response_model is None:
            if _answers_with_a_body(route):
                yield Finding(
                    "BK301",
                    route.place,
                    route.name,
                    f"{route.name} has no response model, so it sends whatever the function "
                    "returns, private columns too.",
                    "Name the schema that goes out: `response_model=…` in the decorator, or as the "
                    "return type.",
                )
        elif loose := _loose(route.response_model):
            yield Finding(
                "BK301",
                route.place,
                route.name,
                f"{route.name} answers with `{loose}`, which lets everything through and tells "
                "clients nothing.",
                "Declare a schema with the fields that go out, and name it as `response_model`.",
            )


def _answers_with_a_body(route: Route) -> bool:
    if route.status_code in {204, 205} or route.status_code // 100 == 3:
        return False
    streams = ("is_sse_stream", "is_json_stream", "stream_item_type")
    if any(getattr(route.context, name, None) for name in streams):
        return False
    kind = route.response_class
    if isinstance(kind, type) and not issubclass(kind, JSONResponse):
        return False
    returned = _returned(route)
    return not (
        returned is None
        or all(
            part is type(None) or (isinstance(part, type) and issubclass(part, Response))
            for part in get_args(returned) or (returned,)
        )
    )


def _returned(route: Route) -> Any:
    """The return annotation; `Signature.empty` without one."""
    if route.endpoint is None:
        return Signature.empty
    if signature(route.endpoint).return_annotation is Signature.empty:
        return Signature.empty
    return get_typed_return_annotation(route.endpoint)


def _loose(model: Any) -> str | None:
    for part in parts(model):
        arguments = get_args(part)
        if part in {Any, object, dict, list}:
            return getattr(part, "__name__", "Any")
        if get_origin(part) is dict and arguments[1] in {Any, object}:
            return "dict[str, Any]"
    return None


@rule("BK302", "No answer shows a private column", facts="routes")
def answers_show_nothing_private(routes: Routes) -> Iterator[Finding]:
    seen: set[tuple[type, str]] = set()
    for route in routes:
        if not route.is_own or route.response_model is None:
            continue
        for model in models_in(route.response_model):
            services = {service_of(model), route.service}
            for table in routes.tables:
                shown = table.private & _shown(model, route.context)
                if table.service not in services:  # a name that means the same everywhere
                    shown = frozenset(name for name in shown if _EVERYWHERE.search(name))
                for name in sorted(shown):
                    place = assignment_place(model, name, routes.root)
                    if place is None or (model, name) in seen:
                        continue
                    seen.add((model, name))
                    yield Finding(
                        "BK302",
                        place,
                        f"{model.__name__}.{name}",
                        f"{route.name} answers with {model.__name__}, which shows the private "
                        f"column `{table.name}.{name}`.",
                        f"Delete `{name}` from {model.__name__}; what a caller has to know of it "
                        "is a field of another name.",
                    )


_EVERYWHERE = re.compile("password|hash")


def _shown(model: type[BaseModel], context: RouteContext) -> set[str]:
    excluded = context.response_model_exclude or ()
    return {
        name
        for name, field in model.model_fields.items()
        if not field.exclude and name not in excluded
    }


_PAGE_SIZES = frozenset(
    {"limit", "page_size", "per_page", "size", "first", "take", "top", "count", "max_results"}
)
_PAGED_FIELDS = ("items", "results", "data", "rows")


@rule("BK303", "Every list is answered in pages of a bounded size", facts="routes")
def lists_are_bounded(routes: Routes) -> Iterator[Finding]:
    for route in routes:
        if route.method != "GET" or not route.is_own or route.response_model is None:
            continue
        item = _listed(route.response_model)
        if item is None or _is_one_of_few(item):
            continue
        sizes = dict(_page_sizes(route))
        if any(sizes.values()):
            continue
        is_of_rows = any(models_in(item))
        without = (
            f"takes any `{min(sizes)}`"
            if sizes
            else "has no limit, so it answers with every row"
            if is_of_rows
            else "nothing says how long it may get"
        )
        yield Finding(
            "BK303",
            route.place,
            route.name,
            f"{route.name} answers with a list, and {without}.",
            "Take `limit: Limit = 20, cursor: Cursor = None` (backend.core.pagination), let the "
            "service return `await paginate(…)`, and answer with `response_model=Page[…]`."
            + (
                ""
                if is_of_rows
                else " If it is always the same few, answer with a list of an enum or a `Literal`."
            ),
            fix=_take_limit(route) if "limit" in sizes else None,
        )


def _take_limit(route: Route) -> Fix | None:
    """Where the function itself has a plain `limit: int`."""
    node = function_node(route.endpoint) if route.endpoint is not None else None
    if node is None:
        return None
    for argument in (*node.args.args, *node.args.kwonlyargs):
        if argument.arg == "limit" and ast.unparse(argument.annotation or node) == "int":
            return take_limit(route.place.path, node.name, "limit")
    return None


def _listed(model: Any) -> Any:
    """What the list is of, for a list or a page of one."""
    if (item := item_of(model)) is not None:
        return item
    if isinstance(model, type) and issubclass(model, BaseModel):
        for name in _PAGED_FIELDS:
            if name in model.model_fields:
                return item_of(model.model_fields[name].annotation)
    return None


def _is_one_of_few(item: Any) -> bool:
    """Of an enum there are never many."""
    return get_origin(item) is Literal or (
        isinstance(item, type) and (issubclass(item, Enum) or item is bool)
    )


def _page_sizes(route: Route) -> Iterator[tuple[str, bool]]:
    """The parameters that say how much is wanted, and whether there is an end to it."""
    for parameter in route.query_params:
        for model in models_in(parameter.field_info.annotation):
            for name, schema in model.model_json_schema(by_alias=True)["properties"].items():
                if name in _PAGE_SIZES:
                    yield name, _has_maximum(schema)
        if parameter.alias in _PAGE_SIZES:
            yield parameter.alias, _has_maximum(schema_of(parameter))


def _has_maximum(schema: dict[str, Any]) -> bool:
    branches = [item for item in schema.get("anyOf", [schema]) if item.get("type") != "null"]
    return all(
        item.keys() & {"maximum", "exclusiveMaximum", "enum", "const", "$ref"} for item in branches
    )


_CREATES = re.compile(r"(create|add|register)(_|$)")


@rule(
    "BK304",
    "What creates answers 201, what deletes answers 204",
    facts="routes",
    level=Level.ADVICE,
)
def statuses_say_what_happened(routes: Routes) -> Iterator[Finding]:
    for route in routes:
        if route.kind != "operation" or not route.is_own or route.endpoint is None:
            continue
        if route.method == "POST" and route.status_code == 200 and _creates(route, routes):
            yield _status(route, 201, f"{route.name} creates something and answers 200.")
        elif (
            route.method == "DELETE"
            and route.status_code == 200
            and route.response_model is None
            and _returns_nothing(route)
        ):
            yield _status(route, 204, f"{route.name} answers 200 with `null` for a body.")


def _status(route: Route, status: int, message: str) -> Finding:
    endpoint = route.endpoint
    return Finding(
        "BK304",
        route.place,
        route.name,
        message,
        f"Write `status_code={status}` in the decorator.",
        Level.ADVICE,
        add_to_decorator(route.place.path, endpoint.__name__, status_code=str(status))
        if endpoint is not None
        else None,
    )


def _creates(route: Route, routes: Routes) -> bool:
    """Its name says so; or there are single ones below its path, and it answers with such a one."""
    if route.endpoint is not None and _CREATES.match(route.endpoint.__name__):
        return True
    model = route.response_model
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return False
    single = re.compile(re.escape(route.path.rstrip("/")) + r"/\{\w+\}/?")
    return "id" in model.model_fields and any(
        other.method == "GET" and single.fullmatch(other.path) for other in routes
    )


def _returns_nothing(route: Route) -> bool:
    """Seen from its code, since a 204 must have no body."""
    node = function_node(route.endpoint) if route.endpoint is not None else None
    return node is not None and not any(
        isinstance(inner, ast.Return)
        and inner.value is not None
        and not (isinstance(inner.value, ast.Constant) and inner.value.value is None)
        for inner in ast.walk(node)
    )


@rule("BK305", "No route is hidden by an earlier one", facts="routes")
def routes_can_be_reached(routes: Routes) -> Iterator[Finding]:
    earlier: list[Route] = []
    said: set[_Inclusion] = set()
    for route in routes:
        if route.kind == "websocket":
            continue
        sample = _sample(route)
        for other in earlier:
            if _answers(other, route.method, sample):
                if other.path == route.path and _is_same(other, route):
                    inclusion = _inclusion(route)
                    if inclusion not in said:
                        said.add(inclusion)
                        yield Finding(
                            "BK305",
                            _included_at(inclusion, routes) or route.place,
                            route.name,
                            f"{route.name} is in the app twice, with all of its router: the "
                            "second is never asked.",
                            "Delete the second `include_router(…)`.",
                        )
                    break
                yield Finding(
                    "BK305",
                    route.place,
                    route.name,
                    f"{route.name} is never asked: {other.name}, which stands before it, answers "
                    f"the same paths ({other.place.path}:{other.place.line}).",
                    f"Put the route of {route.path} before that of {other.path}, or give it "
                    "another path.",
                )
                break
        earlier.append(route)


_SAMPLES = {"int": "7", "float": "1.5", "uuid": "0190b5d2-7c1e-7000-8000-000000000000"}


def _sample(route: Route) -> str:
    """A path that this route matches, and no route that asks for a special form of it."""
    path = route.path
    for name, convertor in (getattr(route.context, "param_convertors", None) or {}).items():
        kind = type(convertor).__name__.removesuffix("Convertor").lower()
        value = {"path": "~a/~b"}.get(kind, _SAMPLES.get(kind, "~any"))
        path = path.replace("{" + name + "}", value)
    return path


def _answers(route: Route, method: str, path: str) -> bool:
    if route.kind == "websocket":
        return False
    if route.kind == "mount":
        return path == route.path or path.startswith(route.path.rstrip("/") + "/")
    if route.method != method or (route.prefix and not path.startswith(route.prefix)):
        return False
    pattern = getattr(route.context, "path_regex", None)
    return pattern is not None and bool(pattern.match(path.removeprefix(route.prefix)))


_AN_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")


@rule("BK306", "Operation ids are unique and stay as they are", facts="routes")
def operation_ids_are_stable(routes: Routes) -> Iterator[Finding]:
    first: dict[str, Route] = {}
    said: set[_Inclusion] = set()
    for route in routes:
        operation = route.operation_id
        if operation is None:
            continue
        other = first.setdefault(operation, route)
        if other is not route and _is_same(other, route):
            inclusion = _inclusion(route)
            if inclusion in said or other.path == route.path:
                continue  # one is never asked, which BK305 says
            said.add(inclusion)
            yield Finding(
                "BK306",
                _included_at(inclusion, routes) or route.place,
                route.name,
                f"The router of {route.name} is in the app twice, as {other.name} too, so its "
                f"operation ids are there twice, such as `{operation}`: a generated client has one "
                "of each.",
                "Write `include_in_schema=False` in one of the two `include_router(…)`.",
            )
        elif other is not route:
            yield Finding(
                "BK306",
                route.place,
                route.name,
                f"{route.name} has the operation id `{operation}`, as {other.name} has "
                f"({other.place.path}:{other.place.line}), so a generated client has one of them.",
                "Write `include_in_schema=False`, or an `operation_id=…`, in one of its decorators."
                if other.endpoint is route.endpoint
                else "Give the function another name, or the route an `operation_id=…`.",
            )
        elif _AN_ADDRESS.search(operation):
            yield Finding(
                "BK306",
                route.place,
                route.name,
                f"The operation id `{operation}` holds an address in memory, and is another one "
                "at every start.",
                "Give the endpoint a name: a function, or `operation_id=…` in the decorator.",
            )
        elif _is_from_the_path(route):
            yield Finding(
                "BK306",
                route.place,
                route.name,
                f"The operation id `{operation}` is made of the path, and changes with it.",
                "Make the app with `generate_unique_id_function=operation_id` "
                "(backend.core.openapi), or write `operation_id=…` in the decorator.",
            )


@dataclass(frozen=True)
class _Inclusion:
    """Of a router in the app."""

    module: str
    """Of the functions of its routes."""
    prefix: str


def _is_same(one: Route, other: Route) -> bool:
    """One route of a router that was included twice."""
    return one.context.original_route is other.context.original_route


def _inclusion(route: Route) -> _Inclusion:
    own = getattr(route.context.original_route, "path", "")
    return _Inclusion(getattr(route.endpoint, "__module__", ""), route.path.removesuffix(own))


def _included_at(inclusion: _Inclusion, routes: Routes) -> Place | None:
    """The last line of app.py that includes a router of this module with this prefix."""
    path = routes.root / APP
    if not path.is_file():
        return None
    names: set[str] = set()
    lines = []
    for node in ast.walk(parse(path)):
        match node:
            case ast.ImportFrom(module=module, names=aliases) if module == inclusion.module:
                names.update(alias.asname or alias.name for alias in aliases)
            case ast.Call(
                func=ast.Attribute(attr="include_router"), args=[ast.Name(id=name), *_]
            ) if name in names:
                values = {keyword.arg: keyword.value for keyword in node.keywords}
                prefix = values.get("prefix", ast.Constant(""))
                if isinstance(prefix, ast.Constant) and prefix.value == inclusion.prefix:
                    lines.append(node.lineno)
    return Place(APP, max(lines)) if lines else None


def _is_from_the_path(route: Route) -> bool:
    if getattr(route.context, "operation_id", None):
        return False
    function = getattr(route.context, "generate_unique_id_function", None)
    return getattr(function, "value", function) is generate_unique_id
