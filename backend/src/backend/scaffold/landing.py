"""Takes a tried change over into the source tree, and back again where something fails."""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from backend.cli.errors import CommandError
from backend.scaffold.checkout import Checkout
from backend.scaffold.staging import Change

__all__ = ["interruptible", "land"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def land(checkout: Checkout, changes: Sequence[Change], last: Callable[[], None]) -> None:
    """Makes the changes and then `last`. If anything fails or interrupts, all is as it was."""
    for change in changes:
        if checkout.read(change.path) != change.before:
            raise CommandError(
                f"{change.path} was changed while this command ran. Nothing was changed by it; "
                "run it again."
            )
    made: list[Path] = []
    done: list[Change] = []
    try:
        for change in changes:
            with _uninterrupted():
                done.append(change)
                _put(checkout.folder / change.path, change.after, made)
        last()
    except BaseException as error:
        with _uninterrupted():
            for change in reversed(done):
                _put(checkout.folder / change.path, change.before, [])
            for folder in reversed(made):
                _remove_if_empty(folder)
        if _caused_by_interrupt(error):
            raise KeyboardInterrupt from None
        raise
    for change in changes:
        if change.after is None:
            _remove_if_empty((checkout.folder / change.path).parent)


@contextmanager
def interruptible() -> Iterator[None]:
    """A signal to end the process ends it as Ctrl-C does, so that what was begun is undone."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """A signal that comes meanwhile is delivered at the end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _caused_by_interrupt(error: BaseException | None) -> bool:
    """A driver that is interrupted says that its connection is gone."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _put(file: Path, content: bytes | None, made: list[Path]) -> None:
    """Replaces the file as a whole, so that nobody reads half of it."""
    if content is None:
        file.unlink(missing_ok=True)
        return
    missing = [folder for folder in (file.parent, *file.parent.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir()
        made.append(folder)
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o666 & ~_umask()
    handle, draft = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as output:
            output.write(content)
        Path(draft).chmod(mode)
        Path(draft).replace(file)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _remove_if_empty(folder: Path) -> None:
    """A folder that holds nothing but what Python compiled."""
    if folder.is_dir() and {path.name for path in folder.iterdir()} <= {"__pycache__"}:
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)
        with suppress(OSError):
            folder.rmdir()
