"""The shape of a service."""

import ast
from collections.abc import Iterator

from backend.check.config import PATTERN
from backend.check.finding import Finding, Place
from backend.check.registry import rule
from backend.check.sources import Source, Sources

__all__: list[str] = []


@rule("BK101", "A service has the modules of the pattern, and each holds code", facts="sources")
def service_is_complete(sources: Sources) -> Iterator[Finding]:
    for service in sources.services:
        for name in PATTERN:
            path, source = f"{service.path}/{name}.py", service.modules[name]
            if source is None:
                yield Finding(
                    "BK101",
                    Place(path),
                    f"{service.name}.{name}",
                    f"The service {service.name} has no {name}.py.",
                    f"Write {path} as docs/guide.md does, or say in the service's `__init__.py` "
                    "where it has this.",
                )
            elif name != "__init__" and not _holds_code(source):
                yield Finding(
                    "BK101",
                    Place(path),
                    f"{service.name}.{name}",
                    f"{name}.py of the service {service.name} holds no code.",
                    "Write what belongs there, as docs/guide.md does, or delete the service.",
                )


def _holds_code(source: Source) -> bool:
    """A class, a function, or a value other than `__all__`; imports alone do nothing."""
    return any(
        isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(node, ast.Assign | ast.AnnAssign) and "__all__" not in ast.unparse(node))
        for node in source.tree.body
    ) or any(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) for node in source.tree.body
    )


@rule("BK505", "Tables come from migrations, never from `create_all`", facts="sources")
def no_create_all(sources: Sources) -> Iterator[Finding]:
    for source in sources.served:
        for node in source.nodes:
            if (
                isinstance(node, ast.Attribute)
                and node.attr in {"create_all", "drop_all"}
                and ast.unparse(node.value).endswith("metadata")
            ):
                yield Finding(
                    "BK505",
                    Place(source.path, node.lineno),
                    f"{source.module}.{node.attr}",
                    f"`{node.attr}` works on the tables beside Alembic: the migrations then do not "
                    "fit the database.",
                    "Use `backend db migrate`, or in code `backend.core.schema.upgrade()`.",
                )
