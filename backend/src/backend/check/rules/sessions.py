"""The event loop and the database session."""

import ast
import re
from collections.abc import Iterator

from backend.check.finding import Finding, Place
from backend.check.names import (
    Function,
    dotted,
    imported_names,
    own_nodes,
    parents,
    sessions_of,
)
from backend.check.registry import rule
from backend.check.sources import Source, Sources

__all__: list[str] = []

_ROUTE = re.compile(
    r"\b(router|app)\.(get|post|put|patch|delete|head|options|route|api_route|websocket)\("
)


@rule("BK601", "Services commit, routes never do", facts="sources")
def services_commit_once(sources: Sources) -> Iterator[Finding]:
    yield from _commits_in_routes(sources)
    yield from _second_commits(sources)


def _commits_in_routes(sources: Sources) -> Iterator[Finding]:
    for source in sources.served:
        for function in source.functions:
            if not (source.path.endswith("/routes.py") or _is_route(function)):
                continue
            sessions = sessions_of(function)
            for node in own_nodes(function):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in {"commit", "rollback"}
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id in sessions
                ):
                    yield Finding(
                        "BK601",
                        Place(source.path, node.lineno),
                        f"{function.name}.{node.func.attr}",
                        f"The route {function.name} calls `{node.func.attr}` on the session.",
                        "Move it into the service's method, as its last act on the database.",
                    )


def _second_commits(sources: Sources) -> Iterator[Finding]:
    """Only what certainly happens: two of them in the straight body of a public method."""
    for source in sources.served:
        if not source.path.endswith("/service.py"):
            continue
        for function in source.functions:
            if function.name.startswith("_"):
                continue
            sessions = sessions_of(function)
            commits = [item for item in function.body if _is_commit(item, sessions)]
            for again in commits[1:]:
                yield Finding(
                    "BK601",
                    Place(source.path, again.lineno),
                    f"{function.name} commits again",
                    f"{function.name} commits more than once: if it fails in between, a half of it "
                    "stays.",
                    "Commit once, as its last act; `await session.flush()` gives what is needed "
                    "before.",
                )


def _is_commit(statement: ast.stmt, sessions: set[str]) -> bool:
    match statement:
        case ast.Expr(
            ast.Await(ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="commit")))
        ):
            return name in sessions
    return False


def _is_route(function: Function) -> bool:
    return any(_ROUTE.search(ast.unparse(item)) for item in function.decorator_list)


_HTTP = ("request", "get", "post", "put", "patch", "delete", "head", "options", "stream", "send")

# What waits for a disk, a network or the processor, and is not in Ruff's ASYNC rules.
BLOCKING = {
    "sqlite3.connect": "aiosqlite, or the session",
    "psycopg.connect": "the session",
    "psycopg2.connect": "the session",
    "pymysql.connect": "the session",
    "sqlalchemy.create_engine": "the session",
    "sqlalchemy.engine.create_engine": "the session",
    "hashlib.scrypt": "`await asyncio.to_thread(...)`",
    "hashlib.pbkdf2_hmac": "`await asyncio.to_thread(...)`",
    "bcrypt.hashpw": "`await asyncio.to_thread(...)`",
    "bcrypt.checkpw": "`await asyncio.to_thread(...)`",
    "argon2.hash_password": "`await asyncio.to_thread(...)`",
    "argon2.verify_password": "`await asyncio.to_thread(...)`",
    "smtplib.SMTP": "`EmailService.enqueue`",
    "smtplib.SMTP_SSL": "`EmailService.enqueue`",
    "socket.create_connection": "`asyncio.open_connection`",
    "socket.getaddrinfo": "`loop.getaddrinfo`",
    "socket.gethostbyname": "`loop.getaddrinfo`",
    "shutil.copyfile": "`await asyncio.to_thread(...)`",
    "shutil.copytree": "`await asyncio.to_thread(...)`",
    "shutil.rmtree": "`await asyncio.to_thread(...)`",
    "shutil.make_archive": "`await asyncio.to_thread(...)`",
    "boto3.client": "`await asyncio.to_thread(...)`",
    "redis.Redis": "`redis.asyncio.Redis`",
    "redis.from_url": "`redis.asyncio.from_url`",
    "ftplib.FTP": "`await asyncio.to_thread(...)`",
    "imaplib.IMAP4_SSL": "`await asyncio.to_thread(...)`",
}
# Objects whose methods do, by the class that makes them.
BLOCKING |= dict.fromkeys(
    ("httpx2.Client", *(f"httpx2.{name}" for name in _HTTP)), "`httpx2.AsyncClient`, and `await`"
)
BLOCKING_OBJECTS = {
    "httpx2.Client": set(_HTTP),
    "argon2.PasswordHasher": {"hash", "verify"},
    "pwdlib.PasswordHash": {"hash", "verify", "verify_and_update"},
    "pwdlib.PasswordHash.recommended": {"hash", "verify", "verify_and_update"},
    "passlib.context.CryptContext": {"hash", "verify", "verify_and_update"},
}


@rule("BK602", "Nothing in `async def` keeps the event loop waiting", facts="sources")
def loop_is_free(sources: Sources) -> Iterator[Finding]:
    for source in sources.served:
        names = imported_names(source)
        objects = _objects_of(source, names)
        for function in source.functions:
            if not isinstance(function, ast.AsyncFunctionDef):
                continue
            for node in own_nodes(function):
                if not isinstance(node, ast.Call):
                    continue
                name = dotted(node.func, names)
                instead = BLOCKING.get(name)
                if instead is None and _is_blocking_method(node.func, objects, names):
                    name, instead = ast.unparse(node.func), "`await asyncio.to_thread(...)`"
                if instead:
                    yield Finding(
                        "BK602",
                        Place(source.path, node.lineno),
                        f"{function.name} calls {name}",
                        f"`{name}` in `async def {function.name}` keeps every other request "
                        "waiting.",
                        f"Use {instead}.",
                    )


def _objects_of(source: Source, names: dict[str, str]) -> dict[str, set[str]]:
    """Names that hold an object with blocking methods."""
    return {
        target.id: BLOCKING_OBJECTS[made]
        for node in source.nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for made in [dotted(node.value.func, names)]
        if made in BLOCKING_OBJECTS
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _is_blocking_method(
    called: ast.expr, objects: dict[str, set[str]], names: dict[str, str]
) -> bool:
    if not isinstance(called, ast.Attribute):
        return False
    if isinstance(called.value, ast.Name):
        return called.attr in objects.get(called.value.id, ())
    if isinstance(called.value, ast.Call):
        return called.attr in BLOCKING_OBJECTS.get(dotted(called.value.func, names), ())
    return False


COROUTINES = frozenset(
    {
        *("close", "commit", "connection", "delete", "execute", "flush", "get", "get_one"),
        *("invalidate", "merge", "refresh", "reset", "rollback", "run_sync", "scalar", "scalars"),
        *("stream", "stream_scalars"),
    }
)
_TASK = re.compile(r"\b(create_task|ensure_future|gather|shield|start_soon|wait|wait_for)$")


@rule("BK603", "Every call of an AsyncSession or of an own coroutine is awaited", facts="sources")
def coroutines_are_awaited(sources: Sources) -> Iterator[Finding]:
    yield from _sessions(sources)
    yield from _own_coroutines(sources)


def _sessions(sources: Sources) -> Iterator[Finding]:
    for source in sources.code:
        if "AsyncSession" not in source.text and "SessionDep" not in source.text:
            continue
        above = parents(source.tree)
        for function in source.functions:
            sessions = sessions_of(function)
            for node in own_nodes(function):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in COROUTINES
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id in sessions
                    and not _is_awaited(node, function, above)
                ):
                    call = f"{node.func.value.id}.{node.func.attr}"
                    yield Finding(
                        "BK603",
                        Place(source.path, node.lineno),
                        f"{function.name}: {call}",
                        f"`{call}(...)` in {function.name} is not awaited, and so does not run.",
                        f"Write `await {call}(...)`.",
                    )


def _is_awaited(call: ast.Call, function: Function, above: dict[ast.AST, ast.AST]) -> bool:
    """Also by somebody that it is handed to: the caller, asyncio, or a name that is awaited."""
    node: ast.AST = call
    while (parent := above.get(node)) is not None and parent is not function:
        if isinstance(parent, ast.Await):
            return True
        if isinstance(parent, ast.Return | ast.Lambda):
            return not isinstance(function, ast.AsyncFunctionDef)
        if isinstance(parent, ast.Call) and _TASK.search(ast.unparse(parent.func)):
            return True
        if isinstance(parent, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
            names = {target.id for target in targets if isinstance(target, ast.Name)}
            return any(
                isinstance(item, ast.Await | ast.Call)
                and any(
                    isinstance(inner, ast.Name) and inner.id in names
                    for inner in ast.walk(item)
                    if inner is not item
                )
                and (isinstance(item, ast.Await) or _hands_over(item, names))
                for item in own_nodes(function)
            )
        if isinstance(parent, ast.Attribute):
            return False
        node = parent
    return False


def _own_coroutines(sources: Sources) -> Iterator[Finding]:
    """A call that is a statement of its own: nothing can await it any more."""
    asynchronous = {name for source in sources.code for name in _coroutines_of(source)}
    for source in sources.code:
        names = imported_names(source)
        here = {node.name for node in source.tree.body if isinstance(node, Definition)}
        for function, cls in _functions_of(source):
            hidden = _names_bound_in(function)
            for node in own_nodes(function):
                if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
                    continue
                called = dotted(node.value.func, {})
                first, _, rest = called.partition(".")
                if cls and rest and first in {"self", "cls"}:
                    target = f"{source.module}.{cls}.{rest}"
                elif first in hidden:
                    continue
                elif first in here:
                    target = f"{source.module}.{called}"
                else:
                    target = dotted(node.value.func, names)
                if target in asynchronous:
                    yield Finding(
                        "BK603",
                        Place(source.path, node.lineno),
                        f"{function.name}: {called}",
                        f"`{called}(...)` in {function.name} is not awaited, and so does not run.",
                        f"Write `await {called}(...)`.",
                    )


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _coroutines_of(source: Source) -> Iterator[str]:
    """`backend.services.users.service.UserService.get`; not what a decorator makes something
    else of, what is also defined as something else, nor what yields."""
    for prefix, body in _bodies_of(source):
        definitions: dict[str, list[ast.stmt]] = {}
        for node in body:
            if isinstance(node, Definition):
                definitions.setdefault(node.name, []).append(node)
        for name, nodes in definitions.items():
            if all(isinstance(node, ast.AsyncFunctionDef) and _is_plain(node) for node in nodes):
                yield f"{prefix}.{name}"


def _bodies_of(source: Source) -> Iterator[tuple[str, list[ast.stmt]]]:
    yield source.module, source.tree.body
    for node in source.tree.body:
        if isinstance(node, ast.ClassDef):
            yield f"{source.module}.{node.name}", node.body


def _is_plain(function: ast.AsyncFunctionDef) -> bool:
    kept = {"staticmethod", "classmethod", "override"}
    return all(
        ast.unparse(item) in kept or _ROUTE.search(ast.unparse(item))
        for item in function.decorator_list
    ) and not any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own_nodes(function))


def _functions_of(source: Source) -> Iterator[tuple[Function, str]]:
    """Each with the name of its class, empty without one."""
    methods = {
        item: node.name
        for node in source.tree.body
        if isinstance(node, ast.ClassDef)
        for item in node.body
        if isinstance(item, Function)
    }
    for function in source.functions:
        yield function, methods.get(function, "")


def _names_bound_in(function: Function) -> set[str]:
    """What stands for something else in there."""
    bound = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    for node in own_nodes(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, Definition):
            bound.add(node.name)
    return bound


def _hands_over(call: ast.Call, names: set[str]) -> bool:
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(isinstance(item, ast.Name) and item.id in names for item in arguments)
