"""Services that are written for one test, imported as real ones are, and gone afterwards."""

import importlib
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from fastapi import FastAPI

from backend import services
from backend.check.engine import load_rules
from backend.check.finding import Finding, Level
from backend.check.places import REPOSITORY
from backend.check.routes import Routes, collect_routes
from backend.check.sources import Sources, collect_sources
from backend.check.suppression import apply_suppressions
from backend.check.tables import Tables, collect_tables
from backend.core.openapi import operation_id

__all__ = ["Checkout", "Made", "checkout", "errors", "findings", "guides_service", "where"]

SOURCE = "backend/src/backend"
BASE = '''
"""As `backend.db`, without the tables of the project."""

import uuid
from datetime import datetime

from sqlalchemy import DateTime, String, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from backend.core.columns import UTCDateTime


class Base(DeclarativeBase):
    type_annotation_map = {datetime: UTCDateTime(), uuid.UUID: Uuid()}


class User(Base):
    __tablename__ = "users"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    hashed_password: Mapped[str] = mapped_column(String(1024))
'''


class Made:
    """A service in a checkout."""

    def __init__(self, checkout: "Checkout", name: str) -> None:
        self.checkout = checkout
        self.name = name
        self.folder = checkout.root / SOURCE / "services" / name

    def module(self, name: str) -> ModuleType:
        return importlib.import_module(f"backend.services.{self.name}.{name}")

    @property
    def tables(self) -> Tables:
        if (self.folder / "models.py").exists():
            self.module("models")
        base = self.module("base").Base
        return collect_tables(base.metadata, root=self.checkout.root)

    @property
    def routes(self) -> Routes:
        tables = self.tables
        app = FastAPI(openapi_url=None, generate_unique_id_function=operation_id)
        app.include_router(self.module("routes").router, prefix="/api")
        return collect_routes(app, tables, root=self.checkout.root)

    def line(self, module: str, text: str, after: str = "") -> tuple[str, int]:
        """Where a file of the service has this text: its path in the checkout, and the line."""
        path = self.folder / f"{module}.py"
        source = path.read_text()
        start = source.index(text, source.index(after))
        relative = path.relative_to(self.checkout.root).as_posix()
        return relative, source.count("\n", 0, start) + 1

    def text(self, module: str) -> str:
        return (self.folder / f"{module}.py").read_text()


class Checkout:
    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        (self.root / SOURCE / "services").mkdir(parents=True)
        self.hidden: dict[str, ModuleType] = {}
        """Of a developer's services with the name of a made one, until that is gone."""

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).lstrip("\n"))
        return file

    def service(self, name: str = "notes", **modules: str) -> Made:
        self.hide(name)
        for module, text in {"__init__": "", "base": BASE, **modules}.items():
            self.write(f"{SOURCE}/services/{name}/{module}.py", text)
        return Made(self, name)

    def hide(self, name: str) -> None:
        """What is loaded already of a service with this name that is not made here."""
        package = f"backend.services.{name}"
        for loaded, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None) or ""
            is_of_it = loaded == package or loaded.startswith(f"{package}.")
            if is_of_it and not path.startswith(str(self.root)):
                self.hidden[loaded] = _forget(loaded)


@contextmanager
def checkout(root: Path) -> Iterator[Checkout]:
    made = Checkout(root)
    folder = str(made.root / SOURCE / "services")
    services.__path__.insert(0, folder)
    importlib.invalidate_caches()
    try:
        yield made
    finally:
        services.__path__.remove(folder)
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None) or ""
            if path.startswith(folder):
                _forget(name)
        for name, module in made.hidden.items():
            parent, _, child = name.rpartition(".")
            sys.modules[name] = module
            setattr(sys.modules[parent], child, module)


def _forget(name: str) -> ModuleType:
    parent, _, child = name.rpartition(".")
    if parent in sys.modules:
        vars(sys.modules[parent]).pop(child, None)
    return sys.modules.pop(name)


def findings(rule: str, facts: Any) -> list[Finding]:
    function: Callable[[Any], Iterable[Finding]] = load_rules()[rule].function
    return list(function(facts))


def errors(found: list[Finding]) -> list[Finding]:
    """Without advice, and without those that a comment in the project allows."""
    wrong = [item for item in found if item.level is Level.ERROR]
    return apply_suppressions(_sources(), wrong, frozenset(), None)[0] if wrong else []


@cache
def _sources() -> Sources:
    return collect_sources(REPOSITORY)


def where(found: Finding) -> tuple[str, int]:
    return found.place.path, found.place.line


_FENCE = re.compile(
    r"^```python\n# src/backend/services/projects/(\w+)\.py[^\n]*\n(.*?)^```$", re.M | re.S
)


def guides_service(made: Checkout, guide: str) -> Made:
    """docs/guide.md's projects, on a base of their own."""
    modules: dict[str, str] = {}
    for name, text in _FENCE.findall(guide):
        modules[name] = modules.get(name, "") + text + "\n"
    modules["models"] = modules["models"].replace("backend.db", "backend.services.projects.base")
    return made.service("projects", **modules)
