"""What a check says of itself: exit codes, what was examined, comments that allow."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from backend.check.engine import Report, load_rules, run
from backend.check.finding import Finding, Level, Place
from backend.check.project import Project, import_failure
from backend.check.registry import Rule
from backend.check.report.text import as_text
from tests.check.trees import check_tree, make_tree, service

JOBS = "src/backend/services/clients/jobs.py"
PATH = f"backend/{JOBS}"
READS = "import os\n\nlimit = os.environ['LIMIT']\n"


def rule_of(
    function: Callable[[Any], Iterable[Finding]], level: Level = Level.ERROR, facts: str = "sources"
) -> Rule:
    return Rule("BK999", "It holds", facts, level, function)


def finds(_sources: object) -> Iterable[Finding]:
    yield Finding("BK999", Place(PATH, 1), "x", "It does not hold.", "Mend it.")


def project(tmp_path: Path, **files: str) -> Project:
    return Project(make_tree(tmp_path, service("clients") | files))


def test_nothing_wrong_is_0_and_an_error_is_1_and_advice_is_0(tmp_path: Path) -> None:
    given = project(tmp_path)
    assert run(given, [rule_of(lambda _sources: ())]).exit_code == 0
    assert run(given, [rule_of(finds)]).exit_code == 1
    report = run(given, [rule_of(finds, Level.ADVICE)])
    assert report.exit_code == 0
    assert [item.level for item in report.findings] == [Level.ADVICE]


def test_nothing_examined_is_2(tmp_path: Path) -> None:
    root = make_tree(tmp_path, {"src/backend/services/__init__.py": ""})
    report = check_tree(root, ["BK101"])
    assert report.exit_code == 2
    assert "0 services" in report.left_out[0].reason
    assert "Not examined, and so failed: sources" in as_text(report)


def test_a_rule_that_fails_is_2_and_says_where(tmp_path: Path) -> None:
    def fails(_sources: object) -> Iterable[Finding]:
        raise LookupError("a mistake in the rule")

    report = run(project(tmp_path), [rule_of(fails)])
    assert report.exit_code == 2
    (crash,) = report.crashes
    assert crash.rule == "BK999"
    assert "test_engine.py" in crash.traceback
    assert "LookupError: a mistake in the rule" in as_text(report)


def test_a_rule_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    def fails(_sources: object) -> Iterable[Finding]:
        raise LookupError

    report = run(project(tmp_path), [rule_of(fails), rule_of(finds)])
    assert [item.rule for item in report.findings] == ["BK999"]
    assert report.exit_code == 2


def test_what_waits_for_something_else_is_said_and_does_not_fail(tmp_path: Path) -> None:
    report = check_tree(project(tmp_path).root, ["BK802", "BK101"])
    assert report.exit_code == 0
    assert [(item.fact, item.fails) for item in report.left_out] == [("tests", False)]
    assert "Not examined: tests: run `bin/test` first" in as_text(report)


def test_an_app_that_cannot_be_imported_is_named_by_its_own_last_line(tmp_path: Path) -> None:
    root = make_tree(
        tmp_path,
        {"src/backend/app.py": "import json\n\n\ndef work():\n    json.loads('x')\n\n\nwork()\n"},
    )
    path = root / "backend/src/backend/app.py"
    with pytest.raises(ValueError, match="Expecting value") as failure:
        exec(compile(path.read_text(), str(path), "exec"), {})
    finding = import_failure(failure.value, root)
    assert finding is not None
    assert finding.place == Place("backend/src/backend/app.py", 5)
    assert finding.rule == "BK003"
    assert "JSONDecodeError: Expecting value" in finding.message


def test_a_syntax_error_is_named_where_it_is(tmp_path: Path) -> None:
    path = (
        make_tree(tmp_path, {"src/backend/app.py": "a = 1\nb = (\n"}) / "backend/src/backend/app.py"
    )
    with pytest.raises(SyntaxError) as failure:
        compile(path.read_text(), str(path), "exec")
    finding = import_failure(failure.value, tmp_path)
    assert finding is not None
    assert finding.place == Place("backend/src/backend/app.py", 2)


def test_rules_that_cannot_be_imported_for_a_fault_of_the_app_are_bk003_and_2(
    tmp_path: Path,
) -> None:
    root = make_tree(tmp_path, service("clients", models="import nonsense_not_there\nX = 1\n"))
    path = root / "backend/src/backend/services/clients/models.py"
    with pytest.raises(ImportError) as failure:
        exec(compile(path.read_text(), str(path), "exec"), {})
    report = run(Project(root), [load_rules()["BK101"]], {"tables": failure.value})
    assert [item.rule for item in report.findings] == ["BK003"]
    assert report.exit_code == 2
    assert [item.fact for item in report.examined] == ["sources"]


def test_rules_that_cannot_be_imported_for_their_own_fault_are_a_crash(tmp_path: Path) -> None:
    root = make_tree(tmp_path, service("clients"))
    report = run(Project(root), [load_rules()["BK101"]], {"tables": ImportError("a mistake")})
    assert (report.findings, report.exit_code) == ([], 2)
    assert [item.rule for item in report.crashes] == ["the rules of tables"]


def test_only_what_was_asked_for_is_shown(tmp_path: Path) -> None:
    root = make_tree(
        tmp_path,
        service("clients") | {JOBS: READS} | service("invoices", routes=READS + "r = 1\n"),
    )
    both = check_tree(root, ["BK702"])
    assert len(both.findings) == 2
    one = check_tree(root, ["BK702"], frozenset({"clients"}))
    assert [item.place.path for item in one.findings] == [PATH]
    assert "1 more finding outside clients: `backend check`\n" in as_text(one)
    assert "outside" not in as_text(both)


def test_a_migration_is_of_the_services_whose_tables_it_names(tmp_path: Path) -> None:
    migration = "op.create_table('clients')\nop.drop_table('clients')\n"
    files = service("clients", models="class C:\n    __tablename__ = 'clients'\n")
    root = make_tree(
        tmp_path,
        files | service("invoices") | {"migrations/versions/1_clients.py": migration},
    )
    place = Place("backend/migrations/versions/1_clients.py")
    found = [Finding("BK000", place, "clients", "x", "y")]
    for only, expected in (("clients", found), ("invoices", [])):
        report = run(Project(root, frozenset({only})), [rule_of(lambda _sources: found)])
        assert report.findings == expected
        assert len(report.findings) + len(report.outside) == 1


def test_sentences_end_in_one_full_stop_and_ellipses_are_left_alone(tmp_path: Path) -> None:
    place = Place(PATH)
    found = [Finding("BK000", place, "x", "It failed: no.. See `f(..)` and f(...).", "Wait...")]
    (item,) = run(project(tmp_path), [rule_of(lambda _sources: found)]).findings
    assert (item.message, item.remedy) == ("It failed: no. See `f(..)` and f(...).", "Wait...")


def test_an_open_write_without_a_limit_is_said_once(tmp_path: Path) -> None:
    place = Place(PATH)
    route = "POST /api/clients"
    found = [Finding(id_, place, route, "x", "y") for id_ in ("BK205", "BK201")]
    report = run(project(tmp_path), [rule_of(lambda _sources: found)])
    assert [item.rule for item in report.findings] == ["BK201"]
    alone = run(project(tmp_path), [rule_of(lambda _sources: found[:1])])
    assert [item.rule for item in alone.findings] == ["BK205"]


# Comments


def allowed(tmp_path: Path, text: str, *rules: str) -> Report:
    return check_tree(make_tree(tmp_path, service("clients") | {JOBS: text}), ["BK702", *rules])


@pytest.mark.parametrize(
    "text",
    [
        "import os\nx = os.environ  # check: allow BK702: of the machine\n",
        "import os\n# check: allow BK702: of the machine\nx = os.environ\n",
        "import os\n# check: allow BK702: of the machine,\n# which has it\nx = os.environ\n",
        "import os\n# check: allow BK603, BK702: of the machine\nx = os.environ\n",
        "import os\ndef f():  # check: allow BK702: this\n    a = 1\n    return os.environ\n",
        "import os\nclass A:  # check: allow BK702: of the machine\n    x = os.environ\n",
        "import os\n# check: allow BK702: this\n@cache\ndef f():\n    return os.environ\n",
    ],
)
def test_a_comment_with_a_reason_allows(tmp_path: Path, text: str) -> None:
    report = allowed(tmp_path, text)
    assert (report.findings, report.suppressed) == ([], 1)
    assert "1 allowed by comments" in as_text(report)


@pytest.mark.parametrize(
    "text",
    [
        "import os\n# check: allow BK702: of the machine\n\nx = os.environ\n",
        "import os\ny = 1  # check: allow BK702: of the machine\nx = os.environ\n",
        "import os\n# check: allow BK603: of the machine\nx = os.environ\n",
        "import os\nclass A:  # check: allow BK702: it\n  def f(self):\n    return os.environ\n",
        "import os\ntext = '# check: allow BK702: no comment'\nx = os.environ\n",
    ],
)
def test_a_comment_elsewhere_allows_nothing(tmp_path: Path, text: str) -> None:
    assert [item.rule for item in allowed(tmp_path, text).findings] == ["BK702"]


def test_a_comment_without_reason_allows_nothing_and_is_a_finding(tmp_path: Path) -> None:
    report = allowed(tmp_path, "import os\nx = os.environ  # check: allow BK702\n", "BK001")
    assert [(item.rule, item.place) for item in report.findings] == [
        ("BK001", Place(PATH, 2)),
        ("BK702", Place(PATH, 2)),
    ]
    right = "import os\nx = os.environ  # check: allow BK702: of the machine\n"
    assert allowed(tmp_path, right, "BK001").findings == []


def test_a_comment_that_allows_nothing_is_a_finding_where_its_rule_has_run(tmp_path: Path) -> None:
    text = "# check: allow BK702: it was so once\nx = 1\n"
    report = allowed(tmp_path, text, "BK002")
    assert [(item.rule, item.place) for item in report.findings] == [("BK002", Place(PATH, 1))]
    assert "BK702" in report.findings[0].message
    not_run = check_tree(tmp_path, ["BK701", "BK002"])
    assert not_run.findings == []
    elsewhere = check_tree(tmp_path, ["BK702", "BK002"], frozenset({"invoices"}))
    assert elsewhere.findings == []


def test_of_several_rules_in_a_comment_only_the_unused_one_is_to_go(tmp_path: Path) -> None:
    text = "import os\nx = os.environ  # check: allow BK702, BK701: of the machine\n"
    (found,) = allowed(tmp_path, text, "BK701", "BK002").findings
    assert (found.subject, found.remedy) == ("allow BK701", "Delete `BK701` from it.")
    text = "x = 1  # check: allow BK702, BK701: it was so once\n"
    both = allowed(tmp_path, text, "BK701", "BK002").findings
    assert [item.remedy for item in both] == ["Delete the comment."] * 2


@pytest.mark.parametrize(
    ("comment", "subject", "remedy"),
    [
        ("check: allow BK9999: why", "allow BK9999", "Write an id that `backend explain` lists"),
        ("check: allow BK7020: why", "allow BK7020", "did you mean BK702"),
        ("check: allow bk702: why", "allow BK702", "Write `# check: allow BK702: because …`."),
        ("Check: Allow BK702: why", "allow BK702", "Write `# check: allow BK702: because …`."),
        ("check: disable BK702", "allow BK702", "Write `# check: allow BK702: because …`."),
        ("check: ignore=BK702,BK701", "allow BK702, BK701", "`# check: allow BK702, BK701: "),
        ("check: BK702", "allow BK702", "Write `# check: allow BK702: because …`."),
        ("check: disable", "allow", "with the id of the rule; Ruff has `# noqa`."),
        ("check: allow ruff: why", "allow", "with the id of the rule; Ruff has `# noqa`."),
    ],
)
def test_a_comment_that_is_not_read_is_a_finding(
    tmp_path: Path, comment: str, subject: str, remedy: str
) -> None:
    found = allowed(tmp_path, f"import os\nx = os.environ  # {comment}\n", "BK001").findings
    assert [item.rule for item in found] == ["BK001", "BK702"]
    assert found[0].subject == subject
    assert remedy in found[0].remedy


@pytest.mark.parametrize(
    "comment", ["check: allow for more time", "check the BK702 rule", "check: ignore empty rows"]
)
def test_a_sentence_is_no_suppression(tmp_path: Path, comment: str) -> None:
    assert allowed(tmp_path, f"x = 1  # {comment}\n", "BK001").findings == []


def test_a_comment_that_is_needed_is_no_finding(tmp_path: Path) -> None:
    text = "import os\nx = os.environ  # check: allow BK702: of the machine\n"
    assert allowed(tmp_path, text, "BK001", "BK002").findings == []
