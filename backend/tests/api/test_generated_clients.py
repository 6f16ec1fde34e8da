"""Clients that others generate from the OpenAPI document compile, and sign in.

The commands are those of `docs/clients.md`. They need the network, for npm and PyPI.
"""

import asyncio
import json
import os
import re
import shlex
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.mail import token_in
from tests.support.server import Server, run_server
from tests.support.smtp import MailServer

CLIENTS = Path(__file__).parent / "clients"
GUIDE = Path(__file__).parents[3] / "docs/clients.md"
ADDRESS = "http://127.0.0.1:8000"

pytestmark = [pytest.mark.needs_more, pytest.mark.timeout(600)]


def blocks(section: str, language: str) -> list[str]:
    """The code of one section of the guide."""
    text = re.split(r"^## ", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (found,) = (part for part in text if part.startswith(f"{section}\n"))
    return re.findall(rf"^```{language}\n(.*?)^```$", found, re.MULTILINE | re.DOTALL)


def commands(section: str, server: Server) -> Iterator[list[str]]:
    for line in "".join(blocks(section, "bash")).splitlines():
        program, *arguments = shlex.split(line.replace(ADDRESS, server.url))
        yield [*executable(program), *arguments]


def executable(program: str) -> list[str]:
    """Where it is; fails where it is missing, since a test that skips proves nothing."""
    if program in {"uv", "uvx"}:
        found = shutil.which("uv") or os.environ.get("UV")
        if not found:
            pytest.fail("uv is missing: install it (https://docs.astral.sh/uv/), or use bin/test")
        return [found] if program == "uv" else [found, "tool", "run"]
    found = shutil.which(program)
    if not found:
        pytest.fail(f"{program} is missing: install Node.js 20 or newer (https://nodejs.org/)")
    return [found]


@asynccontextmanager
async def running(command: list[str], folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    # An environment that is active around the tests is not the client's.
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def run(command: list[str], folder: Path) -> None:
    async with running(command, folder) as process:
        output, errors = await process.communicate()
        assert process.returncode == 0, f"{shlex.join(command)}\n{(output + errors).decode()}"


async def sign_in(command: list[str], folder: Path, mail_server: MailServer) -> dict[str, Any]:
    """What the program prints at its end; the mailed token is given to it in between."""
    async with running(command, folder) as process:
        assert process.stdout is not None
        asked = (await process.stdout.readline()).decode()
        if "LOGIN_BAD_CREDENTIALS" not in asked:
            output, errors = await process.communicate()
            pytest.fail(asked + (output + errors).decode())
        token = token_in(await mail_server.next())
        output, errors = await process.communicate(f"{token}\n".encode())
        assert process.returncode == 0, errors.decode()
        result: dict[str, Any] = json.loads(output)
        return result


def assert_signed_in(result: dict[str, Any], email: str) -> None:
    assert result["me"]["email"] == email
    assert result["me"]["name"] == "Jane"
    assert result["me"]["is_verified"] is True
    assert result["renamed"] == result["me"] | {"name": None}
    assert result["refused"] == 403


async def test_a_typescript_client_compiles_and_signs_in(
    database_url: str, tmp_path: Path, mail_server: MailServer
) -> None:
    folder = tmp_path / "client"
    shutil.copytree(CLIENTS / "typescript", folder)
    program = (folder / "sign_in.ts").read_text(encoding="utf-8")
    assert all(block in program for block in blocks("TypeScript", "typescript"))
    with run_server(
        tmp_path / "server", DATABASE_URL=database_url, SMTP_URL=mail_server.url
    ) as server:
        for command in commands("TypeScript", server):
            await run(command, folder)
        command = [*executable("node"), "sign_in.js", server.url, "jane@example.com"]
        assert_signed_in(await sign_in(command, folder, mail_server), "jane@example.com")
    types = (folder / "schema.d.ts").read_text(encoding="utf-8")
    assert "auth_login: {" in types
    assert "UserReadPage: {" in types


async def test_a_python_client_type_checks_and_signs_in(
    database_url: str, tmp_path: Path, mail_server: MailServer
) -> None:
    folder = tmp_path / "client"
    shutil.copytree(CLIENTS / "python", folder)
    program = (folder / "sign_in.py").read_text(encoding="utf-8")
    assert all(block in program for block in blocks("Python", "python"))
    with run_server(
        tmp_path / "server", DATABASE_URL=database_url, SMTP_URL=mail_server.url
    ) as server:
        *before, last = commands("Python", server)
        for command in before:
            await run(command, folder)
        assert_signed_in(await sign_in(last, folder, mail_server), "jane@example.com")
    models = {path.stem for path in (folder / "backend_client/models").glob("*.py")}
    assert {"user_read", "user_read_page", "auth_login_form", "problem"} <= models
    assert not [name for name in models if re.search(r"type_\d|response|body_", name)]
