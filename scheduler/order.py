"""The firings of each worker, in order, as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..protocol.outline import Stage


class Firing(NamedTuple):
    """One stage in one pass."""

    number: int
    stage: int


Order = tuple[tuple[Firing, ...], ...]
"""For each worker its firings, in the order in which it does them."""


def in_turn(stages: Sequence[Stage], partitions: int, passes: Sequence[int]) -> Order:
    """One pass after the other, and in each the stages of a worker as they are numbered."""
    mine: list[list[int]] = [[] for _ in range(partitions)]
    for stage in stages:
        mine[stage.partition].append(stage.number)
    return tuple(tuple(Firing(n, stage) for n in passes for stage in some) for some in mine)
