"""A server with its database: filled, started on a core of its own, stopped."""

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from harness.client import Answer, request
from harness.data import PASSWORD, Data
from harness.installation import Installed, install, sources_of
from harness.machine import SERVER_CORE, BenchError
from harness.places import SOURCES, WORK
from harness.postgres import Cluster
from harness.servers import SERVERS, Server

__all__ = ["Memory", "Running"]

START_SECONDS = 60
STOP_SECONDS = 15
SETTLE_SECONDS = 30
POLL_SECONDS = 0.005

Memory = dict[str, float]


class Running:
    def __init__(
        self, server: Server, cluster: Cluster, data: Data, installed: Installed | None = None
    ) -> None:
        self.server = server
        self._installed = installed
        self.name = server.name
        self.cluster = cluster
        self.data = data
        self.database = f"bench_{server.name.replace('-', '_')}"
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.log = WORK / f"{server.name}.log"
        self.log.unlink(missing_ok=True)
        self.tokens: list[str] = []
        self.deep_path = ""

    @cached_property
    def installed(self) -> Installed:
        return self._installed or install(self.server)

    @property
    def sqlite_file(self) -> Path:
        return WORK / f"{self.name}.db"

    @property
    def environment(self) -> dict[str, str]:
        found = {
            name: value.format(port=self.port, folder=WORK / self.name)
            for name, value in self.server.environment.items()
        }
        found |= {"PORT": str(self.port), "SECRET": "only for the benchmark: Zr8uNq2mVw5sKx1f"}
        if self.server.database == "sqlite":
            return found | {"DATABASE_URL": f"sqlite:///{self.sqlite_file}"}
        return found | self.cluster.environment(self.database)

    def fill(self, hashed: str) -> None:
        if self.server.copy_of:
            source = f"bench_{self.server.copy_of}"
            self.cluster.run(f"CREATE DATABASE {self.database} TEMPLATE {source}")
            return
        statements = (sources_of(self.server) / "fill.sql").read_text(encoding="utf-8")
        statements = statements.replace(":hash", f"'{hashed}'")
        self.drop()
        self.migrate()
        if self.server.database == "sqlite":
            self.data.fill_sqlite(self.sqlite_file, statements)
        else:
            url = self.cluster.url(self.database)
            asyncio.run(self.data.fill_postgresql(url, statements))

    def drop(self) -> None:
        """What was there; an empty one takes its place."""
        if self.server.database == "sqlite":
            for path in WORK.glob(f"{self.sqlite_file.name}*"):
                path.unlink()
            return
        self.cluster.run(f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")
        self.cluster.run(f"CREATE DATABASE {self.database}")

    def migrate(self) -> None:
        self.installed.run(self.server.migrate, self.environment)

    def hashing(self, *arguments: str) -> str:
        """By the library and with the parameters that the server hashes with."""
        server = SERVERS[self.server.copy_of or self.name]
        installed = install(server) if self.server.copy_of else self.installed
        program = ["node", "hashing.js"] if server.kind == "node" else ["python", "hashing.py"]
        if server.kind == "project":
            program = [sys.executable, str(sources_of(server) / "hashing.py")]
        paths = [installed.environment.get("PYTHONPATH", ""), str(SOURCES)]
        environment = self.environment | {"PYTHONPATH": os.pathsep.join(paths)}
        command = ("taskset", "-c", str(SERVER_CORE), *program, *arguments)
        return installed.run(command, environment).strip()

    def start(self) -> float:
        """Seconds until `me` was answered for the first time."""
        command = [word.format(port=self.port) for word in self.server.serve]
        with self.log.open("ab") as log:
            began = time.perf_counter()
            self.process = subprocess.Popen(
                ["taskset", "-c", str(SERVER_CORE), *command],
                cwd=self.installed.folder,
                env=os.environ | self.installed.environment | self.environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                answer = self.ask("GET", self.server.me)
                if answer.status == (200 if self.tokens else 401):
                    return time.perf_counter() - began
            if self.process.poll() is not None or time.perf_counter() - began > START_SECONDS:
                raise BenchError(f"{self.name} did not start; the end of its log:\n{self.tail()}")
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(STOP_SECONDS)
        self.process = None

    def settle(self) -> None:
        """Waits until it has done what it was asked for, answered or not."""
        used = self.cpu_seconds()
        for _ in range(SETTLE_SECONDS * 5):
            time.sleep(0.2)
            before, used = used, self.cpu_seconds()
            if used - before < 0.02:
                return

    def cpu_seconds(self) -> float:
        """What its processes have used so far."""
        ticks = 0
        for pid in self._pids():
            after_name = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2]
            ticks += sum(map(int, after_name.split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def restart(self) -> float:
        self.stop()
        return self.start()

    def tail(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        form: bool = False,
    ) -> Answer:
        """`token` is that of user 1 where none is given; an empty one is left out."""
        if token is None:
            token = self.tokens[0] if self.tokens else ""
        return asyncio.run(request(self.port, method, path, body, token=token, form=form))

    def sign_in(self, email: str, password: str = PASSWORD) -> Answer:
        sign_in = self.server.sign_in
        body = {sign_in.name: email, "password": password}
        return self.ask("POST", sign_in.path, body, token="", form=sign_in.kind == "form")

    def count_items(self) -> int:
        statement = f"SELECT count(*) FROM {self.server.items_table}"
        if self.server.database == "sqlite":
            connection = sqlite3.connect(self.sqlite_file)
            try:
                return int(connection.execute(statement).fetchone()[0])
            finally:
                connection.close()
        return int(self.cluster.run(statement, self.database))

    def _pids(self) -> list[int]:
        return _family(self.process.pid) if self.process else []

    def memory(self) -> Memory:
        """MB: `rss` is all that its largest process has in memory, and what its others have for
        themselves; `pss` divides what is shared with other programs too, so it depends on them."""
        found = [_smaps(pid) for pid in self._pids()]
        largest = max(found, key=lambda item: item["rss"])
        private = sum(item["private"] for item in found if item is not largest)
        return {"rss": largest["rss"] + private, "pss": sum(item["pss"] for item in found)}


def _smaps(pid: int) -> Memory:
    found = {"rss": 0.0, "pss": 0.0, "private": 0.0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        name = name.lower().partition("_")[0] if name.startswith("Private") else name.lower()
        if name in found:
            found[name] += int(value.split()[0]) / 1024
    return found


def _family(pid: int) -> list[int]:
    found = [pid]
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text(encoding="ascii").split():
            found += _family(int(child))
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
