"""When the nodes of a scalar network may fire: ``policy.py`` on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ...protocol.network import Network
from ...protocol.network.piece import POSITION, PRIMITIVE, Ints
from .partition import level_of_each

Rounds = tuple[Ints, Ints]


def level_rounds(network: Network, partition: Ints) -> Rounds:
    """Fire level by level: up through the levels, then one wave a level back down."""
    level = level_of_each(network).astype(np.int64)
    return level, 2 * level.max() - level


def eager_rounds(network: Network, partition: Ints) -> Rounds:
    """Fire when all has come: a node's round is the most cuts on any path that leads to it.

    Each such round is in two: first what others wait for, with all that leads to it there, and
    then the rest, while those messages are on their way.
    """
    piece = network.piece
    forward = np.zeros(network.nodes, np.int64)
    given, constant = np.zeros((2, network.nodes), np.uint8)
    constant[piece.constants] = 1
    given[piece.leaves] = given[piece.constants] = 1
    _up(piece.inputs, piece.source, partition, constant, given, forward)
    backward = np.full(network.nodes, forward[piece.output])
    kind, live = (np.repeat(each, np.diff(piece.start)) for each in (piece.kind, piece.live))
    _down(piece.inputs, piece.source, kind, live, partition, backward)
    awaited_up, awaited_down = np.zeros((2, network.nodes), np.uint8)
    _await_values(piece.inputs, piece.source, partition, constant, forward, awaited_up)
    _await_messages(piece.inputs, piece.source, kind, live, partition, backward, awaited_down)
    # At the output the wave turns within a round, unless somebody waits for what comes first.
    turned = 1 + np.any(awaited_down) - awaited_down
    return 2 * forward + 1 - awaited_up, 2 * backward + turned


@njit(cache=True)
def _up(inputs: Any, source: Any, partition: Any, constant: Any, given: Any, rounds: Any) -> None:
    n = len(inputs) - 1
    for u in range(n):
        for e in range(inputs[u], inputs[u + 1]):
            z = source[e] & POSITION
            if not constant[z]:
                cut = partition[z] != partition[u]
                rounds[u] = max(rounds[u], rounds[z] + cut)
    # A leaf waits for the first round in which it is used, which saves a stage of its own.
    for u in range(n):
        for e in range(inputs[u], inputs[u + 1]):
            z = source[e] & POSITION
            if given[z]:
                needed = rounds[u] - (partition[z] != partition[u])
                rounds[z] = needed if given[z] == 1 else min(rounds[z], needed)
                given[z] = 2


@njit(cache=True)
def _down(inputs: Any, source: Any, kind: Any, live: Any, partition: Any, rounds: Any) -> None:
    n = len(inputs) - 1
    for back in range(n):
        u = n - 1 - back
        if not live[u]:
            continue
        for e in range(inputs[u], inputs[u + 1]):
            if kind[u] == PRIMITIVE and not (live[u] >> (e - inputs[u])) & 1:
                continue
            z = source[e] & POSITION
            rounds[z] = max(rounds[z], rounds[u] + (partition[z] != partition[u]))


@njit(cache=True)
def _await_values(
    inputs: Any, source: Any, partition: Any, constant: Any, rounds: Any, awaited: Any
) -> None:
    """Mark the nodes whose values go elsewhere, or lead to such in the same round."""
    n = len(inputs) - 1
    for back in range(n):
        u = n - 1 - back
        for e in range(inputs[u], inputs[u + 1]):
            z = source[e] & POSITION
            if constant[z]:
                continue
            if partition[z] != partition[u] or (awaited[u] and rounds[z] == rounds[u]):
                awaited[z] = 1


@njit(cache=True)
def _await_messages(
    inputs: Any, source: Any, kind: Any, live: Any, partition: Any, rounds: Any, awaited: Any
) -> None:
    """Mark the nodes that send messages elsewhere, or to such in the same round."""
    for u in range(len(inputs) - 1):
        if not live[u]:
            continue
        for e in range(inputs[u], inputs[u + 1]):
            if kind[u] == PRIMITIVE and not (live[u] >> (e - inputs[u])) & 1:
                continue
            z = source[e] & POSITION
            if partition[z] != partition[u] or (awaited[z] and rounds[z] == rounds[u]):
                awaited[u] = 1
