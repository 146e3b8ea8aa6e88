"""One pass of a network in this process: what every other engine must equal in every bit."""

from __future__ import annotations

from functools import partial
from time import time_ns
from weakref import ref

import numpy as np

from ..ledger import Ledger
from ..timeline import Span
from .blocks import Blocks
from .bound import BoundScalars
from .kernels.on_host import host_blocks
from .piece import S_OF_NODES, WEIGHTS, Floats
from .result import NetworkResult
from .whole import Whole


class Scratch:
    """The arrays of the last pass in this process, for the next: memory that a pass is the first
    to touch costs it as much time as what it does there.
    """

    def __init__(self) -> None:
        self._last: tuple[Blocks, ref[partial[Floats]]] | None = None

    def take(self, network: Whole) -> Blocks:
        """Return what an earlier pass ran in if its result is gone, or something new."""
        last, self._last = self._last, None
        if last is not None and last[1]() is None and not last[0].lent:
            return last[0]
        return host_blocks(network.piece)

    def leave(self, blocks: Blocks, ask: partial[Floats]) -> None:
        """Leave them to the next pass, for when ``ask`` is gone."""
        self._last = blocks, ref(ask)


def run_here(
    network: Whole, scratch: Scratch, bound: BoundScalars, *, check_finite: bool
) -> NetworkResult:
    """Run one pass of a network in this process.

    Raises:
        NonFiniteError: with ``check_finite``, at the first node where a NaN or an infinity arises.

    """
    piece = network.piece
    blocks = scratch.take(network)
    blocks.begin(check_finite=check_finite)
    begin = time_ns()
    blocks.put(piece.leaves, bound.values)
    blocks.fire(0, len(piece.kind))
    turn = time_ns()
    blocks.define(bound.S)
    blocks.send(0, len(piece.wave))
    end = time_ns()
    counts = blocks.counted()
    counts.levels = network.wave_levels
    ask = partial(_found, network, blocks)
    result = NetworkResult(
        value=float(blocks.values_at(np.array([piece.output]))[0]),
        grads=blocks.S_at(piece.leaves) + 0.0,  # 0 where no message came
        ledger=Ledger.of(network, counts),
        timeline=[
            Span(0, "forward", "compute", begin, turn),
            Span(0, "backward", "compute", turn, end),
        ],
        ask=ask,
    )
    scratch.leave(blocks, ask)  # which copies of the result hold, too
    return result


def _found(network: Whole, blocks: Blocks, what: int) -> Floats:
    found = blocks.found(what)
    ordered = network.per_edge(found) if what == WEIGHTS else network.per_node(found)
    blocks.lent |= ordered is found and what != S_OF_NODES
    return ordered
