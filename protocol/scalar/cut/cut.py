"""Cutting a network of scalar nodes: the piece of each partition, its stages and its frames."""

from __future__ import annotations

import numpy as np

from ...layout import Cut, Fires, Keys, Layout, Routed
from ...message import CALLER, FORWARD
from ..piece import Piece
from ..scalar_nodes import ScalarPart
from .ghosts import Ghosts
from .numbering import Numbering
from .pieces import piece_of
from .slots import slots_of

BLOCK = (0,)
"""The keys of a frame: one block of messages or values."""


def cut(whole: Piece, layout: Layout) -> Cut:
    """Cut a network as a layout says.

    Raises:
        PlanError: more messages cross than can be numbered.

    """
    numbering = Numbering(whole, layout)
    slots = slots_of(numbering)
    ghosts = Ghosts(numbering, slots)
    parts = [ScalarPart(piece_of(p, numbering, slots, ghosts)) for p in range(layout.partitions)]
    return Cut(parts, _fires(numbering), [_keys(frame) for frame in layout.frames])


def _keys(frame: Routed) -> Keys:
    """Return the keys of a frame: of leaves from or to the caller, the stage at its other end."""
    if frame.sender == CALLER and frame.kind == FORWARD:
        return Keys((frame.received_by,), frame.content)
    if frame.receiver == CALLER and frame.kind != FORWARD:
        return Keys((frame.sent_by,), frame.content)
    return Keys(BLOCK)


def _fires(numbering: Numbering) -> list[Fires]:
    """Return what fires in each stage."""
    layout = numbering.layout
    up_of_block = layout.up_stage[numbering.order[numbering.heads]]
    waves = [numbering.wave_of(p) for p in range(layout.partitions)]
    downs = [layout.down_stage[numbering.order[numbering.heads[wave]]] for wave in waves]
    found = []
    for number, key in enumerate(layout.keys.tolist()):
        p = key % layout.partitions
        mine = slice(numbering.blocks[p], numbering.blocks[p + 1])
        low, high = np.searchsorted(up_of_block[mine], [number, number + 1]).tolist()
        leaves = _leaf_blocks(numbering, p, low, high)
        back = np.searchsorted(downs[p], [number, number + 1]).tolist()
        found.append(Fires(range(low, leaves), range(leaves, high), range(*back)))
    return found


def _leaf_blocks(numbering: Numbering, p: int, low: int, high: int) -> int:
    """Return where the blocks of leaves, which stand first, end among these."""
    first = numbering.blocks[p]
    kinds = numbering.whole.kind[numbering.block_of_head[first + low : first + high]]
    return low + int(np.argmax(np.append(kinds, 255) > 0))
