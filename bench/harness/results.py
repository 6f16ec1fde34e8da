"""The figures of one run, and what is read from them."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Noise", "Results"]


@dataclass
class Noise:
    """How steady the machine was: the same loop, and the same server, measured again."""

    loop_seconds: list[float] = field(default_factory=list)
    again: dict[str, list[float]] = field(default_factory=dict)
    """Of each workload, the second measurement of a server as a ratio of its first."""

    @property
    def loop_spread(self) -> float:
        """The slowest of the loops as a ratio of the fastest."""
        return max(self.loop_seconds) / min(self.loop_seconds)


@dataclass
class Results:
    machine: Mapping[str, str]
    rounds: int
    seconds: float
    titles: dict[str, str]
    peers: list[str]
    figures: dict[str, dict[str, list[dict[str, float]]]] = field(default_factory=dict)
    """Of each workload, of each server, the figures of each round."""
    noise: Noise = field(default_factory=Noise)

    def add(self, workload: str, server: str, figures: dict[str, float]) -> None:
        self.figures.setdefault(workload, {}).setdefault(server, []).append(figures)

    def values(self, workload: str, server: str, figure: str) -> list[float]:
        return [item[figure] for item in self.figures.get(workload, {}).get(server, [])]

    def median(self, workload: str, server: str, figure: str) -> float | None:
        values = self.values(workload, server, figure)
        return statistics.median(values) if values else None

    def ratios(self, one: tuple[str, str], two: tuple[str, str], figure: str) -> list[float]:
        """Of a workload and a server by another two, round by round: what slows a round down slows
        both."""
        pairs = zip(self.values(*one, figure), self.values(*two, figure), strict=False)
        return [value / other for value, other in pairs if other]

    def ratio(self, workload: str, server: str, other: str, figure: str) -> float | None:
        """The median of the rounds' ratios."""
        ratios = self.ratios((workload, server), (workload, other), figure)
        return statistics.median(ratios) if ratios else None

    def spread(self, workload: str, server: str, figure: str) -> float | None:
        """Half the distance from the lowest to the highest round, as a share of the median."""
        values = self.values(workload, server, figure)
        middle = self.median(workload, server, figure)
        return (max(values) - min(values)) / 2 / middle if values and middle else None

    def best_peer(self, workload: str, figure: str) -> str | None:
        medians = {
            name: value
            for name in self.peers
            if (value := self.median(workload, name, figure)) is not None
        }
        return max(medians, key=lambda name: medians[name]) if medians else None
