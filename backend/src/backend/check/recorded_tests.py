"""Which routes each test called: `tests/conftest.py` writes it down, the check reads it."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from backend.check.asserting import tests_in
from backend.check.cache import cache_folder
from backend.check.project import NotExamined
from backend.check.sources import Source, Sources

if TYPE_CHECKING:
    from backend.check.routes import Route, Routes

# Tests of the tools: what they call is a copy of the project, or a server of its own.
_ON_COPIES = tuple(
    f"backend/tests/{folder}/" for folder in ("browser", "check", "deploy", "guide", "scaffold")
)
_CLIENT = re.compile(r"\b(async_client|accounts|ASGITransport)\b")

__all__ = ["Record", "RecordedTests", "add_to_record", "record_path", "take_record"]

Record = dict[str, dict[str, list[str]]]
"""By test file, relative to `backend/`, and function: `["GET /api/users/{id}"]`."""


def record_path(root: Path) -> Path:
    return cache_folder(root) / "tests.json"


def add_to_record(root: Path, ran: Mapping[str, Mapping[str, set[str]]]) -> None:
    """What other tests called stays. Where nothing can be written, nothing is kept."""
    path = record_path(root)
    record = _read(path)
    for file, functions in ran.items():
        known = record.setdefault(file, {})
        known.update({name: sorted(calls) for name, calls in functions.items()})
    try:
        path.parent.mkdir(exist_ok=True)
        draft = path.with_name(f"tests.{os.getpid()}")
        draft.write_text(json.dumps(record, indent=1, sort_keys=True), encoding="utf-8")
        draft.replace(path)
    except OSError:
        return


def take_record(copy: Path, root: Path) -> None:
    """What tests called that ran in a copy of the project counts here too."""
    record = _read(record_path(copy))
    add_to_record(
        root,
        {
            file: {name: set(calls) for name, calls in functions.items()}
            for file, functions in record.items()
        },
    )


def _read(path: Path) -> Record:
    try:
        record: Record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record


class RecordedTests:
    """Raises NotExamined where no test has run yet."""

    def __init__(self, sources: Sources, root: Path, routes: "Callable[[], Routes]") -> None:
        self.sources = sources
        self.record = _read(record_path(root))
        self._routes = routes
        if not self.record:
            raise NotExamined("run `bin/test` first: no test has written down what it calls.")

    @cached_property
    def routes(self) -> "list[Route]":
        return [
            route
            for route in self._routes()
            if route.service is not None and route.kind in {"operation", "plain"}
        ]

    @property
    def count(self) -> int:
        return len(self.called)

    @property
    def examined(self) -> str:
        text = f"{len(self.called)} routes that tests called"
        if waiting := [route for route in self._not_called if self._may_be_called(route)]:
            text += f" ({len(waiting)} more wait for tests that have not run: `bin/test`)"
        return text

    def uncalled(self) -> "Iterator[Route]":
        """What no test calls, where every test that may do it has run."""
        for route in self._not_called:
            if not self._may_be_called(route):
                yield route

    @cached_property
    def called(self) -> frozenset[str]:
        """By tests that are still there."""
        return frozenset(
            call
            for source, names in self._tests
            for name, calls in self.record.get(_file_of(source), {}).items()
            if name in names
            for call in calls
        )

    @cached_property
    def _tests(self) -> list[tuple[Source, list[str]]]:
        return [
            (source, [name for name, _function in tests_in(source)])
            for source in self.sources.tests
            if Path(source.path).name.startswith("test_")
        ]

    @cached_property
    def _not_called(self) -> "list[Route]":
        return [item for item in self.routes if f"{item.method} {item.path}" not in self.called]

    def _may_be_called(self, route: "Route") -> bool:
        """By a test that has not run: one of its service, one that names its paths, or any where
        the fixtures do."""
        beginning = "/".join(route.path.split("{")[0].split("/")[:3]).rstrip("/")
        of_service = f"backend/tests/services/{route.service}/"
        return any(
            source.path.startswith(of_service)
            or beginning in source.text
            or any(beginning in support.text for support in self._support)
            for source in self._not_run
        )

    @cached_property
    def _support(self) -> list[Source]:
        return [
            source
            for source in self.sources.tests
            if source.path.startswith("backend/tests/support/")
        ]

    @cached_property
    def _not_run(self) -> list[Source]:
        """Files with a test that has not run, and that could call the app."""
        return [
            source
            for source, names in self._tests
            if _CLIENT.search(source.text)
            and not source.path.startswith(_ON_COPIES)
            and set(names) - set(self.record.get(_file_of(source), ()))
        ]


def _file_of(source: Source) -> str:
    return source.path.removeprefix("backend/")
