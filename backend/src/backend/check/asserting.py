"""Which functions of the tests assert something, by themselves or by what they call."""

import ast
from collections.abc import Iterable

from backend.check.names import Function
from backend.check.sources import Source

__all__ = ["asserting_names", "asserts", "tests_in"]

# Of pytest, unittest and mock: they fail by themselves.
_BY_NAME = ("assert_", "assert")
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


def asserting_names(sources: Iterable[Source]) -> frozenset[str]:
    """Functions and methods that assert, among all of the tests' own code. By the name alone:
    `server.stop()` may be any `stop`."""
    functions = [function for source in sources for function in source.functions]
    known: frozenset[str] = frozenset()
    while True:
        more = frozenset(item.name for item in functions if asserts(item, known)) | known
        if more == known:
            return known
        known = more


def asserts(function: Function, known: frozenset[str]) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Raise) and node.exc and "AssertionError" in ast.unparse(node.exc):
            return True
        if isinstance(node, ast.Call):
            name = (
                node.func.attr
                if isinstance(node.func, ast.Attribute)
                else node.func.id
                if isinstance(node.func, ast.Name)
                else ""
            )
            if name in known or name.startswith(_BY_NAME):
                return True
            if name in _OF_PYTEST and "pytest" in ast.unparse(node.func):
                return True
    return False
