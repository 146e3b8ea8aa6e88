"""Where each message goes when a network is cut: to a node, a slot, or a lane to elsewhere.

Each node sums in edge order: the wave's order, which no partition changes. A node that has all its
messages from its own partition, fired in that order, sums as they come. Any other has a slot for
each message, in edge order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...errors import PlanError
from ...outline import Ints
from ..make.order import compiled, sends, wave_nodes
from ..piece import POSITION
from .numbering import Numbering


class Slots(NamedTuple):
    """What :func:`slots_of` finds.

    Attributes:
        goes: for each edge where its message goes: to a slot, counted from 0 behind the nodes of
            its target's partition; for a cut edge, over which lane.
        direct: for each edge, whether it goes to a node there; uint8.
        slot: for each lane the slot that it ends in.
        each: how many slots each node has.
        in_partition: how many slots each partition has.

    """

    goes: Ints
    direct: Ints
    slot: Ints
    each: Ints
    in_partition: Ints


class _Nodes(NamedTuple):
    """Of each node: its partition, its turn there in the wave, how many slots it has, and where."""

    partition: Ints
    turn: Ints
    slots: Ints
    offsets: Ints


def slots_of(numbering: Numbering) -> Slots:
    """Find where each message goes.

    Raises:
        PlanError: there are more slots than can be numbered in 31 bits.

    """
    whole, layout = numbering.whole, numbering.layout
    lanes, partition = layout.lanes, layout.partition
    arrays, turn = whole.arrays, numbering.sequence()
    slots = np.zeros(whole.nodes, np.int64)
    if layout.combiner:
        slots[:] = np.bincount(lanes.node, minlength=whole.nodes)
    else:
        _survey(arrays, partition, turn, slots)
    if whole.nodes + layout.cut_edges + int(slots.sum()) > POSITION:
        raise PlanError(
            f"{layout.cut_edges:,} edges are cut, more than can be numbered in 31 bits; use the "
            f"combiner, or another partitioner"
        )
    offsets = _offsets(numbering, slots)
    edges = len(whole.source)
    goes, direct = np.zeros(edges, np.uint32), np.zeros(edges, np.uint8)
    slot = np.zeros(len(lanes.node), np.int64)
    if layout.combiner:
        _fill(lanes.node, offsets.copy(), slot)
    _assign(
        arrays,
        _Nodes(partition, turn, slots, offsets),
        lanes.of_cut,
        layout.combiner,
        Slots(goes, direct, slot, slots, slots),
    )
    here = np.bincount(partition, weights=slots, minlength=layout.partitions).astype(np.int64)
    return Slots(goes, direct, slot, slots, here)


def _offsets(numbering: Numbering, slots: Ints) -> Ints:
    """Return for each node where its slots begin among those of its partition."""
    in_order = slots[numbering.order]
    before = np.cumsum(in_order) - in_order
    base = np.append(before, 0)[numbering.begins[:-1]]
    offsets = np.empty(len(slots), np.int64)
    offsets[numbering.order] = before - np.repeat(base, numbering.count)
    return offsets


@compiled
def _survey(arrays: Any, partition: Any, turn: Any, slots: Any) -> None:
    """Count the slots of each node that needs them: one a message."""
    n = len(arrays.inputs) - 1
    last = np.full(n, -1, np.int64)
    degree = np.zeros(n, np.int64)
    nodes, blocks = wave_nodes(arrays)
    for k in range(len(nodes)):
        u, b = nodes[k], blocks[k]
        for e in range(arrays.inputs[u + 1] - 1, arrays.inputs[u] - 1, -1):
            if not sends(arrays.kind[b], arrays.live[b], e - arrays.inputs[u]):
                continue
            z = arrays.source[e] & POSITION
            degree[z] += 1
            if partition[z] != partition[u] or turn[u] < last[z]:
                slots[z] = 1
            last[z] = turn[u]
    for z in range(n):
        slots[z] *= degree[z]


@compiled
def _assign(arrays: Any, of: Any, of_cut: Any, combiner: bool, out: Any) -> None:
    """Let each message go to its node, to its slot in edge order, or over its lane.

    With a combiner what stays in a partition goes to its node: only lanes end in slots.
    """
    taken = np.zeros(len(arrays.inputs) - 1, np.int64)
    cut = 0
    nodes, blocks = wave_nodes(arrays)
    for k in range(len(nodes)):
        u, b = nodes[k], blocks[k]
        for e in range(arrays.inputs[u + 1] - 1, arrays.inputs[u] - 1, -1):
            if not sends(arrays.kind[b], arrays.live[b], e - arrays.inputs[u]):
                continue
            z = arrays.source[e] & POSITION
            here = of.partition[z] == of.partition[u]
            if here and (combiner or not of.slots[z]):
                out.direct[e] = 1
                continue
            slot = of.offsets[z] + taken[z]
            taken[z] += 1
            if here:
                out.goes[e] = slot
                continue
            lane = of_cut[cut]
            cut += 1
            out.goes[e] = lane
            if not combiner:
                out.slot[lane] = slot


@compiled
def _fill(lane_node: Any, next_slot: Any, slot: Any) -> None:
    for lane in range(len(lane_node)):
        z = lane_node[lane]
        slot[lane] = next_slot[z]
        next_slot[z] += 1
