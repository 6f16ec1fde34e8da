"""A report for people and for programs."""

import json
import re
from typing import Any

import pytest

from backend.check.engine import Crash, Examined, LeftOut, Report
from backend.check.finding import Finding, Level, Place
from backend.check.report.machine import as_github, as_json, as_sarif
from backend.check.report.text import as_text


@pytest.fixture
def report() -> Report:
    return Report(
        findings=[
            Finding("BK403", Place("backend/a.py", 3), "t.c", "No index.", "Add one.", fix=print),
            Finding("BK702", Place("backend/a.py", 9), "x", "50% of it:\r\nbad, so.", "Mend it."),
            Finding("ruff:F401", Place("b,c:d.py", 1), "y", "Unused.", "Delete it.", Level.ADVICE),
        ],
        examined=[Examined("sources", "3 services", 3)],
        left_out=[LeftOut("tests", "run `bin/test` first", fails=False)],
        suppressed=2,
        in_baseline=1,
        stale=[("BK101", "backend/z.py", "z")],
        seconds=1.234,
    )


def test_text_has_place_rule_message_and_remedy(report: Report) -> None:
    assert as_text(report) == (
        "backend/a.py:3: BK403 No index.\n"
        "    Add one.\n"
        "backend/a.py:9: BK702 50% of it:\r\nbad, so.\n"
        "    Mend it.\n"
        "\n"
        "b,c:d.py:1: ruff:F401 (advice) Unused.\n"
        "    Delete it.\n"
        "\n"
        "Examined: 3 services\n"
        "Not examined: tests: run `bin/test` first\n"
        "In the baseline and found no more: BK101 backend/z.py z\n"
        "2 errors, 1 advice, 2 allowed by comments, 1 in the baseline (1.2 s)\n"
    )


def test_colour_changes_nothing_but_colour(report: Report) -> None:
    coloured = as_text(report, colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == as_text(report)


def test_a_cached_report_says_so(report: Report) -> None:
    report.cached = True
    assert as_text(report).endswith("(1.2 s, cached)\n")


def test_json_has_all_of_it(report: Report) -> None:
    found = json.loads(as_json(report))
    assert (found["ok"], found["exit_code"], found["cached"]) == (False, 1, False)
    assert found["findings"][0] == {
        "rule": "BK403",
        "level": "error",
        "path": "backend/a.py",
        "line": 3,
        "subject": "t.c",
        "message": "No index.",
        "remedy": "Add one.",
        "fixable": True,
    }
    assert [item["fixable"] for item in found["findings"]] == [True, False, False]
    assert found["examined"] == [{"fact": "sources", "text": "3 services", "count": 3}]
    assert found["not_examined"][0]["fact"] == "tests"
    assert found["stale_baseline"] == [{"rule": "BK101", "path": "backend/z.py", "subject": "z"}]


def test_github_annotations_are_escaped(report: Report) -> None:
    report.left_out.append(LeftOut("app", "it cannot\nbe imported", fails=True))
    report.crashes.append(Crash("BK999", "KeyError", "Traceback\nKeyError: 100%"))
    assert as_github(report).splitlines() == [
        "::error file=backend/a.py,line=3,title=BK403::No index. Add one.",
        "::error file=backend/a.py,line=9,title=BK702::50%25 of it:%0D%0Abad, so. Mend it.",
        "::warning file=b%2Cc%3Ad.py,line=1,title=ruff%3AF401::Unused. Delete it.",
        "::error title=BK999::Traceback%0AKeyError: 100%25",
        "::error title=not examined::app: it cannot%0Abe imported",
    ]


def test_sarif_is_of_its_shape(report: Report) -> None:
    log = json.loads(as_sarif(report))
    assert_sarif(log)
    (run,) = log["runs"]
    assert [result["level"] for result in run["results"]] == ["error", "error", "note"]
    index = run["results"][0]["ruleIndex"]
    described = run["tool"]["driver"]["rules"][index]
    assert described["id"] == "BK403"
    assert run["invocations"][0]["executionSuccessful"] is True
    report.crashes.append(Crash("BK999", "KeyError", "Traceback"))
    failed = json.loads(as_sarif(report))
    assert_sarif(failed)
    assert failed["runs"][0]["invocations"][0]["executionSuccessful"] is False


def assert_sarif(log: dict[str, Any]) -> None:
    """What SARIF 2.1.0 (OASIS, sections 3.13 to 3.49) demands of what is used here."""
    assert set(log) == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    for run in log["runs"]:
        assert set(run) <= {"tool", "results", "invocations", "columnKind"}
        assert run["columnKind"] in {"utf16CodeUnits", "unicodeCodePoints"}
        driver = run["tool"]["driver"]
        assert isinstance(driver["name"], str)
        ids = [rule["id"] for rule in driver["rules"]]
        assert len(ids) == len(set(ids)) > 0
        for rule in driver["rules"]:
            assert set(rule) <= {
                *("id", "shortDescription", "fullDescription", "defaultConfiguration"),
            }
            assert all(
                rule[name]["text"]
                for name in ("shortDescription", "fullDescription")
                if name in rule
            )
        for result in run["results"]:
            assert ids[result["ruleIndex"]] == result["ruleId"]
            assert result["level"] in {"none", "note", "warning", "error"}
            assert result["message"]["text"]
            for location in result["locations"]:
                physical = location["physicalLocation"]
                uri = physical["artifactLocation"]["uri"]
                assert not uri.startswith("/")
                assert physical["region"]["startLine"] >= 1
            assert all(isinstance(item, str) for item in result["partialFingerprints"].values())
        for invocation in run["invocations"]:
            assert isinstance(invocation["executionSuccessful"], bool)
            assert isinstance(invocation["exitCode"], int)
            for note in invocation["toolExecutionNotifications"]:
                assert note["level"] in {"none", "note", "warning", "error"}
                assert note["message"]["text"]
