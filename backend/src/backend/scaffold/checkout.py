"""The source tree that services are added to, and the services that it has."""

import ast
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import backend
from backend.cli.errors import CommandError
from backend.scaffold.spec import Target

__all__ = ["Checkout", "Service"]

APP = "src/backend/app.py"
SERVICES = "src/backend/services"
MIGRATIONS = "migrations/versions"
BUILT_IN = frozenset({"auth", "email", "users"})


@dataclass(frozen=True)
class Service:
    """A folder of `services`, as its code says, whoever wrote it."""

    name: str
    path: Path
    tables: Mapping[str, tuple[str, bool]]
    """Of each table the model's name, and whether it has an `owner_id`."""

    @property
    def service_class(self) -> str | None:
        """The class of `service.py` with a `get`."""
        for node in _parse(self.path / "service.py").body:
            if isinstance(node, ast.ClassDef) and node.name.endswith("Service"):
                methods = (ast.FunctionDef, ast.AsyncFunctionDef)
                if any(isinstance(item, methods) and item.name == "get" for item in node.body):
                    return node.name
        return None

    @property
    def target(self) -> Target | None:
        """What a field can refer to: the table of the service's name, read by the service."""
        if self.name not in self.tables or (service_class := self.service_class) is None:
            return None
        model, owned = self.tables[self.name]
        return Target(
            service=self.name,
            table=self.name,
            model=model,
            service_class=service_class,
            owned=owned,
            needs=self.needs,
            columns=_columns(_parse(self.path / "models.py"), model),
        )

    @property
    def needs(self) -> frozenset[str]:
        """The services that its modules import."""
        modules = (
            node.module.split(".")
            for path in sorted(self.path.glob("*.py"))
            for node in ast.walk(_parse(path))
            if isinstance(node, ast.ImportFrom) and node.module
        )
        found = {
            names[2] for names in modules if names[:2] == ["backend", "services"] and names[2:]
        }
        return frozenset(found - {self.name})


class Checkout:
    """`folder` is `backend/`; every path elsewhere is relative to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def here(cls) -> "Checkout":
        """The one whose code this is."""
        folder = Path(backend.__file__).resolve().parents[2]
        missing = [
            name
            for name in ("pyproject.toml", "alembic.ini", "migrations", "tests", APP)
            if not (folder / name).exists()
        ]
        if missing:
            raise CommandError(
                f"There is no source tree here: {folder} lacks {', '.join(missing)}. A service is "
                "code; run this command in a clone of the project."
            )
        return cls(folder)

    def refuse_if_read_only(self) -> None:
        for path in (APP, SERVICES, "tests/services", MIGRATIONS):
            if not os.access(self.folder / path, os.W_OK):
                raise CommandError(
                    f"{self.folder / path} cannot be written by this user. Nothing was changed."
                )

    def read(self, path: str) -> bytes | None:
        """None for what is not there."""
        try:
            return (self.folder / path).read_bytes()
        except FileNotFoundError:
            return None

    @cached_property
    def services(self) -> Mapping[str, Service]:
        return {service.name: service for service in self._find_services()}

    def _find_services(self) -> Iterator[Service]:
        for path in sorted((self.folder / SERVICES).iterdir()):
            if path.is_dir() and any(path.glob("*.py")):
                yield Service(path.name, path, dict(_tables(_parse(path / "models.py"))))

    @property
    def targets(self) -> dict[str, Target]:
        """What a field can refer to. Accounts are not: nobody may find out who has one."""
        return {
            service.name: service.target
            for service in self.services.values()
            if service.name not in BUILT_IN and service.target is not None
        }

    def files_in(self, folder: str) -> set[str]:
        """Without what Python leaves there."""
        return {
            path.relative_to(self.folder).as_posix()
            for path in (self.folder / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }


def _parse(path: Path) -> ast.Module:
    """Empty for what is not there; a mistake in it is said by those who run it."""
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])


def _tables(module: ast.Module) -> Iterator[tuple[str, tuple[str, bool]]]:
    for node in module.body:
        if not isinstance(node, ast.ClassDef):
            continue
        names = {name: value for item in node.body for name, value in _assignments(item)}
        table = names.get("__tablename__")
        if isinstance(table, ast.Constant) and isinstance(table.value, str):
            yield table.value, (node.name, "owner_id" in names)


def _columns(module: ast.Module, model: str) -> frozenset[str]:
    return frozenset(
        name
        for node in module.body
        if isinstance(node, ast.ClassDef) and node.name == model
        for item in node.body
        for name, _ in _assignments(item)
    )


def _assignments(node: ast.stmt) -> Iterator[tuple[str, ast.expr | None]]:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id, node.value
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, node.value
