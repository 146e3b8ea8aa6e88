"""The ghosts of each partition, and where the numbers in each frame come from and go."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...layout import Routed
from ...message import BACKWARD, CALLER, FORWARD
from ...outline import Ints, stable_order
from ..make.order import compiled, sends
from ..piece import LEAF, POSITION, SUM, WEIGHTED, Takes
from .numbering import Numbering
from .slots import Slots


class Ghosts:
    """Nodes that live elsewhere, as each partition sees them.

    Attributes:
        takes: for each partition, for each frame that comes, where its numbers go.
        values, messages: for each partition, for each frame that goes, the nodes whose values (or
            S) are in it, or the first ghost whose message is, and the end.
        ghost: for each lane the ghost in which its message waits, in its sender.
        count: how many lanes each partition sends over.
        dead: for each partition, the sources of the cut edges over which no message goes back.
        fixed: for each partition, the ghosts of constants, and those.

    """

    def __init__(self, numbering: Numbering, slots: Slots) -> None:
        self.numbering = numbering
        self.slots = slots
        self.lanes = numbering.layout.lanes
        each = range(numbering.layout.partitions)
        self.takes: list[dict[int, Takes]] = [{} for _ in each]
        self.values: list[dict[int, Ints]] = [{} for _ in each]
        self.messages: list[dict[int, tuple[int, int]]] = [{} for _ in each]
        self._number_ghosts()
        self._find_dead()
        arriving: list[list[tuple[int, Routed]]] = [[] for _ in each]
        for number, frame in enumerate(numbering.layout.frames):
            if CALLER in (frame.sender, frame.receiver):
                self._caller(number, frame)
            elif frame.kind == BACKWARD:
                self._messages(number, frame)
            else:
                arriving[frame.receiver].append((number, frame))
        for p in each:
            self._values(p, arriving[p])

    def behind(self, partition: int) -> int:
        """Return where the ghosts of a partition begin over which no message goes back."""
        nodes = self.numbering.count[partition]
        return int(nodes + self.slots.in_partition[partition] + self.count[partition])

    def _number_ghosts(self) -> None:
        """Number the ghosts in which messages wait: those of a frame stand together."""
        layout = self.numbering.layout
        self.count = np.bincount(self.lanes.sender, minlength=layout.partitions)
        self.ghost = np.empty(len(self.lanes.node), np.int64)
        behind = self.numbering.count + self.slots.in_partition
        sent = [f for f in layout.frames if f.kind == BACKWARD]
        for frame in sorted(sent, key=lambda f: (f.sender, f.sent_by, f.receiver)):
            first = behind[frame.sender]
            behind[frame.sender] += len(frame.content)
            self.ghost[frame.content] = np.arange(first, behind[frame.sender])

    def _messages(self, number: int, frame: Routed) -> None:
        some = frame.content
        low = int(self.ghost[some[0]])
        self.messages[frame.sender][number] = low, low + len(some)
        into = self.numbering.count[frame.receiver] + self.slots.slot[some]
        self.takes[frame.receiver][number] = Takes(into)

    def _caller(self, number: int, frame: Routed) -> None:
        """Leaf values come from the caller; the output's value and S at the leaves go to it."""
        numbering = self.numbering
        whole = numbering.whole
        if frame.kind == FORWARD and frame.sender == CALLER:
            self.takes[frame.receiver][number] = Takes(numbering.local[whole.leaves[frame.content]])
        elif frame.receiver == CALLER:
            nodes = frame.content if frame.kind == FORWARD else whole.leaves[frame.content]
            self.values[frame.sender][number] = numbering.local[nodes]

    def _find_dead(self) -> None:
        numbering, layout = self.numbering, self.numbering.layout
        self.dead: list[Ints] = []
        self.fixed: list[tuple[Ints, Ints]] = []
        of_lanes = [np.flatnonzero(self.lanes.sender == p) for p in range(layout.partitions)]
        constant = np.zeros(numbering.whole.nodes, bool)
        constant[numbering.whole.constants] = True
        # The ghosts of each partition, and the nodes that they stand for.
        self._ghosts: list[tuple[Ints, Ints]] = []
        for p, mine in enumerate(of_lanes):
            dead = self._dead(p)
            self.dead.append(dead)
            node = np.concatenate([self.lanes.node[mine].astype(np.int64), dead])
            ghost = np.concatenate([self.ghost[mine], self.behind(p) + np.arange(len(dead))])
            fixed = constant[node]
            self.fixed.append((ghost[fixed], node[fixed]))
            self._ghosts.append((ghost[~fixed], node[~fixed]))

    def _dead(self, p: int) -> Ints:
        numbering, whole = self.numbering, self.numbering.whole
        sums = (whole.kind == WEIGHTED) | (whole.kind == SUM)
        if np.all(whole.kind[~sums] == LEAF) and whole.live[sums].all():
            return np.empty(0, np.int64)  # every input carries a message
        of = _Nodes(numbering.layout.partition, numbering.kind, numbering.live)
        found: Ints = _find_dead(numbering.nodes_of(p), whole.arrays, of)
        return found

    def _values(self, p: int, frames: list[tuple[int, Routed]]) -> None:
        """Let the values in the frames to a partition go to all ghosts that stand for their nodes.

        A value comes in one frame, and may go to several ghosts.
        """
        layout, local = self.numbering.layout, self.numbering.local
        ghost, node = self._ghosts[p]
        order = stable_order(layout.up_stage[node])
        node, ghost = node[order], ghost[order]
        stages = layout.up_stage[node]
        in_frame = np.empty(self.numbering.whole.nodes, np.int64)
        for number, frame in frames:
            self.values[frame.sender][number] = local[frame.content]
            in_frame[frame.content] = np.arange(len(frame.content))
            ends = np.array([frame.sent_by, frame.sent_by + 1], stages.dtype)
            here = slice(*stages.searchsorted(ends))
            self.takes[p][number] = Takes(ghost[here], in_frame[node[here]])


class _Nodes(NamedTuple):
    """Of each node of the whole its partition, and see :class:`Piece`."""

    partition: Ints
    kind: Ints
    live: Ints


@compiled
def _find_dead(nodes: Any, arrays: Any, of: Any) -> Any:
    """Return the sources of the cut edges of these nodes over which no message goes back."""
    dead = [np.int64(z) for z in range(0)]  # empty, and Numba knows of what
    for u in nodes:
        for e in range(arrays.inputs[u], arrays.inputs[u + 1]):
            z = arrays.source[e] & POSITION
            sent = of.live[u] and sends(of.kind[u], of.live[u], e - arrays.inputs[u])
            if of.partition[z] != of.partition[u] and not sent:
                dead.append(np.int64(z))
    return np.array(dead, dtype=np.int64)
