"""Rounds that go from server to server, so that what disturbs the machine disturbs all."""

from collections.abc import Sequence
from dataclasses import replace

from harness.machine import loop_seconds
from harness.results import Results
from harness.running import Running
from harness.workloads import ONCE, ROUNDS, WORKLOADS, Figures, Plan

__all__ = ["measure"]

# These say how steady the machine is, by measuring the first server once more in each round.
_MEASURED_AGAIN = ("me", "create", "list", "deep")


def measure(
    servers: Sequence[Running], workloads: Sequence[str], plan: Plan, results: Results
) -> None:
    in_rounds = [name for name in ROUNDS if name in workloads]
    for number in range(1, plan.rounds + 1):
        if in_rounds:
            _warm_up(servers, in_rounds, plan)
        for workload in in_rounds:
            results.noise.loop_seconds.append(loop_seconds())
            for running in _asked(servers, workload, plan):
                figures = WORKLOADS[workload](running, plan)
                results.add(workload, running.name, figures)
                _say(f"{number}/{plan.rounds}", workload, running.name, figures)
            if workload in _MEASURED_AGAIN:
                _measure_again(servers[0], workload, plan, results)
    for workload in (name for name in ONCE if name in workloads):
        for running in _asked(servers, workload, plan):
            figures = WORKLOADS[workload](running, plan)
            results.add(workload, running.name, figures)
            _say("", workload, running.name, figures)


def _measure_again(running: Running, workload: str, plan: Plan, results: Results) -> None:
    first = results.figures[workload][running.name][-1]["per_second"]
    again = WORKLOADS[workload](running, plan)["per_second"]
    results.noise.again.setdefault(workload, []).append(again / first)


def _asked(servers: Sequence[Running], workload: str, plan: Plan) -> list[Running]:
    return [
        running for running in servers if workload in plan.of_peers or not running.server.is_peer
    ]


def _warm_up(servers: Sequence[Running], workloads: Sequence[str], plan: Plan) -> None:
    """What compiles itself while it runs, and every cache, has seen each request before. The burst
    ends with a restart, so before each round. A sign-in is its hash, which is compiled anyway."""
    wanted = [name for name in workloads if name in _MEASURED_AGAIN] or ["me"]
    for workload in wanted:
        for running in _asked(servers, workload, plan):
            WORKLOADS[workload](running, replace(plan, seconds=plan.warm_seconds))


def _say(round_: str, workload: str, name: str, figures: Figures) -> None:
    listed = "  ".join(f"{key} {value:,.3g}" for key, value in figures.items())
    print(f"{round_:>5} {workload:8} {name:15} {listed}", flush=True)
