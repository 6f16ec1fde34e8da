"""A copy of the project, in which a test works as a developer does: files, commands, a server."""

import ast
import asyncio
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from httpx2 import AsyncClient

from backend.scaffold.registration import remove_router
from tests.support.accounts import PASSWORD
from tests.support.databases import BACKEND
from tests.support.mail import token_in
from tests.support.server import run_server
from tests.support.smtp import MailServer

__all__ = [
    "OWN_SERVICES",
    "TESTS_OF_THE_APP",
    "TESTS_OF_THE_WHOLE",
    "ProjectCopy",
    "operations",
    "sign_up",
]

# Those that look at the whole app, and so at what was added to it.
TESTS_OF_THE_APP = "tests/api tests/core tests/docs tests/migrations tests/services"
TESTS_OF_THE_WHOLE = f"{TESTS_OF_THE_APP} tests/check tests/cli tests/scaffold"

OWN_SERVICES = frozenset({"auth", "email", "users"})
"""What this project brings; the others are those of who develops a product with it."""

# What a clone does not have: environments, caches, the developer's own data and settings.
_NOT_IN_A_CLONE = shutil.ignore_patterns(
    ".git",
    ".venv*",
    ".uv",
    ".env",
    ".*_cache",
    ".hypothesis",
    ".schemathesis",
    "var",
    "node_modules",
    ".work",
)

_LEFT_BEHIND = {
    "__pycache__",
    ".git",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".check_cache",
}

_STAND_IN = """\
#!/bin/sh
# `uv run COMMAND …` in the environment that the tests run in, where there is no uv.
[ "$1" = run ] || exit 2
shift
exec "$@"
"""


class ProjectCopy:
    """The project as a clone has it, with a database of its own that has no tables yet.

    Its packages are those of the environment that the tests run in; its code is its own. `without`
    are the services that a test adds: it does not have a developer's own of these names.
    """

    def __init__(
        self,
        folder: Path,
        database_kind: str,
        database_url: str,
        source: Path = BACKEND.parent,
        *,
        without: Collection[str] = (),
    ) -> None:
        self.folder = folder
        self.backend = folder / "project" / BACKEND.name
        shutil.copytree(source, self.backend.parent, ignore=_NOT_IN_A_CLONE)
        commands = folder / "bin"
        commands.mkdir()
        self._provide_uv(commands)
        self.settings = {
            "DATABASE_URL": database_url,
            # The environment has the original's `src` in it; this one is looked into first.
            "PYTHONPATH": str(self.backend / "src"),
        }
        self.environment = os.environ | self.settings
        self.environment |= {
            "DATA_DIR": str(folder / "data"),
            "PATH": os.pathsep.join([str(commands), f"{sys.prefix}/bin", os.environ["PATH"]]),
            "PYTEST_ADDOPTS": f"--database {database_kind}",
            "UV_PROJECT_ENVIRONMENT": sys.prefix,
            "UV_NO_SYNC": "1",
            "UV_OFFLINE": "1",
        }
        self.environment.pop("VIRTUAL_ENV", None)
        self._leave_out(without)

    @staticmethod
    def _provide_uv(commands: Path) -> None:
        """uv as `uv run` names it or as it is found; a stand-in where there is none."""
        command = commands / "uv"
        if found := os.environ.get("UV") or shutil.which("uv"):
            command.symlink_to(found)
        else:
            command.write_text(_STAND_IN, encoding="utf-8")
            command.chmod(stat.S_IRWXU)

    def _leave_out(self, names: Collection[str]) -> None:
        """With those that use them, and by a migration, since others may come after theirs."""
        services = self.backend / "src/backend/services"
        developers = {
            path.parent.name: "\n".join(
                [path.parent.name, *(file.read_text("utf-8") for file in path.parent.glob("*.py"))]
            )
            for path in services.glob("*/__init__.py")
            if path.parent.name not in OWN_SERVICES
        }
        left_out: set[str] = set()
        while using := {
            name
            for name, text in developers.items()
            if name not in left_out and {*names, *left_out} & set(re.findall(r"\w+", text))
        }:
            left_out |= using
        if not left_out:
            return
        app = self.backend / "src/backend/app.py"
        for name in left_out:
            shutil.rmtree(services / name)
            shutil.rmtree(self.backend / "tests/services" / name, ignore_errors=True)
            app.write_text(remove_router(app.read_text("utf-8"), name), encoding="utf-8")
        subprocess.run(
            [sys.executable, "-m", "alembic", "revision", "--autogenerate", "-m", "Leave out"],
            cwd=self.backend,
            env=self.environment,
            check=True,
            capture_output=True,
        )

    def write(self, path: str, text: str) -> None:
        file = self.backend / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def append(self, path: str, text: str) -> None:
        with (self.backend / path).open("a", encoding="utf-8") as file:
            file.write(text)

    async def type(self, command: str) -> str:
        """Runs a line as it is typed in `backend/`; what it printed. It must succeed."""
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", command),
            cwd=self.backend,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            output = (await process.communicate())[0].decode(errors="replace")
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGINT)
                await process.communicate()
        assert process.returncode == 0, f"$ {command}\n{output}"
        return output

    def tree(self) -> dict[str, bytes]:
        """Every file with its content, without what Python and the tools leave behind."""
        return {
            path.relative_to(self.backend.parent).as_posix(): path.read_bytes()
            for path in self.backend.parent.rglob("*")
            if path.is_file() and not _LEFT_BEHIND & set(path.parts)
        }

    async def package(self) -> Path:
        """The folder of the code that the commands run."""
        command = "import backend; print(backend.__path__[0])"
        return Path((await self.type(f"uv run python -c '{command}'")).strip())

    def migrations(self) -> set[Path]:
        return set((self.backend / "migrations/versions").glob("*.py"))

    @asynccontextmanager
    async def serve(self, **settings: str) -> AsyncIterator[AsyncClient]:
        """A client of this copy's server, which listens on a real socket."""
        with run_server(self.folder / "data", **self.settings, **settings) as server:
            async with AsyncClient(base_url=server.url, timeout=30) as client:
                yield client


def operations(migration: Path) -> set[tuple[str, str]]:
    """What `upgrade` does, as in `("create_table", "users")`."""
    tree = ast.parse(migration.read_text(encoding="utf-8"))
    (upgrade,) = [
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    ]
    return {
        (call.func.attr, _name_in(call.args[0]))
        for call in ast.walk(upgrade)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and ast.unparse(call.func.value) in {"op", "batch_op"}
        and call.func.attr != "f"
    }


def _name_in(argument: ast.expr) -> str:
    """Of `"users"`, or of `op.f("ix_users_email")`."""
    constants = [node.value for node in ast.walk(argument) if isinstance(node, ast.Constant)]
    return str(constants[0])


async def sign_up(client: AsyncClient, mail_server: MailServer, email: str) -> dict[str, str]:
    """Somebody new on a server that mails by `mail_server`; the headers of their requests."""
    body = {"email": email, "password": PASSWORD}
    assert (await client.post("/api/auth/register", json=body)).status_code == 201
    token = token_in(await mail_server.next())
    assert (await client.post("/api/auth/verify", json={"token": token})).status_code == 200
    form = {"username": email, "password": PASSWORD}
    login = await client.post("/api/auth/jwt/login", data=form)
    return {"Authorization": f"Bearer {login.json()['access_token']}"}
