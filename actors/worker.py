"""One worker: the nodes of one partition, and the stages in which they fire. Plain Python."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from time import time_ns

from threadpoolctl import threadpool_limits

from ..protocol import graph_file
from ..protocol.backward import Span
from ..protocol.errors import ProtocolError, WireError
from ..protocol.graph import Graph
from ..protocol.message import BACKWARD, CALLER, FORWARD, SUMS, Frame, Header
from ..protocol.network.piece import Piece
from ..protocol.sources import Source, import_sources
from ..scheduler.plan import Plan, PlannedFrame, Stage
from ..scheduler.run import Report
from .device import device
from .residents import Residents, ScalarNodes, TensorNodes

KEPT_GRAPHS = 2
"""How many decoded networks a worker keeps: a gradient and its Hessian take turns."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one worker must know of a plan: its nodes, its stages, the frames in and out.

    The nodes of a scalar network come as a piece of it instead.
    """

    run: str
    partition: int
    device: str
    nodes: tuple[int, ...]
    stages: dict[int, Stage]
    frames: dict[int, PlannedFrame]
    imports: tuple[Source, ...] = ()


def assignments(plan: Plan, run: str, imports: tuple[Source, ...] = ()) -> list[Assignment]:
    """Return what each worker must know of a plan; ``imports`` define its users' primitives."""
    nodes: list[list[int]] = [[] for _ in range(plan.partitions)]
    stages: list[dict[int, Stage]] = [{} for _ in range(plan.partitions)]
    for u, place in enumerate(() if plan.pieces else plan.partition):
        if place >= 0:
            nodes[place].append(u)
    for stage in plan.stages:
        stages[stage.partition][stage.number] = stage
    return [
        Assignment(
            run,
            place,
            plan.devices[place],
            tuple(nodes[place]),
            stages[place],
            {
                number: plan.frames[number]
                for stage in stages[place].values()
                for number in (*stage.receives, *stage.sends)
            },
            imports,
        )
        for place in range(plan.partitions)
    ]


class Worker:
    """The nodes of one partition during a run.

    Its methods are what the driver calls, on Ray or in this process: :meth:`load` once a plan,
    :meth:`fire` once a stage, :meth:`sums` when somebody asks for S.
    """

    def __init__(self, kind: str = "cpu", *, threads: int | None = 1) -> None:
        if threads is not None:
            # For good: this process has no other work, and bits may depend on the number.
            threadpool_limits(threads, user_api="blas")
        self._device = device(kind)
        self._assignment: Assignment | None = None
        self._decoded: dict[tuple[bytes, tuple[Source, ...]], Graph] = {}
        self._number = -1
        self._fired: set[int] = set()

    def ready(self) -> str:
        """Answer, when the worker is there, with the name of its device."""
        return self._device.name

    def load(self, graph: bytes | Graph | Piece, assignment: Assignment) -> None:
        """Take over a partition of a network, which comes in its file form.

        Workers in one process may share the network itself. Of a scalar network comes the piece
        that this worker is to hold.
        """
        import_sources(assignment.imports)
        if isinstance(graph, Piece):
            self._residents: Residents = ScalarNodes(graph, self._device)
        else:
            known = graph if isinstance(graph, Graph) else self._read(graph, assignment.imports)
            given_away = {
                key
                for frame in assignment.frames.values()
                if frame.kind == FORWARD and frame.sender == assignment.partition
                for key in frame.keys
            }
            self._residents = TensorNodes(known, assignment.nodes, self._device, given_away)
        self._assignment = assignment
        self._number = -1

    def _read(self, data: bytes, imports: tuple[Source, ...]) -> Graph:
        """Decode a network, or find it among the last that this worker has decoded."""
        key = data, imports
        graph = self._decoded.pop(key, None) or graph_file.from_bytes(data)
        self._decoded = dict([*self._decoded.items(), (key, graph)][-KEPT_GRAPHS:])
        return graph

    def fire(
        self, stage_number: int, number: int, check_finite: bool, *frames: Frame
    ) -> tuple[Report, *tuple[Frame, ...]]:
        """Run one stage of pass ``number``: receive, fire forward, fire backward, send.

        Returns:
            The report, followed by the planned frames.

        Raises:
            ProtocolError: a frame is missing, or one came that the plan does not know, or a
                message that does not fit its node; or the stage has fired in this pass before.
            WireError: a frame is damaged.

        """
        start = time_ns()
        assignment = self._assigned()
        if number != self._number:
            self._residents.begin(check_finite=check_finite)
            self._number = number
            self._fired.clear()
        stage = assignment.stages.get(stage_number)
        if stage is None:
            raise ProtocolError(
                f"worker {assignment.partition} was asked for stage {stage_number}, "
                f"which is not its own"
            )
        if stage_number in self._fired:
            raise ProtocolError(
                f"{self._says(stage)} was asked to fire a second time in pass {number}; "
                f"a stage fires once a pass"
            )
        report = Report(stage_number, assignment.partition, start, start)
        before = self._residents.counts()
        self._receive(stage, frames, report)
        self._fired.add(stage_number)
        self._forward(stage, report)
        self._backward(stage, report)
        sent = [self._send(stage, number, report) for number in stage.sends]
        for name, count in self._residents.counts().items():
            setattr(report, name, count - before[name])
        report.end = time_ns()
        return (report, *sent)

    def sums(self, number: int, nodes: Iterable[int]) -> Frame:
        """Return a frame with S at ``nodes``, of the pass that ran last.

        Of a scalar network's, instead of nodes, S or the gradients of weights or biases: see
        :mod:`backwave.protocol.network.result`.

        Raises:
            ProtocolError: another pass has run since.

        """
        assignment = self._assigned()
        if number != self._number:
            raise ProtocolError(
                f"worker {assignment.partition} has run pass {self._number} since pass {number}; "
                f"read S before the next pass"
            )
        found = self._residents.found(nodes)
        return Frame.of(SUMS, found, run=assignment.run, number=number, sender=assignment.partition)

    def _assigned(self) -> Assignment:
        if self._assignment is None:
            raise ProtocolError("a worker was asked to fire before it was given a partition")
        return self._assignment

    def _receive(self, stage: Stage, frames: tuple[Frame, ...], report: Report) -> None:
        expected = {
            _address(planned): planned
            for planned in map(self._assigned().frames.__getitem__, stage.receives)
        }
        missing = dict.fromkeys(stage.receives)
        for place, frame in enumerate(frames, 1):
            begin = time_ns()
            try:
                header, messages = Frame(*frame).open()
            except WireError as error:
                raise WireError(
                    f"{self._says(stage)} received frame {place} of {len(frames)} damaged: {error}"
                ) from None
            planned = self._planned(stage, header, expected)
            if header.keys != planned.keys:
                raise ProtocolError(
                    f"{self._says(stage)} received {_title(planned)} "
                    f"with other messages than planned"
                )
            if planned.number not in missing:  # it came before
                self._residents.duplicates += planned.messages
                continue
            del missing[planned.number]
            for message in messages:
                origin = f"{_who(planned.sender)}, stage {planned.sent_by},"
                fault = self._residents.fault(planned, message, origin)
                if fault:
                    raise ProtocolError(f"{self._says(stage)} received {fault}")
            self._residents.take(planned, messages)
            report.spans.append(
                self._span(f"receive from {_who(planned.sender)}", "receive", begin, planned)
            )
        if missing:
            lost = "; ".join(_title(self._assigned().frames[number]) for number in missing)
            raise ProtocolError(f"{self._says(stage)} did not receive {lost}")

    def _planned(
        self, stage: Stage, header: Header, expected: dict[_Address, PlannedFrame]
    ) -> PlannedFrame:
        """Find the frame in the plan that this header belongs to."""
        run = self._assigned().run
        address = header.kind, header.stage, header.sender, header.receiver
        if (header.run, header.number) == (run, self._number) and address in expected:
            return expected[address]
        raise ProtocolError(
            f"{self._says(stage)}, in pass {self._number} of run {run}, received a "
            f"frame that is not planned: a {header.kind} frame of {len(header.keys)} messages "
            f"from {_who(header.sender)}, stage {header.stage}, to {_who(header.receiver)}, "
            f"in pass {header.number} of run {header.run:.40}"
        )

    def _forward(self, stage: Stage, report: Report) -> None:
        if not (stage.forward or stage.leaves):
            return
        begin = time_ns()
        self._residents.fire(stage)
        self._device.finish()
        details = {"nodes": self._residents.count(stage, FORWARD)}
        report.spans.append(Span(report.worker, FORWARD, "compute", begin, time_ns(), details))

    def _backward(self, stage: Stage, report: Report) -> None:
        """Fire the backward wave here; messages that go elsewhere wait to be sent."""
        if not stage.backward:
            return
        begin = time_ns()
        report.levels = self._residents.send(stage)
        self._device.finish()
        details = {
            "nodes": self._residents.count(stage, BACKWARD),
            "levels": len(report.levels),
        }
        report.spans.append(Span(report.worker, BACKWARD, "compute", begin, time_ns(), details))

    def _send(self, stage: Stage, frame: int, report: Report) -> Frame:
        begin = time_ns()
        planned = self._assigned().frames[frame]
        sent = Frame.of(
            planned.kind,
            self._residents.give(planned),
            run=self._assigned().run,
            number=self._number,
            stage=stage.number,
            sender=planned.sender,
            receiver=planned.receiver,
        )
        if planned.receiver != CALLER:
            report.header_bytes += len(sent.header)
            if planned.kind == BACKWARD:
                report.frames += 1
                report.cross_messages += planned.messages
                report.payload_bytes += sent.payload_bytes
            else:
                report.forward_frames += 1
                report.forward_bytes += sent.payload_bytes
        report.spans.append(self._span(f"send to {_who(planned.receiver)}", "send", begin, planned))
        return sent

    def _span(self, name: str, kind: str, begin: int, frame: PlannedFrame) -> Span:
        details = {
            "frame": frame.number,
            "kind": frame.kind,
            "messages": frame.messages,
            "bytes": frame.payload_bytes,
        }
        return Span(self._assigned().partition, name, kind, begin, time_ns(), details)

    def _says(self, stage: Stage) -> str:
        return f"worker {stage.partition}, stage {stage.number} ({stage.name})"


_Address = tuple[str, int, int, int]
"""What parts the frames that a stage receives: kind, the sender's stage, sender, receiver."""


def _address(frame: PlannedFrame) -> _Address:
    return frame.kind, frame.sent_by, frame.sender, frame.receiver


def _who(partition: int) -> str:
    return "the caller" if partition == CALLER else f"worker {partition}"


def _title(frame: PlannedFrame) -> str:
    return (
        f"the {frame.kind} frame of {frame.messages} messages from {_who(frame.sender)}, "
        f"stage {frame.sent_by}"
    )
