"""The project under its own check, and the rules as a whole."""

import json
import re
from pathlib import Path

import pytest

from backend.check.catalogue import catalogue
from backend.check.engine import load_rules
from backend.check.explain import PAGES, page
from backend.check.project import Project
from tests.check.precision import BEGIN, END
from tests.cli.command import Command
from tests.support.databases import BACKEND

RULES = load_rules()
PARTS = ("## Wrong code", "## Right code", "## When it is right to suppress")


def test_the_project_has_no_finding(tmp_path: Path) -> None:
    done = Command(tmp_path / "var")("check", "--format", "json")
    report = json.loads(done.stdout)
    # Of what the tests call only a part is written down until all of them have run.
    by_tests = {id_ for id_, rule in RULES.items() if "tests" in rule.facts}
    errors = [item for item in report["findings"] if item["level"] == "error"]
    assert [item for item in errors if item["rule"] not in by_tests] == []
    assert report["crashes"] == []
    assert report["stale_baseline"] == []
    examined = {item["fact"] for item in report["examined"]}
    needed = {rule.facts for rule in RULES.values()} - {"tests"}  # they may not have run yet
    assert needed <= examined
    missed = {item["fact"] for item in report["not_examined"] if item["fails"]}
    assert missed <= {"tests"}
    assert done.returncode == (2 if missed else 1 if errors else 0)


def test_the_catalogue_is_what_the_rules_say() -> None:
    assert {id_: (entry.title, entry.level) for id_, entry in catalogue().items()} == {
        id_: (rule.title, rule.level) for id_, rule in RULES.items()
    }
    assert list(catalogue()) == list(RULES)


def test_there_are_rules() -> None:
    assert len(RULES) > 40
    assert all(re.fullmatch(r"BK\d{3}|ruff", id_) for id_ in RULES)


@pytest.mark.parametrize("id_", [id_ for id_ in RULES if id_ != "ruff"])
def test_a_rule_has_a_page_and_examples(id_: str) -> None:
    text = page(id_)
    assert text is not None, f"{PAGES}/{id_}.md is missing"
    assert text.startswith(f"# {id_}: {RULES[id_].title}\n\n")
    positions = [text.index(part) for part in PARTS]
    assert positions == sorted(positions)
    own = Path(__file__)
    tests = [path for path in own.parent.glob("test_*.py") if path != own]
    assert any(id_ in path.read_text(encoding="utf-8") for path in tests), f"no test names {id_}"


def test_every_page_is_of_a_rule() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == {*RULES, "ruff-format"}


def test_every_rule_asks_for_a_fact_that_there_is() -> None:
    assert all(hasattr(Project, rule.facts) for rule in RULES.values())


def test_the_table_of_precision_has_every_rule() -> None:
    table = (BACKEND.parent / "docs/check.md").read_text(encoding="utf-8").partition(BEGIN)[2]
    rows = re.findall(r"^\| (BK\d{3}|ruff) \|", table.partition(END)[0], re.MULTILINE)
    assert rows == list(catalogue())
