"""A request is answered as FastAPI alone would answer it, however many routers there are."""

import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import PlainTextResponse
from httpx2 import ASGITransport, AsyncClient
from starlette.routing import Match, Mount
from starlette.types import Scope

from backend.core.routing import install_routing

CALLS = [
    ("GET", "/"),
    ("GET", "/plain"),
    ("GET", "/api/notes"),
    ("GET", "/api/notes/"),
    ("POST", "/api/notes"),
    ("PUT", "/api/notes"),
    ("GET", "/api/notes/7"),
    ("GET", "/api/notes/latest"),
    ("GET", "/api/notes/7/lines"),
    ("GET", "/api/notes/7/nothing"),
    ("DELETE", "/api/notes/7"),
    ("GET", "/api/tasks/1"),
    ("GET", "/api/none"),
    ("GET", "/api"),
    ("GET", "//api/notes"),
    ("GET", "/files/notes.txt"),
    ("GET", "/anything"),
    ("GET", "/anything/else"),
    ("GET", "/anything/else/again"),
]


def make_app() -> FastAPI:
    """With what makes a router hard to place: parameters at once, mounts, two of one prefix."""
    notes, lines, any_path = APIRouter(prefix="/notes"), APIRouter(prefix="/notes"), APIRouter()

    @notes.get("")
    @notes.post("")
    @notes.get("/{note_id}")
    @notes.delete("/{note_id}")
    @lines.get("/latest")
    @lines.get("/{note_id}/lines")
    @any_path.get("/{first}/else")
    def answer(request: Request) -> dict[str, object]:
        route = request.scope["route"]
        return {
            "route": [route.path, sorted(route.methods)],
            "parameters": request.path_params,
            "url": request.url_for("read_root").path,
        }

    app = FastAPI()
    app.get("/", name="read_root")(answer)
    app.get("/plain")(answer)
    app.include_router(notes, prefix="/api")
    app.include_router(any_path)
    app.include_router(lines, prefix="/api")
    app.router.routes.append(Mount("/files", app=PlainTextResponse("a file")))
    return app


Answer = tuple[str, str, int, str | None, str | None, str]


async def answers(app: FastAPI) -> list[Answer]:
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        found = []
        for method, path in CALLS:
            answer = await client.request(method, path)
            allow, location = answer.headers.get("Allow"), answer.headers.get("Location")
            found.append((method, path, answer.status_code, allow, location, answer.text))
    return found


@pytest.mark.parametrize("root_path", ["", "/behind/a/proxy"])
async def test_the_same_routes_answer(root_path: str) -> None:
    plain, indexed = make_app(), make_app()
    plain.root_path = indexed.root_path = root_path
    install_routing(indexed)
    expected = await answers(plain)
    assert await answers(indexed) == expected
    assert {answer[2] for answer in expected} == {200, 307, 404, 405}


async def test_a_router_that_comes_later_is_found() -> None:
    app = make_app()
    install_routing(app)
    before = await answers(app)
    tasks = APIRouter(prefix="/tasks")
    tasks.get("/{task_id}")(lambda: "a task")
    app.include_router(tasks, prefix="/api")
    changed = set(await answers(app)) - set(before)
    assert changed == {("GET", "/api/tasks/1", 200, None, None, '"a task"')}


async def test_only_routers_that_begin_alike_are_asked() -> None:
    asked: list[str] = []

    class Router(APIRouter):
        def matches(self, scope: Scope) -> tuple[Match, Scope]:
            asked.append(self.prefix)
            return super().matches(scope)

    app = FastAPI()
    for number in range(100):
        router = Router(prefix=f"/things{number}")
        router.get("/{thing_id}")(lambda: "a thing")
        app.include_router(router, prefix="/api")
    install_routing(app)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/api/things99/1")).status_code == 200
    assert asked == ["/things99"]
