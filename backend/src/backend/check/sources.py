"""The files of the project, parsed once."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from backend.check.config import MATERIAL, PATTERN, TESTED, backend_of

__all__ = ["ServiceFolder", "Source", "Sources", "collect_sources", "parse"]


@dataclass(frozen=True)
class Source:
    path: str
    """Relative to the repository, with slashes."""
    text: str
    tree: ast.Module
    """Empty where the file is no Python; Ruff then says so."""

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def module(self) -> str:
        """`backend.services.users.models`; for a package without `.__init__`."""
        path = self.path.removeprefix("backend/").removeprefix("src/").removesuffix(".py")
        return path.replace("/", ".").removesuffix(".__init__")

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        return [
            node for node in self.nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]


@dataclass(frozen=True)
class ServiceFolder:
    name: str
    path: str
    modules: Mapping[str, Source | None]
    """The modules of the pattern, without `.py`."""
    files: tuple[Source, ...]
    """All of its modules."""
    tests: Mapping[str, Source | None]
    """Its test files by the module that they are for."""
    test_files: tuple[Source, ...]
    """All of its test files."""


@dataclass(frozen=True)
class Sources:
    root: Path
    services: tuple[ServiceFolder, ...]
    code: tuple[Source, ...]
    """Everything in `src/backend`."""
    tests: tuple[Source, ...]
    """Everything in `tests`."""

    @cached_property
    def by_path(self) -> Mapping[str, Source]:
        return {source.path: source for source in (*self.code, *self.tests)}

    @property
    def served(self) -> Iterator[Source]:
        """What runs in the server: all but the command and its tools."""
        for source in self.code:
            parts = source.module.split(".")
            if len(parts) > 1 and parts[1] not in {"check", "cli", "scaffold", "main"}:
                yield source

    @property
    def count(self) -> int:
        return len(self.services)

    @property
    def examined(self) -> str:
        return (
            f"{len(self.services)} services, {len(self.code)} modules, {len(self.tests)} test files"
        )


def parse(path: Path, root: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    try:
        tree = ast.parse(text)
    except SyntaxError:
        tree = ast.Module(body=[], type_ignores=[])
    return Source(path.relative_to(root).as_posix(), text, tree)


def collect_sources(root: Path) -> Sources:
    backend = backend_of(root)
    code = tuple(_parse_all(backend / "src/backend", root))
    tests = tuple(_parse_all(backend / "tests", root))
    folders = (backend / "src/backend/services").glob("*/")
    services = tuple(
        _service(folder.name, root, code, tests)
        for folder in sorted(folders)
        if not folder.name.startswith(("_", ".")) and any(folder.glob("*.py"))
    )
    return Sources(root, services, code, tests)


def _parse_all(folder: Path, root: Path) -> Iterator[Source]:
    for path in sorted(folder.rglob("*.py")):
        source = path.relative_to(root).as_posix()
        if not source.startswith(MATERIAL):
            yield parse(path, root)


def _service(
    name: str, root: Path, code: Iterable[Source], tests: Iterable[Source]
) -> ServiceFolder:
    path = f"backend/src/backend/services/{name}"
    test_path = f"backend/tests/services/{name}"
    files = {source.path: source for source in code if source.path.startswith(f"{path}/")}
    of_tests = {source.path: source for source in tests if source.path.startswith(f"{test_path}/")}
    return ServiceFolder(
        name,
        path,
        {module: files.get(f"{path}/{module}.py") for module in PATTERN},
        tuple(files.values()),
        {module: of_tests.get(f"{test_path}/test_{name}_{module}.py") for module in TESTED},
        tuple(source for source in of_tests.values() if Path(source.path).name.startswith("test_")),
    )
