"""Waves through a graph whose nodes are all in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..arrays import Array, settle
from ..graph.graph import Graph
from ..ledger import Ledger
from ..node import Nodes
from ..wave import sweep


def fired(graph: Graph, leaves: Sequence[Array]) -> Nodes:
    """Return the nodes of a graph with their values, from those of its leaves."""
    nodes = Nodes(graph.instructions)
    for leaf, value in zip(graph.leaves, leaves, strict=True):
        nodes.put(leaf.node, value)
    nodes.fire(graph.instructions.forward)
    return nodes


def again(nodes: Nodes) -> Nodes:
    """Return the same nodes with the same values, before any wave."""
    fresh = Nodes(nodes.instructions)
    fresh.values = dict(nodes.values)
    fresh.forget()
    return fresh


def send(graph: Graph, nodes: Nodes, S: Mapping[int, Array]) -> None:
    """Send one wave from S at the outputs (0 if not given), and check its ledger.

    Nothing is sent through outputs that depend on nothing.
    """
    if any(graph.on_network[u] for u in S):
        sweep(nodes, {u: S[u] if u in S else zeros(graph, u) for u in graph.outputs}, keep=False)
        Ledger.of(graph, nodes.counts)


def zeros(graph: Graph, u: int) -> Array:
    """Return zeros like the value of a node."""
    node = graph.nodes[u]
    return settle(np.zeros(node.shape, node.dtype))


def value_of(graph: Graph, nodes: Nodes) -> Any:
    """Return the value of the function, in its structure; the caller may change it."""
    values = [settle(nodes.values[u]).copy(order="K") for u in graph.outputs]
    return graph.signature.value(values)
