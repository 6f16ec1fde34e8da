"""The OpenAPI document: readable operation ids, and the errors that every operation can give."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from backend.core.problems import FieldProblem, Problem

__all__ = ["install_openapi", "operation_id"]

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def operation_id(route: APIRoute) -> str:
    """`tag_function`, as in `auth_login`: what generated clients call their functions."""
    tag = str(route.tags[0]) if route.tags else "api"
    return f"{tag}_{route.name}".replace("-", "_")


def install_openapi(app: FastAPI) -> None:
    """Describes errors as they are sent: RFC 9457, in the place of FastAPI's own two shapes."""
    stock = app.openapi
    described: list[dict[str, Any]] = []

    def openapi() -> dict[str, Any]:
        document = stock()
        if document not in described[-1:]:
            _describe_errors(document)
            described[:] = [document]
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _describe_errors(document: dict[str, Any]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for model in (Problem, FieldProblem):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    for item in document.get("paths", {}).values():
        for operation in item.values():
            responses = operation.setdefault("responses", {})
            if operation.get("security"):
                responses.setdefault("401", {"description": "No valid token was given."})
            responses.setdefault("default", {"description": "Any other error."})
            for status, response in responses.items():
                if status == "default" or status[0] in "45":
                    response["content"] = _PROBLEM
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
