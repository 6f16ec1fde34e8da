"""Lines as SVG, for what grows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.picture import STYLE, text

__all__ = ["Chart", "draw_charts"]

WIDTH = 900
CHART_WIDTH = 440
CHART_HEIGHT = 190
LEFT, TOP, RIGHT, BOTTOM = 60, 36, 20, 36
KINDS = (("line", "dot"), ("other", "otherdot"))


@dataclass(frozen=True)
class Chart:
    title: str
    lines: dict[str, list[tuple[float, float]]]
    is_logarithmic: bool = False


def draw_charts(charts: Sequence[Chart]) -> str:
    drawn = [
        f'<g transform="translate({number % 2 * CHART_WIDTH} {number // 2 * CHART_HEIGHT})">\n'
        f"{_drawn(chart)}\n</g>"
        for number, chart in enumerate(charts)
    ]
    height = (len(charts) + 1) // 2 * CHART_HEIGHT + 24
    key = []
    for number, name in enumerate(charts[0].lines):
        line, _ = KINDS[number]
        x = LEFT + number * 160
        key += [
            f'<path class="{line}" d="M{x} {height - 12}h24"/>',
            text(x + 30, height - 8, name),
        ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">\n'
        f"<title>What grows</title>\n{STYLE}\n" + "\n".join([*drawn, *key]) + "\n</svg>\n"
    )


def _drawn(chart: Chart) -> str:
    places = sorted({x for line in chart.lines.values() for x, _ in line})
    most = max(y for line in chart.lines.values() for _, y in line) * 1.1
    bottom = CHART_HEIGHT - BOTTOM

    def across(x: float) -> float:
        low, high, value = places[0], places[-1], x
        if chart.is_logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(x)
        share = (value - low) / (high - low) if high > low else 0.5
        return LEFT + share * (CHART_WIDTH - LEFT - RIGHT)

    def up(y: float) -> float:
        return bottom - y / most * (bottom - TOP)

    parts = [
        text(LEFT, 20, chart.title, kind="title"),
        f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{CHART_WIDTH - RIGHT}"/>',
        text(LEFT - 6, up(most / 1.1) + 4, _figure(most / 1.1), anchor="end"),
        text(LEFT - 6, bottom + 4, "0", anchor="end"),
        *(text(across(x), bottom + 16, f"{x:,.0f}", anchor="middle") for x in places),
    ]
    for (line_kind, dot_kind), line in zip(KINDS, chart.lines.values(), strict=False):
        points = [(across(x), up(y)) for x, y in line]
        joined = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        parts.append(f'<path class="{line_kind}" d="M{joined}"/>')
        parts += [
            f'<circle class="{dot_kind}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points
        ]
    return "\n".join(parts)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
