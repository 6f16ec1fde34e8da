"""What this backend is to reach, as ratios within one run."""

import operator
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.results import Results

__all__ = ["LIMIT", "US", "Outcome", "outcomes"]

US = "backend"
LIMIT = "limit"

_HOLDS = {"≥": operator.ge, ">": operator.gt, "<": operator.lt, "≤": operator.le}


@dataclass(frozen=True)
class Outcome:
    what: str
    aim: str
    found: str
    is_met: bool
    is_within_noise: bool
    """The aim lies between what the lowest and the highest round gave."""


@dataclass(frozen=True)
class Aim:
    sign: Literal["≥", ">", "<", "≤"]
    number: float
    unit: str = ""
    decimals: int = 2
    name: str = ""

    def outcome(self, what: str, values: Sequence[float]) -> Outcome:
        """`values` are those of the rounds."""
        value = statistics.median(values)
        decimals = self.decimals
        if value != self.number and f"{value:.{decimals}f}" == f"{self.number:.{decimals}f}":
            decimals += 1  # else nobody sees which side it is on
        return Outcome(
            what,
            self.name or f"{self.sign} {self.number:g}{self.unit}",
            f"{value:.{decimals}f}{self.unit}",
            is_met=_HOLDS[self.sign](value, self.number),
            is_within_noise=min(values) < max(values) and min(values) <= self.number <= max(values),
        )


def outcomes(results: Results) -> Iterator[Outcome]:
    """Those for which the run has the figures."""
    for what, aim, values in _asked(results):
        if values:
            yield aim.outcome(what, values)


def _asked(results: Results) -> Iterator[tuple[str, Aim, list[float]]]:
    yield from _throughput(results, "me", Aim("≥", 0.35), Aim("≥", 2.5))
    yield from _throughput(results, "create", Aim("≥", 0.22), Aim("≥", 2))
    yield from _throughput(results, "list", Aim("≥", 0.27), Aim(">", 1))
    deep = results.ratios(("deep", US), ("list", US), "per_second")
    yield "deep page, of the first", Aim("≥", 0.9), deep

    share = results.values("sign-in", US, "share")
    yield "sign-in, of what the hash alone allows", Aim("≥", 0.95), share
    unanswered = [100 * value for value in results.values("burst", US, "unanswered")]
    yield "`me` unanswered during the burst", Aim("≤", 0, "%", 1, "none"), unanswered
    for figure, most in (("p50", 5), ("p99", 30)):
        values = results.values("burst", US, f"{figure}_ms")
        yield f"`me` during the burst, {figure}", Aim("<", most, " ms", 1), values
    share = results.values("burst", US, "share")
    yield "sign-ins during it, of what the hash allows", Aim("≥", 0.65), share

    start = results.values("start", US, "seconds")
    yield "process start to the first answer", Aim("≤", 1, " s"), start
    idle = results.values("memory", US, "idle_mb")
    yield "memory of an idle worker", Aim("≤", 100, " MB", 0), idle
    growth = results.values("memory", US, "growth_mb")
    yield "more after 50,000 requests", Aim("≤", 5, " MB", 1), growth


def _throughput(
    results: Results, workload: str, of_limit: Aim, of_best_peer: Aim
) -> Iterator[tuple[str, Aim, list[float]]]:
    us = (workload, US)
    of_the_limit = results.ratios(us, (workload, LIMIT), "per_second")
    yield f"{workload}, of the limit", of_limit, of_the_limit
    best = results.best_peer(workload, "per_second")
    if best:
        ratios = results.ratios(us, (workload, best), "per_second")
        yield f"{workload}, of the best peer ({best})", of_best_peer, ratios
