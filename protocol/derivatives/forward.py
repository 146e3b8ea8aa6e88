"""The forward sweep alone."""

from __future__ import annotations

from typing import Any

from ..blas import one_blas_thread
from ..graph.graph import Graph, require_graph
from .one_pass import fired, value_of


def forward(graph: Graph, *args: Any) -> Any:
    """Return the value of a network, in this process: its outputs, in their structure.

    Args:
        graph: the network, from :func:`trace` or :func:`gradient_network`.
        *args: values of the shapes that it was traced with.

    Raises:
        ArgumentError: the arguments do not fit the graph.
        GuardError: the traced program would have branched otherwise.

    """
    require_graph(graph)
    values = graph.signature.bind(args)[0]
    with one_blas_thread():
        return value_of(graph, fired(graph, values))
