"""The stages and frames of a pass of a scalar network, and the piece that each partition holds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit

from ...protocol.message import BACKWARD, CALLER, FORWARD, SUMS
from ...protocol.network import Network
from ...protocol.network.order import mark_first
from ...protocol.network.piece import POSITION, PRIMITIVE, Ints, Piece, Takes
from .lanes import lanes_of

BLOCK = (0,)
"""The keys of a frame between partitions: one block of messages or values."""

_BYTES = 8

Fields = tuple[str, int, int, int, int, tuple[int, ...], int, int]
"""A frame: kind, sender, receiver, the stages at both ends, keys, messages, bytes."""


@dataclass(frozen=True, eq=False, slots=True)
class StageOf:
    """One run of firings: its partition and round, and ranges of blocks there."""

    partition: int
    round: int
    leaves: range
    forward: range
    backward: range


@dataclass(frozen=True, eq=False, slots=True)
class LaidOut:
    """What :func:`lay_out` finds; frames in their final order, to which the pieces refer."""

    stages: list[StageOf]
    frames: list[Fields]
    pieces: list[Piece]
    cut_edges: int


def lay_out(
    network: Network, partition: Ints, rounds: tuple[Ints, Ints], partitions: int, combiner: bool
) -> LaidOut:
    """Gather firings into stages and what crosses into frames, and cut the network into pieces."""
    return _Layout(network, partition, rounds, partitions, combiner).laid_out()


class _Layout:
    def __init__(
        self,
        network: Network,
        partition: Ints,
        rounds: tuple[Ints, Ints],
        partitions: int,
        combiner: bool,
    ) -> None:
        self.network = network
        self.whole = network.piece
        self.partition = partition
        self.partitions = partitions
        self.combiner = combiner
        self.up, self.down = rounds
        self.live = np.repeat(self.whole.live, np.diff(self.whole.start))
        self._number_stages()
        self._place_nodes()
        self.lanes = lanes_of(
            self.whole,
            partition,
            self.order,
            self.down_stage,
            self._sequence(),
            partitions,
            combiner,
        )
        self.slots_of = np.bincount(
            partition, weights=self.lanes.slots, minlength=partitions
        ).astype(np.int64)
        self.frames: list[tuple[Fields, int]] = []
        self.takes: list[dict[int, Takes]] = [{} for _ in range(partitions)]
        self.values: list[dict[int, Ints]] = [{} for _ in range(partitions)]
        self.messages: list[dict[int, tuple[int, int]]] = [{} for _ in range(partitions)]

    def _number_stages(self) -> None:
        """Number the stages by round, then by partition."""
        up = self.up * self.partitions + self.partition
        down = self.down * self.partitions + self.partition
        firing = self.live > 0
        self.keys = np.unique(np.concatenate([np.unique(up), np.unique(down[firing])]))
        self.up_stage = np.searchsorted(self.keys, up)
        self.down_stage = np.searchsorted(self.keys, down)

    def _place_nodes(self) -> None:
        """Number the nodes of each partition, in the order in which it fires them forward."""
        nodes = self.whole.nodes
        self.order = np.lexsort((np.arange(nodes), self.up, self.partition))
        self.count = np.bincount(self.partition, minlength=self.partitions)
        self.begins = np.concatenate([[0], np.cumsum(self.count)])
        self.local = np.empty(nodes, np.int64)
        self.local[self.order] = np.arange(nodes) - np.repeat(self.begins[:-1], self.count)
        block = np.repeat(np.arange(len(self.whole.kind)), np.diff(self.whole.start))
        # A block of a partition is a run of nodes of one block that fire together both ways.
        marks = [each[self.order] for each in (self.partition, block, self.up, self.down)]
        new = np.concatenate([[True], np.any([m[1:] != m[:-1] for m in marks], axis=0)])
        self.heads = np.flatnonzero(new)
        self.ends = np.append(self.heads[1:], nodes)
        self.block_of_head = block[self.order[self.heads]]
        self.blocks = np.searchsorted(self.heads, self.begins)  # where each partition's begin

    def nodes_of(self, place: int) -> Ints:
        """Return the nodes of a partition, by their places in the whole."""
        return self.order[self.begins[place] : self.begins[place + 1]]

    def wave_of(self, place: int) -> Ints:
        """Return the blocks of a partition that fire backwards, in their order."""
        blocks = np.arange(self.blocks[place], self.blocks[place + 1])
        blocks = blocks[self.whole.live[self.block_of_head[blocks]] > 0]
        first = self.order[self.heads[blocks]]
        return blocks[np.lexsort((-first, self.down[first]))]

    def _sequence(self) -> Ints:
        """Return for each node its turn among those of its partition that fire backwards."""
        sequence = np.full(self.whole.nodes, -1, np.int64)
        for place in range(self.partitions):
            wave = self.wave_of(place)
            lengths = (self.ends - self.heads)[wave]
            turns = np.cumsum(lengths)
            _turns(self.order, self.heads[wave], lengths, turns, sequence)
        return sequence

    def laid_out(self) -> LaidOut:
        self._route_messages()
        self._route_values()
        self._route_caller()
        order = sorted(range(len(self.frames)), key=lambda k: _by_stage(self.frames[k][0]))
        number = {k: place for place, k in enumerate(order)}
        return LaidOut(
            self._stages(),
            [self.frames[k][0] for k in order],
            [self._piece(place, number) for place in range(self.partitions)],
            self.lanes.cut_edges,
        )

    def _add(self, *fields: Any) -> int:
        self.frames.append((fields, len(self.frames)))
        return len(self.frames) - 1

    def _route_messages(self) -> None:
        """Gather the lanes into frames, and number the ghosts in which the messages wait."""
        lanes = self.lanes
        receiver = self.partition[lanes.node]
        sender = self.keys[lanes.stage] % self.partitions
        key = lanes.stage * self.partitions + receiver
        order = np.lexsort((np.arange(len(key)), key, sender))
        self.ghost = np.empty(len(key), np.int64)
        self.ghosts = np.bincount(sender, minlength=self.partitions)
        first_ghost = np.concatenate([[0], np.cumsum(self.ghosts)])
        behind = self.count + self.slots_of
        self.ghost[order] = np.arange(len(key)) - first_ghost[sender[order]] + behind[sender[order]]
        self.lane_sender = sender
        begins = np.flatnonzero(np.diff(key[order], prepend=-1))
        for begin, end in pairwise([*begins, len(key)]):
            some = order[begin:end]
            q, p = int(sender[some[0]]), int(receiver[some[0]])
            nodes = lanes.node[some]
            first = int(self.down[nodes].min())
            at = int(np.searchsorted(self.keys, first * self.partitions + p))
            frame = self._add(
                BACKWARD, q, p, int(lanes.stage[some[0]]), at, BLOCK, len(some), _BYTES * len(some)
            )
            low = int(self.ghost[some[0]])
            self.messages[q][frame] = low, low + len(some)
            self.takes[p][frame] = Takes(self.count[p] + lanes.slot[some])

    def _route_values(self) -> None:
        """Send each value once to each partition that needs it, before the first firing there."""
        constant = np.zeros(self.whole.nodes, bool)
        constant[self.whole.constants] = True
        self.dead: list[Ints] = []
        self.fixed: list[Takes] = []
        for p in range(self.partitions):
            nodes = self.nodes_of(p)
            need = np.full(self.whole.nodes, 2**62, np.int64)
            dead = _needs(
                nodes, self.whole.inputs, self.whole.source, self.partition, self.up,
                self.live, self._kind(), need,
            )  # fmt: skip
            mine = self.lane_sender == p
            behind = self.count[p] + self.slots_of[p] + self.ghosts[p]
            node = np.concatenate([self.lanes.node[mine].astype(np.int64), dead])
            ghost = np.concatenate([self.ghost[mine], behind + np.arange(len(dead))])
            self.dead.append(dead)
            fixed = constant[node]
            self.fixed.append(Takes(ghost[fixed], node[fixed]))
            node, ghost = node[~fixed], ghost[~fixed]
            self._route_values_to(p, need, constant, node, ghost)

    def _route_values_to(self, p: int, need: Ints, constant: Any, node: Ints, ghost: Ints) -> None:
        wanted = np.flatnonzero((need < 2**62) & ~constant)
        wanted = wanted[np.argsort(self.up_stage[wanted], kind="stable")]
        stages = self.up_stage[wanted]
        cuts = np.flatnonzero(np.diff(stages, prepend=-1))
        begins = np.append(cuts, len(wanted))
        place = np.empty(self.whole.nodes, np.int64)
        place[wanted] = np.arange(len(wanted))
        place[wanted] -= np.repeat(cuts, np.diff(begins))
        order = np.argsort(self.up_stage[node], kind="stable")
        node, ghost = node[order], ghost[order]
        bounds = np.searchsorted(self.up_stage[node], np.append(stages[cuts], 2**62))
        for k, stage in enumerate(stages[cuts]):
            some = wanted[begins[k] : begins[k + 1]]
            q = int(self.keys[stage] % self.partitions)
            at = int(np.searchsorted(self.keys, need[some].min() * self.partitions + p))
            frame = self._add(FORWARD, q, p, int(stage), at, BLOCK, len(some), _BYTES * len(some))
            self.values[q][frame] = self.local[some]
            here = slice(bounds[k], bounds[k + 1])
            self.takes[p][frame] = Takes(ghost[here], place[node[here]])

    def _route_caller(self) -> None:
        """Leaf values come from the caller; the output's value and S at the leaves go to it.

        The key of a frame of leaves is the stage at its other end, so that the caller knows whose
        they are.
        """
        leaves = self.whole.leaves
        homes = self.partition[leaves]
        for p in range(self.partitions):
            here = leaves[homes == p]
            for stage in np.unique(self.up_stage[here]):
                some = here[self.up_stage[here] == stage]
                frame = self._add(
                    FORWARD, CALLER, p, CALLER, int(stage), (int(stage),), len(some),
                    _BYTES * len(some),
                )  # fmt: skip
                self.takes[p][frame] = Takes(self.local[some])
            asked = here[self.live[here] > 0]
            for stage in np.unique(self.down_stage[asked]):
                some = asked[self.down_stage[asked] == stage]
                frame = self._add(
                    SUMS, p, CALLER, int(stage), CALLER, (int(stage),), len(some),
                    _BYTES * len(some),
                )  # fmt: skip
                self.values[p][frame] = self.local[some]
        output = self.whole.output
        p, stage = int(self.partition[output]), int(self.up_stage[output])
        frame = self._add(FORWARD, p, CALLER, stage, CALLER, BLOCK, 1, _BYTES)
        self.values[p][frame] = self.local[[output]]

    def _kind(self) -> Ints:
        return np.repeat(self.whole.kind, np.diff(self.whole.start))

    def _stages(self) -> list[StageOf]:
        up_of_block = self.up_stage[self.order[self.heads]]
        found = []
        waves = [self.wave_of(p) for p in range(self.partitions)]
        downs = [self.down_stage[self.order[self.heads[wave]]] for wave in waves]
        for number, key in enumerate(self.keys):
            round, p = divmod(int(key), self.partitions)
            mine = slice(self.blocks[p], self.blocks[p + 1])
            low, high = np.searchsorted(up_of_block[mine], [number, number + 1])
            leaves = self._leaf_blocks(p, int(low), int(high))
            back = np.searchsorted(downs[p], [number, number + 1])
            found.append(
                StageOf(
                    p, round, range(int(low), leaves), range(leaves, int(high)),
                    range(int(back[0]), int(back[1])),
                )
            )  # fmt: skip
        return found

    def _leaf_blocks(self, p: int, low: int, high: int) -> int:
        """Return where the blocks of leaves, which stand first, end among these."""
        kinds = self.whole.kind[self.block_of_head[self.blocks[p] + low : self.blocks[p] + high]]
        return low + int(np.argmax(np.append(kinds, 255) > 0))

    def _piece(self, p: int, number: dict[int, int]) -> Piece:
        whole, nodes = self.whole, self.nodes_of(p)
        blocks = slice(self.blocks[p], self.blocks[p + 1])
        of_whole = self.block_of_head[blocks]
        start = np.append(self.heads[blocks], self.begins[p + 1]) - self.begins[p]
        wave = self.wave_of(p) - self.blocks[p]
        inputs = np.concatenate([[0], np.cumsum(np.diff(whole.inputs)[nodes])])
        edges, source = self._sources(p, nodes, inputs)
        slots = self.lanes.slots[nodes]
        ends = np.concatenate([[0], np.cumsum(slots)]) + self.count[p]
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
            slots=ends,
            opens=np.zeros(len(nodes), np.uint8),
            extra=int(slots.sum() + self.ghosts[p] + len(self.dead[p])),
            leaves=self.local[whole.leaves[self.partition[whole.leaves] == p]],
            constants=self.local[whole.constants[self.partition[whole.constants] == p]],
            constant_values=whole.constant_values[self.partition[whole.constants] == p],
            output=int(self.local[whole.output]) if self.partition[whole.output] == p else -1,
            numbers=self.network.by_number(nodes),
            edges=edges if whole.edges is None else whole.edges[edges],
            takes={number[k]: takes for k, takes in self.takes[p].items()},
            values={number[k]: values for k, values in self.values[p].items()},
            messages={number[k]: ghosts for k, ghosts in self.messages[p].items()},
            fixed=self.fixed[p].into,
            fixed_values=self._constants_at(self.fixed[p].pick),
            combines=self.combiner,
        )
        seen = mark_first(wave, start, piece.kind, piece.live, inputs, source)
        piece.opens[:] = (slots > 0) & (seen[: len(nodes)] == 0)
        return piece

    def _constants_at(self, nodes: Ints | None) -> Any:
        assert nodes is not None
        values = np.zeros(self.whole.nodes if len(nodes) else 0)
        if len(nodes):
            values[self.whole.constants] = self.whole.constant_values
        return values[nodes]

    def _sources(self, p: int, nodes: Ints, inputs: Ints) -> tuple[Ints, Ints]:
        """Return the edges of a partition, and for each the node, slot or ghost it comes from."""
        whole, lanes = self.whole, self.lanes
        edges = np.empty(inputs[-1], np.int32 if len(whole.source) < 2**31 else np.int64)
        source = np.empty(inputs[-1], np.uint32)
        _find_sources(
            nodes, whole.inputs, whole.source, self._kind(), self.live, self.partition, p,
            self.local, lanes.direct, lanes.goes, self.ghost, self.count[p],
            self.count[p] + self.slots_of[p] + self.ghosts[p], edges, source,
        )  # fmt: skip
        return edges, source


def _by_stage(fields: Fields) -> Any:
    kind, sender, receiver, sent_by, received_by, *_ = fields
    return sent_by, received_by, kind, sender, receiver


@njit(cache=True)
def _turns(order: Any, heads: Any, lengths: Any, turns: Any, sequence: Any) -> None:
    """Number the nodes of blocks that fire one after the other, each block downwards."""
    for b in range(len(heads)):
        for k in range(lengths[b]):
            sequence[order[heads[b] + k]] = turns[b] - 1 - k


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
            sends = live[u] and (kind[u] != PRIMITIVE or (live[u] >> (e - inputs[u])) & 1)
            if partition[z] == place:
                # A message that never goes needs no slot: the edge comes from the node itself.
                source[k] = slots + goes[e] if sends and not direct[e] else local[z]
            elif sends:
                source[k] = ghost[goes[e]]
            else:
                source[k] = behind
                behind += 1
            edges[k] = e
            k += 1


@njit(cache=True)
def _needs(
    nodes: Any, inputs: Any, source: Any, partition: Any, rounds: Any, live: Any, kind: Any,
    need: Any,
) -> Any:  # fmt: skip
    """Find the first round in which each value from elsewhere is needed by these nodes.

    Returns the sources of the cut edges over which no message goes back, edge by edge.
    """
    dead = [np.int64(z) for z in range(0)]  # empty, and Numba knows of what
    for u in nodes:
        for e in range(inputs[u], inputs[u + 1]):
            z = source[e] & POSITION
            if partition[z] != partition[u]:
                need[z] = min(need[z], rounds[u])
                primitive = kind[u] == PRIMITIVE
                if not live[u] or (primitive and not (live[u] >> (e - inputs[u])) & 1):
                    dead.append(np.int64(z))
    return np.array(dead, dtype=np.int64)
