"""Real parts for the tests: a database of its own for each, the app with every middleware, mail.

Settings are fixed before anything of `backend` is imported, since it reads them once.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from httpx2 import ASGITransport, AsyncClient

from tests.support import network
from tests.support.databases import Databases, open_databases

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from tests.support.accounts import Accounts
    from tests.support.mail import Mailbox
    from tests.support.smtp import MailServer

BASE_URL = "http://127.0.0.1:8000"

_SETTINGS = {
    "ENV_FILE": os.devnull,
    "ENVIRONMENT": "development",
    "SECRET_KEY": "only for tests: " + "0123456789abcdef" * 2,
    "PUBLIC_URL": BASE_URL,
    "MAIL_FROM": "Backend <no-reply@backend.example>",
    # Cheap hashes: what is tested is where they are made, not what they cost.
    "ARGON2_MEMORY_KIB": "8192",
    "ARGON2_TIME_COST": "1",
    "LOG_LEVEL": "WARNING",
    "LOG_FORMAT": "json",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=("sqlite", "postgresql"),
        default="sqlite",
        help="the database to run on; PostgreSQL is started by the tests",
    )
    parser.addoption(
        "--all",
        action="store_true",
        help="also what needs more than PyPI gives: Chromium, npm, long runs",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs_more: runs with --all only, and says what it needs")
    from_outside = {name.upper() for name in _settings_names()}
    for variable in list(os.environ):
        if variable.upper().removesuffix("_FILE") in from_outside:
            del os.environ[variable]
    directory = Path(tempfile.mkdtemp(prefix="backend-tests-"))
    os.environ.update(_SETTINGS, DATA_DIR=str(directory / "data"))
    network.allow_only_this_machine()
    databases = open_databases(config.getoption("--database"), directory)
    config.stash[_DATABASES] = databases
    os.environ["DATABASE_URL"] = databases.template_url
    databases.migrate_template()
    _record_calls(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    if databases := config.stash.get(_DATABASES, None):
        databases.close()


def _record_calls(config: pytest.Config) -> None:
    from tests.support.calls import RecordsCalls  # it imports FastAPI, which reads no settings

    config.pluginmanager.register(RecordsCalls(), "records-calls")


_DATABASES = pytest.StashKey[Databases]()


def _settings_names() -> list[str]:
    source = Path(__file__).parents[1] / "src/backend/settings.py"
    return [
        line.split(":")[0].strip()
        for line in source.read_text(encoding="utf-8").splitlines()
        if line.startswith("    ") and "= Field(" in line
    ]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what has no place in this run, which pytest counts as deselected.

    `needs_more` runs with --all only, or fails. What uses no database of the run is the same on
    every one, and runs with SQLite's.
    """
    left_out = [
        item
        for item in items
        if (item.get_closest_marker("needs_more") and not config.getoption("--all"))
        or (config.getoption("--database") != "sqlite" and not _uses_the_database(item))
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _uses_the_database(item: pytest.Item) -> bool:
    return not {"databases", "database_kind"}.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def database_kind(pytestconfig: pytest.Config) -> str:
    """`sqlite` or `postgresql`."""
    return str(pytestconfig.getoption("--database"))


@pytest.fixture(scope="session")
def databases(pytestconfig: pytest.Config) -> Databases:
    return pytestconfig.stash[_DATABASES]


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """The address of a fresh, migrated database, as an operator would set DATABASE_URL."""
    with databases.copy() as url:
        yield url


@pytest_asyncio.fixture
async def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The app, in this process, works on a fresh database."""
    from backend import db
    from backend.settings import parse_database_url

    engine = db.make_engine(parse_database_url(database_url))
    before = db.engine
    monkeypatch.setattr(db, "engine", engine)
    db.async_session_maker.configure(bind=engine)
    yield
    await engine.dispose()
    db.async_session_maker.configure(bind=before)


@pytest_asyncio.fixture
async def async_session(database: None) -> "AsyncIterator[AsyncSession]":
    """A session on this test's own database, where commits are real."""
    from backend.db import async_session_maker

    async with async_session_maker() as session:
        yield session


@pytest_asyncio.fixture
async def async_client(database: None) -> AsyncIterator[AsyncClient]:
    """The real app with every middleware, on this test's own database."""
    from backend.app import app

    async with AsyncClient(transport=ASGITransport(app), base_url=BASE_URL) as client:
        yield client


@pytest.fixture
def mailbox(database: None, tmp_path: Path) -> "Mailbox":
    """What the outbox holds, delivered when it is asked for."""
    from tests.support.mail import Mailbox

    return Mailbox(tmp_path / "mailbox")


@pytest.fixture
def accounts(async_client: AsyncClient, mailbox: "Mailbox") -> "Accounts":
    """Signs people up and in, over HTTP and through their mail."""
    from tests.support.accounts import Accounts

    return Accounts(async_client, mailbox)


@pytest_asyncio.fixture
async def mail_server() -> "AsyncIterator[MailServer]":
    """A real SMTP server on this machine."""
    from tests.support.smtp import open_mail_server

    async with open_mail_server() as server:
        yield server
