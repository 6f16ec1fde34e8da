"""The app under check runs on settings of the check's own: it neither depends on the developer's
nor touches their data, and nothing leaves the machine."""

import ast
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["isolated", "setting_names"]


@contextmanager
def isolated(root: Path) -> Iterator[None]:
    """To be entered before the settings are read. Where they are already, in a test, they stay."""
    if "backend.settings" in sys.modules:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="backend-check-") as folder:
        _set_environment(Path(folder), setting_names(root / "backend/src/backend/settings.py"))
        yield


def setting_names(path: Path) -> frozenset[str]:
    """The fields of the class `Settings`, as variables."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        item.target.id.upper()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
        for item in node.body
        if isinstance(item, ast.AnnAssign)
        and isinstance(item.target, ast.Name)
        and not item.target.id.startswith("_")
    )


def _set_environment(folder: Path, names: frozenset[str]) -> None:
    for variable in list(os.environ):
        if variable.upper().removesuffix("_FILE") in names:
            del os.environ[variable]
    os.environ |= {
        "ENV_FILE": os.devnull,
        "ENVIRONMENT": "development",
        "SECRET_KEY": "only for backend check: 0123456789abcdef0123456789abcdef",
        "DATA_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{(folder / 'check.db').as_posix()}",
        "DELIVER_MAIL": "false",
        "LOG_LEVEL": "ERROR",
        # Cheap hashes: nobody attacks this database.
        "ARGON2_MEMORY_KIB": "8192",
        "ARGON2_TIME_COST": "1",
    }
