"""What this backend is to reach, as ratios within one run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.results import Results

__all__ = ["Outcome", "outcomes"]

US = "backend"
LIMIT = "limit"


@dataclass(frozen=True)
class Outcome:
    workload: str
    what: str
    aim: str
    found: str
    is_met: bool


def outcomes(results: Results) -> Iterator[Outcome]:
    """Those for which the run has the figures."""
    yield from _throughput(results, "me", of_limit=0.35, of_best_peer=2.5)
    yield from _throughput(results, "create", of_limit=0.22, of_best_peer=2)
    yield from _throughput(results, "list", of_limit=0.27, of_best_peer=1)
    yield from _deep(results)
    share = _figure(results, "sign-in", "share", "sign-in, of what the hash alone allows")
    yield from share("≥ 0.95", lambda value: value >= 0.95, "{:.2f}")
    burst = [
        ("unanswered", "`me` unanswered during the burst", "none", lambda v: v == 0, "{:.1%}"),
        ("p50_ms", "`me` during the burst, p50", "< 5 ms", lambda v: v < 5, "{:.1f} ms"),
        ("p99_ms", "`me` during the burst, p99", "< 30 ms", lambda v: v < 30, "{:.1f} ms"),
        (
            "share",
            "sign-ins during it, of what the hash allows",
            "≥ 0.65",
            lambda v: v >= 0.65,
            "{:.2f}",
        ),
    ]
    for figure, what, aim, holds, form in burst:
        yield from _figure(results, "burst", figure, what)(aim, holds, form)
    start = _figure(results, "start", "seconds", "process start to the first answer")
    yield from start("≤ 1.0 s", lambda value: value <= 1.0, "{:.2f} s")
    idle = _figure(results, "memory", "idle_mb", "memory of an idle worker")
    yield from idle("≤ 100 MB", lambda value: value <= 100, "{:.0f} MB")
    growth = _figure(results, "memory", "growth_mb", "more after 50,000 requests")
    yield from growth("≤ 5 MB", lambda value: value <= 5, "{:.1f} MB")


def _throughput(
    results: Results, workload: str, *, of_limit: float, of_best_peer: float
) -> Iterator[Outcome]:
    limit = results.ratio(workload, US, LIMIT, "per_second")
    if limit is not None:
        yield Outcome(
            workload,
            f"{workload}, of the limit",
            f"≥ {of_limit}",
            f"{limit:.2f}",
            limit >= of_limit,
        )
    best = results.best_peer(workload, "per_second")
    peer = results.ratio(workload, US, best, "per_second") if best else None
    if best and peer is not None:
        yield Outcome(
            workload,
            f"{workload}, of the best peer ({best})",
            f"≥ {of_best_peer}" if of_best_peer != 1 else "> 1",
            f"{peer:.2f}",
            peer >= of_best_peer,
        )


def _deep(results: Results) -> Iterator[Outcome]:
    deep = results.median("deep", US, "per_second")
    first = results.median("list", US, "per_second")
    if deep and first:
        ratio = deep / first
        yield Outcome("deep", "deep page, of the first", "≥ 0.9", f"{ratio:.2f}", ratio >= 0.9)


def _figure(
    results: Results, workload: str, figure: str, what: str
) -> Callable[[str, Callable[[float], bool], str], Iterator[Outcome]]:
    def outcome(aim: str, holds: Callable[[float], bool], form: str) -> Iterator[Outcome]:
        value = results.median(workload, US, figure)
        if value is not None:
            yield Outcome(workload, what, aim, form.format(value), holds(value))

    return outcome
