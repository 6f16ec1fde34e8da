"""Edits of Python files that leave everything else in them as it is."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from backend.cli.errors import CommandError

if TYPE_CHECKING:
    import libcst as cst

__all__ = [
    "Fix",
    "add_index",
    "add_to_column",
    "add_to_decorator",
    "add_to_foreign_key",
    "append",
    "bound_alias",
    "bound_text",
    "include_router",
    "take_limit",
    "use_alias",
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
    """Gives the column's call these keywords, each with the source of its value."""
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
    """`Annotated[str, Field(max_length=…)]` for the annotation of a field, with what its `Field`
    says already."""

    def change(annotation: "cst.BaseExpression") -> "cst.BaseExpression":
        import libcst as cst
        from libcst import matchers as m

        if m.matches(annotation, m.Name("str")):
            return cst.parse_expression(f"Annotated[str, Field(max_length={length})]")
        return _with_length(annotation, length)

    def fix(root: Path) -> None:
        _change_annotation(root / path, cls, attribute, change)
        _import(root / path, {"Annotated": "typing", "Field": "pydantic"})

    return fix


def use_alias(path: str, cls: str, attribute: str, alias: str) -> Fix:
    """The name of a type for the annotation `str` of a field."""

    def change(annotation: "cst.BaseExpression") -> "cst.BaseExpression":
        import libcst as cst
        from libcst import matchers as m

        return cst.Name(alias) if m.matches(annotation, m.Name("str")) else annotation

    return lambda root: _change_annotation(root / path, cls, attribute, change)


def bound_alias(path: str, alias: str, length: int) -> Fix:
    """`max_length` in the `Field` of `Name = Annotated[str, Field(…)]`."""

    def fix(root: Path) -> None:
        import libcst as cst
        from libcst import matchers as m

        tree = _parse(root / path)
        target = [m.AssignTarget(target=m.Name(alias))]
        for found in m.findall(tree, m.Assign(targets=target)):
            assert isinstance(found, cst.Assign)  # noqa: S101 - the matcher's type
            tree = _replaced(tree, found.value, _with_length(found.value, length))
        _write(root / path, tree)

    return fix


def _with_length(annotation: "cst.BaseExpression", length: int) -> "cst.BaseExpression":
    import libcst as cst
    from libcst import matchers as m

    for call in m.findall(annotation, m.Call(func=m.Name("Field")))[:1]:
        assert isinstance(call, cst.Call)  # noqa: S101 - the matcher's type
        changed = annotation.deep_replace(call, _with_keywords(call, {"max_length": str(length)}))
        assert isinstance(changed, cst.BaseExpression)  # noqa: S101 - only what is in it changed
        return changed
    return annotation


def _change_annotation(
    file: Path,
    cls: str,
    attribute: str,
    change: "Callable[[cst.BaseExpression], cst.BaseExpression]",
) -> None:
    import libcst as cst
    from libcst import matchers as m

    tree = _parse(file)
    for node in tree.body:
        if isinstance(node, cst.ClassDef) and node.name.value == cls:
            for found in m.findall(node, m.AnnAssign(target=m.Name(attribute))):
                assert isinstance(found, cst.AnnAssign)  # noqa: S101 - the matcher's type
                old = found.annotation.annotation
                tree = _replaced(tree, old, change(old))
    _write(file, tree)


def add_index(path: str, cls: str, _attribute: str, *, columns: str) -> Fix:
    """`Index(None, …)` in `__table_args__`, which is made where there is none."""

    def fix(root: Path) -> None:
        import libcst as cst
        from libcst import matchers as m

        tree = _parse(root / path)
        index = cst.parse_expression(f"Index(None, {columns})")
        name = m.AssignTarget(target=m.Name("__table_args__"))
        made = cst.parse_statement(f"__table_args__ = (Index(None, {columns}),)")
        for node in tree.body:
            if not (isinstance(node, cst.ClassDef) and node.name.value == cls):
                continue
            given = m.findall(node, m.Assign(targets=[name]))
            if given and isinstance(given[0], cst.Assign):
                value = given[0].value
                if isinstance(value, cst.Dict):
                    both = cst.Tuple([cst.Element(index), cst.Element(value)])
                    tree = _replaced(tree, value, both)
                elif isinstance(value, cst.Tuple):
                    tree = _replaced(tree, value, _with_first(value, index))
                else:
                    return
                break
            tablename = m.AssignTarget(target=m.Name("__tablename__"))
            line = m.SimpleStatementLine(body=[m.Assign(targets=[tablename])])
            body = list(node.body.body)
            after = [number for number, item in enumerate(body) if m.matches(item, line)]
            body.insert(after[0] + 1 if after else 0, made)
            tree = _replaced(tree, node, node.with_deep_changes(node.body, body=body))
            break
        _write(root / path, tree)
        _import(root / path, {"Index": "sqlalchemy"})

    return fix


def _with_first(items: "cst.Tuple", added: "cst.BaseExpression") -> "cst.Tuple":
    """Before the others, where it is parted from the next one as those are from each other."""
    import libcst as cst

    space = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    if not items.elements:
        return items.with_changes(elements=[cst.Element(added, cst.Comma())])
    comma: cst.BaseParenthesizableWhitespace | None = None
    if items.lpar and isinstance(items.lpar[0].whitespace_after, cst.ParenthesizedWhitespace):
        comma = items.lpar[0].whitespace_after
    first = cst.Element(added, cst.Comma(whitespace_after=comma) if comma else space)
    return items.with_changes(elements=[first, *items.elements])


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
    """Gives keywords to the call that decorates a function as a route."""

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
    call = call.with_changes(
        args=[
            argument.with_changes(value=cst.parse_expression(keywords[argument.keyword.value]))
            if argument.keyword and argument.keyword.value in keywords
            else argument
            for argument in call.args
        ]
    )
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
