"""The Hessian of a pass over workers: each product is a wave where that pass was."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..protocol.arrays import Array
from ..protocol.derivatives.gradient_network import hvp_network
from ..protocol.pytree import flatten
from ..protocol.result import Result

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator


def curvature(graph: Any, args: tuple[Any, ...], hvp: Callable[..., Result]) -> LinearOperator:
    """Return the Hessian of a graph; ``hvp(graph, *args, v)`` runs a product where the pass was."""
    # Here, since what it imports (scipy.sparse.linalg) takes a tenth of a second.
    from ..protocol.derivatives.hessian import operator

    structure = flatten(args).structure
    network = hvp_network(graph)
    curved = bool(network.on_network[network.output])

    def product(v: list[Array]) -> list[Array]:
        if not curved:
            return [np.zeros_like(each) for each in v]
        grads = hvp(graph, *args, graph.signature.direction(structure, v)).grads
        return flatten((grads,)).leaves

    return operator(graph, product)
