"""The real `backend` command, in processes of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from httpx2 import Client, TransportError

__all__ = ["Command", "Running", "free_port", "until"]

WAIT_SECONDS = 30.0


@dataclass
class Running:
    process: "subprocess.Popen[bytes]"
    url: str
    log_file: Path

    @property
    def port(self) -> str:
        return self.url.rpartition(":")[2]

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    def answers(self, path: str = "/health/ready") -> bool:
        assert self.process.poll() is None, f"it ended: {self.log}"
        try:
            with Client(base_url=self.url, timeout=WAIT_SECONDS) as client:
                return client.get(path).status_code == 200
        except TransportError:
            return False

    def stop(self) -> int:
        """As a service manager does; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_SECONDS)


@dataclass
class Command:
    data_dir: Path
    settings: dict[str, str] = field(default_factory=dict)

    def environment(self, **settings: str) -> dict[str, str]:
        """What is empty counts as not set. Bytecode is written, once for all these processes."""
        own = {"DATA_DIR": str(self.data_dir), "PYTHONDONTWRITEBYTECODE": ""}
        return {**os.environ, **own, **self.settings, **settings}

    def __call__(
        self, *arguments: str, stdin: str = "", **settings: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "backend.main", *arguments],
            env=self.environment(**settings),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=WAIT_SECONDS,
            check=False,
        )

    def refused(self, *arguments: str, **settings: str) -> str:
        """What it says when it refuses: sentences for a person, and nothing on standard output."""
        done = self(*arguments, **settings)
        assert done.returncode == 1, done
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("Error: ")
        assert done.stdout == ""
        return done.stderr

    @contextmanager
    def running(self, *arguments: str, **settings: str) -> Iterator[Running]:
        """Until the end of the block, where it is stopped if it still runs."""
        port = free_port()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        log_file = self.data_dir / f"{port}.log"
        url = f"http://127.0.0.1:{port}"
        process_settings = {"BACKEND_PORT": str(port), "PUBLIC_URL": url, "LOG_LEVEL": "INFO"}
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "backend.main", *arguments],
                env=self.environment(**process_settings, **settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        running = Running(process, url, log_file)
        try:
            yield running
        finally:
            if process.poll() is None:
                running.stop()

    @contextmanager
    def serving(self, *arguments: str, **settings: str) -> Iterator[Running]:
        with self.running(*arguments, **settings) as running:
            until(running.answers)
            yield running


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def until(condition: Callable[[], bool]) -> None:
    """Asks again and again, and fails after a time that no machine needs."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)
