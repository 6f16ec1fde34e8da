"""Which functions of the tests assert something, by themselves or by what they call."""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from backend.check.names import Function
from backend.check.sources import Source

__all__ = ["Conduct", "asserting_names", "conduct_of", "tests_in"]

_OF_PYTEST = frozenset({"raises", "warns", "fail", "deprecated_call"})


def tests_in(source: Source) -> list[tuple[str, Function]]:
    """As pytest names them, `test_x` and `TestX::test_y`, in the order of the file."""
    found: list[tuple[str, Function]] = []
    for node in source.tree.body:
        if isinstance(node, Function) and node.name.startswith("test"):
            found.append((node.name, node))
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            found += [
                (f"{node.name}::{item.name}", item)
                for item in node.body
                if isinstance(item, Function) and item.name.startswith("test")
            ]
    return found


@dataclass(frozen=True)
class Conduct:
    """What a function does that counts."""

    asserts: bool
    """By itself."""
    calls: frozenset[str]
    """Names of functions and methods."""

    def does(self, known: frozenset[str]) -> bool:
        return self.asserts or not known.isdisjoint(self.calls)


def asserting_names(sources: Iterable[Source]) -> frozenset[str]:
    """Functions and methods that assert, among all of the tests' own code. By the name alone:
    `server.stop()` may be any `stop`."""
    functions = [
        (function.name, conduct_of(function)) for source in sources for function in source.functions
    ]
    known: frozenset[str] = frozenset()
    while True:
        more = frozenset(name for name, conduct in functions if conduct.does(known))
        if more == known:
            return known
        known = more


def conduct_of(function: Function) -> Conduct:
    by_itself = False
    calls = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            by_itself = True
        elif isinstance(node, ast.Raise):
            by_itself |= bool(node.exc and "AssertionError" in ast.unparse(node.exc))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            calls.add(name)
            by_itself |= name.startswith("assert") or (
                name in _OF_PYTEST and ast.unparse(node.func) == f"pytest.{name}"
            )
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            calls.add(node.func.id)
            by_itself |= node.func.id.startswith("assert")
    return Conduct(by_itself, frozenset(calls))
