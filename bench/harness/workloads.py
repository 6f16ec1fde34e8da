"""What is measured. Each function measures one server once; the figures have names."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from harness.burst import run_burst
from harness.checks import list_path, new_item
from harness.client import encode
from harness.data import PASSWORD
from harness.load import Sent, wrk
from harness.machine import BenchError
from harness.running import Running

__all__ = [
    "FULL",
    "ONCE",
    "QUICK",
    "ROUNDS",
    "WORKLOADS",
    "Figures",
    "Plan",
    "Workload",
    "first_page",
    "me",
    "search",
    "sign_in",
]

Figures = dict[str, float]

ME_CONNECTIONS = 32
CONNECTIONS = 16
LONGEST_PIECE_SECONDS = 5


@dataclass(frozen=True)
class Plan:
    rounds: int
    seconds: float
    warm_seconds: float
    """Before each round, and after each restart that something is measured after."""
    hash_seconds: float
    burst_seconds: float
    starts: int
    requests_for_memory: int
    least_sign_ins: int
    """A closed loop of 16 needs some turns until the first and the last one do not count."""
    signed_in: int
    of_peers: Collection[str]
    """The workloads that the peers are measured in too."""


FULL = Plan(
    rounds=3,
    seconds=5,
    warm_seconds=3,
    hash_seconds=2,
    burst_seconds=10,
    starts=5,
    requests_for_memory=50_000,
    least_sign_ins=64,
    signed_in=64,
    of_peers=("me", "create", "list", "deep", "sign-in", "burst", "start", "memory"),
)
QUICK = Plan(
    rounds=1,
    seconds=1,
    warm_seconds=1,
    hash_seconds=0.4,
    burst_seconds=1.5,
    starts=1,
    requests_for_memory=3_000,
    least_sign_ins=32,
    signed_in=8,
    of_peers=("me", "create", "list", "start"),
)


def me(running: Running, plan: Plan) -> Figures:
    sent = [Sent("GET", running.server.me, token) for token in running.tokens]
    return _load(running, sent, plan, connections=ME_CONNECTIONS)


def create(running: Running, plan: Plan) -> Figures:
    sent = [
        Sent("POST", running.server.items, token, new_item(number))
        for number, token in enumerate(running.tokens)
    ]
    before = running.count_items()
    figures = _load(running, sent, plan)
    added = running.count_items() - before
    # What was under way at the end was stored and not answered any more.
    if not figures["answers"] <= added <= figures["answers"] + CONNECTIONS:
        raise BenchError(f"{running.name}: {figures['answers']} created, {added} are there")
    return figures


def first_page(running: Running, plan: Plan) -> Figures:
    sent = [Sent("GET", list_path(running), token) for token in running.tokens]
    return _load(running, sent, plan)


def search(running: Running, plan: Plan) -> Figures:
    """Of the owner's rows some match, and not as many as fill the page: all are looked at."""
    path = list_path(running, search="7 OF THE")
    return _load(running, [Sent("GET", path, token) for token in running.tokens], plan)


def deep(running: Running, plan: Plan) -> Figures:
    return _load(running, [Sent("GET", running.deep_path, running.tokens[0])], plan)


def sign_in(running: Running, plan: Plan) -> Figures:
    hashes = float(running.hashing("speed", PASSWORD, str(plan.hash_seconds)))
    seconds = max(plan.seconds, plan.least_sign_ins / hashes)
    load = wrk(running.port, _sign_ins(running), connections=CONNECTIONS, seconds=seconds)
    running.settle()
    return {
        "per_second": load.per_second,
        "hashes_per_second": hashes,
        "share": load.per_second / hashes,
    }


def burst(running: Running, plan: Plan) -> Figures:
    hashes = float(running.hashing("speed", PASSWORD, str(plan.hash_seconds)))
    answer = run_burst(
        running.port,
        [encode(running.port, "GET", running.server.me, token=token) for token in running.tokens],
        [
            encode(running.port, item.method, item.path, item.content, form=item.form)
            for item in _sign_ins(running)
        ],
        seconds=plan.burst_seconds,
    )
    # Some still work at what they were asked: the next one is to be measured alone.
    running.restart()
    return {
        "p50_ms": answer.p50_ms,
        "p99_ms": answer.p99_ms,
        "unanswered": answer.unanswered / answer.sent,
        "sign_ins_per_second": answer.sign_ins_per_second,
        "share": answer.sign_ins_per_second / hashes,
    }


def start(running: Running, plan: Plan) -> Figures:
    seconds = sorted(running.restart() for _ in range(plan.starts))
    return {"seconds": seconds[len(seconds) // 2]}


def memory(running: Running, plan: Plan) -> Figures:
    running.restart()
    time.sleep(1)
    idle = running.memory()
    done = 0.0
    seconds = 1
    while done < plan.requests_for_memory:
        load = me(running, replace(plan, seconds=seconds))
        done += load["answers"]
        # It gets faster as it warms up: in short pieces, so that none is asked much more.
        left = (plan.requests_for_memory - done) / load["per_second"]
        seconds = max(1, min(LONGEST_PIECE_SECONDS, int(left)))
    after = running.memory()
    return {
        "idle_mb": idle["rss"],
        "growth_mb": after["rss"] - idle["rss"],
        "idle_pss_mb": idle["pss"],
        "requests": done,
    }


def _sign_ins(running: Running) -> list[Sent]:
    sign_in = running.server.sign_in
    return [
        Sent(
            "POST",
            sign_in.path,
            content={sign_in.name: email, "password": PASSWORD},
            form=sign_in.kind == "form",
        )
        for email in running.data.emails
    ]


def _load(
    running: Running, sent: list[Sent], plan: Plan, *, connections: int = CONNECTIONS
) -> Figures:
    used = running.cpu_seconds()
    load = wrk(running.port, sent, connections=connections, seconds=plan.seconds)
    used = running.cpu_seconds() - used
    return {
        "per_second": load.per_second,
        "p50_ms": load.p50_ms,
        "p99_ms": load.p99_ms,
        # Of the server's own: it changes less than the rest where the machine is not quiet.
        "cpu_us": used / load.answers * 1_000_000,
        "answers": load.answers,
    }


Workload = Callable[[Running, Plan], Figures]

ROUNDS: Mapping[str, Workload] = {
    "me": me,
    "create": create,
    "list": first_page,
    "deep": deep,
    "sign-in": sign_in,
    "burst": burst,
}
ONCE: Mapping[str, Workload] = {"start": start, "memory": memory}
WORKLOADS: Mapping[str, Workload] = {**ROUNDS, **ONCE}
