"""Where something that runs stands in the source."""

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from backend.check.finding import Place

__all__ = [
    "REPOSITORY",
    "argument_place",
    "assignment",
    "assignment_place",
    "class_node",
    "class_place",
    "function_node",
    "function_place",
    "parse",
    "place_of",
    "service_of",
    "source_file",
    "unwrapped",
]

REPOSITORY = Path(__file__).resolve().parents[4]

_SERVICE = re.compile(r"backend\.services\.(\w+)")

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def parse(path: Path) -> ast.Module:
    """The file's tree, read again only when the file has changed."""
    return _parse(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=512)
def _parse(path: Path, _changed: int) -> ast.Module:
    return ast.parse(path.read_bytes(), str(path))


def place_of(path: Path, line: int, root: Path) -> Place | None:
    """None for what is not in the repository, such as a library's code."""
    if "site-packages" in path.parts:
        return None
    try:
        return Place(path.resolve().relative_to(root.resolve()).as_posix(), line)
    except ValueError:
        return None


def service_of(thing: Any) -> str | None:
    """The service whose code a class, a function or a callable object is."""
    found = _SERVICE.match(getattr(unwrapped(thing), "__module__", None) or "")
    return found[1] if found else None


def unwrapped(call: Any) -> Any:
    """The function or class behind partials, decorators and callable objects."""
    while isinstance(call, partial):
        call = call.func
    call = inspect.unwrap(call)
    if inspect.ismethod(call):
        return call.__func__
    if not (inspect.isfunction(call) or inspect.isclass(call)):
        return type(call)
    return call


def source_file(thing: Any) -> Path | None:
    try:
        found = inspect.getsourcefile(thing)
    except TypeError:
        return None
    return Path(found) if found and Path(found).is_file() else None


def function_place(call: Callable[..., Any], root: Path) -> Place | None:
    """Of its first decorator, or of its `def`."""
    thing = unwrapped(call)
    path = source_file(thing)
    if path is None:
        return None
    if inspect.isclass(thing):
        return class_place(thing, root)
    return place_of(path, thing.__code__.co_firstlineno, root)


def function_node(call: Callable[..., Any]) -> FunctionNode | None:
    thing = unwrapped(call)
    path = source_file(thing)
    if path is None or not inspect.isfunction(thing):
        return None
    line = thing.__code__.co_firstlineno
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
            if first == line and node.name == thing.__name__:
                return node
    return None


def argument_place(call: Callable[..., Any], name: str, root: Path) -> Place | None:
    """Of one parameter, else of the whole function."""
    node, path = function_node(call), source_file(unwrapped(call))
    if node is not None and path is not None:
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        for argument in arguments:
            if argument.arg == name:
                return place_of(path, argument.lineno, root)
    return function_place(call, root)


def class_node(cls: type) -> ast.ClassDef | None:
    path = source_file(cls)
    if path is None:
        return None
    node: ast.AST = parse(path)
    for name in cls.__qualname__.split("."):
        if name == "<locals>":
            continue
        found = next((child for child in _definitions(node) if child.name == name), None)
        if found is None:
            return None
        node = found
    return node if isinstance(node, ast.ClassDef) else None


def _definitions(node: ast.AST) -> Iterator[ast.ClassDef | FunctionNode]:
    """The classes and functions directly in this one, under `if` and `with` too."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield child
        elif isinstance(child, ast.stmt):
            yield from _definitions(child)


def class_place(cls: type, root: Path) -> Place | None:
    node, path = class_node(cls), source_file(cls)
    return place_of(path, node.lineno, root) if node is not None and path is not None else None


Assignment = ast.AnnAssign | ast.Assign | FunctionNode


def assignment(cls: type, name: str) -> tuple[type, Assignment] | None:
    """The class that gives this attribute, which may be a base, and the statement there."""
    for base in cls.__mro__:
        node = class_node(base) if base.__module__ != "builtins" else None
        for statement in node.body if node is not None else ():
            if name in _names(statement):
                assert isinstance(statement, Assignment)  # noqa: S101 - nothing else has names
                return base, statement
    return None


def _names(statement: ast.stmt) -> set[str]:
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case ast.Assign(targets=targets):
            return {target.id for target in targets if isinstance(target, ast.Name)}
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return {name}
    return set()


def assignment_place(cls: type, name: str, root: Path) -> Place | None:
    """Of an attribute's line, else of the class."""
    found = assignment(cls, name)
    if found is not None and (path := source_file(found[0])) is not None:
        return place_of(path, found[1].lineno, root)
    return class_place(cls, root)
