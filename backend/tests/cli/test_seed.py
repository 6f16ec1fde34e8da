"""`backend db seed`, `backend db reset --seed` and `backend dev --seed`, on each database."""

import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from alembic.script import ScriptDirectory
from httpx2 import Client
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table

from backend import services
from backend.cli.errors import CommandError
from backend.cli.factories import seeding_order
from backend.settings import settings
from tests.cli.command import Command, Running
from tests.cli.conftest import Invoke
from tests.support.accounts import Accounts
from tests.support.databases import Databases
from tests.support.project_copy import ProjectCopy

EMAILS = ["admin@example.com", "jane@example.com", "john@example.com"]


async def test_the_accounts_can_sign_in_and_stay_as_they_are(
    invoke: Invoke, accounts: Accounts
) -> None:
    first = json.loads((await invoke("db", "seed", "--json")).stdout)
    assert [account["email"] for account in first["accounts"]] == EMAILS
    admin = await accounts.signed_in("admin@example.com", first["password"])
    jane = await accounts.signed_in("jane@example.com", first["password"])
    for account, status in ((admin, 200), (jane, 403)):
        answer = await accounts.client.get("/api/users", headers=account.headers)
        assert answer.status_code == status

    changed = {"password": "another good one", "name": "Somebody"}
    answer = await accounts.client.patch("/api/users/me", json=changed, headers=jane.headers)
    assert answer.status_code == 200
    again = json.loads((await invoke("db", "seed", "--json")).stdout)
    assert again["password"] == first["password"]
    assert [account["has_password"] for account in again["accounts"]] == [True, False, True]
    assert not any(account["was_missing"] for account in again["accounts"])
    await accounts.signed_in("jane@example.com", "another good one")

    shown = (await invoke("db", "seed")).stdout
    assert f"admin@example.com  {first['password']}  (superuser)\n" in shown
    assert "jane@example.com   has a password of its own\n" in shown


@pytest.fixture
def write_factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """A service that is nothing but a factory."""
    monkeypatch.setattr(services, "__path__", [*services.__path__, str(tmp_path / "more")])

    def write(name: str, text: str) -> Path:
        folder = tmp_path / "more" / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "factory.py").write_text(text, encoding="utf-8")
        for module in (f"backend.services.{name}", f"backend.services.{name}.factory"):
            monkeypatch.delitem(sys.modules, module, raising=False)
        return folder / "factory.py"

    return write


ADDS_A_USER = """\
from backend.services.users.schemas import UserCreate
from backend.services.users.service import UserService

async def seed(session, users, fake):
    await UserService.add(session, email=f"{len(users)}@example.com", hashed_password="")
"""
FAILURES = {
    "not_committed": (
        ADDS_A_USER,
        "",
        "`seed` ended with changes that nobody committed",
    ),
    "fails_later": (
        f"{ADDS_A_USER}    await session.commit()\n    raise ValueError('no\\nluck')\n",
        ", line 7",
        "ValueError: no luck",
    ),
    "refused_value": (
        f"{ADDS_A_USER}    UserCreate(email='nobody', password='x')\n",
        ", line 6",
        "ValidationError: UserCreate.email: value is not a valid email address",
    ),
    "refused_row": (
        f"{ADDS_A_USER}    await UserService.add(session, email='x', id=users[0])\n",
        ", line 6",
        "IntegrityError: ",
    ),
    "lacks_it": ("", "", "has no attribute 'seed'"),
    "no_python": ("async def seed(\n", ", line 1", "SyntaxError: '(' was never closed"),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_factory_that_fails_is_named_and_leaves_nothing(
    name: str, invoke: Invoke, write_factory: Callable[[str, str], Path]
) -> None:
    text, line, reason = FAILURES[name]
    file = write_factory(name, text)
    done = await invoke("db", "seed")
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {file}{line}: ")
    assert reason in done.stderr
    assert done.stderr.endswith("run `backend db seed` again.\n")
    listed = json.loads((await invoke("user", "list", "--json")).stdout)
    assert [user["email"] for user in listed["items"]] == EMAILS


def test_services_come_after_those_that_their_tables_refer_to() -> None:
    metadata = MetaData()

    def table(name: str, *referred: str) -> list[Table]:
        keys: list[Column[int]] = [Column(other, ForeignKey(f"{other}.id")) for other in referred]
        return [Table(name, metadata, Column("id", Integer, primary_key=True), *keys)]

    tables = {
        "addresses": table("addresses", "clients", "users"),
        "clients": table("clients", "users", "clients"),
        "users": table("users"),
        "zones": [],
    }
    assert seeding_order(tables) == ["users", "zones", "clients", "addresses"]
    in_a_circle = {"pets": table("pets", "owners"), "owners": table("owners", "pets")}
    with pytest.raises(CommandError, match="go round in a circle"):
        seeding_order(in_a_circle)


async def test_nothing_of_this_is_for_production(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "environment", "production")
    for line in ("db seed", "db snapshot", "db snapshot --list", "db reset --yes --to latest"):
        done = await invoke(*line.split())
        assert (done.returncode, done.stdout) == (1, "")
        assert "is for development, and ENVIRONMENT is production" in done.stderr


TWO_SERVICES = {
    "projects/__init__.py": "",
    "projects/models.py": """\
import uuid
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column
from backend.core.ids import new_id
from backend.db import Base

class Project(Base):
    __tablename__ = "projects"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(120))
""",
    "projects/factory.py": """\
from backend.services.projects.models import Project

async def seed(session, users, fake):
    for owner_id in users:
        for _ in range(4):
            session.add(Project(owner_id=owner_id, title=fake.sentence()[:120]))
            await session.commit()
""",
    "entries/__init__.py": "",
    "entries/models.py": """\
import uuid
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column
from backend.core.ids import new_id
from backend.db import Base

class Entry(Base):
    __tablename__ = "entries"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
""",
    "entries/factory.py": """\
from sqlalchemy import select
from backend.services.entries.models import Entry
from backend.services.projects.models import Project

async def seed(session, users, fake):
    for project_id in (await session.scalars(select(Project.id))).all():
        session.add(Entry(project_id=project_id))
    await session.commit()
""",
}
MIGRATION = """\
import sqlalchemy as sa
from alembic import op

revision = "twoservices"
down_revision = {head!r}

def upgrade():
    op.create_table(
        "projects",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("owner_id", sa.Uuid, sa.ForeignKey("users.id", ondelete="CASCADE")),
        sa.Column("title", sa.String(120)),
    )
    op.create_table(
        "entries",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("project_id", sa.Uuid, sa.ForeignKey("projects.id", ondelete="CASCADE")),
    )
"""


@pytest.fixture
def with_services(tmp_path: Path, backend: Command, database_kind: str) -> Command:
    """The command of a copy that has two services more; its database lacks their tables."""
    url = backend.settings["DATABASE_URL"]
    copy = ProjectCopy(tmp_path, database_kind, url, without=("projects", "entries"))
    for path, text in TWO_SERVICES.items():
        copy.write(f"src/backend/services/{path}", text)
    head = ScriptDirectory(str(copy.backend / "migrations")).get_current_head()
    copy.write("migrations/versions/two_services.py", MIGRATION.format(head=head))
    backend.settings["PYTHONPATH"] = copy.settings["PYTHONPATH"]
    return backend


async def titles(url: str) -> list[str]:
    statement = "SELECT title FROM projects ORDER BY id"
    if url.startswith("sqlite"):
        file = sqlite3.connect(url.removeprefix("sqlite:///"))
        rows = file.execute(statement).fetchall()
        file.close()
    else:
        server = await asyncpg.connect(url)
        rows = await server.fetch(statement)
        await server.close()
    return [row[0] for row in rows]


async def test_the_rows_of_services_are_made_once_and_each_time_the_same(
    with_services: Command, databases: Databases, tmp_path: Path
) -> None:
    anew = with_services("db", "reset", "--yes", "--seed")
    assert anew.returncode == 0, anew.stderr
    assert anew.stdout.index("Seeded projects: 12 rows") < anew.stdout.index(
        "Seeded entries: 12 rows"
    )
    made = await titles(with_services.settings["DATABASE_URL"])
    assert len(set(made)) == 12

    source = Path(with_services.settings["PYTHONPATH"])
    factory = source / "backend/services/entries/factory.py"
    text = factory.read_text(encoding="utf-8")
    factory.write_text(text.replace("project_id=project_id", "project=project_id"))
    with (
        databases.empty() as url,
        with_services.serving("dev", "--seed", "--no-reload", DATABASE_URL=url) as server,
    ):
        assert f"{factory}, line 7: TypeError: 'project' is an invalid keyword" in server.log
        factory.write_text(text, encoding="utf-8")
        again = json.loads(with_services("db", "seed", "--json", DATABASE_URL=url).stdout)
        added = [item for item in again["services"] if item["service"] in {"projects", "entries"}]
        assert added == [
            {"service": "projects", "rows": 12, "was_empty": False},
            {"service": "entries", "rows": 12, "was_empty": True},
        ]
        assert await titles(url) == made
        assert_that_people_can_sign_in(server, again["password"])
        assert server.stop() == 0


def assert_that_people_can_sign_in(server: Running, password: str) -> None:
    """As the welcome of the server says."""
    assert f"  Sign in as      admin@example.com  {password}  (superuser)\n" in server.log
    assert "user create EMAIL" not in server.log
    with Client(base_url=server.url) as client:
        for email in EMAILS:
            form = {"username": email, "password": password}
            assert client.post("/api/auth/jwt/login", data=form).status_code == 200
