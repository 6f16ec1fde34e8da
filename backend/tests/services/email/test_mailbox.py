"""The built-in mailbox: for this machine, in development, and safe to read hostile mail in."""

from email.message import EmailMessage
from pathlib import Path

import pytest
from httpx2 import ASGITransport, AsyncClient
from pydantic import SecretStr
from tests.support.accounts import Accounts
from tests.support.mail import Mailbox

from backend.app import app
from backend.services.email.transports import MailboxTransport
from backend.settings import settings

ORIGIN = "http://127.0.0.1:8000"


@pytest.fixture(autouse=True)
def own_mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app's mailbox is the one that the test delivers into."""
    monkeypatch.setattr(settings, "data_dir", tmp_path)


async def store(
    mailbox: Mailbox, *, subject: str = "Hello", text: str = "A text.\n", html: str = "<p>HTML</p>"
) -> str:
    message = EmailMessage()
    message["From"] = "Backend <backend@localhost>"
    message["To"] = "Jane Doe <jane@example.com>"
    message["Subject"] = subject
    message["Date"] = "Mon, 23 Nov 2026 10:00:00 +0000"
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    await mailbox.transport.send(message, "backend@localhost", "jane@example.com")
    return next(iter(mailbox.transport.messages()))[0]


async def test_a_sign_up_is_read_and_confirmed_in_the_mailbox(
    accounts: Accounts, mailbox: Mailbox, async_client: AsyncClient
) -> None:
    await accounts.register("jane@example.com")
    await mailbox.all()
    shown = await async_client.get("/dev/mail")
    assert shown.status_code == 200
    assert "jane@example.com" in shown.text
    assert "Confirm your address" in shown.text
    (mail,) = (await async_client.get("/dev/mail.json")).json()
    assert mail["to"] == "jane@example.com"
    assert mail["subject"].startswith("Confirm your address")
    assert f"/dev/mail/{mail['key']}" in shown.text
    (link,) = mail["links"]
    assert (await async_client.get(link)).status_code == 200
    framed = await async_client.get(f"/dev/mail/{mail['key']}/html")
    assert f'href="{link}"' in framed.text
    text = await async_client.get(f"/dev/mail/{mail['key']}?view=text")
    assert f'<a href="{link}"' in text.text
    source = await async_client.get(f"/dev/mail/{mail['key']}?view=source")
    assert "Message-ID: " in source.text


async def test_the_newest_mail_comes_first(mailbox: Mailbox, async_client: AsyncClient) -> None:
    for number in range(12):
        await store(mailbox, subject=f"Mail {number}")
    mails = (await async_client.get("/dev/mail.json")).json()
    assert [mail["subject"] for mail in mails] == [f"Mail {number}" for number in range(11, -1, -1)]


async def test_the_list_looks_again_by_itself_and_a_mail_does_not(
    mailbox: Mailbox, async_client: AsyncClient
) -> None:
    key = await store(mailbox)
    assert int((await async_client.get("/dev/mail")).headers["Refresh"]) <= 10
    assert "Refresh" not in (await async_client.get(f"/dev/mail/{key}")).headers


async def test_an_empty_mailbox_says_what_will_be_there(async_client: AsyncClient) -> None:
    shown = await async_client.get("/dev/mail")
    assert shown.status_code == 200
    assert "No mail yet" in shown.text
    assert (await async_client.get("/dev/mail.json")).json() == []


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.mark.parametrize("view", ["html", "text", "source"])
async def test_hostile_mail_is_escaped_outside_its_frame(
    mailbox: Mailbox, async_client: AsyncClient, view: str
) -> None:
    key = await store(
        mailbox, subject=HOSTILE, text=f'{HOSTILE} http://x/"onclick="y', html=HOSTILE
    )
    for page in (
        await async_client.get(f"/dev/mail/{key}?view={view}"),
        await async_client.get("/dev/mail"),
    ):
        assert page.status_code == 200
        assert "<script" not in page.text
        assert "<img" not in page.text
        assert '"onclick' not in page.text
        assert "&lt;script&gt;" in page.text
        policy = page.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'nonce-")
        assert "frame-ancestors 'none'" in policy


async def test_html_runs_nothing_loads_nothing_and_opens_links_in_a_new_tab(
    mailbox: Mailbox, async_client: AsyncClient
) -> None:
    key = await store(mailbox, html=f"<!doctype html><html><body>{HOSTILE}</body></html>")
    page = await async_client.get(f"/dev/mail/{key}")
    assert f'<iframe src="/dev/mail/{key}/html"' in page.text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.text
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    frame = await async_client.get(f"/dev/mail/{key}/html")
    assert frame.text.startswith('<!doctype html><base target="_blank"><html>')
    policy = dict(
        directive.strip().partition(" ")[::2]
        for directive in frame.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "data:"
    assert policy["frame-ancestors"] == "'self'"
    assert policy["sandbox"] == "allow-popups allow-popups-to-escape-sandbox"
    assert "script-src" not in policy
    assert frame.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert frame.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    "key", ["nothing", "..", "%2e%2e", "..%2f..%2fsecret_key", "%00", "%ff", "x" * 3000]
)
async def test_an_unknown_mail_is_a_404(async_client: AsyncClient, key: str) -> None:
    for suffix in ("", "/html"):
        answer = await async_client.get(f"/dev/mail/{key}{suffix}")
        assert answer.status_code == 404
        assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"\0\xff\xfe",
        b'To: "\r\nBcc: x" <jane@example.com>\r\n\r\nx',
        b"To: =?utf-8?q?=0D=0AX?= <\r\nSubject: <script>\r\nDate: never\r\n\r\n<script>",
        b"Content-Type: text/plain; charset=nonsense\r\n\r\n\xff",
        b"Content-Type: multipart/mixed\r\n\r\n--\r\n",
    ],
)
async def test_a_broken_mail_does_not_hide_the_others(
    mailbox: Mailbox, async_client: AsyncClient, source: bytes
) -> None:
    await store(mailbox, subject="A good one")
    mailbox.transport._store(source)
    page = await async_client.get("/dev/mail")
    assert "A good one" in page.text
    assert "<script" not in page.text
    mails = (await async_client.get("/dev/mail.json")).json()
    assert len(mails) == 2
    for suffix in ("", "?view=text", "?view=source", "/html"):
        answer = await async_client.get(f"/dev/mail/{mails[0]['key']}{suffix}")
        assert answer.status_code == 200


PATHS = ("/dev/mail", "/dev/mail.json", "/dev/mail/KEY", "/dev/mail/KEY/html")


async def assert_hidden(client: AsyncClient, mailbox: Mailbox, **headers: str) -> None:
    """Answers as for a path that does not exist, and nothing is emptied."""
    key = await store(mailbox)
    unknown = (await client.get("/no/such/path", headers=headers)).json()
    answers = [await client.get(path.replace("KEY", key), headers=headers) for path in PATHS]
    answers.append(await client.post("/dev/mail/clear", headers=headers))
    for answer in answers:
        assert answer.status_code == 404
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert {**answer.json(), "request_id": ""} == {**unknown, "request_id": ""}
    assert list(mailbox.transport.messages())


async def test_production_has_no_mailbox(
    mailbox: Mailbox, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "environment", "production")
    await assert_hidden(async_client, mailbox)


@pytest.mark.parametrize("address", ["203.0.113.5", "10.0.0.1", "::ffff:10.0.0.1", "fe80::1", ""])
async def test_other_machines_see_no_mailbox(mailbox: Mailbox, address: str) -> None:
    transport = ASGITransport(app, client=(address, 40_000))
    async with AsyncClient(transport=transport, base_url=ORIGIN) as client:
        await assert_hidden(client, mailbox)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
async def test_this_machine_sees_it_by_every_loopback_address(
    mailbox: Mailbox, address: str
) -> None:
    transport = ASGITransport(app, client=(address, 40_000))
    async with AsyncClient(transport=transport, base_url=ORIGIN) as client:
        assert (await client.get("/dev/mail")).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "[::1", "", "10.0.0.1"],
)
async def test_a_site_that_points_its_name_here_sees_no_mailbox(
    mailbox: Mailbox, async_client: AsyncClient, host: str
) -> None:
    await assert_hidden(async_client, mailbox, Host=host)


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "LOCALHOST"])
async def test_the_names_of_this_machine_work(async_client: AsyncClient, host: str) -> None:
    assert (await async_client.get("/dev/mail", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
async def test_what_a_proxy_passes_on_sees_no_mailbox(
    mailbox: Mailbox, async_client: AsyncClient, header: str
) -> None:
    await assert_hidden(async_client, mailbox, **{header: "203.0.113.5"})


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:9000"},
    ],
)
async def test_another_site_cannot_empty_the_mailbox(
    mailbox: Mailbox, async_client: AsyncClient, headers: dict[str, str]
) -> None:
    await store(mailbox)
    answer = await async_client.post("/dev/mail/clear", headers=headers)
    assert answer.status_code == 403
    assert list(mailbox.transport.messages())


@pytest.mark.parametrize("headers", [{"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}, {}])
async def test_its_own_page_and_scripts_can_empty_it(
    mailbox: Mailbox, async_client: AsyncClient, headers: dict[str, str]
) -> None:
    await store(mailbox)
    page = await async_client.get("/dev/mail")
    assert '<form method="post" action="/dev/mail/clear">' in page.text
    # Under `no-referrer` the browser would send `Origin: null` with the form.
    assert page.headers["Referrer-Policy"] == "same-origin"
    answer = await async_client.post("/dev/mail/clear", headers=headers)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dev/mail")
    assert not list(mailbox.transport.messages())


async def test_it_says_where_mail_goes_instead_and_not_with_which_password(
    async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = SecretStr("smtps://jane:hunter22@mail.example.com:465")
    monkeypatch.setattr(settings, "smtp_url", url)
    page = await async_client.get("/dev/mail")
    assert "mail.example.com:465" in page.text
    assert "hunter22" not in page.text


async def test_a_mail_that_vanishes_meanwhile_is_left_out(tmp_path: Path) -> None:
    transport = MailboxTransport(tmp_path / "box")
    for number in range(2):
        message = EmailMessage()
        message["Subject"] = str(number)
        await transport.send(message, "a@example.com", "b@example.com")
    messages = iter(transport.messages())
    next(messages)
    transport.clear()
    assert list(messages) == []


async def test_international_addresses_do_not_hide_the_mailbox(
    accounts: Accounts, mailbox: Mailbox, async_client: AsyncClient
) -> None:
    await accounts.register("j\u00fcrgen@example.com", name="J\u00fcrgen \u7528\u6237")
    await mailbox.all()
    shown = await async_client.get("/dev/mail")
    assert shown.status_code == 200
    assert "j\u00fcrgen@example.com" in shown.text
    (mail,) = (await async_client.get("/dev/mail.json")).json()
    assert mail["to"] == "j\u00fcrgen@example.com"
    assert (await async_client.get(f"/dev/mail/{mail['key']}")).status_code == 200
