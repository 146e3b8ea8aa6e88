"""Which partition each node lives in.

Constants live everywhere they are used. A leaf lives with the lowest node that it feeds: "this can
be done locally by the endpoints of the edge where w resides" (Claim 1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from numbers import Integral
from typing import Any

from ..protocol.errors import PlanError
from ..protocol.graph import CONSTANT, LEAF, Graph, Node

EVERYWHERE = -1
"""The partition number of a constant."""

GRANULARITIES = ("node", "layer", "partition")

LEVELS, WIDTH = "levels", "width"
"""The partitioners: contiguous groups of levels, or (of scalar networks) each level cut across."""

FIRING = 1000
"""What firing a node costs beside its arithmetic, in operations: about a microsecond."""

Mapped = Mapping[Any, int] | Sequence[int] | Callable[[Node], int]


def cost(graph: Graph, u: int, sends: int) -> int:
    """Estimate what node ``u`` costs in a pass: one firing forward, one for each message."""
    work = graph.work(u)
    return (1 + sends) * (FIRING + work.flops + work.bytes // 8)


def costs(graph: Graph) -> list[int]:
    """Estimate what each node costs in a pass, in operations."""
    sends = [0] * len(graph.nodes)
    for edge in graph.edges:
        sends[edge.target] += 1
    return [cost(graph, u, count) for u, count in enumerate(sends)]


def by_node(graph: Graph) -> list[int]:
    """Give every node a partition of its own."""
    partition = [EVERYWHERE] * len(graph.nodes)
    number = 0
    for node in graph.nodes:
        if node.primitive != CONSTANT:
            partition[node.id] = number
            number += 1
    return partition


def by_layer(graph: Graph) -> list[int]:
    """Give every level a partition of its own; leaves join the level that they feed."""
    levels = _computing_levels(graph)
    if not levels:
        return by_node(graph)
    return _of_levels(graph, {level: number for number, level in enumerate(levels)})


def by_levels(graph: Graph, workers: int) -> list[int]:
    """Cut the levels into contiguous groups, so that the group with most work has the least."""
    levels = _computing_levels(graph)
    if not levels:
        return by_node(graph)
    each = dict.fromkeys(levels, 0)
    for node, work in zip(graph.nodes, costs(graph), strict=True):
        if node.inputs:
            each[graph.levels[node.id]] += work
    bounds = balanced_cuts([each[level] for level in levels], workers)
    group = {}
    for number, (start, end) in enumerate(pairwise(bounds)):
        for level in levels[start:end]:
            group[level] = number
    return _of_levels(graph, group)


def by_mapping(graph: Graph, mapping: Mapped, workers: int) -> list[int]:
    """Follow the user's own mapping.

    Args:
        graph: the network.
        mapping: a function of the node, a sequence with one number per node, or a mapping from
            node ids or names to numbers; leaves that a mapping leaves out join the node they feed.
        workers: how many partitions there are.

    Raises:
        PlanError: a node has no partition, or one that does not exist; or the mapping names a node
            that the network does not have.

    """
    if isinstance(mapping, Mapping):
        _require_nodes(graph, mapping)
    elif not callable(mapping) and len(mapping) != len(graph.nodes):
        raise PlanError(
            f"the mapping has {len(mapping)} entries, and the network {len(graph.nodes)} nodes"
        )
    partition: list[int | None] = []
    for node in graph.nodes:
        found: Any
        if node.primitive == CONSTANT:
            found = EVERYWHERE
        elif callable(mapping):
            found = mapping(node)
        elif isinstance(mapping, Mapping):
            found = mapping.get(node.id, mapping.get(node.name))
        else:
            found = mapping[node.id]
        if node.primitive != CONSTANT and not (found is None and node.primitive == LEAF):
            found = _partition_number(node, found, workers)
        partition.append(found)
    homes = _leaf_homes(graph, [EVERYWHERE if place is None else place for place in partition])
    return [homes.get(u, 0) if place is None else place for u, place in enumerate(partition)]


def _require_nodes(graph: Graph, mapping: Mapping[Any, Any]) -> None:
    known = {node.id for node in graph.nodes} | {node.name for node in graph.nodes}
    for key in mapping:
        if key not in known:
            raise PlanError(f"the mapping names node {key!r}, and the network has no such node")


def _partition_number(node: Node, place: Any, workers: int) -> int:
    whole = isinstance(place, Integral) and not isinstance(place, bool)
    if not whole or not 0 <= int(place) < workers:
        raise PlanError(
            f"the mapping puts node {node.id} ({node.name}) into partition {place!r}; "
            f"there are partitions 0 to {workers - 1}"
        )
    return int(place)


def _computing_levels(graph: Graph) -> list[int]:
    return sorted({graph.levels[node.id] for node in graph.nodes if node.inputs})


def _of_levels(graph: Graph, group: Mapping[int, int]) -> list[int]:
    partition = [
        group[graph.levels[node.id]] if node.inputs else EVERYWHERE for node in graph.nodes
    ]
    homes = _leaf_homes(graph, partition)
    for leaf in graph.leaves:
        partition[leaf.node] = homes.get(leaf.node, 0)
    return partition


def _leaf_homes(graph: Graph, partition: Sequence[int]) -> dict[int, int]:
    """Return for each leaf the partition of the lowest node that it feeds."""
    homes: dict[int, tuple[int, int]] = {}
    for node in graph.nodes:
        for z in node.inputs:
            if graph.nodes[z].primitive == LEAF:
                here = graph.levels[node.id], partition[node.id]
                homes[z] = min(homes.get(z, here), here)
    return {leaf: place for leaf, (_, place) in homes.items()}


def balanced_cuts(weights: Sequence[int], groups: int) -> list[int]:
    """Cut a sequence into contiguous groups, the heaviest as light as can be.

    Returns:
        The bounds, ``[0, ..., len(weights)]``; no group is empty, so there are at most
        ``len(weights)`` of them.

    """
    groups = min(groups, len(weights))
    low, high = max(weights), sum(weights)
    while low < high:
        middle = (low + high) // 2
        if len(_filled(weights, middle, 1)) - 1 <= groups:
            high = middle
        else:
            low = middle + 1
    return _filled(weights, low, groups)


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
