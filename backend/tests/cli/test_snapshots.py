"""`backend db snapshot` and `backend db reset --to`, on each database."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from httpx2 import AsyncClient
from sqlalchemy.engine import make_url

from backend.settings import parse_database_url
from tests.cli.command import Command, until
from tests.cli.conftest import Invoke
from tests.cli.test_database import run_statements
from tests.support.accounts import PASSWORD


async def create_user(invoke: Invoke, email: str) -> None:
    done = await invoke("user", "create", email, "--password-stdin", stdin=f"{PASSWORD}\n")
    assert done.returncode == 0, done.stderr


async def emails(invoke: Invoke) -> list[str]:
    listed = await invoke("user", "list", "--json")
    return [user["email"] for user in json.loads(listed.stdout)["items"]]


@asynccontextmanager
async def steady_requests(url: str) -> AsyncIterator[list[int]]:
    """Sign-ins one after the other, and what was answered; complete after the block."""
    answers: list[int] = []
    is_over = False

    async def sign_in() -> None:
        form = {"username": "ada@example.com", "password": PASSWORD}
        async with AsyncClient(base_url=url, timeout=30) as client:
            while not is_over or answers[-1] != 200:
                answers.append((await client.post("/api/auth/jwt/login", data=form)).status_code)

    asking = asyncio.create_task(sign_in())
    yield answers
    is_over = True
    async with asyncio.timeout(10):
        await asking


async def test_a_server_goes_on_while_states_are_saved_and_restored(
    backend: Command, invoke: Invoke
) -> None:
    with backend.running("serve", ARGON2_MEMORY_KIB="8192") as server:
        await asyncio.to_thread(until, server.answers)
        await create_user(invoke, "ada@example.com")
        async with steady_requests(server.url) as answers:
            saved = await invoke("db", "snapshot", "--json")
            assert saved.returncode == 0, saved.stderr
            await create_user(invoke, "eve@example.com")
            refused = await invoke("db", "reset", "--to", "latest")
            assert (refused.returncode, await emails(invoke)) == (
                2,
                ["ada@example.com", "eve@example.com"],
            )
            back = await invoke("db", "reset", "--to", "latest", "--yes")
            assert back.returncode == 0, back.stderr
            assert await emails(invoke) == ["ada@example.com"]
        # 503 is what a request gets whose connection was taken away; the last one was served.
        assert set(answers) <= {200, 503}

        async with AsyncClient(base_url=server.url, timeout=30) as client:
            body = {"email": "new@example.com", "password": PASSWORD}
            assert (await client.post("/api/auth/register", json=body)).status_code == 201
    assert await emails(invoke) == ["ada@example.com", "new@example.com"]


async def test_latest_is_replaced_and_another_name_is_taken_once(invoke: Invoke) -> None:
    await create_user(invoke, "ada@example.com")
    assert (await invoke("db", "snapshot")).returncode == 0
    assert (await invoke("db", "snapshot", "named")).returncode == 0
    await create_user(invoke, "eve@example.com")
    assert (await invoke("db", "snapshot")).returncode == 0
    taken = await invoke("db", "snapshot", "named")
    assert taken.returncode == 1
    assert taken.stderr.startswith("Error: There is a snapshot named already, of 20")

    listed = json.loads((await invoke("db", "snapshot", "--list", "--json")).stdout)["items"]
    assert {item["name"] for item in listed} == {"latest", "named"}
    assert all(item["size"] > 0 for item in listed)
    shown = (await invoke("db", "snapshot", "--list")).stdout
    assert shown.splitlines()[0].split() == ["name", "made", "(UTC)", "revision", "size", "place"]
    assert {listed[0]["revision"], listed[1]["revision"]} == {listed[0]["revision"]}
    assert listed[0]["revision"] in shown

    for name, expected in (("named", 1), ("latest", 2), ("named", 1)):
        assert (await invoke("db", "reset", "--yes", "--to", name)).returncode == 0
        assert len(await emails(invoke)) == expected


async def test_names_and_combinations_that_are_refused(invoke: Invoke) -> None:
    for name in ("../etc", "a b", "x" * 31, "ä", ""):
        done = await invoke("db", "snapshot", name)
        assert done.returncode == 1
        assert "Use at most 30 letters, digits, - and _" in done.stderr
    missing = await invoke("db", "reset", "--yes", "--to", "nothing")
    assert missing.returncode == 1
    assert "There is no snapshot nothing. There are: none yet" in missing.stderr
    assert (await invoke("db", "reset", "--yes", "--seed", "--to", "x")).returncode == 2


async def test_the_revision_of_a_snapshot_is_compared_with_this_version(
    invoke: Invoke, database_url: str
) -> None:
    statements = {
        "foreign": "UPDATE alembic_version SET version_num = 'from the future'",
        "old": "DELETE FROM alembic_version",
    }
    for name, statement in statements.items():
        await run_statements(database_url, statement)
        assert (await invoke("db", "snapshot", name)).returncode == 0

    back = await invoke("db", "reset", "--yes", "--to", "old")
    assert back.returncode == 0, back.stderr
    assert "Pending: 0001accounts" in back.stdout
    assert "Run `backend db migrate`" in back.stdout
    refused = await invoke("db", "reset", "--yes", "--to", "foreign")
    assert refused.returncode == 1
    assert "at revision from the future, which this version does not know" in refused.stderr
    status = json.loads((await invoke("db", "status", "--json")).stdout)
    assert status["current"] is None


async def test_what_the_server_of_the_database_refuses(
    invoke: Invoke,
    backend: Command,
    database_kind: str,
    database_url: str,
) -> None:
    """On PostgreSQL by its rights and names, on SQLite by those of the file system."""
    if database_kind == "sqlite":
        folder = backend.data_dir / "snapshots"
        folder.parent.mkdir()
        folder.touch()
        done = await invoke("db", "snapshot", "kept")
        assert done.returncode == 1
        assert f"{folder}" in done.stderr
        assert "Let this user write" in done.stderr
        return
    source = make_url(database_url).database
    await run_statements(
        database_url,
        f'CREATE DATABASE "{source}_snapshot_taken"',
        "CREATE ROLE plain LOGIN",
        "GRANT SELECT ON alembic_version TO plain",
    )
    taken = await invoke("db", "snapshot", "taken")
    assert taken.returncode == 1
    assert f"There is a database {source}_snapshot_taken already, which is no snapshot" in (
        taken.stderr
    )
    as_plain = parse_database_url(database_url).set(username="plain", drivername="postgresql")
    backend.settings["DATABASE_URL"] = as_plain.render_as_string(hide_password=False)

    async def refusal() -> str:
        return await asyncio.to_thread(backend.refused, "db", "snapshot", "mine")

    said = await refusal()
    assert "permission denied to create database" in said
    remedies = ("ALTER ROLE plain CREATEDB", f"ALTER DATABASE {source} OWNER TO plain")
    assert "`, `".join(remedies) in said
    await run_statements(database_url, *remedies)

    superuser = await asyncpg.connect(database_url)
    said = await refusal()
    await superuser.close()
    assert f"Another user is connected to {source}, which this one may not end" in said
    done = await asyncio.to_thread(backend, "db", "snapshot", "mine")
    assert done.returncode == 0, done.stderr
