"""`backend routes` says who may, as the running app has it."""

import json
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.security import APIKeyHeader

from backend.app import app
from backend.cli.errors import CommandError
from backend.cli.route_list import find_routes
from backend.services.auth.utils import fastapi_users
from backend.services.users.models import User
from tests.cli.conftest import Invoke


async def test_every_operation_of_the_document_is_listed_with_who_may(invoke: Invoke) -> None:
    listed = json.loads((await invoke("routes", "--json")).stdout)
    who = {route["operation_id"]: route["who"] for route in listed}

    operations = {
        operation["operationId"]
        for item in app.openapi()["paths"].values()
        for operation in item.values()
    }
    assert {name for name in who if name} == operations
    assert who["auth_register"] == "anyone"
    assert who["auth_logout"] == "signed in"
    assert who["users_get_me"] == "signed in"
    assert who["users_list_users"] == "superuser"
    assert who["users_delete_user"] == "superuser", "which a dependency of a dependency requires"


def test_requirements_are_found_wherever_they_stand() -> None:
    verified = Depends(fastapi_users.current_user(verified=True))
    router = APIRouter(prefix="/things", dependencies=[verified])
    optional = Annotated[User | None, Depends(fastapi_users.current_user(optional=True))]

    @router.get("/of-router")
    async def of_router() -> None: ...

    @router.get("/both", dependencies=[Depends(fastapi_users.current_user(superuser=True))])
    async def both() -> None: ...

    made = FastAPI()
    made.include_router(router, prefix="/api")

    @made.get("/optional")
    async def maybe(user: optional) -> None: ...

    @made.get("/key", dependencies=[Depends(APIKeyHeader(name="X-Key"))])
    async def key() -> None: ...

    who = {route.path: route.who for route in find_routes(made)}
    assert who["/api/things/of-router"] == "verified"
    assert who["/api/things/both"] == "superuser, verified"
    assert who["/optional"] == "optional"
    assert who["/key"] == "APIKeyHeader"


def test_finding_nothing_is_an_error() -> None:
    nothing = FastAPI(openapi_url=None)
    with pytest.raises(CommandError, match="no routes"):
        find_routes(nothing)
