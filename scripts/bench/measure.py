"""Timing two things in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter


@dataclass(frozen=True, slots=True)
class Measured:
    """A ratio of two times, in seconds; the goal is the most that it should be."""

    what: str
    ours: float
    theirs: float
    ratio: float
    goal: float | None
    how: str


def timed(work: Callable[[], object]) -> float:
    """Return how long a call takes, in seconds."""
    begin = perf_counter()
    work()
    return perf_counter() - begin


def in_turn(
    what: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    goal: float | None,
    how: str,
    pairs: int = 15,
    warm: int = 2,
) -> Measured:
    """Time the two in turn; medians, and the median of the ratios pair by pair."""
    return of_times(
        what,
        lambda: (timed(ours), timed(theirs)),
        goal=goal,
        how=how,
        pairs=pairs,
        warm=warm,
    )


def of_times(
    what: str,
    pair: Callable[[], tuple[float, float]],
    *,
    goal: float | None,
    how: str,
    pairs: int,
    warm: int,
) -> Measured:
    """Like :func:`in_turn`, for a call that times both itself."""
    for _ in range(warm):
        pair()
    times = [pair() for _ in range(pairs)]
    return Measured(
        what,
        median(ours for ours, _ in times),
        median(theirs for _, theirs in times),
        median(ours / theirs for ours, theirs in times),
        goal,
        how,
    )
