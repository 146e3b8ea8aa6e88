"""One number against another over networks of several sizes, and the slope on log axes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .growth import Naive, Report, Size

MESSAGES, WORK, TIME, SPREAD_TIME = "messages", "work", "time", "time over workers"
NAIVE_WORK, NAIVE_TIME = "naive work", "naive time"
E, SIZE, PRODUCT = "E", "V + E", "V · E"

Points = list[tuple[int, float]]

CALLS = 20
"""A time is fitted where it is at least so many calls on a network of one edge: with fewer, the
call's own cost is what one would see."""


@dataclass(frozen=True, slots=True)
class Growth:
    """One number against another, size by size.

    ``foreseen`` are the points of sizes that did not run. Points below ``least`` are not fitted.
    """

    what: str
    against: str
    points: Points
    foreseen: Points = field(default_factory=list)
    least: float = 0.0

    @property
    def fitted(self) -> Points:
        """The points that the slope is fitted to."""
        return [(x, y) for x, y in self.points if y >= self.least]

    @property
    def slope(self) -> float | None:
        """The slope on log axes, by least squares; None where there are not two sizes."""
        if len({x for x, _ in self.fitted}) < 2:
            return None
        x, y = np.log(self.fitted).T
        return float(np.polyfit(x, y, 1)[0])


def growths(report: Report) -> list[Growth]:
    """Return all that should be straight on log axes."""
    sizes, calls = report.sizes, report.calls
    times = [(s.network_size, s.seconds) for s in sizes]
    found = [
        Growth(MESSAGES, E, [(s.edges, s.messages) for s in sizes]),
        Growth(WORK, SIZE, [(s.network_size, s.work) for s in sizes]),
        Growth(TIME, SIZE, times, least=CALLS * calls.wave),
    ]
    if calls.workers is not None:
        times = [(s.network_size, s.workers.seconds) for s in sizes if s.workers]
        found.append(Growth(SPREAD_TIME, SIZE, times, least=CALLS * calls.workers))
    if calls.naive is not None:
        naive = [(s, s.naive) for s in sizes if s.naive]
        points: list[tuple[str, str, float, Callable[[Size, Naive], tuple[int, float]]]] = [
            (NAIVE_WORK, PRODUCT, 0.0, lambda s, n: (s.product, n.work)),
            (NAIVE_TIME, PRODUCT, CALLS * calls.naive, lambda s, n: (s.product, n.seconds)),
            (NAIVE_TIME, SIZE, CALLS * calls.naive, lambda s, n: (s.network_size, n.seconds)),
        ]
        for what, against, least, point in points:
            ran = [point(s, n) for s, n in naive if n.ran]
            rest = [point(s, n) for s, n in naive if not n.ran]
            found.append(Growth(what, against, ran, rest, least))
    return found
