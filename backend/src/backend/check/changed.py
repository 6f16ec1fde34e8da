"""Which files differ from the main branch, as git has it."""

import subprocess
from pathlib import Path

from backend.check.config import service_of

__all__ = ["changed_files", "services_in"]

_MAIN = ("origin/HEAD", "origin/main", "origin/master", "main", "master")


def changed_files(root: Path) -> frozenset[str]:
    """What was changed since this branch left the main one, and what git does not know yet.

    Raises ValueError outside a git repository.
    """
    base = next((found for name in _MAIN if (found := _merge_base(root, name))), "HEAD")
    if _git(root, "rev-parse", "--verify", "--quiet", "HEAD") is None:
        tracked = _git(root, "ls-files", "-z")
    else:
        tracked = _git(root, "diff", "--name-only", "--relative", "-z", base)
    untracked = _git(root, "ls-files", "--others", "--exclude-standard", "-z")
    if tracked is None or untracked is None:
        raise ValueError(
            "`--changed` asks git, and this is no git repository. Run `git init`, or leave it out."
        )
    return frozenset(name for name in (tracked + untracked).split("\0") if name)


def services_in(files: frozenset[str]) -> frozenset[str] | None:
    """The services whose files these are; None where others are among them, which may matter to
    every service."""
    found = {service_of(path) for path in files}
    return None if None in found else frozenset(name for name in found if name)


def _merge_base(root: Path, branch: str) -> str | None:
    found = _git(root, "merge-base", "HEAD", branch)
    return found.strip() if found else None


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603
            ["git", *arguments],  # noqa: S607 - the developer's own
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise ValueError("`--changed` needs git, which was not found. Install it.") from None
    return done.stdout if done.returncode == 0 else None
