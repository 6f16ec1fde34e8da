"""What a migration does to a PostgreSQL that serves meanwhile, as squawk sees it."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.check.migrations import Migrations, Statement
from backend.check.project import NotExamined
from backend.settings import settings

__all__ = ["Lock", "find_locks", "uses_postgresql"]

# What makes a live table wait, or fails on its rows. The rest of squawk's rules is about style, or
# about versions of the app that are older than the schema.
_WAITS = frozenset(
    {
        "require-concurrent-index-creation",
        "require-concurrent-index-deletion",
        "require-concurrent-reindex",
        "require-concurrent-partition-detach",
        "adding-foreign-key-constraint",
        "constraint-missing-not-valid",
        "disallowed-unique-constraint",
        "adding-not-nullable-field",
    }
)
_FAILS = frozenset(
    {
        "adding-required-field",
        "adding-field-with-default",
        "adding-serial-primary-key-field",
        "changing-column-type",
        "ban-truncate-cascade",
        "ban-concurrent-index-creation-in-transaction",
    }
)
_IF_EXISTS = re.compile(r"INDEX IF (NOT )?EXISTS")
_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Lock:
    statement: Statement
    rule: str
    """squawk's name for it."""
    message: str
    is_severe: bool
    """It fails where there are rows, or rewrites the table while nobody can read it."""


def uses_postgresql(root: Path) -> bool:
    """By DATABASE_URL, or by `[tool.backend.check] postgresql = true` in pyproject.toml."""
    if settings.database.get_backend_name() == "postgresql":
        return True
    file = root / "backend/pyproject.toml"
    options = tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}
    checks = options.get("tool", {}).get("backend", {}).get("check", {})
    return bool(checks.get("postgresql", False))


def find_locks(migrations: Migrations) -> list[Lock]:
    """At most one for a statement. A table that the same migration creates is not live.

    Raises NotExamined.
    """
    if not uses_postgresql(migrations.root):
        raise NotExamined("PostgreSQL is not used: neither DATABASE_URL nor pyproject.toml says so")
    if not migrations.statements:
        return []
    folder = migrations.folder / "postgresql"
    folder.mkdir(exist_ok=True)
    by_line: dict[tuple[str, int], Statement] = {}
    for revision in dict.fromkeys(item.revision for item in migrations.statements):
        _write(folder, revision, migrations, by_line)
    found: dict[Statement, Lock] = {}
    for item in _squawk(folder):
        statement = by_line.get((Path(item["file"]).stem, item["line"] + 1))  # it counts from 0
        name = item["rule_name"]
        if statement is None or name not in _WAITS | _FAILS:
            continue
        if name == "changing-column-type" and statement.widens:
            continue
        if name.startswith("require-concurrent-index") and _IF_EXISTS.search(statement.text):
            continue  # it was done before, without a lock
        lock = Lock(statement, name, item["message"], name in _FAILS)
        if statement not in found or (lock.is_severe and not found[statement].is_severe):
            found[statement] = lock
    return list(found.values())


def _write(
    folder: Path, revision: str, migrations: Migrations, by_line: dict[tuple[str, int], Statement]
) -> None:
    lines: list[str] = []
    for statement in migrations.statements:
        if statement.revision == revision:
            for line in statement.text.splitlines():
                by_line[revision, len(lines) + 1] = statement
                lines.append(line)
    (folder / f"{revision}.sql").write_text("\n".join(lines) + "\n", "utf-8")


def _squawk(folder: Path) -> Iterator[dict[str, Any]]:
    program = shutil.which("squawk", path=str(Path(sys.executable).parent)) or shutil.which(
        "squawk"
    )
    if program is None:
        raise NotExamined(
            "squawk is not installed; it is for development: install the dev group with `uv sync`"
        )
    ran = subprocess.run(  # noqa: S603 - a program of the environment, on files of our own
        [program, "--reporter", "json", "--pg-version", "14.0", str(folder / "*.sql")],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    if not ran.stdout.strip():
        raise NotExamined(f"squawk gave no answer: {ran.stderr.strip()[:200]}")
    yield from json.loads(ran.stdout)
