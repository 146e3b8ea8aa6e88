"""The Hessian as an operator: SciPy drives it, and each product is a wave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator

from ..arrays import Array, settle
from ..blas import one_blas_thread
from ..errors import ArgumentError
from ..graph.graph import Graph
from .gradient_network import gradient_network
from .one_pass import again, fired, send


def operator(graph: Graph, product: Callable[[list[Array]], list[Array]]) -> LinearOperator:
    """Return the Hessian as a SciPy LinearOperator on the differentiated leaves laid end to end.

    They stand in the order of the gradient's arrays.

    Args:
        graph: the network of f.
        product: maps v to the Hessian times v, each as one array for each differentiated leaf.

    Raises:
        ArgumentError: a differentiated argument is complex.

    """
    nodes = [graph.nodes[leaf.node] for leaf in graph.signature.gradient_leaves()]
    if not nodes:
        raise ArgumentError(f"nothing is differentiated in {graph.name or 'the network'}")
    dtype = np.result_type(*(node.dtype for node in nodes))
    if dtype.kind == "c":
        raise ArgumentError("the Hessian of a function of complex arguments is no linear operator")
    ends = np.cumsum([node.abstract.size for node in nodes])

    def matvec(v: Array) -> Array:
        parts = np.split(np.ravel(v), ends[:-1])
        given = [
            settle(part.astype(node.dtype).reshape(node.shape))
            for part, node in zip(parts, nodes, strict=True)
        ]
        return np.concatenate([np.ravel(each) for each in product(given)])

    size = int(ends[-1])
    return LinearOperator((size, size), matvec=matvec, rmatvec=matvec, dtype=dtype)


def in_process(graph: Graph, args: tuple[Any, ...]) -> LinearOperator:
    """Return the Hessian whose products are waves in this process, through one forward sweep."""
    network = gradient_network(graph)
    with one_blas_thread():
        nodes = fired(network, graph.signature.bind(args)[0])
    leaves = [leaf.node for leaf in network.signature.gradient_leaves()]

    def product(v: list[Array]) -> list[Array]:
        sent = again(nodes)
        given: dict[int, Array] = {}
        for u, each in zip(network.outputs, v, strict=True):
            S = network.signature.S_at(u, each)
            given[u] = given[u] + S if u in given else S
        with one_blas_thread():
            send(network, sent, given)
        return [
            sent.S[u] if u in sent.S else np.zeros_like(each)
            for u, each in zip(leaves, v, strict=True)
        ]

    return operator(graph, product)
