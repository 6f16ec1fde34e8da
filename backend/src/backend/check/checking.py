"""One check: which services and rules, what is known already, and what of the result counts."""

import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backend.check.baseline import apply_baseline, read_baseline
from backend.check.cache import fingerprint, read_report, write_report
from backend.check.catalogue import catalogue
from backend.check.changed import changed_files, services_in
from backend.check.config import backend_of
from backend.check.engine import Examined, Report, load_rules, run
from backend.check.explain import nearest
from backend.check.isolation import isolated
from backend.check.project import Project
from backend.check.scope import Scope

__all__ = ["Request", "check"]


@dataclass(frozen=True)
class Request:
    root: Path
    services: Sequence[str] = ()
    """All without any."""
    rules: Sequence[str] = ()
    """All without any. `ruff` is one of them."""
    changed: bool = False
    cache: bool = True
    baseline: bool = True


def check(request: Request) -> Report:
    """Raises ValueError for what there is none of."""
    began = time.monotonic()
    ids = _rules(request.rules)
    only = _services(request)
    files: frozenset[str] | None = None
    if request.changed:
        files = changed_files(request.root)
        if not files:
            return Report(
                examined=[Examined("git", "git: no file differs from the main branch", 0)]
            )
        only = _among(only, services_in(files))
    report = _answer(request, ids, only)
    if files is not None:
        report.findings = [item for item in report.findings if item.place.path in files]
        report.outside = []
    if request.baseline:
        entries = read_baseline(request.root)
        before = len(report.findings)
        report.findings, stale = apply_baseline(report.findings, entries)
        report.in_baseline = before - len(report.findings)
        report.outside, _stale = apply_baseline(report.outside, entries)
        if not (only or request.rules or request.changed):
            report.stale = stale
    report.seconds = time.monotonic() - began
    return report


def _answer(request: Request, ids: Sequence[str], only: frozenset[str] | None) -> Report:
    """From the cache, also from the one of a check of all services."""
    key = fingerprint(request.root, ids, only) if request.cache else ""
    if request.cache:
        if report := read_report(request.root, key):
            return report
        whole = only and read_report(request.root, fingerprint(request.root, ids, None))
        if whole and only:
            scope, found = Scope(request.root, only), whole.findings
            whole.findings = [item for item in found if scope.has(item)]
            whole.outside = [item for item in found if not scope.has(item)]
            whole.asked, whole.suppressed = tuple(sorted(only)), 0
            return whole
    with isolated(request.root), _without_garbage_collection():
        failures: dict[str, Exception] = {}
        known = load_rules(failures)
        rules = [known[id_] for id_ in ids if id_ in known]
        report = run(Project(request.root, only), rules, failures)
    if request.cache:
        write_report(request.root, key, report)
    return report


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """It would go through the syntax trees of all files again and again, and find nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _rules(wanted: Sequence[str]) -> list[str]:
    known = catalogue()
    for id_ in wanted:
        if id_ not in known:
            raise ValueError(
                f"There is no rule {id_}{nearest(id_.upper(), list(known))} "
                "`backend explain` lists them all."
            )
    return list(dict.fromkeys(wanted or known))


def _services(request: Request) -> frozenset[str] | None:
    folder = backend_of(request.root) / "src/backend/services"
    known = sorted(path.parent.name for path in folder.glob("*/__init__.py"))
    for name in request.services:
        if name not in known:
            raise ValueError(
                f"There is no service {name}{nearest(name, known)} "
                f"There are: {', '.join(known) or 'none'}."
            )
    return frozenset(request.services) or None


def _among(asked: frozenset[str] | None, affected: frozenset[str] | None) -> frozenset[str] | None:
    return affected if asked is None else asked if affected is None else asked & affected
