"""What names in a module stand for, as far as its text tells."""

import ast
import re
from collections.abc import Iterator

from backend.check.sources import Source

__all__ = ["Function", "dotted", "imported_names", "own_nodes", "parents", "sessions_of"]

Function = ast.FunctionDef | ast.AsyncFunctionDef

_SESSION = re.compile(r"\b(AsyncSession|SessionDep)\b")


def imported_names(source: Source) -> dict[str, str]:
    """`{"sleep": "time.sleep", "db": "backend.db"}`."""
    names: dict[str, str] = {}
    for node in source.nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                names[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """`time.sleep` for what stands for it; empty for what is no chain of names."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([names.get(node.id, node.id), *reversed(parts)])


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """What runs when the function does: not the functions and classes that are made in it."""
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            stack.extend(ast.iter_child_nodes(node))


def parents(tree: ast.AST) -> dict[ast.AST, ast.AST]:
    return {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}


def sessions_of(function: Function) -> set[str]:
    """The names of its database sessions: parameters, and those that it opens."""
    given = function.args
    defaults: list[tuple[ast.arg, ast.expr | None]] = []
    positional = [*given.posonlyargs, *given.args]
    without: list[ast.expr | None] = [None] * (len(positional) - len(given.defaults))
    defaults += zip(positional, [*without, *given.defaults], strict=True)
    defaults += zip(given.kwonlyargs, given.kw_defaults, strict=True)
    found = {
        argument.arg
        for argument, default in defaults
        if (argument.annotation and _SESSION.search(ast.unparse(argument.annotation)))
        or (default is not None and "get_async_session" in ast.unparse(default))
    }
    for node in own_nodes(function):
        if isinstance(node, ast.AsyncWith):
            found |= {
                item.optional_vars.id
                for item in node.items
                if isinstance(item.optional_vars, ast.Name)
                and re.search(r"\b(async_session_maker|AsyncSession)\(", ast.unparse(item))
            }
        elif (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and _SESSION.search(ast.unparse(node.annotation))
        ):
            found.add(node.target.id)
    return found
