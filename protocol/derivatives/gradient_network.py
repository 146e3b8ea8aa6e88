"""The gradient as a network: the article's Claim, made a graph that can be run and differentiated.

One wave is sent through a network while its messages are recorded instead of computed: what each
node sums and sends becomes nodes of a new network, a constant number for each node and edge. Its
outputs are the S at the leaves. Since it is a network like any other, a second wave through it
gives the Hessian times a vector, over the same workers and with the same ledger.
"""

from __future__ import annotations

import re
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..graph.graph import Graph, require_graph
from ..pytree import flatten_tree
from ..rewrites.rewrite import Rewrite
from ..rules import Abstract

_HVP_NETWORKS: WeakKeyDictionary[Graph, Graph] = WeakKeyDictionary()
"""Of each network that :func:`hvp_network` was asked for, what it made."""


def gradient_network(graph: Graph) -> Graph:
    """Return the network of the gradient.

    Args:
        graph: a network whose output is one number.

    Returns:
        A graph with the same arguments, whose outputs are the gradients with respect to the
        differentiated ones, in their structure. No array is allocated to make it.

    Raises:
        NotScalarError: the output is not one number.
        ArgumentError: nothing is differentiated.

    """
    require_graph(graph)
    graph.require_scalar()
    copy = Rewrite(graph)
    found = [copy.own(S) for _, S in copy.gradient()]
    gives = None
    if graph.takes is not None:
        each = graph.signature.direction(graph.takes, [0] * len(found), whole=True)
        gives = flatten_tree(each)[1]
    return copy.graph(found, gives=gives, argnums=graph.argnums)


def hvp_network(graph: Graph) -> Graph:
    """Return the network of ⟨∇f, v⟩, whose gradient is the Hessian of f times v.

    It has one argument more than ``graph``: v, in the structure of the differentiated argument,
    or a tuple with one structure for each where there are several, or where ``argnums`` was a
    tuple. It is made once a graph.

    Args:
        graph: a network whose output is one number.

    Raises:
        NotScalarError: the output is not one number.
        ArgumentError: nothing is differentiated.

    """
    require_graph(graph)
    if graph in _HVP_NETWORKS:
        return _HVP_NETWORKS[graph]
    graph.require_scalar()
    chosen, several = graph.signature.chosen, graph.signature.takes_a_tuple
    copy = Rewrite(graph)
    total: Any = None
    for leaf, S in copy.gradient():
        argument = f"args[{graph.arguments}]"
        if several:
            argument += f"[{chosen.index(leaf.argument)}]"
        path = re.sub(r"^args\[\d+\]", argument, leaf.path)
        node = graph.nodes[leaf.node]
        v = copy.tape.leaf(Abstract(node.shape, node.dtype), graph.arguments, path, False)
        term = np.sum(S * v) if node.shape else S * v
        if node.dtype.kind == "c":
            term = np.real(term)
        total = term if total is None else total + term
    argnums = tuple(chosen) if several else chosen[0]
    network = copy.graph(
        [copy.own(total)], name=f"hvp of {graph.name}", arguments=graph.arguments + 1,
        argnums=argnums,
    )  # fmt: skip
    _HVP_NETWORKS[graph] = network
    return network


def transposed_network(graph: Graph) -> Graph:
    """Return the network that maps S at the outputs to S at the leaves: linear in S.

    Its last argument is the tuple of S, and the only one that is differentiated: its transpose, a
    wave through it, maps tangents of the leaves to tangents of the outputs.
    """
    copy = Rewrite(graph, differentiated=False)
    given: dict[int, Any] = {}
    for number, u in enumerate(graph.outputs):
        node = graph.nodes[u]
        S = copy.tape.leaf(
            Abstract(node.shape, node.dtype), graph.arguments, f"args[{graph.arguments}][{number}]",
            True,
        )  # fmt: skip
        given[u] = given[u] + S if u in given else S
    found = [copy.own(S) for S in copy.wave(given) if S is not None]
    return copy.graph(
        found,
        name=f"transpose of {graph.name}",
        arguments=graph.arguments + 1,
        argnums=graph.arguments,
    )
