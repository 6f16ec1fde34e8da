"""From a mail's typed values to its subject, text and HTML."""

import re
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from backend import services
from backend.settings import settings

if TYPE_CHECKING:
    from css_inline import CSSInliner
    from jinja2 import Environment

__all__ = ["Mail", "RenderedMail", "render", "single_line"]

_LINK = re.compile(r"://|@|\w\.\w{2,}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, kw_only=True)
class Mail:
    """Base of the mails. The fields of a subclass are what its templates may use.

    `template` names two files: `auth/verify_email` is `services/auth/templates/verify_email.txt`,
    whose first line is the subject, and `.html`, which extends `email/layout.html`.
    """

    template: ClassVar[str]


@dataclass(frozen=True)
class RenderedMail:
    subject: str
    text: str
    html: str


# Both are imported with the first mail: many workers never write one.
@cache
def _environment() -> "Environment":
    """Values are escaped in HTML; one that is missing is an error, not a blank."""
    from jinja2 import (  # noqa: PLC0415
        Environment,
        FileSystemLoader,
        PrefixLoader,
        StrictUndefined,
        select_autoescape,
    )

    environment = Environment(
        loader=PrefixLoader(
            {
                folder.name: FileSystemLoader(folder / "templates")
                for root in services.__path__
                for folder in Path(root).iterdir()
            }
        ),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["greeting_name"] = _greeting_name
    environment.globals["product"] = settings.product_name
    environment.globals["home"] = settings.frontend_url
    return environment


@cache
def _inliner() -> "CSSInliner":
    from css_inline import CSSInliner  # noqa: PLC0415

    return CSSInliner(keep_style_tags=True, load_remote_stylesheets=False)


def render(mail: Mail) -> RenderedMail:
    """Raises jinja2.UndefinedError where a template uses what the mail does not have."""
    values = {field.name: getattr(mail, field.name) for field in fields(mail)}
    text = _environment().get_template(f"{mail.template}.txt").render(values)
    subject, _, body = text.partition("\n")
    html = _environment().get_template(f"{mail.template}.html").render(values)
    return RenderedMail(
        subject=single_line(subject), text=body.strip() + "\n", html=_inliner().inline(html)
    )


def _greeting_name(name: str | None) -> str:
    """What stands behind "Hello". Strangers sign others up with names of their choice: one that a
    mail client would make a link of is left out."""
    plain = single_line(name or "")
    return f" {plain}" if plain and not _LINK.search(plain) else ""


def single_line(text: str) -> str:
    """What may stand in a header (behaviour X5): no control characters, and no encoded words
    (RFC 2047), which the standard library would decode, line breaks and all."""
    return _CONTROL.sub(" ", text).replace("=?", "= ?").strip()[:255]
