"""The machine: which cores are whose, and how steady it is."""

import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

__all__ = [
    "LOAD_CORE",
    "SERVER_CORE",
    "BenchError",
    "description",
    "loop_seconds",
    "pin_to_load_core",
    "use_both_cores",
]


class BenchError(Exception):
    """The text is for the person who ran the command: no traceback is needed."""


def _cores() -> tuple[int, int]:
    cores = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
    if len(cores) < 2:
        raise BenchError("The benchmark needs Linux and two cores: one is the servers' own.")
    return cores[0], cores[1]


SERVER_CORE, LOAD_CORE = _cores()


def pin_to_load_core() -> None:
    """This process, and with it PostgreSQL, wrk and all else that it starts but the servers."""
    os.sched_setaffinity(0, {LOAD_CORE})


def use_both_cores() -> None:
    """This thread, for what is not measured."""
    os.sched_setaffinity(0, {SERVER_CORE, LOAD_CORE})


_LOOP = """
import time
began = time.perf_counter()
total = 0
for number in range(3_000_000):
    total += number * number % 7
print(time.perf_counter() - began)
"""


def loop_seconds() -> float:
    """What the same bit of arithmetic takes on the servers' core: it should not change."""
    command = ["taskset", "-c", str(SERVER_CORE), sys.executable, "-S", "-c", _LOOP]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def description() -> dict[str, str]:
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    found = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processor": model,
        "cores": str(os.cpu_count()),
        "system": platform.system(),
        "python": platform.python_version(),
    }
    if shutil.which("node"):
        said = subprocess.run(["node", "--version"], check=False, capture_output=True, text=True)
        found["node"] = said.stdout.strip().removeprefix("v")
    return found
