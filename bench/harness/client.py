"""As much of HTTP/1.1 as the benchmark needs of its own: checks, and a load at a fixed rate."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

__all__ = ["Answer", "Connection", "encode", "request"]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


def body_of(content: object, *, form: bool) -> tuple[str, str]:
    """Its type and its text."""
    if form and isinstance(content, dict):
        return "application/x-www-form-urlencoded", urlencode(content)
    return "application/json", json.dumps(content)


def encode(
    port: int,
    method: str,
    path: str,
    content: object = None,
    *,
    token: str = "",
    form: bool = False,
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept: application/json"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    body = ""
    if content is not None:
        kind, body = body_of(content, form=form)
        lines.append(f"Content-Type: {kind}")
    if method != "GET":
        lines.append(f"Content-Length: {len(body.encode())}")
    return "\r\n".join([*lines, "", body]).encode()


class Connection:
    """One that is kept; each request waits for its answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.is_usable = True

    @classmethod
    async def open(cls, port: int) -> "Connection":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, data: bytes) -> Answer:
        self.is_usable = False
        self.writer.write(data)
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head.split(b" ", 2)[1])
        if b"transfer-encoding: chunked" in head:
            body = await self._read_chunks()
        else:
            _, found, rest = head.partition(b"content-length:")
            length = int(rest.split(b"\r\n", 1)[0]) if found else 0
            body = await self.reader.readexactly(length)
        self.is_usable = b"connection: close" not in head
        return Answer(status, body)

    async def _read_chunks(self) -> bytes:
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += await self.reader.readexactly(size)
            await self.reader.readline()
        await self.reader.readline()
        return body

    def close(self) -> None:
        self.writer.close()


async def request(
    port: int,
    method: str,
    path: str,
    content: object = None,
    *,
    token: str = "",
    form: bool = False,
) -> Answer:
    connection = await Connection.open(port)
    try:
        data = encode(port, method, path, content, token=token, form=form)
        return await asyncio.wait_for(connection.ask(data), 30)
    finally:
        connection.close()
