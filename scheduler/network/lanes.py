"""Where each message goes when a network is cut: to a node, a slot, or a lane to another place.

A *lane* is one message that crosses between partitions in a pass: one for each cut edge or, with
the combiner, one for each (sending partition, target node).

Each node sums in edge order: the wave's order, which no partition changes. A node that has all its
messages from its own partition, fired in that order, sums as they come. Any other has a slot for
each message, in edge order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ...protocol.errors import PlanError
from ...protocol.network.order import sends, wave_nodes
from ...protocol.network.piece import POSITION, Ints
from .places import Places

compiled = njit(cache=True)


class Lanes(NamedTuple):
    """Attributes.

    goes: for each edge the place that its message goes to, in its target's partition: a node
        there, or a slot, counted from 0 behind the nodes; for a cut edge, its lane.
    direct: for each edge, whether it goes to a node there.
    stage, node, slot: for each lane its sending stage, the node it goes to, and that node's slot.
    slots: how many slots each node has.
    slots_of: how many slots each partition has.
    combined: whether messages to one node share a lane.
    cut_edges: how many edges are cut.
    """

    goes: Ints
    direct: Ints
    stage: Ints
    node: Ints
    slot: Ints
    slots: Ints
    slots_of: Ints
    combined: bool
    cut_edges: int


def lanes_of(places: Places, combiner: bool) -> Lanes:
    """Find the lanes.

    Raises:
        PlanError: there are more than can be numbered in 31 bits.

    """
    piece, partition, partitions = places.whole, places.partition, places.partitions
    stage, sequence = places.down_stage, places.sequence()
    arrays = piece.wave, piece.start, piece.kind, piece.live, piece.inputs, piece.source
    nodes, edges = piece.nodes, len(piece.source)
    slots = np.zeros(nodes, np.int64)
    cut = _survey(*arrays, partition, sequence, combiner, slots)
    if nodes + cut + int(slots.sum()) > POSITION:
        raise PlanError(
            f"{cut:,} edges are cut, more than can be numbered in 31 bits; use the combiner, or "
            f"another partitioner"
        )
    goes, direct = np.zeros(edges, np.uint32), np.zeros(edges, np.uint8)
    lane_stage, lane_node = np.zeros(cut, np.int64), np.zeros(cut, np.uint32)
    if combiner:
        count = _combined(
            *arrays, partition, stage, partitions, goes, direct, lane_stage, lane_node
        )
        lane_stage, lane_node = lane_stage[:count], lane_node[:count]
        slots = np.bincount(lane_node, minlength=nodes).astype(np.int64)
    offsets = _offsets(places, slots)
    lane_slot = np.zeros(len(lane_node), np.int64)
    if combiner:
        _fill(lane_node, offsets, lane_slot)
    else:
        _slotted(
            *arrays, partition, stage, slots, offsets, goes, direct, lane_stage, lane_node,
            lane_slot,
        )  # fmt: skip
    slots_of = np.bincount(partition, weights=slots, minlength=partitions).astype(np.int64)
    return Lanes(goes, direct, lane_stage, lane_node, lane_slot, slots, slots_of, combiner, cut)


def _offsets(places: Places, slots: Ints) -> Ints:
    """Return for each node where its slots begin among those of its partition."""
    in_order = slots[places.order]
    before = np.cumsum(in_order) - in_order
    base = np.append(before, 0)[places.begins[:-1]]
    offsets = np.empty(len(slots), np.int64)
    offsets[places.order] = before - np.repeat(base, places.count)
    return offsets


@compiled
def _survey(
    wave: Any, start: Any, kind: Any, live: Any, inputs: Any, source: Any, partition: Any,
    sequence: Any, combiner: bool, slots: Any,
) -> int:  # fmt: skip
    """Count the cut edges, and the slots of each node that needs them."""
    n = len(inputs) - 1
    last = np.full(n, -1, np.int64)
    degree = np.zeros(n, np.int64)
    cut = 0
    nodes, blocks = wave_nodes(wave, start, kind)
    for at in range(len(nodes)):
        u, b = nodes[at], blocks[at]
        for e in range(inputs[u + 1] - 1, inputs[u] - 1, -1):
            if not sends(kind[b], live[b], e - inputs[u]):
                continue
            z = source[e] & POSITION
            degree[z] += 1
            if partition[z] != partition[u]:
                cut += 1
                slots[z] = 1
            elif sequence[u] < last[z]:
                slots[z] = 1
            last[z] = sequence[u]
    for z in range(n):
        slots[z] = 0 if combiner else slots[z] * degree[z]
    return cut


@compiled
def _slotted(
    wave: Any, start: Any, kind: Any, live: Any, inputs: Any, source: Any, partition: Any,
    stage: Any, slots: Any, offsets: Any, goes: Any, direct: Any, lane_stage: Any,
    lane_node: Any, lane_slot: Any,
) -> None:  # fmt: skip
    """Give each message its slot, in edge order, and each cut edge a lane."""
    turn = np.zeros(len(inputs) - 1, np.int64)
    lane = 0
    nodes, blocks = wave_nodes(wave, start, kind)
    for at in range(len(nodes)):
        u, b = nodes[at], blocks[at]
        for e in range(inputs[u + 1] - 1, inputs[u] - 1, -1):
            if not sends(kind[b], live[b], e - inputs[u]):
                continue
            z = source[e] & POSITION
            if not slots[z]:
                direct[e] = 1
                continue
            slot = offsets[z] + turn[z]
            turn[z] += 1
            if partition[z] == partition[u]:
                goes[e] = slot
            else:
                goes[e] = lane
                lane_stage[lane] = stage[u]
                lane_node[lane] = z
                lane_slot[lane] = slot
                lane += 1


@compiled
def _combined(
    wave: Any, start: Any, kind: Any, live: Any, inputs: Any, source: Any, partition: Any,
    stage: Any, partitions: int, goes: Any, direct: Any, lane_stage: Any, lane_node: Any,
) -> int:  # fmt: skip
    """Give each (sender, target node) a lane, which goes when the last of the sender has fired."""
    n = len(inputs) - 1
    sender = np.full(n, -1, np.int64)
    lane_of = np.zeros(n, np.int64)
    lane = 0
    nodes, blocks = wave_nodes(wave, start, kind)
    for place in range(partitions):
        for at in range(len(nodes)):
            u, b = nodes[at], blocks[at]
            if partition[u] != place:
                continue
            for e in range(inputs[u + 1] - 1, inputs[u] - 1, -1):
                if not sends(kind[b], live[b], e - inputs[u]):
                    continue
                z = source[e] & POSITION
                if partition[z] == place:
                    direct[e] = 1
                    continue
                if sender[z] != place:
                    sender[z] = place
                    lane_of[z] = lane
                    lane_node[lane] = z
                    lane_stage[lane] = stage[u]
                    lane += 1
                goes[e] = lane_of[z]
                lane_stage[lane_of[z]] = max(lane_stage[lane_of[z]], stage[u])
    return lane


@compiled
def _fill(lane_node: Any, next_slot: Any, lane_slot: Any) -> None:
    for lane in range(len(lane_node)):
        z = lane_node[lane]
        lane_slot[lane] = next_slot[z]
        next_slot[z] += 1
