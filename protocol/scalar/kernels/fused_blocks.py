"""Blocks run by compiled kernels: any number of levels in one call."""

from __future__ import annotations

import numpy as np

from ...outline import Ints
from ..blocks import Blocks
from ..piece import S_OF_NODES, WEIGHTS, Floats, Piece
from . import fused


class FusedBlocks(Blocks):
    """The nodes of a piece, during one pass, run by compiled kernels.

    Attributes:
        values: of each node, slot and ghost.
        pairs: value and S side by side, of each node, slot and ghost.
        before: the sum of each node before its activation.
        delta: S·∂u/∂(that sum): the gradient of the node's bias.
        gradient: the gradient of each edge's weight.

    """

    def __init__(self, piece: Piece) -> None:
        self._kernels = fused.kernels(piece.names)
        entries = piece.nodes + piece.extra
        sums = piece.nodes if piece.sums else 0
        self.values: Floats = np.empty(entries)
        self.pairs: Floats = np.empty((entries, 2))
        self.before: Floats = np.empty(sums)
        self.delta: Floats = np.zeros(sums)
        self.gradient: Floats = np.zeros(len(piece.weight))
        self._arrays = piece.arrays
        self._state = fused.State(self.values, self.pairs, self.before, self.delta, self.gradient)
        super().__init__(piece)

    def another(self) -> FusedBlocks:
        """Return the same nodes for another pass."""
        return FusedBlocks(self.piece)

    def put(self, nodes: Ints, values: Floats) -> None:
        """Give nodes their values."""
        fused.put_nodes(nodes, values, self.piece.slots, self.values, self.pairs)

    def put_ghosts(self, entries: Ints, values: Floats, pick: Ints) -> None:
        """Give ghosts the values of the nodes that they stand for, which live elsewhere."""
        fused.put_ghosts(entries, values, pick, self.values, self.pairs)

    def put_slots(self, entries: Ints, messages: Floats) -> None:
        """Put messages from elsewhere into their slots."""
        fused.put_slots(entries, messages, self.pairs)

    def define(self, S: float) -> None:
        """Define S at the output, which lives here: the article's S = 1."""
        self.pairs[self.piece.output, 1] = S

    def found(self, what: int) -> Floats:
        """Return S at each node here, or the gradients of the weights or biases here."""
        if what == S_OF_NODES:
            return self.S_at(slice(self.piece.nodes)) + 0.0  # where no message came, too
        return self.gradient if what == WEIGHTS else self.delta

    def values_at(self, entries: Ints | slice) -> Floats:
        """Return values."""
        return np.array(self.values[entries])

    def S_at(self, entries: Ints | slice) -> Floats:
        """Return S, to the bit; -0.0, with which every sum began, where no message came."""
        return np.array(self.pairs[entries, 1])

    def _begin(self) -> None:
        """Do nothing: S begins anew where values are put."""

    def _fire(self, low: int, high: int) -> None:
        self._kernels.fire(low, high, self._arrays, self._state)

    def _send(self, low: int, high: int) -> tuple[int, int, int, int]:
        return self._kernels.send(low, high, self._arrays, self._state)
