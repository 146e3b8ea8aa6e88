"""The scalar nodes that live in one partition, as arrays: what a pass there runs on.

Nodes are numbered in firing order, and gathered into blocks: nodes of one level and one operation
that stand together. Behind the nodes stand *slots* and *ghosts*. A node whose messages do not come
in edge order of themselves has a slot for each, and sums the slots when it fires. A ghost stands
for a node that lives elsewhere: it holds that node's value on the way up, and the message to it on
the way down.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..outline import Ints

LEAF, WEIGHTED, SUM, PRIMITIVE = range(4)
"""The kinds of blocks: nodes that are given; an activation of a sum, with weights or without; and a
primitive of up to three inputs."""

POSITION = np.uint32(2**31 - 1)
"""The bits of an edge's source that say where it is."""

FIRST = np.uint32(2**31)
"""The bit that says that the message on this edge is the first that its source takes."""

Floats = np.ndarray[Any, np.dtype[np.float64]]

S_OF_NODES, WEIGHTS, BIASES = range(3)
"""What can be asked of nodes after a pass: S, and the gradients of weights and biases."""


class Arrays(NamedTuple):
    """The arrays of a piece, as compiled loops take them: see :class:`Piece`."""

    start: Ints
    kind: Ints
    op: Ints
    live: Ints
    wave: Ints
    inputs: Ints
    source: Ints
    weight: Floats
    bias: Floats
    slots: Ints
    opens: Ints


@dataclass(frozen=True, eq=False, slots=True)
class Piece:
    """Nodes of one partition, by the numbers that they have here: B blocks, n nodes, e edges.

    Attributes:
        names: the operations, which blocks name by number.
        start: the first node of each block, and n; int64[B + 1].
        kind, op, live: of each block, its kind, its operation, and a bit for each input to which
            there is a message (of a sum: 1 for all, 0 for none); uint8, int16, uint8[B].
        level: of each block; int32[B].
        wave: the blocks that fire backwards, in order; int64.
        inputs: where the edges of each node begin, and e; int64[n + 1].
        source: where each edge comes from, and FIRST; uint32[e].
        weight: float64[e]; empty where no block is WEIGHTED.
        bias: float64[n]; empty where no block is a sum.
        slots: where the slots of each node begin, and their end; int64[n + 1].
        opens: 1 for a node whose first message is in a slot; uint8[n].
        extra: how many slots and ghosts there are.
        leaves: the nodes that the caller gives values, in the caller's order.
        constants, constant_values: nodes whose values never change.
        output: the output, -1 where it lives elsewhere.
        numbers: what the caller calls each node; None where that is its number here.
        edges: what the caller calls each edge, likewise.
        takes: for each frame that comes, where its numbers go.
        values: for each frame of values (or of S) that goes, the nodes whose they are.
        messages: for each frame of messages that goes, the first ghost in it, and the end.
        fixed, fixed_values: the ghosts of constants that live elsewhere.
        combines: whether messages to one node elsewhere are summed here, in one ghost.

    """

    names: tuple[str, ...]
    start: Ints
    kind: Ints
    op: Ints
    live: Ints
    level: Ints
    wave: Ints
    inputs: Ints
    source: Ints
    weight: Floats
    bias: Floats
    slots: Ints
    opens: Ints
    extra: int
    leaves: Ints
    constants: Ints
    constant_values: Floats
    output: int
    numbers: Ints | None = None
    edges: Ints | None = None
    takes: dict[int, Takes] = field(default_factory=dict)
    values: dict[int, Ints] = field(default_factory=dict)
    messages: dict[int, tuple[int, int]] = field(default_factory=dict)
    fixed: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    fixed_values: Floats = field(default_factory=lambda: np.empty(0))
    combines: bool = False

    @property
    def arrays(self) -> Arrays:
        """Its arrays, as compiled loops take them."""
        return Arrays(*[getattr(self, name) for name in Arrays._fields])

    @property
    def nodes(self) -> int:
        """How many nodes live here."""
        return len(self.inputs) - 1

    @property
    def sums(self) -> bool:
        """Whether there are weighted or plain sums here."""
        return len(self.bias) > 0

    def levels(self, low: int, high: int) -> frozenset[int]:
        """Return the levels of the blocks ``low`` to ``high`` of the wave."""
        return frozenset(np.unique(self.level[self.wave[low:high]]).tolist())

    def number(self, u: int) -> int:
        """Return what the caller calls a node."""
        return u if self.numbers is None else int(self.numbers[u])


@dataclass(frozen=True, eq=False, slots=True)
class Takes:
    """Where the numbers of a frame go: number ``pick[k]`` of it to entry ``into[k]``."""

    into: Ints
    pick: Ints | None = None
