import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.core.clock import utc_now
from backend.core.ids import new_id
from backend.db import Base

__all__ = ["Email", "EmailStatus"]


class EmailStatus(StrEnum):
    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    """Given up; `reason` says why."""
    SKIPPED = "skipped"
    """Never to be sent; `reason` says why."""


class Email(Base):
    """The outbox: one row a mail, written in the transaction that caused it (behaviour X1).

    `content` is sealed, since it holds links that sign people in, and is emptied once the mail is
    sent. `due_at` is also the lease of the worker that is sending: whoever claims a row moves it
    into the future, and when that worker dies the row becomes due again by itself.
    """

    __tablename__ = "emails"
    __table_args__ = (
        CheckConstraint("status IN ('queued', 'sent', 'failed', 'skipped')", name="status"),
        Index(
            "ix_emails_due",
            "due_at",
            postgresql_where=text("status = 'queued'"),
            sqlite_where=text("status = 'queued'"),
        ),
        Index(None, "to_address", "created_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    template: Mapped[str] = mapped_column(String(100))
    to_address: Mapped[str] = mapped_column(String(254))
    to_name: Mapped[str | None] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(255))
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    message_id: Mapped[str] = mapped_column(String(255), unique=True)
    status: Mapped[str] = mapped_column(String(16), default=EmailStatus.QUEUED)
    reason: Mapped[str | None] = mapped_column(String(500))
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(default=utc_now)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    sent_at: Mapped[datetime | None]
