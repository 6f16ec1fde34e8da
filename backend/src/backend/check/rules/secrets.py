"""Secrets and settings in the code."""

import ast
import re
from collections.abc import Iterator

from backend.check.finding import Finding, Place
from backend.check.names import dotted, imported_names
from backend.check.registry import rule
from backend.check.secret_names import holds_credentials, is_secret_name, is_secret_setting
from backend.check.sources import Source, Sources

__all__: list[str] = []

SETTINGS = "backend.settings"


@rule("BK701", "No secret has a value in the code", facts="sources")
def secrets_have_no_default(sources: Sources) -> Iterator[Finding]:
    for source in sources.served:
        names = imported_names(source)
        for name, node in _secret_values(source, names):
            yield Finding(
                "BK701",
                Place(source.path, node.lineno),
                name,
                f"The secret {name} has a value in the code, which everybody can read.",
                'Leave the default empty, as in `SecretStr("")`, and set it in the environment.',
            )


def _secret_values(source: Source, names: dict[str, str]) -> Iterator[tuple[str, ast.expr]]:
    """What Ruff's S105 to S107 miss: fields of settings, and `SecretStr("…")` anywhere."""
    seen: set[ast.expr] = set()
    for name, value in _settings_in(source, names):
        seen.add(value)
        yield name, value
    for node in source.nodes:
        if isinstance(node, ast.AnnAssign | ast.Assign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if not isinstance(target, ast.Name | ast.Attribute):
                    continue
                name = target.id if isinstance(target, ast.Name) else target.attr
                for call in ast.walk(node.value):
                    if call in seen:
                        break
                    if isinstance(call, ast.Call) and _is_secret_value(name, call, names):
                        seen.add(call)
                        yield name, call
                        break
    for node in source.nodes:
        if isinstance(node, ast.Call) and node not in seen and _is_wrapped(node, names):
            if any(node in set(ast.walk(other)) for other in seen):
                continue
            yield "SecretStr", node


def _settings_in(source: Source, names: dict[str, str]) -> Iterator[tuple[str, ast.expr]]:
    """Fields of a class of settings that are text, by their name or by what is in them."""
    for node in source.nodes:
        if not isinstance(node, ast.ClassDef) or not any(
            dotted(base, names).endswith("Settings") for base in node.bases
        ):
            continue
        for item in node.body:
            if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
                continue
            for text in _texts_of(item, names):
                if is_secret_setting(item.target.id) or holds_credentials(text):
                    yield item.target.id, item.value or item.target
                    break


def _texts_of(field: ast.AnnAssign, names: dict[str, str]) -> Iterator[str]:
    """Its default, also in `Field(…)`, in `Annotated[…]`, and as what a factory gives."""
    given: list[ast.expr] = [field.value] if field.value else []
    for node in (*ast.walk(field.annotation), *given):
        if isinstance(node, ast.Call) and dotted(node.func, names) == "pydantic.Field":
            given += node.args[:1]
            given += [
                keyword.value.body if isinstance(keyword.value, ast.Lambda) else keyword.value
                for keyword in node.keywords
                if keyword.arg in {"default", "default_factory"}
            ]
    for value in given:
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
            yield value.value


def _is_secret_value(name: str, call: ast.Call, names: dict[str, str]) -> bool:
    """`SecretStr("x")` for any name; `Field("x")` or `getenv("…", "x")` for that of a secret."""
    if _is_wrapped(call, names):
        return True
    if not is_secret_name(name):
        return False
    called = dotted(call.func, names)
    if called == "pydantic.Field":
        given = [keyword.value for keyword in call.keywords if keyword.arg == "default"]
        return any(map(_is_text, [*call.args[:1], *given]))
    return called in {"os.getenv", "os.environ.get"} and any(map(_is_text, call.args[1:2]))


def _is_wrapped(call: ast.Call, names: dict[str, str]) -> bool:
    return dotted(call.func, names) in {"pydantic.SecretStr", "pydantic.SecretBytes"} and any(
        map(_is_text, call.args[:1])
    )


def _is_text(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes) and bool(node.value)
    )


@rule("BK702", "Settings are read in settings.py, and nowhere else", facts="sources")
def settings_are_read_once(sources: Sources) -> Iterator[Finding]:
    for source in sources.served:
        if source.module == SETTINGS:
            continue
        names = imported_names(source)
        for node in source.nodes:
            if isinstance(node, ast.Attribute | ast.Name):
                read = dotted(node, names)
            elif isinstance(node, ast.ClassDef):
                bases = [dotted(base, names) for base in node.bases]
                read = "BaseSettings" if "pydantic_settings.BaseSettings" in bases else ""
            else:
                continue
            if read in _READERS:
                yield Finding(
                    "BK702",
                    Place(source.path, node.lineno),
                    f"{source.module}: {read}",
                    f"{source.module} reads the environment by itself, by {read}.",
                    "Make it a field of Settings in backend/src/backend/settings.py, and use "
                    "`settings.<name>`.",
                )


_READERS = frozenset(
    {"os.environ", "os.getenv", "os.environb", "BaseSettings", "dotenv.load_dotenv"}
)

_SHOWN = re.compile(
    r"(^|_)(token|password|passwd|passphrase|secret|secret_key|api_key|private_key|otp|"
    r"(magic|reset|verify|verification|confirmation|sign_in|login|invite|invitation)_(link|url)|"
    r"magic_link)$"
)
_LOGGER = re.compile(r"(^|\.)(log|logger|_log|_logger|logging)$")
_LEVELS = frozenset(
    {"debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "log"}
)
# What changes the value into something that may be seen.
_SHOWS = frozenset({"str", "repr", "format", "get_secret_value", "decode", "strip", "join"})


@rule("BK704", "No token, password or link is printed or logged", facts="sources")
def secrets_are_not_shown(sources: Sources) -> Iterator[Finding]:
    for source in sources.served:
        for node in source.nodes:
            if not isinstance(node, ast.Call) or not _shows(node):
                continue
            for name, line in _shown_in(node):
                yield Finding(
                    "BK704",
                    Place(source.path, line),
                    f"{ast.unparse(node.func)}: {name}",
                    f"`{ast.unparse(node.func)}` shows {name}: whoever reads the log can use it.",
                    "Leave it out; log the id of the row or the user instead.",
                )


def _shows(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Name):
        return call.func.id in {"print", "pprint"}
    if not isinstance(call.func, ast.Attribute):
        return False
    base = ast.unparse(call.func.value)
    if call.func.attr in _LEVELS:
        return bool(_LOGGER.search(base)) or "get_logger" in base or "getLogger" in base
    return f"{base}.{call.func.attr}" in {"typer.echo", "sys.stdout.write", "sys.stderr.write"}


def _shown_in(call: ast.Call) -> Iterator[tuple[str, int]]:
    for argument in call.args:
        yield from _secrets_in(argument)
    for keyword in call.keywords:
        found = list(_secrets_in(keyword.value))
        if (
            not found
            and _SHOWN.search((keyword.arg or "").lower())
            and isinstance(keyword.value, ast.Name | ast.Attribute | ast.JoinedStr)
        ):
            found = [(str(keyword.arg), keyword.value.lineno)]
        yield from found


def _secrets_in(node: ast.expr) -> Iterator[tuple[str, int]]:
    """Names whose value is in what the expression gives; a call may give something else."""
    if isinstance(node, ast.Name | ast.Attribute):
        name = node.id if isinstance(node, ast.Name) else node.attr
        if _SHOWN.search(name.lower()):
            yield ast.unparse(node), node.lineno
    elif isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        if called == "get_secret_value":
            yield ast.unparse(node), node.lineno
        elif called in _SHOWS:
            for argument in node.args:
                yield from _secrets_in(argument)
            if isinstance(node.func, ast.Attribute):
                yield from _secrets_in(node.func.value)
    elif isinstance(node, ast.JoinedStr):
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from _secrets_in(part.value)
    elif isinstance(node, ast.BinOp):
        yield from _secrets_in(node.left)
        yield from _secrets_in(node.right)
    elif isinstance(node, ast.Tuple | ast.List | ast.Set):
        for item in node.elts:
            yield from _secrets_in(item)
    elif isinstance(node, ast.Dict):
        for value in node.values:
            yield from _secrets_in(value)
    elif isinstance(node, ast.IfExp):
        yield from _secrets_in(node.body)
        yield from _secrets_in(node.orelse)
