"""What is written for every type, modifier and owner passes Ruff, mypy and its own tests."""

import os
from pathlib import Path

import pytest

from tests.scaffold.services import SERVICES, render_all
from tests.support.databases import Databases
from tests.support.project_copy import ProjectCopy

MIGRATION = Path(__file__).parent / "golden_migration.txt"


def _statements(migration: Path) -> list[str]:
    """The same on both databases, whichever it was written on, save parentheses and their order."""
    text = migration.read_text(encoding="utf-8")
    text = text[text.index("def upgrade") :].replace("(false)", "false").replace("(true)", "true")
    return sorted(text.splitlines())


@pytest.mark.needs_more  # time: mypy, and some 250 tests
@pytest.mark.timeout(600)
async def test_every_service_passes_its_own_tests(
    tmp_path: Path, database_kind: str, databases: Databases
) -> None:
    with databases.empty() as url:
        project = ProjectCopy(
            tmp_path, database_kind, url, without=[asked.name for asked in SERVICES]
        )
        for path, text in render_all().items():
            project.write(path, text)
        for asked in SERVICES:
            module = f"backend.services.{asked.name}.routes"
            project.append(
                "src/backend/app.py",
                f"\nfrom {module} import router as {asked.name}_router\n\n"
                f'app.include_router({asked.name}_router, prefix="/api")\n',
            )
        names = ",".join(asked.name for asked in SERVICES)
        folders = f"{{src/backend,tests}}/services/{{{names}}}"
        await project.type(f"uv run ruff format {folders}")
        await project.type(f"uv run ruff check --fix {folders}")
        await project.type(f"uv run ruff format --check {folders}")
        await project.type(f"uv run mypy {folders}")
        before = project.migrations()
        await project.type('uv run alembic revision --autogenerate -m "Add all of them"')
        (migration,) = project.migrations() - before
        statements = _statements(migration)
        if os.environ.get("UPDATE_GOLDEN"):
            MIGRATION.write_bytes(migration.read_bytes())
        assert statements == _statements(MIGRATION)
        await project.type("uv run alembic upgrade head")
        await project.type("uv run alembic check")
        await project.type("uv run backend db seed")
        tests = f"tests/services/{{{names}}} tests/migrations tests/api/test_openapi.py"
        await project.type(f"uv run pytest -q {tests}")
