"""A network laid out over partitions: when each node fires, and what crosses in which frame.

The scheduler makes a layout from an outline; a network makes of a layout the part that each
partition holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .outline import Ints


class Lanes(NamedTuple):
    """The messages that cross between partitions in a pass, in the order of the wave.

    One for each cut edge; with a combiner, one for each (sending partition, target node).

    Attributes:
        input: the input that its edge is; of several that share it, the first in the wave.
        node: the node it goes to.
        stage: the stage that sends it; of several that share it, the last.
        sender: the partition that does.
        of_cut: for each cut edge, in the order of the wave, its lane.

    """

    input: Ints
    node: Ints
    stage: Ints
    sender: Ints
    of_cut: Ints


class Routed(NamedTuple):
    """A frame: between which stages of which partitions, and what is in it.

    Attributes:
        kind, sender, receiver, sent_by, received_by: see :class:`PlannedFrame`.
        content: lanes, in a backward frame between partitions; of a frame from or to the caller
            numbers of leaves, or of nodes if those are outputs; else nodes whose values go.
        payload_bytes: the bytes of all that.

    """

    kind: str
    sender: int
    receiver: int
    sent_by: int
    received_by: int
    content: Ints
    payload_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where and when all nodes fire, and every frame.

    Attributes:
        partition: for each node its partition; of a constant that lives everywhere, any.
        partitions: how many there are.
        up, down: the rounds in which each node fires forward and backward.
        keys: of each stage, round · partitions + partition; ascending.
        up_stage, down_stage: the stages in which each node fires; the second means nothing where
            no message is sent.
        lanes: the messages that cross.
        cut_edges: how many edges have their ends in different partitions.
        frames: every frame, in its final order.
        combiner: whether messages to one node are summed before they leave a partition.
        parameters: the leaves that stay where they live, in the order of their keys.
        shares: the frames in which values of parameters go to those that use them elsewhere,
            once for many passes; their stages are numbered after all others.

    """

    partition: Ints
    partitions: int
    up: Ints
    down: Ints
    keys: Ints
    up_stage: Ints
    down_stage: Ints
    lanes: Lanes
    cut_edges: int
    frames: Sequence[Routed]
    combiner: bool
    parameters: tuple[int, ...] = ()
    shares: Sequence[Routed] = ()


class Fires(NamedTuple):
    """What fires in one stage: see :class:`Stage`."""

    leaves: Sequence[int]
    forward: Sequence[int]
    backward: Sequence[int]


class Keys(NamedTuple):
    """The keys of one frame, and the leaves in a block: see :class:`PlannedFrame`."""

    keys: tuple[int, ...]
    leaves: Ints | None = None


class Cut(NamedTuple):
    """What a network makes of a layout.

    Attributes:
        parts: what each partition holds.
        fires: what fires in each stage.
        keys: the keys of each frame, those of shares behind all others.

    """

    parts: Sequence[Any]
    fires: Sequence[Fires]
    keys: Sequence[Keys]
