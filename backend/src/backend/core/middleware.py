"""The one middleware around everything: request ids, the access log, security headers, the limit
of bodies, and 500s."""

import re
import time
from http import HTTPStatus

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.core.ids import new_id
from backend.core.problems import problem_response
from backend.db import release_connections, sessions_of_request

__all__ = ["RequestMiddleware"]

log = structlog.get_logger("backend.access")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
# Asked for every few seconds by what watches the server: not worth a line in the log.
_QUIET_PATHS = frozenset({"/health/live", "/health/ready"})

_SECURITY_HEADERS: dict[str, str] = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


class RequestMiddleware:
    """Gives each request an id, logs its end, and answers what nobody handled with a plain 500.

    The path is logged without its query, which on the pages of mailed links holds a token.
    Headers that a response sets itself are left as they are.
    """

    def __init__(self, app: ASGIApp, *, https: bool, max_body_bytes: int) -> None:
        self.app = app
        self.max_body_bytes = max_body_bytes
        headers = dict(_SECURITY_HEADERS)
        if https:
            headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
        self.headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given, length = _looked_for(scope)
        request_id = given if _REQUEST_ID.fullmatch(given) else str(new_id())
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        sessions_of_request.set([])
        started = time.perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                await release_connections()
                status = message["status"]
                headers = message.setdefault("headers", [])
                if status == HTTPStatus.NO_CONTENT:  # there is no content (RFC 9110, 8.3)
                    headers[:] = [item for item in headers if item[0] != b"content-type"]
                given_names = {name for name, _ in headers}
                headers += [item for item in self.headers if item[0] not in given_names]
                headers.append((b"x-request-id", request_id.encode()))
            await send(message)

        try:
            if length > self.max_body_bytes:
                refusal = problem_response(413, self._refusal)
                await refusal(scope, receive, send_with_headers)
            else:
                await self.app(scope, self._limited(receive), send_with_headers)
        except Exception:
            log.exception("request.failed", method=scope["method"], path=scope["path"])
            if status:
                raise
            response = problem_response(
                500,
                "Something went wrong on our side. Quote the request id if you report it.",
                code="internal_error",
            )
            await response(scope, receive, send_with_headers)
        finally:
            if scope["path"] not in _QUIET_PATHS:
                log.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    ms=round((time.perf_counter() - started) * 1000, 1),
                    client=(scope.get("client") or ("", 0))[0],
                )

    def _limited(self, receive: Receive) -> Receive:
        """Counts a body that came without its length; it ends in a 413 where it grows too large."""
        size = 0

        async def receive_limited() -> Message:
            nonlocal size
            message = await receive()
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                if size > self.max_body_bytes:
                    raise HTTPException(413, self._refusal)
            return message

        return receive_limited

    @property
    def _refusal(self) -> str:
        return f"The body is larger than {self.max_body_bytes} bytes."


def _looked_for(scope: Scope) -> tuple[str, int]:
    """The request's id, and the length of its body, as the client says."""
    request_id, length = b"", b"0"
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            request_id = value
        elif name == b"content-length":
            length = value
    return request_id.decode("latin-1"), int(length[:18]) if length.isdigit() else 0
