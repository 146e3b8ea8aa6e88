"""The piece of a scalar network that each partition holds."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...outline import Ints
from ..make.order import compiled, mark_first, sends
from ..piece import POSITION, Floats, Piece
from .ghosts import Ghosts
from .numbering import Numbering
from .slots import Slots


def piece_of(p: int, numbering: Numbering, slots: Slots, ghosts: Ghosts) -> Piece:
    """Cut out the piece of partition ``p``."""
    whole, nodes = numbering.whole, numbering.nodes_of(p)
    partition = numbering.layout.partition
    blocks = slice(numbering.blocks[p], numbering.blocks[p + 1])
    of_whole = numbering.block_of_head[blocks]
    start = np.append(numbering.heads[blocks], numbering.begins[p + 1]) - numbering.begins[p]
    wave = numbering.wave_of(p) - numbering.blocks[p]
    inputs = np.concatenate([[0], np.cumsum(np.diff(whole.inputs)[nodes])])
    edges, source = _sources(p, nodes, int(inputs[-1]), numbering, slots, ghosts)
    each = slots.each[nodes]
    constant = partition[whole.constants] == p
    piece = Piece(
        names=whole.names,
        start=start,
        kind=whole.kind[of_whole],
        op=whole.op[of_whole],
        live=whole.live[of_whole],
        level=whole.level[of_whole],
        wave=wave,
        inputs=inputs,
        source=source,
        weight=whole.weight[edges] if len(whole.weight) else whole.weight,
        bias=whole.bias[nodes] if len(whole.bias) else whole.bias,
        slots=np.concatenate([[0], np.cumsum(each)]) + numbering.count[p],
        opens=np.zeros(len(nodes), np.uint8),
        extra=ghosts.behind(p) - len(nodes) + len(ghosts.dead[p]),
        leaves=numbering.local[whole.leaves[partition[whole.leaves] == p]],
        constants=numbering.local[whole.constants[constant]],
        constant_values=whole.constant_values[constant],
        output=int(numbering.local[whole.output]) if partition[whole.output] == p else -1,
        numbers=nodes if whole.numbers is None else whole.numbers[nodes],
        edges=edges if whole.edges is None else whole.edges[edges],
        takes=ghosts.takes[p],
        values=ghosts.values[p],
        messages=ghosts.messages[p],
        fixed=ghosts.fixed[p][0],
        fixed_values=_constants_at(whole, ghosts.fixed[p][1]),
        combines=numbering.layout.combiner,
    )
    direct = mark_first(piece.arrays)
    piece.opens[:] = (each > 0) & (direct == 0)
    return piece


def _constants_at(whole: Piece, nodes: Ints) -> Floats:
    if not len(nodes):
        return np.empty(0)
    values = np.zeros(whole.nodes)
    values[whole.constants] = whole.constant_values
    return values[nodes]


class _Nodes(NamedTuple):
    """Of each node of the whole: see :class:`Numbering`."""

    partition: Ints
    local: Ints
    kind: Ints
    live: Ints


class _Ends(NamedTuple):
    """Where edges come from.

    Of each edge of the whole, as :class:`Slots` has it, ``direct`` and ``goes``; of each lane its
    ``ghost``; and where slots begin in the partition, and the ghosts over which no message goes.
    """

    direct: Ints
    goes: Ints
    ghost: Ints
    slots: int
    behind: int


def _sources(
    p: int, nodes: Ints, count: int, numbering: Numbering, slots: Slots, ghosts: Ghosts
) -> tuple[Ints, Ints]:
    """Return the edges of a partition, and for each the node, slot or ghost it comes from."""
    whole, partition = numbering.whole, numbering.layout.partition
    edges = np.empty(count, np.int32 if len(whole.source) < 2**31 else np.int64)
    source = np.empty(count, np.uint32)
    _find_sources(
        p,
        nodes,
        whole.arrays,
        _Nodes(partition, numbering.local, numbering.kind, numbering.live),
        _Ends(slots.direct, slots.goes, ghosts.ghost, int(numbering.count[p]), ghosts.behind(p)),
        edges,
        source,
    )
    return edges, source


@compiled
def _find_sources(
    p: int, nodes: Any, arrays: Any, of: Any, ends: Any, edges: Any, source: Any
) -> None:
    """Number the edges of these nodes, and say where each comes from."""
    k = 0
    behind = ends.behind
    for u in nodes:
        for e in range(arrays.inputs[u], arrays.inputs[u + 1]):
            z = arrays.source[e] & POSITION
            sent = of.live[u] and sends(of.kind[u], of.live[u], e - arrays.inputs[u])
            if of.partition[z] == p:
                # A message that never goes needs no slot: the edge comes from the node itself.
                if sent and not ends.direct[e]:
                    source[k] = ends.slots + ends.goes[e]
                else:
                    source[k] = of.local[z]
            elif sent:
                source[k] = ends.ghost[ends.goes[e]]
            else:
                source[k] = behind
                behind += 1
            edges[k] = e
            k += 1
