"""The plan: all that will happen in a pass, known before it begins.

For each partition its stages (the longest runs of firings that need nothing new from elsewhere),
and for each stage the frames that come in and go out, and the messages in each. A run that
receives anything else fails, and says what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..protocol.errors import LedgerError
from ..protocol.ledger import Counts, Ledger
from ..protocol.message import BACKWARD, CALLER, FORWARD, PARAMETERS
from ..protocol.outline import PlannedFrame, Stage
from ..protocol.residents import AnyNetwork, Part
from .order import Flow
from .partition import stage_costs
from .schedule import Schedule

CPU, GPU = "cpu", "gpu"

_PROMISED = (
    "frames",
    "cross_messages",
    "payload_bytes",
    "forward_frames",
    "forward_bytes",
    "parameter_frames",
    "parameter_bytes",
    "copy_sums",
    "caller_frames",
    "caller_bytes",
)


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
        sharing: the stages that bring parameters to those that use them elsewhere, once for many
            passes: their numbers go on behind those of ``stages``.
        parameters: the leaves that stay where they live from pass to pass.
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
    sharing: tuple[Stage, ...] = ()
    parameters: tuple[int, ...] = ()
    combiner: bool = False
    parts: Sequence[Part] = field(default=(), repr=False)

    @cached_property
    def flow(self) -> Flow:
        """What a pass is made of, for those who order several."""
        costs = stage_costs(self.graph.outline(), self.stages)
        return Flow(self.stages, self.frames, self.partitions, costs)

    def stage(self, number: int) -> Stage:
        """Return a stage of a pass, or one that shares parameters, by its number."""
        within = len(self.stages)
        return self.stages[number] if number < within else self.sharing[number - within]

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

    @cached_property
    def traffic(self) -> Counts:
        """What the frames of one pass count; of the caller's, the bytes without their headers."""
        backward, forward = self.between(BACKWARD), self.between(FORWARD)
        called = [frame for frame in self.frames if CALLER in (frame.sender, frame.receiver)]
        return Counts(
            frames=len(backward),
            cross_messages=sum(frame.messages for frame in backward),
            payload_bytes=sum(frame.payload_bytes for frame in backward),
            forward_frames=len(forward),
            forward_bytes=sum(frame.payload_bytes for frame in forward),
            caller_frames=len(called),
            caller_bytes=sum(frame.payload_bytes for frame in called),
        )

    @cached_property
    def shared(self) -> Counts:
        """What the frames count that bring parameters to those that use them elsewhere."""
        frames = self.between(PARAMETERS)
        return Counts(
            parameter_frames=len(frames), parameter_bytes=sum(f.payload_bytes for f in frames)
        )

    def hold(self, ledger: Ledger, beside: Counts) -> None:
        """Hold what a run counted to what was planned.

        Args:
            ledger: what was counted.
            beside: what is planned beside the frames of the passes: parameters that are shared,
                sums over copies, headers of the caller's frames.

        Raises:
            LedgerError: they differ; the message has both.

        """
        promises = [
            (
                name.replace("_", " "),
                getattr(ledger, name),
                ledger.copies * getattr(self.traffic, name) + getattr(beside, name),
            )
            for name in _PROMISED
        ]
        promises.append(("waves", ledger.waves, ledger.copies * self.graph.num_levels))
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
