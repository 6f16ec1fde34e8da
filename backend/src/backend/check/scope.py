"""Which files are those of a service."""

import ast
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from backend.check.config import backend_of, service_of
from backend.check.finding import Finding

__all__ = ["Scope"]

MIGRATIONS = "backend/migrations/versions/"


class Scope:
    """`only` are the services that are asked about, where it is not all of them."""

    def __init__(self, root: Path, only: Iterable[str] | None) -> None:
        self.root = root
        self.only = None if only is None else frozenset(only)

    def has(self, finding: Finding) -> bool:
        if self.only is None or finding.rule == "BK003":
            return True
        path = finding.place.path
        return service_of(path) in self.only or path in self._migrations

    @cached_property
    def _migrations(self) -> frozenset[str]:
        """Those that name a table of the services."""
        folder = backend_of(self.root) / "src/backend/services"
        tables = {
            name
            for service in self.only or ()
            for path in (folder / service).rglob("*.py")
            for name in _tables_in(path)
        }
        return frozenset(
            path.relative_to(self.root).as_posix()
            for path in (self.root / MIGRATIONS).glob("*.py")
            if tables & set(_strings_in(path))
        )


def _tables_in(path: Path) -> Iterator[str]:
    for node in ast.walk(_parse(path)):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="__tablename__")], value=ast.Constant(value=name))
                | ast.AnnAssign(target=ast.Name(id="__tablename__"), value=ast.Constant(value=name))
            ):
                yield str(name)


def _strings_in(path: Path) -> Iterator[str]:
    for node in ast.walk(_parse(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError:
        return ast.Module(body=[], type_ignores=[])
