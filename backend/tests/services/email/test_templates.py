"""What is said to people by mail: whole links, text and HTML, and nobody's markup but ours."""

import re
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from tests.support.accounts import Accounts
from tests.support.mail import Mailbox, html_of, link_in, text_of

from backend.services.auth.mails import (
    AccountExists,
    ConfirmNewEmail,
    ResetPassword,
    VerifyEmail,
)
from backend.services.email.rendering import Mail, render
from backend.services.email.service import EmailService
from backend.settings import settings

LINK = "https://app.example.com/reset-password?token=" + "aB3_-" * 20


def mails(name: str | None = "Jane Doe") -> list[Mail]:
    return [
        VerifyEmail(name=name, link=LINK, hours=24),
        ConfirmNewEmail(name=name, link=LINK, hours=24),
        ResetPassword(name=name, link=LINK, minutes=60),
        AccountExists(name=name, link=LINK, minutes=60),
    ]


def test_every_mail_about_accounts_is_looked_at_here() -> None:
    declared = {kind for kind in Mail.__subclasses__() if kind.template.startswith("auth/")}
    assert declared == {type(mail) for mail in mails()}


class Elements(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def attribute(self, name: str) -> list[str | None]:
        return [attributes[name] for _tag, attributes in self.found if name in attributes]


@pytest.mark.parametrize("mail", mails(), ids=lambda mail: type(mail).__name__)
class TestEveryMail:
    def test_its_text_has_the_link_whole_on_a_line_of_its_own(self, mail: Mail) -> None:
        rendered = render(mail)
        assert rendered.text.splitlines().count(LINK) == 1
        assert max(map(len, rendered.text.splitlines())) < 990

    def test_its_text_is_plain_enough_to_be_sent_as_it_is(self, mail: Mail) -> None:
        assert render(mail).text.isascii()

    def test_its_text_reads_well(self, mail: Mail) -> None:
        text = render(mail).text
        assert text.startswith("Hello Jane Doe,\n\n")
        assert "\n\n\n" not in text
        assert not re.search(r"[ \t]$", text, re.MULTILINE)
        assert "You get this mail because" in text

    def test_its_html_says_the_same_and_why_it_came(self, mail: Mail) -> None:
        html = render(mail).html
        assert "Hello Jane Doe," in html
        assert "You get this mail because" in html
        assert settings.product_name in html

    def test_its_html_has_a_button_and_the_plain_link(self, mail: Mail) -> None:
        html = render(mail).html
        assert Elements(html).attribute("href").count(LINK) == 2
        assert f">{LINK}</a>" in html

    def test_its_html_loads_nothing(self, mail: Mail) -> None:
        html = render(mail).html
        elements = Elements(html)
        assert not {"img", "link", "script", "iframe"} & {tag for tag, _ in elements.found}
        assert not elements.attribute("src")
        assert not elements.attribute("background")
        assert "url(" not in html
        assert "@import" not in html

    def test_its_style_is_inline_and_follows_the_dark_mode(self, mail: Mail) -> None:
        html = render(mail).html
        assert re.search(r'<a [^>]*style="[^"]*padding: 13px 24px', html)
        assert "max-width: 560px" in html
        assert "@media (prefers-color-scheme: dark)" in html

    def test_its_subject_is_one_short_line(self, mail: Mail) -> None:
        subject = render(mail).subject
        assert subject.isprintable()
        assert len(subject) < 78


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "<b>Jane", "Jane & \"Co\" 'x'"])
def test_a_name_is_text_in_html(name: str) -> None:
    for mail in mails(name):
        html = render(mail).html
        assert not {"script", "b"} & {tag for tag, _ in Elements(html).found}
        assert name not in html


@pytest.mark.parametrize("name", ["Jane\r\nDoe", "Jane\n\n\nDoe", "Jane\u2028Doe", " Jane\tDoe "])
def test_a_name_is_one_line_in_text(name: str) -> None:
    for mail in mails(name):
        assert render(mail).text.startswith("Hello Jane Doe,\n\n")


@pytest.mark.parametrize(
    "name", ["Win at evil.example", "https://evil.example", "evil.example/x", "a@evil.example"]
)
def test_a_name_that_is_a_link_is_not_passed_on_to_whoever_was_signed_up_with_it(name: str) -> None:
    for mail in mails(name):
        rendered = render(mail)
        assert "evil" not in rendered.text + rendered.html
        assert rendered.text.startswith("Hello,\n")


@pytest.mark.parametrize("name", ["J. R. R. Tolkien", "Jane Doe Jr.", "Zoë Ångström", "O'Neill"])
def test_a_name_with_dots_and_accents_is_greeted(name: str) -> None:
    for mail in mails(name):
        assert render(mail).text.startswith(f"Hello {name},\n")


def test_without_a_name_it_greets_all_the_same() -> None:
    for name in (None, "", "  "):
        for mail in mails(name):
            assert render(mail).text.startswith("Hello,\n")
            assert ">Hello,</p>" in render(mail).html


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(5, "5 minutes"), (60, "1 hour."), (90, "90 minutes"), (120, "2 hours"), (1440, "24 hours")],
)
def test_it_says_how_long_the_link_works(minutes: int, words: str) -> None:
    rendered = render(ResetPassword(name=None, link=LINK, minutes=minutes))
    assert words in " ".join(rendered.text.split())
    assert words in rendered.html


async def test_a_hostile_name_goes_through_sign_up_as_text(accounts: Accounts) -> None:
    name = '<img src=x onerror="alert(1)">'
    assert (await accounts.register("jane@example.com", name=name)).status_code == 201
    mail = await accounts.mailbox.last("jane@example.com")
    assert "img" not in {tag for tag, _ in Elements(html_of(mail)).found}
    assert "&lt;img src=x onerror=" in html_of(mail)
    assert text_of(mail).startswith(f"Hello {name},")
    assert [address.addr_spec for address in mail["To"].addresses] == ["jane@example.com"]
    assert link_in(mail)


@pytest.mark.parametrize("name", ["Jane\r\nBcc: evil@example.com", "Jane\n\n<p>body</p>", "J\0"])
async def test_a_name_with_line_breaks_adds_no_header(
    async_session: AsyncSession, mailbox: Mailbox, name: str
) -> None:
    await EmailService.enqueue(
        async_session,
        VerifyEmail(name=name, link=LINK, hours=24),
        "jane@example.com",
        name=name,
    )
    await async_session.commit()
    await mailbox.all()
    ((_key, source),) = mailbox.transport.messages()
    message = message_from_bytes(source, policy=default)
    assert isinstance(message, EmailMessage)
    assert "Bcc" not in message
    assert message["To"].addresses[0].addr_spec == "jane@example.com"
    assert message["To"].addresses[0].display_name.startswith("J")
    assert message.get_body(("plain",)) is not None


@pytest.mark.parametrize("name", ["=?utf-8?q?a=0D=0ABcc:_evil@example.com?=", "=?utf-8?q?=0A=0A?="])
async def test_a_name_with_encoded_line_breaks_adds_no_header(
    accounts: Accounts, mailbox: Mailbox, name: str
) -> None:
    assert (await accounts.register("jane@example.com", name=name)).status_code == 201
    await mailbox.all()
    ((_key, source),) = mailbox.transport.messages()
    head = source.partition(b"\n\n")[0]
    assert b"\nBcc:" not in head
    assert b"\nMessage-ID:" in head


async def test_the_source_of_a_mail_shows_the_link_whole(
    accounts: Accounts, mailbox: Mailbox
) -> None:
    await accounts.register("jane@example.com")
    link = link_in(await mailbox.last("jane@example.com"))
    ((_key, source),) = mailbox.transport.messages()
    assert link.encode() in source
