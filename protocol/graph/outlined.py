"""The outline of a graph: its nodes and their inputs as numbers."""

from __future__ import annotations

import numpy as np

from ..arrays import nbytes
from ..outline import COMPUTED, CONSTANT, GIVEN, Outline
from ..parts import CONSTANT as CONSTANT_NODE
from ..parts import LEAF
from ..wires import Wires

_KINDS = {LEAF: GIVEN, CONSTANT_NODE: CONSTANT}


def outline(graph: Wires) -> Outline:
    """Return a graph as numbers.

    A wave takes the inputs of a node in the order of their positions, and goes through those of an
    outline from the last: here they stand the other way round.
    """
    nodes = graph.nodes
    first, last = [0], []
    source: list[int] = []
    for node in nodes:
        source += node.inputs[::-1]
        first.append(len(source))
        last.append(len(source) - 1)
    carries = np.zeros(len(source), np.uint8)
    carries[[last[u] - position for _, u, position in graph.edges]] = 1
    shapes = [node.abstract for node in nodes]
    size = [nbytes(node.shape, node.dtype) for node in nodes]
    flops, moved = [0] * len(nodes), [0] * len(nodes)
    for node in nodes:
        if node.inputs:
            u, count = node.id, graph.primitive(node.id).flops
            flops[u] = count(shapes[u], *[shapes[z] for z in node.inputs], **node.attributes)
            moved[u] = size[u] + sum([size[z] for z in node.inputs])
    here = graph.on_network
    return Outline(
        first=np.array(first),
        source=np.array(source, np.int64),
        carries=carries,
        level=np.array(graph.levels),
        kind=np.array([_KINDS.get(node.primitive, COMPUTED) for node in nodes], np.uint8),
        on_network=np.frombuffer(here, np.uint8),
        outputs=tuple(dict.fromkeys(u for u in graph.outputs)),
        leaves=np.array([leaf.node for leaf in graph.leaves], np.int64),
        asked=np.array([leaf.differentiated and here[leaf.node] for leaf in graph.leaves], bool),
        value_bytes=np.array(size),
        flops=np.array(flops),
        moved_bytes=np.array(moved),
        on_arrays=np.array([bool(node.inputs and node.shape) for node in nodes], np.uint8),
        fine=False,
    )
