"""What the documents say exists: paths, routes, commands, settings, tests, and what they show."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from fastapi_users.router import ErrorCode
from tests.cli.command import Command, Running, until
from tests.support.databases import BACKEND
from tests.support.project_copy import OWN_SERVICES

from backend.app import app
from backend.check.documents import Named, collect_documents
from backend.check.markdown import Document
from backend.check.settings_table import required_settings, settings_table
from backend.cli.route_list import find_routes
from backend.settings import Settings

ROOT = BACKEND.parent
PROJECT = collect_documents(ROOT)
DOCUMENTS = PROJECT.items


def document(name: str) -> Document:
    return Document(ROOT / name, ROOT)


# The guide has files and settings of its own, and tests that follow it.
OURS = [document for document in DOCUMENTS if document.path.name != "guide.md"]
README = document("README.md")
OPERATIONS = document("docs/operations.md")
SECURITY = document("docs/security.md")

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=str)
every_document_of_ours = pytest.mark.parametrize("document", OURS, ids=str)


def test_there_is_something_to_look_at() -> None:
    names = {str(document) for document in DOCUMENTS}
    assert {"README.md", "AGENTS.md", "docs/guide.md", "docs/operations.md"} <= names
    assert len(README.links) > 5
    assert len(OPERATIONS.typed) > 10


def _sentences(found: Iterator[Named]) -> list[str]:
    return [f"{item.document}:{item.line} {item.name}: {item.why}" for item in found]


@every_document
def test_links_lead_somewhere(document: Document) -> None:
    assert _sentences(PROJECT.links(document)) == []


@every_document
def test_paths_and_modules_exist(document: Document) -> None:
    assert _sentences(PROJECT.paths(document)) == []
    assert _sentences(PROJECT.modules(document)) == []


def test_the_layout_of_the_readme_is_the_layout() -> None:
    (block,) = [text for language, text in README.blocks if language == ""]
    folder = ROOT
    for line in block.splitlines():
        *names, _what = re.split(r" {2,}", line.strip())
        names = names or [line.strip()]
        for name in names:
            base = folder if line.startswith(" ") else ROOT
            assert (base / name).exists(), line
        if not line.startswith(" "):
            folder = ROOT / names[0]


@cache
def _routes() -> list[str]:
    return [route.path for route in find_routes(app)]


# Addresses of a frontend, and folders of the machine.
ELSEWHERE = re.compile(r"/(opt|var|run|path|srv|etc)/.*|/(verify-email|reset-password)")


@every_document_of_ours
def test_routes_exist(document: Document) -> None:
    """`GET /api/users`, `/health/ready`, and the beginnings of paths, such as `/account`."""
    for code in document.code:
        path = code.removeprefix("GET ").removeprefix("POST ").removeprefix("PATCH ")
        if not re.fullmatch(r"/[\w/.{}-]+", path) or ELSEWHERE.fullmatch(path):
            continue
        assert any(
            route == prefix + path or route.startswith(f"{prefix}{path.rstrip('/')}/")
            for route in _routes()
            for prefix in ("", "/api")
        ), f"{document} names {code}"


@every_document
def test_commands_are_taken(document: Document) -> None:
    assert _sentences(PROJECT.commands(document)) == []


# Variables of others, with what they are.
OTHER_VARIABLES = {
    "ENV_FILE": "names another file than .env",
    "EMPTY_DATABASE_URL": "the reader's own, in an example",
    **{code.value: "a code of FastAPI-Users" for code in ErrorCode},
    **dict.fromkeys(
        re.findall(r"\$\{(\w+)", (ROOT / "deploy/compose.yaml").read_text(encoding="utf-8")),
        "Compose's own",
    ),
}


@every_document_of_ours
def test_settings_exist(document: Document) -> None:
    text = " ".join([*document.code, *document.typed])
    for name in re.findall(r"(?<![\w./-])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![\w(])", text):
        known = name.removesuffix("_FILE").lower() in Settings.model_fields
        assert known or name in OTHER_VARIABLES, f"{document} names {name}"


SETTINGS_WITH_A_ROW = frozenset(
    {
        "environment",
        "secret_key",
        "product_name",
        "backend_host",
        "backend_port",
        "public_url",
        "frontend_url",
        "cors_origins",
        "trusted_proxies",
        "max_body_bytes",
        "data_dir",
        "database_url",
        "database_pool_size",
        "database_pgbouncer",
        "smtp_url",
        "mail_from",
        "deliver_mail",
        "access_token_minutes",
        "verification_token_hours",
        "reset_token_minutes",
        "sign_in_requires_verification",
        "argon2_memory_kib",
        "argon2_time_cost",
        "log_level",
        "log_format",
    }
)


def test_the_table_of_settings_is_true(tmp_path: Path) -> None:
    nothing = {name.upper(): "" for name in Settings.model_fields}
    command = Command(tmp_path / "var", {**nothing, "ENVIRONMENT": "production"})
    config = json.loads(command("config", "--production", "--json").stdout)
    assert required_settings(Settings) == {item["setting"] for item in config["problems"]}
    header, rule, *rows = settings_table(Settings).splitlines()
    # What comes after the last one of this project is the reader's own, and may be left out.
    ours = list(Settings.model_fields).index("log_format") + 1
    for row in [header, rule, *rows[:ours]]:
        assert row in OPERATIONS.text, f"docs/operations.md lacks this row:\n{row}"
    shown = re.findall(r"^\| `[A-Z0-9_]+` \|.*$", OPERATIONS.text, re.MULTILINE)
    assert set(shown) <= set(rows), "a row for something that is no setting"


def test_what_operations_shows_of_a_refused_start_is_what_is_printed(tmp_path: Path) -> None:
    nothing = {name.upper(): "" for name in Settings.model_fields}
    command = Command(tmp_path / "var", {**nothing, "ENVIRONMENT": "production"})
    refusal = command.refused("serve")
    assert f"$ ENVIRONMENT=production backend serve\n{refusal.rstrip()}\n" in OPERATIONS.text


def test_operations_names_every_event_of_the_log() -> None:
    """Those of services that were added may be left out."""
    events = _events(*(source for source in PYTHON if _service(source) in {None, *OWN_SERVICES}))
    assert {"request", "email.sent"} <= events
    section = OPERATIONS.text.partition("\n## Logs\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"^\| `([\w.]+)` \|", section, re.MULTILINE))
    assert events <= named <= _events(*PYTHON)


PYTHON = sorted((BACKEND / "src/backend").rglob("*.py"))


def _service(source: Path) -> str | None:
    parts = source.relative_to(BACKEND / "src/backend").parts
    return parts[1] if parts[0] == "services" and len(parts) > 2 else None


def _events(*sources: Path) -> set[str]:
    text = "".join(source.read_text(encoding="utf-8") for source in sources)
    logged = re.findall(r'\blog\.\w+\(\s*"([a-z_.]+)"|"(settings\.unsafe)"', text)
    return {first or second for first, second in logged}


@cache
def _tests_in(folder: str) -> set[str]:
    return {
        name
        for path in (BACKEND / folder).rglob("test_*.py")
        for name in re.findall(r"\bdef (test_\w+)", path.read_text(encoding="utf-8"))
    }


@every_document_of_ours
def test_tests_exist(document: Document) -> None:
    for code in document.code:
        if re.fullmatch(r"test_\w+", code):
            assert code in _tests_in("tests"), f"{document} names {code}"


def test_security_names_every_test_of_a_behaviour() -> None:
    of_behaviours = {
        name for name in _tests_in("tests/behaviours") if re.match(r"test_[a-z]\d+_", name)
    }
    assert len(of_behaviours) > 50
    assert of_behaviours - set(SECURITY.code) == set()


def test_the_index_of_decisions_has_every_page() -> None:
    index = document("docs/decisions/README.md")
    pages = {path.name for path in index.path.parent.glob("*.md")} - {"README.md"}
    assert set(index.links) == pages


def test_agents_is_short() -> None:
    assert len((ROOT / "AGENTS.md").read_text(encoding="utf-8").splitlines()) <= 40


# The tour of the README, typed against a server


CURL = """\
#!{python}
import argparse, sys, urllib.error, urllib.request
parser = argparse.ArgumentParser()
parser.add_argument("url")
parser.add_argument("-s", action="store_true")
parser.add_argument("-H", action="append", default=[])
parser.add_argument("-d", action="append", default=[])
given = parser.parse_args()
headers = dict(line.split(": ", 1) for line in given.H)
body = "&".join(given.d).replace(" ", "+").encode() if given.d and not headers else None
if given.d and headers:
    body = "&".join(given.d).encode()
request = urllib.request.Request(given.url, body, headers)
try:
    answer = urllib.request.urlopen(request, timeout=30)
except urllib.error.HTTPError as error:
    answer = error
sys.stdout.write(answer.read().decode())
"""

# What differs from one time to the next.
UNSTABLE = {
    "token": r"[\w-]{43}(?![\w-])",
    "access token": r"eyJ[\w-]+\.(?:…|[\w-]+\.[\w-]+)",
    "id": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "mail": r"\d{10}\.M\d+P\d+Q\d+\.[\w.-]+",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z",
}
_UNSTABLE = re.compile("|".join(f"({pattern})" for pattern in UNSTABLE.values()))


def stable(text: str) -> str:
    """Without what differs by nature: values, and the width of columns."""
    kinds = list(UNSTABLE)
    # Columns first: a long rule under a heading would else look like a token.
    text = re.sub(r" {2,}", "  ", re.sub(r"-{2,}", "--", text.strip()))
    return _UNSTABLE.sub(lambda found: f"<{kinds[(found.lastindex or 1) - 1]}>", text)


def steps(document: Document, section: str) -> Iterator[tuple[str, str]]:
    """The commands of a section's blocks, each with the output that is shown."""
    text = document.text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command = re.match(r"(?:.*\\\n)*.*\n", part)
            assert command
            yield command[0], part[command.end() :]


class Visitor:
    """Types what the README says, with the values that this server gave in the place of those
    that are shown."""

    def __init__(self, command: Command, server: Running, commands: Path) -> None:
        self.environment = command.environment(BACKEND_PORT=server.port, PUBLIC_URL=server.url)
        self.environment["PATH"] = f"{commands}:{self.environment['PATH']}"
        self.server = server
        self.actual: dict[str, str] = {}

    def type(self, line: str, shown: str) -> str:
        if line.startswith("TOKEN="):
            self.environment["TOKEN"] = self.actual[line.strip().removeprefix("TOKEN=")]
            return ""
        if "/dev/mail" in line:
            until(lambda: self._curl("/dev/mail.json") != "[]")
        for theirs, ours in self.actual.items():
            line = line.replace(theirs, ours)
        line = line.replace("http://127.0.0.1:8000", self.server.url)
        line = line.replace("bin/backend", f"{sys.executable} -m backend.main")
        output = self._run(line).replace(self.server.url, "http://127.0.0.1:8000")
        output = output.replace(f"port {self.server.port}", "port 8000")
        theirs_and_ours = zip(_UNSTABLE.finditer(shown), _UNSTABLE.finditer(output), strict=False)
        self.actual |= {theirs[0]: ours[0] for theirs, ours in theirs_and_ours}
        return output

    def _curl(self, path: str) -> str:
        return self._run(f"curl -s {self.server.url}{path}").strip()

    def _run(self, line: str) -> str:
        return subprocess.run(
            ["sh", "-c", line],
            env=self.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=60,
            check=False,
        ).stdout


def matches(shown: str, output: str) -> bool:
    """A line with … alone stands for any lines."""
    pattern = re.escape(stable(shown)).replace("…\\\n", "(?:.*\n)*").replace("\\\n…", "(?:\n.*)*")
    return re.fullmatch(pattern, stable(output)) is not None


@pytest.mark.parametrize(
    "curl", ["a stand-in", pytest.param("the real one", marks=pytest.mark.needs_more)]
)
def test_the_tour_of_the_readme_shows_what_happens(
    curl: str, tmp_path: Path, database_url: str
) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    if curl == "a stand-in":
        (commands / "curl").write_text(CURL.format(python=sys.executable))
        (commands / "curl").chmod(0o755)
    else:
        assert shutil.which("curl"), "curl is missing: install it"
    backend = Command(tmp_path / "var", {"DATABASE_URL": database_url})
    with backend.serving("dev", "--no-reload") as server:
        welcome = server.log.replace(server.url, "http://127.0.0.1:8000").strip()
        assert welcome in (ROOT / "docs/commands.md").read_text(encoding="utf-8")
        visitor = Visitor(backend, server, commands)
        tour = list(steps(README, "A tour"))
        assert len(tour) >= 7
        for line, shown in tour:
            printed = visitor.type(line, shown)
            texts = shown, printed
            if "doctor" in line:  # names and findings; what they say depends on the machine
                texts = _beginnings(shown), _beginnings(printed)
            assert matches(*texts), f"$ {line}\nshown:\n{shown}\nprinted:\n{printed}"


def _beginnings(text: str) -> str:
    return "\n".join(line[:20] for line in text.splitlines())
