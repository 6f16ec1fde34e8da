"""The settings, and the files that tell people about them."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from backend.check.settings_table import settings_rows

if TYPE_CHECKING:
    from backend.settings import Settings

__all__ = ["SettingsFacts", "Told", "collect_settings", "mend_table"]

SETTINGS = "backend/src/backend/settings.py"
TABLE = "docs/operations.md"
EXAMPLES = (".env.example", "backend/.env.example", "deploy/.env.example", "backend/.env.template")

_ROW = re.compile(r"^\| `([A-Z][A-Z0-9_]*)` \|.*$")
_ASSIGNMENT = re.compile(r"^#?\s?(?:export )?([A-Z][A-Z0-9_]*)=")


@dataclass(frozen=True)
class Told:
    """A line that says something of a setting."""

    name: str
    line: int
    text: str


@dataclass(frozen=True)
class SettingsFacts:
    root: Path
    rows: dict[str, str]
    """What the table should say, by the name of the setting in capitals, in its order."""
    foreign: frozenset[str]
    """Variables that others read from the same files, such as Compose."""

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def examined(self) -> str:
        files = [TABLE, *(path for path, _lines in self.examples)]
        return f"{len(self.rows)} settings, told of in {', '.join(files)}"

    @cached_property
    def table(self) -> list[Told]:
        return _told(self.root / TABLE, _ROW)

    @cached_property
    def examples(self) -> list[tuple[str, list[Told]]]:
        return [
            (path, _told(self.root / path, _ASSIGNMENT))
            for path in EXAMPLES
            if (self.root / path).is_file()
        ]

    def line_of(self, name: str) -> int:
        """Of the field in settings.py."""
        text = (self.root / SETTINGS).read_text(encoding="utf-8")
        found = re.search(rf"^    {name.lower()}\s*:", text, re.MULTILINE)
        return text.count("\n", 0, found.start()) + 1 if found else 1

    def is_setting(self, variable: str) -> bool:
        return (
            variable in self.rows
            or variable.removesuffix("_FILE") in self.rows
            or variable in self.foreign
        )


def _told(path: Path, pattern: re.Pattern[str]) -> list[Told]:
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        Told(found[1], number, line)
        for number, line in enumerate(lines, 1)
        if (found := pattern.match(line))
    ]


def collect_settings(root: Path, model: "type[Settings]") -> SettingsFacts:
    compose = root / "deploy/compose.yaml"
    text = compose.read_text(encoding="utf-8") if compose.is_file() else ""
    rows = {name.upper(): row for name, row in settings_rows(model).items()}
    return SettingsFacts(root, rows, frozenset({"ENV_FILE", *re.findall(r"\$\{(\w+)", text)}))


def mend_table(root: Path) -> None:
    """Writes the rows anew, in the order of the settings, where the table is."""
    from backend.settings import Settings

    facts = collect_settings(root, Settings)
    path = root / TABLE
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if not facts.table:
        return
    first, last = facts.table[0].line, facts.table[-1].line
    lines[first - 1 : last] = [f"{row}\n" for row in facts.rows.values()]
    path.write_text("".join(lines), encoding="utf-8")
