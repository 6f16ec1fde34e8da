"""Writes down which routes each test calls, for `backend check` (BK802)."""

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI

from tests.support.databases import BACKEND

__all__ = ["RecordsCalls"]


class RecordsCalls:
    """A plugin of pytest: requests to the project's app, in this process, by method and template
    of the path. What a server of its own answers is not seen."""

    def __init__(self) -> None:
        self.ran: dict[str, dict[str, set[str]]] = {}
        self.calls: set[str] = set()

    def pytest_sessionstart(self) -> None:
        self.call = FastAPI.__call__
        FastAPI.__call__ = self._recording(FastAPI.__call__)  # type: ignore[method-assign]

    def _recording(self, call: Callable[..., Awaitable[None]]) -> Any:
        async def record_and_call(app: FastAPI, scope: Any, receive: Any, send: Any) -> None:
            try:
                await call(app, scope, receive, send)
            finally:
                ours = sys.modules.get("backend.app")
                if scope["type"] == "http" and ours and app is ours.app:
                    self._note(scope)

        return record_and_call

    def _note(self, scope: Any) -> None:
        included = scope.get("fastapi", {}).get("effective_route_context")
        template = getattr(included or scope.get("route"), "path_format", None)
        if template:
            self.calls.add(f"{scope['method']} {template}")

    def pytest_runtest_setup(self) -> None:
        self.calls = set()

    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        file, _, name = item.nodeid.partition("::")
        function = name.partition("[")[0]
        self.ran.setdefault(file, {}).setdefault(function, set()).update(self.calls)

    def pytest_sessionfinish(self) -> None:
        from backend.check.recorded_tests import add_to_record

        FastAPI.__call__ = self.call  # type: ignore[method-assign]
        if self.ran:
            add_to_record(BACKEND.parent, self.ran)
