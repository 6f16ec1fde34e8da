"""What the generator writes, called in a copy of the project that has it and many rows."""

from pathlib import Path

import pytest

from backend.scaffold.render import render_service
from tests.plans.services import SERVICES
from tests.support.databases import Databases
from tests.support.project_copy import ProjectCopy


@pytest.mark.parametrize(
    "settings",
    [
        "",
        pytest.param("EVERY_INDEX=1", marks=pytest.mark.needs_more),
        pytest.param("FULL_SIZE=1", marks=pytest.mark.needs_more),
    ],
    ids=["small", "every index", "full"],
)
@pytest.mark.timeout(900)
async def test_no_statement_of_a_generated_service_reads_more_than_it_shows(
    tmp_path: Path, database_kind: str, databases: Databases, settings: str
) -> None:
    names = [asked.name for asked in SERVICES]
    targets = {asked.name: asked.spec.as_target for asked in SERVICES}
    with databases.empty() as url:
        project = ProjectCopy(tmp_path, database_kind, url, without=names)
        for asked in SERVICES:
            for path, text in render_service(asked.spec, targets).items():
                project.write(path, text)
            project.append(
                "src/backend/app.py",
                f"\nfrom backend.services.{asked.name}.routes import router as {asked.name}\n\n"
                f'app.include_router({asked.name}, prefix="/api")\n',
            )
        await project.type('uv run alembic revision --autogenerate -m "Add them"')
        await project.type(f"{settings} uv run pytest -q tests/plans/generated_plans.py")
