"""Bars as SVG, readable on a light and on a dark page."""

from harness.results import Results

__all__ = ["draw"]


def draw(results: Results) -> str:
    return ""
