"""What a server must answer before it is measured: the same to all."""

import asyncio
from typing import Any
from urllib.parse import urlencode, urlsplit

from harness.client import Answer, Connection, encode
from harness.data import PASSWORD
from harness.machine import BenchError
from harness.running import Running

__all__ = ["check", "list_path", "new_item", "sign_in_all"]

PAGE = 50
DEEP = 50_000
WALK_PAGE = 100


def new_item(number: int = 0) -> dict[str, object]:
    return {
        "title": f"A new item, number {number}",
        "body": "Some words about it, as somebody would type them.",
        "status": "live",
        "due_on": "2027-03-01",
    }


def list_path(running: Running, size: int = PAGE, **query: object) -> str:
    return f"{running.server.items}?{urlencode({running.server.page_size: size, **query})}"


def _require(running: Running, holds: bool, what: str, answer: Answer) -> None:
    if not holds:
        raise BenchError(f"{running.name}: {what}; it answered {answer.status} {answer.text[:500]}")


def _rows(running: Running, answer: Answer) -> list[dict[str, Any]]:
    found = answer.json()
    rows: list[dict[str, Any]] = found[running.server.rows] if running.server.rows else found
    return rows


def sign_in_all(running: Running) -> None:
    """Fills `running.tokens`, in the order of the users."""
    tokens = []
    for email in running.data.emails:
        answer = running.sign_in(email)
        _require(running, answer.status in {200, 201}, f"{email} cannot sign in", answer)
        token = answer.json()
        for key in running.server.sign_in.token.split("."):
            token = token[key]
        tokens.append(token)
    running.tokens = tokens


def check(running: Running) -> None:
    """Raises BenchError. Fills `running.deep_path`."""
    _check_sign_in(running)
    _check_me(running)
    _check_list(running)
    _check_create(running)


def _check_sign_in(running: Running) -> None:
    answer = running.sign_in(running.data.emails[0], f"not {PASSWORD}")
    _require(running, 400 <= answer.status < 500, "a wrong password has to be refused", answer)


def _check_me(running: Running) -> None:
    for number in (0, 1, len(running.tokens) - 1):
        answer = running.ask("GET", running.server.me, token=running.tokens[number])
        wanted = f'"{running.data.emails[number]}"'
        _require(running, answer.status == 200 and wanted in answer.text, "me", answer)
    # Another letter in the middle of the signature.
    token = running.tokens[0]
    bad = f"{token[:-10]}{'x' if token[-10] != 'x' else 'y'}{token[-9:]}"
    answer = running.ask("GET", running.server.me, token=bad)
    _require(running, answer.status == 401, "a bad token has to be refused", answer)
    answer = running.ask("GET", running.server.me, token="")
    _require(running, answer.status == 401, "no token has to be refused", answer)


def _check_list(running: Running) -> None:
    titles = running.data.deep_titles
    running.deep_path = _deep_path(running)
    for path, wanted in (
        (list_path(running), titles[:PAGE]),
        (running.deep_path, titles[DEEP : DEEP + PAGE]),
    ):
        answer = running.ask("GET", path)
        _require(running, answer.status == 200, path, answer)
        found = [row["title"] for row in _rows(running, answer)]
        _require(running, found == wanted, f"{path} has other rows", answer)
        row = _rows(running, answer)[0]
        _require(running, len(row) >= 7, f"{path} leaves fields out", answer)


def _deep_path(running: Running) -> str:
    """The path of the page that begins 50,000 rows down, as the server lets one get there."""
    if running.server.next_page is None:
        return f"{list_path(running)}&{running.server.deep}"
    return asyncio.run(_walk(running, running.server.next_page))


async def _walk(running: Running, next_page: str) -> str:
    path = list_path(running, WALK_PAGE)
    connection = await Connection.open(running.port)
    for _ in range(DEEP // WALK_PAGE):
        asked = encode(running.port, "GET", path, token=running.tokens[0])
        answer = await connection.ask(asked)
        _require(running, answer.status == 200, path, answer)
        path = _next(running, answer.json()[next_page])
        if not connection.is_usable:
            connection = await Connection.open(running.port)
    connection.close()
    return path.replace(f"limit={WALK_PAGE}", f"limit={PAGE}")


def _next(running: Running, given: str) -> str:
    """`given` is the whole address of the next page, or a cursor."""
    if given.startswith("http"):
        parts = urlsplit(given)
        return f"{parts.path}?{parts.query}"
    return list_path(running, WALK_PAGE, cursor=given)


def _check_create(running: Running) -> None:
    before = running.count_items()
    answer = running.ask("POST", running.server.items, new_item())
    _require(running, answer.status == 201 and "A new item" in answer.text, "create", answer)
    _require(running, running.count_items() == before + 1, "create has to add one row", answer)
    for wrong in ({"body": "no title"}, {**new_item(), "title": "x" * 121}):
        answer = running.ask("POST", running.server.items, wrong)
        _require(running, answer.status in {400, 422}, f"{wrong} has to be refused", answer)
    wrong = {**new_item(), "status": "sold"}
    answer = running.ask("POST", running.server.items, wrong)
    _require(running, answer.status in {400, 422}, "another status has to be refused", answer)
