"""Edits of Python files that leave everything else in them as it is."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from backend.cli.errors import CommandError

if TYPE_CHECKING:
    import libcst as cst

__all__ = [
    "Fix",
    "add_to_column",
    "add_to_decorator",
    "add_to_foreign_key",
    "append",
    "bound_text",
    "include_router",
    "take_limit",
    "use_utc",
]

Fix = Callable[[Path], None]


def append(path: str, text: str) -> Fix:
    def fix(root: Path) -> None:
        file = root / path
        file.write_text(file.read_text("utf-8").rstrip("\n") + "\n" + text, "utf-8")

    return fix


def include_router(path: str, module: str, name: str, alias: str) -> Fix:
    """At the end of the app, with its import among the imports."""
    include = append(path, f'app.include_router({alias}, prefix="/api")\n')

    def fix(root: Path) -> None:
        from libcst.codemod import CodemodContext
        from libcst.codemod.visitors import AddImportsVisitor

        include(root)
        context = CodemodContext()
        AddImportsVisitor.add_needed_import(context, module, name, alias)
        _write(root / path, AddImportsVisitor(context).transform_module(_parse(root / path)))

    return fix


def add_to_column(path: str, cls: str, attribute: str, **keywords: str) -> Fix:
    """Adds keywords, each with the source of its value, to the column's call."""
    return lambda root: _change_column(
        root / path, cls, attribute, lambda call: _with_keywords(call, keywords)
    )


def add_to_foreign_key(path: str, cls: str, attribute: str, **keywords: str) -> Fix:
    """The same, to the `ForeignKey(…)` in it."""

    def change(call: "cst.Call") -> "cst.Call":
        import libcst as cst
        from libcst import matchers as m

        found = m.findall(
            call, m.Call(func=m.Name("ForeignKey") | m.Attribute(attr=m.Name("ForeignKey")))
        )
        for inner in found:
            assert isinstance(inner, cst.Call)  # noqa: S101 - the matcher's type
            changed = call.deep_replace(inner, _with_keywords(inner, keywords))
            assert isinstance(changed, cst.Call)  # noqa: S101
            call = changed
        return call

    return lambda root: _change_column(root / path, cls, attribute, change)


def use_utc(path: str, cls: str, attribute: str) -> Fix:
    """`UTCDateTime` for `DateTime`, and `utc_now` for `datetime.utcnow`, in one column."""

    def fix(root: Path) -> None:
        import libcst as cst
        from libcst import matchers as m

        needed: dict[str, str] = {}

        def change(call: cst.Call) -> cst.Call:
            naive = m.Name("DateTime") | m.Attribute(attr=m.Name("DateTime"))
            clock = m.Attribute(attr=m.Name("utcnow") | m.Name("now"))
            for inner in m.findall(call, m.Arg(value=naive | m.Call(func=naive), keyword=None)):
                assert isinstance(inner, cst.Arg)  # noqa: S101 - the matcher's type
                call = call.with_deep_changes(inner, value=cst.parse_expression("UTCDateTime()"))
                needed["UTCDateTime"] = "backend.core.columns"
            called = m.Lambda(body=m.Call(func=clock, args=[]))
            for inner in m.findall(call, m.Arg(value=clock | called)):
                assert isinstance(inner, cst.Arg)  # noqa: S101
                call = call.with_deep_changes(inner, value=cst.Name("utc_now"))
                needed["utc_now"] = "backend.core.clock"
            return call

        _change_column(root / path, cls, attribute, change)
        _import(root / path, needed)

    return fix


def bound_text(path: str, cls: str, attribute: str, length: int) -> Fix:
    """`Annotated[str, Field(max_length=…)]` for the annotation of a field."""

    def fix(root: Path) -> None:
        import libcst as cst
        from libcst import matchers as m

        tree = _parse(root / path)
        field = m.AnnAssign(target=m.Name(attribute), annotation=m.Annotation(m.Name("str")))
        for node in tree.body:
            if isinstance(node, cst.ClassDef) and node.name.value == cls:
                for found in m.findall(node, field):
                    assert isinstance(found, cst.AnnAssign)  # noqa: S101 - the matcher's type
                    bound = cst.parse_expression(f"Annotated[str, Field(max_length={length})]")
                    tree = _replaced(tree, found.annotation.annotation, bound)
        _write(root / path, tree)
        _import(root / path, {"Annotated": "typing", "Field": "pydantic"})

    return fix


def take_limit(path: str, function: str, parameter: str) -> Fix:
    """`Limit` for the annotation `int` of a parameter."""

    def fix(root: Path) -> None:
        import libcst as cst
        from libcst import matchers as m

        tree = _parse(root / path)
        plain = m.Param(name=m.Name(parameter), annotation=m.Annotation(m.Name("int")))
        for node in m.findall(tree, m.FunctionDef(name=m.Name(function))):
            assert isinstance(node, cst.FunctionDef)  # noqa: S101 - the matcher's type
            for found in m.findall(node.params, plain):
                assert isinstance(found, cst.Param)  # noqa: S101
                assert found.annotation  # noqa: S101
                tree = _replaced(tree, found.annotation.annotation, cst.Name("Limit"))
        _write(root / path, tree)
        _import(root / path, {"Limit": "backend.core.pagination"})

    return fix


def add_to_decorator(path: str, function: str, **keywords: str) -> Fix:
    """Adds keywords to the call that decorates a function as a route."""

    def fix(root: Path) -> None:
        import libcst as cst
        from libcst import matchers as m

        route = m.Call(func=m.Attribute(attr=m.Name() & m.MatchIfTrue(_is_method)))
        tree = _parse(root / path)
        for node in m.findall(tree, m.FunctionDef(name=m.Name(function))):
            assert isinstance(node, cst.FunctionDef)  # noqa: S101 - the matcher's type
            for decorator in node.decorators:
                if isinstance(call := decorator.decorator, cst.Call) and m.matches(call, route):
                    tree = _replaced(tree, call, _with_keywords(call, keywords))
        _write(root / path, tree)

    return fix


def _is_method(name: "cst.CSTNode") -> bool:
    return getattr(name, "value", "") in {"get", "post", "put", "patch", "delete", "api_route"}


def _with_keywords(call: "cst.Call", keywords: dict[str, str]) -> "cst.Call":
    import libcst as cst

    given = {argument.keyword.value for argument in call.args if argument.keyword}
    added = [
        cst.Arg(
            keyword=cst.Name(name),
            value=cst.parse_expression(value),
            equal=cst.AssignEqual(
                whitespace_before=cst.SimpleWhitespace(""),
                whitespace_after=cst.SimpleWhitespace(""),
            ),
        )
        for name, value in keywords.items()
        if name not in given
    ]
    if not added:
        return call
    if not call.args:
        return call.with_changes(args=added)
    *others, last = call.args
    comma = last.comma
    if not isinstance(comma, cst.Comma):
        last = last.with_changes(comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")))
    else:  # it ends in a comma, and so does the new end
        separator = (
            others[-1].comma
            if others
            else comma.with_changes(whitespace_after=call.whitespace_before_args)
        )
        last = last.with_changes(comma=separator)
        added = [item.with_changes(comma=separator) for item in added]
        added[-1] = added[-1].with_changes(comma=comma)
    return call.with_changes(args=[*others, last, *added])


def _change_column(
    file: Path, cls: str, attribute: str, change: Callable[["cst.Call"], "cst.Call"]
) -> None:
    import libcst as cst
    from libcst import matchers as m

    tree = _parse(file)
    target = m.Name(attribute)
    statement = m.AnnAssign(target=target, value=m.Call()) | m.Assign(
        targets=[m.AssignTarget(target=target)], value=m.Call()
    )
    for node in tree.body:
        if isinstance(node, cst.ClassDef) and node.name.value == cls:
            for found in m.findall(node, statement):
                assert isinstance(found, cst.AnnAssign | cst.Assign)  # noqa: S101
                assert isinstance(found.value, cst.Call)  # noqa: S101
                tree = _replaced(tree, found.value, change(found.value))
                break
    _write(file, tree)


def _replaced(tree: "cst.Module", old: "cst.CSTNode", new: "cst.CSTNode") -> "cst.Module":
    import libcst as cst

    changed = tree.deep_replace(old, new)
    assert isinstance(changed, cst.Module)  # noqa: S101 - only what is in it was replaced
    return changed


def _import(file: Path, names: dict[str, str]) -> None:
    from libcst.codemod import CodemodContext
    from libcst.codemod.visitors import AddImportsVisitor, RemoveImportsVisitor

    context = CodemodContext()
    for name, module in names.items():
        AddImportsVisitor.add_needed_import(context, module, name)
    if "UTCDateTime" in names:
        RemoveImportsVisitor.remove_unused_import(context, "sqlalchemy", "DateTime")
    if "utc_now" in names:
        RemoveImportsVisitor.remove_unused_import(context, "datetime", "datetime")
    tree = AddImportsVisitor(context).transform_module(_parse(file))
    _write(file, RemoveImportsVisitor(context).transform_module(tree))


def _parse(file: Path) -> "cst.Module":
    try:
        import libcst as cst
    except ModuleNotFoundError:
        raise CommandError(
            "Mending needs LibCST, which is for development: install the dev group with `uv sync`."
        ) from None
    return cst.parse_module(file.read_text("utf-8"))


def _write(file: Path, tree: "cst.Module") -> None:
    file.write_text(tree.code, "utf-8")
