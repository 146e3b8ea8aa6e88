"""From edges as a user gives them to the definition of a network, all checked."""

from __future__ import annotations

import numpy as np

from ...errors import ArgumentError, CycleError, IndependentOutputError
from ..given import Definition, Given
from ..piece import LEAF, WEIGHTED, Floats
from .checks import (
    EDGE_BYTES,
    NODE_BYTES,
    activation_numbers,
    count_nodes,
    cycle_path,
    node_numbers,
    output_number,
    real_numbers,
    require_edges,
    require_finite,
)
from .memory import require_memory
from .order import by_target, levels, reach


def define(given: Given) -> Definition:
    """Return the definition of a network; see :class:`Network`.

    Raises:
        ArgumentError, CycleError, IndependentOutputError, UnknownPrimitiveError: see there.

    """
    source, target = node_numbers(given.source, "source"), node_numbers(given.target, "target")
    if len(source) != len(target):
        raise ArgumentError(
            f"there are {len(source)} sources and {len(target)} targets; each edge has one of each"
        )
    if not len(source):
        raise ArgumentError("the network has no edge")
    biases = real_numbers(given.bias, "bias")
    nodes = count_nodes(source, target, biases, given.activation)
    require_memory(EDGE_BYTES * len(source) + NODE_BYTES * nodes, f"{len(source):,} edges")
    require_edges(source, target, nodes)
    weights = _weights(given.weight, len(source))
    require_finite(biases, "bias", "node")
    names, op = activation_numbers(given.activation, nodes)
    output = output_number(given.output, nodes)
    sorted_edges = by_target(target, nodes)
    level, cycle = levels(source, sorted_edges)
    if len(cycle):
        raise CycleError(
            f"the network has a cycle: {cycle_path([*cycle, cycle[0]])}; back-propagation "
            f"needs an acyclic network (unroll a loop through time first)"
        )
    if not level[output]:
        raise IndependentOutputError(
            f"the output, node {output}, cannot be reached: no edge leads to it, so there is "
            f"no message to send"
        )
    leaf = np.diff(sorted_edges.inputs) == 0
    reached = np.zeros(nodes, np.uint8)
    edges = reach(output, level, source, sorted_edges, reached)
    return Definition(
        names=names,
        kind=np.where(leaf, LEAF, WEIGHTED).astype(np.uint8),
        op=np.where(leaf, -1, op).astype(np.int16),
        live=reached,
        level=level,
        bias=np.broadcast_to(biases, nodes).copy(),
        source=source,
        weight=weights,
        by_target=sorted_edges,
        leaves=np.flatnonzero(leaf),
        constants=np.empty(0, np.int64),
        constant_values=np.empty(0),
        output=output,
        num_edges=edges,
    )


def _weights(weight: object, edges: int) -> Floats:
    weights = real_numbers(weight, "weight")
    if weights.ndim == 0:
        weights = np.full(edges, float(weights))
    if len(weights) != edges:
        raise ArgumentError(f"there are {len(weights)} weights and {edges} edges")
    require_finite(weights, "weight", "edge")
    return weights
