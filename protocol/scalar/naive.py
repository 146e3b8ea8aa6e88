"""The article's naive feedforward algorithm: every ∂u_i/∂u_j, in time O(VE). "Not efficient!"

It takes the chain rule as it stands. For a fixed u_j, ∂u_j/∂u_j is 1, and ∂u_l/∂u_j of each node at
a higher level is a weighted combination of ∂u_i/∂u_j for each u_i that is a direct input to u_l:
E steps at most for one column of the V² values, VE for all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ..errors import LedgerError
from ..outline import Ints
from .bound import bind
from .kernels.operations import MOST_INPUTS, operation
from .network import Network, require_network
from .piece import LEAF, POSITION, PRIMITIVE, WEIGHTED, Floats, Piece

BATCH = 2**27
"""Edges in one call of the compiled loop, some tenths of a second: Ctrl-C is heard in between."""


@dataclass(frozen=True, slots=True, eq=False)
class NaiveResult:
    """What the naive algorithm gives.

    Attributes:
        value: the output's value.
        S: ∂f/∂u_j of each node, as its maker numbers nodes; 0 where no path leads to the output.
        work: how many edges were visited, in all columns together: O(VE). Each visit adds
            ∂u_l/∂u_i · ∂u_i/∂u_j for one edge from u_i to u_l.

    """

    value: float
    S: Floats = field(repr=False)
    work: int


def naive(network: Network, inputs: Any) -> NaiveResult:
    """Compute ∂u_i/∂u_j for every pair of nodes with u_i at a higher level than u_j.

    One column (one j) at a time, in O(V) memory beyond the network's own, so that it runs at any
    size; slowly. There is a column for each of the V nodes on the network, and it visits those of
    the E edges that lead to a level above its node's; some 1e9 visits a second.

    Where a local derivative is infinite, columns that do not lead there hold 0·∞ = NaN.

    Args:
        network: the network.
        inputs: the values of the nodes that nothing feeds, in node order.

    Raises:
        ArgumentError: this is no network, or the inputs do not fit it.
        LedgerError: the work is not what :func:`naive_work` says.

    """
    require_network(network)
    given = bind(network, (inputs,), None).values
    # Here, since it needs Numba, which takes half a second to import.
    from .columns import columns

    piece = network.piece
    with np.errstate(all="ignore"):  # as the compiled kernels do
        values, local = _feed_forward(piece, given)
    wave = _wave(piece)
    # From the highest node down: a column then leaves nothing behind that a later one reads.
    nodes = np.flatnonzero(np.repeat(piece.live, np.diff(piece.start)))[::-1].copy()
    above = np.repeat(wave.above, wave.nodes)[::-1].copy()
    batch = np.cumsum(np.repeat(wave.work, wave.nodes)[::-1]) // BATCH
    derivative, S = np.zeros(piece.nodes), np.zeros(piece.nodes)
    work = 0
    for first, stop in _runs(batch):
        work += columns(
            nodes[first:stop], above[first:stop], wave.blocks, piece.arrays, local, piece.output,
            derivative, S,
        )  # fmt: skip
    if work != naive_work(network):
        raise LedgerError(f"{work} edges were visited, and {naive_work(network)} were to be")
    return NaiveResult(float(values[piece.output]), network.per_node(S), work)


def _feed_forward(piece: Piece, given: Floats) -> tuple[Floats, Floats]:
    """Return the value of each node, and its local derivatives, block by block.

    ``local[u, k]`` is ∂u/∂(input k) of a primitive, and ``local[u, 0]`` ∂u/∂(the sum) of a sum.
    """
    values = np.zeros(piece.nodes)
    values[piece.leaves] = given
    values[piece.constants] = piece.constant_values
    local = np.zeros((piece.nodes, MOST_INPUTS if np.any(piece.kind == PRIMITIVE) else 1))
    for b in np.flatnonzero(piece.kind != LEAF):
        low, high = piece.start[b], piece.start[b + 1]
        ends = piece.inputs[low : high + 1]
        edges = slice(ends[0], ends[-1])
        terms = values[piece.source[edges] & POSITION]
        if piece.kind[b] == PRIMITIVE:
            arguments = list(terms.reshape(high - low, -1).T)
        else:
            if piece.kind[b] == WEIGHTED:
                terms *= piece.weight[edges]
            arguments = [np.add.reduceat(terms, ends[:-1] - ends[0]) + piece.bias[low:high]]
        rule = operation(piece.names[piece.op[b]])
        u = values[low:high] = rule.value(*arguments)
        for k, message in enumerate(rule.messages):
            if message is not None and piece.live[b] >> k & 1:
                local[low:high, k] = message(np.ones(high - low), u, *arguments)
    return values, local


def naive_work(network: Network) -> int:
    """Return the work of :func:`naive`, known beforehand in time O(V).

    With n_t nodes on the network at level t, and e_t edges that lead to them, it is
    Σ_t n_t · Σ_{s > t} e_s: half of VE and a little, where all levels are alike.
    """
    wave = _wave(network.piece)
    return int(wave.nodes @ wave.work)


class _Wave(NamedTuple):
    """The blocks on the network in firing order; and of each, for the columns of its nodes.

    How many ``nodes`` it has; the first of ``blocks`` at a level ``above`` its own; the ``work`` of
    one column: the edges that lead to the blocks from there on.
    """

    blocks: Ints
    nodes: Ints
    above: Ints
    work: Ints


def _wave(piece: Piece) -> _Wave:
    blocks = np.flatnonzero(piece.live)
    start, stop = piece.start[blocks], piece.start[blocks + 1]
    # A sum has messages to all its inputs; a primitive to those whose bit is set.
    edges = np.where(
        piece.kind[blocks] == PRIMITIVE,
        np.bitwise_count(piece.live[blocks]) * (stop - start),
        piece.inputs[stop] - piece.inputs[start],
    )
    level = piece.level[blocks]
    above = np.searchsorted(level, level, side="right")
    edges_from = np.append(np.cumsum(edges[::-1])[::-1], 0)
    return _Wave(blocks, stop - start, above, edges_from[above])


def _runs(numbers: Ints) -> list[tuple[int, int]]:
    """Return where each run of one number begins and ends."""
    ends = [0, *(np.flatnonzero(np.diff(numbers)) + 1), len(numbers)]
    return [(int(a), int(b)) for a, b in pairwise(ends)]
