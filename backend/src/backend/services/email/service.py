from email.utils import parseaddr
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.ids import new_id
from backend.services.email.delivery import wake_workers
from backend.services.email.messages import seal_content
from backend.services.email.models import Email, EmailStatus
from backend.services.email.rendering import Mail, render, single_line
from backend.settings import settings

__all__ = ["EmailService"]


class EmailService:
    @staticmethod
    async def enqueue(
        session: AsyncSession,
        mail: Mail,
        to: str,
        *,
        name: str | None = None,
        skip_reason: str | None = None,
    ) -> Email:
        """Joins the caller's transaction: rolled back, no mail; committed, a mail.

        It is rendered now, so that a mistake in a template is seen by whoever caused it. With a
        `skip_reason` the row is written for support to find, and nothing is ever sent: the same
        work as for a real one, so that its time tells nobody whether an account exists.
        """
        rendered = render(mail)
        content = seal_content(rendered)
        domain = parseaddr(settings.mail_from)[1].rpartition("@")[2]
        email_id = new_id()
        email = Email(
            id=email_id,
            template=mail.template,
            to_address=to,
            to_name=single_line(name)[:100] if name else None,
            subject=rendered.subject,
            content=None if skip_reason else content,
            message_id=f"<{email_id}@{domain}>",
            status=EmailStatus.SKIPPED if skip_reason else EmailStatus.QUEUED,
            reason=skip_reason,
        )
        session.add(email)
        await session.flush()
        if not skip_reason:
            _wake_after_commit(session)
        return email


def _wake_after_commit(session: AsyncSession) -> None:
    def wake(_session: Any) -> None:
        wake_workers()

    event.listen(session.sync_session, "after_commit", wake, once=True)
