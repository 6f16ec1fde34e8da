"""Which module imports which, and where; imports within functions count, those for type checking
alone do not. The tests hold it against grimp's graph."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from backend.check.finding import Place
from backend.check.sources import Source, Sources

__all__ = ["Import", "Imports", "collect_imports", "service_in"]


@dataclass(frozen=True, order=True)
class Import:
    importer: str
    imported: str
    """A module of `backend`, or the name of another package's module."""
    place: Place
    names: tuple[tuple[str, str], ...] = ()
    """What is taken from it by `from … import`, and what it is called here."""


@dataclass(frozen=True)
class Imports:
    edges: tuple[Import, ...]
    sources: Sources

    @property
    def count(self) -> int:
        return len(self.edges)

    @property
    def examined(self) -> str:
        return f"{len(self.edges)} imports"

    @cached_property
    def by_module(self) -> dict[str, Source]:
        return {source.module: source for source in self.sources.code}

    def between_services(self) -> Iterator[tuple[str, str, Import]]:
        """The service that imports, and the one that is imported."""
        for edge in self.edges:
            importer, imported = service_in(edge.importer), service_in(edge.imported)
            if importer and imported and importer != imported:
                yield importer, imported, edge


def service_in(module: str) -> str | None:
    parts = module.split(".")
    return parts[2] if parts[:2] == ["backend", "services"] and len(parts) > 2 else None


def collect_imports(sources: Sources) -> Imports:
    modules = {source.module for source in sources.code}
    edges = {edge for source in sources.code for edge in _imports_of(source, modules)}
    return Imports(tuple(sorted(edges)), sources)


def _imports_of(source: Source, modules: set[str]) -> Iterator[Import]:
    for node in _statements(source.tree):
        place = Place(source.path, node.lineno)
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(source.module, alias.name, place)
            continue
        base = _base_of(node, source)
        taken = []
        for alias in node.names:
            if f"{base}.{alias.name}" in modules:
                yield Import(source.module, f"{base}.{alias.name}", place)
            else:
                taken.append((alias.name, alias.asname or alias.name))
        if taken:
            yield Import(source.module, base, place, tuple(taken))


def _statements(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from _statements(other)
        else:
            yield from _statements(node)


def _base_of(node: ast.ImportFrom, source: Source) -> str:
    """The module of `from … import`, with the dots of a relative one resolved."""
    if not node.level:
        return node.module or ""
    parts = source.module.split(".")
    if not source.path.endswith("/__init__.py"):
        parts = parts[:-1]
    parts = parts[: len(parts) - (node.level - 1)]
    return ".".join([*parts, *([node.module] if node.module else [])])
