"""`backend service remove`."""

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alembic.script import ScriptDirectory

from backend import db
from backend.cli.errors import CommandError
from backend.cli.runtime import run
from backend.core.schema import alembic_config, schema_state
from backend.scaffold.checkout import APP, SERVICES, Checkout
from backend.scaffold.extension import require_record
from backend.scaffold.landing import interruptible, land
from backend.scaffold.migration import (
    apply_migrations,
    count_rows,
    refuse_unfit_database,
    take_back,
)
from backend.scaffold.outcome import Outcome, Revision
from backend.scaffold.record import Record, path_of_record
from backend.scaffold.registration import remove_router
from backend.scaffold.staging import Change, Staging, open_staging
from backend.scaffold.trial import revise, tidy, tidy_paths

__all__ = ["Removal", "plan_removal"]


@dataclass(frozen=True)
class Before:
    """The revision under the service's own migrations; None is an empty database."""

    revision: str | None


@dataclass(frozen=True)
class Removal:
    """What would be lost.

    `before` is there where the service's migrations are the newest and git does not have them, so
    that nobody else can: they are taken back and deleted. Otherwise one more migration drops the
    table.
    """

    checkout: Checkout
    record: Record
    rows: int
    before: Before | None

    def carry_out(self, *, dry_run: bool) -> Outcome:
        name = self.record.name
        message = f"Remove {name.replace('_', ' ')}"
        with interruptible(), open_staging(self.checkout) as staging:
            dropped = None
            if self.before is None:
                dropped = revise(staging, Revision(message, name, drops=True))
            self._take_away(staging)
            if revise(staging, Revision(message, name)).path is not None:
                raise CommandError(
                    f"Without {name} the models and the migrations differ in its table. Nothing "
                    "was changed."
                )
            changes = staging.changes()
            if not dry_run:
                self._land(changes, dropped.revision if dropped else None)
        return Outcome(
            service=name,
            changes=changes,
            migration=dropped.path if dropped else None,
            is_dry_run=dry_run,
        )

    def _take_away(self, staging: Staging) -> None:
        name = self.record.name
        app_is_tidy = tidy_paths(staging, [APP])
        for path in [*self.record.files, path_of_record(name)]:
            if self.before is not None or path not in self.record.migrations:
                staging.remove(path)
        for folder in (f"{SERVICES}/{name}", f"tests/services/{name}"):
            shutil.rmtree(staging.folder / folder, ignore_errors=True)
        staging.write(APP, remove_router(staging.read(APP), name))
        tidy(staging, app_is_tidy)

    def _land(self, changes: list[Change], revision: str | None) -> None:
        """Alembic needs a migration to take it back, so its file goes when that is done."""
        before = self.before
        if before is None:
            land(self.checkout, changes, lambda: apply_migrations(revision) if revision else None)
            return
        migrations = self.record.migrations
        land(
            self.checkout,
            [change for change in changes if change.path not in migrations],
            lambda: take_back(before.revision),
        )
        for path in migrations:
            (self.checkout.folder / path).unlink()


def plan_removal(checkout: Checkout, name: str) -> Removal:
    record = require_record(checkout, name)
    if edited := record.edited(checkout):
        raise CommandError(
            f"These files of {name} were edited since they were generated:\n{_listed(edited)}\n"
            "Nothing was changed. Undo the edits, or remove the service by hand."
        )
    if added := record.added(checkout):
        raise CommandError(
            f"These files of {name} were not generated:\n{_listed(added)}\n"
            "Nothing was changed. Move or delete them first."
        )
    if users := sorted(_uses(checkout, name)):
        raise CommandError(
            f"{name} is used by others:\n{_listed(users)}\nNothing was changed. Remove that first."
        )
    checkout.refuse_if_read_only()
    refuse_unfit_database()
    return Removal(checkout, record, count_rows(name), _retractable_to(checkout, record))


def _listed(lines: list[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)


def _uses(checkout: Checkout, name: str) -> Iterator[str]:
    """Foreign keys to its table, and imports of its modules, elsewhere."""
    for folder in ("src", "tests"):
        for file in (checkout.folder / folder).rglob("*.py"):
            path = file.relative_to(checkout.folder).as_posix()
            own = path.startswith((f"{SERVICES}/{name}/", f"tests/services/{name}/"))
            if own or "__pycache__" in file.parts:
                continue
            text = file.read_text(encoding="utf-8", errors="replace")
            if name in text:
                yield from (f"{path}:{line}" for line in _lines_with(text, path, name))


def _lines_with(text: str, path: str, name: str) -> Iterator[int]:
    module = f"backend.services.{name}"
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(imported)):
                is_use = imported == module or imported.startswith(f"{module}.")
                is_use &= path != APP or imported != f"{module}.routes"
            case ast.Import(names=names):
                is_use = any(f"{alias.name}.".startswith(f"{module}.") for alias in names)
            case ast.Call(func=ast.Name("ForeignKey"), args=[ast.Constant(value=str(key)), *_]):
                is_use = re.fullmatch(rf"{re.escape(name)}\.\w+", key) is not None
            case _:
                continue
        if is_use:
            yield node.lineno


def _retractable_to(checkout: Checkout, record: Record) -> Before | None:
    found = run(schema_state(db.engine))
    own = set(record.migrations)
    if not own or found.state != "current" or any(_may_be_in_git(checkout, p) for p in own):
        return None
    for script in ScriptDirectory.from_config(alembic_config()).walk_revisions():
        path = Path(script.path).resolve().relative_to(checkout.folder).as_posix()
        if path not in own or not isinstance(script.down_revision, str | None):
            return None
        own.remove(path)
        if not own:
            return Before(script.down_revision)
    return None


def _may_be_in_git(checkout: Checkout, path: str) -> bool:
    """True where git cannot say."""
    git = shutil.which("git")
    if git is None:
        return True
    done = subprocess.run(  # noqa: S603 - git, and no shell
        [git, "-C", str(checkout.folder), "status", "--porcelain", "--ignored", "--", path],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode != 0 or not done.stdout.startswith("??")
