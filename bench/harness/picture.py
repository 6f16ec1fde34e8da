"""Bars as SVG, readable on a light and on a dark page."""

from collections.abc import Sequence
from html import escape

from harness.aims import LIMIT, US
from harness.results import Results

__all__ = ["STYLE", "draw", "text"]

WIDTH = 900
PANEL_WIDTH = 430
NAME_WIDTH = 120
BAR_WIDTH = 230
BAR_HEIGHT = 14
LINE_HEIGHT = 20
TITLE_HEIGHT = 34

STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; font-size: 13px; }
.peer { fill: #8c959f; } .us { fill: #1f6feb; } .limit { fill: #d0d7de; }
.axis { stroke: #8c959f; fill: none; } .line { fill: none; stroke: #1f6feb; stroke-width: 2; }
.other { fill: none; stroke: #bc4c00; stroke-width: 2; } .dot { fill: #1f6feb; }
.otherdot { fill: #bc4c00; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .limit { fill: #484f58; } .us { fill: #58a6ff; }
  .line { stroke: #58a6ff; } .dot { fill: #58a6ff; }
  .other { stroke: #f0883e; } .otherdot { fill: #f0883e; }
}
</style>"""

# Workload, figure, title, how a value is written.
PANELS = (
    ("me", "per_second", "me, requests a second", "{:,.0f}"),
    ("create", "per_second", "create, requests a second", "{:,.0f}"),
    ("list", "per_second", "list 50, requests a second", "{:,.0f}"),
    ("deep", "per_second", "50 rows, 50,000 rows down, requests a second", "{:,.0f}"),
    ("start", "seconds", "start to first answer, seconds (less is better)", "{:.2f}"),
    ("memory", "idle_mb", "idle memory, MB (less is better)", "{:.0f}"),
)


def draw(results: Results) -> str:
    names = list(results.titles)
    panel_height = TITLE_HEIGHT + LINE_HEIGHT * len(names) + 10
    drawn = []
    shown = [panel for panel in PANELS if panel[0] in results.figures]
    for number, panel in enumerate(shown):
        x, y = number % 2 * (PANEL_WIDTH + 20), number // 2 * panel_height
        drawn.append(f'<g transform="translate({x + 10} {y})">{_panel(results, names, *panel)}</g>')
    height = (len(shown) + 1) // 2 * panel_height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">\n'
        f"<title>This backend, its peers and the limit</title>\n{STYLE}\n"
        + "\n".join(drawn)
        + "\n</svg>\n"
    )


def text(x: float, y: float, content: str, *, kind: str = "", anchor: str = "start") -> str:
    mark = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{mark}>{escape(content)}</text>'


def _panel(
    results: Results, names: Sequence[str], workload: str, figure: str, title: str, form: str
) -> str:
    values = {name: results.median(workload, name, figure) for name in names}
    most = max((value for value in values.values() if value), default=1.0)
    parts = [text(0, 20, title, kind="title")]
    for number, (name, value) in enumerate(values.items()):
        if value is None:
            continue
        top = TITLE_HEIGHT + number * LINE_HEIGHT
        kind = "limit" if name == LIMIT else "us" if name.startswith(US) else "peer"
        width = max(1.0, value / most * BAR_WIDTH)
        middle = top + BAR_HEIGHT - 3
        bar = f'x="{NAME_WIDTH}" y="{top}" width="{width:.1f}" height="{BAR_HEIGHT}" rx="2"'
        parts += [
            text(NAME_WIDTH - 8, middle, name, anchor="end"),
            f'<rect class="{kind}" {bar}/>',
            text(NAME_WIDTH + width + 6, middle, form.format(value)),
        ]
    return "\n".join(parts)
