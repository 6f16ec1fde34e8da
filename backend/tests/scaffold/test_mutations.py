"""Generated tests and `backend check` bite: each notices what is broken in a generated service."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from backend.scaffold.grammar import parse_service
from backend.scaffold.registration import add_router
from backend.scaffold.render import render_service
from backend.scaffold.spec import ServiceSpec
from tests.scaffold.mutations import FAST, MUTATIONS, Mutation
from tests.support.databases import Databases
from tests.support.project_copy import ProjectCopy

SOUND = "sound_rows"
CLIENTS = parse_service("clients", ["name:str"], "user")


def specs(mutations: Sequence[Mutation]) -> list[ServiceSpec]:
    """One for each, and one that nothing is wrong with."""
    mutated = [parse_service(item.service, item.fields, item.owner) for item in mutations]
    sound = parse_service(SOUND, mutations[0].fields, "user")
    return [CLIENTS, sound, *mutated] if sound.references else [sound, *mutated]


def write(project: ProjectCopy, mutations: Sequence[Mutation]) -> None:
    app = (project.backend / "src/backend/app.py").read_text(encoding="utf-8")
    files: dict[str, str] = {}
    for spec in specs(mutations):
        files |= render_service(spec, {"clients": CLIENTS.as_target})
        app = add_router(app, spec.name)
    for item in mutations:
        path = f"src/backend/services/{item.service}/{item.module}.py"
        files[path] = item.apply(files[path])
    for path, text in {**files, "src/backend/app.py": app}.items():
        project.write(path, text)


async def failed_tests(project: ProjectCopy, mutations: Sequence[Mutation]) -> set[tuple[str, str]]:
    """By service and name, of those that should notice something."""
    report = project.folder / "tests.xml"
    chosen = " or ".join(sorted({item.test for item in mutations if item.test}))
    folders = " ".join(f"tests/services/{spec.name}" for spec in specs(mutations))
    await project.type(
        f"uv run pytest -q -p no:cacheprovider {folders} -k '{chosen}' --junitxml={report} "
        "|| [ $? = 1 ]"
    )
    return {
        (case.attrib["classname"].split(".")[2], case.attrib["name"])
        for case in ET.parse(report).iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    }


async def findings(project: ProjectCopy, mutations: Sequence[Mutation]) -> Mapping[str, set[str]]:
    """The rules that found something, by service."""
    rules = " ".join(f"--rule={rule}" for rule in sorted({x.rule for x in mutations if x.rule}))
    output = await project.type(
        f"uv run backend check --no-cache --format json {rules} || [ $? != 0 ]"
    )
    report: dict[str, Any] = json.loads(output[output.index("{") :])
    assert not report["crashes"], report["crashes"]
    found: dict[str, set[str]] = {}
    for item in report["findings"]:
        parts = Path(item["path"]).parts
        name = parts[parts.index("services") + 1] if "services" in parts else ""
        found.setdefault(name, set()).add(item["rule"])
    return found


async def prove(project: ProjectCopy, mutations: Sequence[Mutation]) -> None:
    write(project, mutations)
    await project.type("uv run alembic revision --autogenerate -m 'Add all of them'")
    async with asyncio.TaskGroup() as group:
        tests = group.create_task(failed_tests(project, mutations))
        check = group.create_task(findings(project, mutations))
    failed, found = tests.result(), check.result()
    assert not {name for service, name in failed if service in {SOUND, "clients"}}
    unnoticed = [
        f"{item.service}: {item.test}"
        for item in mutations
        if item.test
        and not any(service == item.service and item.test in name for service, name in failed)
    ]
    unnoticed += [
        f"{item.service}: {item.rule}, but {found.get(item.service)}"
        for item in mutations
        if item.rule and item.rule not in found.get(item.service, ())
    ]
    assert not unnoticed
    assert not {SOUND, "clients"} & found.keys()


async def test_what_matters_most(tmp_path: Path, database_kind: str, databases: Databases) -> None:
    with databases.empty() as url:
        await prove(ProjectCopy(tmp_path, database_kind, url, without=(CLIENTS.name,)), FAST)


@pytest.mark.needs_more  # time: a service for each mutation
@pytest.mark.timeout(600)
async def test_each_mutation(tmp_path: Path, database_kind: str, databases: Databases) -> None:
    with databases.empty() as url:
        await prove(ProjectCopy(tmp_path, database_kind, url, without=(CLIENTS.name,)), MUTATIONS)
