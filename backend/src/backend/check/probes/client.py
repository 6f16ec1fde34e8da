"""Sends the probes, and keeps what each of them caused."""

import asyncio
import json
import re
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import FastAPI, params
from fastapi._compat import ModelField
from starlette.datastructures import Headers

from backend.check.probes.people import Person
from backend.check.probes.scratch import Output, StoppedError
from backend.check.routes import Route
from backend.core.in_process import Answer, send_in_process
from backend.core.observe import Statement
from backend.services.email.recording import RecordedMail
from backend.settings import settings

__all__ = ["Client", "Exchange", "body_schema"]

Json = Mapping[str, Any]

PROBE_SECONDS = 5.0
"""A stream of events has no end of its own."""
GATEWAY_TIMEOUT = 504


@dataclass(frozen=True)
class Exchange:
    """One probe and its answer."""

    route: Route
    person: Person | None
    target: str
    answer: Answer
    statements: int
    events: list[dict[str, Any]]
    printed: str
    mails: list[RecordedMail]
    stopped: str | None
    """Why its failure is the probe's doing: it has no end, or tried to leave the process."""
    on_inserted: bool = False
    """The rows it met were not made by the service, so that a failure may be theirs."""

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def is_success(self) -> bool:
        return 200 <= self.answer.status < 300

    @property
    def output(self) -> str:
        """What was logged and printed, as text."""
        if not self.events:
            return self.printed
        return json.dumps(self.events, default=str, ensure_ascii=False) + self.printed

    @cached_property
    def json(self) -> Any:
        """None where it is none."""
        try:
            return json.loads(self.answer.body)
        except ValueError:
            return None

    @property
    def error(self) -> str | None:
        """The class and the first line of what was raised, where it failed."""
        for trace in (self.answer.failure, *(str(item.get("exception")) for item in self.events)):
            if trace and "Traceback" in trace:
                return _raised(trace)
        return None


@dataclass
class Client:
    app: FastAPI
    output: Output
    statements: list[Statement]
    mails: list[RecordedMail]
    exchanges: list[Exchange] = field(default_factory=list)
    on_inserted: bool = False

    async def send(
        self,
        route: Route,
        *,
        person: Person | None,
        path: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
    ) -> Exchange:
        """`path` has a value for each parameter."""
        target = re.sub(
            r"\{(\w+)\}",
            lambda found: quote(str((path or {})[found[1]]), safe=""),
            route.path,
        )
        if query:
            target += "?" + urlencode(
                {key: _in_query(value) for key, value in query.items()}, doseq=True
            )
        headers = {"authorization": f"Bearer {person.token}"} if person else {}
        sent = b""
        if body is not None:
            form = isinstance(_body_info(route), params.Form)
            headers["content-type"] = (
                "application/x-www-form-urlencoded" if form else "application/json"
            )
            sent = urlencode(body).encode() if form else json.dumps(body).encode()
        before = (len(self.statements), len(self.mails), len(StoppedError.raised))
        self.output.take()
        answer = await self._answer(route, target, headers, sent)
        events, printed = self.output.take()
        exchange = Exchange(
            route,
            person,
            target,
            answer,
            len(self.statements) - before[0],
            events,
            printed,
            self.mails[before[1] :],
            stopped=_reason(answer, StoppedError.raised[before[2] :]),
            on_inserted=self.on_inserted,
        )
        self.exchanges.append(exchange)
        return exchange

    async def _answer(
        self, route: Route, target: str, headers: dict[str, str], body: bytes
    ) -> Answer:
        host = settings.public_url.partition("://")[2].partition("/")[0]
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                return await send_in_process(
                    self.app, route.method, target, headers=headers, body=body, host=host
                )
        except TimeoutError:
            return Answer(GATEWAY_TIMEOUT, Headers(), b"")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            return Answer(500, Headers(), b"", "".join(traceback.format_exception(error)))


def _raised(trace: str) -> str:
    """A message may have more lines, such as SQLAlchemy's with the statement and a link."""
    lines = trace.strip().splitlines()
    last_call = max((i for i, line in enumerate(lines) if line.startswith('  File "')), default=0)
    after = [line for line in lines[last_call:] if re.match(r"[A-Za-z_][\w.]*(:|$)", line)]
    return (after[0] if after else lines[-1])[:200].rstrip(". ")


def _reason(answer: Answer, raised: Sequence[StoppedError]) -> str | None:
    if answer.status == GATEWAY_TIMEOUT:
        return f"it did not end within {PROBE_SECONDS:g} seconds"
    return str(raised[0]) if raised else None


def _in_query(value: Any) -> str | list[str]:
    if isinstance(value, list):
        return [str(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _body_info(route: Route) -> Any:
    found = getattr(route.context, "body_field", None)
    return None if found is None else found.field_info


def body_schema(route: Route) -> Json | None:
    """What the route takes as its body; None where it takes none.

    Raises ValueError where it takes something that no schema describes, such as a file.
    """
    found = getattr(route.context, "body_field", None)
    if found is None:
        return None
    if any(isinstance(item.field_info, params.File) for item in route.body_params):
        raise ValueError("it takes a file")
    try:
        return _schema_of(found)
    except Exception as error:
        raise ValueError("its body has no JSON schema") from error


@lru_cache(maxsize=1024)
def _schema_of(field: ModelField) -> Json:
    schema: Json = field._type_adapter.json_schema(mode="validation")  # noqa: SLF001
    return schema
