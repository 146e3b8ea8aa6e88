"""The article's change of view: "the parameters associated to the edges as also sitting on the
nodes (actually, leaf nodes)".

An edge from z to u with weight w becomes a node w·z, fed by z and by a leaf w; u then activates the
plain sum of such nodes and of a leaf b.
"""

from __future__ import annotations

import numpy as np

from ...errors import ArgumentError
from ..given import ByTarget, Definition
from ..kernels.operations import operation
from ..piece import LEAF, POSITION, PRIMITIVE, SUM, WEIGHTED
from ..whole import Whole

_MULTIPLY = "multiply"


def weights_as_nodes(network: Whole) -> Definition:
    """Return the network with its parameters on leaves; see :meth:`Network.weights_as_nodes`.

    The nodes are: those of the network, numbered as they are; a leaf for each weight, in edge
    order; a leaf for each bias, in node order; and the products, such that messages are summed in
    the same order: S at every node and leaf is the same, bit for bit.

    Raises:
        ArgumentError: the network has nodes that weigh nothing: its parameters are leaves already.

    """
    piece = network.piece
    if not np.all((piece.kind == WEIGHTED) | (piece.kind == LEAF)):
        raise ArgumentError(f"{network!r} has its parameters on leaves already")
    nodes, edges = network.nodes, network.edges
    degree = np.diff(piece.inputs)
    kind = network.per_node(np.repeat(piece.kind, np.diff(piece.start)))
    live = network.per_node(np.repeat(piece.live, np.diff(piece.start)))
    op = network.per_node(np.repeat(piece.op, np.diff(piece.start)))
    level = network.per_node(np.repeat(piece.level, np.diff(piece.start))).astype(np.int64)
    number = network.by_number(np.arange(nodes))
    source = number[piece.source & POSITION]
    target = np.repeat(number, degree)
    edge = np.arange(edges) if piece.edges is None else piece.edges.astype(np.int64)
    fed = np.flatnonzero(kind == WEIGHTED)
    weights, biases = nodes, nodes + edges
    products = biases + len(fed)
    # A wave goes down through the products as it would through their edges.
    product = products + np.arange(edges)
    bias_of = np.empty(nodes, np.int64)
    bias_of[fed] = biases + np.arange(len(fed))

    total = products + edges
    inputs = np.zeros(total + 1, np.int64)
    counts = inputs[1:]
    counts[fed] = network.per_node(degree)[fed] + 1
    counts[product] = 2
    np.cumsum(counts, out=counts)
    out = np.empty(inputs[-1], np.int64)
    position = np.arange(edges) - np.repeat(piece.inputs[:-1], degree)
    out[inputs[target] + position] = product
    out[inputs[fed + 1] - 1] = bias_of[fed]
    out[inputs[product]] = weights + edge
    out[inputs[product] + 1] = source

    names = tuple(sorted({*piece.names, _MULTIPLY}))
    renamed = np.array([*(names.index(name) for name in piece.names), -1], np.int16)
    new_kind, new_op = np.full(total, LEAF, np.uint8), np.full(total, -1, np.int16)
    new_live, new_level = np.zeros(total, np.uint8), np.zeros(total, np.int64)
    new_kind[:nodes] = np.where(kind == WEIGHTED, SUM, LEAF)
    new_op[:nodes] = renamed[op]
    new_live[:nodes] = live
    new_level[:nodes] = 2 * level
    new_kind[product] = PRIMITIVE
    new_op[product] = names.index(_MULTIPLY)
    reached = live[target]
    new_live[product] = 3 * reached
    new_level[product] = 2 * level[source] + 1
    new_live[weights + edge] = reached
    new_live[bias_of[fed]] = live[fed]
    values_given = np.concatenate([network.inputs, np.arange(weights, products)])
    assert operation(_MULTIPLY).inputs == 2
    return Definition(
        names=names,
        kind=new_kind,
        op=new_op,
        live=new_live,
        level=new_level.astype(np.int32),
        bias=np.zeros(total),
        source=out,
        weight=np.empty(0),
        by_target=ByTarget(inputs, None),
        leaves=values_given,
        constants=np.empty(0, np.int64),
        constant_values=np.empty(0),
        output=network.output,
        num_edges=int(3 * np.count_nonzero(reached) + np.count_nonzero(live[fed])),
    )
