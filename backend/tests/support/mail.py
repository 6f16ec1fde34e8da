"""A person's mailbox: the outbox is delivered into it; mails are read as a client does."""

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from backend.db import async_session_maker
from backend.services.email.delivery import deliver_next
from backend.services.email.transports import MailboxTransport

__all__ = ["Mailbox", "html_of", "link_in", "text_of", "token_in"]


class Mailbox:
    def __init__(self, folder: Path) -> None:
        self.transport = MailboxTransport(folder)

    async def all(self) -> list[EmailMessage]:
        """Delivers what is due, and gives every mail so far, oldest first."""
        while await deliver_next(async_session_maker, self.transport):
            pass
        messages = [
            message_from_bytes(source, policy=default) for _key, source in self.transport.messages()
        ]
        return sorted(messages, key=lambda message: str(message["Message-ID"]))

    async def to(self, address: str) -> list[EmailMessage]:
        """The mails to one address, oldest first."""
        return [
            message
            for message in await self.all()
            if message["To"].addresses[0].addr_spec.lower() == address.lower()
        ]

    async def last(self, address: str) -> EmailMessage:
        mails = await self.to(address)
        assert mails, f"no mail to {address}"
        return mails[-1]


def text_of(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None, "the mail has no text part"
    return str(part.get_content()).replace("\r\n", "\n")


def html_of(message: EmailMessage) -> str:
    part = message.get_body(("html",))
    assert part is not None, "the mail has no HTML part"
    return str(part.get_content())


def link_in(message: EmailMessage) -> str:
    """The link that the mail is about."""
    found = re.search(r"^https?://\S+token=\S+$", text_of(message), re.MULTILINE)
    assert found, f"no link in: {text_of(message)}"
    return found[0]


def token_in(message: EmailMessage) -> str:
    return parse_qs(urlsplit(link_in(message)).query)["token"][0]
