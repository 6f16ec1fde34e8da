"""What the OpenAPI document says, to people and to generators of clients."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from fastapi import APIRouter, Depends, FastAPI, Form, HTTPException, UploadFile
from fastapi.openapi.models import OpenAPI
from httpx2 import ASGITransport, AsyncClient
from pydantic import BaseModel, create_model
from tests.support.accounts import Accounts

from backend.app import app
from backend.core.openapi import install_openapi, operation_id
from backend.core.pagination import Page
from backend.core.problems import describe, install_problem_handlers
from backend.services.auth.utils import fastapi_users
from backend.services.users.models import User

# Clients are generated from these names. Add to them; a change breaks everybody's code.
OPERATIONS = """
auth_forgot_password       POST   /api/auth/forgot-password
auth_login                 POST   /api/auth/jwt/login
auth_logout                POST   /api/auth/jwt/logout
auth_register              POST   /api/auth/register
auth_request_verify_token  POST   /api/auth/request-verify-token
auth_reset_password        POST   /api/auth/reset-password
auth_verify                POST   /api/auth/verify
health_live                GET    /health/live
health_ready               GET    /health/ready
users_delete_user          DELETE /api/users/{id}
users_get_me               GET    /api/users/me
users_get_user             GET    /api/users/{id}
users_list_users           GET    /api/users
users_update_me            PATCH  /api/users/me
users_update_user          PATCH  /api/users/{id}
"""

# What this project brings. A service that was added to it has tests of its own.
OURS = ("/api/auth/", "/api/users", "/health/")

SCHEMAS = """
AccessToken AdminUserUpdate AuthLoginForm EmailRequest FieldProblem Live Problem Ready
ResetPasswordRequest TokenRequest UserCreate UserRead UserReadPage UserSort UserUpdate
"""


@pytest.fixture
def document() -> dict[str, Any]:
    return app.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def own_operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for method, path, operation in operations(document):
        if path.startswith(OURS):
            yield method, path, operation


def resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every object of the document."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, dict | list):
            yield from nodes(child)


def test_operation_ids_and_paths_are_the_published_ones(document: dict[str, Any]) -> None:
    found = [
        f"{operation['operationId']:<26} {method:<6} {path}"
        for method, path, operation in own_operations(document)
    ]
    assert sorted(found) == OPERATIONS.strip().splitlines()
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)+", name) for name in ids)


def test_schemas_have_the_published_names(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert list(schemas) == sorted(schemas)
    assert set(SCHEMAS.split()) <= set(schemas)
    assert all(schema["title"] == name for name, schema in schemas.items())


def test_every_reference_leads_somewhere_and_every_schema_is_used(
    document: dict[str, Any],
) -> None:
    OpenAPI.model_validate(document)
    used = {node["$ref"] for node in nodes(document) if "$ref" in node}
    for reference in used:
        resolved(document, {"$ref": reference})
    kinds = ("schemas", "responses", "headers")
    defined = {
        f"#/components/{kind}/{name}" for kind in kinds for name in document["components"][kind]
    }
    assert used == defined


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    for method, path, operation in own_operations(document):
        assert operation["summary"], (method, path)
        assert operation["description"], (method, path)
        assert operation["tags"] == [operation["operationId"].partition("_")[0]]


def test_every_answer_says_what_it_holds(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        (success,) = (status for status in operation["responses"] if status[0] == "2")
        response = operation["responses"][success]
        assert "X-Request-ID" in response["headers"]
        if success == "204":
            assert "content" not in response, (method, path)
        else:
            assert response["content"]["application/json"]["schema"], (method, path)


def test_every_error_is_a_problem(document: dict[str, Any]) -> None:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for method, path, operation in own_operations(document):
        expected = {"default"}
        if operation.get("security"):
            expected |= {"401", "403"}
        if "{" in path:
            expected |= {"404"}
        if "requestBody" in operation:
            expected |= {"400", "413"}
        if "requestBody" in operation or "parameters" in operation:
            expected |= {"422"}
        declared = {status for status in operation["responses"] if status[0] != "2"}
        assert declared - {"503"} == expected, (method, path)
        for status in declared:
            response = resolved(document, operation["responses"][status])
            assert response["content"] == problem
            assert response["description"]
            assert "X-Request-ID" in response["headers"]
    text = json.dumps(document)
    assert "HTTPValidationError" not in text
    assert "ErrorCode." not in text


def test_the_codes_of_errors_are_named(document: dict[str, Any]) -> None:
    paths = document["paths"]
    login = paths["/api/auth/jwt/login"]["post"]["responses"]["400"]
    assert login["description"] == "`code`: `LOGIN_BAD_CREDENTIALS`"
    update = paths["/api/users/{id}"]["patch"]["responses"]["400"]
    assert "`UPDATE_USER_EMAIL_ALREADY_EXISTS`, `UPDATE_USER_INV" in update["description"]
    assert "`invalid_cursor`" in paths["/api/users"]["get"]["responses"]["422"]["description"]
    assert "`not_ready`" in paths["/health/ready"]["get"]["responses"]["503"]["description"]


async def test_security_is_declared_exactly_where_a_token_is_needed(
    async_client: AsyncClient, document: dict[str, Any]
) -> None:
    protected = set()
    for method, path, operation in own_operations(document):
        url = path.replace("{id}", "01a2069d-0edc-7114-92db-904b05a337a8")
        body: dict[str, str] | None = {} if "requestBody" in operation else None
        answer = await async_client.request(method, url, json=body)
        needs_token = answer.status_code == 401
        assert bool(operation.get("security")) is needs_token, (method, path)
        if needs_token:
            protected.add(path)
            assert operation["security"] == [{"OAuth2PasswordBearer": []}]
    assert protected == {"/api/auth/jwt/logout", "/api/users", "/api/users/me", "/api/users/{id}"}


async def test_the_token_url_gives_tokens(accounts: Accounts, document: dict[str, Any]) -> None:
    (scheme,) = document["components"]["securitySchemes"].values()
    assert scheme["type"] == "oauth2"
    url = scheme["flows"]["password"]["tokenUrl"]
    operation = document["paths"][url]["post"]
    assert list(operation["requestBody"]["content"]) == ["application/x-www-form-urlencoded"]
    jane = await accounts.verified("jane@example.com")
    form = {"grant_type": "password", "username": jane.email, "password": jane.password}
    answer = await accounts.client.post(url, data=form)
    assert answer.status_code == 200
    assert answer.json()["token_type"] == "bearer"


async def test_the_document_is_small_and_not_stored(async_client: AsyncClient) -> None:
    answer = await async_client.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(answer.content) < 3_000 * len(list(operations(answer.json())))
    assert answer.json() == app.openapi()


def test_passwords_and_addresses_say_what_they_are(document: dict[str, Any]) -> None:
    """`idn-email`, since addresses may be international (RFC 6531); `email` is ASCII.

    In the schemas of accounts: a service that was added may have an `email` of its own kind.
    """
    formats = {
        (name, field, schema.get("format"))
        for name, model in document["components"]["schemas"].items()
        for field, schema in model.get("properties", {}).items()
        if field in {"password", "email"}
        and name.startswith(("AdminUser", "Auth", "EmailRequest", "ResetPassword", "User"))
    }
    assert {format_ for _, field, format_ in formats if field == "password"} == {"password"}
    assert {format_ for _, field, format_ in formats if field == "email"} == {"idn-email"}


def test_what_is_always_sent_is_required(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in ("AccessToken", "FieldProblem", "UserRead", "UserReadPage"):
        assert set(schemas[name]["required"]) == set(schemas[name]["properties"]), name
    assert set(schemas["Problem"]["properties"]) - set(schemas["Problem"]["required"]) == {"errors"}


def test_nothing_in_a_query_or_form_may_be_null(document: dict[str, Any]) -> None:
    parameters = [
        parameter["schema"]
        for _, _, operation in operations(document)
        for parameter in operation.get("parameters", [])
    ]
    assert len(parameters) > 5
    assert "null" not in json.dumps(parameters)
    assert "null" not in json.dumps(document["components"]["schemas"]["AuthLoginForm"])


def test_examples_and_defaults_are_valid(document: dict[str, Any]) -> None:
    roots = list(document["components"]["schemas"].values())
    for _, _, operation in operations(document):
        roots += [parameter["schema"] for parameter in operation.get("parameters", [])]
    looked_at = 0
    for schema in nodes(roots):
        values = [schema["default"]] if "default" in schema else []
        for value in values + schema.get("examples", []):
            whole = {**schema, "components": document["components"]}
            jsonschema_rs.validate(whole, value, validate_formats=True)
            looked_at += 1
    assert looked_at >= 8


async def test_a_405_names_every_method_of_the_path(async_client: AsyncClient) -> None:
    one = "/api/users/01a2069d-0edc-7114-92db-904b05a337a8"
    for method, path, allowed in (
        ("PUT", "/api/users/me", "GET, PATCH"),
        ("DELETE", "/api/users/me", "GET, PATCH"),
        ("OPTIONS", one, "DELETE, GET, PATCH"),
        ("POST", "/api/users", "GET"),
    ):
        answer = await async_client.request(method, path)
        assert answer.status_code == 405, (method, path)
        assert answer.headers["Allow"] == allowed


# A service as a developer writes it, with nothing said about errors.

plain = APIRouter(prefix="/your-service")


class NoteCreate(BaseModel):
    text: str


class NoteRead(NoteCreate):
    id: int


@plain.post("/", response_model=NoteRead)
async def create_note(
    note: NoteCreate,
    user: User = Depends(fastapi_users.current_user()),
) -> dict[str, object]:
    """Keep a note."""
    return {"id": 1, "text": note.text}


@plain.get("/{id}", response_model=NoteRead)
async def get_note(id: int) -> dict[str, object]:  # noqa: A002
    if id != 1:
        raise HTTPException(404, "There is no such note.")
    return {"id": 1, "text": "a note"}


@plain.get("/", response_model=Page[NoteRead])
async def list_notes(limit: int = 20, cursor: str | None = None) -> dict[str, object]:
    return {"items": [], "next_cursor": None}


@plain.post("/import", status_code=202, responses=describe({409: "import_running"}))
async def import_notes(file: UploadFile, name: str | None = Form(None)) -> None: ...


def app_with(*routers: APIRouter) -> FastAPI:
    made = FastAPI(generate_unique_id_function=operation_id)
    install_problem_handlers(made)
    install_openapi(made)
    for router in routers:
        made.include_router(router, prefix="/api")
    return made


def test_a_plain_service_gets_names_and_errors_declared() -> None:
    document = app_with(plain).openapi()
    found = {
        operation["operationId"]: (method, path, sorted(operation["responses"]))
        for method, path, operation in operations(document)
    }
    get = ["200", "404", "422", "default"]
    create = ["200", "400", "401", "403", "413", "422", "default"]
    assert found == {
        "your_service_create_note": ("POST", "/api/your-service/", create),
        "your_service_get_note": ("GET", "/api/your-service/{id}", get),
        "your_service_list_notes": ("GET", "/api/your-service/", ["200", "422", "default"]),
        "your_service_import_notes": (
            "POST",
            "/api/your-service/import",
            ["202", "400", "409", "413", "422", "default"],
        ),
    }
    for _, _, operation in operations(document):
        assert operation["tags"] == ["your-service"]
        for status, response in operation["responses"].items():
            if status[0] != "2":
                assert list(resolved(document, response)["content"]) == ["application/problem+json"]
    schemas = document["components"]["schemas"]
    assert {"NoteCreate", "NoteRead", "NoteReadPage", "YourServiceImportNotesForm"} <= set(schemas)
    assert "HTTPValidationError" not in schemas
    assert schemas["YourServiceImportNotesForm"]["properties"]["name"]["type"] == "string"


async def test_a_plain_service_answers_as_that_document_says() -> None:
    async with AsyncClient(
        transport=ASGITransport(app_with(plain)), base_url="http://test/api/your-service"
    ) as client:
        missing = await client.get("/2")
        assert missing.status_code == 404
        assert missing.headers["Content-Type"] == "application/problem+json"
        assert missing.json()["detail"] == "There is no such note."
        invalid = await client.get("/two")
        assert invalid.status_code == 422
        assert invalid.json()["errors"][0]["pointer"] == "/path/id"
        wrong = await client.delete("/")
        assert wrong.status_code == 405
        assert wrong.headers["Allow"] == "GET, POST"


def test_a_service_that_is_added_later_is_in_the_document() -> None:
    made = app_with()
    assert made.openapi()["paths"] == {}
    made.include_router(plain, prefix="/api")
    assert "401" in made.openapi()["paths"]["/api/your-service/"]["post"]["responses"]
    assert made.openapi() is made.openapi()


def test_schemas_of_one_name_are_told_apart_by_their_services() -> None:
    notes = create_model("ItemRead", __module__="backend.services.notes.schemas", text=str)
    stock = create_model("ItemRead", __module__="backend.services.stock_items.schemas", amount=int)
    routers = []
    for name, model in (("notes", notes), ("stock_items", stock)):
        router = APIRouter(prefix=f"/{name}", tags=[name])
        router.add_api_route("/", lambda: None, response_model=model, name="get")
        routers.append(router)
    document = app_with(*routers).openapi()
    schemas = document["components"]["schemas"]
    assert {"NotesItemRead", "StockItemsItemRead"} <= set(schemas)
    ids = {operation["operationId"] for _, _, operation in operations(document)}
    assert ids == {"notes_get", "stock_items_get"}


def test_two_operations_of_one_name_are_noticed() -> None:
    router = APIRouter(prefix="/twice", tags=["twice"])
    router.add_api_route("/a", lambda: None, name="get")
    router.add_api_route("/b", lambda: None, name="get")
    with pytest.warns(UserWarning, match="Duplicate Operation ID twice_get"):
        app_with(router).openapi()
