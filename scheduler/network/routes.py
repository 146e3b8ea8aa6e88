"""The frames of a pass of a scalar network, and where the numbers in them come from and go."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit

from ...protocol.message import BACKWARD, CALLER, FORWARD, SUMS
from ...protocol.network.order import sends
from ...protocol.network.piece import POSITION, Ints, Takes
from .lanes import Lanes
from .places import Places

BLOCK = (0,)
"""The keys of a frame between partitions: one block of messages or values."""

_BYTES = 8
_NEVER = 2**62

Fields = tuple[str, int, int, int, int, tuple[int, ...], int, int]
"""A frame: kind, sender, receiver, the stages at both ends, keys, messages, bytes."""


class Routes:
    """Attributes.

    frames: every frame, in the order in which they were found.
    takes: for each partition, for each frame that comes, where its numbers go.
    values, messages: for each partition, for each frame that goes, the nodes whose values (or S)
        are in it, or the first ghost whose message is, and the end.
    ghost: for each lane the ghost in which its message waits, in its sender.
    ghosts: how many lanes each partition sends over.
    given: for each partition, for each frame from or to the caller, which inputs are in it.
    dead: for each partition, the sources of the cut edges over which no message goes back.
    fixed: for each partition, the ghosts of constants, and those.
    """

    def __init__(self, places: Places, lanes: Lanes) -> None:
        self.places = places
        self.lanes = lanes
        self.frames: list[Fields] = []
        each = range(places.partitions)
        self.takes: list[dict[int, Takes]] = [{} for _ in each]
        self.values: list[dict[int, Ints]] = [{} for _ in each]
        self.messages: list[dict[int, tuple[int, int]]] = [{} for _ in each]
        self.given: list[dict[int, Ints]] = [{} for _ in each]
        self._route_messages()
        self._route_values()
        self._route_caller()

    def in_order(self) -> list[int]:
        """Return the frames in the order of the stages that send and receive them."""
        return sorted(range(len(self.frames)), key=lambda k: _by_stage(self.frames[k]))

    def behind(self, place: int) -> int:
        """Return where the ghosts of a partition begin over which no message goes back."""
        nodes = self.places.count[place]
        return int(nodes + self.lanes.slots_of[place] + self.ghosts[place])

    def _add(self, *fields: Any) -> int:
        self.frames.append(fields)
        return len(self.frames) - 1

    def _route_messages(self) -> None:
        """Gather the lanes into frames, and number the ghosts in which the messages wait."""
        places, lanes = self.places, self.lanes
        receiver = places.partition[lanes.node]
        sender = places.partition_of(lanes.stage)
        key = lanes.stage * places.partitions + receiver
        order = np.lexsort((np.arange(len(key)), key, sender))
        self.ghost = np.empty(len(key), np.int64)
        self.ghosts = np.bincount(sender, minlength=places.partitions)
        first_ghost = np.concatenate([[0], np.cumsum(self.ghosts)])
        behind = places.count + lanes.slots_of
        self.ghost[order] = np.arange(len(key)) - first_ghost[sender[order]] + behind[sender[order]]
        self.lane_sender = sender
        begins = np.flatnonzero(np.diff(key[order], prepend=-1))
        for begin, end in pairwise([*begins, len(key)]):
            some = order[begin:end]
            q, p = int(sender[some[0]]), int(receiver[some[0]])
            nodes = lanes.node[some]
            at = places.stage_at(int(places.down[nodes].min()), p)
            frame = self._add(
                BACKWARD, q, p, int(lanes.stage[some[0]]), at, BLOCK, len(some), _BYTES * len(some)
            )
            low = int(self.ghost[some[0]])
            self.messages[q][frame] = low, low + len(some)
            self.takes[p][frame] = Takes(places.count[p] + lanes.slot[some])

    def _route_values(self) -> None:
        """Send each value once to each partition that needs it, before the first firing there."""
        places, lanes = self.places, self.lanes
        constant = np.zeros(places.whole.nodes, bool)
        constant[places.whole.constants] = True
        self.dead: list[Ints] = []
        self.fixed: list[tuple[Ints, Ints]] = []
        for p in range(places.partitions):
            nodes = places.nodes_of(p)
            need = np.full(places.whole.nodes, _NEVER, np.int64)
            dead = _needs(
                nodes, places.whole.inputs, places.whole.source, places.partition, places.up,
                places.live, places.kind, need,
            )  # fmt: skip
            mine = self.lane_sender == p
            node = np.concatenate([lanes.node[mine].astype(np.int64), dead])
            ghost = np.concatenate([self.ghost[mine], self.behind(p) + np.arange(len(dead))])
            self.dead.append(dead)
            fixed = constant[node]
            self.fixed.append((ghost[fixed], node[fixed]))
            node, ghost = node[~fixed], ghost[~fixed]
            self._route_values_to(p, need, constant, node, ghost)

    def _route_values_to(self, p: int, need: Ints, constant: Any, node: Ints, ghost: Ints) -> None:
        places = self.places
        wanted = np.flatnonzero((need < _NEVER) & ~constant)
        wanted = wanted[np.argsort(places.up_stage[wanted], kind="stable")]
        stages = places.up_stage[wanted]
        cuts = np.flatnonzero(np.diff(stages, prepend=-1))
        begins = np.append(cuts, len(wanted))
        in_frame = np.empty(places.whole.nodes, np.int64)
        in_frame[wanted] = np.arange(len(wanted)) - np.repeat(cuts, np.diff(begins))
        order = np.argsort(places.up_stage[node], kind="stable")
        node, ghost = node[order], ghost[order]
        bounds = np.searchsorted(places.up_stage[node], np.append(stages[cuts], _NEVER))
        for k, stage in enumerate(stages[cuts]):
            some = wanted[begins[k] : begins[k + 1]]
            q = int(places.partition_of(stage))
            at = places.stage_at(int(need[some].min()), p)
            frame = self._add(FORWARD, q, p, int(stage), at, BLOCK, len(some), _BYTES * len(some))
            self.values[q][frame] = places.local[some]
            here = slice(bounds[k], bounds[k + 1])
            self.takes[p][frame] = Takes(ghost[here], in_frame[node[here]])

    def _route_caller(self) -> None:
        """Leaf values come from the caller; the output's value and S at the leaves go to it.

        The key of a frame of leaves is the stage at its other end, so that the caller knows whose
        they are.
        """
        places = self.places
        leaves = places.whole.leaves
        homes = places.partition[leaves]
        for p in range(places.partitions):
            here = np.flatnonzero(homes == p)
            for stage in np.unique(places.up_stage[leaves[here]]):
                given = here[places.up_stage[leaves[here]] == stage]
                some = leaves[given]
                frame = self._add(
                    FORWARD, CALLER, p, CALLER, int(stage), (int(stage),), len(some),
                    _BYTES * len(some),
                )  # fmt: skip
                self.takes[p][frame] = Takes(places.local[some])
                self.given[p][frame] = given
            asked = here[places.live[leaves[here]] > 0]
            for stage in np.unique(places.down_stage[leaves[asked]]):
                given = asked[places.down_stage[leaves[asked]] == stage]
                some = leaves[given]
                frame = self._add(
                    SUMS, p, CALLER, int(stage), CALLER, (int(stage),), len(some),
                    _BYTES * len(some),
                )  # fmt: skip
                self.values[p][frame] = places.local[some]
                self.given[p][frame] = given
        output = places.whole.output
        p, stage = int(places.partition[output]), int(places.up_stage[output])
        frame = self._add(FORWARD, p, CALLER, stage, CALLER, BLOCK, 1, _BYTES)
        self.values[p][frame] = places.local[[output]]


def _by_stage(fields: Fields) -> Any:
    kind, sender, receiver, sent_by, received_by, *_ = fields
    return sent_by, received_by, kind, sender, receiver


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
                if not live[u] or not sends(kind[u], live[u], e - inputs[u]):
                    dead.append(np.int64(z))
    return np.array(dead, dtype=np.int64)
