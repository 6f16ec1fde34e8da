"""The figures as tables: in the terminal, in docs/performance.md, as JSON."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

from harness.aims import LIMIT, Outcome, outcomes
from harness.picture import draw
from harness.places import DOCS
from harness.results import Results

__all__ = ["FOLDER", "as_text", "replace_between", "table", "write"]

PAGE = DOCS / "performance.md"
FOLDER = DOCS / "performance"

MOST_SPREAD = 1.2
"""Of the loops of arithmetic, the slowest by the fastest."""

Cell = Callable[[Results, str], str]


def _per_second(workload: str) -> Cell:
    def cell(results: Results, server: str) -> str:
        value = results.median(workload, server, "per_second")
        if value is None:
            return ""
        ratio = results.ratio(workload, server, LIMIT, "per_second")
        beside = f" ({ratio:.2f})" if ratio is not None and server != LIMIT else ""
        return f"{value:,.0f}{beside}"

    return cell


def _figure(workload: str, *figures: str, form: str) -> Cell:
    def cell(results: Results, server: str) -> str:
        values = [results.median(workload, server, figure) for figure in figures]
        given = [value for value in values if value is not None]
        return form.format(*given) if len(given) == len(figures) else ""

    return cell


COLUMNS: dict[str, tuple[str, Cell]] = {
    "`me`": ("me", _per_second("me")),
    "create": ("create", _per_second("create")),
    "list 50": ("list", _per_second("list")),
    "deep page": ("deep", _per_second("deep")),
    "sign-in, of its hash": (
        "sign-in",
        _figure("sign-in", "per_second", "share", form="{:.1f} ({:.2f})"),
    ),
    "burst: p50, p99": ("burst", _figure("burst", "p50_ms", "p99_ms", form="{:,.1f}, {:,.1f} ms")),
    "unanswered": ("burst", _figure("burst", "unanswered", form="{:.0%}")),
    "sign-ins during it, of the hash": ("burst", _figure("burst", "share", form="{:.2f}")),
    "start": ("start", _figure("start", "seconds", form="{:.2f} s")),
    "idle": ("memory", _figure("memory", "idle_mb", form="{:.0f} MB")),
    "grown by": ("memory", _figure("memory", "growth_mb", form="{:+.1f} MB")),
}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    return [line(head), line(["-" * width for width in widths]), *map(line, rows)]


def figures_table(results: Results) -> list[str]:
    columns = {title: cell for title, (name, cell) in COLUMNS.items() if name in results.figures}
    rows = [
        [title, *(cell(results, name) for cell in columns.values())]
        for name, title in results.titles.items()
    ]
    return table(["", *columns], rows)


def aims_table(results: Results) -> list[str]:
    rows = [[item.what, item.aim, item.found, _verdict(item)] for item in outcomes(results)]
    return table(["this backend", "aim", "found", ""], rows) if rows else []


def _verdict(outcome: Outcome) -> str:
    verdict = "met" if outcome.is_met else "**not met**"
    return f"{verdict}, within the noise" if outcome.is_within_noise else verdict


def noise_lines(results: Results) -> list[str]:
    noise = results.noise
    said = []
    if noise.loop_seconds:
        said.append(
            f"The same loop of arithmetic took {min(noise.loop_seconds):.3f} to "
            f"{max(noise.loop_seconds):.3f} s on the servers' core."
        )
        if noise.loop_spread > MOST_SPREAD:
            said.append(
                f"**Warning:** the slowest loop took {noise.loop_spread:.2f} times as long as the "
                "fastest: something else was running, and the figures should be taken again."
            )
    again = [ratio for ratios in noise.again.values() for ratio in ratios]
    if again:
        first = next(iter(results.titles.values()))
        said.append(
            f"The same server ({first}), measured again in the same round, gave "
            f"{min(again):.2f} to {max(again):.2f} of its figure."
        )
    spreads = [
        spread
        for workload in ("me", "create", "list", "deep")
        for server in results.titles
        if (spread := results.spread(workload, server, "per_second")) is not None
    ]
    if spreads and results.rounds > 1:
        said.append(f"From round to round a figure differed by up to ±{max(spreads):.0%}.")
    return said


def as_text(results: Results) -> str:
    parts = [figures_table(results), aims_table(results), noise_lines(results)]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def write(results: Results) -> None:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "results.json").write_text(
        json.dumps(asdict(results), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    (FOLDER / "results.svg").write_text(draw(results), encoding="utf-8")
    replace_between(
        "figures", [*figures_table(results), "", *aims_table(results), "", *noise_lines(results)]
    )


def replace_between(name: str, lines: Sequence[str]) -> None:
    """In docs/performance.md, what is between `<!-- NAME -->` and `<!-- end of NAME -->`."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    made = "\n".join(lines)
    PAGE.write_text(f"{before}{begin}\n\n{made}\n\n{end}{after}", encoding="utf-8")
