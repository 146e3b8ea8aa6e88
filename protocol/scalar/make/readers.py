"""Networks from what other libraries hold: SciPy's sparse matrices and NetworkX's graphs."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Real
from typing import Any

import numpy as np

from ...errors import ArgumentError, CycleError
from ..given import Activations, Given
from .order import by_target, levels


def from_scipy(matrix: Any, *, bias: Any, activation: Activations, output: int | None) -> Given:
    """Make a network from a sparse matrix; see :meth:`Network.from_scipy`."""
    from scipy import sparse  # here, since only those who use it should pay for it

    if not sparse.issparse(matrix):
        raise ArgumentError(
            f"a SciPy sparse matrix is needed, not {type(matrix).__name__}; "
            f"scipy.sparse.coo_array makes one of an array"
        )
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ArgumentError(
            f"the matrix has shape {list(matrix.shape)}; give a square one, a row and a column "
            f"for each node"
        )
    if matrix.dtype.kind not in "biuf":
        raise ArgumentError(f"the matrix is {matrix.dtype}, and weights are real numbers")
    # Of all formats this one alone is made without summing what stands at one place.
    edges = matrix.tocoo(copy=False)
    target, source = edges.coords
    biases = _by_node(bias, matrix.shape[0])
    return Given(source, target, edges.data, biases, activation, output)


def _by_node(bias: Any, nodes: int) -> Any:
    """Return a bias for each node, by which a network counts those that no edge names."""
    if np.ndim(bias) == 0:
        return np.full(nodes, bias)
    if len(bias) != nodes:
        raise ArgumentError(f"there are {len(bias)} biases and {nodes:,} nodes")
    return bias


def from_networkx(
    graph: Any, *, weight: str | None, bias: float, activation: str, output: Any
) -> Given:
    """Take a network from a directed graph; see :meth:`Network.from_networkx`."""
    if not (hasattr(graph, "is_directed") and hasattr(graph, "edges")):
        raise ArgumentError(f"a NetworkX graph is needed, not {type(graph).__name__}")
    if not graph.is_directed():
        raise ArgumentError(
            f"the graph is a {type(graph).__name__}, whose edges lead both ways; give a DiGraph or "
            f"a MultiDiGraph"
        )
    number = _numbers(graph)
    edges = np.fromiter(
        _edges(graph, number, weight),
        np.dtype([("source", np.int32), ("target", np.int32), ("weight", np.float64)]),
        graph.number_of_edges(),
    )
    biases = [
        _real(value, f"the bias of node {node!r}")
        for node, value in graph.nodes(data="bias", default=bias)
    ]
    activations = [name for _, name in graph.nodes(data="activation", default=activation)]
    return Given(
        edges["source"],
        edges["target"],
        edges["weight"],
        biases,
        activations,
        None if output is None else _number(number, output),
    )


def _numbers(graph: Any) -> dict[Any, int]:
    return {node: k for k, node in enumerate(graph)}


def named_cycle(graph: Any, given: Given) -> CycleError:
    """Return the error that names the nodes of a cycle as the graph does."""
    source, target = given.source.copy(), given.target.copy()
    nodes = list(_numbers(graph))
    _, cycle = levels(source, by_target(target, len(nodes)))
    names = " -> ".join(repr(nodes[k]) for k in (*cycle, cycle[0]))
    return CycleError(f"the graph has a cycle: {names}; back-propagation needs an acyclic network")


def _edges(
    graph: Any, number: dict[Any, int], weight: str | None
) -> Iterator[tuple[int, int, float]]:
    for source, target, value in graph.edges(data=weight, default=1.0):
        what = f"the weight of the edge from {source!r} to {target!r}"
        yield number[source], number[target], _real(value, what)


def _real(value: Any, what: str) -> float:
    if not isinstance(value, Real):
        raise ArgumentError(f"{what} is {value!r:.40}, no number")
    try:
        return float(value)
    except OverflowError:
        raise ArgumentError(f"{what} is past the range of float64") from None


def _number(number: dict[Any, int], output: Any) -> int:
    try:
        return number[output]
    except (KeyError, TypeError):
        raise ArgumentError(f"the output is {output!r:.40}, no node of the graph") from None
