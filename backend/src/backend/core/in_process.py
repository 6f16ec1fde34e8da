"""A request to the app without a server: every middleware, no socket, no lifespan."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message

__all__ = ["Answer", "send_in_process"]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Headers
    body: bytes
    failure: str | None = None
    """The traceback of what was raised once the answer had begun: the client saw `status`."""

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


async def send_in_process(
    app: ASGIApp,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    host: str = "127.0.0.1",
) -> Answer:
    """Sends one request and waits until all that belongs to it has ended.

    `target` is the path with its query, percent-encoded. Raises what the app raises before it
    answers.
    """
    path, _, query = target.partition("?")
    given = {"host": host, **(headers or {})}
    if body:
        given["content-length"] = str(len(body))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "root_path": "",
        "query_string": query.encode("ascii"),
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in given.items()
        ],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    unread = [body]
    start: Message = {}
    received = bytearray()

    async def receive() -> dict[str, Any]:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        elif message["type"] == "http.response.body":
            received.extend(message.get("body", b""))

    failure: str | None = None
    try:
        await app(scope, receive, send)
    except Exception as error:
        if not start:
            raise
        failure = "".join(traceback.format_exception(error))
    return Answer(
        status=start["status"],
        headers=Headers(raw=list(start.get("headers", []))),
        body=bytes(received),
        failure=failure,
    )
