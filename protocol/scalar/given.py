"""What a network of scalar nodes is made of, before it is put in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..outline import Ints
from .piece import Floats

Activations = str | Sequence[str] | np.ndarray[Any, Any]


class Given(NamedTuple):
    """Edges, and what the nodes do: the arguments of :class:`Network`."""

    source: Any
    target: Any
    weight: Any
    bias: Any = 0.0
    activation: Activations = "tanh"
    output: int | None = None


class ByTarget(NamedTuple):
    """Edges by target: those of node u are ``edges[inputs[u]:inputs[u + 1]]``, in given order.

    ``edges`` is None where they were given so.
    """

    inputs: Ints
    edges: Ints | None


@dataclass(frozen=True, eq=False, slots=True)
class Definition:
    """A network as its maker numbers nodes and edges; arrays by node unless said otherwise.

    Attributes:
        names: the operations, which ``op`` names by number.
        kind, op, live, level: see :class:`Piece`, whose blocks have what its nodes have here.
        bias: empty where no node is a sum.
        source: where each edge comes from.
        weight: of each edge; empty where no node is WEIGHTED.
        by_target: the edges of each node.
        leaves: the nodes that the caller gives values.
        constants, constant_values: the nodes whose values never change.
        output: the output.
        num_edges: E, how many edges lie between a differentiated leaf and the output.
        inputs_without_gradient: how many inputs of the V nodes are no edges.

    """

    names: tuple[str, ...]
    kind: Ints
    op: Ints
    live: Ints
    level: Ints
    bias: Floats
    source: Ints
    weight: Floats
    by_target: ByTarget
    leaves: Ints
    constants: Ints
    constant_values: Floats
    output: int
    num_edges: int
    inputs_without_gradient: int = 0
