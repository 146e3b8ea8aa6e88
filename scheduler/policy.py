"""When a node may fire: how far each of its two firings stands from the start, in rounds.

A round is what one worker can do without anything new from elsewhere. Rounds count through the
forward sweep, the turn at the output, and the backward wave.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..protocol.errors import PlanError
from ..protocol.graph import LEAF, Graph
from .partition import EVERYWHERE

Rounds = list[int]


@dataclass(frozen=True, slots=True)
class Policy:
    """A firing order: the rounds of every node, and whether all wait for all between rounds."""

    name: str
    barrier: bool
    rounds: Callable[[Graph, Sequence[int]], tuple[Rounds, Rounds]]


def level_rounds(graph: Graph, partition: Sequence[int]) -> tuple[Rounds, Rounds]:
    """Fire level by level: up through the levels, then one wave a level back down."""
    forward = list(graph.levels)
    top = max(forward)
    return forward, [2 * top - level for level in forward]


def eager_rounds(graph: Graph, partition: Sequence[int]) -> tuple[Rounds, Rounds]:
    """Fire when all has come: a node's round is the most cuts on any path that leads to it."""
    forward = [0] * len(graph.nodes)
    for node in graph.nodes:
        for z in node.inputs:
            cut = partition[z] not in (partition[node.id], EVERYWHERE)
            forward[node.id] = max(forward[node.id], forward[z] + cut)
    _leaves_when_needed(graph, partition, forward)
    backward = [forward[graph.output]] * len(graph.nodes)
    for edge in graph.edges:  # in wave order: every sender stands before those it sends to
        cut = partition[edge.source] != partition[edge.target]
        backward[edge.source] = max(backward[edge.source], backward[edge.target] + cut)
    return forward, backward


def _leaves_when_needed(graph: Graph, partition: Sequence[int], forward: Rounds) -> None:
    """Let a leaf wait for the first round in which it is used, which saves a stage of its own."""
    latest: dict[int, int] = {}
    for node in graph.nodes:
        for z in node.inputs:
            if graph.nodes[z].primitive == LEAF:
                needed = forward[node.id] - (partition[z] != partition[node.id])
                latest[z] = min(latest.get(z, needed), needed)
    for z, round in latest.items():
        forward[z] = round


LEVEL, WAVE, EAGER = "level", "wave", "eager"

POLICIES = {
    LEVEL: Policy(LEVEL, True, level_rounds),
    WAVE: Policy(WAVE, False, level_rounds),
    EAGER: Policy(EAGER, False, eager_rounds),
}
"""``level``: all wait for all after every level. ``wave``: level by level too, but each waits only
for what it needs (of a scalar network, what others wait for fires first in its level); for
partitions that cut the levels across, whose levels then keep in step.
``eager``: in as few rounds as the cuts allow."""


def policy_named(name: str) -> Policy:
    """Return the policy of this name."""
    try:
        return POLICIES[name]
    except KeyError:
        raise PlanError(f"there is no policy {name!r}; choose {', '.join(POLICIES)}") from None
