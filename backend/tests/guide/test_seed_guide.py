"""A service in the plain form, which must go on working as it is typed."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from httpx2 import AsyncClient
from tests.support.databases import Databases
from tests.support.project_copy import TESTS_OF_THE_APP, ProjectCopy, operations, sign_up
from tests.support.smtp import MailServer

SERVICE = "src/backend/services/your_service"
TESTS = "tests/services/your_service"
URL = "/api/your-service/"

FILES = {
    f"{SERVICE}/models.py": """\
from datetime import datetime

from sqlalchemy import Boolean, Column, DateTime, Integer, String

from backend.db import Base


class YourItem(Base):
    __tablename__ = "your_items"

    id = Column(Integer, primary_key=True)
    name = Column(String, nullable=False)
    is_active = Column(Boolean, default=True)
    created_at = Column(DateTime, default=datetime.utcnow)
""",
    f"{SERVICE}/schemas.py": """\
from pydantic import BaseModel, ConfigDict


class YourItemCreate(BaseModel):
    name: str


class YourItemResponse(BaseModel):
    id: int
    name: str
    is_active: bool

    model_config = ConfigDict(from_attributes=True)
""",
    f"{SERVICE}/service.py": """\
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from .models import YourItem
from .schemas import YourItemCreate


class YourService:
    @staticmethod
    async def create_item(session: AsyncSession, data: YourItemCreate) -> YourItem:
        item = YourItem(**data.model_dump())
        session.add(item)
        await session.commit()
        await session.refresh(item)
        return item

    @staticmethod
    async def get_item(session: AsyncSession, item_id: int) -> YourItem | None:
        found = await session.execute(select(YourItem).where(YourItem.id == item_id))
        return found.scalar_one_or_none()
""",
    f"{SERVICE}/routes.py": """\
from fastapi import APIRouter, Depends, HTTPException
from sqlalchemy.ext.asyncio import AsyncSession

from backend.db import get_async_session
from backend.services.auth.utils import fastapi_users

from .schemas import YourItemCreate, YourItemResponse
from .service import YourService

router = APIRouter(prefix="/your-service", tags=["your-service"])


@router.post("/", response_model=YourItemResponse)
async def create_item(
    data: YourItemCreate,
    session: AsyncSession = Depends(get_async_session),
    current_user = Depends(fastapi_users.current_user()),
):
    return await YourService.create_item(session, data)


@router.get("/{item_id}", response_model=YourItemResponse)
async def get_item(item_id: int, session: AsyncSession = Depends(get_async_session)):
    item = await YourService.get_item(session, item_id)
    if not item:
        raise HTTPException(status_code=404, detail="Item not found")
    return item
""",
    f"{TESTS}/test_your_service_service.py": """\
import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from backend.services.your_service.schemas import YourItemCreate
from backend.services.your_service.service import YourService

@pytest.mark.asyncio
async def test_create_item(async_session: AsyncSession):
    item = await YourService.create_item(async_session, YourItemCreate(name="First"))
    assert item.id is not None
    assert (await YourService.get_item(async_session, item.id)).name == "First"
""",
}

REGISTRATION = """\
from backend.services.your_service.routes import router as your_service_router
app.include_router(your_service_router, prefix="/api")
"""


async def add_the_service(project: ProjectCopy) -> None:
    """Every step as it is typed, up to the tests."""
    assert await project.package() == project.backend / "src/backend"
    before = project.migrations()
    await project.type(f"mkdir -p {SERVICE}")
    await project.type(f"touch {SERVICE}/{{__init__.py,models.py,schemas.py,service.py,routes.py}}")
    await project.type(f"mkdir -p {TESTS}")
    await project.type(f"touch {TESTS}/test_your_service_{{models,service,routes}}.py")
    for path, text in FILES.items():
        assert (project.backend / path).read_text(encoding="utf-8") == ""
        project.write(path, text)
    project.append("src/backend/app.py", REGISTRATION)
    await project.type('uv run alembic revision --autogenerate -m "Add your_service tables"')
    (migration,) = project.migrations() - before
    assert operations(migration) == {("create_table", "your_items")}
    await project.type("uv run alembic upgrade head")


@pytest.mark.timeout(240)
async def test_the_plain_form_works_as_it_is_typed(
    tmp_path: Path, database_kind: str, databases: Databases, mail_server: MailServer
) -> None:
    with databases.empty() as url:
        project = ProjectCopy(tmp_path, database_kind, url, without=("your_service",))
        await add_the_service(project)
        async with asyncio.TaskGroup() as group:
            group.create_task(project.type("uv run pytest tests/services/your_service"))
            group.create_task(walk(project, mail_server, database_kind))


@pytest.mark.needs_more  # time: it runs all the other tests
@pytest.mark.timeout(1800)
async def test_every_test_passes_with_a_service_added(
    tmp_path: Path, database_kind: str, databases: Databases
) -> None:
    with databases.empty() as url:
        project = ProjectCopy(tmp_path, database_kind, url, without=("your_service",))
        await add_the_service(project)
        shutil.rmtree(project.backend / "tests/guide")
        await project.type(f"uv run pytest {TESTS_OF_THE_APP}")


async def walk(project: ProjectCopy, mail_server: MailServer, database_kind: str) -> None:
    async with project.serve(SMTP_URL=mail_server.url) as client:
        anonymous = await client.post(URL, json={"name": "First"})
        assert anonymous.status_code == 401
        jane = await sign_up(client, mail_server, "jane@example.com")
        created = await client.post(URL, json={"name": "First"}, headers=jane)
        assert created.status_code == 200, created.text
        assert created.json() == {"id": 1, "name": "First", "is_active": True}
        found = await client.get(f"{URL}1")
        assert (found.status_code, found.json()) == (200, created.json())
        unknown = await client.get(f"{URL}2")
        assert (unknown.status_code, unknown.json()["detail"]) == (404, "Item not found")
        await refuses_what_is_hostile(client, jane, database_kind)


async def refuses_what_is_hostile(
    client: AsyncClient, user: dict[str, str], database_kind: str
) -> None:
    """The plain form has no bounds: what the database cannot take is the client's mistake."""
    for id_ in (2**31, 2**63, 99999999999999999999, 10**400, -1, 0, "x", "%00", "1e3"):
        answer = await client.get(f"{URL}{id_}")
        assert answer.status_code in {404, 422}, (id_, answer.text)
    names: list[object] = ["\ud800", None, 1, [], {}]
    if database_kind == "postgresql":
        names.append("a\0b")  # which SQLite stores
    for name in names:
        answer = await client.post(
            URL,
            content=json.dumps({"name": name}),
            headers=user | {"Content-Type": "application/json"},
        )
        assert answer.status_code in {400, 422}, (name, answer.text)
