"""`backend service remove`: what was made is gone, and the rest is as it was."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import Databases
from tests.support.project_copy import ProjectCopy, operations

NEW = "uv run backend service new boats name:str:unique length:int:default=5"
COMMIT = "git add -A && git -c user.name=T -c user.email=t@example.com commit -qm ."

pytestmark = [pytest.mark.needs_more, pytest.mark.timeout(300)]  # time: a service is made


@pytest.fixture
def project(tmp_path: Path, database_kind: str, databases: Databases) -> Iterator[ProjectCopy]:
    assert shutil.which("git"), "git has to be installed"
    with databases.empty() as url:
        yield ProjectCopy(tmp_path, database_kind, url, without=("boats",))


async def test_what_git_does_not_have_is_as_if_it_had_never_been(project: ProjectCopy) -> None:
    await project.type(f"git init -q .. && cd .. && {COMMIT}")
    await project.type("uv run backend db migrate")
    before = project.tree()
    status = await project.type("uv run backend db status --json")
    await project.type(NEW)
    await project.type("uv run backend service field boats colour:str:optional")
    asked = await project.type("if uv run backend service remove boats; then exit 1; fi")
    assert "Remove boats and its table, with 0 rows? Without a terminal" in asked
    shown = await project.type("uv run backend service remove boats --dry-run --json")
    assert "src/backend/services/boats/models.py" in json.loads(shown)["deleted"]
    await project.type("uv run backend service remove boats --yes")
    assert project.tree() == before
    assert await project.type("uv run backend db status --json") == status


async def test_what_others_may_have_is_dropped_by_a_migration(project: ProjectCopy) -> None:
    await project.type("uv run backend db migrate")
    before = project.tree()
    await project.type(NEW)
    migrations = project.migrations()
    await project.type("uv run backend service remove boats --yes")
    (migration,) = project.migrations() - migrations
    assert operations(migration) == {("drop_table", "boats")}
    left = set(project.tree().keys() - before.keys())
    assert {path.rpartition("_")[2] for path in left} == {"boats.py"}
    assert len(left) == 2
    assert {path: project.tree()[path] for path in before} == before
    await project.type("uv run alembic downgrade -1")
    await project.type("uv run alembic upgrade head")
    await project.type("uv run alembic check")
    await project.type("uv run pytest -q tests/migrations -k 'up_down or head'")


async def test_where_the_database_refuses_everything_is_as_before(project: ProjectCopy) -> None:
    await project.type(NEW)
    rename = "ALTER TABLE boats RENAME TO ships"
    await project.type(
        'uv run python -c "import asyncio, sqlalchemy, backend.db as db\n'
        "async def main():\n"
        "    async with db.engine.begin() as connection:\n"
        f"        await connection.execute(sqlalchemy.text('{rename}'))\n"
        'asyncio.run(main())"'
    )
    before = project.tree()
    said = await project.type("if uv run backend service remove boats --yes; then exit 1; fi")
    assert "A migration failed at `DROP TABLE boats`" in said
    assert project.tree() == before
    assert json.loads(await project.type("uv run backend db status --json"))["state"] == "current"
