"""For people: a finding is three lines at most, and then what was looked at."""

import textwrap

from backend.check.engine import Report
from backend.check.finding import Finding, Level

__all__ = ["as_text"]

_BOLD, _RED, _YELLOW, _FAINT, _OFF = "\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[0m"
WIDTH = 100


def as_text(report: Report, *, colour: bool = False) -> str:
    blocks = []
    paths = dict.fromkeys(finding.place.path for finding in report.findings)
    for path in paths:
        of_file = [item for item in report.findings if item.place.path == path]
        blocks.append("\n".join(_finding(item, colour) for item in of_file))
    for crash in report.crashes:
        blocks.append(
            f"{crash.rule} failed by a mistake of its own, and found nothing: {crash.error}\n"
            + textwrap.indent(crash.traceback.rstrip(), "    ")
        )
    blocks.append("\n".join(_summary(report)))
    return "\n\n".join(blocks) + "\n"


def _finding(item: Finding, colour: bool) -> str:
    id_ = item.rule if item.level is Level.ERROR else f"{item.rule} (advice)"
    where = f"{item.place.path}:{item.place.line}:"
    if colour:
        shade = _RED if item.level is Level.ERROR else _YELLOW
        where, id_ = f"{_BOLD}{where}{_OFF}", f"{shade}{id_}{_OFF}"
    return f"{where} {id_} {item.message}\n{textwrap.indent(item.remedy, '    ')}"


def _summary(report: Report) -> list[str]:
    looked_at = "; ".join(item.text for item in report.examined) or "nothing"
    lines = _wrap("Examined: ", looked_at)
    reasons: dict[tuple[str, bool], list[str]] = {}
    for item in report.left_out:
        reasons.setdefault((item.reason, item.fails), []).append(item.fact)
    for (reason, fails), facts in reasons.items():
        title = "Not examined, and so failed: " if fails else "Not examined: "
        lines += _wrap(title, f"{', '.join(facts)}: {reason}")
    if number := len(report.outside):
        findings = "1 more finding" if number == 1 else f"{number} more findings"
        lines.append(f"{findings} outside {', '.join(report.asked)}: `backend check`")
    for rule, path, subject in report.stale:
        lines += _wrap("In the baseline and found no more: ", f"{rule} {path} {subject}")
    counts = [f"{report.errors} errors" if report.errors != 1 else "1 error"]
    if advice := len(report.findings) - report.errors:
        counts.append(f"{advice} advice")
    if report.crashes:
        counts.append(f"{len(report.crashes)} rules failed")
    if report.suppressed:
        counts.append(f"{report.suppressed} allowed by comments")
    if report.in_baseline:
        counts.append(f"{report.in_baseline} in the baseline")
    answered = ", cached" if report.cached else ""
    lines.append(f"{', '.join(counts)} ({report.seconds:.1f} s{answered})")
    return lines


def _wrap(title: str, text: str) -> list[str]:
    return textwrap.wrap(
        title + text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
