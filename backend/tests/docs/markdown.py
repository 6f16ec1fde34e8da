"""What a document says of the project: links, code, blocks, commands."""

import re
import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.support.databases import BACKEND

__all__ = ["DOCUMENTS", "ROOT", "Document", "commands_of"]

ROOT = BACKEND.parent

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_INLINE = re.compile(r"`([^`]+)`")
_HERE_DOCUMENT = re.compile(r"<<(\w+)\n.*?\n\1$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Document:
    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def blocks(self) -> list[tuple[str, str]]:
        """Each with its language."""
        return _FENCE.findall(self.text)

    @cached_property
    def prose(self) -> str:
        return _FENCE.sub("", self.text)

    @cached_property
    def links(self) -> list[str]:
        return _LINK.findall(self.prose)

    @cached_property
    def code(self) -> list[str]:
        """What stands between backticks, in one line each."""
        return [" ".join(code.split()) for code in _INLINE.findall(self.prose)]

    @cached_property
    def anchors(self) -> set[str]:
        """As GitHub makes them of headings."""
        return {
            re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in _HEADING.findall(self.prose)
        }

    @cached_property
    def typed(self) -> list[str]:
        """The lines that are to be typed; one that goes on after a backslash is one."""
        lines: list[str] = []
        for language, block in self.blocks:
            joined = re.sub(r"\\\n\s*", "", _HERE_DOCUMENT.sub("", block))
            if language == "bash":
                lines += joined.splitlines()
            elif language == "console":
                lines += [line[2:] for line in joined.splitlines() if line.startswith("$ ")]
        return [line for line in lines if line.strip()]


def _find_documents() -> list[Document]:
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return [Document(path) for path in sorted(files)]


DOCUMENTS = _find_documents()


def commands_of(line: str) -> list[list[str]]:
    """The commands of a line, without what only sets variables, or runs another one."""
    found = []
    for part in re.split(r"&&|\|\||[;|]", line):
        words = _words(part)
        while words and re.match(r"\w+=", words[0]):
            words.pop(0)
        if words[:1] == ["docker"]:
            words = words[words.index("server") + 1 :] if "exec" in words else []
        if words[:2] == ["sudo", "-u"]:
            words = words[3:]
        if words[:2] == ["uv", "run"]:
            words = words[2:]
        if words:
            found.append(words)
    return found


def _words(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    try:
        return list(lexer)  # comments are left out
    except ValueError:  # one half of something that was in quotes
        return text.split()
