"""The two lines of a service in `app.py`."""

from collections.abc import Sequence

import libcst as cst
from libcst import matchers as m

from backend.cli.errors import CommandError
from backend.scaffold.checkout import APP

__all__ = ["add_router", "remove_router"]

_IMPORT = m.SimpleStatementLine(body=[m.Import() | m.ImportFrom()])
_INCLUDE = m.SimpleStatementLine(
    body=[m.Expr(m.Call(func=m.Attribute(attr=m.Name("include_router")), args=[m.AtLeastN(n=1)]))]
)


def add_router(app: str, service: str) -> str:
    """`app.py` with the service's router, imported among the imports and included as the last."""
    module = cst.parse_module(app)
    if _imports_of(module, service):
        raise CommandError(
            f"{APP} imports the router of `{service}` already. Remove that line, or choose "
            "another name."
        )
    included = [index for index, line in enumerate(module.body) if m.matches(line, _INCLUDE)]
    if not included:
        raise CommandError(
            f"{APP} has no line `app.include_router(…)` at its top level after which the new one "
            "could go."
        )
    last = cst.ensure_type(module.body[included[-1]], cst.SimpleStatementLine)
    call = cst.ensure_type(cst.ensure_type(last.body[0], cst.Expr).value, cst.Call)
    target = module.code_for_node(cst.ensure_type(call.func, cst.Attribute).value)
    include = _line(f'{target}.include_router({service}_router, prefix="/api")', module)
    imported = _line(
        f"from backend.services.{service}.routes import router as {service}_router", module
    )
    body = list(module.body)
    body.insert(included[-1] + 1, include)
    body.insert(_place_of_import(body, f"backend.services.{service}.routes"), imported)
    return module.with_changes(body=body).code


def remove_router(app: str, service: str) -> str:
    """`app.py` without the lines of the service; as it is where it has none."""
    module = cst.parse_module(app)
    imports = _imports_of(module, service)
    names = {
        alias.evaluated_alias or alias.evaluated_name
        for line in imports
        for alias in _aliases(line)
    }
    includes = [
        line
        for line in module.body
        if m.matches(line, _INCLUDE) and _included(line, module) in names
    ]
    gone = {id(line) for line in [*imports, *includes]}
    return module.with_changes(body=[line for line in module.body if id(line) not in gone]).code


def _line(code: str, module: cst.Module) -> cst.SimpleStatementLine:
    return cst.ensure_type(
        cst.parse_statement(code, config=module.config_for_parsing), cst.SimpleStatementLine
    )


def _place_of_import(body: Sequence[cst.CSTNode], name: str) -> int:
    """In the first block of imports, in the order of the alphabet."""
    first = next((i for i, line in enumerate(body) if m.matches(line, _IMPORT)), 0)
    end = first
    place = None
    while end < len(body) and m.matches(body[end], _IMPORT):
        other = _module_of(body[end])
        if other is not None and other.split(".")[0] == "backend" and other < name:
            place = end + 1
        end += 1
    return end if place is None else place


def _module_of(line: cst.CSTNode) -> str | None:
    statement = cst.ensure_type(line, cst.SimpleStatementLine).body[0]
    if not isinstance(statement, cst.ImportFrom) or statement.module is None:
        return None
    return cst.Module([]).code_for_node(statement.module)


def _imports_of(module: cst.Module, service: str) -> list[cst.SimpleStatementLine]:
    """The lines that import from the service's routes."""
    return [
        cst.ensure_type(line, cst.SimpleStatementLine)
        for line in module.body
        if m.matches(line, _IMPORT) and _module_of(line) == f"backend.services.{service}.routes"
    ]


def _aliases(line: cst.SimpleStatementLine) -> Sequence[cst.ImportAlias]:
    names = cst.ensure_type(line.body[0], cst.ImportFrom).names
    return () if isinstance(names, cst.ImportStar) else names


def _included(line: cst.CSTNode, module: cst.Module) -> str:
    expression = cst.ensure_type(cst.ensure_type(line, cst.SimpleStatementLine).body[0], cst.Expr)
    return module.code_for_node(cst.ensure_type(expression.value, cst.Call).args[0].value)
