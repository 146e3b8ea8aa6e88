"""What a network costs, counted: its size, and the operations of its derivatives.

These are counts of the networks that :func:`gradient_network` and :func:`hvp_network` make, known
before anything runs and of arrays that need not exist.
"""

from __future__ import annotations

from ..graph.graph import Graph
from .gradient_network import gradient_network, hvp_network


def size(graph: Graph) -> int:
    """Return the network size V + E."""
    return graph.num_nodes + graph.num_edges


def operations(graph: Graph) -> int:
    """Return the operations of a forward sweep through all nodes of a network."""
    return sum(graph.work(u).flops for u in range(len(graph.nodes)))


def gradient_cost(graph: Graph) -> int:
    """Return the operations of a gradient: a forward sweep and a wave."""
    return operations(gradient_network(graph))


def hvp_cost(graph: Graph) -> int:
    """Return the operations of a Hessian-vector product: a gradient, and a wave through it."""
    return operations(gradient_network(hvp_network(graph)))
