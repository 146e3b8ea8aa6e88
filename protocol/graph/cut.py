"""Cutting a graph: what each partition holds, what fires in each stage, what is in each frame."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from ..layout import Cut, Fires, Keys, Layout, Routed
from ..message import BACKWARD, CALLER, FORWARD
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
    for node in graph.nodes:
        if node.primitive == CONSTANT:
            continue
        u = node.id
        nodes[partition[u]].append(u)
        (leaves if node.primitive == LEAF else forward)[up[u]].append(u)
    here = graph.on_network
    for u in range(len(graph.nodes) - 1, -1, -1):
        if here[u]:
            backward[down[u]].append(u)
    given_away: dict[int, set[int]] = defaultdict(set)
    # An edge's number is its turn in the wave, which begins with the last input.
    edges = graph.num_edges - np.cumsum(carries, dtype=np.int64)[layout.lanes.input]
    keys = []
    for frame in layout.frames:
        keys.append(Keys(_keys(graph, edges, frame)))
        if frame.kind == FORWARD and frame.sender != CALLER:
            given_away[frame.sender].update(keys[-1].keys)
    return Cut(
        [TensorPart(tuple(some), frozenset(given_away[p])) for p, some in enumerate(nodes)],
        [
            Fires(tuple(a), tuple(b), tuple(c))
            for a, b, c in zip(leaves, forward, backward, strict=True)
        ],
        keys,
    )


def _keys(graph: Wires, edges: Ints, frame: Routed) -> tuple[int, ...]:
    if frame.kind == BACKWARD:
        return tuple(edges[frame.content].tolist())
    to_or_from_leaves = frame.sender == CALLER if frame.kind == FORWARD else frame.sender != CALLER
    if to_or_from_leaves:
        return tuple([graph.leaves[number].node for number in frame.content.tolist()])
    return tuple(frame.content.tolist())
