import asyncio
import io
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import async_sessionmaker

from tests.cli.command import Command

Invoke = Callable[..., Awaitable["subprocess.CompletedProcess[str]"]]


@pytest.fixture
def backend(tmp_path: Path, database_url: str) -> Command:
    """The command in a process of its own, on this test's own migrated database."""
    return Command(tmp_path / "var", {"DATABASE_URL": database_url})


@pytest.fixture
def fresh_backend(tmp_path: Path) -> Command:
    """The command as it is in a new clone: nothing is set, and nothing is there."""
    return Command(tmp_path / "var", {"DATABASE_URL": "", "PUBLIC_URL": "", "SECRET_KEY": ""})


@pytest.fixture
def invoke(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """The same without a process of its own, for tests whose point is what it does, not how it
    starts: a tenth of the time. It has connections and an event loop of its own."""

    from backend import db
    from backend.cli import runtime
    from backend.core.guarded import GuardedSession
    from backend.main import main
    from backend.settings import parse_database_url, settings

    url = parse_database_url(database_url)

    def run(*arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        engine = db.make_engine(url)
        sessions = async_sessionmaker(
            engine, sync_session_class=GuardedSession, expire_on_commit=False
        )
        out, err = io.StringIO(), io.StringIO()
        with monkeypatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(db, "engine", engine)
            patch.setattr(db, "async_session_maker", sessions)
            patch.setitem(settings.__dict__, "database", url)
            patch.setattr(settings, "data_dir", tmp_path / "var")
            patch.setattr(runtime, "configure_logging", lambda _settings: None)
            patch.setattr(sys, "argv", ["backend", *arguments])
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            try:
                main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 0
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    async def run_in_thread(*arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return await asyncio.to_thread(run, *arguments, stdin=stdin)

    return run_in_thread
