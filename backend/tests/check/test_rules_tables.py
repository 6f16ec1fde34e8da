"""What tables keep: each rule on wrong code, on right code, and on the project itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.check.places import REPOSITORY
from backend.check.tables import collect_tables
from tests.check.made_services import (
    Checkout,
    Made,
    checkout,
    errors,
    findings,
    guides_service,
    where,
)

RULES = ("BK103", "BK401", "BK403", "BK404", "BK405", "BK406")


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Checkout]:
    with checkout(tmp_path) as found:
        yield found


@pytest.mark.parametrize("rule", RULES)
def test_the_project_and_the_guides_service_have_no_finding(made: Checkout, rule: str) -> None:
    project = collect_tables()
    assert {"users", "emails"} <= set(project.by_name)
    assert errors(findings(rule, project)) == []
    guide = (REPOSITORY / "docs/guide.md").read_text("utf-8")
    tables = guides_service(made, guide).tables
    assert "projects" in tables.by_name
    assert findings(rule, tables) == []


HEAD = """
import datetime as dt
import uuid
from datetime import UTC, date, datetime

from sqlalchemy import (
    Boolean, Column, DateTime, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text,
)
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.clock import utc_now
from backend.core.columns import UTCDateTime
from backend.services.notes.base import Base

"""


def a_model(made: Checkout, body: str, **modules: str) -> Made:
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    models = f'{HEAD}\nclass Note(Base):\n    __tablename__ = "notes"\n\n{lines}'
    return made.service(models=models, **modules)


def test_a_table_that_migrations_do_not_see_is_found(made: Checkout) -> None:
    notes = a_model(
        made,
        "id = Column(Integer, primary_key=True)",
        more="from backend.services.notes.models import Base\n\n\n"
        'class More(Base):\n    __tablename__ = "more"\n    id = 1\n',
    )
    (found,) = findings("BK103", notes.tables)
    assert found.subject == "more"
    assert where(found) == notes.line("more", "class More(Base)")
    assert "imports this file" in found.message

    models = notes.folder / "models.py"
    models.write_text(models.read_text() + "\nfrom . import more\n")
    (found,) = findings("BK103", notes.tables)
    assert "is not one of `backend.db.Base`" in found.message, "imported, and yet not in metadata"

    (notes.folder / "__init__.py").unlink()
    assert {item.subject for item in findings("BK103", notes.tables)} >= {"notes", "more"}


def test_a_naive_time_is_found_and_mended(made: Checkout) -> None:
    notes = a_model(
        made,
        """
id = Column(Integer, primary_key=True)
plain = Column(DateTime, default=datetime.utcnow)
called = mapped_column(DateTime(timezone=True), onupdate=lambda: datetime.now(), nullable=True)
module: Mapped[datetime] = mapped_column(default=dt.datetime.utcnow)
aware = Column(DateTime(timezone=True), default=lambda: datetime.now(UTC))
ours: Mapped[datetime] = mapped_column(default=utc_now)
kept = Column(UTCDateTime())
day: Mapped[date] = mapped_column(default=lambda: utc_now().date())
        """,
    )
    found = {item.subject: item for item in findings("BK401", notes.tables)}
    assert found.keys() == {"notes.plain", "notes.called", "notes.module"}
    plain = found["notes.plain"]
    assert where(plain) == notes.line("models", "plain = Column")
    assert "keeps no time zone and is filled by `datetime.utcnow`" in plain.message
    assert "keeps no time zone" not in found["notes.called"].message
    for item in found.values():
        assert item.fix
        item.fix(made.root)
    text = notes.text("models")
    assert "mapped_column(UTCDateTime(), onupdate=utc_now, nullable=True)" in text
    assert "module: Mapped[datetime] = mapped_column(default=utc_now)" in text
    assert "plain = Column(UTCDateTime(), default=utc_now)" in text
    compile(text, "models.py", "exec")


def test_mending_a_time_brings_the_imports_along(made: Checkout) -> None:
    source = """
from datetime import datetime

from sqlalchemy import Column, DateTime, Integer

from backend.services.notes.base import Base


class Note(Base):
    __tablename__ = "notes"

    id = Column(Integer, primary_key=True)
    made_at = Column(DateTime, default=datetime.utcnow)
"""
    notes = made.service(models=source)
    (found,) = findings("BK401", notes.tables)
    assert found.fix
    found.fix(made.root)
    text = notes.text("models")
    assert "from backend.core.clock import utc_now" in text
    assert "from backend.core.columns import UTCDateTime" in text
    assert "import datetime" not in text
    assert "DateTime, Integer" not in text
    mended = made.service("mended", models=text.replace("services.notes", "services.mended"))
    assert findings("BK401", mended.tables) == []


ROUTES = """
from typing import Annotated
from decimal import Decimal

from fastapi import APIRouter, Form, Path, Query
from pydantic import BaseModel, EmailStr, Field, HttpUrl
from uuid import UUID
from enum import StrEnum

router = APIRouter(prefix="/notes")


class Kind(StrEnum):
    SHORT = "short"


class Tag(BaseModel):
    name: str


class NoteCreate(BaseModel):
    title: str
    body: Annotated[str, Field(max_length=2000)] | None = None
    tags: list[Tag]
    labels: list[Annotated[str, Field(max_length=20)]]
    words: list[str]
    kind: Kind
    price: Decimal
    email: EmailStr
    url: HttpUrl
    ref: UUID
    code: Annotated[str, Field(pattern="^[A-Z]{3}$")]


class NoteRead(BaseModel):
    anything: str


@router.post("/{slug}")
async def create(
    slug: str,
    part: Annotated[str, Path(max_length=10)],
    data: NoteCreate,
    q: str | None = None,
    r: Annotated[str | None, Query(max_length=20)] = None,
) -> NoteRead: ...


@router.post("/form/{part}")
async def form(name: Annotated[str, Form()]) -> NoteRead: ...
"""


def test_text_without_a_length_is_found(made: Checkout) -> None:
    notes = a_model(
        made,
        """
id = Column(Integer, primary_key=True)
title = Column(String, nullable=False)
body: Mapped[str] = mapped_column(Text)
code: Mapped[str] = mapped_column(String(3))
internal: Mapped[str]
        """,
        routes=ROUTES.replace('"/{slug}"', '"/{slug}/{part}"').replace('"/form/{part}"', '"/form"'),
    )
    found = {item.subject: item for item in findings("BK402", notes.routes)}
    assert found.keys() == {
        "notes.title",
        "NoteCreate.title",
        "NoteCreate.words",
        "Tag.name",
        "POST /api/notes/{slug}/{part} slug",
        "POST /api/notes/{slug}/{part} q",
        "POST /api/notes/form name",
    }
    assert where(found["notes.title"]) == notes.line("models", "title = Column")
    assert where(found["NoteCreate.title"]) == notes.line("routes", "title: str")
    assert where(found["Tag.name"]) == notes.line("routes", "name: str")
    slug = found["POST /api/notes/{slug}/{part} slug"]
    assert where(slug) == notes.line("routes", "slug: str")
    assert "Path(max_length=…)" in slug.remedy
    assert "Form(max_length=…)" in found["POST /api/notes/form name"].remedy


UPLOADS = """
from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile
from pydantic import BaseModel

router = APIRouter(prefix="/notes")


class Sent(BaseModel):
    picture: UploadFile
    caption: str


@router.post("/one")
async def one(file: UploadFile, more: UploadFile | None = None) -> None: ...


@router.post("/many")
async def many(files: list[UploadFile], data: Annotated[bytes, File()]) -> None: ...


@router.post("/form")
async def form(data: Annotated[Sent, Form()]) -> None: ...


@router.post("/named")
async def named(file: UploadFile, name: Annotated[str, Form()]) -> None: ...
"""


def test_a_file_is_no_text(made: Checkout) -> None:
    notes = made.service(routes=UPLOADS)
    assert {item.subject for item in findings("BK402", notes.routes)} == {
        "Sent.caption",
        "POST /api/notes/named name",
    }


def test_text_is_bounded_as_its_column_is(made: Checkout) -> None:
    notes = a_model(
        made,
        """
id = Column(Integer, primary_key=True)
title = Column(String(120), nullable=False)
        """,
        routes="""
from fastapi import APIRouter
from pydantic import BaseModel

router = APIRouter(prefix="/notes")


class NoteCreate(BaseModel):
    title: str


@router.post("")
async def create(data: NoteCreate) -> None: ...
""",
    )
    (found,) = findings("BK402", notes.routes)
    assert "max_length=120" in found.remedy
    assert found.fix
    found.fix(made.root)
    text = notes.text("routes")
    assert "    title: Annotated[str, Field(max_length=120)]\n" in text
    assert "from typing import Annotated" in text
    assert "from pydantic import BaseModel, Field" in text or "from pydantic import Field" in text


BOUNDS = """
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

router = APIRouter(prefix="/notes")

Title = Annotated[str, Field(min_length=1, max_length=120)]
Slug = Annotated[str, Field(min_length=2)]


class NoteCreate(BaseModel):
    title: str
    slug: Slug
    code: Annotated[str, Field(min_length=3)]
    body: Annotated[str, Field(max_length=500)]
    word: Annotated[str, Field(max_length=30)]


class NoteUpdate(BaseModel):
    slug: Slug | None = None


@router.post("")
async def create(data: NoteCreate) -> None: ...


@router.patch("")
async def change(data: NoteUpdate) -> None: ...


@router.put("")
async def replace(data: dict[str, str]) -> None: ...
"""


def test_bounds_that_are_there_already_are_used_and_kept(made: Checkout) -> None:
    notes = a_model(
        made,
        """
id = Column(Integer, primary_key=True)
title = Column(String(120), nullable=False)
slug = Column(String(40), nullable=False)
code = Column(String(8), nullable=False)
body = Column(String(400), nullable=False)
word = Column(String, nullable=False)
        """,
        routes=BOUNDS,
    )
    found = {item.subject: item for item in findings("BK402", notes.routes)}
    assert found.keys() == {
        "NoteCreate.title",
        "Slug",
        "NoteCreate.code",
        "NoteCreate.body",
        "notes.word",
        "PUT /api/notes data",
    }
    assert "`title: Title`" in found["NoteCreate.title"].remedy
    assert where(found["Slug"]) == notes.line("routes", "Slug = Annotated")
    assert "Field(min_length=3, max_length=8)" in found["NoteCreate.code"].remedy
    longer = found["NoteCreate.body"]
    assert where(longer) == notes.line("routes", "body: Annotated")
    assert "takes 500 characters" in longer.message
    assert "`notes.body` holds 400" in longer.message
    assert "`String(30)`" in found["notes.word"].remedy, "as the schema has it"
    assert "a schema that names the fields" in found["PUT /api/notes data"].remedy
    for item in found.values():
        if item.fix:
            item.fix(made.root)
    text = notes.text("routes")
    assert "    title: Title\n" in text
    assert "Slug = Annotated[str, Field(min_length=2, max_length=40)]\n" in text
    assert "    slug: Slug\n" in text
    assert "    code: Annotated[str, Field(min_length=3, max_length=8)]\n" in text


def test_a_column_has_no_length_where_the_schema_has_none(made: Checkout) -> None:
    notes = a_model(
        made,
        "id = Column(Integer, primary_key=True)\ntitle = Column(String, nullable=False)",
        routes=BOUNDS.replace("title: str", "title: Slug"),
    )
    (found,) = (item for item in findings("BK402", notes.routes) if item.subject == "notes.title")
    assert "`String(LENGTH)`" in found.remedy


def test_a_schema_that_is_filled_by_a_naive_clock_is_found(made: Checkout) -> None:
    notes = a_model(
        made,
        "id = Column(Integer, primary_key=True)",
        schemas="""
from datetime import datetime

from pydantic import BaseModel, Field

from backend.core.clock import utc_now


class NoteCreate(BaseModel):
    begins_at: datetime = Field(default_factory=datetime.utcnow)
    ends_at: datetime = Field(default_factory=utc_now)
""",
    )
    (found,) = findings("BK401", notes.tables)
    assert where(found) == notes.line("schemas", "begins_at")


KEYS = """
id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
author_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
reader_id: Mapped[uuid.UUID] = mapped_column(
    ForeignKey("users.id", ondelete="CASCADE"), index=True
)
editor_id: Mapped[uuid.UUID | None] = mapped_column(
    ForeignKey("users.id", ondelete="SET NULL"), unique=True
)
sender_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
state: Mapped[str] = mapped_column(String(8))
__table_args__ = (
    Index(None, "owner_id", "id"),
    Index("ix_open", "sender_id", postgresql_where=text("state = 'open'")),
)
"""


def test_a_foreign_key_without_an_index_is_found_and_mended(made: Checkout) -> None:
    notes = a_model(made, KEYS)
    author, sender = findings("BK403", notes.tables)
    assert author.subject == "notes.author_id"
    assert where(author) == notes.line("models", "author_id:")
    assert sender.subject == "notes.sender_id", "an index of some rows is none"
    assert author.fix
    author.fix(made.root)
    assert (
        "author_id: Mapped[uuid.UUID] = mapped_column("
        'ForeignKey("users.id", ondelete="CASCADE"), index=True)'
    ) in notes.text("models")


OWNER = 'owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))'
UNIQUE_TITLE = 'UniqueConstraint("title"),'


@pytest.mark.parametrize(
    ("given", "mended"),
    [
        ("", '    __table_args__ = (Index(None, "owner_id", "id"),)\n'),
        (
            f"__table_args__ = ({UNIQUE_TITLE})",
            f'    __table_args__ = (Index(None, "owner_id", "id"), {UNIQUE_TITLE})\n',
        ),
        (
            f"__table_args__ = (\n    {UNIQUE_TITLE}\n)",
            f'(\n        Index(None, "owner_id", "id"),\n        {UNIQUE_TITLE}\n',
        ),
        (
            '__table_args__ = {"comment": "x"}',
            '    __table_args__ = (Index(None, "owner_id", "id"), {"comment": "x"})\n',
        ),
    ],
)
def test_the_index_of_the_owner_serves_the_list(made: Checkout, given: str, mended: str) -> None:
    columns = "id: Mapped[uuid.UUID] = mapped_column(primary_key=True)\ntitle = Column(String(9))"
    notes = a_model(made, f"{given}\n{columns}\n{OWNER}")
    (found,) = findings("BK403", notes.tables)
    assert 'Index(None, "owner_id", "id")' in found.remedy
    assert found.fix
    found.fix(made.root)
    text = notes.text("models")
    assert mended in text
    assert "index=True" not in text
    other = made.service("mended", models=text.replace("services.notes", "services.mended"))
    assert findings("BK403", other.tables) == []


def test_restrict_is_not_advised_where_both_belong_to_one_account(made: Checkout) -> None:
    owned = f"id: Mapped[uuid.UUID] = mapped_column(primary_key=True)\n{OWNER}"
    notes = a_model(
        made, f'{owned}\nparent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("notes.id"))'
    )
    (found,) = findings("BK404", notes.tables)
    assert found.subject == "notes.parent_id"
    assert '"NO ACTION"` to refuse it' in found.remedy


def test_a_foreign_key_that_does_not_say_what_deleting_does_is_found(made: Checkout) -> None:
    notes = a_model(made, KEYS)
    owner, sender = findings("BK404", notes.tables)
    assert where(owner) == notes.line("models", "owner_id:")
    assert where(sender) == notes.line("models", "sender_id:")
    assert sender.fix is None, "a person decides"
    assert "RESTRICT" in sender.remedy
    assert owner.fix
    owner.fix(made.root)
    assert (
        'owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))'
        in (notes.text("models"))
    )


def test_a_default_that_may_be_null_is_found_and_mended(made: Checkout) -> None:
    notes = a_model(
        made,
        """
id = Column(Integer, primary_key=True)
is_active = Column(Boolean, default=True)
is_live = Column(Boolean, server_default=text("false"), nullable=False)
rank = Column(Integer, default=1, nullable=True)
stars: Mapped[int | None] = mapped_column(default=3)
size: Mapped[int] = mapped_column(default=3)
note = Column(String(20))
        """,
    )
    (found,) = findings("BK405", notes.tables)
    assert found.subject == "notes.is_active"
    assert where(found) == notes.line("models", "is_active")
    assert found.fix
    found.fix(made.root)
    assert "is_active = Column(Boolean, default=True, nullable=False)" in notes.text("models")


UNIQUE = """
id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
title: Mapped[str] = mapped_column(String(20))
slug: Mapped[str] = mapped_column(String(20), unique=True)
token_hash: Mapped[str] = mapped_column(String(64), unique=True)
parent_id: Mapped[uuid.UUID] = mapped_column(
    ForeignKey("notes.id", ondelete="CASCADE"), unique=True
)
__table_args__ = (UniqueConstraint("owner_id", "title"),)
"""


def test_what_is_unique_among_all_owners_is_found(made: Checkout) -> None:
    notes = a_model(made, UNIQUE)
    (found,) = findings("BK406", notes.tables)
    assert found.subject == "notes.slug"
    assert where(found) == notes.line("models", "slug:")
    assert 'UniqueConstraint("owner_id", "slug")' in found.remedy

    shared = UNIQUE.replace("owner_id", "author_id")
    other = made.service(
        "shared",
        models=HEAD.replace("services.notes", "services.shared")
        + '\nclass Note(Base):\n    __tablename__ = "notes"\n\n'
        + "".join(f"    {line}\n" for line in shared.strip().splitlines()),
    )
    assert findings("BK406", other.tables) == [], "nobody owns these rows"
