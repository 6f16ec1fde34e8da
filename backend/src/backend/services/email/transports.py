"""Where mail goes: an SMTP server, or the built-in mailbox."""

import asyncio
import ipaddress
import mailbox
import re
from collections.abc import Iterable
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from backend.settings import Settings

__all__ = [
    "MailboxTransport",
    "PermanentError",
    "SMTPTransport",
    "TemporaryError",
    "Transport",
    "is_loopback",
    "make_mailbox",
    "make_transport",
]

SMTP_TIMEOUT_SECONDS = 20.0
SEND_TIMEOUT_SECONDS = 60.0


class TemporaryError(Exception):
    """Not now; trying again may help."""


class PermanentError(Exception):
    """Never; trying again would get the same answer."""


class Transport(Protocol):
    async def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Returns once the other side has taken the message over.

        Raises TemporaryError or PermanentError, within SEND_TIMEOUT_SECONDS.
        """


class SMTPTransport:
    """SMTP: `smtp://` takes STARTTLS where it is offered, `smtp+starttls://` insists on it,
    `smtps://` speaks TLS from the start. Credentials are never sent in the clear, save to loopback.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host = parts.hostname or "localhost"
        self.use_tls = parts.scheme == "smtps"
        self.port = parts.port or (465 if self.use_tls else 587)
        self.username = unquote(parts.username) if parts.username else None
        self.password = unquote(parts.password) if parts.password else None
        insists = parts.scheme == "smtp+starttls" or (
            self.username is not None and not is_loopback(self.host)
        )
        # None is aiosmtplib's word for "if the server offers it".
        self.start_tls = False if self.use_tls else (True if insists else None)

    async def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        import aiosmtplib  # noqa: PLC0415 - with the first mail: many workers send none

        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.username,
            password=self.password,
            use_tls=self.use_tls,
            start_tls=self.start_tls,
            timeout=SMTP_TIMEOUT_SECONDS,
        )
        try:
            async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
                await client.connect()
                await client.send_message(message, sender=sender, recipients=[recipient])
        except aiosmtplib.SMTPRecipientsRefused as error:
            refusals = error.recipients
            permanent = all(refusal.code >= 500 for refusal in refusals)
            text = "; ".join(f"{refusal.code} {refusal.message}" for refusal in refusals)
            raise (PermanentError if permanent else TemporaryError)(text) from error
        except aiosmtplib.SMTPAuthenticationError as error:
            # The mail is not at fault: it goes out once the credentials are right.
            raise TemporaryError(f"{error.code} {error.message}") from error
        except aiosmtplib.SMTPResponseException as error:
            kind = PermanentError if error.code >= 500 else TemporaryError
            raise kind(f"{error.code} {error.message}") from error
        except aiosmtplib.SMTPNotSupported as error:
            raise PermanentError(f"the mail server cannot do this: {error}") from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise TemporaryError(f"{type(error).__name__}: {error}") from error


def is_loopback(host: str) -> bool:
    """Whether a host, by name or address, is this machine and cannot be another."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


class MailboxTransport:
    """A Maildir in the data directory: what `/dev/mail` shows in development."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        del sender, recipient
        await asyncio.to_thread(self._store, message.as_bytes())

    def _store(self, content: bytes) -> None:
        self._open().add(content)

    def _open(self) -> mailbox.Maildir:
        # By us, since two that make it at once are too much for the library.
        for part in ("tmp", "new", "cur"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        return mailbox.Maildir(self.folder, create=True)

    def messages(self) -> Iterable[tuple[str, bytes]]:
        """Every message's key and source, newest first."""
        box = self._open()
        for key in sorted(box.keys(), key=_age, reverse=True):
            try:
                yield key, box.get_bytes(key)
            except KeyError:  # removed meanwhile
                continue

    def get(self, key: str) -> bytes | None:
        """The source of one message."""
        try:
            return self._open().get_bytes(key)
        except KeyError:
            return None

    def clear(self) -> None:
        self._open().clear()


def _age(key: str) -> tuple[int, ...]:
    """Seconds, microseconds and a counter: how a Maildir names what it stores."""
    found = re.match(r"(\d+)\.M(\d+)P\d+Q(\d+)", key)
    return tuple(map(int, found.groups())) if found else ()


def make_mailbox(options: Settings) -> MailboxTransport:
    return MailboxTransport(options.data_dir / "mailbox")


def make_transport(options: Settings) -> Transport:
    if url := options.smtp_url.get_secret_value():
        return SMTPTransport(url)
    return make_mailbox(options)
