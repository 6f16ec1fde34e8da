"""For programs: JSON, GitHub's annotations, and SARIF 2.1.0."""

import json
from typing import Any

from backend.check.cache import finding_from
from backend.check.catalogue import Entry, catalogue
from backend.check.engine import Crash, Examined, LeftOut, Report
from backend.check.explain import first_paragraph
from backend.check.finding import Finding, Level

__all__ = ["as_github", "as_json", "as_sarif", "from_json"]


def as_json(report: Report) -> str:
    return _dump(
        {
            "ok": report.exit_code == 0,
            "exit_code": report.exit_code,
            "findings": [_of_json(item) for item in report.findings],
            "examined": [item.__dict__ for item in report.examined],
            "not_examined": [item.__dict__ for item in report.left_out],
            "crashes": [item.__dict__ for item in report.crashes],
            "asked": report.asked,
            "outside": [_of_json(item) for item in report.outside],
            "suppressed": report.suppressed,
            "in_baseline": report.in_baseline,
            "stale_baseline": [
                {"rule": rule, "path": path, "subject": subject}
                for rule, path, subject in report.stale
            ],
            "cached": report.cached,
            "seconds": round(report.seconds, 3),
        }
    )


def _of_json(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "level": finding.level,
        "path": finding.place.path,
        "line": finding.place.line,
        "subject": finding.subject,
        "message": finding.message,
        "remedy": finding.remedy,
        "fixable": finding.fix is not None,
    }


def from_json(text: str) -> Report:
    """The report that another process wrote."""
    given = json.loads(text)
    return Report(
        findings=[_from_json(item) for item in given["findings"]],
        outside=[_from_json(item) for item in given["outside"]],
        asked=tuple(given["asked"]),
        examined=[Examined(**item) for item in given["examined"]],
        left_out=[LeftOut(**item) for item in given["not_examined"]],
        crashes=[Crash(**item) for item in given["crashes"]],
        suppressed=given["suppressed"],
        in_baseline=given["in_baseline"],
        stale=[(item["rule"], item["path"], item["subject"]) for item in given["stale_baseline"]],
        cached=given["cached"],
        seconds=given["seconds"],
    )


def _from_json(item: dict[str, Any]) -> Finding:
    place = {"path": item["path"], "line": item["line"]}
    rest = {name: value for name, value in item.items() if name not in place}
    return finding_from(place=place, **rest)


def as_github(report: Report) -> str:
    """Workflow commands, as GitHub Actions shows them beside the lines of a pull request."""
    lines = [_annotation(item) for item in report.findings]
    lines += [
        f"::error title={_property(crash.rule)}::{_data(crash.traceback)}"
        for crash in report.crashes
    ]
    lines += [
        f"::error title=not examined::{_data(f'{item.fact}: {item.reason}')}"
        for item in report.left_out
        if item.fails
    ]
    return "".join(f"{line}\n" for line in lines)


def _annotation(item: Finding) -> str:
    command = "error" if item.level is Level.ERROR else "warning"
    path, title = _property(item.place.path), _property(item.rule)
    return (
        f"::{command} file={path},line={item.place.line},title={title}::"
        f"{_data(f'{item.message} {item.remedy}')}"
    )


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def as_sarif(report: Report) -> str:
    rules = catalogue()
    ids = sorted({*rules, *(item.rule for item in report.findings)})
    return _dump(
        {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [
                {
                    "tool": {
                        "driver": {
                            "name": "backend check",
                            "rules": [_sarif_rule(id_, rules.get(id_)) for id_ in ids],
                        }
                    },
                    "results": [_sarif_result(item, ids) for item in report.findings],
                    "invocations": [_invocation(report)],
                    "columnKind": "unicodeCodePoints",
                }
            ],
        }
    )


def _sarif_rule(id_: str, rule: Entry | None) -> dict[str, Any]:
    described: dict[str, Any] = {"id": id_}
    if rule is not None:
        described["shortDescription"] = {"text": rule.title}
        if why := first_paragraph(id_):
            described["fullDescription"] = {"text": why}
        described["defaultConfiguration"] = {"level": _sarif_level(rule.level)}
    return described


def _sarif_level(level: Level) -> str:
    return "error" if level is Level.ERROR else "note"


def _sarif_result(item: Finding, ids: list[str]) -> dict[str, Any]:
    return {
        "ruleId": item.rule,
        "ruleIndex": ids.index(item.rule),
        "level": _sarif_level(item.level),
        "message": {"text": f"{item.message} {item.remedy}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": item.place.path, "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": item.place.line},
                }
            }
        ],
        "partialFingerprints": {"subject/v1": f"{item.rule} {item.place.path} {item.subject}"},
    }


def _invocation(report: Report) -> dict[str, Any]:
    notes = [
        {"level": "error", "message": {"text": f"{crash.rule}: {crash.traceback}"}}
        for crash in report.crashes
    ]
    notes += [
        {
            "level": "error" if item.fails else "note",
            "message": {"text": f"not examined: {item.fact}: {item.reason}"},
        }
        for item in report.left_out
    ]
    return {
        "executionSuccessful": report.exit_code != 2,
        "exitCode": report.exit_code,
        "toolExecutionNotifications": notes,
    }


def _dump(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
