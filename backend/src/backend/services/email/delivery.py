"""The worker that sends what lies in the outbox."""

import asyncio
import random
from datetime import timedelta
from email.utils import parseaddr

import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from backend.core.clock import utc_now
from backend.services.email.messages import ascii_domain, build_message
from backend.services.email.models import Email, EmailStatus
from backend.services.email.transports import PermanentError, TemporaryError, Transport
from backend.settings import settings

__all__ = ["DeliveryWorker", "deliver_next", "wake_workers"]

log = structlog.get_logger("backend.email")

LEASE = timedelta(minutes=2)
"""Longer than one attempt can take: two workers do not send the same mail while both live."""
POLL_SECONDS = 2.0
MAX_ATTEMPTS = 12
"""About seven hours, with the waits of `_wait`."""

_awake: set[asyncio.Event] = set()


def wake_workers() -> None:
    """Tells the workers of this process that there is mail; those of others find it by polling."""
    for event in _awake:
        event.set()


class DeliveryWorker:
    """Delivers one mail after the other; any number of them may run on one database."""

    def __init__(
        self, session_maker: async_sessionmaker[AsyncSession], transport: Transport
    ) -> None:
        self.session_maker = session_maker
        self.transport = transport

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set, and then returns between two mails."""
        awake = asyncio.Event()
        _awake.add(awake)
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _task: awake.set())
        try:
            while not stop.is_set():
                awake.clear()
                if not await self._deliver_safely() and not stop.is_set():
                    try:
                        async with asyncio.timeout(POLL_SECONDS):
                            await awake.wait()
                    except TimeoutError:
                        pass
        finally:
            _awake.discard(awake)
            stopping.cancel()

    async def _deliver_safely(self) -> bool:
        """A database that is away stops nobody: the worker says so and tries again."""
        try:
            return await deliver_next(self.session_maker, self.transport)
        except Exception as error:  # noqa: BLE001
            log.warning("email.worker_waits", error=f"{type(error).__name__}: {error}")
            return False


async def deliver_next(
    session_maker: async_sessionmaker[AsyncSession], transport: Transport
) -> bool:
    """Sends the mail that is due the longest; False if none is due.

    Commits twice: the claim before the sending, the outcome after it. Killed between the two, the
    mail is due again when its lease ends, with the same Message-ID.
    """
    async with session_maker() as session:
        email = await _claim(session)
        if email is None:
            return False
        try:
            message = build_message(email)
        except ValueError as error:
            await _record_failure(session, email, str(error))
            return True
        try:
            sender = parseaddr(settings.mail_from)[1]
            await transport.send(message, sender, ascii_domain(email.to_address))
        except PermanentError as error:
            await _record_failure(session, email, str(error))
        except Exception as error:
            if not isinstance(error, TemporaryError):
                log.exception("email.transport_failed", email_id=str(email.id))
            if email.attempts >= MAX_ATTEMPTS:
                await _record_failure(session, email, f"given up after {email.attempts}: {error}")
            else:
                await _record_retry(session, email, str(error))
        else:
            await _record(
                session,
                email,
                status=EmailStatus.SENT,
                sent_at=utc_now(),
                content=None,
                reason=None,
            )
            log.info("email.sent", email_id=str(email.id), template=email.template)
        return True


async def _claim(session: AsyncSession) -> Email | None:
    """One statement takes the row, so that no two workers get the same; commits."""
    now = utc_now()
    due = (
        select(Email.id)
        .where(Email.status == EmailStatus.QUEUED, Email.due_at <= now)
        .order_by(Email.due_at)
        .limit(1)
    )
    if await session.scalar(due) is None:
        return None
    email: Email | None = await session.scalar(
        update(Email)
        .where(Email.id == due.with_for_update(skip_locked=True).scalar_subquery())
        .values(due_at=now + LEASE, attempts=Email.attempts + 1)
        .returning(Email)
        .execution_options(synchronize_session=False)
    )
    await session.commit()
    return email


async def _record_failure(session: AsyncSession, email: Email, reason: str) -> None:
    await _record(session, email, status=EmailStatus.FAILED, reason=reason[:500])
    log.error("email.failed", email_id=str(email.id), template=email.template, reason=reason)


async def _record_retry(session: AsyncSession, email: Email, reason: str) -> None:
    wait = _wait(email.attempts)
    await _record(session, email, due_at=utc_now() + wait, reason=reason[:500])
    log.warning(
        "email.retry", email_id=str(email.id), seconds=round(wait.total_seconds()), reason=reason
    )


async def _record(session: AsyncSession, email: Email, **values: object) -> None:
    """Writes the outcome, unless the lease ran out and another attempt has begun; commits."""
    await session.execute(
        update(Email)
        .where(
            Email.id == email.id,
            Email.attempts == email.attempts,
            Email.status == EmailStatus.QUEUED,
        )
        .values(values)
        .execution_options(synchronize_session=False)
    )
    await session.commit()


def _wait(attempts: int) -> timedelta:
    """5 s, 20 s, 80 s … an hour, give or take a third, so that mails do not march in step."""
    seconds = min(5 * 4 ** (attempts - 1), 3600)
    return timedelta(seconds=seconds * random.uniform(0.67, 1.33))  # noqa: S311
