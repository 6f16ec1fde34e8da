"""What routes answer, and how they are found: each rule on wrong code and on right code."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRouter

from backend.check.finding import Finding, Level
from backend.check.routes import collect_routes
from backend.core.openapi import operation_id
from tests.check.made_services import Checkout, checkout, findings, where


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Checkout]:
    with checkout(tmp_path) as found:
        yield found


HEAD = """
import uuid
from enum import StrEnum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import BaseModel

from backend.core.pagination import Cursor, Limit, Page, Slice

router = APIRouter(prefix="/notes", tags=["notes"])


class NoteRead(BaseModel):
    id: uuid.UUID
    text: str


class Kind(StrEnum):
    SHORT = "short"


"""

RESPONSES = (
    HEAD
    + """
@router.get("/nothing")
async def nothing():
    return {"text": "and all the rest"}


@router.get("/given", response_model=None)
async def given() -> NoteRead: ...


@router.get("/anything")
async def anything() -> dict[str, Any]: ...


@router.get("/{note_id}")
async def read(note_id: uuid.UUID) -> NoteRead: ...


@router.get("/counts/all")
async def counts() -> dict[str, int]: ...


@router.get("/page/html")
async def page() -> Response: ...


@router.get("/page/class", response_class=HTMLResponse)
async def page_of_class(): ...


@router.get("/page/either", response_model=None)
async def either() -> HTMLResponse | StreamingResponse: ...


@router.delete("/{note_id}", status_code=204)
async def delete(note_id: uuid.UUID): ...


@router.post("/{note_id}/touch")
async def touch(note_id: uuid.UUID) -> None: ...
"""
)


def test_an_answer_without_a_model_is_found(made: Checkout) -> None:
    notes = made.service(routes=RESPONSES)
    found = {item.subject: item for item in findings("BK301", notes.routes)}
    assert found.keys() == {
        "GET /api/notes/nothing",
        "GET /api/notes/given",
        "GET /api/notes/anything",
    }
    first = found["GET /api/notes/nothing"]
    assert where(first) == notes.line("routes", '@router.get("/nothing")')
    assert "`dict[str, Any]`" in found["GET /api/notes/anything"].message


MODELS = """
from sqlalchemy import DateTime, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.services.notes.base import Base


class Key(Base):
    __tablename__ = "keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    token_hash: Mapped[str] = mapped_column(String(64))
    pin: Mapped[str] = mapped_column(String(8))
    token_count: Mapped[int]
    secret: Mapped[bool]
"""
PRIVATE = """
from fastapi import APIRouter
from pydantic import BaseModel

router = APIRouter(prefix="/keys")


class KeyRead(BaseModel):
    name: str
    token_count: int
    secret: bool


class KeyLeak(BaseModel):
    name: str
    token_hash: str


class Keys(BaseModel):
    keys: list[KeyLeak]
    pin: str
    access_token: str


@router.get("/one")
async def one() -> KeyRead: ...


@router.get("/all")
async def all_of_them() -> Keys: ...
"""


def test_an_answer_that_shows_a_private_column_is_found(made: Checkout) -> None:
    notes = made.service(models=MODELS, routes=PRIVATE)
    (found,) = findings("BK302", notes.routes)
    assert found.subject == "KeyLeak.token_hash"
    assert where(found) == notes.line("routes", "token_hash: str")
    assert "`keys.token_hash`" in found.message


def test_what_was_generated_as_private_is_private(made: Checkout) -> None:
    notes = made.service(models=MODELS, routes=PRIVATE)
    record = '{"version": 1, "fields": ["name:str:max=20", "pin:str:max=8:private"]}'
    (notes.folder / "generated.json").write_text(record)
    assert {item.subject for item in findings("BK302", notes.routes)} == {
        "KeyLeak.token_hash",
        "Keys.pin",
    }


LISTS = (
    HEAD
    + """
class Filter(BaseModel):
    limit: Annotated[int, Query(le=50)] = 20


class Rows(BaseModel):
    items: list[NoteRead]


@router.get("/all")
async def list_all() -> list[NoteRead]: ...


@router.get("/any")
async def list_any(limit: int = 20) -> Rows: ...


@router.get("/page", response_model=Page[NoteRead])
async def list_page(limit: Limit = 20, cursor: Cursor = None) -> Slice[NoteRead]: ...


@router.get("/filtered")
async def list_filtered(filter: Annotated[Filter, Query()]) -> list[NoteRead]: ...


@router.get("/kinds")
async def list_kinds() -> list[Kind]: ...


@router.get("/names")
async def list_names() -> list[str]: ...


@router.get("/one")
async def one() -> NoteRead: ...
"""
)


def test_a_list_without_an_end_is_found(made: Checkout) -> None:
    notes = made.service(routes=LISTS)
    everything, anything, names = findings("BK303", notes.routes)
    assert where(names) == notes.line("routes", '@router.get("/names")')
    assert "every row" not in names.message
    assert "`Literal`" in names.remedy
    assert where(everything) == notes.line("routes", '@router.get("/all")')
    assert "every row" in everything.message
    assert where(anything) == notes.line("routes", '@router.get("/any")')
    assert "any `limit`" in anything.message
    assert everything.fix is None
    assert anything.fix
    anything.fix(made.root)
    assert "async def list_any(limit: Limit = 20) -> Rows" in notes.text("routes")


STATUSES = (
    HEAD
    + """
@router.post("")
async def create_note() -> NoteRead: ...


@router.post("/made", status_code=201)
async def create_otherwise() -> NoteRead: ...


@router.post("/plain", status_code=200, tags=["plain"])
async def create_plain() -> NoteRead: ...


@router.post("/{note_id}/publish")
async def publish(note_id: uuid.UUID) -> NoteRead: ...


@router.get("/{note_id}")
async def read(note_id: uuid.UUID) -> NoteRead: ...


@router.delete(
    "/{note_id}",
)
async def delete_note(note_id: uuid.UUID):
    return None


@router.delete("/{note_id}/and-show")
async def delete_and_show(note_id: uuid.UUID) -> NoteRead: ...
"""
)


def test_statuses_that_say_too_little_are_advised_on_and_mended(made: Checkout) -> None:
    notes = made.service(routes=STATUSES)
    create, plain, delete = findings("BK304", notes.routes)
    assert {create.level, delete.level} == {Level.ADVICE}
    assert where(create) == notes.line("routes", '@router.post("")')
    assert where(delete) == notes.line("routes", "@router.delete(\n")
    for found in (create, plain, delete):
        assert found.fix
        found.fix(made.root)
    text = notes.text("routes")
    assert '@router.post("", status_code=201)\nasync def create_note' in text
    assert '@router.post("/plain", status_code=201, tags=["plain"])' in text
    assert '@router.delete(\n    "/{note_id}",\n    status_code=204,\n)' in text


HIDDEN = (
    HEAD
    + """
@router.get("/{note_id}")
async def read(note_id: uuid.UUID) -> NoteRead: ...


@router.get("/live")
async def live() -> NoteRead: ...


@router.post("/live")
async def make_live() -> NoteRead: ...


@router.get("/{note_id:int}/page")
async def page(note_id: int) -> NoteRead: ...


@router.get("/first/page")
async def first_page() -> NoteRead: ...


@router.get("/{name}/page")
async def any_page(name: str) -> NoteRead: ...


@router.get("/7/page")
async def seventh_page() -> NoteRead: ...
"""
)


def test_a_route_that_is_never_asked_is_found(made: Checkout) -> None:
    notes = made.service(routes=HIDDEN)
    live, seventh = findings("BK305", notes.routes)
    assert where(live) == notes.line("routes", '@router.get("/live")')
    assert "GET /api/notes/{note_id}, which stands before it" in live.message
    assert where(seventh) == notes.line("routes", '@router.get("/7/page")')


def test_a_mounted_app_hides_what_comes_after_it() -> None:
    made = FastAPI(openapi_url=None)
    inner = FastAPI(openapi_url=None)

    @inner.get("/things")
    async def inside() -> str:
        return ""

    @made.get("/files/things")
    async def hidden() -> str:
        return ""

    made.mount("/files", inner)
    made.router.routes.reverse()
    (found,) = findings("BK305", collect_routes(made))
    assert found.subject == "GET /files/things"


APP = """
from backend.services.notes.routes import router as notes_router

app.include_router(notes_router, prefix="/api")
app.include_router(notes_router, prefix="/{0}")
"""


def test_a_router_that_is_in_the_app_twice_is_found_once(made: Checkout) -> None:
    notes = made.service(routes=LISTS)
    router = notes.module("routes").router

    def found(rule: str, prefix: str, *, is_shown: bool = True) -> list[Finding]:
        made.write("backend/src/backend/app.py", APP.format(prefix))
        app = FastAPI(openapi_url=None, generate_unique_id_function=operation_id)
        app.include_router(router, prefix="/api")
        app.include_router(router, prefix=f"/{prefix}", include_in_schema=is_shown)
        return findings(rule, collect_routes(app, root=made.root))

    assert found("BK305", "v1") == []
    (twice,) = found("BK306", "v1")
    assert where(twice) == ("backend/src/backend/app.py", 4)
    assert "`include_in_schema=False`" in twice.remedy
    assert found("BK306", "v1", is_shown=False) == []

    assert found("BK306", "api") == []
    (hidden,) = found("BK305", "api")
    assert where(hidden) == ("backend/src/backend/app.py", 4)
    assert "Delete the second" in hidden.remedy


def test_operation_ids_that_are_taken_or_not_stable_are_found() -> None:
    router = APIRouter()

    @router.get("/one", tags=["notes"])
    async def read() -> str:
        return ""

    @router.get("/named", operation_id="notes_named")
    async def named() -> str:
        return ""

    other = APIRouter()

    @other.get("/two", tags=["notes"], name="read")
    async def read_other() -> str:
        return ""

    @other.get("/three", name="of <object at 0x7f52a4c0d2e0>")
    async def made_up() -> str:
        return ""

    stable = FastAPI(generate_unique_id_function=operation_id)
    stable.include_router(router)
    assert findings("BK306", collect_routes(stable)) == []

    stable.include_router(other)
    taken, made_up_found = findings("BK306", collect_routes(stable))
    assert taken.subject == "GET /two"
    assert taken.place.line == read_other.__code__.co_firstlineno
    assert "`notes_read`, as GET /one has" in taken.message
    assert "address in memory" in made_up_found.message

    unstable = FastAPI()
    unstable.include_router(router)
    (found,) = findings("BK306", collect_routes(unstable))
    assert "made of the path" in found.message
    assert found.subject == "GET /one"
