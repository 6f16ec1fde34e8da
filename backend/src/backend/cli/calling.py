"""What `backend call` does: a session for an account, one request, and what was recorded."""

import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi.routing import iter_route_contexts
from sqlalchemy import delete
from starlette.routing import Match

from backend import db
from backend.app import app
from backend.cli.errors import CommandError
from backend.cli.preflight import require_current_schema
from backend.cli.runtime import run
from backend.core.in_process import Answer, send_in_process
from backend.core.logging import redact_secrets
from backend.core.observe import Statement, recorded_events, recorded_statements
from backend.core.schema import schema_state
from backend.services.auth.models import UserSession
from backend.services.auth.sessions import SessionService
from backend.services.auth.tokens import read_access_token
from backend.services.email.recording import RecordedMail, recorded_mails
from backend.services.users.service import UserService
from backend.settings import settings

__all__ = ["Result", "call"]

JSON = "application/json"


@dataclass(frozen=True)
class Result:
    """What is shown has no secrets in it: no password, token or link that signs somebody in."""

    answer: Answer
    ms: float
    statements: list[Statement]
    events: list[dict[str, Any]]
    mails: list[RecordedMail]

    @property
    def succeeded(self) -> bool:
        return self.answer.status < HTTPStatus.BAD_REQUEST and self.answer.failure is None

    @property
    def body(self) -> Any:
        """Parsed where it is JSON."""
        if not self.answer.body:
            return None
        try:
            return _redacted(json.loads(self.answer.body))
        except ValueError:
            return _redacted(self.answer.text)

    def as_document(self) -> dict[str, Any]:
        return {
            "status": self.answer.status,
            "ms": self.ms,
            "body": self.body,
            "failure": _redacted(self.answer.failure),
            "statements": [asdict(statement) for statement in self.statements],
            "log": self.events,
            "mails": [_redacted(asdict(mail)) for mail in self.mails],
        }

    def as_text(self) -> str:
        parts = [f"{self.answer.status} {_phrase(self.answer.status)}, {self.ms} ms"]
        if (body := self.body) is not None:
            is_text = isinstance(body, str) and JSON not in self._content_type
            parts.append(body if is_text else json.dumps(body, indent=2, ensure_ascii=False))
        if self.answer.failure:
            parts.append(f"It failed after the answer.\n{_redacted(self.answer.failure).rstrip()}")
        spent = round(sum(statement.ms for statement in self.statements), 2)
        parts.append(
            _section(
                f"{_count(len(self.statements), 'SQL statement')}, {spent} ms",
                [_shown_statement(statement) for statement in self.statements],
            )
        )
        parts.append(
            _section(
                _count(len(self.events), "log line"), [_shown_event(item) for item in self.events]
            )
        )
        mails = [f"to {mail.to}: {mail.subject}" for mail in self.mails]
        parts.append(_section(_count(len(mails), "mail"), mails))
        return "\n\n".join(parts)

    @property
    def _content_type(self) -> str:
        return self.answer.headers.get("content-type", "")


def call(
    method: str, path: str, *, email: str | None, body: bytes | None, headers: Sequence[str]
) -> Result:
    """Raises CommandError where the request cannot be what was meant."""
    if not settings.is_development:
        raise CommandError(
            "`backend call` is for development, since it acts as any account without its password, "
            "and ENVIRONMENT is production. Unset ENVIRONMENT, or sign in over HTTP."
        )
    _require_route(path)
    sent = _parse_headers(headers)
    if body is not None and sent.setdefault("content-type", JSON).startswith(JSON):
        _require_json(body)
    if email is not None and "authorization" in sent:
        raise CommandError("--as signs in already. Leave out --as, or the Authorization header.")
    return run(_call(method.upper(), path, email, body or b"", sent))


async def _call(
    method: str, path: str, email: str | None, body: bytes, headers: dict[str, str]
) -> Result:
    require_current_schema(await schema_state(db.engine))
    target = quote(path, safe="/?&=%:@!$'()*+,;~-._[]")
    async with _signed_in(email) as authorization:
        with (
            recorded_statements() as statements,
            recorded_events() as events,
            recorded_mails() as mails,
        ):
            started = time.perf_counter()
            answer = await send_in_process(
                app, method, target, headers=headers | authorization, body=body
            )
            ms = round((time.perf_counter() - started) * 1000, 1)
    return Result(answer, ms, statements, events, mails)


@asynccontextmanager
async def _signed_in(email: str | None) -> AsyncIterator[dict[str, str]]:
    """The header of a session that is deleted afterwards, whatever happened to it."""
    if email is None:
        yield {}
        return
    async with db.async_session_maker() as session:
        user = await UserService.get_by_email(session, email)
        if user is None:
            raise CommandError(
                f"Nobody has the address {email}. `backend user create {email}` makes an account, "
                "and `backend user list` shows those that exist."
            )
        token = await SessionService.begin(session, user, user_agent="backend call")
    if token is None:
        raise CommandError(f"{user.email} is deactivated. Call as another account, or activate it.")
    try:
        yield {"authorization": f"Bearer {token}"}
    finally:
        named = read_access_token(token)
        async with db.async_session_maker() as session:
            await session.execute(
                delete(UserSession).where(UserSession.id == (named[0] if named else None))
            )
            await session.commit()


def _require_route(target: str) -> None:
    path = urlsplit(target).path if "://" in target else target.partition("?")[0]
    if target.startswith("/") and _answers(path):
        return
    bare = path.strip("/")
    meant = next((item for item in (f"/{bare}", f"/api/{bare}") if _answers(item)), None)
    if meant:
        raise CommandError(f"There is no route {target}. The path that you mean is {meant}")
    nearest = max(_templates(), key=lambda template: _likeness(path, template))
    raise CommandError(
        f"There is no route {target}. The nearest is {nearest}; `backend routes` lists them all."
    )


def _answers(path: str) -> bool:
    scope = {"type": "http", "path": path, "root_path": "", "method": "GET", "headers": []}
    return any(
        context.matches(scope)[0] is not Match.NONE for context in iter_route_contexts(app.routes)
    )


def _templates() -> list[str]:
    return [context.path_format or "/" for context in iter_route_contexts(app.routes)]


def _likeness(path: str, template: str) -> float:
    """What stands for a value in the template is like whatever is given there."""
    given = path.strip("/").split("/")
    wanted = template.strip("/").split("/")
    for index, part in enumerate(wanted[: len(given)]):
        if part.startswith("{"):
            wanted[index] = given[index]
    return SequenceMatcher(None, "/".join(given), "/".join(wanted)).ratio()


def _parse_headers(given: Sequence[str]) -> dict[str, str]:
    headers = {}
    for line in given:
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or not line.isascii() or "\n" in line:
            raise CommandError(
                "A header is a name, a colon and a value, such as --header 'Accept-Language: de'."
            )
        headers[name.strip().lower()] = value.strip()
    return headers


def _require_json(body: bytes) -> None:
    try:
        json.loads(body)
    except ValueError as error:
        where = ""
        if isinstance(error, json.JSONDecodeError):
            where = f" at line {error.lineno}, column {error.colno}: {error.msg}"
        raise CommandError(
            f"--data is not JSON{where}. Quote it for the shell, as in "
            """--data '{"name": "Ada"}', or read it from a file with --data @body.json."""
        ) from None


def _redacted(value: Any) -> Any:
    return redact_secrets(None, "", {"value": value})["value"]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _section(heading: str, lines: Sequence[str]) -> str:
    return "\n".join([heading, *(f"  {line}" for line in lines)])


def _shown_statement(statement: Statement) -> str:
    rows = "" if statement.rows is None else _count(statement.rows, "row")
    return f"{statement.ms:>6.2f} ms  {rows:<8}  {' '.join(statement.text.split())}"


def _shown_event(event: dict[str, Any]) -> str:
    rest = {
        key: value for key, value in event.items() if key not in {"level", "event", "exception"}
    }
    line = f"{event.get('level', ''):<8}{event.get('event', '')}"
    line += "".join(f" {key}={value}" for key, value in rest.items())
    if "exception" in event:
        line += "\n    " + str(event["exception"]).replace("\n", "\n    ")
    return line
