"""docs/guide.md, followed from its first block to its last, and then over HTTP."""

import ast
import asyncio
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from httpx2 import AsyncClient
from tests.support.databases import BACKEND, Databases
from tests.support.mail import text_of
from tests.support.project_copy import TESTS_OF_THE_WHOLE, ProjectCopy, operations, sign_up
from tests.support.smtp import MailServer

GUIDE = BACKEND.parent / "docs/guide.md"
URL = "/api/projects"
COMMAND = "uv run backend service new "
SERVICE = [
    *(
        f"src/backend/services/projects/{name}.py"
        for name in ("models", "schemas", "service", "routes", "factory")
    ),
    *(
        f"tests/services/projects/test_projects_{name}.py"
        for name in ("models", "service", "routes")
    ),
]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# "# src/backend/app.py, at the end" or "{# …/published.txt #}", in a block's first line
_PLACE = re.compile(r"(?:# |\{# )([\w/]+\.\w+)(?:, ([\w ]+?))?(?: #\})?\n")


@dataclass(frozen=True)
class Block:
    """`path` is None for lines to be typed; `place` is where in the file, if not all of it."""

    path: str | None
    place: str | None
    text: str


def blocks() -> list[Block]:
    found = []
    for language, text in _FENCE.findall(GUIDE.read_text(encoding="utf-8")):
        if language == "bash":
            found.append(Block(None, None, text))
            continue
        head = _PLACE.match(text)
        assert head, f"a block that says no file:\n{text}"
        found.append(Block(head[1], head[2], text[head.end() :]))
    return found


def follow(project: ProjectCopy, block: Block) -> None:
    """Does with a block's text what the guide says."""
    assert block.path
    file = project.backend / block.path
    match block.place:
        case None:
            project.write(block.path, block.text)
        case "at the end":
            project.append(block.path, block.text)
        case "in addition":
            imports, rest = split_imports(block.text)
            project.write(block.path, with_imports(file, imports) + "\n\n" + rest)
        case "in Settings":
            project.write(block.path, with_setting(file, block.text))
        case other:
            pytest.fail(f"nobody knows where in {block.path} {other!r} is")


def split_imports(text: str) -> tuple[str, str]:
    lines = text.splitlines(keepends=True)
    end = _end_of_imports(text)
    return "".join(lines[:end]), "".join(lines[end:]).lstrip("\n")


def with_imports(file: Path, imports: str) -> str:
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    end = _end_of_imports(text)
    return "".join([*lines[:end], imports, *lines[end:]])


def _end_of_imports(text: str) -> int:
    imports = [n for n in ast.parse(text).body if isinstance(n, ast.Import | ast.ImportFrom)]
    return max((node.end_lineno or 0 for node in imports), default=0)


def with_setting(file: Path, setting: str) -> str:
    """After the last setting that there is."""
    text = file.read_text(encoding="utf-8")
    (settings,) = [
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
    ]
    end = max(
        node.end_lineno or 0
        for node in settings.body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.value or node).startswith("Field(")
    )
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:end], setting, *lines[end:]])


def steps(block: Block) -> list[Block | str]:
    return list(block.text.splitlines()) if block.path is None else [block]


async def follow_all(project: ProjectCopy) -> str:
    """Every step but the last, which is the line that runs the service's tests.

    A line that is typed again further on is left for then.
    """
    assert await project.package() == project.backend / "src/backend"
    before = project.migrations()
    *others, tests = [step for block in blocks() for step in steps(block)]
    for number, step in enumerate(others):
        if isinstance(step, Block):
            follow(project, step)
        elif step.startswith(COMMAND):
            await is_what_the_command_writes(project, step)
        elif step != tests and step not in others[number + 1 :]:
            await project.type(step)
    (migration,) = project.migrations() - before
    assert operations(migration) == {
        ("create_table", "projects"),
        ("batch_alter_table", "projects"),
        ("create_index", "ix_projects_owner_id_created_at_id"),
        ("create_index", "ix_projects_owner_id_status_created_at_id"),
    }
    assert isinstance(tests, str)
    assert tests.startswith("uv run pytest ")
    return tests


@pytest.mark.timeout(240)
async def test_the_guide_from_its_first_block_to_its_last(
    tmp_path: Path, database_kind: str, databases: Databases, mail_server: MailServer
) -> None:
    with databases.empty() as url:
        project = ProjectCopy(tmp_path, database_kind, url, without=("projects",))
        tests = await follow_all(project)
        async with asyncio.TaskGroup() as group:
            group.create_task(project.type(tests))
            group.create_task(walk(project, mail_server))


@pytest.mark.needs_more  # time: it runs all the other tests
@pytest.mark.timeout(1800)
async def test_every_test_passes_with_the_guides_service_added(
    tmp_path: Path, database_kind: str, databases: Databases
) -> None:
    with databases.empty() as url:
        project = ProjectCopy(tmp_path, database_kind, url, without=("projects",))
        await follow_all(project)
        await project.type("uv run mypy src tests/services/projects")
        shutil.rmtree(project.backend / "tests/guide")
        await project.type(f"uv run pytest {TESTS_OF_THE_WHOLE}")


async def is_what_the_command_writes(project: ProjectCopy, command: str) -> None:
    """Both roads lead to the same files."""
    written = json.loads(await project.type(f"{command} --json"))["contents"]
    by_hand = {
        block.path: block.text
        for block in blocks()
        if block.path and not block.place and "services/projects/" in block.path
    }
    for path, text in written.items():
        if path in by_hand:
            assert by_hand[path] == text, path
    assert set(SERVICE) <= by_hand.keys() & written.keys()


async def walk(project: ProjectCopy, mail_server: MailServer) -> None:
    """What two people see of the guide's service."""
    async with project.serve(SMTP_URL=mail_server.url) as client:
        assert (await client.get(URL)).status_code == 401
        assert (await client.post(URL, json={"title": "Sailing"})).status_code == 401
        jane = await sign_up(client, mail_server, "jane@example.com")
        john = await sign_up(client, mail_server, "john@example.com")
        created = await client.post(URL, json={"title": "Sailing"}, headers=jane)
        assert created.status_code == 201, created.text
        url = f"{URL}/{created.json()['id']}"
        assert (await client.get(url, headers=jane)).json() == created.json()
        listed = (await client.get(URL, headers=jane)).json()
        assert listed == {"items": [created.json()], "next_cursor": None}
        await is_not_there_for(client, john, url)
        await refuses_what_is_hostile(client, jane, url)
        assert (await client.get(f"{URL}/live/{created.json()['id']}")).status_code == 404
        published = await client.post(f"{url}/publish", headers=jane)
        assert published.json()["status"] == "live"
        assert "Sailing" in text_of(await mail_server.next())
        assert (await client.get(f"{URL}/live/{created.json()['id']}")).status_code == 200
        assert (await client.delete(url, headers=jane)).status_code == 204
        assert (await client.get(url, headers=jane)).status_code == 404
        described = (await client.get("/openapi.json")).json()["paths"][URL]["post"]
        assert "project_title_taken" in str(described["responses"]["409"])


async def is_not_there_for(client: AsyncClient, other: dict[str, str], url: str) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        response = await client.request(method, url, json={"title": "Mine"}, headers=other)
        assert response.status_code == 404, method
    assert (await client.post(f"{url}/publish", headers=other)).status_code == 404
    assert (await client.get(URL, headers=other)).json()["items"] == []


async def refuses_what_is_hostile(client: AsyncClient, owner: dict[str, str], url: str) -> None:
    for wrong in (None, 1, "", "x" * 121, "\ud800", ["x"]):
        answer = await client.patch(
            url,
            content=json.dumps({"title": wrong}),
            headers=owner | {"Content-Type": "application/json"},
        )
        assert answer.status_code in {400, 422}, wrong
    for id_ in ("0", "-1", "9" * 400, "%00", "null"):
        answer = await client.get(f"{URL}/{id_}", headers=owner)
        assert answer.status_code in {404, 422}, id_
    answers = await asyncio.gather(
        *(client.patch(url, json={"title": f"Sailing {n}"}, headers=owner) for n in range(5))
    )
    assert {answer.status_code for answer in answers} == {200}
