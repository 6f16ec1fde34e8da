"""Who may import whom."""

import ast
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import pairwise

from backend.check.config import ACCOUNTS, SEAM, TOOLS
from backend.check.finding import Finding, Place
from backend.check.imports import Import, Imports, service_in
from backend.check.registry import rule
from backend.check.sources import Source

__all__: list[str] = []

LAYERS = ("models", "schemas", "service", "routes")
WITHOUT_HTTP = ("models", "service")


@rule("BK104", "A service uses another one through its service, not its tables", facts="imports")
def no_reaching_in(imports: Imports) -> Iterator[Finding]:
    for importer, imported, edge in imports.between_services():
        hidden = [name for name, _here in edge.names if name.startswith("_")]
        hidden += [part for part in edge.imported.split(".")[3:] if part.startswith("_")]
        for name in hidden:
            yield Finding(
                "BK104",
                edge.place,
                f"{edge.imported}.{name}",
                f"The service {importer} takes the private name {name} from {imported}.",
                f"Call a public function of backend.services.{imported}.service, or add one there.",
            )
        if edge.imported != f"backend.services.{imported}.models":
            continue
        if imported in ACCOUNTS.get(importer, frozenset()):
            continue
        yield from _table_uses(imports, importer, imported, edge)


def _table_uses(imports: Imports, importer: str, imported: str, edge: Import) -> Iterator[Finding]:
    source = imports.by_module[edge.importer]
    models = imports.by_module.get(edge.imported)
    tables = _tables_in(models) if models else set()
    remedy = f"Call a function of backend.services.{imported}.service, or add one there."
    if not edge.names:
        yield Finding(
            "BK104",
            edge.place,
            edge.imported,
            f"The service {importer} imports the models of {imported} as a whole.",
            remedy,
        )
    for name, here in edge.names:
        if name not in tables:
            continue
        used = _first_use(source, here)
        if used is not None:
            yield Finding(
                "BK104",
                Place(source.path, used),
                f"{edge.imported}.{name}",
                f"The service {importer} works on {name}, a table of the service {imported}, "
                "by itself.",
                remedy,
            )


def _tables_in(models: Source) -> set[str]:
    return {
        node.name
        for node in models.tree.body
        if isinstance(node, ast.ClassDef)
        and any(
            isinstance(target, ast.Name) and target.id == "__tablename__"
            for item in node.body
            for target in (
                item.targets
                if isinstance(item, ast.Assign)
                else [item.target]
                if isinstance(item, ast.AnnAssign)
                else []
            )
        )
    }


def _first_use(source: Source, name: str) -> int | None:
    """The first line that uses it for more than saying what type something has."""
    as_type = {id(inner) for node in source.nodes for inner in _types_in(node)}
    lines = [
        node.lineno
        for node in source.nodes
        if isinstance(node, ast.Name) and node.id == name and id(node) not in as_type
    ]
    return min(lines, default=None)


def _types_in(node: ast.AST) -> Iterator[ast.AST]:
    stated: list[ast.expr | None] = []
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        stated.append(node.returns)
    elif isinstance(node, ast.arg | ast.AnnAssign):
        stated.append(node.annotation)
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"isinstance", "cast"}:
        stated += node.args
    elif isinstance(node, ast.Subscript) and ast.unparse(node.value) in {"Slice", "Page"}:
        stated.append(node.slice)
    for expression in stated:
        if expression is not None:
            yield from ast.walk(expression)


@rule("BK105", "Each layer knows only those below it", facts="imports")
def layers_hold(imports: Imports) -> Iterator[Finding]:
    for edge in imports.edges:
        for above, remedy in _above(edge):
            yield Finding(
                "BK105",
                edge.place,
                f"{edge.importer} imports {edge.imported}",
                f"{edge.importer} imports {edge.imported}: {above}.",
                remedy,
            )


def _above(edge: Import) -> Iterator[tuple[str, str]]:
    """Why it is not for this module to know, and what to do."""
    parts, top = edge.importer.split("."), edge.imported.split(".")[0]
    package = parts[1] if len(parts) > 1 else ""
    service, layer = service_in(edge.importer), parts[-1]
    if package not in {*TOOLS, "main"} and edge.imported.split(".")[:2] in [
        ["backend", tool] for tool in TOOLS
    ]:
        yield (
            "what runs in the server does not know the command and its tools",
            "Move what both need to backend.core.",
        )
    if package == "core" and service_in(edge.imported):
        yield (
            "core is without business, and knows no service",
            "Move this to the service, or give core what it needs as an argument.",
        )
    if service and top == "fastapi_users" and service not in {"auth", "users"}:
        yield (
            "only services/auth and services/users know FastAPI-Users",
            "Take `CurrentUser` or `fastapi_users` from backend.services.auth.utils.",
        )
    if service and len(parts) == 4:
        if layer in WITHOUT_HTTP and top in {"fastapi", "starlette"}:
            yield (
                f"{layer}.py knows nothing of HTTP",
                "Raise an error of backend.core.errors, and let routes.py answer.",
            )
        other = edge.imported.split(".")
        if (
            service_in(edge.imported) == service
            and layer in LAYERS
            and other[3:4]
            and other[3] in LAYERS[LAYERS.index(layer) + 1 :]
        ):
            yield (
                f"{layer}.py is below {other[3]}.py",
                f"Move what both need to {layer}.py or below.",
            )


@rule("BK106", "Services do not import each other in a circle", facts="imports")
def no_cycles(imports: Imports) -> Iterator[Finding]:
    """Without the seam of auth, by which every service learns who is asking."""
    edges: dict[str, dict[str, Import]] = {}
    for importer, imported, edge in imports.between_services():
        if edge.imported not in SEAM:
            edges.setdefault(importer, {}).setdefault(imported, edge)
    told: set[str] = set()
    for start in sorted(edges):
        cycle = _way(edges, start) if start not in told else []
        if not cycle:
            continue
        told |= set(cycle)
        steps = [edges[first][then] for first, then in pairwise(cycle)]
        others = ", ".join(f"{step.place.path}:{step.place.line}" for step in steps[1:])
        yield Finding(
            "BK106",
            steps[0].place,
            " -> ".join(cycle),
            f"Services import each other in a circle: {' -> '.join(cycle)} ({others}).",
            "Let one of them be given what it needs, or move what both need to a third.",
        )


def _way(edges: Mapping[str, Mapping[str, Import]], start: str) -> list[str]:
    """The shortest way from a service back to itself; empty without one."""
    queue = deque([[start]])
    seen: set[str] = set()
    while queue:
        way = queue.popleft()
        for then in sorted(edges.get(way[-1], ())):
            if then == start:
                return [*way, start]
            if then not in seen:
                seen.add(then)
                queue.append([*way, then])
    return []
