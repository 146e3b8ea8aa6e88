"""A network of scalar nodes in firing order, and back to how its maker numbers it."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..outline import Ints
from .piece import POSITION, Floats, Piece


class Whole:
    """A network with one output, all in one piece.

    Attributes:
        piece: the nodes in firing order.
        at: where each node of the maker's is in the piece; None where it is at its own number.
        num_nodes: V, the nodes between a differentiated leaf and the output.
        num_edges: E, the edges between those.
        inputs_without_gradient: how many inputs of the V nodes are no edges.
        name: what it is called.

    """

    piece: Piece
    at: Ints | None
    num_nodes: int
    num_edges: int
    inputs_without_gradient: int
    name = "network"

    num_outputs = 1

    @cached_property
    def num_levels(self) -> int:
        """How many levels the V nodes stand on, hence the number of waves."""
        return len(self.wave_levels)

    @cached_property
    def wave_levels(self) -> frozenset[int]:
        """The levels on which the V nodes stand."""
        return self.piece.levels(0, len(self.piece.wave))

    @property
    def nodes(self) -> int:
        """How many nodes there are, on the network or not."""
        return self.piece.nodes

    @property
    def edges(self) -> int:
        """How many edges there are, on the network or not."""
        return len(self.piece.source)

    @property
    def output(self) -> int:
        """The node that is differentiated."""
        return self.piece.number(self.piece.output)

    @property
    def inputs(self) -> Ints:
        """The nodes that nothing feeds, in order: those that :func:`backward` is given."""
        return self.by_number(self.piece.leaves).copy()

    @property
    def size(self) -> int:
        """The network size V + E."""
        return self.num_nodes + self.num_edges

    # As its maker numbers it.

    def by_number(self, nodes: Ints) -> Ints:
        """Return what its maker calls nodes of the piece."""
        return nodes if self.piece.numbers is None else self.piece.numbers[nodes]

    def per_node(self, found: Floats) -> Floats:
        """Return an array in the maker's node order from one in firing order."""
        if self.at is None or not len(found):
            return found
        return found[self.at]

    def per_edge(self, found: Floats) -> Floats:
        """Return an array in the maker's edge order from one in firing order."""
        if self.piece.edges is None or not len(found):
            return found
        out = np.empty_like(found)
        out[self.piece.edges] = found
        return out

    @property
    def source(self) -> Ints:
        """For each edge the node that it comes from."""
        return self.per_edge(self.by_number((self.piece.source & POSITION).astype(np.int64)))

    @property
    def target(self) -> Ints:
        """For each edge the node that it leads to."""
        counts = np.diff(self.piece.inputs)
        return self.per_edge(np.repeat(self.by_number(np.arange(self.nodes)), counts))

    @property
    def weight(self) -> Floats:
        """The weight of each edge; empty where no node weighs its inputs."""
        return self.per_edge(self.piece.weight.copy())

    @property
    def bias(self) -> Floats:
        """The bias of each node; empty where no node is a sum."""
        return self.per_node(self.piece.bias.copy())

    @property
    def operation(self) -> list[str]:
        """What each node does: its activation or primitive, or ``"leaf"``."""
        names = np.array(["leaf", *self.piece.names])
        op = np.repeat(self.piece.op, np.diff(self.piece.start)).astype(np.int64) + 1
        return [str(name) for name in names[op if self.at is None else op[self.at]]]

    def __repr__(self) -> str:
        """Say the size."""
        return f"<network: V={self.num_nodes:,} E={self.num_edges:,} levels={self.num_levels:,}>"
