"""HTML for people: one layout, and a policy under which no page runs a script."""

import secrets
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, FastAPI, Request
from starlette.responses import HTMLResponse, Response

from backend.settings import settings

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["FormDep", "PageError", "Pages", "install_page_errors"]

FORM_MAX_BYTES = 8192
FORM_MAX_FIELDS = 20

_TEMPLATES = Path(__file__).parent / "templates"


class Pages:
    """Renders the templates of one folder, which extend `core/page.html`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def _environment(self) -> "Environment":
        # With the first page: of a server that shows none it would be 3 MB and 20 ms at the start.
        from jinja2 import (  # noqa: PLC0415
            ChoiceLoader,
            Environment,
            FileSystemLoader,
            PrefixLoader,
            StrictUndefined,
        )

        core = PrefixLoader({"core": FileSystemLoader(_TEMPLATES)})
        environment = Environment(
            loader=ChoiceLoader([core, FileSystemLoader(self.folder)]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals["product"] = settings.product_name
        return environment

    def response(
        self,
        template: str,
        *,
        status: int = 200,
        policy: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        **values: object,
    ) -> HTMLResponse:
        """The page. `policy` adds directives to its Content-Security-Policy, or replaces them."""
        nonce = secrets.token_urlsafe(16)
        directives = {
            "default-src": "'none'",
            "style-src": f"'nonce-{nonce}'",
            "img-src": "data:",
            "form-action": "'self'",
            "frame-ancestors": "'none'",
            "base-uri": "'none'",
            **(policy or {}),
        }
        return HTMLResponse(
            self._environment.get_template(template).render(values, nonce=nonce),
            status,
            {
                "Content-Security-Policy": "; ".join(
                    f"{name} {sources}" for name, sources in directives.items()
                ),
                **(headers or {}),
            },
        )


class PageError(Exception):
    """A refusal that a person reads. Raised, not returned, so that the transaction ends with it."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"status {response.status_code}")
        self.response = response


async def _page_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, PageError)  # noqa: S101 - registered for nothing else
    return error.response


def install_page_errors(app: FastAPI) -> None:
    app.add_exception_handler(PageError, _page_error)


async def _read_form(request: Request) -> dict[str, str]:
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise _refusal(415, "This page takes the form that it shows, and nothing else.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_MAX_BYTES:
            raise _refusal(413, "That is more than this form takes.")
    try:
        fields = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            max_num_fields=FORM_MAX_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise _refusal(400, "What was sent is not a form that can be read.") from None
    return dict(reversed(fields))


def _refusal(status: int, text: str) -> PageError:
    return PageError(_pages.response("core/refused.html", status=status, text=text))


_pages = Pages(_TEMPLATES)

FormDep = Annotated[dict[str, str], Depends(_read_form)]
"""The fields of an urlencoded form; of several with one name, the first. A refusal is a page."""
