"""What `backend service` refuses before it does anything, and what landing takes back."""

import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend import db
from backend.cli.errors import CommandError
from backend.core.errors import UnavailableError
from backend.scaffold.checkout import APP as APP_PATH
from backend.scaffold.checkout import Checkout
from backend.scaffold.creation import add_service
from backend.scaffold.extension import add_fields
from backend.scaffold.landing import land
from backend.scaffold.record import Record, digest, path_of_record
from backend.scaffold.registration import add_router, remove_router
from backend.scaffold.removal import plan_removal
from backend.scaffold.staging import Change, open_staging
from backend.settings import parse_database_url, settings
from tests.support.databases import Databases
from tests.support.project_copy import ProjectCopy

MODELS = "src/backend/services/boats/models.py"
SAILS = "src/backend/services/sails/models.py"
ADDED = ("boats", "clients", "projects", "rigs", "sails", "ships")
MODEL = '''\
"""Boats."""

from backend.db import Base


class Boat(Base):
    __tablename__ = "boats"
'''


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, database_kind: str, databases: Databases
) -> Iterator[ProjectCopy]:
    """With a service `boats` as if it had been generated, and one that was written by hand."""
    with databases.empty() as url:
        copy = ProjectCopy(tmp_path_factory.mktemp("refusals"), database_kind, url, without=ADDED)
        copy.write(MODELS, MODEL)
        copy.write(SAILS, "class Sail(Base):\n    __tablename__ = 'rigs'\n")
        record = Record("boats", "user", ["name:str"], {MODELS: digest(MODEL.encode())})
        copy.write(path_of_record("boats"), record.text())
        yield copy


@pytest.fixture
def checkout(project: ProjectCopy, database: None) -> Iterator[Checkout]:
    """Whatever is asked of it, it stays as it is."""
    before = project.tree()
    yield Checkout(project.backend)
    assert project.tree() == before


def refusal(work: Callable[[], object]) -> str:
    with pytest.raises(CommandError) as caught:
        work()
    return str(caught.value)


def refuse_new(checkout: Checkout, name: str, *fields: str) -> str:
    return refusal(
        lambda: add_service(checkout, name, fields or ("title:str",), "user", dry_run=False)
    )


@pytest.mark.parametrize(
    "name",
    [
        "auth",
        "users",
        "email",
        "class",
        "None",
        "../projects",
        "/projects",
        "projects/../../x",
        "prøjects",
        "Projects",
        "pro jects",
        "projects;ls",
        "-projects",
        "",
        ".",
        "a" * 300,
        "p\x00s",
        "\ud800",
    ],
)
def test_names_that_cannot_be_used(checkout: Checkout, name: str) -> None:
    assert refuse_new(checkout, name)


@pytest.mark.parametrize(
    "fields",
    [
        ["title"],
        ["title:str", "title:text"],
        ["id:int"],
        ["owner_id:uuid"],
        ["metadata:str"],
        ["class:str"],
        ["../x:str"],
        ["title:str:max=-1"],
        ["title:str:default='; DROP TABLE users; --"],
        ["client:ref:clients"],
        ["reader:ref:users"],
        ["tïtle:str"],
        ["x" * 10_000],
        [f"a{number}:str" for number in range(200)],
        [""],
    ],
    ids=lambda fields: fields[-1][:24],
)
def test_fields_that_cannot_be_used(checkout: Checkout, fields: list[str]) -> None:
    assert refuse_new(checkout, "projects", *fields)


def test_what_is_there_already(checkout: Checkout) -> None:
    assert "services/boats is there already" in refuse_new(checkout, "boats")
    assert "has a table `rigs`" in refuse_new(checkout, "rigs")


def test_production(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "environment", "production")
    assert "ENVIRONMENT is production" in refuse_new(checkout, "projects")


def test_a_database_that_is_away(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    url = parse_database_url("postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setattr(db, "engine", db.make_engine(url))
    with pytest.raises(UnavailableError):
        add_service(checkout, "projects", ["title:str"], "user", dry_run=False)


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("sails", ["title:str"], "written by hand"),
        ("ships", ["title:str"], "no service 'ships'. Generated ones: "),
        ("boats", [], "Which fields?"),
        ("boats", ["length:int"], "Add `default=…`, or make it `optional`"),
        ("boats", ["code:str:unique"], "no default fits them all"),
        ("boats", ["name:str:optional"], "name"),
    ],
)
def test_fields_that_cannot_be_added(
    checkout: Checkout, name: str, fields: list[str], reason: str
) -> None:
    assert reason in refusal(lambda: add_fields(checkout, name, fields, dry_run=False))


def test_what_cannot_be_removed(project: ProjectCopy, checkout: Checkout) -> None:
    assert "written by hand" in refusal(lambda: plan_removal(checkout, "sails"))
    assert "written by hand" in refusal(lambda: plan_removal(checkout, "users"))
    mails = "src/backend/services/boats/mails.py"
    project.write(mails, "")
    assert mails in refusal(lambda: plan_removal(checkout, "boats"))
    (project.backend / mails).unlink()
    project.write(MODELS, MODEL + "    # ours\n")
    assert MODELS in refusal(lambda: plan_removal(checkout, "boats"))
    project.write(MODELS, MODEL)
    sails = (project.backend / SAILS).read_text()
    for use in (
        'boat_id = mapped_column(ForeignKey("boats.id"))',
        "from backend.services.boats.models import Boat",
        "import backend.services.boats.models",
    ):
        project.write(SAILS, f"\n{use}\n")
        assert f"{SAILS}:2" in refusal(lambda: plan_removal(checkout, "boats")), use
    project.write(SAILS, sails)


RECORD = '{"version": 1, "name": "boats", "owner": "user", "fields": [], "files": {}}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"version": 2}',
        RECORD.replace("{}", '{"src/backend/services/boats/../../app.py": "sha256:0"}'),
        RECORD.replace("{}", '{"src/backend/app.py": "sha256:0"}'),
    ],
)
def test_a_record_that_cannot_be_used(project: ProjectCopy, checkout: Checkout, text: str) -> None:
    path = project.backend / path_of_record("boats")
    good = path.read_bytes()
    path.write_text(text)
    assert path_of_record("boats") in refusal(lambda: plan_removal(checkout, "boats"))
    path.write_bytes(good)


class TestLanding:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "old.py").write_text("old")
        (tmp_path / "old.py").chmod(0o640)
        (tmp_path / "gone.py").write_text("gone")
        return tmp_path

    CHANGES = (
        Change("a/b/new.py", None, b"new"),
        Change("old.py", b"old", b"changed"),
        Change("gone.py", b"gone", None),
    )

    @staticmethod
    def tree(folder: Path) -> dict[str, bytes | None]:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
            for path in folder.rglob("*")
        }

    def test_it_makes_the_changes(self, folder: Path) -> None:
        land(Checkout(folder), self.CHANGES, lambda: None)
        assert self.tree(folder) == {
            "a": None,
            "a/b": None,
            "a/b/new.py": b"new",
            "old.py": b"changed",
        }
        assert stat.S_IMODE((folder / "old.py").stat().st_mode) == 0o640

    @pytest.mark.parametrize("error", [CommandError("no"), KeyboardInterrupt()])
    def test_if_the_last_step_fails_all_is_as_before(
        self, folder: Path, error: BaseException
    ) -> None:
        before = self.tree(folder)

        def fail() -> None:
            assert self.tree(folder) != before
            (folder / "a/b/__pycache__").mkdir()
            raise error

        with pytest.raises(type(error)):
            land(Checkout(folder), self.CHANGES, fail)
        assert self.tree(folder) == before
        assert stat.S_IMODE((folder / "old.py").stat().st_mode) == 0o640

    def test_if_somebody_interrupts_all_is_as_before(self, folder: Path) -> None:
        # Where these tests run in the background of a shell, it ignores the signal for them.
        ignored = signal.signal(signal.SIGINT, signal.default_int_handler)

        def interrupted() -> None:
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                raise UnavailableError("as a driver says it") from None

        before = self.tree(folder)
        try:
            with pytest.raises(KeyboardInterrupt):
                land(Checkout(folder), self.CHANGES, interrupted)
        finally:
            signal.signal(signal.SIGINT, ignored)
        assert self.tree(folder) == before

    def test_if_a_file_cannot_be_written_all_is_as_before(self, folder: Path) -> None:
        (folder / "c").write_text("a file where a folder is needed")
        before = self.tree(folder)
        with pytest.raises(OSError, match="c"):
            land(Checkout(folder), [*self.CHANGES, Change("c/d/new.py", None, b"")], lambda: None)
        assert self.tree(folder) == before

    def test_what_somebody_changed_meanwhile_stays(self, folder: Path) -> None:
        (folder / "old.py").write_text("theirs")
        before = self.tree(folder)
        reason = refusal(lambda: land(Checkout(folder), self.CHANGES, lambda: None))
        assert "old.py was changed while this command ran" in reason
        assert self.tree(folder) == before


APP = """\
# Ours.
from fastapi import FastAPI

from backend.services.auth.routes import router as auth_router  # sign-in
from backend.services.users.routes import router as users_router

app = FastAPI( title = 'Ours' )
app.include_router(auth_router, prefix='/api')
app.include_router(  users_router, prefix="/api")  # accounts
print(app)
"""


def test_a_router_is_registered_and_nothing_else_is_touched() -> None:
    registered = add_router(APP, "projects")
    imported = "from backend.services.projects.routes import router as projects_router\n"
    included = 'app.include_router(projects_router, prefix="/api")\n'
    assert registered.replace(imported, "").replace(included, "") == APP
    lines = registered.splitlines(keepends=True)
    assert lines.index(imported) == lines.index(APP.splitlines(keepends=True)[3]) + 1
    assert lines[lines.index(included) - 1].endswith("# accounts\n")
    assert remove_router(registered, "projects") == APP
    assert remove_router(APP, "projects") == APP


def test_line_endings_stay(project: ProjectCopy) -> None:
    app = project.backend / "src/backend/app.py"
    text = app.read_bytes()
    app.write_bytes(text.replace(b"\n", b"\r\n"))
    try:
        with open_staging(Checkout(project.backend)) as staging:
            staging.write("src/backend/app.py", add_router(staging.read(APP_PATH), "boats"))
            (change,) = staging.changes()
    finally:
        app.write_bytes(text)
    assert change.after is not None
    assert change.after.count(b"\r\n") == change.after.count(b"\n") == text.count(b"\n") + 2


def test_a_router_that_is_registered_already_or_nowhere_to_register_it() -> None:
    assert "already" in refusal(lambda: add_router(add_router(APP, "projects"), "projects"))
    assert "no line" in refusal(lambda: add_router("app = 1\n", "projects"))
