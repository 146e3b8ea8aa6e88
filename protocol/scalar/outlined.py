"""The outline of a network of scalar nodes."""

from __future__ import annotations

import numpy as np

from ..outline import COMPUTED, CONSTANT, GIVEN, Ints, Outline
from .piece import LEAF, POSITION, PRIMITIVE, WEIGHTED, Piece

_BYTES = 8
_INPUT_BYTES = 20
"""What an input of a sum moves: a value, a weight, and four bytes that say whose value it is."""


def outline(piece: Piece) -> Outline:
    """Return a network, all in one piece, as numbers."""
    lengths, degree = np.diff(piece.start), np.diff(piece.inputs)
    kind, live = np.repeat(piece.kind, lengths), np.repeat(piece.live, lengths)
    computed = kind != LEAF
    kinds = np.where(computed, COMPUTED, GIVEN).astype(np.uint8)
    kinds[piece.constants] = CONSTANT
    return Outline(
        first=piece.inputs,
        source=piece.source & POSITION,
        carries=_carries(piece, kind, live, degree),
        level=np.repeat(piece.level, lengths),
        kind=kinds,
        on_network=(live > 0).astype(np.uint8),
        outputs=(piece.output,),
        leaves=piece.leaves,
        asked=live[piece.leaves] > 0,
        value_bytes=np.full(piece.nodes, _BYTES),
        flops=np.where(kind == WEIGHTED, 2 * degree + 1, degree),
        moved_bytes=_INPUT_BYTES * degree + _BYTES,
        on_arrays=computed.astype(np.uint8),
        fine=True,
        numbers=piece.numbers,
    )


def _carries(piece: Piece, kind: Ints, live: Ints, degree: Ints) -> Ints:
    """Return for each input whether a message goes back: to all of a sum, or by a bit for each."""
    carries = np.repeat((live > 0).astype(np.uint8), degree)
    primitive = np.flatnonzero(kind == PRIMITIVE)
    first, count = piece.inputs[:-1][primitive], degree[primitive]
    for position in range(int(count.max(initial=0))):
        some = count > position
        bits = live[primitive[some]] >> np.uint8(position) & np.uint8(1)
        carries[first[some] + position] = bits
    return carries
