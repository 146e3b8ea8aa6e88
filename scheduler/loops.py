"""Loops over the inputs of a network: plain Python on small ones, compiled by Numba on large."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from ..protocol.outline import CONSTANT, Ints, Outline

LARGE = 100_000
"""From so many inputs on, compiled loops pay for importing Numba, which takes half a second."""


def furthest_up(outline: Outline, kind: Ints, partition: Ints) -> Ints:
    """Return for each node the most cuts on any path that leads up to it; int64[n].

    What is CONSTANT by ``kind`` is everywhere.
    """
    return _run(_up, outline, kind, partition, 0)


def furthest_down(outline: Outline, partition: Ints, start: int) -> Ints:
    """Return for each node ``start`` and the most cuts on any path of messages to it; int64[n]."""
    return _run(_down, outline, outline.carries, partition, start)


def _run(
    loop: Callable[..., None], outline: Outline, marks: Ints, partition: Ints, start: int
) -> Ints:
    arrays = outline.first, outline.source, marks, partition
    if len(outline.source) >= LARGE:
        rounds = np.full(outline.nodes, start, np.int64)
        _compiled(loop)(*arrays, rounds)
        return rounds
    found = [start] * outline.nodes
    loop(*[each.tolist() for each in arrays], found)
    return np.array(found, np.int64)


@cache
def _compiled(loop: Callable[..., None]) -> Any:
    from numba import njit

    return njit(cache=True)(loop)


def _up(first: Any, source: Any, kind: Any, partition: Any, rounds: Any) -> None:
    for u in range(len(first) - 1):
        for k in range(first[u], first[u + 1]):
            z = source[k]
            if kind[z] != CONSTANT:
                rounds[u] = max(rounds[u], rounds[z] + (partition[z] != partition[u]))


def _down(first: Any, source: Any, carries: Any, partition: Any, rounds: Any) -> None:
    for u in range(len(first) - 2, -1, -1):
        for k in range(first[u], first[u + 1]):
            if carries[k]:
                z = source[k]
                rounds[z] = max(rounds[z], rounds[u] + (partition[z] != partition[u]))
