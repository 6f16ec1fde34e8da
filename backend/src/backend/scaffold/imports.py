"""The imports of a module, of what it uses."""

import ast
import sys
from collections import defaultdict
from collections.abc import Mapping

__all__ = ["with_imports"]

_MODULES = {"pytest", "uuid"}


def with_imports(text: str, sources: Mapping[str, str]) -> str:
    """The module with an import of each name in `sources` that it uses: from which module."""
    tree = ast.parse(text)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    used -= {name for statement in tree.body for name in _defined_by(statement)}
    names: dict[str, set[str]] = defaultdict(set)
    for name in used & sources.keys():
        names[sources[name]].add(name)
    lines = [(_section(module), 0, f"import {module}") for module in sorted(_MODULES & used)] + [
        (_section(module), 1, f"from {module} import {', '.join(sorted(of_module, key=_order))}")
        for module, of_module in sorted(names.items())
    ]
    sections = [
        "\n".join(line for in_section, _, line in sorted(lines) if in_section == section)
        for section in range(3)
    ]
    imports = "\n\n".join(section for section in sections if section)
    docstring, rest = _split_docstring(text, tree)
    return "\n\n".join(part for part in (docstring, imports, rest.strip("\n")) if part) + "\n"


def _defined_by(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case _:
            return []


def _section(module: str) -> int:
    top = module.partition(".")[0]
    return 0 if top in sys.stdlib_module_names else 2 if top == "backend" else 1


def _order(name: str) -> tuple[int, str]:
    """As Ruff has it: constants, classes, the rest."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def _split_docstring(text: str, tree: ast.Module) -> tuple[str, str]:
    if ast.get_docstring(tree) is None:
        return "", text
    lines = text.splitlines()
    end = tree.body[0].end_lineno or 0
    return "\n".join(lines[:end]).strip("\n"), "\n".join(lines[end:])
