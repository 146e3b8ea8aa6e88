"""A network as numbers: all that where and when must know of it, for tensors and scalars alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

Ints = np.ndarray[Any, np.dtype[Any]]

FEW = 10_000
"""Up to so many the time that NumPy takes to begin is what counts."""

COMPUTED, GIVEN, CONSTANT = range(3)
"""The kinds of nodes: those that something feeds, leaves, and those whose values never change."""


def stable_order(key: Ints) -> Ints:
    """Return the stable order of keys that are not negative, in time O(n) where those are few."""
    if len(key) > FEW and (most := int(key.max())) < 2**16:
        key = key.astype(np.min_scalar_type(most))  # which NumPy sorts by radix
    return key.argsort(kind="stable")


class Ends(NamedTuple):
    """Inputs, by the nodes at their two ends."""

    source: Ints
    target: Ints


class Calls(NamedTuple):
    """What goes from or to the caller in a pass, array by array.

    Attributes:
        node: whose value, or S, it is.
        content: the number of the leaf that this is; of an output the node.
        sums: whether it is S.
        upward: whether it goes when the node fires forward, not back.
        given: whether it comes from the caller.

    """

    node: Ints
    content: Ints
    sums: Ints
    upward: Ints
    given: Ints


@dataclass(frozen=True, eq=False)
class Outline:
    """A network of n nodes, each after its inputs, and e inputs, of which E are edges.

    A wave goes through the nodes from the last to the first, and likewise through the inputs of
    each: an input's turn among those that carry messages is the number of its edge.

    Attributes:
        first: where the inputs of each node begin, and e; int64[n + 1].
        source: the node that each input comes from; integers[e].
        carries: for each input 1 if a message goes back over it, so that it is an edge; uint8[e].
        level: the longest path to each node from one that nothing feeds; integers[n].
        kind: COMPUTED, GIVEN or CONSTANT; uint8[n].
        on_network: for each node 1 if the wave visits it; uint8[n].
        outputs: the nodes at which S is given.
        leaves: the nodes that the caller gives values, in the caller's order.
        asked: for each leaf whether the caller wants S there: it is differentiated, and a path
            leads from it to an output; bool.
        value_bytes: the bytes of each node's value, and of each message to it; int64[n].
        flops, moved_bytes: the work of one forward firing of each node: floating-point operations,
            and bytes read and written; int64[n].
        on_arrays: for each node 1 if it works on an array, which a GPU can do; uint8[n].
        fine: whether nodes are single numbers, perhaps millions of them, that cost little each. A
            level is then cut across and not only between nodes, and constants have a partition of
            their own; else they live wherever they are used.
        numbers: what the network's maker calls each node; None where that is its number here.
        parameters: the leaves that stay where they live from pass to pass: no caller gives their
            values in a pass, and none gets S there.

    """

    first: Ints
    source: Ints
    carries: Ints
    level: Ints
    kind: Ints
    on_network: Ints
    outputs: tuple[int, ...]
    leaves: Ints
    asked: Ints
    value_bytes: Ints
    flops: Ints
    moved_bytes: Ints
    on_arrays: Ints
    fine: bool
    numbers: Ints | None = None
    parameters: tuple[int, ...] = ()

    def with_parameters(self, nodes: Sequence[int]) -> Outline:
        """Return the same network with leaves that stay where they live."""
        return replace(self, parameters=tuple(nodes))

    @cached_property
    def stays(self) -> Ints:
        """For each node whether it is a parameter; bool[n]."""
        stays = np.zeros(self.nodes, bool)
        stays[list(self.parameters)] = True
        return stays

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return len(self.level)

    @property
    def degree(self) -> Ints:
        """How many inputs each node has."""
        degree: Ints = self.first[1:] - self.first[:-1]
        return degree

    def ends(self, inputs: Ints) -> Ends:
        """Return the nodes at both ends of some inputs, given by their numbers."""
        if len(inputs) > FEW and 8 * len(inputs) > len(self.source):
            nodes = np.arange(self.nodes, dtype=np.int32)
            target: Ints = nodes.repeat(self.degree)[inputs]
        else:
            target = self.first.searchsorted(inputs, side="right") - 1
        return Ends(self.source[inputs], target)

    @cached_property
    def one_size(self) -> int:
        """The bytes of a value, where all have as many; else 0."""
        least = int(self.value_bytes.min())
        return least if least == self.value_bytes.max() else 0

    @cached_property
    def uses(self) -> Ends:
        """The inputs that come from leaves and constants."""
        fed = (self.kind == COMPUTED).nonzero()[0]
        given = self.nodes - len(fed)
        if len(fed) and fed[0] == given:  # they stand before all others
            return self.ends((self.source < given).nonzero()[0])
        return self.ends((self.kind != COMPUTED)[self.source].nonzero()[0])

    @cached_property
    def calls(self) -> Calls:
        """What goes from or to the caller: values of leaves and S at them, and of the outputs."""
        every, asked = np.arange(len(self.leaves)), self.asked.nonzero()[0]
        if self.parameters:
            every, asked = (each[~self.stays[self.leaves[each]]] for each in (every, asked))
        outputs = np.array([u for u in self.outputs if self.kind[u] != CONSTANT], np.int64)
        sending = outputs[self.on_network[outputs] > 0]
        counts = [len(each) for each in (every, asked, outputs, sending)]
        return Calls(
            np.concatenate([self.leaves[every], self.leaves[asked], outputs, sending]),
            np.concatenate([every, asked, outputs, sending]),
            np.repeat([False, True, False, True], counts),
            np.repeat([True, False, True, False], counts),
            np.repeat([True, False, False, True], counts),
        )


@dataclass(frozen=True, slots=True)
class PlannedFrame:
    """A frame that will be sent: from which stage to which, and the messages in it.

    Attributes:
        number: its index among the frames of its plan.
        kind: ``"forward"``, ``"backward"``, ``"sums"`` or ``"parameters"``.
        sender, receiver: partitions; -1 is the caller.
        sent_by, received_by: stages; that of the caller is -1.
        keys: edge numbers in a backward frame, node ids in the others; a frame of a scalar network
            has one key, and under it a block of numbers.
        messages: how many messages or values are in it.
        payload_bytes: and how many bytes those have.
        leaves: of a frame with a block of leaves from or to the caller, which they are.

    """

    number: int
    kind: str
    sender: int
    receiver: int
    sent_by: int
    received_by: int
    keys: tuple[int, ...]
    messages: int
    payload_bytes: int
    leaves: Ints | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Stage:
    """One run of firings in one partition: what comes in, fires forward and back, goes out.

    Attributes:
        number: its index among the stages of its plan, an order in which they can run.
        partition: where it fires.
        round: how far it stands from the start: see the schedules.
        leaves, forward, backward: what fires, as the nodes of its partition count: node ids; of a
            scalar network, ranges of the blocks, and of the wave, of its piece.
        receives, sends: numbers of frames.

    """

    number: int
    partition: int
    round: int
    leaves: Sequence[int]
    forward: Sequence[int]
    backward: Sequence[int]
    receives: tuple[int, ...]
    sends: tuple[int, ...]

    @property
    def name(self) -> str:
        """What the stage does: ``forward``, ``backward``, ``forward+backward``, ``parameters``."""
        fires = (("forward", self.leaves or self.forward), ("backward", self.backward))
        return "+".join(kind for kind, some in fires if some) or "parameters"
