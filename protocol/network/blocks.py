"""The scalar nodes that live in one place, during one pass: what ``node.Nodes`` is for tensors.

The rule is the same, node by node: sum the messages to S, then send S·∂u/∂z along each edge. Here
it runs over blocks of nodes, and each message is still counted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import NonFiniteError
from . import fused
from .piece import POSITION, Floats, Ints, Piece
from .result import WEIGHTS, S


class Blocks:
    """The nodes of a piece, during one pass, run by compiled kernels.

    Attributes:
        values: of each node, slot and ghost.
        pairs: value and S side by side, of each node, slot and ghost.
        before: the sum of each node before its activation.
        delta: S·∂u/∂(that sum): the gradient of the node's bias.
        gradient: the gradient of each edge's weight.
        direct, slotted: how many messages were received, from here and from slots.
        first: how many nodes have received one.
        sent: how many messages were computed.
        crossed: how many were given away.

    """

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        self._kernels = fused.kernels(piece.names)
        places = piece.nodes + piece.extra
        sums = piece.nodes if piece.sums else 0
        self.values: Floats = np.empty(places)
        self.pairs: Floats = np.empty((places, 2))
        self.before: Floats = np.empty(sums)
        self.delta: Floats = np.zeros(sums)
        self.gradient: Floats = np.zeros(len(piece.weight))
        self.lent = False  # whether somebody was given one of these arrays
        self.begin()

    def begin(self, *, check_finite: bool = False) -> None:
        """Begin another pass, in the arrays of the last one."""
        self.check_finite = check_finite
        self.direct = self.slotted = self.first = self.sent = self.crossed = 0
        self.put(self.piece.constants, self.piece.constant_values)
        self.put_ghosts(self.piece.fixed, self.piece.fixed_values)

    def put(self, nodes: Ints, values: Floats) -> None:
        """Give nodes their values."""
        if len(nodes):
            fused.place(nodes, values, self.piece.slots, self.values, self.pairs)

    def put_ghosts(self, places: Ints, values: Floats) -> None:
        """Give ghosts the values of the nodes that they stand for, which live elsewhere."""
        self.values[places] = values
        self.pairs[places, 0] = values
        self.pairs[places, 1] = -0.0

    def put_slots(self, places: Ints, messages: Floats) -> None:
        """Put messages from elsewhere into their slots."""
        self.pairs[places, 1] = messages

    def fire(self, low: int, high: int) -> None:
        """Compute the values of the blocks ``low`` to ``high``."""
        p = self.piece
        self._kernels.fire(
            low, high, p.start, p.kind, p.op, p.inputs, p.source, p.weight, p.bias, p.slots,
            self.values, self.pairs, self.before,
        )  # fmt: skip
        if self.check_finite:
            self._look(self.values, range(low, high), "value")

    def define(self, S: float) -> None:
        """Define S at the output, which lives here: the article's S = 1."""
        self.pairs[self.piece.output, 1] = S

    def send(self, low: int, high: int) -> None:
        """Fire the blocks ``low`` to ``high`` of the wave: sum, then send."""
        p = self.piece
        direct, slotted, first, sent = self._kernels.send(
            p.wave[low:high], p.start, p.kind, p.op, p.live, p.inputs, p.source, p.weight,
            p.slots, p.opens, self.pairs, self.before, self.delta, self.gradient,
        )  # fmt: skip
        self.direct += int(direct)
        self.slotted += int(slotted)
        self.first += int(first)
        self.sent += int(sent)
        if self.check_finite:
            self._look(self.pairs[:, 1], p.wave[low:high], "S")

    def counts(self) -> dict[str, int]:
        """Return what was counted so far, by the ledger's names."""
        # What was put into a ghost beside another message was received there.
        combined = self.sent - self.direct - self.crossed if self.piece.combines else 0
        messages = self.direct + self.slotted + combined
        return {
            "messages": messages,
            "sums": messages - self.first,
            "multiplies": self.sent,
            "receivers": self.first,
            "combined": combined,
        }

    def found(self, what: int) -> Floats:
        """Return S at each node here, or the gradients of the weights or biases here."""
        if what == S:
            # -0.0, which every sum began with, becomes 0.0.
            return self.pairs[: self.piece.nodes, 1] + 0.0
        return self.gradient if what == WEIGHTS else self.delta

    def values_at(self, nodes: Ints) -> Floats:
        """Return the values of nodes."""
        return self.values[nodes]

    def S_at(self, nodes: Ints) -> Floats:
        """Return S at nodes."""
        return self.pairs[nodes, 1] + 0.0

    def messages_at(self, low: int, high: int) -> Floats:
        """Return the messages in the ghosts ``low`` to ``high``, which go elsewhere."""
        self.crossed += high - low
        return self.pairs[low:high, 1].copy()

    def _look(self, numbers: Floats, blocks: Sequence[int] | Ints, what: str) -> None:
        """Raise at the first node of these blocks where a NaN or an infinity stands."""
        p = self.piece
        for b in blocks:
            first, stop = p.start[b], p.start[b + 1]
            bad = np.flatnonzero(~np.isfinite(numbers[first:stop]))
            if len(bad):
                u = int(first + bad[0])
                name = p.names[p.op[b]] if p.op[b] >= 0 else "leaf"
                raise NonFiniteError(
                    f"the {what} of node {p.number(u)} ({name}, level {p.level[b]}) is "
                    f"{numbers[u]}{self._given(u) if what == 'value' else ''}"
                )

    def _given(self, u: int) -> str:
        """Say what a node was given, for an error."""
        p = self.piece
        sources = p.source[p.inputs[u] : p.inputs[u + 1]] & POSITION
        if not len(sources):
            return ""
        given = self.values[sources]
        return f"; its {len(given)} inputs are {given.min():.6g} to {given.max():.6g}"
