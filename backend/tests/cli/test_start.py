"""What `backend serve` loads: start time and the memory of an idle worker are mostly imports."""

import re

import pytest

from tests.cli.command import Command, until

NOT_AT_THE_START = {
    "alembic": "applies migrations, which no server in production does: 8 MB, a tenth of the start",
    "zxcvbn": "ranks all its lists of words, of which we ask one: 12 MB",
    "backend.check": "is for developers",
    "backend.scaffold": "is for developers",
    "faker": "makes rows for development",
    "libcst": "is for what changes source",
    "jinja2": "comes with the first page or mail: 3 MB",
    "rich.console": "colours tracebacks: 3 MB",
    "aiosmtplib": "comes with the first mail",
}
DRIVERS = {"sqlite": "aiosqlite", "postgresql": "asyncpg"}


@pytest.fixture
def served(backend: Command) -> set[str]:
    """The modules that were imported when the server had started and said that it was ready."""
    with backend.running("serve", PYTHONPROFILEIMPORTTIME="1") as server:
        until(server.answers)
        assert server.stop() == 0
        return set(re.findall(r"^import time:.*\| +([\w.]+)$", server.log, re.MULTILINE))


def test_a_server_loads_what_serving_needs(served: set[str], database_kind: str) -> None:
    assert {"backend.services.users.routes", DRIVERS[database_kind]} <= served
    assert {name: why for name, why in NOT_AT_THE_START.items() if name in served} == {}
    assert served.isdisjoint(driver for kind, driver in DRIVERS.items() if kind != database_kind)
