"""What a newcomer does in a browser, where nothing is loaded from another host."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from tests.support.accounts import PASSWORD
from tests.support.server import Server, run_server

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Page

pytestmark = pytest.mark.needs_more

EMAIL = "jane@example.com"
# Its own housekeeping would reach for other hosts.
OPTIONS = [
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
]


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Any:
    with run_server(tmp_path, DATABASE_URL=database_url, SMTP_URL="") as server:
        yield server


@pytest_asyncio.fixture
async def browser(server: Server) -> "AsyncIterator[BrowserContext]":
    """A browser whose every request must go to the server, and whose pages must have no errors."""
    try:
        from playwright.async_api import async_playwright
    except ModuleNotFoundError:
        pytest.fail("playwright is missing: run `bin/test --all`, or `uv sync --group browser`")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.fail("Chromium is missing: install it (`apt-get install chromium` on Debian)")
    elsewhere: list[str] = []
    complaints: list[str] = []
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=chromium, args=OPTIONS, chromium_sandbox=os.getuid() != 0
        )
        context = await running.new_context()
        context.set_default_timeout(15_000)
        origin = urlsplit(server.url).netloc

        def look(request: Any) -> None:
            parts = urlsplit(request.url)
            if parts.scheme in {"http", "https"} and parts.netloc != origin:
                elsewhere.append(request.url)

        def listen(message: Any) -> None:
            if message.type == "error" and "status of 4" not in message.text:
                complaints.append(message.text)

        context.on("request", look)
        context.on("console", listen)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        yield context
        await running.close()
    assert elsewhere == [], "pages load nothing from another host"
    assert complaints == [], "no script fails, and no content policy is broken"


async def operation(page: "Page", name: str) -> Any:
    """One operation in Swagger UI, opened: it is ready to be tried out."""
    block = page.locator(f"[id$='{name}']")
    await block.locator("button.opblock-summary-control").click()
    return block


async def open_mail(browser: "BrowserContext", server: Server, subject: str) -> "Page":
    """Opens the newest mail with this subject, and follows the button in it."""
    page = await browser.new_page()
    await page.goto(f"{server.url}/dev/mail")
    await page.get_by_role("link", name=subject).first.click()
    async with browser.expect_page() as opened:
        await page.frame_locator("iframe").get_by_role("link").first.click()
    landing = await opened.value
    await landing.wait_for_load_state()
    await page.close()
    return landing


async def test_from_sign_up_to_a_verified_account(
    browser: "BrowserContext", server: Server
) -> None:
    page = await browser.new_page()
    await page.goto(f"{server.url}/")
    await page.get_by_role("link", name="documentation").first.click()
    block = await operation(page, "auth_register")
    await block.locator("textarea").fill(f'{{"email": "{EMAIL}", "password": "{PASSWORD}"}}')
    await block.get_by_role("button", name="Execute").click()
    await block.locator(".live-responses-table").get_by_text("201").first.wait_for()

    landing = await open_mail(browser, server, "Confirm your address")
    await landing.get_by_role("button", name="Confirm my address").click()
    await landing.get_by_role("heading", name="Your address is confirmed").wait_for()

    await page.bring_to_front()
    await page.get_by_role("button", name="Authorize").first.click()
    dialog = page.locator(".modal-ux")
    await dialog.locator("#oauth_username").fill(EMAIL)
    await dialog.locator("#oauth_password").fill(PASSWORD)
    await dialog.locator("button.authorize").first.click()
    await dialog.get_by_role("button", name="Remove authorization").wait_for()
    await dialog.get_by_role("button", name="Close").click()
    block = await operation(page, "users_get_me")
    async with page.expect_response("**/api/users/me") as answered:
        await block.get_by_role("button", name="Execute").click()
    me = await (await answered.value).json()
    assert me["email"] == EMAIL
    assert me["is_verified"] is True


async def test_a_new_password_through_the_mail(browser: "BrowserContext", server: Server) -> None:
    for path, body in (
        ("register", {"email": EMAIL, "password": PASSWORD}),
        ("forgot-password", {"email": EMAIL}),
    ):
        answer = await browser.request.post(f"{server.url}/api/auth/{path}", data=body)
        assert answer.ok
    landing = await open_mail(browser, server, "Choose a new password")
    await landing.locator("input[type=password]").fill("iloveyou")
    await landing.get_by_role("button", name="Save the new password").click()
    assert "common" in await landing.get_by_role("alert").inner_text()
    await landing.locator("input[type=password]").fill("quite another phrase")
    await landing.get_by_role("button", name="Save the new password").click()
    await landing.get_by_role("heading", name="Your password is changed").wait_for()
    answer = await browser.request.post(
        f"{server.url}/api/auth/jwt/login",
        form={"username": EMAIL, "password": "quite another phrase"},
    )
    assert answer.ok
