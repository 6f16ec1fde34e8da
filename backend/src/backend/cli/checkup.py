"""What a check says; importable where the settings are not."""

import platform
import sys
from dataclasses import dataclass
from typing import Literal

__all__ = ["Check", "Status", "python_check"]

MINIMUM_PYTHON = (3, 11)


Status = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Check:
    name: str
    status: Status
    message: str
    remedy: str | None = None


def python_check() -> Check:
    found = f"{platform.python_version()} at {sys.executable}"
    if sys.version_info < MINIMUM_PYTHON:
        return Check("python", "error", found, "Use Python 3.11 or newer.")
    return Check("python", "ok", found)
