"""When the nodes of a scalar network may fire: ``policy.py`` on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ...protocol.network import Network
from ...protocol.network.order import sends
from ...protocol.network.piece import POSITION, Ints
from .partition import level_of_each

Rounds = tuple[Ints, Ints]


def level_rounds(network: Network, partition: Ints) -> Rounds:
    """Fire level by level: up through the levels, then one wave a level back down."""
    level = level_of_each(network).astype(np.int64)
    return level, 2 * level.max() - level


def wave_rounds(network: Network, partition: Ints) -> Rounds:
    """Fire level by level, and in each first the nodes that others wait for.

    What those send is then on its way while the rest of the level fires.
    """
    up, down = level_rounds(network, partition)
    piece = network.piece
    kind, live = _of_each(network)
    awaited_up, awaited_down = np.zeros((2, network.nodes), np.int64)
    _await(
        piece.inputs, piece.source, kind, live, _marks(network, piece.constants), partition,
        awaited_up, awaited_down,
    )  # fmt: skip
    forward = 2 * up + 1 - awaited_up
    idle = _marks(network, piece.leaves) * (awaited_up == 0)
    _leaves_when_needed(piece.inputs, piece.source, partition, idle, forward)
    return forward, 2 * down + 2 - awaited_down


def eager_rounds(network: Network, partition: Ints) -> Rounds:
    """Fire when all has come: a node's round is the most cuts on any path that leads to it."""
    piece = network.piece
    forward = np.zeros(network.nodes, np.int64)
    constant = _marks(network, piece.constants)
    given = constant | _marks(network, piece.leaves)
    _up(piece.inputs, piece.source, partition, constant, forward)
    _leaves_when_needed(piece.inputs, piece.source, partition, given, forward)
    backward = np.full(network.nodes, forward[piece.output])
    kind, live = _of_each(network)
    _down(piece.inputs, piece.source, kind, live, partition, backward)
    return forward, backward


def _of_each(network: Network) -> tuple[Ints, Ints]:
    """Return the kind of each node, and its inputs to which there is a message."""
    piece = network.piece
    lengths = np.diff(piece.start)
    return np.repeat(piece.kind, lengths), np.repeat(piece.live, lengths)


def _marks(network: Network, nodes: Ints) -> Ints:
    marks = np.zeros(network.nodes, np.uint8)
    marks[nodes] = 1
    return marks


@njit(cache=True)
def _up(inputs: Any, source: Any, partition: Any, constant: Any, rounds: Any) -> None:
    for u in range(len(inputs) - 1):
        for e in range(inputs[u], inputs[u + 1]):
            z = source[e] & POSITION
            if not constant[z]:
                cut = partition[z] != partition[u]
                rounds[u] = max(rounds[u], rounds[z] + cut)


@njit(cache=True)
def _leaves_when_needed(inputs: Any, source: Any, partition: Any, given: Any, rounds: Any) -> None:
    """Let each leaf wait for the first round in which it is used: that saves a stage of its own."""
    for u in range(len(inputs) - 1):
        for e in range(inputs[u], inputs[u + 1]):
            z = source[e] & POSITION
            if given[z]:
                needed = max(rounds[u] - (partition[z] != partition[u]), 0)
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
            if not sends(kind[u], live[u], e - inputs[u]):
                continue
            z = source[e] & POSITION
            rounds[z] = max(rounds[z], rounds[u] + (partition[z] != partition[u]))


@njit(cache=True)
def _await(
    inputs: Any, source: Any, kind: Any, live: Any, constant: Any, partition: Any, up: Any,
    down: Any,
) -> None:  # fmt: skip
    """Mark the nodes whose values go elsewhere, and those whose messages do."""
    for u in range(len(inputs) - 1):
        for e in range(inputs[u], inputs[u + 1]):
            z = source[e] & POSITION
            if partition[z] == partition[u] or constant[z]:
                continue
            up[z] = 1
            if live[u] and sends(kind[u], live[u], e - inputs[u]):
                down[u] = 1
