"""What a document says of the project: links, code, blocks, commands."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

__all__ = ["Document", "commands_of", "find_documents"]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_INLINE = re.compile(r"`([^`]+)`")
_HERE_DOCUMENT = re.compile(r"<<(\w+)\n.*?\n\1$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Document:
    path: Path
    root: Path

    def __str__(self) -> str:
        return self.path.relative_to(self.root).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def blocks(self) -> list[tuple[str, str]]:
        """Each with its language."""
        return _FENCE.findall(self.text)

    @cached_property
    def prose(self) -> str:
        """The text with empty lines where its blocks are."""
        return _FENCE.sub(lambda block: "\n" * block[0].count("\n"), self.text)

    @cached_property
    def links(self) -> list[str]:
        return [link for link, _line in self.placed_links]

    @cached_property
    def placed_links(self) -> list[tuple[str, int]]:
        """Each with its line."""
        return [
            (found[1], _line(self.prose, found.start())) for found in _LINK.finditer(self.prose)
        ]

    @cached_property
    def code(self) -> list[str]:
        """What stands between backticks, in one line each."""
        return [code for code, _line in self.placed_code]

    @cached_property
    def placed_code(self) -> list[tuple[str, int]]:
        """Each with its line."""
        return [
            (" ".join(found[1].split()), _line(self.prose, found.start()))
            for found in _INLINE.finditer(self.prose)
        ]

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
        return [line for line, _line in self.placed_typed]

    @cached_property
    def placed_typed(self) -> list[tuple[str, int]]:
        """Each with the line where it is found first in its block."""
        return list(self._find_typed())

    def _find_typed(self) -> Iterator[tuple[str, int]]:
        for found in _FENCE.finditer(self.text):
            language, block = found.groups()
            joined = re.sub(r"\\\n\s*", "", _HERE_DOCUMENT.sub("", block))
            if language == "bash":
                lines = joined.splitlines()
            elif language == "console":
                lines = [line[2:] for line in joined.splitlines() if line.startswith("$ ")]
            else:
                continue
            for line in lines:
                if line.strip():
                    # A joined line is found by its beginning.
                    offset = max(self.text.find(line[:20], found.start(2)), found.start(2))
                    yield line, _line(self.text, offset)


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def find_documents(root: Path) -> list[Document]:
    files = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
    return [Document(path, root) for path in sorted(files)]


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
