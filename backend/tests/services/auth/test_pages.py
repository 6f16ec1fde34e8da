"""The pages that mailed links lead to. GET shows, POST acts."""

import asyncio
import re

import pytest
from httpx2 import AsyncClient, Response
from tests.support.accounts import PASSWORD, Accounts
from tests.support.mail import link_in, token_in

from backend.settings import settings

NEW_PASSWORD = "quite another phrase"
ADDRESS = "jane@example.com"
PAGES = (
    "/account/verify-email",
    "/account/reset-password",
    "/account/resend-verification",
    "/account/forgot-password",
)


async def verification_link(accounts: Accounts, email: str = ADDRESS) -> str:
    assert (await accounts.register(email)).status_code == 201
    return link_in(await accounts.mailbox.last(email))


async def reset_link(accounts: Accounts, email: str = ADDRESS) -> str:
    await accounts.client.post("/api/auth/forgot-password", json={"email": email})
    return link_in(await accounts.mailbox.last(email))


async def submit(client: AsyncClient, page: Response, **fields: str) -> Response:
    """Sends the page's form as a browser does, with its hidden fields."""
    form = re.search(r'<form method="post" action="([^"]+)">(.*?)</form>', page.text, re.DOTALL)
    assert form, page.text
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form[2]))
    return await client.post(page.url.join(form[1]), data={**hidden, **fields})


def assert_is_page(response: Response, status: int) -> None:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Frame-Options"] == "DENY"
    policy = response.headers["Content-Security-Policy"]
    nonce = re.search(r"style-src 'nonce-([\w-]{20,})'", policy)
    assert nonce, policy
    assert policy.startswith("default-src 'none';")
    assert "script-src" not in policy
    assert "form-action 'self'; frame-ancestors 'none'; base-uri 'none'" in policy
    assert f'<style nonce="{nonce[1]}">' in response.text
    assert "<script" not in response.text
    assert '<html lang="en">' in response.text


async def test_following_the_verification_link_changes_nothing_and_the_form_does(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    link = await verification_link(accounts)
    for _ in range(3):
        page = await async_client.get(link)
        assert_is_page(page, 200)
    assert (await accounts.login(ADDRESS)).status_code == 400
    done = await submit(async_client, page)
    assert_is_page(done, 200)
    assert ADDRESS in done.text
    assert (await accounts.login(ADDRESS)).status_code == 200


async def test_following_the_reset_link_changes_nothing_and_the_form_does(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    account = await accounts.verified(ADDRESS)
    link = await reset_link(accounts)
    for _ in range(3):
        page = await async_client.get(link)
        assert_is_page(page, 200)
    assert (await accounts.login(ADDRESS)).status_code == 200
    done = await submit(async_client, page, password=NEW_PASSWORD)
    assert_is_page(done, 200)
    assert (await accounts.login(ADDRESS, NEW_PASSWORD)).status_code == 200
    assert (await accounts.login(ADDRESS, PASSWORD)).status_code == 400
    me = await async_client.get("/api/users/me", headers=account.headers)
    assert me.status_code == 401, "the reset left a session alive"


async def test_the_reset_form_suits_password_managers_and_names_no_token_in_its_address(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    await accounts.verified(ADDRESS)
    page = await async_client.get(await reset_link(accounts))
    assert 'action="reset-password"' in page.text
    assert re.search(rf'value="{ADDRESS}" autocomplete="username" readonly', page.text)
    field = re.search(r'<input id="password"[^>]*>', page.text)
    assert field
    assert 'autocomplete="new-password"' in field[0]
    assert 'minlength="8"' in field[0]
    assert '<label for="password">' in page.text


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", "at least 8 characters"),
        ("short", "at least 8 characters"),
        ("x1" * 65, "at most 128 characters"),
        ("password123", "most common"),
        (ADDRESS, "your address or name"),
    ],
)
async def test_a_refused_password_is_explained_and_the_link_goes_on_working(
    accounts: Accounts, async_client: AsyncClient, password: str, reason: str
) -> None:
    await accounts.verified(ADDRESS)
    page = await async_client.get(await reset_link(accounts))
    refused = await submit(async_client, page, password=password)
    assert_is_page(refused, 400)
    assert reason in refused.text
    assert 'role="alert"' in refused.text
    done = await submit(async_client, refused, password=NEW_PASSWORD)
    assert_is_page(done, 200)


async def test_a_password_keeps_every_character_on_its_way_through_the_form(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    await accounts.verified(ADDRESS)
    page = await async_client.get(await reset_link(accounts))
    password = "  ünïcode & plus+percent%20 \N{SNOWMAN} "
    assert_is_page(await submit(async_client, page, password=password), 200)
    assert (await accounts.login(ADDRESS, password)).status_code == 200
    assert (await accounts.login(ADDRESS, password.strip())).status_code == 400


async def test_of_parallel_posts_of_one_form_exactly_one_succeeds(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    page = await async_client.get(await verification_link(accounts))
    answers = await asyncio.gather(*(submit(async_client, page) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 5


async def test_a_used_verification_link_says_so_and_sends_a_new_one(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    old = await verification_link(accounts)
    page = await async_client.get(old)
    asked = await submit(
        async_client, await async_client.get("/account/resend-verification"), email=ADDRESS
    )
    assert_is_page(asked, 200)
    dead = await submit(async_client, page)
    assert_is_page(dead, 400)
    assert "no longer works" in dead.text
    assert_is_page(await submit(async_client, dead, email=ADDRESS), 200)
    newest = link_in(await accounts.mailbox.last(ADDRESS))
    assert newest != old
    assert_is_page(await submit(async_client, await async_client.get(newest)), 200)


async def test_a_dead_reset_link_says_so_before_a_password_is_asked_for(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    await accounts.verified(ADDRESS)
    link = await reset_link(accounts)
    page = await async_client.get(link)
    assert_is_page(await submit(async_client, page, password=NEW_PASSWORD), 200)
    for dead in (
        await async_client.get(link),
        await submit(async_client, page, password=NEW_PASSWORD),
    ):
        assert_is_page(dead, 400)
        assert 'name="password"' not in dead.text
    assert_is_page(await submit(async_client, dead, email=ADDRESS), 200)
    newest = link_in(await accounts.mailbox.last(ADDRESS))
    assert_is_page(await async_client.get(newest), 200)


async def test_a_token_of_one_page_is_refused_by_the_other(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    verification = token_in_link(await verification_link(accounts))
    await accounts.verified("other@example.com")
    reset = token_in_link(await reset_link(accounts, "other@example.com"))
    crossed = {"token": verification, "password": NEW_PASSWORD}
    answer = await async_client.post("/account/reset-password", data=crossed)
    assert_is_page(answer, 400)
    answer = await async_client.get("/account/reset-password", params={"token": verification})
    assert_is_page(answer, 400)
    answer = await async_client.post("/account/verify-email", data={"token": reset})
    assert_is_page(answer, 400)


def token_in_link(link: str) -> str:
    return link.partition("token=")[2]


async def test_a_new_address_is_taken_over_on_the_same_page(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    account = await accounts.verified(ADDRESS)
    await async_client.patch(
        "/api/users/me",
        json={"email": "new@example.com", "current_password": account.password},
        headers=account.headers,
    )
    link = link_in(await accounts.mailbox.last("new@example.com"))
    done = await submit(async_client, await async_client.get(link))
    assert_is_page(done, 200)
    assert "new@example.com" in done.text


@pytest.mark.parametrize("path", ["/account/resend-verification", "/account/forgot-password"])
async def test_asking_for_a_link_answers_the_same_whoever_asks(
    accounts: Accounts, async_client: AsyncClient, path: str
) -> None:
    await accounts.verified("known@example.com")
    await accounts.register("waits@example.com")
    answers = {}
    for email in ("known@example.com", "waits@example.com", "nobody@example.com"):
        answer = await async_client.post(path, data={"email": email})
        assert_is_page(answer, 200)
        answers[email] = re.sub(r'nonce="[^"]+"', "", answer.text.replace(email, "EMAIL"))
    assert len(set(answers.values())) == 1
    assert await accounts.mailbox.to("nobody@example.com") == []


@pytest.mark.parametrize("path", ["/account/resend-verification", "/account/forgot-password"])
@pytest.mark.parametrize("email", ["", "jane", '"><script>alert(1)</script>@x', "a\0@example.com"])
async def test_what_is_no_address_is_refused_and_shown_again_escaped(
    async_client: AsyncClient, path: str, email: str
) -> None:
    answer = await async_client.post(path, data={"email": email})
    assert_is_page(answer, 400)
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize("path", ["/account/verify-email", "/account/reset-password"])
@pytest.mark.parametrize(
    "query", ["", "?token=", "?token=%00", '?token="><script>', "?token=" + "x" * 129, "?token=%ff"]
)
async def test_a_link_without_its_end_is_explained(
    async_client: AsyncClient, path: str, query: str
) -> None:
    answer = await async_client.get(path + query)
    assert_is_page(answer, 400)
    assert "not complete" in answer.text


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"", {}, 415),
        (b'{"token": "x", "email": "a@example.com"}', {"Content-Type": "application/json"}, 415),
        (b"--x\r\n", {"Content-Type": "multipart/form-data; boundary=x"}, 415),
        (b"", FORM, 400),
        (b"token", FORM, 400),
        (b"token=%00&password=%00&email=%00", FORM, 400),
        (b"token=%ff%fe&password=%ff&email=%ff", FORM, 400),
        (b"\xff\xfe=\xff", FORM, 400),
        (b"token=x&password=" + b"y" * 2000 + b"&email=" + b"z" * 2000, FORM, 400),
        (b"token=" + b"x" * 1_000_000, FORM, 413),
        (b"&".join(b"f%d=" % number for number in range(500)), FORM, 400),
    ],
)
async def test_hostile_forms_get_a_page_that_says_no(
    async_client: AsyncClient, path: str, content: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await async_client.post(path, content=content, headers=headers)
    assert_is_page(answer, status)


async def test_an_inactive_account_is_told_that_its_links_are_dead(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    account = await accounts.verified(ADDRESS)
    admin = await accounts.superuser()
    link = await reset_link(accounts)
    page = await async_client.get(link)
    patched = await async_client.patch(
        f"/api/users/{account.id}", json={"is_active": False}, headers=admin.headers
    )
    assert patched.status_code == 200
    assert_is_page(await async_client.get(link), 400)
    assert_is_page(await submit(async_client, page, password=NEW_PASSWORD), 400)


async def test_success_leads_on_to_the_frontend_where_there_is_one(
    accounts: Accounts, async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accounts.register(ADDRESS)
    token = token_in(await accounts.mailbox.last(ADDRESS))
    monkeypatch.setattr(settings, "frontend_url", "https://app.example.com")
    done = await async_client.post("/account/verify-email", data={"token": token})
    assert '<a href="https://app.example.com">' in done.text


async def test_the_pages_are_not_part_of_the_api(async_client: AsyncClient) -> None:
    document = (await async_client.get("/openapi.json")).json()
    assert document["paths"]
    assert not [path for path in document["paths"] if not path.startswith(("/api/", "/health/"))]
