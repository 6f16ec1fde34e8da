"""`bench/run`; bench/README.md says what it does."""

import argparse
import sys
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

from harness.checks import check, sign_in_all
from harness.data import PASSWORD, Data
from harness.growth import run_growth
from harness.installation import require_wrk
from harness.machine import BenchError, description, pin_to_load_core, use_both_cores
from harness.places import WORK
from harness.postgres import Cluster, run_postgresql
from harness.report import as_text, write
from harness.results import Results
from harness.rounds import measure
from harness.running import Running
from harness.servers import SERVERS
from harness.workloads import FULL, QUICK, WORKLOADS


def _names(known: Collection[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return parse


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench/run", description="Measures the servers side by side.")
    parser.add_argument(
        "what",
        nargs="?",
        choices=["servers", "growth"],
        default="servers",
        help="the servers side by side, or what growth does to this one",
    )
    parser.add_argument("--quick", action="store_true", help="short rounds, and nothing written")
    parser.add_argument(
        "--only",
        type=_names(WORKLOADS),
        default=list(WORKLOADS),
        metavar="WORKLOAD,…",
        help=f"of {', '.join(WORKLOADS)}",
    )
    parser.add_argument(
        "--servers",
        type=_names(SERVERS),
        default=list(SERVERS),
        metavar="SERVER,…",
        help=f"of {', '.join(SERVERS)}",
    )
    parser.add_argument("--database", choices=["postgresql", "sqlite"], help="only servers on it")
    parser.add_argument("--rounds", type=int, help="how often each is measured")
    parser.add_argument("--seconds", type=float, help="how long each measurement takes")
    parser.add_argument(
        "--write",
        action=argparse.BooleanOptionalAction,
        help="docs/performance; without --quick and of everything, that is so anyway",
    )
    return parser.parse_args()


def _prepare(names: Sequence[str], cluster: Cluster, data: Data, stack: ExitStack) -> list[Running]:
    """Installed, filled, started, checked. What one is a copy of is filled too."""
    originals = [copied for name in names if (copied := SERVERS[name].copy_of)]
    servers = {
        name: Running(SERVERS[name], cluster, data) for name in dict.fromkeys([*originals, *names])
    }

    def fill(running: Running) -> None:
        hashed = "" if running.server.copy_of else running.hashing("make", PASSWORD)
        running.fill(hashed)
        print(f"Filled {running.name}", flush=True)

    def start(running: Running) -> None:
        running.start()
        sign_in_all(running)
        check(running)
        print(f"Checked {running.name}", flush=True)

    wanted = [servers[name] for name in SERVERS if name in names]
    for running in wanted:
        stack.callback(running.stop)
    with ThreadPoolExecutor(2, initializer=use_both_cores) as threads:
        # In two goes, since nobody may be connected to what is copied.
        copies = [running for running in servers.values() if running.server.copy_of]
        list(threads.map(fill, [item for item in servers.values() if item not in copies]))
        list(threads.map(fill, copies))
        list(threads.map(start, wanted))
    return wanted


def run(options: argparse.Namespace) -> None:
    pin_to_load_core()
    require_wrk()
    WORK.mkdir(exist_ok=True)
    plan = QUICK if options.quick else FULL
    plan = replace(
        plan, rounds=options.rounds or plan.rounds, seconds=options.seconds or plan.seconds
    )
    if options.what == "growth":
        writes = options.write if options.write is not None else not options.quick
        run_growth(plan, is_quick=options.quick, writes=writes)
        return
    names = [name for name in options.servers if options.database in {None, SERVERS[name].database}]
    is_whole = set(options.only) == set(WORKLOADS) and set(names) == set(SERVERS)
    writes = options.write if options.write is not None else is_whole and not options.quick
    data = Data(signed_in=plan.signed_in)
    with ExitStack() as stack:
        cluster = stack.enter_context(run_postgresql())
        servers = _prepare(names, cluster, data, stack)
        results = Results(
            machine=description() | {"postgresql": cluster.run("SHOW server_version")},
            rounds=plan.rounds,
            seconds=plan.seconds,
            titles={name: SERVERS[name].title for name in names},
            peers=[name for name in names if SERVERS[name].is_peer],
        )
        measure(servers, options.only, plan, results)
    print(f"\n{as_text(results)}")
    if writes:
        write(results)


def main() -> None:
    try:
        run(_options())
    except BenchError as error:
        sys.exit(f"Error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


main()
