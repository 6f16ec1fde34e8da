"""`bench/run`; bench/README.md says what it does."""

import argparse
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from types import FrameType

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


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


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
        metavar="WORKLOAD,…",
        help=f"of {', '.join(WORKLOADS)}",
    )
    parser.add_argument(
        "--servers",
        type=_names(SERVERS),
        metavar="SERVER,…",
        help=f"of {', '.join(SERVERS)}",
    )
    parser.add_argument("--database", choices=["postgresql", "sqlite"], help="only servers on it")
    parser.add_argument("--rounds", type=_count, help="how often each is measured")
    parser.add_argument("--seconds", type=_count, help="how long each measurement takes")
    parser.add_argument(
        "--write",
        action=argparse.BooleanOptionalAction,
        help="docs/performance; without --quick and of everything, that is so anyway",
    )
    options = parser.parse_args()
    is_part = bool(options.only or options.servers or options.database)
    if options.what == "growth" and is_part:
        parser.error("growth is of this backend alone: no --servers, --only or --database")
    if options.write and (is_part or options.quick):
        parser.error("--write is for all servers and workloads, and not for --quick")
    if options.write is None:
        options.write = not is_part and not options.quick
    return options


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
        run_growth(plan, is_quick=options.quick, writes=options.write)
        return
    names = [
        name
        for name in options.servers or SERVERS
        if options.database in {None, SERVERS[name].database}
    ]
    if not names:
        raise BenchError(f"None of the servers that were asked for runs on {options.database}.")
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
        measure(servers, options.only or list(WORKLOADS), plan, results)
    print(f"\n{as_text(results)}")
    if options.write:
        write(results)


class _TerminatedError(KeyboardInterrupt):
    """SIGTERM cleans up as SIGINT does."""


def _terminate(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, lambda *_: None)  # a second one would stop the cleaning up
    raise _TerminatedError


def main() -> None:
    signal.signal(signal.SIGTERM, _terminate)
    try:
        run(_options())
    except BenchError as error:
        sys.exit(f"Error: {error}")
    except _TerminatedError:
        sys.exit(128 + signal.SIGTERM)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


main()
