"""The page of each rule, read without a network."""

import re
import subprocess
from difflib import get_close_matches
from pathlib import Path

__all__ = ["first_paragraph", "nearest", "page", "ruff_page"]

PAGES = Path(__file__).with_name("pages")


def page(id_: str) -> str | None:
    path = PAGES / f"{id_.replace(':', '-')}.md"
    return path.read_text(encoding="utf-8") if path.is_file() else None


def first_paragraph(id_: str) -> str:
    text = page(id_) or ""
    body = text.partition("\n\n")[2]
    return " ".join(body.partition("\n\n")[0].split())


def ruff_page(code: str) -> str | None:
    from backend.check.delegates import find_ruff

    if not re.fullmatch(r"[A-Z]+\d+", code):
        return None
    done = subprocess.run(  # noqa: S603
        [find_ruff(), "rule", code], capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else None


def nearest(word: str, known: list[str]) -> str:
    """ "; did you mean …?", or nothing."""
    close = get_close_matches(word, known, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(close)}?" if close else "."
