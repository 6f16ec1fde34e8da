"""The API's documentation at `/docs`, and in development a page at `/` that says where things are.

Swagger UI comes from the `fastapi-swagger` package and loads nothing from another host. It is
served in production too: what it shows is the public contract, which `/openapi.json` tells anyway.
"""

import hashlib
import pathlib
from functools import cache
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, FastAPI, HTTPException, Path, Request, Response
from starlette.types import Receive, Scope, Send

from backend.core.access import public
from backend.core.pages import Pages
from backend.settings import settings

__all__ = ["install_home", "router"]

router = APIRouter(include_in_schema=False)
pages = Pages(pathlib.Path(__file__).parent / "templates")

_SWAGGER = files("fastapi_swagger.resources")
_OWN = files("backend.core") / "static"
_ASSETS = {
    "swagger-ui-bundle.js": (_SWAGGER, "text/javascript; charset=utf-8"),
    "swagger-ui.css": (_SWAGGER, "text/css; charset=utf-8"),
    "favicon-32x32.png": (_SWAGGER, "image/png"),
    "start.js": (_OWN, "text/javascript; charset=utf-8"),
}
_POLICY = {
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
}


AssetPart = Annotated[str, Path(max_length=64)]


@cache
def _content(name: str) -> bytes:
    folder, _media_type = _ASSETS[name]
    return (folder / name).read_bytes()


@cache
def _version() -> str:
    """Of the assets, so that a browser keeps them until they are others."""
    return hashlib.sha256(b"".join(_content(name) for name in _ASSETS)).hexdigest()[:12]


@router.get("/docs")
@public
def show_docs(request: Request) -> Response:
    return pages.response(
        "docs.html", policy=_POLICY, title=request.app.title, assets=f"docs/assets/{_version()}"
    )


@router.get("/docs/assets/{version}/{name}")
@public
def get_asset(version: AssetPart, name: AssetPart) -> Response:
    if version != _version() or name not in _ASSETS:
        raise HTTPException(404)
    return Response(
        _content(name),
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
        media_type=_ASSETS[name][1],
    )


def install_home(app: FastAPI) -> None:
    """Answers `/` in development, unless a route of the app does: this one is asked last."""
    not_found = app.router.default

    async def default(scope: Scope, receive: Receive, send: Send) -> None:
        if (
            settings.is_development
            and scope["type"] == "http"
            and (scope["method"], scope["path"]) == ("GET", "/")
        ):
            await pages.response("home.html")(scope, receive, send)
        else:
            await not_found(scope, receive, send)

    app.router.default = default
