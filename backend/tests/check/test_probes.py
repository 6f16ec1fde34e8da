"""BK202, BK203, BK206, BK604 and BK705: one app of many services, each with a fault of its own, is
probed once. Each fault is found, at its place, and nothing else is."""

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from backend import db
from backend.app import app
from backend.check.engine import run
from backend.check.finding import Finding
from backend.check.migrations import Migrations
from backend.check.probes import Probes, client, run_probes
from backend.check.project import Project
from backend.check.registry import RULES
from backend.check.report.machine import as_json
from backend.check.report.text import as_text
from backend.check.routes import collect_routes
from backend.check.rules import probes as rules
from backend.check.tables import collect_tables
from backend.services.auth.models import UserSession
from backend.services.email.models import Email
from backend.services.email.transports import make_mailbox
from backend.services.users.models import User
from backend.settings import settings
from tests.check.made_services import errors
from tests.check.probed_services import NOTES, PLAIN, probe, with_fault
from tests.support.databases import BACKEND

IDS = ("BK202", "BK203", "BK206", "BK604", "BK705")
ANYBODYS = "_anybodys(session, note_id)"
GET = "    return await _get(session, user.id, note_id)\n"
UPDATE = "    note = await _get(session, user.id, note_id)\n"
DELETE = "    await session.delete(await _get(session, user.id, note_id))\n"
LIST = "    statement = _owned(user.id)\n    if q:\n"
SIGNATURE = "async def delete_note(note_id: uuid.UUID, session: SessionDep, user: CurrentUser)"

OR_DONE = "select(Note).where(or_(Note.owner_id == user.id, Note.status == 'done'))"
GET_OR_DONE = (
    f"    note = await session.scalar({OR_DONE}.where(Note.id == note_id))\n"
    "    if note is None:\n        raise NotFoundError('There is no such note.')\n"
    "    return note\n"
)
OR_DEAR = "select(Note).where(or_(Note.owner_id == user.id, Note.price > Decimal(500)))"
MINE, FOUND = "(Note.owner_id == user.id)", "Note.title.contains(q)"
STATUS = '    status: Mapped[str] = mapped_column(String(8), default="open")\n'
DATA = "    data: Mapped[dict] = mapped_column(JSON, default=dict)\n"
PRICE = "    price: Mapped[Decimal] = mapped_column(Numeric(12, 2), default=1)\n"

OWN_NOTE = "    await _get(session, user.id, note_id)\n"
TASKS = (
    with_fault(
        (
            "\n\nTitle = Annotated",
            """


class Task(Base):
    __tablename__ = "NAME_tasks"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    note_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("NAME.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(50))


Title = Annotated""",
        )
    )
    + """

@router.post("/{note_id}/tasks", status_code=201, response_model=FolderRead)
async def create_task(
    note_id: uuid.UUID, data: FolderCreate, session: SessionDep, user: CurrentUser
) -> Task:
    await _get(session, user.id, note_id)
    task = Task(note_id=note_id, **data.model_dump())
    session.add(task)
    await session.commit()
    return task


@router.get("/{note_id}/tasks/{task_id}", response_model=FolderRead)
async def get_task(
    note_id: uuid.UUID, task_id: uuid.UUID, session: SessionDep, user: CurrentUser
) -> Task:
    statement = select(Task).join(Note, Note.id == Task.note_id)
    task = await session.scalar(
        statement.where(Task.note_id == note_id, Note.owner_id == user.id, Task.id == task_id)
    )
    if task is None:
        raise NotFoundError("There is no such task.")
    return task
"""
)
MORE = "    note_ids: Annotated[list[uuid.UUID], Field(max_length=9)] = []\n"
COPY = """

async def _copy(session, data):
    session.add_all([Task(note_id=key, name="copy") for key in data.note_ids])


@router.post("/{note_id}/tasks\""""
MANY = (
    NOTES
    + """

class Many(BaseModel):
    ids: Annotated[list[uuid.UUID], Field(max_length=100)]


@router.post("/deletions", status_code=204)
async def delete_many(data: Many, session: SessionDep, user: CurrentUser) -> None:
    await session.execute(delete(Note).where(Note.owner_id == user.id, Note.id.in_(data.ids)))
    await session.commit()
"""
)


class Case(NamedTuple):
    source: str
    rule: str
    route: str
    """Method and path, the service's own left out."""
    message: str
    """An expression that the whole message matches."""


CASES = {
    "open_delete": Case(
        with_fault(
            (SIGNATURE, "async def delete_note(note_id: uuid.UUID, session: SessionDep)"),
            (DELETE, f"    await session.delete(await {ANYBODYS})\n"),
        ),
        "BK202 BK203",
        "DELETE /{note_id}",
        r"DELETE \S+ without signing in answered 204\.",
    ),
    "plain": Case(
        PLAIN,
        "BK202",
        "GET /{item_id}",
        r"GET \S+ without signing in answered 200\.",
    ),
    "open_list": Case(
        with_fault(
            ("    user: CurrentUser,\n    q:", "    q:"),
            (LIST, "    statement = select(Note)\n    if q:\n"),
        ),
        "BK202 BK203",
        "GET ",
        r"GET \S+ without signing in answered 200\.",
    ),
    "read_by_all": Case(
        with_fault((GET, f"    return await {ANYBODYS}\n")),
        "BK203",
        "GET /{note_id}",
        r"GET \S+ as somebody else answered 200 for the first user's row of read_by_all\.",
    ),
    "changed_by_all": Case(
        with_fault((UPDATE, f"    note = await {ANYBODYS}\n")),
        "BK203",
        "PATCH /{note_id}",
        r"PATCH \S+ as somebody else answered 200, and the first user's row was changed: title\.",
    ),
    "deleted_by_all": Case(
        with_fault((DELETE, f"    await session.delete(await {ANYBODYS})\n")),
        "BK203",
        "DELETE /{note_id}",
        r"DELETE \S+ as somebody else answered 204, and the first user's row was deleted\.",
    ),
    "deleted_by_visitors": Case(
        with_fault(
            (SIGNATURE, SIGNATURE.replace("CurrentUser", "OptionalUser")),
            (DELETE, f"    await session.delete(await {ANYBODYS})\n"),
        ),
        "BK203",
        "DELETE /{note_id}",
        r"DELETE \S+ as somebody else answered 204, and the first user's row was deleted\.",
    ),
    "listed_for_all": Case(
        with_fault((LIST, "    statement = select(Note)\n    if q:\n")),
        "BK203",
        "GET ",
        r"GET \S+ as somebody else answered 200 and showed .* row of listed_for_all\.",
    ),
    "nested_for_all": Case(
        with_fault(
            (
                "statement = _owned(user.id).where(Note.folder_id == folder_id)",
                "statement = select(Note).where(Note.folder_id == folder_id)",
            )
        ),
        "BK203",
        "GET /folders/{folder_id}/notes",
        r"GET \S+ as somebody else answered 200 for .* row of nested_for_all_folders\.",
    ),
    "leaky_filter": Case(
        with_fault(
            (
                "statement = statement.where(Note.title.contains(q))",
                (
                    "statement = select(Note).where("
                    "or_(Note.owner_id == user.id, Note.title.contains(q)))"
                ),
            )
        ),
        "BK203",
        "GET ",
        r"GET \S+ with \?q=… as somebody else answered 200 and showed .*",
    ),
    "shown_when_done": Case(
        with_fault((LIST, LIST.replace("_owned(user.id)", OR_DONE))),
        "BK203",
        "GET ",
        r"GET \S+ as somebody else answered 200 and showed .* whose status is done\.",
    ),
    "read_when_done": Case(
        with_fault((GET, GET_OR_DONE)),
        "BK203",
        "GET /{note_id}",
        r"GET \S+ as somebody else answered 200 for .* whose status is done\.",
    ),
    "changed_when_done": Case(
        with_fault((UPDATE, GET_OR_DONE.rpartition("    return")[0])),
        "BK203",
        "PATCH /{note_id}",
        r"PATCH \S+ .* row whose status is done was changed: title\.",
    ),
    "shown_when_dear": Case(
        with_fault(
            (STATUS, STATUS + PRICE),
            (LIST, LIST.replace("_owned(user.id)", OR_DEAR)),
        ),
        "BK203",
        "GET ",
        r"GET \S+ as somebody else answered 200 and showed .* whose price is 9999999999\.",
    ),
    "shown_to_the_exact": Case(
        with_fault(
            (
                "statement = statement.where(Note.title.contains(q))",
                f"statement = select(Note).where(or_({MINE} & {FOUND}, Note.title == q))",
            )
        ),
        "BK203",
        "GET ",
        r"GET \S+ with \?q=… as somebody else answered 200 and showed .*",
    ),
    "tasks_for_all": Case(
        TASKS.replace("Note.owner_id == user.id, Task.id", "Task.id"),
        "BK203",
        "GET /{note_id}/tasks/{task_id}",
        r"GET \S+ as somebody else answered 200 for the first user's row of tasks_for_all\.",
    ),
    "tasks_of_any_note": Case(
        TASKS.replace(
            "Task.note_id == note_id, Note.owner_id == user.id, Task.id", "Task.id"
        ).replace("    statement = select(Task)", OWN_NOTE + "    statement = select(Task)"),
        "BK203",
        "GET /{note_id}/tasks/{task_id}",
        r"GET \S+ .* row of tasks_of_any_note_tasks, with their own note_id in the path\.",
    ),
    "many_deleted": Case(
        MANY.replace("Note.owner_id == user.id, ", ""),
        "BK203",
        "POST /deletions",
        r"POST \S+ as somebody else with ids of the first user answered 204, .* was deleted\.",
    ),
    "many_in_query": Case(
        MANY.replace("Note.owner_id == user.id, ", "")
        .replace("data: Many,", "ids: Annotated[list[uuid.UUID], Query()],")
        .replace("data.ids", "ids"),
        "BK203",
        "POST /deletions",
        r"POST \S+ as somebody else with ids of the first user answered 204, .* was deleted\.",
    ),
    "many_changed": Case(
        MANY.replace("Note.owner_id == user.id, ", "")
        .replace("delete(Note)", "update(Note).values(status=data.status)")
        .replace("    ids:", "    status: str = 'open'\n    ids:"),
        "BK203",
        "POST /deletions",
        r"POST \S+ as somebody else with ids .* 204, .* row of \w+ was changed: status\.",
    ),
    "many_referred_to": Case(
        TASKS.replace("class FolderCreate(BaseModel):\n", "class FolderCreate(BaseModel):\n" + MORE)
        .replace("**data.model_dump()", "**data.model_dump(exclude={'note_ids'})")
        .replace("session.add(task)", "session.add(task)\n    await _copy(session, data)")
        .replace('\n\n@router.post("/{note_id}/tasks"', COPY),
        "BK203",
        "POST /{note_id}/tasks",
        r"POST \S+ as somebody else with note_ids .* row of many_referred_to was referred to\.",
    ),
    "injected": Case(
        with_fault(
            ("Note.title.contains(q)", "text(f\"title LIKE '%{q}%'\")"),
        ),
        "BK206",
        "GET ",
        r"GET \S+ with q=.* answered 500: sqlalchemy\S+ \S+ unrecognized token: .*[^.]\.",
    ),
    "owner_from_query": Case(
        with_fault(
            (
                "    q: str | None = None,\n",
                "    q: str | None = None,\n    request: Request = None,\n",
            ),
            (
                LIST,
                (
                    "    owner_id = request.query_params.get('owner_id', user.id)\n"
                    "    statement = _owned(uuid.UUID(str(owner_id)))\n    if q:\n"
                ),
            ),
        ),
        "BK203",
        "GET ",
        r"GET \S+ with \?owner_id=… as somebody else answered 200 and showed .*",
    ),
    "forbidden": Case(
        with_fault(
            (
                GET,
                (
                    f"    note = await {ANYBODYS}\n"
                    "    if note.owner_id != user.id:\n        raise HTTPException(403)\n"
                    "    return note\n"
                ),
            )
        ),
        "BK203",
        "GET /{note_id}",
        r"GET \S+ as somebody else answered 403, and 404 for a row that never was: .*",
    ),
    "foreign_parent": Case(
        with_fault(
            ("    if folder is None or folder.owner_id != user.id:\n", "    if not folder:\n")
        ),
        "BK203",
        "POST ",
        r"POST \S+ as somebody else with the first user's folder_id answered 201\.",
    ),
    "for_superusers": Case(
        with_fault(
            (
                '@router.get("/{note_id}"',
                (
                    "async def careless(user: CurrentUser):\n    return user\n\n\n"
                    "careless.requirements = Requirements(False, False, True)\n\n\n"
                    '@router.get("/reports/all")\n'
                    "async def all_reports(user=Depends(careless)) -> int:\n    return 1\n\n\n"
                    '@router.get("/{note_id}"'
                ),
            )
        ),
        "BK203",
        "GET /reports/all",
        r"GET \S+ as an ordinary user answered 200, though it is for superusers\.",
    ),
    "crashing": Case(
        with_fault((UPDATE, UPDATE + "    1 / 0\n")),
        "BK206",
        "PATCH /{note_id}",
        r"PATCH \S+ answered 500: ZeroDivisionError: division by zero\.",
    ),
    "forgetful": Case(
        with_fault(
            (
                "        setattr(note, name, value)\n    await session.commit()\n",
                "        setattr(note, name, value)\n",
            )
        ),
        "BK206",
        "PATCH /{note_id}",
        r"PATCH \S+ failed after its answer: backend\.core\.errors\.LostWriteError: .*",
    ),
    "growing": Case(
        with_fault(
            (
                "    return page\n",
                (
                    "    for item in page.items:\n"
                    "        await session.get(Folder, item.folder_id)\n"
                    "    return page\n"
                ),
            )
        ),
        "BK604",
        "GET ",
        r"GET \S+ sent 4 SQL statements for 2 rows and 22 for 20\.",
    ),
    "printing": Case(
        with_fault(
            (
                "user: CurrentUser) -> Folder:\n",
                (
                    "user: CurrentUser, request: Request) -> Folder:\n"
                    "    print(request.headers['authorization'])\n"
                ),
            )
        ),
        "BK705",
        "POST /folders",
        r"POST \S+ answered 201 and printed the caller's access token\.",
    ),
    "logging_passwords": Case(
        with_fault(
            (
                "    name: Annotated[str, Field(min_length=1, max_length=50)]\n",
                "    name: str\n    password: str\n",
            ),
            ("Folder(owner_id=user.id, **data.model_dump())", "Folder(owner_id=user.id, name='a')"),
            (
                "    session.add(folder)\n",
                "    log.info('made', given=data.password)\n    session.add(folder)\n",
            ),
        ),
        "BK705",
        "POST /folders",
        r"POST \S+ answered 201 and logged a password\.",
    ),
    "logging_links": Case(
        with_fault(
            (
                "    session.add(folder)\n",
                (
                    "    link = f'https://example.com/a/{uuid.uuid4().hex}'\n"
                    "    mail = VerifyEmail(name=None, link=link, hours=1)\n"
                    "    await EmailService.enqueue(session, mail, user.email)\n"
                    "    log.warning('mailed', where=link)\n"
                    "    session.add(folder)\n"
                ),
            )
        ),
        "BK705",
        "POST /folders",
        r"POST \S+ answered 201 and logged the link mailed with “.*”\.",
    ),
}

CORRECT = {
    "correct": NOTES,
    "correct_tasks": TASKS,
    "correct_many": MANY,
    "correct_data": with_fault((STATUS, STATUS + DATA)),
    # A visitor may read what is public; and a DELETE may be idempotent.
    "correct_too": with_fault(
        (
            '@router.get("/{note_id}", response_model=NoteRead)',
            '@router.get("/{note_id}")\n@public',
        ),
        (
            "(note_id: uuid.UUID, session: SessionDep, user: CurrentUser) -> Note:",
            "(note_id: uuid.UUID, session: SessionDep, user: OptionalUser) -> NoteRead:",
        ),
        (
            GET,
            (
                f"    note = await {ANYBODYS}\n"
                "    if note is None:\n        raise NotFoundError('There is no such note.')\n"
                "    return NoteRead.model_validate(note)\n"
            ),
        ),
        (
            DELETE,
            (
                "    note = await session.scalar(_owned(user.id).where(Note.id == note_id))\n"
                "    if note:\n        await session.delete(note)\n"
            ),
        ),
    ),
}

# The service refuses the bodies that can be made; the probes put rows into the table themselves.
PARTICULAR = (
    "title: Title\n\n\nclass NoteUpdate",
    """title: Annotated[str, AfterValidator(_is_known)]


class NoteUpdate""",
)
KNOWN = (
    "Title = Annotated",
    """def _is_known(text: str) -> str:
    if text != "a text that nobody guesses":
        raise ValueError("is not known")
    return text


Title = Annotated""",
)

EXPLAINED = {
    "removed": with_fault(
        (
            LIST,
            LIST.replace("_owned(user.id)", "_owned(user.id).where(Note.status == 'open')"),
        ),
        ("Note(owner_id=user.id, **", "Note(owner_id=user.id, status='done', **"),
    ),
    "particular": with_fault(PARTICULAR, KNOWN, (GET, f"    return await {ANYBODYS}\n")),
    "calling_out": with_fault(
        (UPDATE, UPDATE + "    socket.create_connection(('192.0.2.1', 80), timeout=0.1)\n")
    ),
    "own_engine": with_fault(
        (
            UPDATE,
            UPDATE + "    async with ENGINE.connect() as connection:\n"
            "        await connection.execute(select(Note))\n",
        )
    ),
    "impossible": with_fault(
        PARTICULAR, KNOWN, ("status IN ('open', 'done')", "length(title) = 1 AND length(title) = 2")
    ),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("repository")


@pytest.fixture(scope="module")
def probes(root: Path) -> Probes:
    sources = {name: case.source for name, case in CASES.items()}
    return probe(sources | CORRECT | EXPLAINED, root)


@pytest.fixture(scope="module")
def findings(probes: Probes) -> list[Finding]:
    return list(_findings(probes))


def _findings(probes: Probes) -> Iterator[Finding]:
    assert rules.__name__ in sys.modules  # it registers them
    for rule_id in IDS:
        yield from RULES[rule_id].function(probes)


def of_service(findings: list[Finding], name: str) -> list[Finding]:
    return [item for item in findings if f"/services/{name}/" in item.place.path]


@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_found_where_it_is(name: str, findings: list[Finding], root: Path) -> None:
    case = CASES[name]
    found = of_service(findings, name)
    assert [item.rule for item in found] == case.rule.split(), found
    method, _, path = case.route.partition(" ")
    assert {item.subject for item in found} == {f"{method} /api/{name}{path}"}
    assert re.fullmatch(case.message, found[0].message), found[0].message
    assert all(item.remedy for item in found)
    line = (root / found[0].place.path).read_text().splitlines()[found[0].place.line - 1]
    assert line.startswith(f'@router.{method.lower()}("{path}"')


@pytest.mark.parametrize("name", CORRECT)
def test_a_right_service_has_no_finding(name: str, findings: list[Finding], probes: Probes) -> None:
    assert of_service(findings, name) == []
    assert not [item for item in probes.not_examined if f"/api/{name}" in item]


def test_what_could_not_be_asked_is_said_with_the_reason(
    findings: list[Finding], probes: Probes
) -> None:
    found = of_service(findings, "particular")
    assert [(item.rule, item.subject) for item in found] == [
        ("BK203", "GET /api/particular/{note_id}")
    ]
    assert of_service(findings, "calling_out") == []
    assert of_service(findings, "own_engine") == []
    assert of_service(findings, "impossible") == []
    said = "\n".join(probes.not_examined)
    assert "GET /api/removed as somebody else: the list shows the owner none of the" in said
    assert "PATCH /api/calling_out/{note_id}: " in said
    assert "`backend check` stopped a connection to 192.0.2.1" in said
    assert "PATCH /api/own_engine/{note_id}: `backend check` stopped a connection to" in said
    assert "rows of impossible: POST /api/impossible answered 422 for /body/title" in said
    assert "the table impossible refuses a row: CHECK constraint failed" in said
    assert "DELETE /api/impossible/{note_id} as somebody else: no row of impossible could" in said
    assert "not examined" not in probes.examined


def test_what_could_not_be_asked_has_lines_of_its_own_and_fails_nothing(tmp_path: Path) -> None:
    probes = Probes(requests=3, not_examined=["GET /a: no row", "GET /b: it takes a file"])

    class Probed(Project):
        def fact(self, _name: str) -> Probes:
            return probes

    report = run(Probed(tmp_path), [RULES["BK203"]])
    assert report.exit_code == 0
    assert [(item.fact, item.reason) for item in report.left_out] == [
        ("probes", "GET /a: no row"),
        ("probes", "GET /b: it takes a file"),
    ]
    assert "\nNot examined: probes: GET /a: no row\nNot examined: probes: GET" in as_text(report)
    assert len(json.loads(as_json(report))["not_examined"]) == 2


def test_only_the_services_that_are_asked_for_are_probed(tmp_path: Path) -> None:
    sources = {"one": NOTES, "two": NOTES}
    probes = probe(sources, tmp_path, only=frozenset({"two"}))
    assert probes.routes == 7
    assert probes.tables == 2
    assert probes.lists == 2
    assert probes.not_examined == []
    assert probe(sources, tmp_path / "again", only=frozenset({"three"})).count == 0


def test_a_stream_without_an_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PROBE_SECONDS", 0.2)
    endless = with_fault(
        (
            '@router.get("/{note_id}"',
            (
                "async def _forever():\n    while True:\n        yield 'now'\n"
                "        await asyncio.sleep(0.01)\n\n\n"
                '@router.get("/events")\n'
                "async def events(user: CurrentUser) -> StreamingResponse:\n"
                "    return StreamingResponse(_forever())\n\n\n"
                '@router.get("/{note_id}"'
            ),
        )
    )
    probes = probe({"endless": endless}, tmp_path)
    assert list(_findings(probes)) == []
    assert probes.not_examined == ["GET /api/endless/events: it did not end within 0.2 seconds"]


@pytest.mark.parametrize("only", [None, frozenset({"users"})])
async def test_the_project_has_no_finding_and_the_developers_data_stay(
    only: frozenset[str] | None,
    async_session: AsyncSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Although the mailbox can be emptied over HTTP, and everybody may sign up."""
    data = tmp_path / "data"
    monkeypatch.setattr(settings, "data_dir", data)
    mail = EmailMessage()
    mail["Subject"] = "To be kept"
    await make_mailbox(settings).send(mail, "ada@example.com", "bob@example.com")
    async_session.add(User(email="ada@example.com", hashed_password="!"))
    await async_session.commit()
    files = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    before = vars(settings).copy(), db.engine, db.async_session_maker.kw["bind"]

    tables = collect_tables()
    routes = collect_routes(app, tables)
    migrations = Migrations(BACKEND, folder=tmp_path)
    found = await asyncio.to_thread(run_probes, app, routes, tables, migrations, only=only)

    assert errors(list(_findings(found))) == []
    assert not [item for item in found.not_examined if re.search("/api/(auth|users)", item)]
    of_users = [route for route in routes if route.service == "users"]
    assert found.routes == len(of_users) if only else found.routes > len(of_users) + 15
    assert found.lists >= 1
    assert files
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == files
    assert (vars(settings), db.engine, db.async_session_maker.kw["bind"]) == before
    assert [await count(async_session, table) for table in (User, UserSession, Email)] == [1, 0, 0]


async def count(session: AsyncSession, table: type[db.Base]) -> int | None:
    return await session.scalar(select(func.count()).select_from(table))
