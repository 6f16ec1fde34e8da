"""`# check: allow BK205: why` on the line, above it, or at the head of the function or class."""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from backend.check.config import service_of
from backend.check.finding import Finding, Place
from backend.check.sources import Sources

__all__ = [
    "Misspelt",
    "Suppression",
    "all_suppressions",
    "apply_suppressions",
    "misspelt_suppressions",
]

_MARK = re.compile(r"#\s*check:\s*allow\s+(?P<rules>BK\d+(?:\s*,\s*BK\d+)*)(?:\s*:(?P<reason>.*))?")

_MEANT = re.compile(
    r"#\s*check\s*:\s*(?:(?:allow|disable|ignore|skip|off|noqa)\s*(?:$|:|=|all\b|ruff\b|[A-Z]+\d+)"
    r"|[A-Z]*\s*BK\d+)",
    re.IGNORECASE,
)
"""Not `# check: allow for more time`, which is a sentence."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass
class Suppression:
    rule: str
    reason: str
    path: str
    line: int
    covers: frozenset[int]
    """The lines whose findings it allows."""
    column: int = 0
    """Of the comment, which may allow several rules."""
    used: bool = field(default=False, compare=False)


def apply_suppressions(
    sources: Sources, findings: Sequence[Finding], ran: frozenset[str], only: frozenset[str] | None
) -> tuple[list[Finding], int]:
    """What is left of the findings, with those about the suppressions; and how many are gone."""
    items = all_suppressions(sources)
    kept = [finding for finding in findings if not _allow(finding, items, sources)]
    gone = len(findings) - len(kept)
    if "BK002" in ran:
        kept += [
            Finding(
                "BK002",
                Place(item.path, item.line),
                f"allow {item.rule}",
                f"Nothing here is against {item.rule} any more.",
                _how_to_delete(item, items),
            )
            for item in items
            if item.rule in ran
            and not item.used
            and item.reason
            and (only is None or service_of(item.path) in only)
        ]
    return kept, gone


def _how_to_delete(item: Suppression, items: Iterable[Suppression]) -> str:
    comment = (item.path, item.line, item.column)
    beside = [other for other in items if (other.path, other.line, other.column) == comment]
    if any(other.used for other in beside):
        return f"Delete `{item.rule}` from it."
    return "Delete the comment."


def _allow(finding: Finding, items: Iterable[Suppression], sources: Sources) -> bool:
    if finding.rule in {"BK001", "BK002"}:
        return False
    place = _where_to_allow(finding.place, sources)
    allowed = False
    for item in items:
        if (item.rule, item.path) != (finding.rule, place.path) or not item.reason:
            continue
        if place.line in item.covers or place is not finding.place:
            item.used = allowed = True
    return allowed


def _where_to_allow(place: Place, sources: Sources) -> Place:
    """What is missing can hold no comment: its service's `__init__.py` does, on any line."""
    service = service_of(place.path)
    if service is None or (sources.root / place.path).exists():
        return place
    return Place(f"backend/src/backend/services/{service}/__init__.py")


def all_suppressions(sources: Sources) -> list[Suppression]:
    """Each unused yet."""
    return [
        Suppression(item.rule, item.reason, item.path, item.line, item.covers, item.column)
        for source in (*sources.code, *sources.tests)
        if "check:" in source.text
        for item in _suppressions_in(source.path, source.text)
    ]


@cache
def _suppressions_in(path: str, text: str) -> tuple[Suppression, ...]:
    if "check:" not in text:
        return ()
    found = []
    for line, column, comment in _comments(text):
        match = _MARK.search(comment)
        if not match:
            continue
        stands_alone = not text.splitlines()[line - 1][:column].strip()
        covers = _covered(text, line, stands_alone)
        found += [
            Suppression(name.strip(), (match["reason"] or "").strip(), path, line, covers, column)
            for name in match["rules"].split(",")
        ]
    return tuple(found)


@dataclass(frozen=True)
class Misspelt:
    """A comment that means to allow something, and is not read."""

    path: str
    line: int
    comment: str
    rules: tuple[str, ...]
    """What it names, in capitals."""


def misspelt_suppressions(sources: Sources) -> Iterator[Misspelt]:
    for source in (*sources.code, *sources.tests):
        if not re.search("check\\s*:", source.text, re.IGNORECASE):
            continue
        for line, _column, comment in _comments(source.text):
            if _MEANT.search(comment) and not _MARK.search(comment):
                named = re.findall(r"\bBK\d+", comment, re.IGNORECASE)
                yield Misspelt(source.path, line, comment, tuple(map(str.upper, named)))


def _comments(text: str) -> Iterator[tuple[int, int, str]]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.start[1], token.string
    except (tokenize.TokenError, IndentationError):
        return


def _covered(text: str, line: int, stands_alone: bool) -> frozenset[int]:
    covered = {line}
    if stands_alone:
        # The next line that is no comment, so that a reason may go on over several.
        lines = text.splitlines()
        after = line
        while after < len(lines) and lines[after].lstrip().startswith("#"):
            after += 1
        covered.add(after + 1)
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return frozenset(covered)
    for node in ast.walk(tree):
        if isinstance(node, Definition):
            first = _first_line(node)
            head = range(first, max(node.body[0].lineno, node.lineno + 1))
            if covered & set(head):
                covered |= _own_lines(node, first)
    return frozenset(covered)


def _first_line(node: Definition) -> int:
    return min([node.lineno, *(item.lineno for item in node.decorator_list)])


def _own_lines(node: Definition, first: int) -> set[int]:
    """Without those of the functions and classes in it."""
    own = set(range(first, (node.end_lineno or node.lineno) + 1))
    for inner in ast.walk(node):
        if inner is not node and isinstance(inner, Definition):
            own -= set(range(_first_line(inner), (inner.end_lineno or inner.lineno) + 1))
    return own
