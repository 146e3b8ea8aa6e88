"""The plan: all that will happen in a pass, known before it begins.

For each partition its stages (the longest runs of firings that need nothing new from elsewhere),
and for each stage the frames that come in and go out, and the messages in each. A run that
receives anything else fails, and says what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..protocol.errors import LedgerError
from ..protocol.ledger import Ledger
from ..protocol.message import BACKWARD, CALLER, FORWARD
from ..protocol.outline import PlannedFrame, Stage
from ..protocol.residents import AnyNetwork, Part
from .schedule import Schedule

CPU, GPU = "cpu", "gpu"


@dataclass(frozen=True, eq=False)
class Plan:
    """Where every node lives, when it fires, and every frame that is sent.

    Attributes:
        graph: the network.
        partition: for each node its partition; -1 for constants that live where they are used.
            Of a scalar network an array, by the numbers that its maker gave the nodes.
        partitions: how many there are; each is one worker.
        devices: ``"cpu"`` or ``"gpu"`` for each partition.
        granularity: ``"node"``, ``"layer"`` or ``"partition"``.
        schedule: when nodes fire.
        stages: in an order in which they can run; a stage's number is its index.
        frames: every frame; a frame's number is its index.
        cut_edges: how many edges have their ends in different partitions.
        combiner: whether messages to one node are summed before they leave a partition.
        parts: what each partition holds.

    """

    graph: AnyNetwork
    partition: Sequence[int] | np.ndarray[Any, Any]
    partitions: int
    devices: tuple[str, ...]
    granularity: str
    schedule: Schedule
    stages: tuple[Stage, ...]
    frames: tuple[PlannedFrame, ...]
    cut_edges: int
    combiner: bool = False
    parts: Sequence[Part] = field(default=(), repr=False)

    def nodes_of(self, partition: int) -> list[int]:
        """Return the nodes that live in a partition."""
        return [u for u, lives in enumerate(self.partition) if lives == partition]

    def between(self, kind: str) -> list[PlannedFrame]:
        """Return the frames of a kind that go from partition to partition."""
        return [
            frame
            for frame in self.frames
            if frame.kind == kind and CALLER not in (frame.sender, frame.receiver)
        ]

    def hold(self, ledger: Ledger) -> None:
        """Hold what a run counted to what was planned.

        Raises:
            LedgerError: they differ; the message has both.

        """
        backward, forward = self.between(BACKWARD), self.between(FORWARD)
        promises = [
            ("frames", ledger.frames, len(backward)),
            ("cross messages", ledger.cross_messages, sum(f.messages for f in backward)),
            ("payload bytes", ledger.payload_bytes, sum(f.payload_bytes for f in backward)),
            ("forward frames", ledger.forward_frames, len(forward)),
            ("forward bytes", ledger.forward_bytes, sum(f.payload_bytes for f in forward)),
            ("waves", ledger.waves, self.graph.num_levels),
        ]
        broken = [
            f"{name}: {counted} counted, {planned} planned"
            for name, counted, planned in promises
            if counted != planned
        ]
        if broken:
            raise LedgerError("the run was not as planned: " + "; ".join(broken))

    def __repr__(self) -> str:
        """Say the size."""
        return (
            f"<plan: {self.partitions} partitions by {self.granularity}, {self.schedule.name}, "
            f"{len(self.stages)} stages, {len(self.frames)} frames>"
        )
