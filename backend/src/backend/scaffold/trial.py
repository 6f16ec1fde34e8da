"""What every change goes through in the copy before it is taken over."""

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from backend.check.recorded_tests import take_record
from backend.cli.errors import CommandError
from backend.scaffold.checkout import Checkout
from backend.scaffold.outcome import Revision, Written
from backend.scaffold.staging import Staging

__all__ = ["keep_test_record", "revise", "tidy", "tidy_paths", "try_out"]


def tidy_paths(staging: Staging, paths: Iterable[str]) -> list[str]:
    """Those that Ruff would leave as they are, so that it may be run on them after a change."""
    return [path for path in paths if _is_tidy(staging, path)]


def _is_tidy(staging: Staging, path: str) -> bool:
    for command in (("format", "--check"), ("check", "--select=I")):
        done = subprocess.run(  # noqa: S603 - this Python, and no shell
            [sys.executable, "-m", "ruff", *command, "--quiet", path],
            cwd=staging.folder,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            return False
    return True


def tidy(staging: Staging, paths: Sequence[str]) -> None:
    """Sorts imports and formats. What Ruff finds beyond that is for `backend check` to say."""
    if not paths:
        return
    failure = "Ruff cannot read what was written."
    fix = ("check", "--fix", "--exit-zero", "--quiet")
    staging.run("-m", "ruff", *fix, *paths, failure=failure)
    staging.run("-m", "ruff", "format", "--quiet", *paths, failure=failure)


def revise(staging: Staging, revision: Revision) -> Written:
    """The migration for what has changed in the service's table, and nothing else."""
    output = staging.run(
        "-m",
        "backend.scaffold.revising",
        json.dumps(asdict(revision)),
        failure="The migration cannot be made.",
    )
    written = Written(**json.loads(output.splitlines()[-1]))
    if written.strangers:
        raise CommandError(
            f"The models and the migrations differ in {', '.join(written.strangers)}, which is "
            "not of this service. Nothing was changed. Make that migration first, with "
            '`uv run alembic revision --autogenerate -m "…"`.'
        )
    if written.path is not None:
        staging.created(written.path)
    return written


def try_out(staging: Staging, service: str) -> str:
    """Runs the service's tests and `backend check` on it; what pytest says in sum."""
    tests = staging.start(
        *("-m", "pytest", f"tests/services/{service}"),
        *("--quiet", "--database", "sqlite", "-p", "no:cacheprovider"),
    )
    check = staging.start("-m", "backend.main", "check", service, "--no-cache", "--format=json")
    said = tests.output()
    if not tests.succeeded:
        raise CommandError(
            f"The tests of {service} fail. Nothing was changed.\n\n{staging.shown(said)}"
        )
    if found := _findings(check.output()):
        raise CommandError(
            f"`backend check` has findings in {service}. Nothing was changed.\n\n"
            f"{staging.shown(found)}"
        )
    return said.strip().splitlines()[-1].strip("= ")


def keep_test_record(staging: Staging, checkout: Checkout) -> None:
    """`backend check` asks which routes the tests call, and these tests have run."""
    take_record(staging.folder.parent, checkout.folder.parent)


def _findings(output: str) -> str:
    """Errors, and what was not examined; empty for none. What the tests called is written down by
    the tests, which run at the same time."""
    try:
        report = json.loads(output[output.index("{") :])
    except ValueError:
        return output
    return "\n".join(
        [
            *(
                f"{item['path']}:{item['line']}: {item['rule']} {item['message']}\n"
                f"    {item['remedy']}"
                for item in report["findings"]
                if item["level"] == "error"
            ),
            *(
                f"{item['fact']} were not examined: {item['reason']}"
                for item in report["not_examined"]
                if item["fails"] and item["fact"] != "tests"
            ),
            *(item["traceback"] for item in report["crashes"]),
        ]
    )
