"""What the documents name: links, paths, modules, commands."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from backend.check.command_lines import refusal_of
from backend.check.config import backend_of
from backend.check.markdown import Document, commands_of, find_documents

__all__ = ["Documents", "Named", "collect_documents", "examples_of"]

# What is named and is not in a clone: it is made when something runs.
MADE_LATER = re.compile(
    r"(deploy/|backend/)?\.env|\.uv/.*|backend/(\.venv|var|\.check_cache)(/.*)?"
    r"|backend/check-baseline\.json"
)
# To be replaced by the reader's own; and the guide's examples.
PLACEHOLDER = re.compile(r"NAME|your_service|[{}<>*…]")


@dataclass(frozen=True)
class Named:
    """Something that a document names, and that is not there."""

    document: Document
    line: int
    what: str
    """`path`, `link`, `module` or `command`."""
    name: str
    why: str


@dataclass(frozen=True)
class Documents:
    root: Path
    items: tuple[Document, ...]

    @property
    def count(self) -> int:
        return len(self.items)

    @property
    def examined(self) -> str:
        return f"{len(self.items)} documents"

    @cached_property
    def examples(self) -> frozenset[str]:
        """Services that a document writes as an example: their paths are the reader's to make."""
        return examples_of(self.items)

    @cached_property
    def written(self) -> frozenset[str]:
        """Files whose text a document has, in a block that begins with their path."""
        blocks = [block for document in self.items for _language, block in document.blocks]
        return frozenset(
            found[1]
            for block in blocks
            if (found := re.match(r"[#{<!\s-]*(?:backend/)?((?:src|tests)/\S+)", block))
        )

    @cached_property
    def wrong(self) -> tuple[Named, ...]:
        return tuple(
            item
            for document in self.items
            for find in (self.links, self.paths, self.modules, self.commands)
            for item in find(document)
        )

    def links(self, document: Document) -> Iterator[Named]:
        for link, line in document.placed_links:
            target, _, anchor = link.partition("#")
            if target.startswith(("http://", "https://", "mailto:")):
                continue
            path = (document.path.parent / target).resolve() if target else document.path
            if not path.exists():
                yield Named(document, line, "link", link, "there is no such file")
            elif anchor and anchor not in Document(path, self.root).anchors:
                yield Named(document, line, "link", link, "there is no such heading")

    def paths(self, document: Document) -> Iterator[Named]:
        """In backticks or in commands, from the root, from `backend/`, or within the package."""
        words = [(word, line) for code, line in document.placed_code for word in code.split()]
        words += [(word, line) for typed, line in document.placed_typed for word in typed.split()]
        for word, line in words:
            path = word.strip("\"'(),").removeprefix("./")
            path = path.partition("::")[0]
            first = path.partition("/")[0]
            if "/" not in path or first not in self._folders or MADE_LATER.fullmatch(path):
                continue
            if self._is_the_readers(path) and not self._is_of_a_service(path):
                continue
            if not any((place / path).exists() for place in self._places):
                yield Named(document, line, "path", path, "there is no such file or folder")

    def modules(self, document: Document) -> Iterator[Named]:
        """`backend.services.auth.utils`, and the names that are in a module."""
        for code, line in document.placed_code:
            if not re.fullmatch(r"backend(\.\w+)+", code) or self._is_the_readers(code):
                continue
            if not self._has_module(code):
                yield Named(document, line, "module", code, "there is no such module, nor name")

    def commands(self, document: Document) -> Iterator[Named]:
        inline = [
            (code.replace("[", "").replace("]", ""), line) for code, line in document.placed_code
        ]
        lines = [
            (code, line)
            for code, line in inline
            if re.match(r"(uv run |bin/)?backend \w|bin/\w", code)
        ]
        for typed, line in [*document.placed_typed, *lines]:
            for program, *arguments in commands_of(typed):
                if program.startswith("bin/") and not self._can_be_run(program):
                    yield Named(document, line, "command", program, "it cannot be run")
                if Path(program).name == "backend" and "{" not in typed:
                    words = [word for word in arguments if word not in {"…", "#"}]
                    if refusal := refusal_of(shlex.join(["backend", *words])):
                        yield Named(document, line, "command", typed, refusal)

    def _is_the_readers(self, name: str) -> bool:
        return bool(PLACEHOLDER.search(name)) or any(
            example in re.split(r"[/._]", name) for example in self.examples
        )

    def _is_of_a_service(self, path: str) -> bool:
        """One that is there, though a document may write it as its example."""
        found = re.search(r"(?:^|/)services/(\w+)/", path)
        folder = backend_of(self.root) / "src/backend/services"
        return (
            found is not None
            and not PLACEHOLDER.search(path)
            and not any(path.endswith(name) for name in self.written)
            and (folder / found[1] / "__init__.py").is_file()
        )

    def _can_be_run(self, name: str) -> bool:
        """What is not there is a path that does not exist."""
        path = self.root / name
        return not path.exists() or bool(path.stat().st_mode & 0o111)

    @cached_property
    def _places(self) -> tuple[Path, ...]:
        backend = backend_of(self.root)
        return self.root, backend, backend / "src/backend", backend / "tests"

    @cached_property
    def _folders(self) -> frozenset[str]:
        return frozenset(
            path.name
            for place in self._places
            if place.is_dir()
            for path in place.iterdir()
            if path.is_dir()
        )

    def _has_module(self, name: str) -> bool:
        """A module or package, or a name that its text has at the beginning of a line."""
        path = backend_of(self.root) / "src"
        parts = name.split(".")
        for index, part in enumerate(parts):
            if (path / part).is_dir():
                path /= part
                continue
            file = path / f"{part}.py"
            rest = parts[index + 1 :]
            if not file.is_file():
                file, rest = path / "__init__.py", parts[index:]
            if not rest:
                return True
            text = file.read_text(encoding="utf-8") if file.is_file() else ""
            return bool(re.search(rf"^(?:async def|def|class)?\s*{rest[0]}\b", text, re.MULTILINE))
        return True


def collect_documents(root: Path) -> Documents:
    return Documents(root, tuple(find_documents(root)))


def examples_of(documents: tuple[Document, ...]) -> frozenset[str]:
    """`projects`, where a block of a document begins with `# src/backend/services/projects/…`, or
    `backend service new projects` is to be typed."""
    written = [
        block.lstrip("#{ ") for document in documents for _language, block in document.blocks
    ]
    typed = [line for document in documents for line in (*document.typed, *document.code)]
    return frozenset(
        name
        for pattern, texts in (
            (r"\Asrc/backend/services/(\w+)/", written),
            (r"\bbackend service new ([a-z]\w*)", typed),
        )
        for text in texts
        for name in re.findall(pattern, text)
    )
