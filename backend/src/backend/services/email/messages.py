"""A row of the outbox as an Internet message (RFC 5322)."""

import json
import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr

import idna

from backend.core import crypto
from backend.services.email.models import Email
from backend.services.email.rendering import RenderedMail
from backend.settings import settings

__all__ = ["ascii_domain", "build_message", "open_content", "seal_content"]

_PURPOSE = "email"
_SPECIALS = re.compile(r'[()<>\[\]:;@\\,."]')  # RFC 5322, 3.2.3
LINE_LIMIT = 998  # RFC 5322, 2.1.1


def seal_content(mail: RenderedMail) -> bytes:
    return crypto.seal(_PURPOSE, json.dumps({"text": mail.text, "html": mail.html}).encode())


def open_content(sealed: bytes) -> tuple[str, str]:
    """The text and the HTML; ValueError where SECRET_KEY is another one than when it was queued."""
    content = json.loads(crypto.open_sealed(_PURPOSE, sealed))
    return content["text"], content["html"]


def ascii_domain(address: str) -> str:
    """The address with its domain in the form that DNS and every mail server know (RFC 5890)."""
    local, _, domain = address.rpartition("@")
    return address if domain.isascii() else f"{local}@{idna.encode(domain, uts46=True).decode()}"


def _display_name(name: str | None) -> str:
    """Without what would have to be quoted: folding a long header loses the quotes, and what they
    held would be read as addresses."""
    return " ".join(_SPECIALS.sub(" ", name or "").split())


def build_message(email: Email) -> EmailMessage:
    """The same message at each attempt, Message-ID and date included (behaviour X2)."""
    text, html = open_content(email.content or b"")
    to_address = ascii_domain(email.to_address)
    message = EmailMessage(policy=SMTP if to_address.isascii() else SMTPUTF8)
    sender_name, sender = parseaddr(settings.mail_from)
    message["From"] = Address(display_name=sender_name, addr_spec=sender)
    local, _, domain = to_address.rpartition("@")
    message["To"] = Address(_display_name(email.to_name), local, domain)
    message["Subject"] = email.subject
    message["Date"] = format_datetime(email.created_at)
    message["Message-ID"] = email.message_id
    message["Auto-Submitted"] = "auto-generated"
    if any("\n" in value or "\r" in value for value in message.values()):
        raise ValueError("a header would hold a line break")
    # Plain where it can be: links in the source of a mail are then whole.
    plain = text.isascii() and max(map(len, text.splitlines())) <= LINE_LIMIT
    message.set_content(text, cte="7bit" if plain else "quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message
