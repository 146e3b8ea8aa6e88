"""Pipelines: each worker fires forward once a pass and back once, and waves follow one another.

A worker's rank is the longest path of workers below it: 0 for those that need nothing from
elsewhere. Micro-batches climb the ranks, and their waves come down again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..protocol.errors import PlanError
from ..protocol.outline import Ints, Outline
from .order import Firing, Flow, Order
from .placed import Placed
from .rounds import Rounds


def pipeline_rounds(placed: Placed) -> Rounds:
    """Fire as a pipeline does: a rank's forward round is its number, and waves come back down.

    A parameter that does not live with the lowest rank that uses it sums in a round of its own.

    Raises:
        PlanError: the partitions need each other in a circle, which is named.

    """
    outline, lives = placed.outline, placed.partition
    ranks = _ranks(placed, np.zeros(outline.nodes, bool))
    top = 2 * int(ranks.max()) + 1
    up = ranks[lives]
    down = top - up
    cut = placed.cut
    sends = outline.carries[cut.which] > 0
    source, target = cut.source[sends], cut.target[sends]
    down[source[ranks[lives[source]] >= ranks[lives[target]]]] = top + 1
    return Rounds(up, down)


def low_homes(outline: Outline, partition: Ints, partitions: int, free: Ints) -> Ints:
    """Let leaves live with the lowest rank that uses them: those that are marked in ``free``."""
    ranks = _ranks(Placed(outline, partition, partitions), free)
    source, target = outline.uses
    some = free[source]
    source, user = source[some], partition[target[some]]
    never = partitions * partitions
    home = np.full(outline.nodes, never)
    np.minimum.at(home, source, ranks[user] * partitions + user)
    return np.where(home < never, home % partitions, partition)


def _ranks(placed: Placed, without: Ints) -> Ints:
    """Return the rank of each partition; values of the nodes ``without`` do not count.

    Nor do those of parameters, which are there before a pass begins.
    """
    below = _below(placed, without)
    above: list[list[int]] = [[] for _ in below]
    for p, needs in enumerate(below):
        for q in needs:
            above[q].append(p)
    left = [len(needs) for needs in below]
    ranks = np.zeros(placed.partitions, np.int64)
    done = [p for p, needs in enumerate(below) if not needs]
    for q in done:  # which grows as it goes
        for p in above[q]:
            ranks[p] = max(ranks[p], ranks[q] + 1)
            left[p] -= 1
            if not left[p]:
                done.append(p)
    if len(done) < placed.partitions:
        there = set(done)
        raise PlanError(_circle([needs - there for needs in below], there))
    return ranks


def _below(placed: Placed, without: Ints) -> list[set[int]]:
    """Return for each partition those from which it needs values."""
    cut, lives = placed.cut, placed.partition
    counts = ~(placed.outline.stays | without)[cut.source]
    pair = lives[cut.target[counts]] * placed.partitions + lives[cut.source[counts]]
    below: list[set[int]] = [set() for _ in range(placed.partitions)]
    for each in np.unique(pair).tolist():
        needs, of = divmod(each, placed.partitions)
        below[needs].add(of)
    return below


def _circle(below: Sequence[set[int]], done: set[int]) -> str:
    at = next(p for p in range(len(below)) if p not in done)
    path: list[int] = []
    while at not in path:
        path.append(at)
        at = min(below[at])
    circle = [*path[path.index(at) :], at]
    return (
        f"a pipeline's workers must need each other one way, and here worker "
        f"{', which needs values of worker '.join(map(str, circle))}; "
        f"use partitioner 'levels', a mapping without a circle, or schedule 'eager'"
    ).replace(", which needs", " needs", 1)


def gpipe(flow: Flow, passes: Sequence[int], in_flight: int | None) -> Order:
    """All passes forward, and then all back: every worker holds the values of all of them.

    Huang and others, GPipe, 2019.
    """
    return tuple(
        tuple(Firing(n, stage) for kind in kinds for n in passes for stage in kind)
        for kinds in _by_kind(flow)
    )


def one_f_one_b(flow: Flow, passes: Sequence[int], in_flight: int | None) -> Order:
    """After a worker has filled the ranks above, one forward and one back in turn.

    Rank r of p holds the values of p - r passes at most. Narayanan and others, PipeDream, 2019;
    PipeDream-Flush, 2021.
    """
    kinds, turn = _by_kind(flow), _turn(flow)
    last = 2 * turn - 1
    # The highest rank from which a wave comes back.
    top = max([last - flow.stages[s].round for _, back, _ in kinds for s in back], default=0)
    order = []
    for forward, backward, late in kinds:
        rank = min((flow.stages[s].round for s in forward), default=top)
        warm = min(max(top - rank + 1, 0), len(passes))
        mine = [Firing(n, s) for n in passes[:warm] for s in forward]
        for k, n in enumerate(passes):
            mine += [Firing(n, s) for s in backward]
            mine += [Firing(later, s) for later in passes[k + warm : k + warm + 1] for s in forward]
        order.append((*mine, *(Firing(n, s) for n in passes for s in late)))
    return tuple(order)


def _turn(flow: Flow) -> int:
    """Return how many ranks there are: waves come back from this round on."""
    rounds = [stage.round for stage in flow.stages if stage.forward or stage.leaves]
    return max(rounds, default=0) + 1


def _by_kind(flow: Flow) -> list[tuple[list[int], list[int], list[int]]]:
    """Return the stages of each worker: forward, backward, and those that only sum, at the end."""
    turn = _turn(flow)
    kinds: list[tuple[list[int], list[int], list[int]]] = [
        ([], [], []) for _ in range(flow.partitions)
    ]
    for stage in flow.stages:
        kind = 0 if stage.round < turn else 1 if stage.round < 2 * turn else 2
        kinds[stage.partition][kind].append(stage.number)
    return kinds
