"""`backend dev`, `serve` and `worker`: from the start to the end."""

import asyncio
import json
import shutil
import signal
import socket
from contextlib import suppress
from pathlib import Path

from httpx2 import Client

from tests.cli.command import Command, Running, until
from tests.support.accounts import PASSWORD
from tests.support.smtp import MailServer

BACKEND = Path(__file__).parents[2]


def register(server: Running, email: str) -> None:
    with Client(base_url=server.url) as client:
        body = {"email": email, "password": PASSWORD}
        assert client.post("/api/auth/register", json=body).status_code == 201


def begin_request(server: Running, email: str) -> tuple[socket.socket, bytes]:
    """A sign-up of which half the body was sent; the connection, and what is missing."""
    body = json.dumps({"email": email, "password": PASSWORD}).encode()
    head = (
        "POST /api/auth/register HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection = socket.create_connection(("127.0.0.1", int(server.port)))
    connection.sendall(head.encode() + body[:10])
    return connection, body[10:]


async def test_the_end_waits_for_requests_and_for_no_mail_server_that_hangs(
    backend: Command, mail_server: MailServer
) -> None:
    mail_server.hang = True
    with backend.running("serve", SMTP_URL=mail_server.url) as server:
        await asyncio.to_thread(until, server.answers)
        await asyncio.to_thread(register, server, "ada@example.com")
        await asyncio.to_thread(until, lambda: mail_server.attempts > 0)

        connection, rest = begin_request(server, "late@example.com")
        with connection:
            server.process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(until, lambda: "Shutting down" in server.log)
            connection.sendall(rest)
            answer = await asyncio.to_thread(connection.recv, 1000)
        assert answer.startswith(b"HTTP/1.1 201 ")
        assert b"\r\nserver:" not in answer.lower()
        assert await asyncio.to_thread(server.process.wait, 15) == 0


async def test_workers_deliver_what_a_server_without_them_leaves(
    backend: Command, mail_server: MailServer
) -> None:
    with backend.running("serve", "--workers", "2", "--no-worker", SMTP_URL=mail_server.url) as it:
        await asyncio.to_thread(until, it.answers)
        await asyncio.to_thread(register, it, "ada@example.com")
        doctor = await asyncio.to_thread(
            backend, "doctor", "--json", BACKEND_PORT=it.port, SMTP_URL=mail_server.url
        )
        examined = json.loads(doctor.stdout)["checks"]
        assert {check["status"] for check in examined} == {"ok"}, examined
        assert await asyncio.to_thread(it.stop) == 0
    assert mail_server.attempts == 0

    with backend.running("worker", SMTP_URL=mail_server.url) as worker:
        assert (await mail_server.next(20))["To"] == "ada@example.com"
        assert await asyncio.to_thread(worker.stop) == 0
    assert '"worker.stopped"' in worker.log


def test_dev_migrates_serves_and_reloads(fresh_backend: Command, tmp_path: Path) -> None:
    """On a copy of the source, in which something can be changed."""
    copy = tmp_path / "copy"
    shutil.copytree(BACKEND / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(BACKEND / "migrations", copy / "migrations")
    shutil.copy(BACKEND / "alembic.ini", copy)
    health = copy / "src/backend/core/health.py"
    with fresh_backend.serving("dev", PYTHONPATH=str(copy / "src")) as server:
        assert "Migrated: 0001accounts: accounts and mail" in server.log
        for line in (f"{server.url}/docs", f"{server.url}/dev/mail", "user create EMAIL"):
            assert line in server.log

        source = health.read_text(encoding="utf-8")
        health.write_text(source.replace('"/live"', '"/alive"'), encoding="utf-8")
        until(lambda: server.answers("/health/alive"))
        assert server.stop() == 0


def test_a_request_whose_head_does_not_end_is_cut_off(backend: Command) -> None:
    with backend.serving("serve") as server:
        host, _, port = server.url.removeprefix("http://").partition(":")
        for line in (b"GET /" + b"x" * 60_000, b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 60_000):
            with socket.create_connection((host, int(port)), timeout=20) as connection:
                sent = 0
                with suppress(ConnectionError):
                    while sent < 20_000_000:
                        connection.sendall(line if not sent else b"x" * 60_000)
                        sent += 60_000
                assert sent < 20_000_000, "it took all of it"
        assert server.answers("/health/live")
