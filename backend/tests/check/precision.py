"""How precise the rules are, measured; it writes the table in docs/check.md:

    uv run python -m tests.check.precision [--write] [--rule BK203]…

It takes some minutes. Looked at are the project itself and services as the generator writes them,
where every finding would be false, and a generated service with one thing wrong at a time, where
the rule in question has to speak, and no rule may that has no point.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from backend.check.catalogue import catalogue
from tests.check.mutations import MUTATIONS, Mutation
from tests.support.databases import BACKEND
from tests.support.project_copy import ProjectCopy

DOCUMENT = BACKEND.parent / "docs/check.md"
BEGIN, END = "<!-- precision: begin -->\n", "<!-- precision: end -->\n"

Found = tuple[str, str, str]
"""Rule, path and subject."""

CLIENTS = "clients name:str:max=100:search email:email:optional:unique"
PROJECTS = (
    "projects title:str:max=120:search:unique status:enum:draft,live:default=draft "
    "due_on:date:optional client:ref:clients:restrict"
)
BASE = (CLIENTS, PROJECTS)
GENERATED = (
    *BASE,
    "tasks title:str:max=120:search done:bool:default=false project:ref:projects:cascade",
    "countries code:str:max=2:unique name:str:max=80 --owner none",
    "cities name:str:max=80:filter:sort country:ref:countries:cascade --owner none",
    "invoices number:int:unique:min=1 total:decimal:12.2:min=0 paid_at:datetime:optional",
    "notes body:text",
    "contacts email:email:unique phone:str:max=30:optional",
    "links address:url title:str:max=200:search",
    "events name:str:max=100 starts_at:datetime:filter:sort ends_at:datetime:optional",
    "products name:str:max=120:sort price:decimal:10.2:min=0 stock:int:default=0 --owner none",
    "orders product:ref:products:restrict count:int:min=1:max=100",
    "measurements value:float kind:enum:heat,light:filter",
    "documents title:str:max=200 content:json:optional",
    "sensors serial:uuid:unique label:str:max=60:optional",
    "budgets amount:bigint:min=0 year:int:min=2000:max=2100:filter",
    "keywords word:str:max=40:unique:immutable --owner none",
    "vaults name:str:max=40 code:str:max=200:private",
    "reminders due_on:date:sort note:str:max=500:optional task:ref:tasks:cascade:optional",
    "reviews score:int:min=1:max=5 comment:text:optional product:ref:products:cascade",
)


class Workshop:
    """A copy of the project, and the `backend` command in it."""

    def __init__(self, folder: Path) -> None:
        self.copy = ProjectCopy(
            folder,
            "sqlite",
            f"sqlite:///{folder / 'development.db'}",
            without=[line.split()[0] for line in GENERATED],
        )
        self.backend = self.copy.backend

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.backend,
            env=self.copy.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def command(self, *arguments: str) -> None:
        done = self.run("backend.main", *arguments)
        if done.returncode:
            raise SystemExit(f"backend {' '.join(arguments)}\n{done.stdout}{done.stderr}")

    def check(self) -> Counter[Found]:
        done = self.run("backend.main", "check", "--no-cache", "--format", "json")
        if not done.stdout.startswith("{"):
            raise SystemExit(f"backend check\n{done.stdout}{done.stderr}")
        report = json.loads(done.stdout)
        if report["crashes"]:
            raise SystemExit(json.dumps(report["crashes"], indent=2))
        return Counter((item["rule"], item["path"], item["subject"]) for item in report["findings"])

    @contextmanager
    def mutated(self, mutation: Mutation) -> Iterator[None]:
        (path,) = (
            sorted(self.backend.glob(mutation.path))
            if "*" in mutation.path
            else [self.backend / mutation.path]
        )
        before = path.read_text(encoding="utf-8")
        if mutation.delete:
            path.unlink()
        elif mutation.old:
            assert mutation.old in before, f"{mutation.path} has no {mutation.old!r}"
            path.write_text(before.replace(mutation.old, mutation.new, 1), encoding="utf-8")
        else:
            path.write_text(before + mutation.new, encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(before, encoding="utf-8")


class Notes:
    """What there is to look into, said at once and again at the end."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        say(f"  {line}")
        self.lines.append(line)


def rule_of(found: Found) -> str:
    """Ruff is one line of the table."""
    return "ruff" if found[0].startswith("ruff:") else found[0]


def measure(folder: Path, rules: Sequence[str]) -> tuple[str, list[str]]:
    """The table, and what there is to look into."""
    notes = Notes()
    false: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    workshop = Workshop(folder)
    say("the project itself")
    for found in workshop.check():
        false[rule_of(found)] += 1
        notes.add(f"on the project: {' '.join(found)}")
    workshop.command("db", "migrate")
    for line in BASE:
        generate(workshop, line)
    workshop.run("pytest", "-q", "tests/services")  # writes down what the tests call
    before = workshop.check()
    for mutation in MUTATIONS:
        if rules and mutation.rule not in rules:
            continue
        say(f"{mutation.rule} {mutation.what}")
        with workshop.mutated(mutation):
            new = workshop.check() - before
        tried[mutation.rule] += 1
        of_rule = [found for found in new if rule_of(found) == mutation.rule]
        caught[mutation.rule] += bool(of_rule)
        if not of_rule:
            notes.add(f"missed: {mutation.rule} {mutation.what}")
        for found in new:
            if rule_of(found) != mutation.rule and found[0] not in mutation.also:
                false[rule_of(found)] += 1
                notes.add(f"besides {mutation.rule} {mutation.what}: {' '.join(found)}")
    for line in GENERATED[len(BASE) :] if not rules else ():
        generate(workshop, line)
    say("the generated services")
    for found in workshop.check() - before:
        false[rule_of(found)] += 1
        notes.add(f"on what is generated: {' '.join(found)}")
    return table(tried, caught, false), notes.lines


def generate(workshop: Workshop, line: str) -> None:
    say(f"backend service new {line}")
    workshop.command("service", "new", *line.split())


def table(tried: Counter[str], caught: Counter[str], false: Counter[str]) -> str:
    lines = ["| rule | holds that | wrong on purpose | found | false |", "|---|---|---|---|---|"]
    for id_, entry in catalogue().items():
        mistakes = f"{tried[id_]} | {caught[id_]}" if tried[id_] else "in its tests | "
        lines.append(f"| {id_} | {entry.title} | {mistakes} | {false[id_]} |".replace("  ", " "))
    total = (sum(tried.values()), sum(caught.values()), sum(false.values()))
    lines.append(f"| together | | {' | '.join(map(str, total))} |")
    return "".join(f"{line}\n" for line in lines)


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help="put the table into docs/check.md")
    parser.add_argument("--rule", action="append", default=[], help="only what is wrong by it")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="backend-precision-"))
    try:
        text, notes = measure(folder, given.rule)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(f"{text}\n" + ("\n".join(notes) or "Nothing to look into.") + "\n")
    if given.write:
        document = DOCUMENT.read_text(encoding="utf-8")
        head, _, rest = document.partition(BEGIN)
        tail = rest.partition(END)[2]
        DOCUMENT.write_text(f"{head}{BEGIN}{text}{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
