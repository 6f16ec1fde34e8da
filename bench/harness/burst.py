"""`me` at a fixed rate, whether or not the one before was answered, while many sign in."""

import asyncio
import gc
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import uvloop

from harness.client import Connection
from harness.machine import BenchError

__all__ = ["Burst", "run_burst"]

UNANSWERED_AFTER_SECONDS = 10.0


@dataclass(frozen=True)
class Burst:
    """Latency counts from the moment at which a request was due."""

    sent: int
    unanswered: int
    p50_ms: float
    p99_ms: float
    sign_ins_per_second: float


def run_burst(
    port: int,
    me: Sequence[bytes],
    sign_ins: Sequence[bytes],
    *,
    seconds: float,
    per_second: int = 200,
    connections: int = 16,
) -> Burst:
    gc.collect()
    gc.disable()  # its pauses would count as the server's
    try:
        return uvloop.run(_Load(port, me, sign_ins, seconds, per_second).run(connections))
    finally:
        gc.enable()


class _Load:
    def __init__(
        self,
        port: int,
        me: Sequence[bytes],
        sign_ins: Sequence[bytes],
        seconds: float,
        per_second: int,
    ) -> None:
        self.port = port
        self.me = me
        self.sign_ins = sign_ins
        self.seconds = seconds
        self.per_second = per_second
        self.idle: list[Connection] = []
        self.latencies: list[float] = []
        self.unanswered = 0
        self.signed_in = 0
        self.refused: list[int] = []

    async def run(self, connections: int) -> Burst:
        began = time.perf_counter()
        ends = began + self.seconds
        people = [asyncio.create_task(self._sign_in(number, ends)) for number in range(connections)]
        asked = []
        for number in range(int(self.seconds * self.per_second)):
            due = began + number / self.per_second
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            asked.append(asyncio.create_task(self._ask(number, due)))
        await asyncio.gather(*asked)
        for person in people:
            person.cancel()
        await asyncio.gather(*people, return_exceptions=True)
        for connection in self.idle:
            connection.close()
        if self.refused:
            raise BenchError(f"answers during the burst that were no 2xx: {self.refused[:5]}")
        # One that was not answered took longer than all others.
        latencies = sorted([*self.latencies, *[UNANSWERED_AFTER_SECONDS] * self.unanswered])
        return Burst(
            sent=len(asked),
            unanswered=self.unanswered,
            p50_ms=statistics.median(latencies) * 1000,
            p99_ms=latencies[int(len(latencies) * 0.99)] * 1000,
            sign_ins_per_second=self.signed_in / self.seconds,
        )

    async def _ask(self, number: int, due: float) -> None:
        try:
            async with asyncio.timeout(due + UNANSWERED_AFTER_SECONDS - time.perf_counter()):
                connection = self.idle.pop() if self.idle else await Connection.open(self.port)
                answer = await connection.ask(self.me[number % len(self.me)])
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            self.unanswered += 1
            return
        self.latencies.append(time.perf_counter() - due)
        if answer.status != 200:
            self.refused.append(answer.status)
        if connection.is_usable:
            self.idle.append(connection)

    async def _sign_in(self, number: int, ends: float) -> None:
        """Again and again, until the burst is over; what is answered after that does not count."""
        connection: Connection | None = None
        while time.perf_counter() < ends:
            connection = connection or await Connection.open(self.port)
            answer = await connection.ask(self.sign_ins[number % len(self.sign_ins)])
            number += 7
            if answer.status >= 300:
                self.refused.append(answer.status)
            if time.perf_counter() < ends:
                self.signed_in += 1
            if not connection.is_usable:
                connection = None
