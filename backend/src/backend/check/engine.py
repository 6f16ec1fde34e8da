"""Runs rules on a project, and says what was looked at."""

import importlib
import pkgutil
import re
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from backend.check.finding import Finding, Level
from backend.check.project import AppImportError, NotExamined, Project, import_failure
from backend.check.registry import RULES, Rule
from backend.check.scope import Scope
from backend.check.suppression import apply_suppressions

__all__ = ["Crash", "Examined", "LeftOut", "Report", "load_rules", "run"]


@dataclass(frozen=True)
class Examined:
    fact: str
    text: str
    count: int


@dataclass(frozen=True)
class LeftOut:
    fact: str
    """A fact, or the id of one rule."""
    reason: str
    fails: bool
    """Whether the check has failed by it: it was to be looked at, and there was nothing."""


@dataclass(frozen=True)
class Crash:
    """A mistake in the rule, and not in what it looked at."""

    rule: str
    error: str
    traceback: str


@dataclass
class Report:
    findings: list[Finding] = field(default_factory=list)
    examined: list[Examined] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    crashes: list[Crash] = field(default_factory=list)
    outside: list[Finding] = field(default_factory=list)
    """What was found as well, and is not of the services that were asked about."""
    asked: tuple[str, ...] = ()
    """Those services, where it is not all of them."""
    suppressed: int = 0
    in_baseline: int = 0
    stale: list[tuple[str, str, str]] = field(default_factory=list)
    """Of the baseline: rule, path and subject of what is no longer found."""
    seconds: float = 0.0
    cached: bool = False

    @property
    def errors(self) -> int:
        return sum(finding.level is Level.ERROR for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """2 where something could not be looked at, 1 where something is wrong, else 0."""
        if self.crashes or not self.examined or any(item.fails for item in self.left_out):
            return 2
        return 1 if self.errors else 0


def load_rules(failures: "dict[str, Exception] | None" = None) -> dict[str, Rule]:
    """All of them. Many import the app: those that cannot are left out, and why is put into
    `failures`; without that the error is raised."""
    from backend.check import rules

    for module in pkgutil.iter_modules(rules.__path__, f"{rules.__name__}."):
        try:
            importlib.import_module(module.name)
        except Exception as error:
            if failures is None:
                raise
            failures[module.name.rpartition(".")[2]] = error
    return dict(sorted(RULES.items()))


def run(
    project: Project, rules: Sequence[Rule], failures: Mapping[str, Exception] | None = None
) -> Report:
    """The findings are sorted, and without those that a comment allows. `failures` are those of
    `load_rules`."""
    began = time.monotonic()
    report = Report()
    found: list[Finding] = []
    for module, error in (failures or {}).items():
        _report_failure(f"the rules of {module}", error, project, report, found)
    ran: list[Rule] = []
    facts = list(dict.fromkeys(rule.facts for rule in rules))
    if "ruff" in facts:
        _begin_ruff(project)
    for fact in sorted(facts, key=_cheap_first):
        of_fact = [rule for rule in rules if rule.facts == fact]
        if _obtain(project, fact, report, found):
            for rule in of_fact:
                if _run_rule(rule, project, report, found):
                    ran.append(rule)
    found = [_tidy(item) for item in dict.fromkeys(found)]
    scope = Scope(project.root, project.only)
    kept, report.suppressed = apply_suppressions(
        project.sources,
        [item for item in found if scope.has(item)],
        frozenset(rule.id for rule in ran),
        project.only,
    )
    outside, _allowed = apply_suppressions(
        project.sources,
        [item for item in found if not scope.has(item)],
        frozenset(),
        project.only,
    )
    report.findings, report.outside = _in_order(kept), _in_order(outside)
    report.asked = tuple(sorted(project.only or ()))
    report.seconds = time.monotonic() - began
    return report


_ORDER = (
    "sources",
    "imports",
    "documents",
    "start",
    "settings",
    "routes",
    "tables",
    "tests",
    "migrations",
)


def _cheap_first(fact: str) -> int:
    return _ORDER.index(fact) if fact in _ORDER else len(_ORDER)


def _begin_ruff(project: Project) -> None:
    """It is a process of its own, and works while the app is imported."""
    try:
        project.ruff.begin()
    except NotExamined:
        return  # said where its findings are asked for


def _obtain(project: Project, name: str, report: Report, found: list[Finding]) -> bool:
    try:
        fact = project.fact(name)
        examined = Examined(name, fact.examined, fact.count)
    except AppImportError as error:
        found.append(error.finding)
        report.left_out.append(LeftOut(name, "the app cannot be imported (BK003)", fails=True))
        return False
    except NotExamined as reason:
        report.left_out.append(LeftOut(name, str(reason), fails=False))
        return False
    except Exception as error:  # noqa: BLE001 - reported with its traceback
        report.crashes.append(_crash(name, error))
        return False
    if examined.count == 0:
        report.left_out.append(
            LeftOut(name, f"there was nothing to look at: {examined.text}", fails=True)
        )
        return False
    report.examined.append(examined)
    reasons = dict.fromkeys(getattr(fact, "not_examined", ()))
    report.left_out += [LeftOut(name, reason, fails=False) for reason in reasons]
    return True


def _run_rule(rule: Rule, project: Project, report: Report, found: list[Finding]) -> bool:
    try:
        for item in rule.function(project.fact(rule.facts)):
            found.append(replace(item, level=rule.level) if rule.level is Level.ADVICE else item)
    except AppImportError as error:
        found.append(error.finding)
        report.left_out.append(LeftOut(rule.id, "the app cannot be imported (BK003)", fails=True))
    except NotExamined as reason:
        report.left_out.append(LeftOut(rule.id, str(reason), fails=False))
    except Exception as error:  # noqa: BLE001 - reported with its traceback
        report.crashes.append(_crash(rule.id, error))
    else:
        return True
    return False


def _report_failure(
    name: str, error: Exception, project: Project, report: Report, found: list[Finding]
) -> None:
    """A rule's module that cannot be imported is BK003 if the fault is in what it imports."""
    finding = import_failure(error, project.root)
    if finding is None:
        report.crashes.append(_crash(name, error))
        return
    found.append(finding)
    report.left_out.append(LeftOut(name, "the app cannot be imported (BK003)", fails=True))


def _crash(name: str, error: Exception) -> Crash:
    text = "".join(traceback.format_exception(error))
    return Crash(name, f"{type(error).__name__}: {error}", text)


def _in_order(findings: Sequence[Finding]) -> list[Finding]:
    """Without BK205 where BK201 says already that anybody may come in."""
    open_to_all = {(item.place, item.subject) for item in findings if item.rule == "BK201"}
    return sorted(
        (
            item
            for item in findings
            if item.rule != "BK205" or (item.place, item.subject) not in open_to_all
        ),
        key=lambda item: (item.place, item.rule, item.subject),
    )


def _tidy(finding: Finding) -> Finding:
    """What others say, and is quoted at the end, often ends in a full stop of its own."""
    message, remedy = (
        re.sub(r"(?<=[\w)`])\.\.(?=$|\s)", ".", text) for text in (finding.message, finding.remedy)
    )
    return replace(finding, message=message, remedy=remedy)
