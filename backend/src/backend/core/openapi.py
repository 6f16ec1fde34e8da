"""The OpenAPI document: readable names, and the errors that every operation can give.

A service declares nothing for it. What an operation takes says which errors it gives: a token 401
and 403, something in its path 404, a body 400 and 413, anything at all 422. Codes of its own it
adds with `responses=describe({…})`.
"""

import re
from collections.abc import Iterator
from threading import Lock
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from backend.core.access import public
from backend.core.problems import Problem

__all__ = ["install_openapi", "operation_id"]

_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_REFERENCE = "#/components/schemas/"
_REQUEST_ID = {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}}
_COMMON_HEADERS = {
    "X-Request-ID": {
        "description": "Names this request in the logs. One that the request brings is kept.",
        "required": True,
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {
        "description": "How to authenticate (RFC 9110, 11.6.1).",
        "required": True,
        "schema": {"type": "string"},
    },
}
_CHALLENGE = {"WWW-Authenticate": {"$ref": "#/components/headers/WWW-Authenticate"}}


def _problem(description: str, **headers: dict[str, str]) -> dict[str, Any]:
    return {
        "description": description,
        "headers": _REQUEST_ID | headers,
        "content": {"application/problem+json": {"schema": {"$ref": f"{_REFERENCE}Problem"}}},
    }


_COMMON_PROBLEMS = {
    "400": ("BadRequest", _problem("The body cannot be read, or what it asks for is refused.")),
    "401": ("Unauthorized", _problem("No valid token was given.", **_CHALLENGE)),
    "403": ("Forbidden", _problem("The token is good, and does not allow this.")),
    "404": ("NotFound", _problem("It does not exist, or not for this caller.")),
    "413": ("BodyTooLarge", _problem("The body is larger than this server takes.")),
    "422": ("InvalidInput", _problem("A value is not what is declared; `errors` says where.")),
    "default": ("Problem", _problem("Any other error.")),
}


def operation_id(route: APIRoute) -> str:
    """`tag_function`, as in `auth_login`: what generated clients call their functions."""
    tag = str(route.tags[0]) if route.tags else _tag_of(route.path_format)
    return re.sub(r"\W", "_", f"{tag}_{route.name}")


def _tag_of(path: str) -> str:
    """`your-service` of `/api/your-service/{id}`."""
    return next((part for part in path.split("/") if part not in {"", "api"}), "api")


def install_openapi(app: FastAPI) -> None:
    """Describes what is really sent, in the place of FastAPI's own shapes of errors."""
    stock = app.openapi
    described: list[dict[str, Any]] = []
    lock = Lock()

    def openapi() -> dict[str, Any]:
        with lock:
            document = stock()
            if not described or described[0] is not document:
                _describe(document)
                described[:] = [document]
            return document

    app.openapi = openapi  # type: ignore[method-assign]
    app.add_route("/openapi.json", get_document, include_in_schema=False)


@public
def get_document(request: Request) -> JSONResponse:
    """Not async, so that it runs in a thread: making the document of a hundred services takes more
    than a second, and FastAPI's own route lets every other request wait for it."""
    document: dict[str, Any] = request.app.openapi()
    if root_path := request.scope.get("root_path", "").rstrip("/"):
        document = document | {"servers": [{"url": root_path}]}
    return JSONResponse(document)


def _describe(document: dict[str, Any]) -> None:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for path, operation in _operations(document):
        operation.setdefault("tags", [_tag_of(path)])
        _describe_errors(path, operation)
        _drop_nulls(operation, schemas)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas.update(_problem_schemas())
    components["headers"] = _COMMON_HEADERS
    components["responses"] = dict(_COMMON_PROBLEMS.values())
    _rename_schemas(document)


def _problem_schemas() -> dict[str, Any]:
    _, document = models_json_schema(
        [(Problem, "serialization")], ref_template=f"{_REFERENCE}{{model}}"
    )
    schemas: dict[str, Any] = document["$defs"]
    for schema in schemas.values():
        for field in schema["properties"].values():
            field.pop("default", None)
    return schemas


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document.get("paths", {}).items():
        for operation in item.values():
            yield path, operation


def _describe_errors(path: str, operation: dict[str, Any]) -> None:
    responses = operation.setdefault("responses", {})
    expected = {"default"}
    if operation.get("security"):
        expected |= {"401", "403"}
    if "{" in path:
        expected.add("404")
    if "requestBody" in operation:
        expected |= {"400", "413"}
    if responses.get("422", {}).get("description") == "Validation Error":
        del responses["422"]
        expected.add("422")
    for status in expected - responses.keys():
        name, _response = _COMMON_PROBLEMS[status]
        responses[status] = {"$ref": f"#/components/responses/{name}"}
    for status, response in responses.items():
        if "$ref" in response:
            continue
        response["headers"] = _REQUEST_ID | response.get("headers", {})
        if status[0] in "45":
            response["content"] = _problem("")["content"]
        if status == "401":
            response["headers"] |= _CHALLENGE
    operation["responses"] = dict(sorted(responses.items()))


def _drop_nulls(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """A query or a form cannot carry null: what is optional there is left out."""
    for parameter in operation.get("parameters", []):
        _drop_null(parameter["schema"])
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        name = content.get("schema", {}).get("$ref", "").removeprefix(_REFERENCE)
        if media_type in _FORMS and name in schemas:
            for schema in schemas[name].get("properties", {}).values():
                _drop_null(schema)
                if schema.get("default") == "":
                    del schema["default"]


def _drop_null(schema: dict[str, Any]) -> None:
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del schema["anyOf"]
        schema.update({**kinds[0], **schema})
    elif kinds:
        schema["anyOf"] = kinds


def _rename_schemas(document: dict[str, Any]) -> None:
    """Names for the classes of generated clients, where FastAPI makes them up from several."""
    schemas = document["components"]["schemas"]
    forms = {
        content["schema"].get("$ref", "").removeprefix(_REFERENCE)
        for _path, operation in _operations(document)
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items()
        if media_type in _FORMS
    }
    names: dict[str, str] = {}
    for name in schemas:
        readable = _readable(name, is_form=name in forms)
        if readable not in schemas and readable not in names.values():
            names[name] = readable
    for old, new in names.items():
        schemas[new] = schemas.pop(old) | {"title": new}
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    references = {f"{_REFERENCE}{old}": f"{_REFERENCE}{new}" for old, new in names.items()}
    _replace_references(document, references)


def _readable(name: str, *, is_form: bool) -> str:
    """`Page_UserRead_` is UserReadPage, `Body_auth_login` is AuthLoginForm, and
    `backend__services__notes__schemas__NoteRead` (one of two NoteReads) is NotesNoteRead."""
    if found := re.fullmatch(r"backend__services__(\w+?)__(?:\w+__)?(\w+)", name):
        return _camel(found[1]) + _readable(found[2], is_form=is_form)
    if name.startswith("Body_"):
        return _camel(name.removeprefix("Body_")) + ("Form" if is_form else "Body")
    if found := re.fullmatch(r"([A-Za-z0-9]+)_(\w+)_", name):
        return _camel(found[2]) + found[1]
    return name


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _replace_references(node: Any, references: dict[str, str]) -> None:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            node["$ref"] = references.get(node["$ref"], node["$ref"])
        for value in node.values():
            _replace_references(value, references)
    elif isinstance(node, list):
        for value in node:
            _replace_references(value, references)
