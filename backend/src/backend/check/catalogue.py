"""Which rules there are, read from their text: to import them would be to import the app."""

import ast
from dataclasses import dataclass
from pathlib import Path

from backend.check.finding import Level

__all__ = ["Entry", "catalogue"]

RULES = Path(__file__).with_name("rules")


@dataclass(frozen=True)
class Entry:
    id: str
    title: str
    level: Level


def catalogue() -> dict[str, Entry]:
    """In the order of their ids."""
    entries = [entry for path in RULES.glob("*.py") for entry in _entries_in(path)]
    return {entry.id: entry for entry in sorted(entries, key=lambda entry: entry.id)}


def _entries_in(path: Path) -> list[Entry]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        Entry(
            ast.literal_eval(call.args[0]),
            ast.literal_eval(call.args[1]),
            Level.ADVICE
            if any(ast.unparse(item.value) == "Level.ADVICE" for item in call.keywords)
            else Level.ERROR,
        )
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        for call in node.decorator_list
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "rule"
    ]
