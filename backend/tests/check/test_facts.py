"""Imports, recorded calls and settings, as the rules are given them."""

import json
from pathlib import Path
from typing import Any

import grimp
import pytest
from pydantic import Field, SecretStr

from backend.app import app
from backend.check.engine import load_rules
from backend.check.finding import Finding
from backend.check.imports import collect_imports
from backend.check.project import NotExamined
from backend.check.recorded_tests import RecordedTests, add_to_record, record_path, take_record
from backend.check.routes import collect_routes
from backend.check.settings_facts import collect_settings, mend_table
from backend.check.settings_table import settings_table
from backend.check.sources import collect_sources
from backend.settings import Settings
from tests.check.trees import make_tree, service
from tests.support.databases import BACKEND

ROOT = BACKEND.parent


def test_the_imports_are_those_that_grimp_finds() -> None:
    graph = grimp.build_graph("backend", cache_dir=None, exclude_type_checking_imports=True)
    theirs = {
        (importer, imported)
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
        if not importer.startswith("backend.scaffold.templates")
    }
    ours = {
        (edge.importer, edge.imported)
        for edge in collect_imports(collect_sources(ROOT)).edges
        if edge.imported in graph.modules
    }
    assert len(ours) > 300
    assert ours == theirs


def test_an_import_has_its_line_and_its_names(tmp_path: Path) -> None:
    root = make_tree(
        tmp_path,
        service(
            "clients", service="import uuid\n\nfrom .models import (\n  A as B,\n  C,\n)\nx = 1\n"
        ),
    )
    (edge,) = [
        edge
        for edge in collect_imports(collect_sources(root)).edges
        if edge.imported == "backend.services.clients.models"
    ]
    assert (edge.place.path, edge.place.line) == (
        "backend/src/backend/services/clients/service.py",
        3,
    )
    assert edge.names == (("A", "B"), ("C", "C"))


# Which routes tests call (BK802), on the real app's routes


RECORDED = "tests/services/users/test_users_routes.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the names of this one's services, and one test of each."""
    tests = {
        f"tests/services/{name}/test_{name}_routes.py": "def test_it() -> None:\n    assert 1\n"
        for name in ("auth", "email", "users")
    }
    return make_tree(tmp_path, service("auth") | service("email") | service("users") | tests)


def recorded(root: Path) -> RecordedTests:
    return RecordedTests(collect_sources(root), root, lambda: collect_routes(app))


CALLS = "def test_new(async_client) -> None:\n    assert async_client('/api/users')\n"


def uncalled(root: Path) -> set[str]:
    (rule,) = [rule for rule in load_rules().values() if rule.id == "BK802"]
    found = list(rule.function(recorded(root)))
    assert all(item.place.path.startswith("backend/src/backend/services/") for item in found)
    return {item.subject for item in found}


def record_all(root: Path, calls: set[str]) -> None:
    """Every test of the tree has run; the one of users has made the calls."""
    for source in collect_sources(root).tests:
        file = source.path.removeprefix("backend/")
        add_to_record(root, {file: {"test_it": calls if file == RECORDED else set()}})


def test_without_a_record_nothing_is_examined(root: Path) -> None:
    with pytest.raises(NotExamined, match="run `bin/test` first"):
        recorded(root)


def test_a_route_that_no_test_calls_is_found(root: Path) -> None:
    every = {f"{route.method} {route.path}" for route in collect_routes(app)}
    record_all(root, every)
    assert uncalled(root) == set()
    record_all(root, every - {"GET /api/users/{id}"})
    assert uncalled(root) == {"GET /api/users/{id}"}


def test_a_deleted_test_calls_nothing(root: Path) -> None:
    every = {f"{route.method} {route.path}" for route in collect_routes(app)}
    record_all(root, every)
    make_tree(root, {RECORDED: "def test_other() -> None:\n    assert 1\n"})
    add_to_record(root, {RECORDED: {"test_other": {"GET /api/users"}}})
    assert "GET /api/users" not in uncalled(root)
    assert "DELETE /api/users/{id}" in uncalled(root)


def test_what_another_test_may_still_call_is_not_judged(root: Path) -> None:
    record_all(root, set())
    assert "GET /api/users" in uncalled(root)
    make_tree(root, {"tests/test_new.py": CALLS})
    assert "GET /api/users" not in uncalled(root)
    assert "POST /api/auth/verify" in uncalled(root)
    assert "more wait for tests that have not run" in recorded(root).examined
    add_to_record(root, {"tests/test_new.py": {"test_new": set()}})
    assert "GET /api/users" in uncalled(root)


def test_a_part_of_the_tests_changes_the_record_of_that_part_only(root: Path) -> None:
    add_to_record(root, {"a.py": {"test_a": {"GET /a"}, "test_b": {"GET /b"}}})
    add_to_record(root, {"a.py": {"test_a": {"GET /c"}}, "b.py": {"test_a": set()}})
    record = json.loads((root / "backend/.check_cache/tests.json").read_text(encoding="utf-8"))
    assert record == {
        "a.py": {"test_a": ["GET /c"], "test_b": ["GET /b"]},
        "b.py": {"test_a": []},
    }


def test_what_ran_in_a_copy_counts_too(root: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    (copy / "backend").mkdir(parents=True)
    add_to_record(copy, {"a.py": {"test_a": {"GET /a"}}})
    add_to_record(root, {"b.py": {"test_b": {"GET /b"}}})
    take_record(copy, root)
    assert json.loads(record_path(root).read_text(encoding="utf-8")) == {
        "a.py": {"test_a": ["GET /a"]},
        "b.py": {"test_b": ["GET /b"]},
    }


async def test_the_tests_of_this_project_write_down_what_they_call(
    async_client: Any, pytestconfig: pytest.Config
) -> None:
    recorder = pytestconfig.pluginmanager.get_plugin("records-calls")
    assert recorder is not None
    await async_client.get("/api/users/01234567-89ab-7def-8123-456789abcdef")
    await async_client.get("/nowhere")
    assert recorder.calls == {"GET /api/users/{id}"}


# The settings and what tells of them (BK703)


TABLE = settings_table(Settings)
SETTINGS = {
    "/docs/operations.md": f"# Operations\n\n{TABLE}\nMore.\n",
    "src/backend/settings.py": "class Settings:\n    log_level: str = 'INFO'\n",
}


def untrue(root: Path) -> list[Finding]:
    (rule,) = [rule for rule in load_rules().values() if rule.id == "BK703"]
    return list(rule.function(collect_settings(root, Settings)))


def test_a_table_and_an_example_that_are_true(tmp_path: Path) -> None:
    example = {"/.env.example": "# The level\nLOG_LEVEL=INFO\n#SMTP_URL=\nSECRET_KEY_FILE=/run/x\n"}
    root = make_tree(tmp_path, SETTINGS | example)
    assert untrue(root) == []
    count = len(Settings.model_fields)
    assert f"{count} settings, told of in docs/operations.md, .env.example" in (
        collect_settings(root, Settings).examined
    )


def test_a_row_is_missing_or_wrong_or_too_many(tmp_path: Path) -> None:
    lines = TABLE.splitlines()
    (level,) = [line for line in lines if "`LOG_LEVEL`" in line]
    (port,) = [line for line in lines if "`BACKEND_PORT`" in line]
    text = TABLE.replace(f"{level}\n", "| `LOGLEVEL` | `INFO` |  | x |\n").replace("8000", "9000")
    root = make_tree(tmp_path, SETTINGS | {"/docs/operations.md": text})
    found = {(item.subject, item.place.path, item.place.line) for item in untrue(root)}
    assert found == {
        ("LOG_LEVEL", "backend/src/backend/settings.py", 2),
        ("LOGLEVEL", "docs/operations.md", lines.index(level) + 1),
        ("BACKEND_PORT", "docs/operations.md", lines.index(port) + 1),
    }
    mend_table(root)
    assert untrue(root) == []
    assert (root / "docs/operations.md").read_text(encoding="utf-8") == TABLE


def test_an_example_sets_what_is_no_setting(tmp_path: Path) -> None:
    root = make_tree(tmp_path, SETTINGS | {"/.env.example": "LOG_LEVEL=INFO\nLOGLEVEL=INFO\n"})
    assert [(item.place.path, item.place.line) for item in untrue(root)] == [(".env.example", 2)]


def test_a_setting_of_the_readers_own_wants_a_row(tmp_path: Path) -> None:
    class Extended(Settings):
        clients_limit: int = Field(100, description="Clients that one user has at most.")
        stripe_key: SecretStr = Field(SecretStr(""), description="Charges cards.")

    root = make_tree(tmp_path, SETTINGS)
    (rule,) = [rule for rule in load_rules().values() if rule.id == "BK703"]
    found = list(rule.function(collect_settings(root, Extended)))
    assert [item.remedy for item in found] == [
        "Add | `CLIENTS_LIMIT` | `100` |  | Clients that one user has at most. |",
        "Add | `STRIPE_KEY` |  |  | Charges cards. |",
    ]


def test_the_default_of_a_secret_is_never_told(tmp_path: Path) -> None:
    class Extended(Settings):
        stripe_api_key: str = Field("sk_live_abcdef0123456789", description="Charges cards.")
        hook_key: SecretStr = Field(SecretStr("abcdef0123456789"), description="Hooks.")
        late_secret: SecretStr = Field("abcdef0123456789", description="Set late.")  # type: ignore[assignment]
        cache_url: str = Field("redis://me:abcdef0123456789@cache", description="The cache.")
        bot_token: str | None = Field(None, description="Speaks.")

    root = make_tree(tmp_path, SETTINGS)
    (rule,) = [rule for rule in load_rules().values() if rule.id == "BK703"]
    facts = collect_settings(root, Extended)
    found = list(rule.function(facts))
    assert [item.remedy for item in found] == [
        "Add | `STRIPE_API_KEY` | `***` |  | Charges cards. |",
        "Add | `HOOK_KEY` | `***` |  | Hooks. |",
        "Add | `LATE_SECRET` | `***` |  | Set late. |",
        "Add | `CACHE_URL` | `***` |  | The cache. |",
        "Add | `BOT_TOKEN` | `None` |  | Speaks. |",
    ]
    assert [item.fix is None for item in found] == [True, True, True, True, False]
    assert "abcdef0123456789" not in repr((found, facts.rows))
