"""What is recorded of a piece of work: statements, log events and mails."""

import logging

import pytest
import structlog
from sqlalchemy import select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

import backend.app  # noqa: F401 - configures the logs
from backend.core.observe import recorded_events, recorded_statements
from backend.services.auth.mails import VerifyEmail
from backend.services.email.recording import recorded_mails
from backend.services.email.service import EmailService
from backend.services.users.models import User


async def test_statements_come_with_their_rows_and_without_their_values(
    async_session: AsyncSession,
) -> None:
    with recorded_statements() as statements:
        async_session.add_all(
            User(email=f"{name}@example.com", hashed_password="!") for name in ("ada", "bob")
        )
        await async_session.commit()
        await async_session.scalars(select(User))
        await async_session.execute(update(User).values(name="secret name"))
        with pytest.raises(SQLAlchemyError):
            await async_session.execute(text("SELECT nothing FROM nowhere"))
    await async_session.rollback()
    kinds = [(item.text.split()[0], item.rows) for item in statements]
    assert kinds[-3:] == [("SELECT", 2), ("UPDATE", 2), ("SELECT", None)]
    assert {kind for kind, _rows in kinds[:-3]} == {"INSERT"}
    assert not any("secret name" in item.text for item in statements)
    assert all(item.ms >= 0 for item in statements)
    count = len(statements)
    await async_session.scalars(select(User))
    assert len(statements) == count


def test_events_are_recorded_as_they_would_be_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    level, handlers = logging.getLogger().level, list(logging.getLogger().handlers)
    with recorded_events() as events:
        structlog.get_logger("ours").info("signed_in", token="abc", path="/x?token=abc")
        logging.getLogger("theirs").warning("they said %s", "so", extra={"password": "abc"})
        structlog.get_logger().debug("not of interest")
        try:
            raise ZeroDivisionError("Bearer abcdef")
        except ZeroDivisionError:
            structlog.get_logger("ours").exception("failed")
    assert [event["event"] for event in events] == ["signed_in", "they said so", "failed"]
    assert events[0]["token"] == "***"
    assert events[0]["path"] == "/x?token=***"
    assert events[1]["logger"] == "theirs"
    assert events[1]["level"] == "warning"
    assert events[2]["exception"].endswith("ZeroDivisionError: Bearer ***")
    assert "abc" not in str(events)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")
    assert (logging.getLogger().level, logging.getLogger().handlers) == (level, handlers)


async def test_mails_count_once_they_are_committed(async_session: AsyncSession) -> None:
    mail = VerifyEmail(name="Ada", link="https://example.com/verify", hours=1)
    with recorded_mails() as mails:
        await EmailService.enqueue(async_session, mail, "rolled@example.com")
        await async_session.rollback()
        await EmailService.enqueue(async_session, mail, "skipped@example.com", skip_reason="none")
        await EmailService.enqueue(async_session, mail, "ada@example.com")
        assert mails == []
        await async_session.commit()
    (recorded,) = mails
    assert (recorded.to, recorded.template) == ("ada@example.com", "auth/verify_email")
    assert "https://example.com/verify" in recorded.text
    assert "https://example.com/verify" in recorded.html
