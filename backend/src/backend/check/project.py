"""What the rules ask: each fact about the project, found out once and only when it is asked for."""

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from backend.check.config import backend_of, find_root
from backend.check.finding import Finding, Place
from backend.check.sources import Sources, collect_sources

if TYPE_CHECKING:
    from fastapi import FastAPI
    from sqlalchemy import MetaData

    from backend.check.delegates import Ruff
    from backend.check.documents import Documents
    from backend.check.imports import Imports
    from backend.check.recorded_tests import RecordedTests
    from backend.check.settings_facts import SettingsFacts

__all__ = ["AppImportError", "Fact", "NotExamined", "Project", "import_failure"]


class Fact(Protocol):
    @property
    def examined(self) -> str:
        """What was looked at, as in "41 routes, 9 of them of services"."""

    @property
    def count(self) -> int:
        """How much that was; nothing is a failure of the check, not a pass."""


@dataclass(frozen=True)
class Start:
    title: str
    count: int = 1

    @property
    def examined(self) -> str:
        return f"the app {self.title!r}"


class NotExamined(Exception):  # noqa: N818 - a reason, and not an error
    """Why something could not be looked at, and what to do; the check passes without it."""


class AppImportError(Exception):
    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


class Project:
    """`only` are the services that are asked about, where it is not all of them."""

    def __init__(self, root: Path | None = None, only: frozenset[str] | None = None) -> None:
        self.root = root or find_root()
        self.only = only

    def fact(self, name: str) -> Fact:
        return cast("Fact", getattr(self, name))

    @cached_property
    def start(self) -> "Start":
        """Whether the app can be imported at all."""
        return Start(self.app.title)

    @cached_property
    def app(self) -> "FastAPI":
        return cast("FastAPI", self._import(lambda: importlib.import_module("backend.app").app))

    @cached_property
    def metadata(self) -> "MetaData":
        """The tables of all models, also of those that the app does not use."""
        return cast(
            "MetaData",
            self._import(lambda: importlib.import_module("backend.db").import_models()),
        )

    def _import(self, load: Callable[[], Any]) -> Any:
        with_backend = str(backend_of(self.root) / "src")
        if with_backend not in sys.path:
            sys.path.insert(0, with_backend)
        try:
            return load()
        except (Exception, SystemExit) as error:
            finding = import_failure(error, self.root)
            if finding is None:
                raise
            raise AppImportError(finding) from error

    @cached_property
    def sources(self) -> Sources:
        return collect_sources(self.root)

    @cached_property
    def imports(self) -> "Imports":
        from backend.check.imports import collect_imports

        return collect_imports(self.sources)

    @cached_property
    def tests(self) -> "RecordedTests":
        from backend.check.recorded_tests import RecordedTests

        return RecordedTests(self.sources, self.root, lambda: self.routes)

    @cached_property
    def settings(self) -> "SettingsFacts":
        from backend.check.settings_facts import collect_settings

        return cast(
            "SettingsFacts",
            self._import(
                lambda: collect_settings(
                    self.root, importlib.import_module("backend.settings").Settings
                )
            ),
        )

    @cached_property
    def documents(self) -> "Documents":
        from backend.check.documents import collect_documents

        return collect_documents(self.root)

    @cached_property
    def ruff(self) -> "Ruff":
        from backend.check.delegates import Ruff

        return Ruff(self.root, self.only)

    @cached_property
    def routes(self) -> Any:
        app = self.app
        module = _module("backend.check.routes")
        return module.collect_routes(app, self.tables, root=self.root)

    @cached_property
    def tables(self) -> Any:
        metadata = self.metadata
        module = _module("backend.check.tables")
        return module.collect_tables(metadata, root=self.root)

    @cached_property
    def migrations(self) -> Any:
        metadata = self.metadata
        module = _module("backend.check.migrations")
        return module.Migrations(backend_of(self.root), metadata)

    @cached_property
    def probes(self) -> Any:
        module = _module("backend.check.probes")
        return module.run_probes(
            self.app, self.routes, self.tables, self.migrations, only=self.only
        )


def _module(name: str) -> Any:
    if importlib.util.find_spec(name) is None:
        raise NotExamined(f"{name} is not there yet.")
    return importlib.import_module(name)


def import_failure(error: BaseException, root: Path) -> Finding | None:
    """BK003, at the last line of the project's own code before the error; None for a fault of the
    check itself."""
    place = None
    frames = traceback.extract_tb(error.__traceback__)
    ours = backend_of(root) / "src"
    for frame in frames:
        path = Path(frame.filename)
        if path.is_relative_to(ours) and not path.is_relative_to(ours / "backend/check"):
            place = Place(path.relative_to(root).as_posix(), frame.lineno or 1)
    if isinstance(error, SyntaxError) and error.filename:
        path = Path(error.filename)
        if path.is_relative_to(root):
            place = Place(path.relative_to(root).as_posix(), error.lineno or 1)
    if place is None:
        return None
    said = str(error).strip() or "no more is known"
    return Finding(
        "BK003",
        place,
        "backend.app",
        f"The app cannot be imported: {type(error).__name__}: {said}",
        "Correct that line; what asks the running app was not examined.",
    )
