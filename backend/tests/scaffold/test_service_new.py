"""`backend service new`, in a copy of the project, and over HTTP."""

import asyncio
import json
import shlex
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from httpx2 import AsyncClient

from tests.cli.command import until
from tests.support.accounts import PASSWORD
from tests.support.databases import Databases
from tests.support.project_copy import ProjectCopy, operations, sign_up
from tests.support.smtp import MailServer

# As in the README: what one command gives.
COMMAND = (
    "uv run backend service new projects title:str:max=120:search "
    "status:enum:draft,live:default=draft due_on:date:optional budget:decimal:12.2:min=0 "
    "--owner user"
)
URL = "/api/projects"
ADDED = ("projects", "labels", "clients", "orders")


@pytest.fixture
def project(tmp_path: Path, database_kind: str, databases: Databases) -> Iterator[ProjectCopy]:
    with databases.empty() as url:
        yield ProjectCopy(tmp_path, database_kind, url, without=ADDED)


def has(folder: Path, pattern: str) -> bool:
    return any(folder.glob(pattern))


async def refused(project: ProjectCopy, command: str) -> str:
    """What a command says that fails."""
    output = await project.type(f"if {command}; then exit 1; fi")
    assert "Traceback" not in output
    return output


async def test_one_command_gives_a_service_that_works(
    project: ProjectCopy, mail_server: MailServer
) -> None:
    before, migrations = project.tree(), project.migrations()
    said = await project.type(COMMAND)
    assert "PATCH   /api/projects/{project_id}  signed in" in said
    after = project.tree()
    assert {path for path in before if before[path] != after[path]} == {
        "backend/src/backend/app.py"
    }
    (migration,) = project.migrations() - migrations
    assert operations(migration) == {
        ("create_table", "projects"),
        ("batch_alter_table", "projects"),
        ("create_index", "ix_projects_owner_id_created_at_id"),
        ("create_index", "ix_projects_owner_id_status_created_at_id"),
    }
    for path in after.keys() - before.keys():
        assert path.removeprefix("backend/") in said
    async with project.serve(SMTP_URL=mail_server.url) as client:
        await walk(client, mail_server)


@pytest.mark.needs_more  # time: two services' worth of tests and checks
@pytest.mark.timeout(180)
async def test_fields_are_added_to_what_was_edited_by_hand(
    project: ProjectCopy, mail_server: MailServer
) -> None:
    await project.type(COMMAND)
    async with project.serve(SMTP_URL=mail_server.url) as client:
        await walk(client, mail_server)
    service = "src/backend/services/projects/service.py"
    edited = (project.backend / service).read_text(encoding="utf-8")
    edited = edited.replace(
        "        session.add(project)\n",
        "        # Ours: a title begins with a capital.\n"
        "        project.title = project.title[:1].upper() + project.title[1:]\n"
        "        session.add(project)\n",
    )
    project.write(service, edited)
    said = await project.type(
        "uv run backend service field projects code:str:max=20:optional:unique "
        "urgent:bool:default=false points:int:min=0:default=5:sort"
    )
    assert "add_code_urgent_points_to_projects.py  (applied)" in said
    merged = (project.backend / service).read_text(encoding="utf-8")
    assert "        # Ours: a title begins with a capital.\n" in merged
    assert "code" in merged
    shown = json.loads(await project.type("uv run backend service show projects --json"))
    assert shown["edited"] == [service]
    assert shown["fields"][-1] == "points:int:min=0:default=5:sort"
    async with project.serve(SMTP_URL=mail_server.url) as client:
        await walk_with_more_fields(client)


async def walk(client: AsyncClient, mail_server: MailServer) -> None:
    """What somebody does with projects, and what somebody else and nobody can."""
    body = {"title": "Sailing", "budget": "12.50"}
    for method, url in (("POST", URL), ("GET", URL), ("GET", f"{URL}/{'0' * 32}")):
        assert (await client.request(method, url, json=body)).status_code == 401
    jane = await sign_up(client, mail_server, "jane@example.com")
    john = await sign_up(client, mail_server, "john@example.com")
    created = await client.post(URL, json=body | {"due_on": "2030-06-01"}, headers=jane)
    assert created.status_code == 201, created.text
    sailing = created.json()
    assert (sailing["status"], sailing["budget"]) == ("draft", "12.50")
    url = f"{URL}/{sailing['id']}"
    assert (await client.get(url, headers=jane)).json() == sailing
    rowing = (
        await client.post(URL, json=body | {"title": "Rowing", "status": "live"}, headers=jane)
    ).json()

    async def listed(query: str = "") -> list[str]:
        page = (await client.get(f"{URL}{query}", headers=jane)).json()
        return [item["title"] for item in page["items"]]

    assert await listed() == ["Rowing", "Sailing"]
    assert await listed("?sort=created_at") == ["Sailing", "Rowing"]
    assert await listed("?status=live") == ["Rowing"]
    assert await listed("?search=sail") == ["Sailing"]
    first = (await client.get(f"{URL}?limit=1", headers=jane)).json()
    assert await listed(f"?limit=1&cursor={first['next_cursor']}") == ["Sailing"]
    for method in ("GET", "PATCH", "DELETE"):
        others = await client.request(method, url, json={"title": "Mine"}, headers=john)
        assert others.status_code == 404, method
    assert (await client.get(URL, headers=john)).json()["items"] == []
    for wrong in ({"title": ""}, {"budget": "-1"}, {"status": "sunk"}):
        assert (await client.patch(url, json=wrong, headers=jane)).status_code == 422, wrong
    changed = await client.patch(url, json={"due_on": None}, headers=jane)
    assert changed.json() == sailing | {
        "due_on": None,
        "updated_at": changed.json()["updated_at"],
    }
    assert (await client.delete(url, headers=jane)).status_code == 204
    assert await listed() == [rowing["title"]]


async def sign_in(client: AsyncClient, email: str) -> dict[str, str]:
    """A token is good for the address that it was given at, and this server has another one."""
    form = {"username": email, "password": PASSWORD}
    token = (await client.post("/api/auth/jwt/login", data=form)).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


async def walk_with_more_fields(client: AsyncClient) -> None:
    jane = await sign_in(client, "jane@example.com")
    (rowing,) = (await client.get(URL, headers=jane)).json()["items"]
    assert (rowing["code"], rowing["urgent"], rowing["points"]) == (None, False, 5)
    body = {"title": "sailing", "budget": "1.00", "code": "S1", "points": 9}
    created = await client.post(URL, json=body, headers=jane)
    assert created.json()["title"] == "Sailing"
    assert (await client.post(URL, json=body, headers=jane)).json()["code"] == "project_code_taken"
    page = (await client.get(f"{URL}?sort=-points&urgent=false", headers=jane)).json()
    assert [item["points"] for item in page["items"]] == [9, 5]


@pytest.mark.needs_more  # time: mypy
@pytest.mark.timeout(300)
async def test_it_passes_mypy_and_ruff_and_what_looks_at_the_whole(project: ProjectCopy) -> None:
    await project.type(COMMAND)
    await project.type("uv run mypy src tests/services/projects")
    await project.type("uv run ruff check && uv run ruff format --check")
    await project.type("uv run backend check")
    await project.type("uv run pytest -q tests/docs tests/migrations tests/api/test_openapi.py")


@pytest.mark.needs_more  # time: three services and fields in one of them
@pytest.mark.timeout(300)
async def test_services_refer_to_one_another_and_rows_outlive_changes(
    project: ProjectCopy, mail_server: MailServer
) -> None:
    await project.type("uv run backend service new labels name:str:unique --owner none")
    await project.type("uv run backend service new clients name:str:unique")
    await project.type(
        "uv run backend service new orders client:ref:clients:cascade label:ref:labels:optional"
    )
    refused_removal = await refused(project, "uv run backend service remove clients --yes")
    assert "src/backend/services/orders/models.py" in refused_removal
    async with project.serve(SMTP_URL=mail_server.url) as client:
        jane = await sign_up(client, mail_server, "jane@example.com")
        made = await client.post("/api/clients", json={"name": "Acme"}, headers=jane)
        body = {"client_id": made.json()["id"]}
        order = (await client.post("/api/orders", json=body, headers=jane)).json()
        john = await sign_up(client, mail_server, "john@example.com")
        other = await client.post("/api/orders", json=body, headers=john)
        assert (other.status_code, other.json()["code"]) == (422, "client_not_found")
    # SQLite makes the table of the clients anew for a constraint; what refers to it must stay.
    await project.type("uv run backend service field clients code:str:max=9:optional:unique")
    async with project.serve(SMTP_URL=mail_server.url) as client:
        jane = await sign_in(client, "jane@example.com")
        kept = await client.get(f"/api/orders/{order['id']}", headers=jane)
        assert kept.json() == order
        await client.delete(f"/api/clients/{body['client_id']}", headers=jane)
        assert (await client.get(f"/api/orders/{order['id']}", headers=jane)).status_code == 404


@pytest.mark.needs_more  # time
async def test_a_dry_run_shows_everything_and_writes_nothing(project: ProjectCopy) -> None:
    await project.type("uv run backend db migrate")
    before = project.tree()
    shown = json.loads(await project.type(f"{COMMAND} --dry-run --json"))
    assert project.tree() == before
    assert json.loads(await project.type("uv run backend db status --json"))["state"] == "current"
    assert shown["migration"] in shown["contents"]
    assert "class Project(Base)" in shown["contents"]["src/backend/services/projects/models.py"]
    assert "projects_router" in shown["contents"]["src/backend/app.py"]
    assert {route["who"] for route in shown["routes"]} == {"signed in"}
    assert "created  src/backend/services/projects" in await project.type(f"{COMMAND} --dry-run")
    assert project.tree() == before


@pytest.mark.needs_more  # time: each runs until it fails
@pytest.mark.timeout(300)
async def test_where_a_step_fails_everything_is_as_before(
    project: ProjectCopy, databases: Databases
) -> None:
    await project.type("uv run backend db migrate")

    async def fails(reason: str) -> None:
        before = project.tree()
        status = await project.type("uv run backend db status --json")
        assert reason in await refused(project, COMMAND)
        assert project.tree() == before
        assert await project.type("uv run backend db status --json") == status

    templates = project.backend / "src/backend/scaffold/templates"
    template = templates / "test_service.py.jinja"
    text = template.read_text(encoding="utf-8")
    template.write_text(text + "\n\ndef test_fails() -> None:\n    assert 1 == 2\n")
    await fails("assert 1 == 2")
    template.write_text(text)

    template = templates / "models.py.jinja"
    text = template.read_text(encoding="utf-8")
    template.write_text(
        text.replace(
            "{% for argument in service.table_args %}",
            "{% for argument in service.table_args if 'Index' not in argument %}",
        )
    )
    await fails("BK403")
    template.write_text(text)

    # The database has a table of that name, which no code knows of.
    create = "CREATE TABLE projects (id INTEGER PRIMARY KEY)"
    await project.type(
        'uv run python -c "import asyncio, sqlalchemy, backend.db as db\n'
        "async def main():\n"
        "    async with db.engine.begin() as connection:\n"
        f"        await connection.execute(sqlalchemy.text('{create}'))\n"
        'asyncio.run(main())"'
    )
    await fails("CREATE TABLE projects")


@pytest.mark.needs_more  # time: it is interrupted again and again
@pytest.mark.timeout(300)
@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGTERM", "SIGKILL"])
async def test_interrupted_at_any_moment_it_leaves_nothing_behind(
    project: ProjectCopy, tmp_path: Path, signal_name: str
) -> None:
    await project.type("uv run backend db migrate")
    before = project.tree()
    status = await project.type("uv run backend db status --json")
    service = "*/project/backend/src/backend/services/projects"
    for number, moment in enumerate(
        (
            "*/scratch",
            f"{service}/models.py",
            "*/project/backend/migrations/versions/*_add_projects.py",
            f"{service}/generated.json",
        )
    ):
        work = tmp_path / f"work-{number}"
        work.mkdir()
        process = await asyncio.create_subprocess_exec(
            *shlex.split(COMMAND.replace("uv run backend", "python -m backend.main")),
            cwd=project.backend,
            env=project.environment | {"TMPDIR": str(work)},
            stderr=asyncio.subprocess.PIPE,
        )
        await asyncio.to_thread(until, partial(has, work, moment))
        process.send_signal(signal.Signals[signal_name])
        _out, said = await process.communicate()
        if signal_name != "SIGKILL":
            assert b"Interrupted. Nothing was changed." in said
            assert not any(work.iterdir())
        assert process.returncode != 0
        assert project.tree() == before, moment
    assert await project.type("uv run backend db status --json") == status
