"""Snapshots of a file of SQLite: files in DATA_DIR."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from backend.cli.snapshots import Snapshot
from backend.cli.sqlite_copy import overwrite
from backend.settings import settings

__all__ = ["find", "removal", "restore", "save"]


def save(name: str, _revision: str | None) -> None:
    """The revision is in the file."""
    target = _folder() / f"{name}.db"
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(_database())) as source:
            overwrite(draft, source)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def find() -> list[Snapshot]:
    return [
        Snapshot(
            name=file.stem,
            made_at=datetime.fromtimestamp(file.stat().st_mtime, UTC),
            revision=_revision(file),
            size=file.stat().st_size,
            place=str(file),
        )
        for file in _folder().glob("*.db")
    ]


def restore(name: str) -> None:
    with closing(_open(_folder() / f"{name}.db")) as source:
        overwrite(_database(), source)


def removal(snapshot: Snapshot) -> str:
    return f"rm '{snapshot.place}'"


def _folder() -> Path:
    return settings.data_dir.resolve() / "snapshots"


def _database() -> Path:
    return Path(settings.database.database or "")


def _open(file: Path) -> sqlite3.Connection:
    """Nothing is written beside it."""
    return sqlite3.connect(f"{file.as_uri()}?immutable=1", uri=True)


def _revision(file: Path) -> str | None:
    with closing(_open(file)) as snapshot:
        known = snapshot.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")
        if known.fetchone() is None:
            return None
        row = snapshot.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else None
