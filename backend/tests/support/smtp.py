"""A real SMTP server for the tests, which can be slow or refuse."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.smtp import SMTP, Envelope, Session

__all__ = ["MailServer", "open_mail_server"]


@dataclass
class MailServer:
    """`answers` are given to the next mails instead of taking them over; `hang` answers none."""

    port: int = 0
    hang: bool = False
    answers: list[str] = field(default_factory=list)
    arrived: "asyncio.Queue[EmailMessage]" = field(default_factory=asyncio.Queue)
    attempts: int = 0
    attempted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def next(self, seconds: float = 10) -> EmailMessage:
        async with asyncio.timeout(seconds):
            return await self.arrived.get()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.attempts += 1
        self.attempted.set()
        if self.hang:
            await asyncio.Event().wait()
        if self.answers:
            return self.answers.pop(0)
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=default)
        message["X-Envelope-To"] = ",".join(envelope.rcpt_tos)
        await self.arrived.put(message)
        return "250 OK"


@asynccontextmanager
async def open_mail_server() -> AsyncIterator[MailServer]:
    loop = asyncio.get_running_loop()
    handler = MailServer()
    server = await loop.create_server(
        lambda: SMTP(handler, loop=loop, enable_SMTPUTF8=True, hostname="mail.example"),
        "127.0.0.1",
        0,
    )
    handler.port = server.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        server.close()
