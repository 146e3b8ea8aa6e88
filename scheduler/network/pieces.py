"""The piece of a scalar network that each partition holds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ...protocol.network.order import mark_first, sends
from ...protocol.network.piece import POSITION, Ints, Piece
from .lanes import Lanes
from .places import Places
from .routes import Routes


def piece_of(p: int, places: Places, lanes: Lanes, routes: Routes, number: dict[int, int]) -> Piece:
    """Cut out the piece of partition ``p``; ``number`` has the final number of each frame."""
    whole, nodes = places.whole, places.nodes_of(p)
    blocks = slice(places.blocks[p], places.blocks[p + 1])
    of_whole = places.block_of_head[blocks]
    start = np.append(places.heads[blocks], places.begins[p + 1]) - places.begins[p]
    wave = places.wave_of(p) - places.blocks[p]
    inputs = np.concatenate([[0], np.cumsum(np.diff(whole.inputs)[nodes])])
    edges, source = _sources(p, nodes, inputs, places, lanes, routes)
    slots = lanes.slots[nodes]
    constant = places.partition[whole.constants] == p
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
        slots=np.concatenate([[0], np.cumsum(slots)]) + places.count[p],
        opens=np.zeros(len(nodes), np.uint8),
        extra=routes.behind(p) - len(nodes) + len(routes.dead[p]),
        leaves=places.local[whole.leaves[places.partition[whole.leaves] == p]],
        constants=places.local[whole.constants[constant]],
        constant_values=whole.constant_values[constant],
        output=int(places.local[whole.output]) if places.partition[whole.output] == p else -1,
        numbers=places.network.by_number(nodes),
        edges=edges if whole.edges is None else whole.edges[edges],
        takes={number[k]: takes for k, takes in routes.takes[p].items()},
        values={number[k]: values for k, values in routes.values[p].items()},
        messages={number[k]: ghosts for k, ghosts in routes.messages[p].items()},
        given={number[k]: given for k, given in routes.given[p].items()},
        fixed=routes.fixed[p][0],
        fixed_values=_constants_at(places, routes.fixed[p][1]),
        combines=lanes.combined,
    )
    direct = mark_first(wave, start, piece.kind, piece.live, inputs, source)
    piece.opens[:] = (slots > 0) & (direct == 0)
    return piece


def _constants_at(places: Places, nodes: Ints) -> Any:
    if not len(nodes):
        return np.empty(0)
    values = np.zeros(places.whole.nodes)
    values[places.whole.constants] = places.whole.constant_values
    return values[nodes]


def _sources(
    p: int, nodes: Ints, inputs: Ints, places: Places, lanes: Lanes, routes: Routes
) -> tuple[Ints, Ints]:
    """Return the edges of a partition, and for each the node, slot or ghost it comes from."""
    whole = places.whole
    edges = np.empty(inputs[-1], np.int32 if len(whole.source) < 2**31 else np.int64)
    source = np.empty(inputs[-1], np.uint32)
    _find_sources(
        nodes, whole.inputs, whole.source, places.kind, places.live, places.partition, p,
        places.local, lanes.direct, lanes.goes, routes.ghost, places.count[p], routes.behind(p),
        edges, source,
    )  # fmt: skip
    return edges, source


@njit(cache=True)
def _find_sources(
    nodes: Any, inputs: Any, whole_source: Any, kind: Any, live: Any, partition: Any, place: int,
    local: Any, direct: Any, goes: Any, ghost: Any, slots: int, behind: int, edges: Any,
    source: Any,
) -> None:  # fmt: skip
    """Number the edges of these nodes, and say where each comes from.

    ``slots`` is where slots begin in this place, and ``behind`` where the ghosts do over which no
    message goes back.
    """
    k = 0
    for u in nodes:
        for e in range(inputs[u], inputs[u + 1]):
            z = whole_source[e] & POSITION
            sent = live[u] and sends(kind[u], live[u], e - inputs[u])
            if partition[z] == place:
                # A message that never goes needs no slot: the edge comes from the node itself.
                source[k] = slots + goes[e] if sent and not direct[e] else local[z]
            elif sent:
                source[k] = ghost[goes[e]]
            else:
                source[k] = behind
                behind += 1
            edges[k] = e
            k += 1
