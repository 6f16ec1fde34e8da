"""Who may call a route: each rule on wrong code, on right code, and on the project itself."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from fastapi import Depends, FastAPI, WebSocket
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount
from starlette.routing import Route as PlainRoute

from backend.app import app
from backend.check.places import REPOSITORY
from backend.check.routes import collect_routes
from backend.core.access import public
from backend.services.auth.utils import CurrentUser, auth_backend, fastapi_users
from tests.check.made_services import (
    Checkout,
    checkout,
    errors,
    findings,
    guides_service,
    where,
)

APP_RULES = (
    *("BK102", "BK201", "BK204", "BK205"),
    *("BK301", "BK302", "BK303", "BK304", "BK305", "BK306", "BK402"),
)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Checkout]:
    with checkout(tmp_path) as found:
        yield found


@pytest.mark.parametrize("rule", APP_RULES)
def test_the_guides_service_has_no_finding(made: Checkout, rule: str) -> None:
    guide = (REPOSITORY / "docs/guide.md").read_text("utf-8")
    if "@public" not in guide:
        guide = (
            guide.replace(
                '@router.get("/live/{project_id}")', '@router.get("/live/{project_id}")\n@public'
            )
            .replace("import OptionalUser, ", "import OptionalUser, ")
            .replace(
                "from fastapi import HTTPException\n",
                "from fastapi import HTTPException\nfrom backend.core.access import public\n",
            )
        )
    routes = guides_service(made, guide).routes
    assert len(routes) == 7
    assert findings(rule, routes) == []


@pytest.mark.parametrize("rule", APP_RULES)
def test_the_project_has_no_finding(rule: str) -> None:
    routes = collect_routes(app)
    assert routes.count > 30
    assert "routes, " in routes.examined
    assert errors(findings(rule, routes)) == []


ROUTES = """
    from fastapi import APIRouter

    from backend.core.access import public
    from backend.services.auth.utils import CurrentUser, OptionalUser

    router = APIRouter(prefix="/notes", tags=["notes"])


    @router.get("/mine")
    async def mine(user: CurrentUser) -> str:
        return "mine"


    @router.get("/motd")
    @public
    async def message_of_the_day() -> str:
        return "hello"


    @router.get("/forgotten")
    async def forgotten() -> str:
        return "all"


    @router.get("/optional")
    async def optional(user: OptionalUser) -> str:
        return "some"
"""


def test_a_route_that_says_nothing_of_who_may_call_it_is_found(made: Checkout) -> None:
    notes = made.service(routes=ROUTES)
    forgotten, optional = findings("BK201", notes.routes)
    assert where(forgotten) == notes.line("routes", '@router.get("/forgotten")')
    assert forgotten.subject == "GET /api/notes/forgotten"
    assert "CurrentUser" in forgotten.remedy
    assert "@public" in forgotten.remedy
    assert where(optional) == notes.line("routes", '@router.get("/optional")')
    assert "`optional`" in optional.message


def test_what_libraries_add_has_a_way_to_be_public() -> None:
    async def hello(_request: object) -> Response:
        return PlainTextResponse("hello")

    made = FastAPI()
    made.router.routes.append(PlainRoute("/plain", hello))
    made.router.routes.append(PlainRoute("/open", public(partial(hello))))
    made.mount("/closed-app", FastAPI(openapi_url=None, routes=[PlainRoute("/inner", hello)]))
    made.mount("/open-app", public(FastAPI(openapi_url=None, routes=[PlainRoute("/inner", hello)])))
    made.router.routes.append(Mount("/files", app=PlainTextResponse("a file")))
    made.router.routes.append(Mount("/assets", app=public(PlainTextResponse("a file"))))
    made.include_router(fastapi_users.get_auth_router(auth_backend), prefix="/auth")
    made.include_router(fastapi_users.get_reset_password_router(), prefix="/auth")
    routes = collect_routes(made)
    assert {item.subject for item in findings("BK201", routes)} == {
        "GET /plain",
        "GET /closed-app/inner",
        "* /files",
    }
    assert {"/auth/login", "/auth/logout", "/auth/reset-password", "/docs"} <= {
        r.path for r in routes
    }


def test_a_websocket_says_who_may_as_well() -> None:
    made = FastAPI(openapi_url=None)

    @made.websocket("/feed")
    async def feed(socket: WebSocket) -> None: ...

    @made.websocket("/mine")
    async def mine(socket: WebSocket, user: CurrentUser) -> None: ...

    (found,) = findings("BK201", collect_routes(made))
    assert found.subject == "* /feed"
    assert found.place.line == feed.__code__.co_firstlineno


def test_a_dependency_of_the_router_or_an_app_counts() -> None:
    made = FastAPI(openapi_url=None, dependencies=[Depends(fastapi_users.current_user())])

    @made.get("/things")
    async def things() -> str:
        return ""

    assert findings("BK201", collect_routes(made)) == []


def test_a_router_that_is_not_in_the_app_is_found_and_put_there(made: Checkout) -> None:
    notes = made.service(routes=ROUTES)
    app_file = made.write("backend/src/backend/app.py", "import abc\n\napp = FastAPI(abc)\n")
    assert findings("BK102", notes.routes) == []

    empty = collect_routes(FastAPI(), notes.tables, root=made.root)
    (found,) = findings("BK102", empty)
    assert where(found) == notes.line("routes", "router = APIRouter")
    assert found.fix
    found.fix(made.root)
    assert app_file.read_text() == (
        "import abc\n"
        "from backend.services.notes.routes import router as notes_router\n\n"
        "app = FastAPI(abc)\n"
        'app.include_router(notes_router, prefix="/api")\n'
    )


MODELS = """
    import uuid
    from datetime import datetime

    from sqlalchemy import ForeignKey, String
    from sqlalchemy.orm import Mapped, mapped_column

    from backend.services.notes.base import Base


    class Note(Base):
        __tablename__ = "notes"

        id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
        owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
        text: Mapped[str] = mapped_column(String(200))
        is_active: Mapped[bool]
        created_at: Mapped[datetime]
"""
INPUTS = """
    import uuid
    from datetime import datetime
    from typing import Annotated

    from fastapi import APIRouter
    from pydantic import BaseModel, Field

    from backend.services.auth.utils import CurrentSuperuser, CurrentUser

    router = APIRouter(prefix="/notes")


    class NoteCreate(BaseModel):
        owner_id: uuid.UUID
        text: Annotated[str, Field(max_length=200)]
        is_active: bool = True


    class NoteUpdate(BaseModel):
        text: Annotated[str, Field(max_length=200)]
        created_at: datetime


    class NoteImport(BaseModel):
        owner_id: uuid.UUID
        text: Annotated[str, Field(max_length=200)]


    class NotePosition(BaseModel):
        id: uuid.UUID
        is_active: bool


    @router.post("")
    async def create(data: NoteCreate, user: CurrentUser) -> None: ...


    @router.patch("/{note_id}")
    async def update(note_id: uuid.UUID, data: NoteUpdate, user: CurrentUser) -> None: ...


    @router.post("/import")
    async def import_note(data: NoteImport, user: CurrentSuperuser) -> None: ...


    @router.post("/positions")
    async def arrange(data: list[NotePosition], user: CurrentUser) -> None: ...
"""


def test_an_input_that_takes_what_the_server_decides_is_found(made: Checkout) -> None:
    notes = made.service(models=MODELS, routes=INPUTS)
    found = {item.subject: item for item in findings("BK204", notes.routes)}
    assert found.keys() == {"NoteCreate.owner_id", "NoteUpdate.created_at"}
    owner = found["NoteCreate.owner_id"]
    assert where(owner) == notes.line("routes", "owner_id: uuid.UUID")
    assert "user.id" in owner.remedy
    assert where(found["NoteUpdate.created_at"]) == notes.line("routes", "created_at: datetime")


LIMITED = """
    from fastapi import APIRouter, Depends

    from backend.core.access import RateLimit, public
    from backend.services.auth.utils import CurrentUser


    async def ten_a_minute() -> None: ...


    ten_a_minute.rate_limit = RateLimit(10, 60, "address")
    router = APIRouter(prefix="/notes")


    @router.post("/open")
    @public
    async def write() -> None: ...


    @router.post("/limited", dependencies=[Depends(ten_a_minute)])
    @public
    async def write_slowly() -> None: ...


    @router.post("/mine")
    async def write_mine(user: CurrentUser) -> None: ...


    @router.get("/read")
    @public
    async def read() -> None: ...
"""


def test_an_open_write_without_a_limit_is_found(made: Checkout) -> None:
    notes = made.service(routes=LIMITED)
    (found,) = findings("BK205", notes.routes)
    assert where(found) == notes.line("routes", '@router.post("/open")')
    assert found.subject == "POST /api/notes/open"
