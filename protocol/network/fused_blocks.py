"""Blocks run by compiled kernels: any number of levels in one call."""

from __future__ import annotations

import numpy as np

from . import fused
from .blocks import Blocks
from .piece import Floats, Ints, Piece
from .result import WEIGHTS, S


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
        places = piece.nodes + piece.extra
        sums = piece.nodes if piece.sums else 0
        self.values: Floats = np.empty(places)
        self.pairs: Floats = np.empty((places, 2))
        self.before: Floats = np.empty(sums)
        self.delta: Floats = np.zeros(sums)
        self.gradient: Floats = np.zeros(len(piece.weight))
        super().__init__(piece)

    def put(self, nodes: Ints, values: Floats) -> None:
        """Give nodes their values."""
        fused.place(nodes, values, self.piece.slots, self.values, self.pairs)

    def put_ghosts(self, places: Ints, values: Floats, pick: Ints) -> None:
        """Give ghosts the values of the nodes that they stand for, which live elsewhere."""
        fused.place_ghosts(places, values, pick, self.values, self.pairs)

    def put_slots(self, places: Ints, messages: Floats) -> None:
        """Put messages from elsewhere into their slots."""
        fused.place_slots(places, messages, self.pairs)

    def define(self, S: float) -> None:
        """Define S at the output, which lives here: the article's S = 1."""
        self.pairs[self.piece.output, 1] = S

    def found(self, what: int) -> Floats:
        """Return S at each node here, or the gradients of the weights or biases here."""
        if what == S:
            return self.S_at(slice(self.piece.nodes)) + 0.0  # where no message came, too
        return self.gradient if what == WEIGHTS else self.delta

    def values_at(self, places: Ints | slice) -> Floats:
        """Return values."""
        return np.array(self.values[places])

    def S_at(self, places: Ints | slice) -> Floats:
        """Return S, to the bit; -0.0, with which every sum began, where no message came."""
        return np.array(self.pairs[places, 1])

    def _begin(self) -> None:
        """Do nothing: S begins anew where values are put."""

    def _fire(self, low: int, high: int) -> None:
        p = self.piece
        self._kernels.fire(
            low, high, p.start, p.kind, p.op, p.inputs, p.source, p.weight, p.bias, p.slots,
            self.values, self.pairs, self.before,
        )  # fmt: skip

    def _send(self, low: int, high: int) -> tuple[int, int, int, int]:
        p = self.piece
        return self._kernels.send(
            p.wave[low:high], p.start, p.kind, p.op, p.live, p.inputs, p.source, p.weight,
            p.slots, p.opens, self.pairs, self.before, self.delta, self.gradient,
        )  # fmt: skip
