"""Which partition each node lives in.

A leaf lives with the lowest node that it feeds: "this can be done locally by the endpoints of the
edge where w resides" (Claim 1).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from ..protocol.errors import PlanError
from ..protocol.outline import COMPUTED, CONSTANT, Ints, Outline, Stage

GRANULARITIES = ("node", "layer", "partition")

LEVELS, WIDTH = "levels", "width"
"""The partitioners: contiguous groups of levels, or (of scalar networks) each level cut across."""

FIRING = 1000
"""What firing a node costs beside its arithmetic, in operations: about a microsecond."""

NODE = 10
"""What a scalar node costs beside its inputs, in inputs: about as long as an activation takes."""

MOST_PARTITIONS = 10_000
"""More partitions than this, each planned on its own, are no plan for anything."""

Mapped = Mapping[Any, int] | Sequence[int] | np.ndarray[Any, Any] | Callable[[Any], int]
"""A mapping of the user's own, from nodes to partitions."""


def costs(outline: Outline) -> Ints:
    """Estimate what each node costs in a pass, in operations, or in inputs of scalar nodes."""
    if outline.fine:
        return outline.degree + NODE
    # One firing forward, and one for each message.
    ends = np.concatenate([[0], np.cumsum(outline.carries, dtype=np.int64)])[outline.first]
    found: Ints = (1 + np.diff(ends)) * firing_costs(outline)
    return found


def firing_costs(outline: Outline) -> Ints:
    """Estimate what each node's forward firing costs, in operations, and each of its messages."""
    found: Ints = FIRING + outline.flops + outline.moved_bytes // 8
    return found


def array_costs(outline: Outline) -> Ints:
    """Estimate what each node's work on arrays costs, which a GPU can do; else as :func:`costs`."""
    if outline.fine:
        return outline.degree
    return costs(outline) * outline.on_arrays


def stage_costs(outline: Outline, stages: Sequence[Stage]) -> list[int]:
    """Estimate what each stage of a pass costs, in operations; of scalar nodes, all the same."""
    if outline.fine:
        return [1] * len(stages)
    forward = firing_costs(outline)
    back = (costs(outline) - forward).tolist()
    each = forward.tolist()
    return [
        1 + sum([each[u] for u in stage.forward]) + sum([back[u] for u in stage.backward])
        for stage in stages
    ]


def by_node(outline: Outline) -> Ints:
    """Give every node a partition of its own, but for constants that live everywhere."""
    if outline.fine:
        _require_few(outline.nodes, "node")
        return np.arange(outline.nodes)
    found: Ints = np.maximum(np.cumsum(outline.kind != CONSTANT) - 1, 0)
    return found


def by_layer(outline: Outline) -> Ints:
    """Give every level a partition of its own; leaves join the lowest node that they feed."""
    if not outline.level.any():
        return by_node(outline)
    if outline.fine:
        _require_few(int(outline.level.max()), "layer")
    return at_home(outline, np.maximum(outline.level - 1, 0))


def by_levels(outline: Outline, workers: int) -> Ints:
    """Cut the levels into contiguous groups of about the same work; leaves as in by_layer."""
    if not outline.level.any():
        return by_node(outline)
    upper = np.maximum(outline.level - 1, 0)
    computed = outline.kind == COMPUTED
    each = np.bincount(upper[computed], weights=costs(outline)[computed])
    group = (_shared if outline.fine else _balanced)(each, workers)
    return at_home(outline, group[upper])


def _balanced(each: Ints, workers: int) -> Ints:
    """Return the group of each level, such that the group with most work has the least."""
    bounds = balanced_cuts([int(work) for work in each], workers)
    group = np.empty(len(each), np.int64)
    for number, (start, end) in enumerate(pairwise(bounds)):
        group[start:end] = number
    return group


def _shared(each: Ints, workers: int) -> Ints:
    """Return the group of each level, by where the middle of its work lies in the whole.

    Of levels that are wide and many this comes near to the best, in one pass over them.
    """
    groups = min(workers, len(each))
    done = np.cumsum(each) - each / 2
    group = np.minimum((done * groups / each.sum()).astype(np.int64), groups - 1)
    # A heavy level may have pushed a group out: numbers are closed up.
    return np.unique(group, return_inverse=True)[1]


def by_width(outline: Outline, workers: int) -> Ints:
    """Cut each level across, into neighbours (by number) of about the same work."""
    level, nodes = outline.level, outline.nodes
    # In firing order those that do the same stand together, wherever their neighbours are.
    called = np.arange(nodes) if outline.numbers is None else outline.numbers
    order = np.lexsort((called, level))
    cost = costs(outline)[order].astype(np.float64)
    ends = np.cumsum(cost)
    first = np.flatnonzero(np.concatenate([[True], level[1:] != level[:-1]]))
    before = (ends - cost)[first][level]
    whole = np.add.reduceat(cost, first)[level]
    share = (ends - cost / 2 - before) / whole
    partition = np.empty(nodes, np.int64)
    partition[order] = np.minimum((share * workers).astype(np.int64), workers - 1)
    return partition


def at_home(outline: Outline, partition: Ints, where: Ints | None = None) -> Ints:
    """Let leaves and constants live with the lowest node that they feed.

    All of them, or those that are marked in ``where``; in partition 0 if they feed nothing.
    """
    source, target = outline.uses
    partitions = int(partition.max()) + 1
    home = np.full(outline.nodes, 2**62 // partitions * partitions)
    level = outline.level[target].astype(np.int64)
    # The lowest level, and of several partitions there the first.
    np.minimum.at(home, source, level * partitions + partition[target])
    moves = outline.kind != COMPUTED if where is None else where
    return np.where(moves, home % partitions, partition)


def _require_few(partitions: int, granularity: str) -> None:
    if partitions > MOST_PARTITIONS:
        raise PlanError(
            f"granularity {granularity!r} makes {partitions:,} partitions of this network; "
            f"use granularity 'partition'"
        )


def balanced_cuts(weights: Sequence[int], groups: int) -> list[int]:
    """Cut a sequence into contiguous groups, the heaviest as light as can be.

    Returns:
        The bounds, ``[0, ..., len(weights)]``; no group is empty, so there are at most
        ``len(weights)`` of them.

    """
    groups = min(groups, len(weights))
    ends = list(accumulate(weights))
    low, high = max(weights), ends[-1]
    while low < high:
        fits, limit = _try(ends, (low + high) // 2, groups)
        low, high = (low, limit) if fits else (limit, high)
    return _filled(weights, low, groups)


def _try(ends: Sequence[int], limit: int, groups: int) -> tuple[bool, int]:
    """Fill so many groups up to a limit; ``ends`` are the running sums of the weights.

    Returns:
        Whether all fit, and the heaviest group; or that they do not, and the least limit with which
        a group would take one more.

    """
    filled = heaviest = 0
    least = ends[-1]
    for _ in range(groups):
        k = bisect_right(ends, filled + limit)
        if k == len(ends):
            return True, max(heaviest, ends[-1] - filled)
        heaviest = max(heaviest, ends[k - 1] - filled)
        least = min(least, ends[k] - filled)
        filled = ends[k - 1]
    return False, least


def _filled(weights: Sequence[int], limit: int, at_least: int) -> list[int]:
    """Fill groups up to ``limit``, closing early where ``at_least`` groups need what is left."""
    bounds = [0]
    total = 0
    for i, weight in enumerate(weights):
        left = len(weights) - i
        if i > bounds[-1] and (total + weight > limit or left <= at_least - len(bounds)):
            bounds.append(i)
            total = 0
        total += weight
    return [*bounds, len(weights)]
