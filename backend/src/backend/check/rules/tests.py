"""The tests of each service."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from backend.check.asserting import asserting_names, conduct_of, tests_in
from backend.check.config import TESTED
from backend.check.finding import Finding, Place
from backend.check.registry import rule
from backend.check.sources import Sources

if TYPE_CHECKING:
    from backend.check.recorded_tests import RecordedTests

__all__: list[str] = []


@rule("BK801", "Each part of a service has a test file, and each test asserts", facts="sources")
def tests_are_there(sources: Sources) -> Iterator[Finding]:
    yield from _missing_files(sources)
    known = asserting_names(sources.tests)
    for source in sources.tests:
        if not Path(source.path).name.startswith("test_"):
            continue
        found = tests_in(source)
        if not found and source.path.startswith("backend/tests/services/"):
            yield Finding(
                "BK801",
                Place(source.path),
                source.module,
                f"{Path(source.path).name} has no test in it.",
                "Write one as docs/guide.md does: `async def test_…(async_session)` with an "
                "`assert`.",
            )
        for name, function in found:
            if not conduct_of(function).does(known):
                yield Finding(
                    "BK801",
                    Place(source.path, function.lineno),
                    name,
                    f"{name} asserts nothing, so it passes whatever the answer is.",
                    "Assert what has to hold afterwards, as in "
                    "`assert response.status_code == 404`.",
                )


def _missing_files(sources: Sources) -> Iterator[Finding]:
    for service in sources.services:
        for module in TESTED:
            if service.modules[module] is not None and service.tests[module] is None:
                path = f"backend/tests/services/{service.name}/test_{service.name}_{module}.py"
                yield Finding(
                    "BK801",
                    Place(path),
                    f"{service.name}.{module}",
                    f"{module}.py of the service {service.name} has no test file.",
                    f"Write {path.removeprefix('backend/')}, as docs/guide.md does.",
                )


@rule("BK802", "Every route is called by a test", facts="tests")
def routes_are_called(tests: "RecordedTests") -> Iterator[Finding]:
    for route in tests.uncalled():
        yield Finding(
            "BK802",
            route.place,
            f"{route.method} {route.path}",
            f"No test calls {route.method} {route.path}.",
            f"Call it in backend/tests/services/{route.service}/, as somebody who may and as "
            "somebody who may not, and run `bin/test`.",
        )
