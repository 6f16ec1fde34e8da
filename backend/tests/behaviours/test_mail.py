"""X1, X2, X3 and X5: mail is written with what caused it, and reaches the mail server."""

import asyncio
from datetime import timedelta
from email.message import EmailMessage
from email.utils import getaddresses
from pathlib import Path

import pytest
from httpx2 import AsyncClient
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from backend.core.clock import utc_now
from backend.db import async_session_maker
from backend.services.auth.mails import VerifyEmail
from backend.services.email import delivery
from backend.services.email.delivery import DeliveryWorker, deliver_next
from backend.services.email.messages import build_message, seal_content
from backend.services.email.models import Email, EmailStatus
from backend.services.email.rendering import render
from backend.services.email.service import EmailService
from backend.services.email.transports import SMTPTransport
from backend.services.users.models import User
from tests.support.accounts import PASSWORD, Accounts
from tests.support.mail import html_of, text_of, token_in
from tests.support.server import run_server
from tests.support.smtp import MailServer

MAIL = VerifyEmail(name="Jane", link="https://example.com/verify?token=abc", hours=24)


async def enqueue(to: str = "jane@example.com", name: str | None = "Jane") -> Email:
    async with async_session_maker() as session:
        email = await EmailService.enqueue(session, MAIL, to, name=name)
        await session.commit()
        return email


async def stored(email: Email) -> Email:
    async with async_session_maker() as session:
        return (await session.scalars(select(Email).where(Email.id == email.id))).one()


async def make_due() -> None:
    """As if the wait before the next attempt were over."""
    async with async_session_maker() as session:
        await session.execute(update(Email).values(due_at=utc_now() - timedelta(seconds=1)))
        await session.commit()


async def test_x1_rolled_back_there_is_no_mail(async_session: AsyncSession) -> None:
    await EmailService.enqueue(async_session, MAIL, "jane@example.com")
    await async_session.rollback()
    assert await async_session.scalar(select(func.count()).select_from(Email)) == 0


async def test_x1_a_mail_outlives_kill_9_of_the_server(
    database_url: str, tmp_path: Path, mail_server: MailServer
) -> None:
    """The mail server hangs while the server is killed; the next server delivers every mail."""
    settings = {"DATABASE_URL": database_url, "SMTP_URL": mail_server.url}
    addresses = {f"user{number}@example.com" for number in range(10)}
    mail_server.hang = True
    with run_server(tmp_path, **settings) as server:
        async with AsyncClient(base_url=server.url, timeout=30) as client:
            answers = await asyncio.gather(
                *(
                    client.post("/api/auth/register", json={"email": address, "password": PASSWORD})
                    for address in addresses
                )
            )
        assert {answer.status_code for answer in answers} == {201}
        server.kill()
    assert mail_server.arrived.empty()
    mail_server.hang = False
    with run_server(tmp_path, **settings) as server:
        async with AsyncClient(base_url=server.url, timeout=30) as client:
            # The one that was being sent is leased for two minutes yet; the others come at once.
            arrived = [await mail_server.next() for _ in range(9)]
            reached = {message["X-Envelope-To"] for message in arrived}
            assert reached < addresses
            for message in arrived:
                body = {"token": token_in(message)}
                assert (await client.post("/api/auth/verify", json=body)).status_code == 200


async def test_x1_the_lease_of_a_dead_worker_ends(database: None, mail_server: MailServer) -> None:
    email = await enqueue()
    transport = SMTPTransport(mail_server.url)
    mail_server.hang = True
    task = asyncio.create_task(deliver_next(async_session_maker, transport))
    await asyncio.wait_for(mail_server.attempted.wait(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    mail_server.hang = False
    assert not await deliver_next(async_session_maker, transport), "leased: nobody else takes it"
    lease = (await stored(email)).due_at - utc_now()
    assert timedelta(0) < lease <= delivery.LEASE
    await make_due()
    assert await deliver_next(async_session_maker, transport)
    assert (await mail_server.next())["Message-ID"] == email.message_id


async def test_x2_and_x3_a_temporary_refusal_is_tried_again_as_the_same_message(
    database: None, mail_server: MailServer
) -> None:
    email = await enqueue()
    transport = SMTPTransport(mail_server.url)
    mail_server.answers = ["451 later", "421 closing"]
    waits = []
    for _ in range(2):
        assert await deliver_next(async_session_maker, transport)
        row = await stored(email)
        assert row.status == EmailStatus.QUEUED
        assert row.reason
        waits.append((row.due_at - utc_now()).total_seconds())
        assert not await deliver_next(async_session_maker, transport), "not before it is due"
        await make_due()
    assert 2 < waits[0] < 8 < waits[1] < 30
    assert await deliver_next(async_session_maker, transport)
    message = await mail_server.next()
    assert message["Message-ID"] == email.message_id
    row = await stored(email)
    assert row.status == EmailStatus.SENT
    assert row.attempts == 3
    assert row.content is None, "what was sent is not kept"


async def test_x3_a_permanent_refusal_is_given_up_with_its_reason(
    database: None, mail_server: MailServer
) -> None:
    email = await enqueue()
    mail_server.answers = ["550 no such person"]
    assert await deliver_next(async_session_maker, SMTPTransport(mail_server.url))
    row = await stored(email)
    assert row.status == EmailStatus.FAILED
    assert row.reason == "550 no such person"
    assert not await deliver_next(async_session_maker, SMTPTransport(mail_server.url))


async def test_x3_tries_end_some_time(database: None, mail_server: MailServer) -> None:
    email = await enqueue()
    transport = SMTPTransport(mail_server.url)
    mail_server.answers = ["451 later"] * (delivery.MAX_ATTEMPTS + 1)
    for _ in range(delivery.MAX_ATTEMPTS):
        await make_due()
        assert await deliver_next(async_session_maker, transport)
    row = await stored(email)
    assert row.status == EmailStatus.FAILED
    assert "451 later" in (row.reason or "")


async def test_x3_a_mail_server_that_is_away_is_tried_again(
    database: None, mail_server: MailServer
) -> None:
    email = await enqueue()
    assert await deliver_next(async_session_maker, SMTPTransport("smtp://127.0.0.1:1"))
    row = await stored(email)
    assert row.status == EmailStatus.QUEUED
    assert row.reason


async def test_workers_do_not_send_a_mail_twice(database: None, mail_server: MailServer) -> None:
    emails = [await enqueue(f"user{number}@example.com") for number in range(20)]
    stop = asyncio.Event()
    transport = SMTPTransport(mail_server.url)
    workers = [
        asyncio.create_task(DeliveryWorker(async_session_maker, transport).run(stop))
        for _ in range(4)
    ]
    arrived = [(await mail_server.next())["Message-ID"] for _ in emails]
    stop.set()
    await asyncio.wait_for(asyncio.gather(*workers), 10)
    assert sorted(arrived) == sorted(email.message_id for email in emails)
    assert mail_server.attempts == 20
    assert {(await stored(email)).status for email in emails} == {EmailStatus.SENT}


async def test_a_worker_is_woken_by_the_commit_and_stops_between_mails(
    database: None, mail_server: MailServer
) -> None:
    stop = asyncio.Event()
    worker = DeliveryWorker(async_session_maker, SMTPTransport(mail_server.url))
    task = asyncio.create_task(worker.run(stop))
    loop = asyncio.get_running_loop()
    await enqueue("warm-up@example.com")
    await mail_server.next()
    started = loop.time()
    await enqueue()
    await mail_server.next()
    assert loop.time() - started < delivery.POLL_SECONDS / 2, "woken, not found by polling"
    stop.set()
    await asyncio.wait_for(task, 5)


async def test_x5_text_and_html_and_hostile_names(
    accounts: Accounts, async_session: AsyncSession
) -> None:
    name = '<b>Jane</b> & "Doe", <script>'
    await accounts.register("jane@example.com", name=name)
    message = await accounts.mailbox.last("jane@example.com")
    assert message.get_content_type() == "multipart/alternative"
    assert name in text_of(message)
    html = html_of(message)
    assert "&lt;b&gt;Jane&lt;/b&gt; &amp;" in html
    assert "<b>Jane" not in html
    assert "<script" not in html
    assert [address.addr_spec for address in message["To"].addresses] == ["jane@example.com"]
    assert [message.get_all(header) for header in ("Bcc", "Cc")] == [None, None]


@pytest.mark.parametrize("separator", ["\r\n", "\n", "\r", "\x0b", "\u2028", "\x00", "\x85"])
async def test_x5_no_control_character_reaches_a_header(
    accounts: Accounts, mail_server: MailServer, separator: str
) -> None:
    name = f"Jane{separator}Bcc: victim@example.com"
    assert (await accounts.register("jane@example.com", name=name)).status_code == 422
    # And where a service passes such a name all the same:
    email = await enqueue(name=name)
    assert await deliver_next(async_session_maker, SMTPTransport(mail_server.url))
    message = await mail_server.next()
    assert message["Bcc"] is None
    assert message["X-Envelope-To"] == "jane@example.com"
    assert message["To"].addresses[0].display_name == "Jane Bcc victim example com"
    assert (await stored(email)).status == EmailStatus.SENT


@pytest.mark.parametrize("address", ["victim@example.com", "jürgen@example.com"])
@pytest.mark.parametrize(
    "name", ['"Smith, <ceo@bank.com>, " + ' + "x" * 60, '"' * 60, "a, b@c.de, " * 8, "\\" * 50]
)
async def test_x5_no_name_becomes_an_address(
    accounts: Accounts, mail_server: MailServer, name: str, address: str
) -> None:
    """Folded, a long name in quotes loses them: it must need none."""
    assert (await accounts.register(address, name=name)).status_code == 201
    assert await deliver_next(async_session_maker, SMTPTransport(mail_server.url))
    message = await mail_server.next()
    addresses = getaddresses([str(message["To"]).replace("\r\n", "")])
    assert [found for _name, found in addresses] == [address]


@pytest.mark.parametrize("word", ["=?utf-8?q?=0D=0ABcc:_x@y.z?=", "=?utf-8?b?DQpCY2M6IHhAeS56?="])
async def test_x5_no_encoded_word_reaches_a_header(
    accounts: Accounts, mail_server: MailServer, word: str
) -> None:
    """The standard library would decode it (RFC 2047), line breaks and all."""
    assert (await accounts.register(f"{word}@example.com")).status_code == 422
    answer = await accounts.register("jane@example.com", name=word)
    assert answer.json()["name"] == word, "stored as it was given"
    assert await deliver_next(async_session_maker, SMTPTransport(mail_server.url))
    message = await mail_server.next()
    assert message["Bcc"] is None
    assert message["Message-ID"], "no header was cut off"
    async with async_session_maker() as session:
        email = (await session.scalars(select(Email))).one()
        email.subject = word
        email.content = seal_content(render(MAIL))
        with pytest.raises(ValueError, match="line break"):
            build_message(email)
        await session.rollback()


@pytest.mark.parametrize(
    ("address", "envelope"),
    [
        ("jürgen@example.com", "jürgen@example.com"),
        ("user@bücher.example.com", "user@xn--bcher-kva.example.com"),
        ("用户@例え.jp", "用户@xn--r8jz45g.jp"),
        ('"two words"@example.com', None),
    ],
)
async def test_x5_international_addresses(
    accounts: Accounts, mail_server: MailServer, address: str, envelope: str | None
) -> None:
    answer = await accounts.register(address, name="Jürgen 用户")
    if envelope is None:
        assert answer.status_code == 422
        return
    assert answer.status_code == 201, answer.text
    assert await deliver_next(async_session_maker, SMTPTransport(mail_server.url))
    message: EmailMessage = await mail_server.next()
    assert message["X-Envelope-To"] == envelope
    body = {"token": token_in(message)}
    assert (await accounts.client.post("/api/auth/verify", json=body)).status_code == 200
    async with async_session_maker() as session:
        user = (await session.scalars(select(User))).one()
        assert user.is_verified


async def test_a_mail_sealed_with_another_secret_is_given_up_visibly(
    database: None, mail_server: MailServer
) -> None:
    email = await enqueue()
    async with async_session_maker() as session:
        await session.execute(update(Email).values(content=b"sealed elsewhere"))
        await session.commit()
    assert await deliver_next(async_session_maker, SMTPTransport(mail_server.url))
    row = await stored(email)
    assert row.status == EmailStatus.FAILED
    assert "SECRET_KEY" in (row.reason or "")
