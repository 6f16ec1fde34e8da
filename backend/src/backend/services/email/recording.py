"""The mails that a piece of work put into the outbox, for `backend call` and `backend check`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from backend.core.guarded import GuardedSession
from backend.services.email.messages import open_content
from backend.services.email.models import Email

__all__ = ["RecordedMail", "recorded_mails"]


@dataclass(frozen=True)
class RecordedMail:
    to: str
    subject: str
    template: str
    text: str
    html: str


@contextmanager
def recorded_mails() -> Iterator[list[RecordedMail]]:
    """Those that sessions of this process commit meanwhile. One that is never to be sent, since
    nobody has the address, is none."""
    mails: list[RecordedMail] = []
    uncommitted: dict[int, list[RecordedMail]] = {}

    def note(session: Session, _context: Any) -> None:
        for row in session.new:
            if isinstance(row, Email) and row.content is not None:
                text, html = open_content(row.content)
                mail = RecordedMail(row.to_address, row.subject, row.template, text, html)
                uncommitted.setdefault(id(session), []).append(mail)

    def keep(session: Session) -> None:
        mails.extend(uncommitted.pop(id(session), []))

    def drop(session: Session) -> None:
        uncommitted.pop(id(session), None)

    listeners = (("after_flush", note), ("after_commit", keep), ("after_rollback", drop))
    for name, listener in listeners:
        event.listen(GuardedSession, name, listener)
    try:
        yield mails
    finally:
        for name, listener in listeners:
            event.remove(GuardedSession, name, listener)
