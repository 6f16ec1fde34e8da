"""wrk: as many requests as a server answers, by connections that are kept."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.client import body_of
from harness.machine import BenchError
from harness.places import WORK

__all__ = ["Load", "Sent", "wrk"]

_SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True)
class Sent:
    """One request that wrk repeats."""

    method: str
    path: str
    token: str = ""
    content: object = None
    form: bool = False

    def as_lua(self) -> str:
        headers = {"Accept": "application/json"}
        body = "nil"
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.content is not None:
            headers["Content-Type"], text = body_of(self.content, form=self.form)
            body = _quoted(text)
        named = ", ".join(
            f"[ {_quoted(name)} ] = {_quoted(text)}" for name, text in headers.items()
        )
        return f"{{{_quoted(self.method)}, {_quoted(self.path)}, {{{named}}}, {body}}}"


def _quoted(text: str) -> str:
    return f"[==[{text}]==]"


@dataclass(frozen=True)
class Load:
    answers: int
    per_second: float
    p50_ms: float
    p99_ms: float


def wrk(port: int, requests: list[Sent], *, connections: int, seconds: float) -> Load:
    """Raises BenchError where an answer was not a 2xx, or a connection broke."""
    listed = WORK / "requests.lua"
    listed.write_text(f"return {{{', '.join(item.as_lua() for item in requests)}}}", "utf-8")
    whole = max(1, round(seconds))
    command = [
        *("wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{whole}s"),
        *("--timeout", "60s", "--script", str(_SCRIPT), f"http://127.0.0.1:{port}/"),
        *("--", str(listed)),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    _, found, line = result.stdout.partition("RESULT ")
    if not found:
        raise BenchError(f"wrk said:\n{result.stdout}{result.stderr}")
    said = json.loads(line)
    if said["refused"] or said["broken"]:
        raise BenchError(
            f"{said['refused']} of {said['answers']} answers to {requests[0].path} were no 2xx, "
            f"and {said['broken']} connections broke"
        )
    seconds_taken = said["microseconds"] / 1_000_000
    return Load(
        said["answers"],
        said["answers"] / seconds_taken,
        said["p50"] / 1000,
        said["p99"] / 1000,
    )
