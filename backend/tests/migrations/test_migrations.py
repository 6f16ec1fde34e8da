"""The migrations: up from nothing, down to nothing, up again, and no drift from the models."""

import asyncio
import io
import os
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.support.databases import BACKEND, Databases

from backend import db
from backend.core.schema import alembic_config, schema_state
from backend.settings import parse_database_url


@asynccontextmanager
async def engine_on(url: str) -> AsyncIterator[AsyncEngine]:
    engine = db.make_engine(parse_database_url(url))
    yield engine
    await engine.dispose()


async def alembic(engine: AsyncEngine, run: Callable[[Config], object]) -> str:
    """One Alembic command on this database, in one transaction; what it printed."""
    config = alembic_config()
    config.stdout = output = io.StringIO()
    config.attributes["configure_logging"] = False

    def on(connection: Connection) -> None:
        config.attributes["connection"] = connection
        run(config)

    async with engine.begin() as connection:
        await connection.run_sync(on)
    return output.getvalue()


async def tables(engine: AsyncEngine) -> set[str]:
    async with engine.connect() as connection:
        return await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))


async def test_up_down_up_and_no_drift(databases: Databases) -> None:
    with databases.empty() as url:
        async with engine_on(url) as engine:
            await alembic(engine, lambda config: command.upgrade(config, "head"))
            assert {"users", "emails", "user_sessions", "one_time_tokens"} <= await tables(engine)
            assert "No new upgrade operations" in await alembic(engine, command.check)
            await alembic(engine, lambda config: command.downgrade(config, "base"))
            assert await tables(engine) == {"alembic_version"}
            await alembic(engine, lambda config: command.upgrade(config, "head"))
            assert "users" in await tables(engine)


def the_one_in(folder: Path) -> str:
    (made,) = folder.glob("*.py")
    return made.read_text(encoding="utf-8")


DROPPED = """CREATE TABLE boats (
    state varchar(16) DEFAULT 'dra::ft' CHECK (state IN ('dra::ft', 'it''s live')),
    price numeric(12, 2) DEFAULT 1.5,
    built_on date DEFAULT '2020-01-01',
    sail varchar(9) CHECK (sail <> 'none'),
    id UUID,
    course double precision,
    cargo json,
    sailed_at {timestamp}
)"""


async def test_the_way_back_of_what_is_dropped_is_for_both_databases(
    databases: Databases, tmp_path: Path
) -> None:
    """PostgreSQL tells of defaults and checks in words that SQLite does not know."""

    def revise(config: Config) -> None:
        versions = f"{BACKEND / 'migrations/versions'}{os.pathsep}{tmp_path}"
        config.set_main_option("path_separator", "os")
        config.set_main_option("version_locations", versions)
        config.cmd_opts = Namespace(autogenerate=True)
        command.revision(config, "drop", autogenerate=True, version_path=str(tmp_path))

    with databases.empty() as url:
        async with engine_on(url) as engine:
            await alembic(engine, lambda config: command.upgrade(config, "head"))
            async with engine.begin() as connection:
                kind = "timestamptz" if engine.dialect.name == "postgresql" else "datetime"
                statement = DROPPED.format(timestamp=kind).replace(":", "\\:")
                await connection.execute(text(statement))
            await alembic(engine, revise)
    code = the_one_in(tmp_path).replace("\\'", "'")
    for part in ("'dra::ft'", "1.5", "'2020-01-01'", "IN ('dra::ft', 'it''s live')", "<> 'none'"):
        assert part in code
    assert "::" not in code.replace("dra::ft", "")
    assert "postgresql" not in code
    assert "sa.UUID" not in code


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory.from_config(alembic_config()).get_heads()) == 1


def test_the_statements_can_be_shown_for_review() -> None:
    config = alembic_config()
    config.output_buffer = output = io.StringIO()
    config.attributes["configure_logging"] = False
    command.upgrade(config, "head", sql=True)
    assert "CREATE TABLE users" in output.getvalue()


async def test_two_deployments_migrating_at_once_do_not_collide(databases: Databases) -> None:
    with databases.empty() as url:
        processes = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "alembic", "upgrade", "head"),
                cwd=BACKEND,
                env={**os.environ, "DATABASE_URL": url},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            for _ in range(2)
        ]
        for process in processes:
            output, _ = await asyncio.wait_for(process.communicate(), 60)
            assert process.returncode == 0, output.decode()
        async with engine_on(url) as engine:
            assert "users" in await tables(engine)


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("SELECT 1", "current"),
        ("DELETE FROM alembic_version", "behind"),
        ("UPDATE alembic_version SET version_num = 'newer'", "foreign"),
    ],
)
async def test_the_state_of_the_schema_is_known(database: None, statement: str, state: str) -> None:
    async with db.engine.begin() as connection:
        await connection.execute(text(statement))
    found = await schema_state(db.engine)
    assert found.state == state
    assert bool(found.pending) == (state == "behind")
