"""Drive workers through a plan: hand over what each stage needs, in an order that cannot block.

The driver touches no payload. It holds handles of frames (on Ray, object references), passes them
from the stage that sends a frame to the stage that receives it, and adds up the reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..protocol.arrays import Array
from ..protocol.backward import Span
from ..protocol.errors import ProtocolError
from ..protocol.graph import Graph
from ..protocol.ledger import Ledger
from ..protocol.message import CALLER, SUMS, Frame
from .plan import Plan, Stage

Handle = Any
"""Whatever an engine uses to stand for a frame or a report that may not be there yet."""


@dataclass(slots=True)
class Report:
    """What a worker did in one stage. Times in ns since the epoch, on the worker's clock."""

    stage: int
    worker: int
    start: int
    end: int
    messages: int = 0
    sums: int = 0
    multiplies: int = 0
    receivers: int = 0
    retransmissions: int = 0
    recomputed: int = 0
    combined: int = 0
    levels: frozenset[int] = frozenset()
    cross_messages: int = 0
    frames: int = 0
    payload_bytes: int = 0
    header_bytes: int = 0
    forward_frames: int = 0
    forward_bytes: int = 0
    spans: list[Span] = field(default_factory=list)


class Engine(Protocol):
    """What runs stages: in this process, or on Ray."""

    def give(self, frame: Frame) -> Handle:
        """Take a frame from the caller, once, and return its handle."""

    def fire(
        self, stage: Stage, number: int, check_finite: bool, frames: Sequence[Handle]
    ) -> tuple[Handle, Sequence[Handle]]:
        """Start a stage of pass ``number``; return handles of its report and of what it sends."""

    def take(self, stages: Sequence[Stage], handles: Sequence[Handle]) -> list[Any]:
        """Wait, with a deadline, for what these stages return: one handle each."""


@dataclass(slots=True)
class Outcome:
    """What comes back from a run of a plan: the output's value, S at leaves, and the reports."""

    value: Array
    sums: dict[int, Array]
    reports: list[Report]


def drive(
    plan: Plan,
    engine: Engine,
    values: Mapping[int, Array],
    *,
    run: str,
    number: int,
    check_finite: bool = False,
) -> Outcome:
    """Run one pass of a plan.

    Args:
        plan: what to do.
        engine: who does it; its workers hold the plan's partitions.
        values: the value of each leaf; of a scalar network those of the leaves in each frame from
            the caller, by the frame's key.
        run: the run's name, which every frame carries.
        number: the pass's number in it, likewise.
        check_finite: whether workers look for NaN and infinity.

    """
    sent: dict[int, Handle] = {}
    for frame in plan.frames:
        if frame.sender == CALLER:
            given = Frame.of(
                frame.kind,
                [(u, values[u]) for u in frame.keys],
                run=run,
                number=number,
                stage=CALLER,
                receiver=frame.receiver,
            )
            sent[frame.number] = engine.give(given)
    reports: list[Handle] = []
    waited = 0
    for stage in plan.stages:
        if plan.policy.barrier and plan.stages[waited].round < stage.round:
            engine.take(plan.stages[waited : stage.number], reports[waited:])
            waited = stage.number
        incoming = [sent.pop(frame) for frame in stage.receives]
        report, outgoing = engine.fire(stage, number, check_finite, incoming)
        if len(outgoing) != len(stage.sends):
            raise ProtocolError(
                f"stage {stage.number} of worker {stage.partition} sent {len(outgoing)} frames, "
                f"and the plan has {len(stage.sends)}"
            )
        sent.update(zip(stage.sends, outgoing, strict=True))
        reports.append(report)
    done = engine.take(plan.stages, reports)
    return _outcome(plan, engine, sent, done)


def _outcome(
    plan: Plan, engine: Engine, sent: Mapping[int, Handle], reports: list[Report]
) -> Outcome:
    numbers = list(sent)
    senders = [plan.stages[plan.frames[number].sent_by] for number in numbers]
    graph = plan.graph
    value: Array = graph.constants.get(graph.output) if isinstance(graph, Graph) else None
    sums: dict[int, Array] = {}
    for frame in engine.take(senders, [sent[number] for number in numbers]):
        header, messages = frame.open()
        for u, S in messages:
            if header.kind == SUMS:
                sums[u] = S
            else:
                value = S
    return Outcome(value, sums, reports)


def ledger_of(plan: Plan, reports: Iterable[Report]) -> Ledger:
    """Add the reports of all stages up, and hold them to the closed forms and to the plan.

    Raises:
        LedgerError: something moved that should not have, or did not that should.

    """
    graph = plan.graph
    ledger = Ledger(
        nodes=graph.num_nodes,
        edges=graph.num_edges,
        outputs=graph.num_outputs,
        cut_edges=plan.cut_edges,
        inputs_without_gradient=graph.inputs_without_gradient,
    )
    levels: set[int] = set()
    for report in reports:
        levels |= report.levels
        for name in _COUNTS:
            setattr(ledger, name, getattr(ledger, name) + getattr(report, name))
    ledger.waves = len(levels)
    ledger.check()
    plan.hold(ledger)
    return ledger


_COUNTS = (
    "messages",
    "sums",
    "multiplies",
    "receivers",
    "retransmissions",
    "recomputed",
    "combined",
    "cross_messages",
    "frames",
    "payload_bytes",
    "header_bytes",
    "forward_frames",
    "forward_bytes",
)


@dataclass(frozen=True, slots=True)
class Share:
    """One worker's share of a run."""

    worker: int
    device: str
    nodes: int
    stages: int
    busy_seconds: float


def shares(plan: Plan, reports: Iterable[Report]) -> list[Share]:
    """Return what each worker had and did."""
    busy = [0] * plan.partitions
    stages = [0] * plan.partitions
    nodes = plan.nodes_in_each
    for report in reports:
        busy[report.worker] += report.end - report.start
        stages[report.worker] += 1
    return [
        Share(place, plan.devices[place], nodes[place], stages[place], busy[place] / 1e9)
        for place in range(plan.partitions)
    ]
