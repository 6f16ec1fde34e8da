"""`bench/run growth`: what more users, more rows and more services change."""

import json
import statistics
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from itertools import product
from typing import Any

from harness import project
from harness.chart import Chart, draw_charts
from harness.checks import list_path, sign_in_all
from harness.data import PASSWORD, Data
from harness.installation import Installed
from harness.machine import BenchError, description
from harness.postgres import Cluster, run_postgresql
from harness.report import FOLDER, replace_between, table
from harness.running import Running
from harness.servers import SERVERS
from harness.workloads import Plan, Workload, first_page, me, search, sign_in

__all__ = ["run_growth"]

USERS = (1_000, 10_000, 100_000, 1_000_000)
MOST_ITEMS = 1_000_000
ITEMS_OF_A_USER = 10
SERVICES = (1, 20, 100)
DATABASES = ("backend", "backend-sqlite")

SEARCHED: project.Services = {
    "items": ("title:str:max=120:search", *project.ITEMS["items"][1:]),
}
WORKLOADS: Mapping[str, Workload] = {
    "me": me,
    "sign-in": sign_in,
    "list": first_page,
    "search": search,
}

Row = dict[str, Any]


def run_growth(plan: Plan, *, is_quick: bool, writes: bool) -> None:
    with run_postgresql() as cluster:
        machine = description() | {"postgresql": cluster.run("SHOW server_version")}
        by_services = [
            _with_services(number, name, cluster, plan)
            for number, name in product(SERVICES[:2] if is_quick else SERVICES, DATABASES)
        ]
        by_users = [
            _with_users(number, name, cluster, plan)
            for number, name in product(USERS[:2] if is_quick else USERS, DATABASES)
        ]
    lines = [*_users_table(by_users), "", *_services_table(by_services)]
    print("\n" + "\n".join(lines))
    if writes:
        FOLDER.mkdir(exist_ok=True)
        found = {
            "machine": machine,
            "rounds": plan.rounds,
            "seconds": plan.seconds,
            "users": by_users,
            "services": by_services,
        }
        (FOLDER / "growth.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        (FOLDER / "growth.svg").write_text(_picture(by_users, by_services), "utf-8")
        replace_between("growth", lines)


def _with_users(users: int, name: str, cluster: Cluster, plan: Plan) -> Row:
    data = Data(
        users=users,
        items=min(users * ITEMS_OF_A_USER, MOST_ITEMS),
        deep_rows=100,
        signed_in=plan.signed_in,
        rows_of_signed_in=100,
    )
    folder = project.prepare(SEARCHED, "project-with-search")
    installed = Installed(folder, project.environment_of(folder))
    running = Running(SERVERS[name], cluster, data, installed)
    row: Row = {"users": users, "items": data.items, "server": name}
    with ExitStack() as stack:
        running.fill(running.hashing("make", PASSWORD))
        stack.callback(running.stop)
        running.start()
        sign_in_all(running)
        _require_rows(running)
        for workload, measure in WORKLOADS.items():
            measure(running, replace(plan, seconds=plan.warm_seconds))
            rounds = [measure(running, plan) for _ in range(plan.rounds)]
            row[workload] = {
                figure: statistics.median(item[figure] for item in rounds) for figure in rounds[0]
            }
            print(f"{users:>9,} users {name:15} {workload:8} {row[workload]}", flush=True)
    return row


def _require_rows(running: Running) -> None:
    for path, least in ((list_path(running), 50), (list_path(running, search="7 OF THE"), 1)):
        answer = running.ask("GET", path)
        if answer.status != 200 or len(answer.json()["items"]) < least:
            raise BenchError(f"{path} answered {answer.status} {answer.text[:300]}")


def _with_services(number: int, name: str, cluster: Cluster, plan: Plan) -> Row:
    services = {f"group{index}_items": SEARCHED["items"] for index in range(1, number + 1)}
    folder = project.prepare(services, f"project-{number}")
    installed = Installed(folder, project.environment_of(folder))
    running = Running(SERVERS[name], cluster, Data(), installed)
    running.drop()
    running.migrate()
    with ExitStack() as stack:
        stack.callback(running.stop)
        starts = [running.restart() for _ in range(plan.starts + 1)][1:]
        time.sleep(1)
        idle = running.memory()["rss"]
        began = time.perf_counter()
        schema = running.ask("GET", "/openapi.json")
        first = time.perf_counter() - began
        began = time.perf_counter()
        running.ask("GET", "/openapi.json")
        again = time.perf_counter() - began
        if schema.status != 200 or f"group{number}_items" not in schema.text:
            raise BenchError(f"/openapi.json answered {schema.status} {schema.text[:300]}")
    row: Row = {
        "services": number,
        "server": name,
        "start_seconds": statistics.median(starts),
        "idle_mb": idle,
        "schema_seconds": first,
        "schema_again_seconds": again,
        "schema_kb": len(schema.body) / 1024,
    }
    print(f"{number:>4} services {name:15} {row}", flush=True)
    return row


def _users_table(rows: list[Row]) -> list[str]:
    head = [
        "users",
        "items",
        "server",
        *(f"`{name}`" for name in WORKLOADS),
        "sign-in, of its hash",
    ]
    cells = [
        [
            f"{row['users']:,}",
            f"{row['items']:,}",
            row["server"],
            *(f"{row[name]['per_second']:,.0f}" for name in WORKLOADS),
            f"{row['sign-in']['share']:.2f}",
        ]
        for row in rows
    ]
    return table(head, cells)


def _services_table(rows: list[Row]) -> list[str]:
    head = ["services", "server", "start", "idle", "`/openapi.json`", "first", "again"]
    cells = [
        [
            f"{row['services']}",
            row["server"],
            f"{row['start_seconds']:.2f} s",
            f"{row['idle_mb']:.0f} MB",
            f"{row['schema_kb']:,.0f} kB",
            f"{row['schema_seconds'] * 1000:,.0f} ms",
            f"{row['schema_again_seconds'] * 1000:,.1f} ms",
        ]
        for row in rows
    ]
    return table(head, cells)


def _picture(by_users: list[Row], by_services: list[Row]) -> str:
    charts = [
        Chart(
            f"{workload}, requests a second, by users",
            {
                name: [
                    (row["users"], row[workload]["per_second"])
                    for row in by_users
                    if row["server"] == name
                ]
                for name in DATABASES
            },
            is_logarithmic=True,
        )
        for workload in WORKLOADS
    ]
    titles = {
        "start_seconds": "start to first answer, seconds, by services",
        "idle_mb": "idle memory, MB, by services",
        "schema_seconds": "first /openapi.json, seconds, by services",
        "schema_kb": "size of /openapi.json, kB, by services",
    }
    charts += [
        Chart(
            title,
            {
                name: [
                    (row["services"], row[figure]) for row in by_services if row["server"] == name
                ]
                for name in DATABASES
            },
        )
        for figure, title in titles.items()
    ]
    return draw_charts(charts)
