"""What somebody may break in a generated service, each with what has to notice it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import libcst as cst
import libcst.matchers as m

from backend.scaffold.spec import Owner

__all__ = ["FAST", "FIELDS", "MUTATIONS", "Mutation"]

FIELDS = (
    "title:str:max=120:unique:search",
    "status:enum:draft,live:default=draft",
    "count:int:min=0:max=9:default=1",
    "secret:str:private:max=40:optional",
    "client:ref:clients:restrict",
)

ALONE = FIELDS[:-1]
EVERYBODYS = (FIELDS[0].removesuffix(":search"), *ALONE[1:])

Change = Callable[[cst.Module], cst.Module]


@dataclass(frozen=True)
class Mutation:
    service: str
    """The one that has it, whose name says what it is."""
    module: str
    change: Change
    test: str | None
    """A part of the name of a generated test that goes red."""
    rule: str | None
    """The rule of `backend check` that names it, where there is one."""
    owner: Owner = "user"
    fields: tuple[str, ...] = FIELDS

    def apply(self, code: str) -> str:
        before = cst.parse_module(code)
        after = self.change(before)
        assert not before.deep_equals(after), f"{self.service} changes nothing"
        return after.code


def replace(matcher: m.MatchIfTrue[Any] | m.BaseMatcherNode, by: Any) -> Change:
    """Every node that matches; `by` is code, or a function of the node."""

    def change(module: cst.Module) -> cst.Module:
        def replacement(node: cst.CSTNode, _found: Any) -> Any:
            return by(node) if callable(by) else cst.parse_expression(by)

        return cast("cst.Module", m.replace(module, matcher, replacement))

    return change


def within(prefix: str, *changes: Change) -> Change:
    """In the function or class whose name begins so."""

    def change(module: cst.Module) -> cst.Module:
        class Inside(m.MatcherDecoratableTransformer):
            def leave_FunctionDef(  # noqa: N802
                self, _original: cst.FunctionDef, updated: cst.FunctionDef
            ) -> cst.FunctionDef:
                return changed(updated) if updated.name.value.startswith(prefix) else updated

            def leave_ClassDef(  # noqa: N802
                self, _original: cst.ClassDef, updated: cst.ClassDef
            ) -> cst.ClassDef:
                return changed(updated) if updated.name.value.endswith(prefix) else updated

        def changed(node: Any) -> Any:
            part = cst.Module(body=[node])
            for each in changes:
                part = each(part)
            return part.body[0]

        return module.visit(Inside())

    return change


def every(*changes: Change) -> Change:
    def change(module: cst.Module) -> cst.Module:
        for each in changes:
            module = each(module)
        return module

    return change


def call_of(name: str) -> m.Call:
    return m.Call(func=m.Name(name) | m.Attribute(attr=m.Name(name)))


def without_argument(function: str, keyword: str) -> Change:
    def shortened(node: cst.Call) -> cst.Call:
        kept = [arg for arg in node.args if not (arg.keyword and arg.keyword.value == keyword)]
        if kept:
            kept[-1] = kept[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        return node.with_changes(args=kept)

    return replace(call_of(function), shortened)


def without_element(text: str) -> Change:
    """Of `__table_args__`: those whose code begins so."""

    def shortened(node: cst.Tuple) -> cst.Tuple:
        code = cst.Module([]).code_for_node
        return node.with_changes(
            elements=[e for e in node.elements if not code(e.value).startswith(text)]
        )

    return replace(m.Tuple(), shortened)


def with_line(line: str) -> Change:
    """At the end of the block."""

    def longer(node: cst.IndentedBlock) -> cst.IndentedBlock:
        return node.with_changes(body=[*node.body, cst.parse_statement(line)])

    return replace(m.IndentedBlock(), longer)


def without_statement(code: str) -> Change:
    def shortened(node: cst.IndentedBlock) -> cst.IndentedBlock:
        text = cst.Module([]).code_for_node
        return node.with_changes(body=[s for s in node.body if text(s).strip() != code])

    return replace(m.IndentedBlock(), shortened)


USER_ID = m.Attribute(value=m.Name("user"), attr=m.Name("id"))


def without_user(function: str) -> Change:
    """The route lets anybody in."""

    def shortened(node: cst.Parameters) -> cst.Parameters:
        kept = [param for param in node.params if param.name.value not in {"user", "_user"}]
        return node.with_changes(params=kept)

    return within(
        function, replace(m.Parameters(), shortened), replace(USER_ID, "uuid.UUID(int=0)")
    )


def name(old: str, new: str) -> Change:
    return replace(m.Name(old), new)


def annotation(parameter: str, new: str) -> Change:
    def changed(node: cst.Param) -> cst.Param:
        return node.with_changes(annotation=cst.Annotation(cst.parse_expression(new)))

    return replace(m.Param(name=m.Name(parameter)), changed)


def column(field: str, change: Change) -> Change:
    """In the line of that column."""

    def changed(node: cst.AnnAssign) -> cst.AnnAssign:
        module = change(cst.Module(body=[cst.SimpleStatementLine(body=[node])]))
        return cast(
            "cst.AnnAssign", cst.ensure_type(module.body[0], cst.SimpleStatementLine).body[0]
        )

    return replace(m.AnnAssign(target=m.Name(field)), changed)


def bound(type_name: str, keyword: str) -> Change:
    """Of `Title = Annotated[str, Field(max_length=…)]`."""

    def changed(node: cst.Assign) -> cst.Assign:
        module = without_argument("Field", keyword)(
            cst.Module(body=[cst.SimpleStatementLine(body=[node])])
        )
        line = cst.ensure_type(module.body[0], cst.SimpleStatementLine)
        return cst.ensure_type(line.body[0], cst.Assign)

    return replace(m.Assign(targets=[m.AssignTarget(target=m.Name(type_name))]), changed)


def unfiltered(node: cst.Call) -> cst.BaseExpression:
    return cst.ensure_type(node.func, cst.Attribute).value


FAST = (
    Mutation(
        "unfiltered_rows",
        "service",
        within("_owned", replace(call_of("where"), unfiltered)),
        "is_not_there",
        "BK203",
        fields=ALONE,
    ),
    Mutation(
        "open_get_rows", "routes", without_user("get_"), "nobody_gets_in", "BK201", fields=ALONE
    ),
    Mutation(
        "unbounded_rows",
        "schemas",
        bound("Title", "max_length"),
        "out_of_bounds",
        "BK402",
        fields=ALONE,
    ),
    Mutation(
        "given_owner_rows",
        "schemas",
        within("Create", with_line("owner_id: uuid.UUID | None = None")),
        "server_decides",
        "BK204",
        fields=ALONE,
    ),
)

MUTATIONS = (
    Mutation("open_create_rows", "routes", without_user("create_"), "nobody_gets_in", "BK201"),
    Mutation("open_list_rows", "routes", without_user("list_"), "nobody_gets_in", "BK201"),
    Mutation("open_update_rows", "routes", without_user("update_"), "nobody_gets_in", "BK201"),
    Mutation("open_delete_rows", "routes", without_user("delete_"), "nobody_gets_in", "BK201"),
    Mutation(
        "optional_user_rows",
        "routes",
        every(
            name("CurrentUser", "OptionalUser"),
            replace(USER_ID, "(user.id if user else uuid.UUID(int=0))"),
        ),
        "nobody_gets_in",
        "BK201",
    ),
    Mutation(
        "unfiltered_get_rows",
        "service",
        within(
            "get",
            replace(m.Call(func=m.Name("_owned")), "select(UnfilteredGetRow)"),
        ),
        "is_not_there",
        "BK203",
    ),
    Mutation("no_minimum_rows", "schemas", bound("Count", "ge"), "out_of_bounds", None),
    Mutation("no_maximum_rows", "schemas", bound("Count", "le"), "out_of_bounds", None),
    Mutation("empty_title_rows", "schemas", bound("Title", "min_length"), "out_of_bounds", None),
    Mutation(
        "twice_rows", "models", without_element("UniqueConstraint"), "taken_is_a_conflict", None
    ),
    Mutation(
        "unique_for_all_rows",
        "models",
        replace(call_of("UniqueConstraint"), 'UniqueConstraint("title")'),
        "unique_for_an_owner",
        "BK406",
    ),
    Mutation(
        "foreign_client_rows",
        "service",
        without_statement("await _check_references(session, owner_id, given)"),
        "missing_client",
        None,
    ),
    Mutation(
        "orphaned_rows",
        "models",
        column("owner_id", without_argument("ForeignKey", "ondelete")),
        "go_with_their_owner",
        "BK404",
    ),
    Mutation("slow_rows", "models", without_element("Index"), None, "BK403"),
    Mutation(
        "any_status_rows", "models", without_element("CheckConstraint"), "table_refuses", None
    ),
    Mutation(
        "shown_secret_rows",
        "schemas",
        within("Read", with_line("secret: str | None")),
        "private",
        "BK302",
    ),
    Mutation("endless_rows", "routes", annotation("limit", "int"), "pages_are_bounded", "BK303"),
    Mutation(
        "lost_rows",
        "service",
        within("create", without_statement("await session.commit()")),
        "create_read_list",
        None,
    ),
    Mutation(
        "unshaped_rows",
        "routes",
        replace(
            m.Arg(keyword=m.Name("response_model")),
            lambda node: node.with_changes(value=cst.Name("None")),
        ),
        "create_read_list",
        "BK301",
    ),
    Mutation(
        "naive_rows",
        "models",
        column("created_at", name("utc_now", "datetime.utcnow")),
        "times_are_aware",
        "BK401",
    ),
    Mutation(
        "endless_text_rows",
        "models",
        column("title", replace(call_of("String"), "String()")),
        None,
        "BK402",
    ),
    Mutation(
        "unnarrowed_rows",
        "service",
        within("find", replace(call_of("where"), unfiltered)),
        "can_be_narrowed",
        None,
    ),
    *(
        Mutation(
            f"{verb}_by_all_rows",
            "routes",
            within(verb, name("CurrentSuperuser", "CurrentUser")),
            "administrators_write",
            None,
            owner="none",
            fields=EVERYBODYS,
        )
        for verb in ("create", "update", "delete")
    ),
    *FAST,
)
