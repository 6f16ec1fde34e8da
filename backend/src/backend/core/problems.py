"""Errors as answers: RFC 9457 `application/problem+json` for every one of them.

`detail` stays what FastAPI and FastAPI-Users put there, so that their clients go on working;
`code` is the stable, machine-readable name.
"""

from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus
from typing import Annotated, Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy.exc import IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match

from backend.core.errors import DomainError, UnavailableError
from backend.core.integrity import violates_foreign_key

__all__ = ["FieldProblem", "Problem", "describe", "install_problem_handlers", "problem_response"]

log = structlog.get_logger("backend.problems")


class FieldProblem(BaseModel):
    """One value of a request that was refused."""

    pointer: str = Field(description="Where it is: a JSON pointer (RFC 6901) into the request.")
    detail: str
    code: str


# The titles are what generators of clients call these two.
_DetailObject = Annotated[dict[str, Any], Field(title="DetailObject")]
_DetailItem = Annotated[dict[str, Any], Field(title="DetailItem")]


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(description="`about:blank`: what there is to know is here.")
    title: str = Field(description="The status in words.")
    status: int
    detail: str | _DetailObject | list[_DetailItem] = Field(
        description="Text, or what FastAPI or FastAPI-Users gives in its place."
    )
    code: str = Field(description="What went wrong, for programs: it does not change.")
    request_id: str = Field(description="Quote it when you ask for help.")
    errors: list[FieldProblem] | SkipJsonSchema[None] = Field(
        None, description="With a 422: each value that was refused."
    )


def problem_response(
    status: int,
    detail: Any,
    *,
    code: str | None = None,
    errors: list[FieldProblem] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """A problem as a response. A 401 always says how to authenticate (RFC 9110, 11.6.1)."""
    title = _title_of(status)
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


# As RFC 9110 has them, and Python from 3.13 on.
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}


def _title_of(status: int) -> str:
    try:
        return _TITLES.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _code_of(status: int, detail: Any, title: str) -> str:
    """FastAPI-Users' own code where the detail carries one; else the status in words."""
    if isinstance(detail, dict) and isinstance(detail.get("code"), str):
        return str(detail["code"])
    if isinstance(detail, str) and detail.isupper() and detail.replace("_", "").isalpha():
        return detail
    return title.lower().replace(" ", "_").replace("'", "").replace("-", "_")


async def _http_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods_of(request)) or headers.get("Allow", "")
    return problem_response(error.status_code, error.detail, headers=headers)


def _methods_of(request: Request) -> list[str]:
    """All of the path (RFC 9110, 10.2.1), where Starlette names those of its first route."""
    return sorted(
        {
            method
            for route in iter_route_contexts(request.app.routes)
            if route.matches(request.scope)[0] is not Match.NONE
            for method in route.methods or ()
        }
    )


async def _domain_problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DomainError)  # noqa: S101
    headers = {"Retry-After": "2"} if isinstance(error, UnavailableError) else None
    return problem_response(error.status, error.detail, code=error.code, headers=headers)


async def _stale_problem(_request: Request, _error: Exception) -> JSONResponse:
    """The row that this request had read was gone when it wrote it."""
    return problem_response(409, "This was changed or deleted meanwhile. Read it again.")


async def _constraint_problem(_request: Request, error: Exception) -> JSONResponse:
    """A constraint that no service caught. A missing value is the service's own mistake: a 500."""
    assert isinstance(error, IntegrityError)  # noqa: S101
    reason = str(error.orig).splitlines()[0]
    if "null" in reason.lower():
        raise error
    log.warning("database.constraint_refused", error=reason[:200])
    if violates_foreign_key(error):
        return problem_response(
            409,
            "Something refers to this and stays, or what this refers to is gone.",
            code="reference_conflict",
        )
    return problem_response(409, "This conflicts with what is stored already.")


async def _exhausted_problem(request: Request, _error: Exception) -> JSONResponse:
    """Every connection of the pool was in use for as long as a request may wait for one."""
    return await _domain_problem(request, UnavailableError("The server is busy. Try again soon."))


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
    for status, given in codes.items():
        names = [given] if isinstance(given, str) else given
        values = [name.value if isinstance(name, Enum) else name for name in names]
        responses[status] = {"description": "`code`: " + ", ".join(f"`{name}`" for name in values)}
    return responses


def install_problem_handlers(app: FastAPI) -> None:
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(DomainError, _domain_problem)
    app.add_exception_handler(RequestValidationError, _validation_problem)
    app.add_exception_handler(StaleDataError, _stale_problem)
    app.add_exception_handler(IntegrityError, _constraint_problem)
    app.add_exception_handler(PoolTimeoutError, _exhausted_problem)
