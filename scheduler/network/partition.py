"""Which partition each node of a scalar network lives in; arrays by place, in firing order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import njit

from ...protocol.errors import PlanError
from ...protocol.network import Network
from ...protocol.network.piece import POSITION, Ints

NODE = 10
"""What a node costs beside its edges, in edges: about as long as an activation takes."""

MOST_PARTITIONS = 10_000
"""More partitions than this, each planned on its own, are no plan for anything."""


def level_of_each(network: Network) -> Ints:
    """Return the level of each node."""
    piece = network.piece
    return np.repeat(piece.level, np.diff(piece.start))


def by_node(network: Network) -> Ints:
    """Give every node a partition of its own."""
    _require_few(network.nodes, "node")
    return np.arange(network.nodes)


def by_layer(network: Network) -> Ints:
    """Give every level a partition of its own; leaves join the lowest node that they feed."""
    level = level_of_each(network)
    _require_few(int(level.max()), "layer")
    return _leaves_home(network, np.maximum(level - 1, 0))


def by_levels(network: Network, workers: int) -> Ints:
    """Cut the levels into contiguous groups of about the same work; leaves as in by_layer."""
    level = level_of_each(network)
    upper = np.maximum(level - 1, 0)
    each = np.bincount(upper, weights=np.where(level > 0, _cost(network), 0.0))
    groups = min(workers, len(each))
    done = np.cumsum(each) - each / 2
    of_level = np.minimum((done * groups / each.sum()).astype(np.int64), groups - 1)
    # A heavy level may have pushed a group out: numbers are closed up.
    of_level = np.unique(of_level, return_inverse=True)[1]
    return _leaves_home(network, of_level[upper])


def by_width(network: Network, workers: int) -> Ints:
    """Cut each level across, into neighbours (by number) of about the same work."""
    level = level_of_each(network)
    # In firing order those that do the same stand together, wherever their neighbours are.
    order = np.lexsort((network.by_number(np.arange(network.nodes)), level))
    cost = _cost(network)[order]
    ends = np.cumsum(cost)
    first = np.flatnonzero(np.concatenate([[True], level[1:] != level[:-1]]))
    before = (ends - cost)[first][level]
    whole = np.add.reduceat(cost, first)[level]
    share = (ends - cost / 2 - before) / whole
    partition = np.empty(network.nodes, np.int64)
    partition[order] = np.minimum((share * workers).astype(np.int64), workers - 1)
    return partition


def by_mapping(network: Network, mapping: Any, workers: int) -> Ints:
    """Follow the user's own mapping: an array or a function of the node's number.

    Raises:
        PlanError: a node has no partition, or one that does not exist.

    """
    if isinstance(mapping, Mapping):
        raise PlanError("give the partitions of a network as an array with a number for each node")
    if callable(mapping):
        found = np.array([mapping(u) for u in range(network.nodes)])
    else:
        found = np.asarray(mapping)
    if found.shape != (network.nodes,):
        raise PlanError(
            f"the mapping has shape {list(found.shape)}, and the network {network.nodes} nodes"
        )
    wrong = np.ones(len(found), bool) if found.dtype.kind not in "iu" else (
        (found < 0) | (found >= workers)
    )  # fmt: skip
    if wrong.any():
        u = int(np.flatnonzero(wrong)[0])
        raise PlanError(
            f"the mapping puts node {u} into partition {found[u]!r}; "
            f"there are partitions 0 to {workers - 1}"
        )
    found = found.astype(np.int64)
    return found if network.piece.numbers is None else found[network.piece.numbers]


def _cost(network: Network) -> Any:
    return np.diff(network.piece.inputs) + float(NODE)


def _require_few(partitions: int, granularity: str) -> None:
    if partitions > MOST_PARTITIONS:
        raise PlanError(
            f"granularity {granularity!r} makes {partitions:,} partitions of this network; "
            f"use granularity 'partition'"
        )


def _leaves_home(network: Network, partition: Ints) -> Ints:
    piece = network.piece
    homes = partition.astype(np.int64)
    leaf = np.zeros(network.nodes, np.uint8)
    leaf[piece.leaves] = 1
    leaf[piece.constants] = 1
    _lowest(piece.inputs, piece.source, leaf, homes)
    return homes


@njit(cache=True)
def _lowest(inputs: Any, source: Any, leaf: Any, partition: Any) -> None:
    """Let each leaf live with the lowest node that it feeds."""
    for u in range(len(inputs) - 1):
        for e in range(inputs[u], inputs[u + 1]):
            z = source[e] & POSITION
            if leaf[z] == 1:
                partition[z] = partition[u]
                leaf[z] = 2
