"""`backend db`, on each database."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.exc import OperationalError

from backend.cli.database_errors import failed_migration
from tests.cli.command import Command
from tests.support.databases import Databases


async def run_statements(url: str, *statements: str) -> None:
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        with connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()
        return
    server = await asyncpg.connect(url)
    for statement in statements:
        await server.execute(statement)
    await server.close()


@pytest.fixture
def empty(databases: Databases, tmp_path: Path) -> Iterator[Command]:
    with databases.empty() as url:
        yield Command(tmp_path / "var", {"DATABASE_URL": url})


def test_what_is_pending_is_shown_and_applied(empty: Command) -> None:
    before = json.loads(empty("db", "status", "--json").stdout)
    assert (before["state"], before["current"]) == ("behind", None)
    assert before["pending"][0] == "0001accounts"

    done = json.loads(empty("db", "migrate", "--json").stdout)
    assert done == {"applied": before["pending"], "current": before["head"]}


async def test_reset_mends_a_database_of_unknown_state(empty: Command) -> None:
    await run_statements(
        empty.settings["DATABASE_URL"],
        "CREATE TABLE alembic_version (version_num VARCHAR(32))",
        "INSERT INTO alembic_version VALUES ('from the future')",
        "CREATE TABLE users (id INTEGER PRIMARY KEY)",
        "CREATE TABLE pets (owner INTEGER REFERENCES users)",
        "CREATE VIEW owners AS SELECT owner FROM pets",
    )
    refused = empty.refused("db", "migrate")
    assert "at revision from the future, which this version does not know" in refused
    unasked = empty("db", "reset")
    assert unasked.returncode == 2
    assert "--yes" in unasked.stderr

    assert empty("db", "reset", "--yes").returncode == 0
    assert json.loads(empty("db", "status", "--json").stdout)["state"] == "current"


def test_reset_replaces_a_file_that_is_no_database(fresh_backend: Command, tmp_path: Path) -> None:
    file = tmp_path / "broken.db"
    file.write_text("this is no database\n" * 100, encoding="utf-8")
    done = fresh_backend("db", "reset", "--yes", DATABASE_URL=f"sqlite:///{file}")
    assert done.returncode == 0, done.stderr
    assert f"{file} is as new" in done.stdout


def test_a_migration_that_the_database_refuses_is_explained() -> None:
    refusal = sqlite3.OperationalError("table emails already exists")
    error = OperationalError("\nCREATE TABLE emails (\n\tid INTEGER\n)\n", {}, refusal)
    said = failed_migration(error)
    assert said is not None
    assert said.startswith(
        "A migration failed at `CREATE TABLE emails`: table emails already exists. "
    )
