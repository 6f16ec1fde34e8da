"""Services for the probes: a right one, and the same one with a fault put in."""

import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import FastAPI
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from backend import db
from backend.check.migrations import Migrations
from backend.check.probes import Probes, run_probes
from backend.check.routes import collect_routes
from backend.check.tables import collect_tables
from backend.core.middleware import RequestMiddleware
from backend.core.problems import install_problem_handlers
from tests.support.databases import BACKEND

__all__ = ["NOTES", "PLAIN", "probe", "with_fault"]

IMPORTS = """\
import asyncio
import socket
import uuid
from decimal import Decimal
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import JSON, CheckConstraint, ForeignKey, Numeric, String
from sqlalchemy import delete, or_, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from backend import db
from backend.core.access import public
from backend.core.errors import InvalidInputError, NotFoundError
from backend.core.ids import new_id
from backend.core.pagination import Cursor, Limit, Page, Slice, paginate
from backend.db import SessionDep
from backend.services.auth.mails import VerifyEmail
from backend.services.auth.models import TokenPurpose
from backend.services.auth.tokens import OneTimeTokenService
from backend.services.auth.utils import CurrentUser, OptionalUser, Requirements
from backend.services.email.service import EmailService

log = structlog.get_logger()
ENGINE = db.engine
"""

# NAME is the service's; a fault replaces one text by another.
NOTES = (
    IMPORTS
    + """

class Folder(Base):
    __tablename__ = "NAME_folders"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(50))


class Note(Base):
    __tablename__ = "NAME"
    __table_args__ = (CheckConstraint("status IN ('open', 'done')", name="status"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    folder_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("NAME_folders.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(80))
    status: Mapped[str] = mapped_column(String(8), default="open")


Title = Annotated[str, Field(min_length=1, max_length=80)]


class FolderCreate(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=50)]


class NoteCreate(BaseModel):
    folder_id: uuid.UUID
    title: Title


class NoteUpdate(BaseModel):
    title: Title | None = None


class FolderRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    name: str


class NoteRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    folder_id: uuid.UUID
    title: str
    status: str


router = APIRouter(prefix="/NAME")


def _owned(owner_id: uuid.UUID):
    return select(Note).where(Note.owner_id == owner_id)


async def _get(session, owner_id, note_id):
    note = await session.scalar(_owned(owner_id).where(Note.id == note_id))
    if note is None:
        raise NotFoundError("There is no such note.")
    return note


async def _anybodys(session, note_id):
    note = await session.scalar(select(Note).where(Note.id == note_id))
    if note is None:
        raise NotFoundError("There is no such note.")
    return note


@router.post("/folders", status_code=201, response_model=FolderRead)
async def create_folder(data: FolderCreate, session: SessionDep, user: CurrentUser) -> Folder:
    folder = Folder(owner_id=user.id, **data.model_dump())
    session.add(folder)
    await session.commit()
    return folder


@router.get("/folders/{folder_id}/notes", response_model=Page[NoteRead])
async def list_notes_of_folder(
    folder_id: uuid.UUID, session: SessionDep, user: CurrentUser, limit: Limit = 20
) -> Slice[Note]:
    statement = _owned(user.id).where(Note.folder_id == folder_id)
    return await paginate(session, statement, order_by=[Note.id], limit=limit)


@router.post("", status_code=201, response_model=NoteRead)
async def create_note(data: NoteCreate, session: SessionDep, user: CurrentUser) -> Note:
    folder = await session.get(Folder, data.folder_id)
    if folder is None or folder.owner_id != user.id:
        raise InvalidInputError("There is no such folder.")
    note = Note(owner_id=user.id, **data.model_dump())
    session.add(note)
    await session.commit()
    return note


@router.get("", response_model=Page[NoteRead])
async def list_notes(
    session: SessionDep,
    user: CurrentUser,
    q: str | None = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Slice[Note]:
    statement = _owned(user.id)
    if q:
        statement = statement.where(Note.title.contains(q))
    page = await paginate(session, statement, order_by=[Note.id], limit=limit, cursor=cursor)
    return page


@router.get("/{note_id}", response_model=NoteRead)
async def get_note(note_id: uuid.UUID, session: SessionDep, user: CurrentUser) -> Note:
    return await _get(session, user.id, note_id)


@router.patch("/{note_id}", response_model=NoteRead)
async def update_note(
    note_id: uuid.UUID, data: NoteUpdate, session: SessionDep, user: CurrentUser
) -> Note:
    note = await _get(session, user.id, note_id)
    for name, value in data.model_dump(exclude_none=True).items():
        setattr(note, name, value)
    await session.commit()
    return note


@router.delete("/{note_id}", status_code=204)
async def delete_note(note_id: uuid.UUID, session: SessionDep, user: CurrentUser) -> None:
    await session.delete(await _get(session, user.id, note_id))
    await session.commit()
"""
)


# As a service may be written too: a counted key, no owner, names of its own.
PLAIN = (
    IMPORTS
    + """
from sqlalchemy import Boolean, Column, Integer
from sqlalchemy.ext.asyncio import AsyncSession

from backend.db import get_async_session
from backend.services.auth.utils import fastapi_users


class YourModel(Base):
    __tablename__ = "NAME_table"

    id = Column(Integer, primary_key=True)
    name = Column(String, nullable=False)
    is_active = Column(Boolean, default=True)


class YourModelCreate(BaseModel):
    name: str


class YourModelResponse(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    is_active: bool


router = APIRouter(prefix="/NAME")


@router.post("/", response_model=YourModelResponse)
async def create_item(
    item_data: YourModelCreate,
    session: AsyncSession = Depends(get_async_session),
    current_user=Depends(fastapi_users.current_user()),
):
    db_item = YourModel(**item_data.model_dump())
    session.add(db_item)
    await session.commit()
    await session.refresh(db_item)
    return db_item


@router.get("/{item_id}", response_model=YourModelResponse)
async def get_item(item_id: int, session: AsyncSession = Depends(get_async_session)):
    item = await session.get(YourModel, item_id)
    if not item:
        raise HTTPException(status_code=404, detail="Item not found")
    return item
"""
)


def with_fault(*replacements: tuple[str, str]) -> str:
    """The notes, each right text replaced by the wrong one."""
    source = NOTES
    for right, wrong in replacements:
        assert right in source, right
        source = source.replace(right, wrong)
    return source


def probe(sources: dict[str, str], root: Path, *, only: frozenset[str] | None = None) -> Probes:
    """Probes an app of these services, each one module with its routes and tables."""
    metadata = MetaData(naming_convention=db.Base.metadata.naming_convention)
    for table in db.import_models().tables.values():
        table.to_metadata(metadata)

    class Base(DeclarativeBase):
        type_annotation_map = db.Base.type_annotation_map

    Base.metadata = metadata
    app = FastAPI()
    install_problem_handlers(app)
    app.add_middleware(RequestMiddleware, https=False, max_body_bytes=100_000)
    with _modules() as load:
        for name, source in sources.items():
            path = root / f"backend/src/backend/services/{name}/routes.py"
            path.parent.mkdir(parents=True)
            path.write_text(source.replace("NAME", name), encoding="utf-8")
            module = load(f"backend.services.{name}.routes", path, Base)
            app.include_router(module.router, prefix="/api")
        tables = collect_tables(metadata, root=root)
        routes = collect_routes(app, tables, root=root)
        return run_probes(app, routes, tables, Migrations(BACKEND, folder=root), only=only)


@contextmanager
def _modules() -> Iterator[Callable[..., types.ModuleType]]:
    before = set(sys.modules)
    yield _load
    for name in set(sys.modules) - before:
        del sys.modules[name]


def _load(name: str, path: Path, base: type[DeclarativeBase]) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__file__ = str(path)
    vars(module)["Base"] = base
    sys.modules[name] = module
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), vars(module))
    return module
