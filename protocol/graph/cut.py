"""Cutting a graph: what each partition holds, what fires in each stage, what is in each frame."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from ..layout import Cut, Fires, Keys, Layout, Routed
from ..message import BACKWARD, CALLER, FORWARD, PARAMETERS
from ..outline import Ints
from ..parts import CONSTANT, LEAF
from ..tensor_nodes import TensorPart
from ..wires import Wires


def cut(graph: Wires, carries: Ints, layout: Layout) -> Cut:
    """Cut a graph as a layout says; ``carries`` is that of its outline."""
    partition, up = layout.partition.tolist(), layout.up_stage.tolist()
    down = layout.down_stage.tolist()
    nodes: list[list[int]] = [[] for _ in range(layout.partitions)]
    stages = range(len(layout.keys))
    leaves: list[list[int]] = [[] for _ in stages]
    forward: list[list[int]] = [[] for _ in stages]
    backward: list[list[int]] = [[] for _ in stages]
    # A parameter fires only where it is an output, whose value goes to the caller.
    stays = frozenset(layout.parameters) - frozenset(graph.outputs)
    for node in graph.nodes:
        if node.primitive == CONSTANT:
            continue
        u = node.id
        nodes[partition[u]].append(u)
        if u in stays:
            continue
        (leaves if node.primitive == LEAF else forward)[up[u]].append(u)
    here = graph.on_network
    for u in range(len(graph.nodes) - 1, -1, -1):
        if here[u]:
            backward[down[u]].append(u)
    given_away: dict[int, set[int]] = defaultdict(set)
    # An edge's number is its turn in the wave, which begins with the last input.
    edges = graph.num_edges - np.cumsum(carries, dtype=np.int64)[layout.lanes.input]
    keys = []
    for frame in [*layout.frames, *layout.shares]:
        keys.append(Keys(_keys(graph, edges, frame)))
        if frame.kind == FORWARD and frame.sender != CALLER:
            given_away[frame.sender].update(keys[-1].keys)
    staying: list[dict[int, int]] = [{} for _ in nodes]
    for key, u in enumerate(layout.parameters):
        staying[partition[u]][u] = key
    lanes = _lanes(graph, layout, edges, partition) if layout.combiner else [None] * len(nodes)
    return Cut(
        [
            TensorPart(tuple(some), frozenset(given_away[p]), staying[p], lanes[p])
            for p, some in enumerate(nodes)
        ],
        [
            Fires(tuple(a), tuple(b), tuple(c))
            for a, b, c in zip(leaves, forward, backward, strict=True)
        ],
        keys,
    )


def _lanes(
    graph: Wires, layout: Layout, edges: Ints, partition: Sequence[int]
) -> list[dict[int, int]]:
    """Return for each partition, by cut edge at its border, the edge that its lane is named by."""
    lanes: list[dict[int, int]] = [{} for _ in range(layout.partitions)]
    named = edges[layout.lanes.of_cut].tolist()
    crosses = (n for n, (z, u, _) in enumerate(graph.edges) if partition[z] != partition[u])
    for number, lane in zip(crosses, named, strict=True):
        z, u, _ = graph.edges[number]
        lanes[partition[z]][number] = lanes[partition[u]][number] = lane
    return lanes


def _keys(graph: Wires, edges: Ints, frame: Routed) -> tuple[int, ...]:
    if frame.kind == BACKWARD:  # a lane has the number of its first edge
        return tuple(edges[frame.content].tolist())
    if frame.kind == PARAMETERS:
        return tuple(frame.content.tolist())
    to_or_from_leaves = frame.sender == CALLER if frame.kind == FORWARD else frame.sender != CALLER
    if to_or_from_leaves:
        return tuple([graph.leaves[number].node for number in frame.content.tolist()])
    return tuple(frame.content.tolist())
