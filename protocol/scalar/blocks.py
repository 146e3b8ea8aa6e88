"""The scalar nodes of one partition, during one pass: what ``node.Nodes`` is for tensors.

The rule is the same, node by node: sum the messages to S, then send S·∂u/∂z along each edge. Here
it runs over blocks of nodes, and each message is still counted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from ..errors import NonFiniteError
from ..ledger import Counts
from ..outline import Ints
from .piece import POSITION, Floats, Piece


class Blocks(ABC):
    """The nodes of a piece, during one pass.

    Attributes:
        direct, slotted: how many messages were received, from here and from slots.
        first: how many nodes have received one.
        sent: how many messages were computed.
        crossed: how many were given away.
        lent: whether somebody holds one of the arrays that :meth:`found` has returned.

    """

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        self.lent = False
        self.begin()

    def begin(self, *, check_finite: bool = False) -> None:
        """Begin another pass, in the arrays of the last one."""
        self.check_finite = check_finite
        self._count_anew()
        self._begin()
        if len(self.piece.constants):
            self.put(self.piece.constants, self.piece.constant_values)
        if len(self.piece.fixed):
            fixed = self.piece.fixed
            self.put_ghosts(fixed, self.piece.fixed_values, np.arange(len(fixed)))

    def fire(self, low: int, high: int) -> None:
        """Compute the values of the blocks ``low`` to ``high``."""
        self._fire(low, high)
        if self.check_finite:
            self._look(range(low, high), "value")

    def send(self, low: int, high: int) -> None:
        """Fire the blocks ``low`` to ``high`` of the wave: sum, then send."""
        direct, slotted, first, sent = self._send(low, high)
        self.direct += int(direct)
        self.slotted += int(slotted)
        self.first += int(first)
        self.sent += int(sent)
        if self.check_finite:
            self._look(self.piece.wave[low:high], "S")

    def messages_at(self, low: int, high: int) -> Floats:
        """Return the messages in the ghosts ``low`` to ``high``, which go elsewhere."""
        self.crossed += high - low
        return self.S_at(slice(low, high))

    def counted(self) -> Counts:
        """Return what was counted since this was asked last, but for the levels that fired."""
        # What was put into a ghost beside another message was received there.
        combined = self.sent - self.direct - self.crossed if self.piece.combines else 0
        messages = self.direct + self.slotted + combined
        counts = Counts(
            messages=messages,
            sums=messages - self.first,
            multiplies=self.sent,
            receivers=self.first,
            combined=combined,
        )
        self._count_anew()
        return counts

    def _count_anew(self) -> None:
        self.direct = self.slotted = self.first = self.sent = self.crossed = 0

    @abstractmethod
    def another(self) -> Blocks:
        """Return the same nodes for another pass, which may be open beside this one."""

    @abstractmethod
    def put(self, nodes: Ints, values: Floats) -> None:
        """Give nodes their values."""

    @abstractmethod
    def put_ghosts(self, entries: Ints, values: Floats, pick: Ints) -> None:
        """Give ghosts the values of nodes that live elsewhere: ``values[pick]`` to ``entries``."""

    @abstractmethod
    def put_slots(self, entries: Ints, messages: Floats) -> None:
        """Put messages from elsewhere into their slots."""

    @abstractmethod
    def define(self, S: float) -> None:
        """Define S at the output, which lives here: the article's S = 1."""

    @abstractmethod
    def found(self, what: int) -> Floats:
        """Return S at each node here, or the gradients of the weights or biases here."""

    @abstractmethod
    def values_at(self, entries: Ints | slice) -> Floats:
        """Return values, in host memory."""

    @abstractmethod
    def S_at(self, entries: Ints | slice) -> Floats:
        """Return S, in host memory, to the bit; -0.0 where no message came."""

    @abstractmethod
    def _begin(self) -> None:
        """Make ready for another pass."""

    @abstractmethod
    def _fire(self, low: int, high: int) -> None: ...

    @abstractmethod
    def _send(self, low: int, high: int) -> tuple[int, int, int, int]:
        """Fire blocks of the wave.

        Returns:
            How many messages were received directly, and how many from slots; how many of all
            these were the first of their node; how many were computed.

        """

    def _look(self, blocks: Sequence[int] | Ints, what: str) -> None:
        """Raise at the first node of these blocks where a NaN or an infinity stands."""
        p = self.piece
        for b in blocks:
            here = slice(int(p.start[b]), int(p.start[b + 1]))
            numbers = self.values_at(here) if what == "value" else self.S_at(here)
            bad = np.flatnonzero(~np.isfinite(numbers))
            if len(bad):
                u = here.start + int(bad[0])
                name = p.names[p.op[b]] if p.op[b] >= 0 else "leaf"
                raise NonFiniteError(
                    f"the {what} of node {p.number(u)} ({name}, level {p.level[b]}) is "
                    f"{numbers[bad[0]]}{self._given(u) if what == 'value' else ''}"
                )

    def _given(self, u: int) -> str:
        """Say what a node was given, for an error."""
        p = self.piece
        given = self.values_at(p.source[p.inputs[u] : p.inputs[u + 1]] & POSITION)
        if not len(given):
            return ""
        return f"; its {len(given)} inputs are {given.min():.6g} to {given.max():.6g}"
