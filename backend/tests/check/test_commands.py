"""`backend check` and `backend explain`, as they are typed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.check.catalogue import catalogue
from backend.main import app
from tests.support.project_copy import ProjectCopy

runner = CliRunner()


def test_check_says_what_it_looked_at() -> None:
    done = runner.invoke(app, ["check", "users", "--rule", "BK101", "--rule", "BK104"])
    assert done.exit_code == 0
    assert done.stdout.startswith("Examined: ")
    assert "services" in done.stdout
    assert "\x1b" not in done.stdout


def test_check_prints_what_programs_read() -> None:
    asked = ["check", "--rule", "BK101", "--format"]
    assert json.loads(runner.invoke(app, [*asked, "json"]).stdout)["ok"] is True
    assert json.loads(runner.invoke(app, [*asked, "sarif"]).stdout)["version"] == "2.1.0"
    assert runner.invoke(app, [*asked, "github"]).stdout == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check", "user"], "Error: There is no service user; did you mean users"),
        (["check", "--rule", "BK20"], "Error: There is no rule BK20; did you mean BK20"),
        (["explain", "BK9999"], "Error: There is no rule BK9999"),
        (["explain", "ruff:XYZ1"], "Error: There is no rule ruff:XYZ1"),
        (
            ["check", "users", "--write-baseline"],
            "Error: A baseline is of the whole project: leave services and rules out.",
        ),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_2(arguments: list[str], sentence: str) -> None:
    done = runner.invoke(app, arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith(sentence)
    assert done.stdout == ""


def test_explain_lists_the_rules_and_shows_each() -> None:
    listed = runner.invoke(app, ["explain"]).stdout
    assert "BK104  error   A service uses another one through its service" in listed
    for id_ in ("BK104", "bk104"):
        shown = runner.invoke(app, ["explain", id_]).stdout
        assert shown.startswith("# BK104: A service uses another one")
        assert "## Right code" in shown
    assert "unused-import" in runner.invoke(app, ["explain", "ruff:F401"]).stdout
    assert runner.invoke(app, ["explain", "ruff"]).stdout.startswith("# ruff: Ruff has nothing")
    assert runner.invoke(app, ["explain", "ruff:format"]).stdout.startswith("# ruff:format: The")
    for id_ in catalogue():
        assert runner.invoke(app, ["explain", id_]).stdout.startswith(f"# {id_}: "), id_


# In a copy of the project


@pytest.fixture
def copy(tmp_path: Path, database_kind: str, database_url: str) -> ProjectCopy:
    return ProjectCopy(tmp_path, database_kind, database_url)


def backend(copy: ProjectCopy, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "backend.main", *arguments],
        cwd=copy.backend,
        env=copy.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_fix_mends_and_checks_again(copy: ProjectCopy) -> None:
    routes = copy.backend / "src/backend/services/users/routes.py"
    clean = routes.read_text(encoding="utf-8")
    routes.write_text(f"{clean}\n\nimport   sys\n", encoding="utf-8")
    table = copy.backend.parent / "docs/operations.md"
    true = table.read_text(encoding="utf-8")
    table.write_text(true.replace("| `8000` |", "| `9000` |"), encoding="utf-8")
    asked = ("check", "--rule", "BK703", "--rule", "ruff")
    found = json.loads(backend(copy, *asked, "--format", "json").stdout)["findings"]
    mendable = {item["rule"] for item in found if item["fixable"]}
    assert {"BK703", "ruff:F401", "ruff:format"} <= mendable
    done = backend(copy, *asked, "--fix")
    assert re.search(r"Mended: docs/operations\.md:\d+: BK703 BACKEND_PORT", done.stderr)
    assert routes.read_text(encoding="utf-8") == clean
    assert table.read_text(encoding="utf-8") == true
    assert "0 errors" in done.stdout
    assert done.returncode == 0


def test_an_app_that_cannot_be_imported_is_bk003_and_2(copy: ProjectCopy) -> None:
    path = "src/backend/services/users/service.py"
    text = (copy.backend / path).read_text(encoding="utf-8")
    copy.write(path, text.replace("import User\n", "import Userr\n", 1))
    line = text[: text.index("import User\n")].count("\n") + 1
    done = backend(copy, "check", "--rule", "BK003", "--rule", "BK101", "--format", "json")
    assert done.returncode == 2
    report = json.loads(done.stdout)
    (finding,) = report["findings"]
    assert (finding["rule"], finding["path"], finding["line"]) == (
        "BK003",
        f"backend/{path}",
        line,
    )
    assert "cannot import name 'Userr'" in finding["message"]
    assert [item["fact"] for item in report["examined"]] == ["sources"]


def test_the_developers_settings_and_data_are_left_alone(copy: ProjectCopy) -> None:
    del copy.environment["ENV_FILE"]
    copy.write(".env", "LOG_LEVEL=nonsense\nDATABASE_URL=sqlite:////nowhere/at/all.db\n")
    copy.environment |= {"ENVIRONMENT": "production", "SMTP_URL": "smtp://mail.invalid:1"}
    done = backend(copy, "check", "--rule", "BK003")
    assert (done.returncode, done.stderr) == (0, "")
    assert "the app 'Backend'" in done.stdout
    assert not (copy.folder / "data").exists()
