"""Where probes may do what they like: a database of their own, and no way out of this process."""

import io
import shutil
import socket
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import (
    asynccontextmanager,
    closing,
    contextmanager,
    redirect_stderr,
    redirect_stdout,
)
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import SecretStr
from sqlalchemy import Engine, MetaData, NullPool, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine

from backend import db
from backend.core.observe import recorded_events
from backend.settings import parse_database_url, settings

__all__ = ["Output", "Scratch", "StoppedError", "scratch"]


class StoppedError(ConnectionRefusedError):
    """A probe tried to leave this process."""

    raised: ClassVar[list["StoppedError"]] = []
    """All of them, since the app may answer one with something else."""

    def __init__(self, what: str) -> None:
        self.raised.append(self)
        super().__init__(f"`backend check` stopped {what}: a probe stays in its own process")


class Output:
    """What was logged and printed."""

    def __init__(self, events: list[dict[str, Any]], printed: io.StringIO) -> None:
        self.events = events
        self.printed = printed
        self._taken = 0

    def take(self) -> tuple[list[dict[str, Any]], str]:
        """What is new since it was asked last."""
        events = self.events[self._taken :]
        self._taken = len(self.events)
        printed = self.printed.getvalue()
        self.printed.seek(0)
        self.printed.truncate()
        return events, printed


@dataclass(frozen=True)
class Scratch:
    database: Engine
    """Beside the app's own engine, to put rows into the database and to look at them."""
    output: Output


@asynccontextmanager
async def scratch(migrated: Path | None, metadata: MetaData) -> AsyncIterator[Scratch]:
    """The app works on a copy of `migrated` and on an empty DATA_DIR, its mail is not delivered,
    and what it writes to the terminal is recorded. Afterwards everything is as it was.

    Where the migrations do not make what the models declare, the tables are made from the models:
    other rules say what is wrong with the migrations.
    """
    with tempfile.TemporaryDirectory(prefix="backend-check-") as name:
        folder = Path(name)
        file = folder / "scratch.db"
        _make_database(file, migrated, metadata)
        address = f"sqlite:///{file.as_posix()}"
        engine = db.make_engine(parse_database_url(address))
        event.listen(engine.sync_engine, "connect", _be_quick)
        direct = create_engine(address)
        event.listen(direct, "connect", _be_quick)
        own = {
            "data_dir": folder,
            "database_url": SecretStr(address),
            "database": parse_database_url(address),
            "smtp_url": SecretStr(""),
        }
        printed = io.StringIO()
        with (
            _replaced(vars(settings), own),
            _instead_of_the_developers(engine),
            _without_network(),
            redirect_stdout(printed),
            redirect_stderr(printed),
            recorded_events() as events,
        ):
            try:
                yield Scratch(direct, Output(events, printed))
            finally:
                await engine.dispose()
                direct.dispose()


def _make_database(file: Path, migrated: Path | None, metadata: MetaData) -> None:
    if migrated is not None:
        shutil.copyfile(migrated, file)
        if _has_all(file, metadata):
            return
        file.unlink()
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    metadata.create_all(engine)
    engine.dispose()


def _has_all(file: Path, metadata: MetaData) -> bool:
    with closing(sqlite3.connect(file)) as connection:
        return all(
            {column.name for column in table.columns}
            == {
                row[0]
                for row in connection.execute(
                    "SELECT name FROM pragma_table_info(?)", (table.name,)
                )
            }
            for table in metadata.tables.values()
        )


def _be_quick(connection: DBAPIConnection, _entry: object) -> None:
    """Nothing here has to outlive the power."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=MEMORY")
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


@contextmanager
def _replaced(mapping: MutableMapping[str, Any], values: dict[str, Any]) -> Iterator[None]:
    before = {name: mapping[name] for name in values if name in mapping}
    mapping.update(values)
    try:
        yield
    finally:
        for name in values:
            if name in before:
                mapping[name] = before[name]
            else:
                del mapping[name]


@contextmanager
def _instead_of_the_developers(engine: AsyncEngine) -> Iterator[None]:
    """Who kept the developer's engine from an import gets no connection from it meanwhile."""
    before = db.engine

    def refuse(*_arguments: Any) -> None:
        raise StoppedError("a connection to the developer's database")

    listeners = ("do_connect", "checkout")
    for name in listeners:
        event.listen(before.sync_engine, name, refuse, insert=True)
    db.async_session_maker.configure(bind=engine)
    db.engine = engine
    try:
        yield
    finally:
        db.engine = before
        db.async_session_maker.configure(bind=before)
        for name in listeners:
            event.remove(before.sync_engine, name, refuse)


@contextmanager
def _without_network() -> Iterator[None]:
    """Before a packet is sent, and before a name is looked up."""
    before = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendto")}
    look_up = socket.getaddrinfo

    def refuse(_socket: socket.socket, *arguments: Any) -> Any:
        raise StoppedError(f"a connection to {arguments[-1]}")

    def refuse_name(host: Any, *_arguments: Any, **_options: Any) -> Any:
        raise StoppedError(f"a connection to {host}")

    for name in before:
        setattr(socket.socket, name, refuse)
    socket.getaddrinfo = refuse_name
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(socket.socket, name, function)
        socket.getaddrinfo = look_up
