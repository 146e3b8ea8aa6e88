"""Blocks run by an array library: NumPy with SciPy's sparse kernels, or CuPy with its own.

For a GPU, and for operations that no compiled rule serves. A block's weighted sums are one sparse
product, and its messages are summed by another: in the library's own order, so that S agrees with
the compiled kernels' to rounding and not to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from ...arrays import Array
from ...outline import Ints
from ..blocks import Blocks
from ..piece import FIRST, LEAF, POSITION, PRIMITIVE, S_OF_NODES, WEIGHTED, WEIGHTS, Floats, Piece
from .operations import operation


@dataclass(frozen=True, slots=True)
class Library:
    """An array library: its arrays, its sparse matrices, and the way back to host memory."""

    arrays: ModuleType
    sparse: ModuleType
    fetch: Callable[[Array], Floats]


@dataclass(frozen=True, slots=True)
class _Input:
    """The edges of a block, or those at one input position of its primitives.

    ``source`` has the entry that each comes from, ``columns`` each entry once, and ``back`` sums
    messages, edge by edge or node by node, to those.
    """

    source: Array
    columns: Array
    back: Any


@dataclass(frozen=True, slots=True)
class _Block:
    """One block, laid out once for all passes."""

    kind: int
    name: str
    nodes: slice
    edges: slice
    rows: Array
    weights: Any
    inputs: tuple[_Input, ...]
    live: int
    slots: slice
    slot_nodes: Array
    slot_sums: Any
    counts: tuple[int, int, int, int]


class ArrayBlocks(Blocks):
    """The nodes of a piece, during one pass, run by an array library's kernels."""

    def __init__(
        self, piece: Piece, library: Library, laid: Sequence[_Block] | None = None
    ) -> None:
        self._library = library
        xp = library.arrays
        entries = piece.nodes + piece.extra
        sums = piece.nodes if piece.sums else 0
        self._values = xp.zeros(entries)
        self._S = xp.zeros(entries)
        self._before = xp.zeros(sums)
        self._delta = xp.zeros(sums)
        self._gradient = xp.zeros(len(piece.weight))
        self._bias = xp.asarray(piece.bias)
        if laid is None:
            laid = [_lay(piece, b, library) for b in range(len(piece.kind))]
        self._blocks = laid
        super().__init__(piece)

    def another(self) -> ArrayBlocks:
        """Return the same nodes for another pass; how they are laid out is shared."""
        return ArrayBlocks(self.piece, self._library, self._blocks)

    def put(self, nodes: Ints, values: Floats) -> None:
        """Give nodes their values."""
        self._values[self._library.arrays.asarray(nodes)] = self._library.arrays.asarray(values)

    def put_ghosts(self, entries: Ints, values: Floats, pick: Ints) -> None:
        """Give ghosts the values of the nodes that they stand for, which live elsewhere."""
        self.put(entries, values[pick])

    def put_slots(self, entries: Ints, messages: Floats) -> None:
        """Put messages from elsewhere into their slots."""
        self._S[self._library.arrays.asarray(entries)] = self._library.arrays.asarray(messages)

    def define(self, S: float) -> None:
        """Define S at the output, which lives here: the article's S = 1."""
        self._S[self.piece.output] = S

    def found(self, what: int) -> Floats:
        """Return S at each node here, or the gradients of the weights or biases here."""
        if what == S_OF_NODES:
            return self.S_at(slice(self.piece.nodes))
        return self._library.fetch(self._gradient if what == WEIGHTS else self._delta)

    def values_at(self, entries: Ints | slice) -> Floats:
        """Return values, in host memory."""
        return self._fetched(self._values, entries)

    def S_at(self, entries: Ints | slice) -> Floats:
        """Return S, in host memory."""
        return self._fetched(self._S, entries)

    def _fetched(self, numbers: Array, entries: Ints | slice) -> Floats:
        at = entries if isinstance(entries, slice) else self._library.arrays.asarray(entries)
        return self._library.fetch(numbers[at].copy())

    def _begin(self) -> None:
        self._S[:] = 0.0

    def _fire(self, low: int, high: int) -> None:
        values = self._values
        for block in self._blocks[low:high]:
            if block.kind != LEAF:
                rule = operation(block.name).value
                if block.kind == PRIMITIVE:
                    result = rule(*[values[each.source] for each in block.inputs])
                else:
                    (edges,) = block.inputs
                    total = block.weights @ values[edges.columns] + self._bias[block.nodes]
                    self._before[block.nodes] = total
                    result = rule(total)
                values[block.nodes] = result
            if block.slots.stop > block.slots.start:
                values[block.slots] = values[block.slot_nodes]

    def _send(self, low: int, high: int) -> tuple[int, int, int, int]:
        done = np.zeros(4, np.int64)
        for b in self.piece.wave[low:high]:
            block = self._blocks[b]
            if block.slots.stop > block.slots.start:
                self._S[block.nodes] += block.slot_sums @ self._S[block.slots]
            if block.kind == PRIMITIVE:
                self._send_primitive(block)
            elif block.kind != LEAF:
                self._send_sum(block)
            done += block.counts
        direct, slotted, first, sent = done.tolist()
        return direct, slotted, first, sent

    def _send_primitive(self, block: _Block) -> None:
        u, received = self._values[block.nodes], self._S[block.nodes]
        arguments = [self._values[each.source] for each in block.inputs]
        rules = operation(block.name).messages
        for position, each in enumerate(block.inputs):
            rule = rules[position]
            if rule is not None and block.live >> position & 1:
                message = np.broadcast_to(rule(received, u, *arguments), u.shape)
                self._S[each.columns] += each.back @ message

    def _send_sum(self, block: _Block) -> None:
        u, received = self._values[block.nodes], self._S[block.nodes]
        rule = operation(block.name).messages[0]
        assert rule is not None  # or it would be no activation
        delta = rule(received, u, self._before[block.nodes])
        self._delta[block.nodes] = delta
        (edges,) = block.inputs
        if block.kind == WEIGHTED:
            self._gradient[block.edges] = delta[block.rows] * self._values[edges.source]
        self._S[edges.columns] += edges.back @ delta


def _lay(piece: Piece, b: int, library: Library) -> _Block:
    """Lay a block out: its sparse matrices, and what its firing counts."""
    xp = library.arrays
    low, high = int(piece.start[b]), int(piece.start[b + 1])
    first, last = int(piece.inputs[low]), int(piece.inputs[high])
    kind, live = int(piece.kind[b]), int(piece.live[b])
    flagged = piece.source[first:last]
    source = (flagged & POSITION).astype(np.int64)
    ends = piece.inputs[low : high + 1] - first
    rows = np.repeat(np.arange(high - low), np.diff(ends))
    position = np.arange(last - first) - ends[rows]
    weights = None
    inputs: list[_Input] = []
    if kind == PRIMITIVE:
        sending = (live >> position) & 1 > 0
        for number in range(int(ends[1])):
            here = source[position == number]
            columns, at = np.unique(here, return_inverse=True)
            ones = np.ones(len(here))
            back = _matrix(library, ones, at, np.arange(len(here)), len(columns), len(here))
            inputs.append(_Input(xp.asarray(here), xp.asarray(columns), back))
    elif kind != LEAF:
        sending = np.full(len(source), live > 0)
        columns, at = np.unique(source, return_inverse=True)
        given = piece.weight[first:last] if kind == WEIGHTED else np.ones(len(source))
        weights = _matrix(library, given, rows, at, high - low, len(columns))
        back = _matrix(library, given, at, rows, len(columns), high - low)
        inputs.append(_Input(xp.asarray(source), xp.asarray(columns), back))
    else:
        sending = np.zeros(len(source), bool)
    slots = slice(int(piece.slots[low]), int(piece.slots[high]))
    each = np.diff(piece.slots[low : high + 1])
    owners = np.repeat(np.arange(high - low), each)
    count = slots.stop - slots.start
    return _Block(
        kind=kind,
        name=piece.names[piece.op[b]] if kind != LEAF else "",
        nodes=slice(low, high),
        edges=slice(first, last),
        rows=xp.asarray(rows),
        weights=weights,
        inputs=tuple(inputs),
        live=live,
        slots=slots,
        slot_nodes=xp.asarray(low + owners),
        slot_sums=_matrix(library, np.ones(count), owners, np.arange(count), high - low, count)
        if count
        else None,
        counts=(
            int(np.count_nonzero(source[sending] < piece.nodes)),
            count,
            int(np.count_nonzero(flagged[sending] & FIRST) + piece.opens[low:high].sum()),
            int(np.count_nonzero(sending)),
        ),
    )


def _matrix(
    library: Library, entries: Floats, rows: Ints, columns: Ints, height: int, width: int
) -> Any:
    """Return a sparse matrix by rows; those of one row and column stay apart."""
    order = np.argsort(rows, kind="stable")
    ends = np.zeros(height + 1, np.int32)
    np.cumsum(np.bincount(rows, minlength=height), out=ends[1:])
    xp = library.arrays
    return library.sparse.csr_matrix(
        (
            xp.asarray(entries[order]),
            xp.asarray(columns[order].astype(np.int32)),
            xp.asarray(ends),
        ),
        shape=(height, width),
    )
