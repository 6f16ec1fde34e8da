"""Errors as answers: RFC 9457 `application/problem+json` for every one of them.

`detail` stays what FastAPI and FastAPI-Users put there, so that their clients go on working;
`code` is the stable, machine-readable name.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from backend.core.errors import DomainError, UnavailableError

__all__ = ["FieldProblem", "Problem", "describe", "install_problem_handlers", "problem_response"]


class FieldProblem(BaseModel):
    """One value of a request that was refused."""

    pointer: str = Field(description="Where it is: a JSON pointer (RFC 6901) into the request.")
    detail: str
    code: str


class Problem(BaseModel):
    """RFC 9457. `detail` is text, or what FastAPI or FastAPI-Users gives in its place."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str | dict[str, Any] | list[dict[str, Any]]
    code: str
    request_id: str
    errors: list[FieldProblem] | None = None


def problem_response(
    status: int,
    detail: Any,
    *,
    code: str | None = None,
    errors: list[FieldProblem] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """A problem as a response. A 401 always says how to authenticate (RFC 9110, 11.6.1)."""
    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = "Error"
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code or _code_of(status, detail, title),
        "request_id": structlog.contextvars.get_contextvars().get("request_id", ""),
    }
    if errors is not None:
        content["errors"] = [error.model_dump() for error in errors]
    headers = dict(headers or {})
    if status == HTTPStatus.UNAUTHORIZED and not any(
        name.lower() == "www-authenticate" for name in headers
    ):
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(
        content, status_code=status, headers=headers, media_type="application/problem+json"
    )


def _code_of(status: int, detail: Any, title: str) -> str:
    """FastAPI-Users' own code where the detail carries one; else the status in words."""
    if isinstance(detail, dict) and isinstance(detail.get("code"), str):
        return str(detail["code"])
    if isinstance(detail, str) and detail.isupper() and detail.replace("_", "").isalpha():
        return detail
    return title.lower().replace(" ", "_").replace("'", "").replace("-", "_")


async def _http_problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    return problem_response(
        error.status_code, error.detail, headers=dict(error.headers) if error.headers else None
    )


async def _domain_problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DomainError)  # noqa: S101
    headers = {"Retry-After": "2"} if isinstance(error, UnavailableError) else None
    return problem_response(error.status, error.detail, code=error.code, headers=headers)


async def _validation_problem(_request: Request, error: Exception) -> JSONResponse:
    """Says what is wrong and where, and does not send the values back: one may be a password."""
    assert isinstance(error, RequestValidationError)  # noqa: S101
    items = [
        {"loc": list(item["loc"]), "msg": str(item["msg"]), "type": str(item["type"])}
        for item in error.errors()
    ]
    errors = [
        FieldProblem(
            pointer="/"
            + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in item["loc"]),
            detail=str(item["msg"]),
            code=str(item["type"]),
        )
        for item in items
    ]
    return problem_response(422, items, code="validation_error", errors=errors)


def describe(codes: Mapping[int, str | tuple[str, ...]]) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: the codes that its errors carry, beyond those that every one has."""
    responses: dict[int | str, dict[str, Any]] = {}
    for status, names in codes.items():
        values = [str(name) for name in ([names] if isinstance(names, str) else names)]
        responses[status] = {"model": Problem, "description": f"`code`: {', '.join(values)}"}
    return responses


def install_problem_handlers(app: FastAPI) -> None:
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(DomainError, _domain_problem)
    app.add_exception_handler(RequestValidationError, _validation_problem)
