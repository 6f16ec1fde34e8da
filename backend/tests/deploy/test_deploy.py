"""What `deploy/` says of this project is true of it, and a production installation works."""

import asyncio
import configparser
import contextlib
import fnmatch
import json
import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml  # type: ignore[import-untyped]
from httpx2 import AsyncClient
from tests.support.accounts import PASSWORD
from tests.support.databases import BACKEND, Databases, PostgreSQLDatabases
from tests.support.mail import link_in
from tests.support.server import run_server
from tests.support.smtp import MailServer

from backend.check.command_lines import refusal_of
from backend.cli.server import KEEP_ALIVE_SECONDS
from backend.settings import Settings, load_settings

ROOT = BACKEND.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))

REQUIRED = {
    "SECRET_KEY": "q8Zc0n3v7Lw1Xr5Ty9Bu2Ka6Md4Pe8Hj",
    "POSTGRES_PASSWORD": "5f0e8c1d7a2b4936",
    "PUBLIC_URL": "https://api.example.com",
    "SMTP_URL": "smtps://app:hunter2@mail.example.com",
    "MAIL_FROM": "Example <no-reply@example.com>",
}


# compose.yaml


class UnsetError(Exception):
    """Compose refuses the file: a variable that has to be set is not."""


def compose(variables: Mapping[str, str]) -> dict[str, Any]:
    """The file as Compose reads it: `${NAME:?message}` must be set, `${NAME:-default}` may be."""

    def value(found: re.Match[str]) -> str:
        name, kind, text = found.groups()
        if given := variables.get(name):
            return given
        if kind == "?":
            raise UnsetError(f"{name} {text}")
        return str(text)

    def resolve(node: Any) -> Any:
        if isinstance(node, str):
            return re.sub(r"\$\{(\w+):([?-])([^}]*)\}", value, node)
        if isinstance(node, list):
            return [resolve(item) for item in node]
        if isinstance(node, dict):
            return {key: resolve(item) for key, item in node.items()}
        return node

    source = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    resolved = resolve(yaml.safe_load(source))
    assert isinstance(resolved, dict)
    return resolved


@pytest.mark.parametrize("name", REQUIRED)
def test_compose_has_no_default_for_what_must_be_set(name: str) -> None:
    with pytest.raises(UnsetError, match=name):
        compose({**REQUIRED, name: ""})


@pytest.mark.parametrize("service", ["server", "worker"])
def test_what_compose_sets_is_what_production_asks_for(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment: dict[str, str] = compose(REQUIRED)["services"][service]["environment"]
    unknown = {name for name in environment if name.lower() not in Settings.model_fields}
    assert not unknown, "these are no settings"
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in {**image_environment(), **environment}.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert not settings.is_development
    assert settings.problems() == []
    assert settings.deliver_mail == (service == "worker")


def test_compose_migrates_before_anything_serves() -> None:
    services = compose(REQUIRED)["services"]
    assert set(services) == {"database", "migrate", "server", "worker"}
    for name in ("server", "worker"):
        waits_for = services[name]["depends_on"]
        assert waits_for["migrate"]["condition"] == "service_completed_successfully"
    assert services["migrate"]["depends_on"]["database"]["condition"] == "service_healthy"
    assert services["migrate"]["restart"] == "no"
    for name in ("migrate", "server", "worker"):
        assert refusal_of(shlex.join(["backend", *services[name]["command"]])) is None
    assert services["server"]["ports"] == ["127.0.0.1:8000:8000"], "not to the outside"


# Dockerfile


def instructions() -> list[tuple[str, str]]:
    """Each with its arguments; lines that end in a backslash go on."""
    source = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", source, flags=re.MULTILINE))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines.split("\n"))]


def image_environment() -> dict[str, str]:
    """What the image sets of our settings."""
    pairs = [
        item.split("=", 1)
        for word, rest in instructions()
        if word == "ENV"
        for item in shlex.split(rest)
    ]
    return {name: value for name, value in pairs if not re.match("PATH|PYTHON|PIP", name)}


def test_the_image_copies_what_exists_and_is_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    kept = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    sources = [
        source
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    assert len(sources) >= 5
    for source in sources:
        assert (ROOT / source).exists()
        assert any(fnmatch.fnmatch(source, pattern) for pattern in kept), f"{source} is ignored"
    assert set(kept) == set(sources), "and nothing else is sent to the builder"


def test_the_image_runs_as_nobody_special_in_production() -> None:
    found = dict(instructions())
    assert found["USER"] == "backend"
    assert found["STOPSIGNAL"] == "SIGTERM"
    environment = image_environment()
    assert environment["ENVIRONMENT"] == "production"
    assert all(name.lower() in Settings.model_fields for name in environment)
    command = [*json.loads(found["ENTRYPOINT"]), *json.loads(found["CMD"])]
    assert refusal_of(shlex.join(command)) is None


def test_the_health_check_of_the_image_tells_live_from_dead(tmp_path: Path) -> None:
    (arguments,) = [rest for word, rest in instructions() if word == "HEALTHCHECK"]
    python, *rest = json.loads(arguments.partition(" CMD ")[2])
    assert python == "python"

    def check(port: str) -> int:
        environment = {**os.environ, "BACKEND_PORT": port}
        return subprocess.run(
            [sys.executable, *rest], env=environment, capture_output=True, check=False
        ).returncode

    with run_server(tmp_path) as server:
        # The first request waits until it has started, which the check gives it no time for.
        with urlopen(f"{server.url}/health/live", timeout=60) as answer:
            assert answer.status == 200
        assert check(server.url.rpartition(":")[2]) == 0
    assert check("1") == 1


# systemd


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.stem))
def test_units_run_commands_that_exist(unit: Path) -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read(unit, encoding="utf-8")
    program, _, arguments = parser["Service"]["ExecStart"].partition(" ")
    assert program == "/opt/backend/venv/bin/backend"
    assert refusal_of(f"backend {arguments}") is None


def test_units_set_settings_that_exist() -> None:
    source = (DEPLOY / "systemd/backend-.service.d/common.conf").read_text(encoding="utf-8")
    names = re.findall(r"(\w+)=", " ".join(re.findall(r"^Environment=(.*)", source, re.MULTILINE)))
    assert "ENVIRONMENT" in names
    assert all(name.startswith("PYTHON") or name.lower() in Settings.model_fields for name in names)
    assert len(UNITS) == 3


# Proxies


@pytest.mark.parametrize(
    ("file", "body", "idle"),
    [
        ("nginx.conf", r"client_max_body_size (\d+)m;", r"keepalive_timeout (\d+)s;"),
        ("Caddyfile", r"max_size (\d+)MB", r"keepalive (\d+)s"),
    ],
)
def test_proxies_leave_limits_to_the_server_and_close_idle_connections_first(
    file: str, body: str, idle: str
) -> None:
    source = (DEPLOY / "proxy" / file).read_text(encoding="utf-8")
    (megabytes,) = re.findall(body, source)
    assert int(megabytes) * 1_000_000 > Settings.model_fields["max_body_bytes"].default
    (seconds,) = re.findall(idle, source)
    assert int(seconds) < KEEP_ALIVE_SECONDS


# A production installation, made as the Dockerfile makes it


@dataclass
class Installation:
    """Root makes it and a user without rights runs it, where the tests run as root."""

    folder: Path
    user: str | None

    async def start(self, *arguments: str, **settings: str) -> "asyncio.subprocess.Process":
        return await asyncio.create_subprocess_exec(
            self.folder / "venv/bin/backend",
            *arguments,
            cwd=self.folder / "app",
            env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1", **settings},
            user=self.user,
            group=self.user and pwd.getpwnam(self.user).pw_gid,
            extra_groups=None if self.user is None else [],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def run(self, *arguments: str, **settings: str) -> tuple[int | None, str]:
        process = await self.start(*arguments, **settings)
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, output.decode()


def find_python(user: str | None) -> str:
    """An interpreter that the user may run, with `venv` and `pip` for it."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = [
        os.path.realpath(sys.executable),
        shutil.which(version, path=os.defpath),
        "/usr/bin/python3",
    ]
    for python in filter(None, found):
        test = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))"
        with contextlib.suppress(OSError):
            if not subprocess.run(
                [python, "-c", test], user=user, cwd="/", capture_output=True, check=False
            ).returncode:
                return str(python)
    raise AssertionError(f"{user or 'this user'} may run no Python of {found} that has `venv`")


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="backend-installation-"))
    folder.chmod(0o755)
    python = str(folder / "venv/bin/python")
    source = folder / "source"
    source.mkdir()
    shutil.copy(BACKEND / "pyproject.toml", source)
    shutil.copytree(BACKEND / "src", source / "src")
    requirements = str(BACKEND / "requirements.txt")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (
        [find_python(user), "-m", "venv", str(folder / "venv")],
        [*pip, "--require-hashes", "--only-binary", ":all:", "--requirement", requirements],
        [*pip, "--no-deps", str(source)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    app = folder / "app"
    app.mkdir()
    shutil.copy(BACKEND / "alembic.ini", app)
    shutil.copytree(BACKEND / "migrations", app / "migrations")
    shutil.rmtree(source)
    data = folder / "data"
    data.mkdir()
    if user:
        shutil.chown(data, user)
    yield Installation(folder, user)
    shutil.rmtree(folder)


@pytest.fixture
def production(installation: Installation, databases: Databases) -> Iterator[dict[str, str]]:
    """Settings for it, with a database that has no tables yet."""
    if isinstance(databases, PostgreSQLDatabases):
        # The way to its socket is its owner's alone.
        (databases.directory / "pgdata").chmod(0o711)
        with databases.empty() as url:
            yield {"ENVIRONMENT": "production", "DATABASE_URL": url}
    else:
        path = Path(tempfile.mkdtemp(dir=installation.folder / "data")) / "backend.db"
        if installation.user:
            shutil.chown(path.parent, installation.user)
        yield {"ENVIRONMENT": "production", "DATABASE_URL": f"sqlite:///{path}"}


@pytest.mark.needs_more  # pip and PyPI
@pytest.mark.timeout(300)
def test_the_installed_package_is_complete(installation: Installation) -> None:
    (installed,) = (installation.folder / "venv/lib").glob("python*/site-packages/backend")

    def files(folder: Path) -> set[str]:
        return {
            str(path.relative_to(folder))
            for path in folder.rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }

    expected = files(BACKEND / "src/backend")
    assert "services/email/templates/layout.html" in expected
    assert files(installed) == expected


@pytest.mark.needs_more  # pip and PyPI
@pytest.mark.timeout(300)
async def test_the_installation_migrates_serves_and_mails(
    installation: Installation, production: dict[str, str], mail_server: MailServer
) -> None:
    status, output = await installation.run("serve", **production)
    assert status == 1
    assert "SECRET_KEY" in output
    assert "SMTP_URL" in output

    given = {name: value for name, value in REQUIRED.items() if name != "POSTGRES_PASSWORD"}
    settings = {
        **production,
        **given,
        "SMTP_URL": mail_server.url,
        "BACKEND_PORT": str(free_port()),
    }
    status, output = await installation.run("serve", **settings)
    assert (status, "backend db migrate" in output) == (1, True), output
    for _ in range(2):
        status, output = await installation.run("db", "migrate", **production)
        assert status == 0, output

    server = await installation.start("serve", "--workers=2", "--no-worker", **settings)
    worker = await installation.start("worker", **settings)
    try:
        async with client_of(server, settings["BACKEND_PORT"]) as client:
            assert (await client.get("/health/ready")).status_code == 200
            assert (await client.get("/docs")).status_code == 200
            assert (await client.get("/dev/mail")).status_code == 404
            body = {"email": "jane@example.com", "password": PASSWORD}
            answer = await client.post("/api/auth/register", json=body)
            assert answer.status_code == 201, answer.text
        link = link_in(await mail_server.next())
        assert link.startswith("https://api.example.com/account/verify-email?token=")
    finally:
        for process in (server, worker):
            process.send_signal(signal.SIGTERM)
        ends = [await asyncio.wait_for(process.communicate(), 30) for process in (server, worker)]
    assert (server.returncode, worker.returncode) == (0, 0), ends


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.asynccontextmanager
async def client_of(server: "asyncio.subprocess.Process", port: str) -> AsyncIterator[AsyncClient]:
    """Waits for the line with which the server says that it listens."""
    assert server.stdout
    async with asyncio.timeout(30):
        while b"server.listening" not in (line := await server.stdout.readline()):
            assert line, "the server ended"
    async with AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        yield client
