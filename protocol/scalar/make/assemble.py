"""From nodes and edges as their maker numbers them to a piece in firing order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...outline import Ints
from ..given import Definition
from ..piece import Piece
from .order import Edges, in_order, lay, mark_first

_NOTHING = np.empty(0, np.int32)
_CODES = 4 * 2**16 * 8


@dataclass(frozen=True, eq=False, slots=True)
class Assembled:
    """The piece that holds a whole network, and where each node of the definition is in it.

    ``at`` is None where each node is at its own number.
    """

    piece: Piece
    at: Ints | None


def assemble(given: Definition) -> Assembled:
    """Put a network in firing order: by level, then by what a node does, then by number."""
    nodes, edges = len(given.level), len(given.source)
    code = (given.kind.astype(np.int64) * 2**16 + given.op + 1) * 8 + given.live
    order = in_order(given.level * np.int64(_CODES) + code)
    at = None
    if order is not None:
        at = np.empty(nodes, np.uint32)
        at[order] = np.arange(nodes, dtype=np.uint32)

    def ordered(by_node: Ints) -> Ints:
        return by_node if order is None else by_node[order]

    source = np.empty(edges, np.uint32)
    weight = np.empty(len(given.weight))
    inputs = np.zeros(nodes + 1, np.int64)
    sorting = given.by_target.edges
    moved = order is not None or sorting is not None
    numbers = np.empty(edges, np.int32 if edges < 2**31 else np.int64) if moved else _NOTHING
    lay(
        _NOTHING if order is None else order,
        _NOTHING if at is None else at,
        Edges(
            given.by_target.inputs,
            given.source,
            given.weight,
            _NOTHING if sorting is None else sorting,
        ),
        Edges(inputs, source, weight, numbers),
    )
    code, level = ordered(code), ordered(given.level)
    starts = np.flatnonzero((code[1:] != code[:-1]) | (level[1:] != level[:-1])) + 1
    start = np.concatenate([[0], starts, [nodes]])
    heads = start[:-1]
    kind, op, live = (ordered(each)[heads] for each in (given.kind, given.op, given.live))
    wave = np.flatnonzero(live)[::-1].copy()

    def numbered(by_number: Ints) -> Ints:
        return by_number if at is None else at[by_number].astype(np.int64)

    piece = Piece(
        names=given.names,
        start=start,
        kind=kind,
        op=op,
        live=live,
        level=level[heads],
        wave=wave,
        inputs=inputs,
        source=source,
        weight=weight,
        bias=ordered(given.bias) if len(given.bias) else given.bias,
        slots=np.full(nodes + 1, nodes, np.int64),
        opens=np.zeros(nodes, np.uint8),
        extra=0,
        leaves=numbered(given.leaves),
        constants=numbered(given.constants),
        constant_values=given.constant_values,
        output=int(numbered(np.array([given.output]))[0]),
        numbers=order,
        edges=numbers if moved else None,
    )
    mark_first(piece.arrays)
    return Assembled(piece, at)
