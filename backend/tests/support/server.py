"""The server as a process of its own, on a socket that is listening before it starts."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Server", "run_server"]


@dataclass
class Server:
    url: str
    process: "subprocess.Popen[bytes]"
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    def kill(self) -> None:
        """As by `kill -9`."""
        self.process.kill()
        self.process.wait(timeout=10)


@contextmanager
def run_server(data_dir: Path, **settings: str) -> Iterator[Server]:
    """A request made at once waits in the socket's queue until the server takes it."""
    data_dir.mkdir(parents=True, exist_ok=True)
    log_file = data_dir / "server.log"
    with socket.socket() as listener, log_file.open("ab") as log:
        # uvicorn takes a socket that it is handed for one of Unix, and would leave this out.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "uvicorn",
                "backend.app:app",
                "--fd",
                str(listener.fileno()),
                "--no-access-log",
                "--no-proxy-headers",
                "--timeout-graceful-shutdown",
                "10",
            ],
            env={
                **os.environ,
                "LOG_LEVEL": "INFO",
                "DATA_DIR": str(data_dir),
                "PUBLIC_URL": url,
                **settings,
            },
            pass_fds=[listener.fileno()],
            stdout=log,
            stderr=log,
        )
    try:
        yield Server(url, process, log_file)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)
