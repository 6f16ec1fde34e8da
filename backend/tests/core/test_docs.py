"""The API's documentation, without another host, and the page that tells where things are."""

import re

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from tests.support.accounts import PASSWORD, Accounts

from backend.core.docs import install_home
from backend.settings import settings


async def linked_assets(client: AsyncClient) -> list[str]:
    page = await client.get("/docs")
    assert page.status_code == 200
    return [
        str(page.url.join(path))
        for path in re.findall(r'<(?:link|script) [^>]*(?:href|src)="([^"]+)"', page.text)
    ]


async def test_its_page_runs_only_scripts_of_this_server(async_client: AsyncClient) -> None:
    page = await async_client.get("/docs")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"<script[^>]*>[^<]", page.text), "an inline script would be refused"
    assert "//" not in re.sub(r"<!doctype html>", "", page.text), "another host is named"


async def test_its_assets_are_there_typed_and_kept_by_browsers(async_client: AsyncClient) -> None:
    assets = await linked_assets(async_client)
    types = {}
    for url in assets:
        answer = await async_client.get(url)
        assert answer.status_code == 200
        assert answer.content
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        types[url.rpartition("/")[2]] = answer.headers["Content-Type"].partition(";")[0]
    assert types == {
        "favicon-32x32.png": "image/png",
        "swagger-ui.css": "text/css",
        "swagger-ui-bundle.js": "text/javascript",
        "start.js": "text/javascript",
    }


@pytest.mark.parametrize("path", ["old/start.js", "VERSION/none.js", "VERSION/..%2fdocs.py", "x"])
async def test_other_assets_are_a_404(async_client: AsyncClient, path: str) -> None:
    version = (await linked_assets(async_client))[0].split("/")[-2]
    answer = await async_client.get("/docs/assets/" + path.replace("VERSION", version))
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_it_shows_this_api_and_remembers_who_is_signed_in(async_client: AsyncClient) -> None:
    (start,) = [url for url in await linked_assets(async_client) if url.endswith("/start.js")]
    script = (await async_client.get(start)).text
    assert 'url: "openapi.json"' in script
    assert "persistAuthorization: true" in script


async def test_the_authorize_button_has_what_it_needs(
    accounts: Accounts, async_client: AsyncClient
) -> None:
    """What Swagger UI does: the password flow at the address that the document names."""
    await accounts.verified("jane@example.com")
    document = (await async_client.get("/openapi.json")).json()
    schemes = document["components"]["securitySchemes"].values()
    (flow,) = [scheme["flows"]["password"] for scheme in schemes if scheme["type"] == "oauth2"]
    form = {"grant_type": "password", "username": "jane@example.com", "password": PASSWORD}
    answer = await async_client.post(flow["tokenUrl"], data=form)
    assert answer.status_code == 200
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await async_client.get("/api/users/me", headers=headers)).status_code == 200


async def test_it_is_served_in_production_too(
    async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "environment", "production")
    assert (await async_client.get("/docs")).status_code == 200


async def test_the_first_page_tells_where_things_are_and_how_to_make_an_administrator(
    async_client: AsyncClient,
) -> None:
    page = await async_client.get("/")
    assert page.status_code == 200
    links = re.findall(r'<a href="([^"]+)"', page.text)
    assert {"/docs", "/dev/mail", "/health/ready"} <= set(links)
    for link in links:
        assert (await async_client.get(link)).status_code == 200, link
    assert "uv run backend user create EMAIL --superuser" in page.text


async def test_production_has_no_first_page(
    async_client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "environment", "production")
    answer = await async_client.get("/")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


async def test_a_first_page_of_the_developers_own_comes_before_ours() -> None:
    app = FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False})
    install_home(app)

    @app.get("/")
    async def own() -> str:
        return "mine"

    async with AsyncClient(transport=ASGITransport(app), base_url="http://localhost") as client:
        assert (await client.get("/")).json() == "mine"
        assert (await client.get("/other")).status_code == 404
