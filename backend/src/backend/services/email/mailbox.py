"""The built-in mailbox at `/dev/mail`: what the app sent in development, to read and to click.

It holds links that sign people in, so it answers this machine only, and in development only. What
is in a mail is not trusted: its HTML is shown in a frame that runs nothing.
"""

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, HTTPException, Request, Response, status
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel

from backend.core.access import public
from backend.core.pages import Pages
from backend.services.email.transports import (
    MailboxTransport,
    SMTPTransport,
    is_loopback,
    make_mailbox,
    make_transport,
)
from backend.settings import settings

__all__ = ["router"]

LISTED = 100
REFRESH_SECONDS = 5

_LINK = re.compile(r"https?://[^\s<>\"]+")
_DOCTYPE = re.compile(r"\s*<!doctype[^>]*>", re.IGNORECASE)
_FRAME_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox",
    "X-Frame-Options": "SAMEORIGIN",
    # A sandboxed document that insists on an opener policy is not shown at all.
    "Cross-Origin-Opener-Policy": "unsafe-none",
}
_EPOCH = datetime.fromtimestamp(0, UTC)
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")

pages = Pages(Path(__file__).parent / "templates" / "pages")


def _from_this_machine(request: Request) -> None:
    """A 404 for everybody else. The Host header counts too, since a foreign site may name itself
    127.0.0.1 in DNS; and a proxy on this machine speaks for somebody elsewhere."""
    client = request.client.host if request.client else ""
    if not (
        settings.is_development
        and is_loopback(client)
        and is_loopback(_hostname(request.headers.get("Host", "")))
        and not any(name in request.headers for name in _FORWARDED)
    ):
        raise HTTPException(status.HTTP_404_NOT_FOUND)


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _from_own_page(request: Request) -> None:
    """Another site's form must not empty the mailbox. What is no browser sends neither header."""
    origin = request.headers.get("Origin")
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"} or (
        origin is not None and origin != f"{request.url.scheme}://{request.headers['Host']}"
    ):
        raise HTTPException(status.HTTP_403_FORBIDDEN)


router = APIRouter(
    prefix="/dev", include_in_schema=False, dependencies=[Depends(_from_this_machine)]
)


@dataclass(frozen=True)
class StoredMail:
    key: str
    source: str
    sender: str
    to: str
    to_name: str
    subject: str
    date: datetime
    text: str
    html: str


class MailSummary(BaseModel):
    key: str
    to: str
    subject: str
    date: datetime
    links: list[str]


def _open_mailbox() -> MailboxTransport:
    return make_mailbox(settings)


MailboxDep = Annotated[MailboxTransport, Depends(_open_mailbox)]


def _newest(mailbox: MailboxTransport) -> list[StoredMail]:
    return [_read(key, source) for key, source in islice(mailbox.messages(), LISTED)]


def _read(key: str, source: bytes) -> StoredMail:
    """The standard library's parser raises anything on hostile headers; such a mail has a source
    all the same."""
    text = source.decode("utf-8", "replace")
    try:
        return _parse(key, source, text)
    except Exception as error:  # noqa: BLE001
        return StoredMail(
            key=key,
            source=text,
            sender="",
            to="",
            to_name="",
            subject=f"A mail that cannot be read ({type(error).__name__})",
            date=_EPOCH,
            text="",
            html="",
        )


def _parse(key: str, source: bytes, text: str) -> StoredMail:
    message = message_from_bytes(source, policy=default)
    to = message["To"].addresses[0] if message["To"] and message["To"].addresses else None
    date = message["Date"].datetime if message["Date"] else None
    return StoredMail(
        key=key,
        source=text,
        sender=_readable(message["From"]),
        to=_readable(to.addr_spec) if to else "",
        to_name=_readable(to.display_name) if to else "",
        subject=_readable(message["Subject"]),
        date=date or _EPOCH,
        text=_part(message, "plain"),
        html=_part(message, "html"),
    )


def _readable(value: object) -> str:
    """Headers in UTF-8 as they are (RFC 6532) are read as surrogates, which no page can show."""
    return str(value or "").encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _part(message: EmailMessage, kind: Literal["plain", "html"]) -> str:
    part = message.get_body((kind,))
    return _readable(part.get_content()) if part else ""


# check: allow BK402: a key that no file has is a 404, however long it is
async def _mail(key: str, mailbox: MailboxDep) -> StoredMail:
    source = await asyncio.to_thread(mailbox.get, key)
    if source is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such mail.")
    return await asyncio.to_thread(_read, key, source)


MailDep = Annotated[StoredMail, Depends(_mail)]

# With `no-referrer` browsers name no origin when they post the form of a page.
_PAGE_HEADERS = {"Referrer-Policy": "same-origin"}


@router.get("/mail")
@public
async def list_mails(mailbox: MailboxDep) -> Response:
    transport = make_transport(settings)
    elsewhere = (
        f"{transport.host}:{transport.port}" if isinstance(transport, SMTPTransport) else None
    )
    return pages.response(
        "mailbox.html",
        headers={**_PAGE_HEADERS, "Refresh": str(REFRESH_SECONDS)},
        mails=await asyncio.to_thread(_newest, mailbox),
        listed=LISTED,
        elsewhere=elsewhere,
    )


# check: allow BK303: only the newest LISTED mails are read
@router.get("/mail.json")
@public
async def list_mails_as_json(mailbox: MailboxDep) -> list[MailSummary]:
    """The newest mails, for scripts. `links` are those of the text part."""
    return [
        MailSummary(
            key=mail.key,
            to=mail.to,
            subject=mail.subject,
            date=mail.date,
            links=[link.rstrip(".,;:!?)]}'") for link in _LINK.findall(mail.text)],
        )
        for mail in await asyncio.to_thread(_newest, mailbox)
    ]


# check: allow BK205: answers this machine only, and in development only
@router.post("/mail/clear", dependencies=[Depends(_from_own_page)])
@public
async def clear_mailbox(mailbox: MailboxDep) -> Response:
    await asyncio.to_thread(mailbox.clear)
    return RedirectResponse("/dev/mail", status.HTTP_303_SEE_OTHER)


@router.get("/mail/{key}")
@public
async def show_mail(mail: MailDep, view: Literal["html", "text", "source"] = "html") -> Response:
    return pages.response(
        "mail.html", headers=_PAGE_HEADERS, policy={"frame-src": "'self'"}, mail=mail, view=view
    )


@router.get("/mail/{key}/html")
@public
async def show_html_part(mail: MailDep) -> Response:
    """The HTML as it was sent, save that its links open in a tab of their own."""
    doctype = _DOCTYPE.match(mail.html)
    start = doctype.end() if doctype else 0
    content = f'{mail.html[:start]}<base target="_blank">{mail.html[start:]}'
    return HTMLResponse(content, headers=_FRAME_HEADERS)
