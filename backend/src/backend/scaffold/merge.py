"""Carries a change of the generated code over into a file that was edited by hand since.

A three-way merge of syntax trees: what the generator wrote, what it would write now, and the file
as it is. Layout and comments do not count when trees are compared, and those of the file stay.
"""

import difflib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

__all__ = ["Conflict", "merge"]

_LAYOUT_FIELDS = frozenset(
    {
        "comma",
        "default_indent",
        "default_newline",
        "encoding",
        "equal",
        "footer",
        "has_trailing_newline",
        "header",
        "indent",
        "lbrace",
        "lbracket",
        "leading_lines",
        "lines_after_decorators",
        "lpar",
        "newline",
        "rbrace",
        "rbracket",
        "rpar",
        "semicolon",
        "trailing_whitespace",
    }
)
_QUOTED_LINES = 12


@dataclass(frozen=True)
class Conflict:
    """What cannot be placed in the file, and the line that stands where it belongs."""

    line: int
    wanted: str


def merge(base: str, new: str, current: str) -> tuple[str, list[Conflict]]:
    """The file with what changed between `base` and `new`; only good if there is no conflict."""
    merger = _Merger(cst.parse_module(current))
    merged = merger.node(cst.parse_module(base), cst.parse_module(new), merger.current)
    return cast("cst.Module", merged).code, merger.conflicts


class _Merger:
    def __init__(self, current: cst.Module) -> None:
        wrapper = MetadataWrapper(current, unsafe_skip_copy=True)
        self.current = wrapper.module
        self.positions = wrapper.resolve(PositionProvider)
        self.conflicts: list[Conflict] = []
        self._ids: dict[Hashable, int] = {}
        self._id_of_node: dict[int, int] = {}
        self._kept: list[cst.CSTNode] = []  # so that no other node gets the id() of one of them

    def node(self, base: cst.CSTNode, new: cst.CSTNode, current: cst.CSTNode) -> cst.CSTNode:
        if self.same(base, new) or self.same(new, current):
            return current
        if self.same(base, current) and not _has_comment(current):
            return _in_place_of(current, new)
        if not type(base) is type(new) is type(current):
            return self.conflict(current, new)
        changes: dict[str, Any] = {}
        for field in fields(current):
            if _is_layout(field.name):
                continue
            values = [getattr(node, field.name) for node in (base, new, current)]
            changes[field.name] = self.value(*values, within=current, wanted=new)
        return current.with_changes(**changes)

    def value(
        self, base: Any, new: Any, current: Any, *, within: cst.CSTNode, wanted: cst.CSTNode
    ) -> Any:
        """A field of `within`: a node, several, or a plain value."""
        if all(isinstance(value, cst.CSTNode) for value in (base, new, current)):
            return self.node(base, new, current)
        if all(isinstance(value, list | tuple) for value in (base, new, current)):
            return self.sequence(base, new, current, within)
        if self.id(new) == self.id(base) or self.id(new) == self.id(current):
            return current
        if self.id(base) == self.id(current):
            return new
        self.conflict(within, wanted)
        return current

    def sequence(
        self,
        base: Sequence[cst.CSTNode],
        new: Sequence[cst.CSTNode],
        current: Sequence[cst.CSTNode],
        within: cst.CSTNode,
    ) -> list[cst.CSTNode]:
        to_new, to_current = self.align(base, new), self.align(base, current)
        merged: dict[int, cst.CSTNode | None] = dict(enumerate(current))
        place_of: dict[int, int] = {}  # of an element of `new`, in `current`
        for index, element in enumerate(base):
            in_new, in_current = to_new.get(index), to_current.get(index)
            if in_new is None and in_current is not None:
                if self.same(element, current[in_current]):
                    merged[in_current] = None
                else:
                    self.conflict(current[in_current], element, "is not needed any more:\n")
            elif in_new is not None and in_current is not None:
                place_of[in_new] = in_current
                merged[in_current] = self.node(element, new[in_new], current[in_current])
            elif in_new is not None and not self.same(element, new[in_new]):
                self.conflict(within, new[in_new])
        added = sorted(set(range(len(new))) - set(to_new.values()))
        theirs = [current[i] for i in sorted(set(range(len(current))) - set(to_current.values()))]
        order: list[tuple[str, int]] = [("current", index) for index in range(len(current))]
        for index in added:
            element = new[index]
            if any(self.same(element, other) for other in theirs):
                continue
            key = self.key(element)
            twin = next((o for o in theirs if key is not None and self.key(o) == key), None)
            if twin is not None:
                self.conflict(twin, element)
                continue
            order.insert(_place(index, order, place_of, len(new)), ("new", index))
        elements = [merged[index] if source == "current" else new[index] for source, index in order]
        inserted = {position for position, (source, _index) in enumerate(order) if source == "new"}
        return _with_commas(elements, inserted)

    def conflict(self, current: cst.CSTNode, wanted: cst.CSTNode, said: str = "") -> cst.CSTNode:
        code = cst.Module([]).code_for_node(wanted).strip().removesuffix(",")
        lines = code.splitlines()
        if len(lines) > _QUOTED_LINES:
            lines = [*lines[:_QUOTED_LINES], "…"]
        line = self.positions[current].start.line if current in self.positions else 1
        found = Conflict(line, said + "\n".join(lines))
        if found not in self.conflicts:
            self.conflicts.append(found)
        return current

    def align(self, left: Sequence[cst.CSTNode], right: Sequence[cst.CSTNode]) -> dict[int, int]:
        """Which element of one became which of the other: by content, by name, by position."""
        pairs: dict[int, int] = {}
        _match([self.id(x) for x in left], [self.id(x) for x in right], pairs)
        for start, end, start_right, end_right in _gaps(pairs, len(left), len(right)):
            here = left[start:end], right[start_right:end_right]
            found: dict[int, int] = {}
            _match([self.key(x) for x in here[0]], [self.key(x) for x in here[1]], found)
            pairs |= {start + i: start_right + j for i, j in found.items()}
        for start, end, start_right, end_right in _gaps(pairs, len(left), len(right)):
            if end - start == end_right - start_right:
                for i, j in zip(range(start, end), range(start_right, end_right), strict=True):
                    if type(left[i]) is type(right[j]) and not self.is_named(left[i], right[j]):
                        pairs[i] = j
        self.pair_moved(left, right, pairs)
        return pairs

    def pair_moved(
        self, left: Sequence[cst.CSTNode], right: Sequence[cst.CSTNode], pairs: dict[int, int]
    ) -> None:
        """What was moved to another place is known by a name that is there once."""
        taken = set(pairs.values())
        named = [self.key(x) for x in right]
        for i, element in enumerate(left):
            key = self.key(element)
            if i not in pairs and _is_name(key) and named.count(key) == 1:
                j = named.index(key)
                if j not in taken:
                    pairs[i] = j
                    taken.add(j)

    def is_named(self, *nodes: cst.CSTNode) -> bool:
        return any(_is_name(self.key(node)) for node in nodes)

    def key(self, node: cst.CSTNode) -> tuple[Hashable, ...] | None:
        """What an element is called. Two with the same key are the same thing, changed."""
        match node:
            case cst.FunctionDef() | cst.ClassDef():
                return ("name", node.name.value)
            case cst.Param():
                return ("name", node.name.value)
            case cst.Arg(keyword=cst.Name(value)):
                return ("name", value)
            case cst.ImportAlias():
                return ("name", self.id(node.name))
            case cst.DictElement():
                return ("name", self.id(node.key))
            case cst.For():
                return ("for", self.id(node.target), self.id(node.iter))
            case cst.If() | cst.While():
                return ("if", self.id(node.test))
            case cst.With():
                return ("with", *(self.id(item) for item in node.items))
            case cst.SimpleStatementLine(body=[statement]):
                return self.key_of_statement(statement)
            case _:
                return None

    def key_of_statement(self, statement: cst.CSTNode) -> tuple[Hashable, ...] | None:
        match statement:
            case cst.AnnAssign(target=cst.Name(name)):
                return ("name", name)
            case cst.Assign(targets=[cst.AssignTarget(cst.Name(name))]):
                return ("=", name)
            case cst.Assign(targets=[cst.AssignTarget(target)]):
                return ("=", self.id(target))
            case cst.ImportFrom(module=cst.CSTNode() as module):
                return ("name", self.id(module))
            case cst.Expr(cst.SimpleString() | cst.ConcatenatedString()):
                return ("docstring",)
            case cst.Expr(cst.Call(func) | cst.Await(cst.Call(func))):
                return ("call", self.id(func))
            case cst.Return():
                return ("return",)
            case _:
                return None

    def same(self, left: cst.CSTNode, right: cst.CSTNode) -> bool:
        return self.id(left) == self.id(right)

    def id(self, value: Any) -> int:
        """The same number for trees that differ in layout and comments only."""
        if isinstance(value, cst.CSTNode):
            known = self._id_of_node.get(id(value))
            if known is None:
                content = (
                    (field.name, self.id(getattr(value, field.name)))
                    for field in fields(value)
                    if not _is_layout(field.name)
                )
                known = self._number((type(value), *content))
                self._id_of_node[id(value)] = known
                self._kept.append(value)
            return known
        if isinstance(value, list | tuple):
            return self._number(("sequence", *(self.id(item) for item in value)))
        return self._number(("plain", value))

    def _number(self, content: Hashable) -> int:
        return self._ids.setdefault(content, len(self._ids))


def _is_layout(name: str) -> bool:
    return name in _LAYOUT_FIELDS or name.startswith("whitespace")


def _is_name(key: tuple[Hashable, ...] | None) -> bool:
    return key is not None and key[0] == "name"


class _Comments(cst.CSTVisitor):
    found = False

    def visit_Comment(self, _node: cst.Comment) -> None:  # noqa: N802 - the name that LibCST calls
        self.found = True


def _has_comment(node: cst.CSTNode) -> bool:
    visitor = _Comments()
    node.visit(visitor)
    return visitor.found


def _in_place_of(current: cst.CSTNode, new: cst.CSTNode) -> cst.CSTNode:
    """`new` in the surroundings of `current`: its blank lines before, its comma after."""
    if type(current) is not type(new):
        return new
    names = {field.name for field in fields(current)} & {"comma", "leading_lines", "semicolon"}
    return new.with_changes(**{name: getattr(current, name) for name in names})


def _match(
    left: Sequence[Hashable | None], right: Sequence[Hashable | None], pairs: dict[int, int]
) -> None:
    matcher = difflib.SequenceMatcher(
        None,
        [("no key", "left", i) if item is None else item for i, item in enumerate(left)],
        [("no key", "right", i) if item is None else item for i, item in enumerate(right)],
        autojunk=False,
    )
    for start, start_right, size in matcher.get_matching_blocks():
        pairs |= {start + step: start_right + step for step in range(size)}


def _gaps(pairs: dict[int, int], left: int, right: int) -> list[tuple[int, int, int, int]]:
    """What lies between the pairs, on both sides."""
    found, start, start_right = [], 0, 0
    for i, j in [*sorted(pairs.items()), (left, right)]:
        if i > start and j > start_right:
            found.append((start, i, start_right, j))
        start, start_right = i + 1, j + 1
    return found


def _place(index: int, order: list[tuple[str, int]], place_of: dict[int, int], size: int) -> int:
    """Where in the order an added element belongs: after what it follows in the new code."""

    def of(neighbour: int) -> int | None:
        if ("new", neighbour) in order:
            return order.index(("new", neighbour))
        if neighbour in place_of:
            return order.index(("current", place_of[neighbour]))
        return None

    for neighbour in range(index - 1, -1, -1):
        if (found := of(neighbour)) is not None:
            return found + 1
    for neighbour in range(index + 1, size):
        if (found := of(neighbour)) is not None:
            return found
    return len(order)


def _with_commas(elements: Sequence[cst.CSTNode | None], inserted: set[int]) -> list[cst.CSTNode]:
    """Without those that are gone. An added element has the comma that its neighbours have."""
    result: list[cst.CSTNode] = []
    for position, element in enumerate(elements):
        if element is None:
            continue
        if position not in inserted or not hasattr(element, "comma"):
            result.append(element)
            continue
        before = [getattr(item, "comma", None) for item in result[-2:]]
        is_last = all(item is None for item in elements[position + 1 :])
        if is_last and len(before) == 2:
            result[-1] = result[-1].with_changes(comma=before[0])
        comma = _without_comment(before[-1]) if before else cst.MaybeSentinel.DEFAULT
        result.append(element.with_changes(comma=comma))
    return result


def _without_comment(comma: Any) -> Any:
    after = getattr(comma, "whitespace_after", None)
    if not isinstance(after, cst.ParenthesizedWhitespace):
        return comma
    plain = after.with_changes(first_line=cst.TrailingWhitespace(), empty_lines=())
    return comma.with_changes(whitespace_after=plain)
