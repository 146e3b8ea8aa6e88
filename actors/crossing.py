"""What one firing receives and sends, held to the plan and counted."""

from __future__ import annotations

from dataclasses import dataclass
from time import time_ns

from ..protocol.errors import ProtocolError, WireError
from ..protocol.message import (
    BACKWARD,
    CALLER,
    FORWARD,
    PARAMETERS,
    Address,
    Frame,
    Header,
)
from ..protocol.outline import PlannedFrame, Stage
from ..protocol.residents import Pass
from ..protocol.timeline import Span
from ..scheduler.events import Report
from .assignment import Assignment


@dataclass(frozen=True, slots=True)
class Crossing:
    """What one firing receives and sends."""

    assignment: Assignment
    stage: Stage
    number: int
    nodes: Pass
    report: Report

    def receive(self, frames: tuple[Frame, ...]) -> None:
        """Take what has come, and hold it to the plan."""
        planned_frames = [self.assignment.frames[number] for number in self.stage.receives]
        expected = {_address(planned): planned for planned in planned_frames}
        missing = dict.fromkeys(self.stage.receives)
        for count, frame in enumerate(frames, 1):
            begin = time_ns()
            try:
                header, messages = Frame(*frame).open()
            except WireError as error:
                raise WireError(
                    f"{says(self.stage)} received frame {count} of {len(frames)} damaged: {error}"
                ) from None
            planned = self._planned(header, expected)
            if header.keys != planned.keys:
                raise ProtocolError(
                    f"{says(self.stage)} received {_title(planned)} "
                    f"with other messages than planned"
                )
            if planned.number not in missing:  # it came before
                self.nodes.drop(planned)
                continue
            del missing[planned.number]
            for message in messages:
                origin = f"{_who(planned.sender)}, stage {planned.sent_by},"
                fault = self.nodes.fault(planned, message, origin)
                if fault:
                    raise ProtocolError(f"{says(self.stage)} received {fault}")
            self.nodes.take(planned, messages)
            if planned.sender == CALLER:
                self.report.counts.caller_frames += 1
                self.report.counts.caller_bytes += len(frame[0]) + planned.payload_bytes
            self._note(f"receive from {_who(planned.sender)}", "receive", begin, planned)
        if missing:
            lost = "; ".join(_title(self.assignment.frames[number]) for number in missing)
            raise ProtocolError(f"{says(self.stage)} did not receive {lost}")

    def _planned(self, header: Header, expected: dict[_FrameAddress, PlannedFrame]) -> PlannedFrame:
        """Find the frame in the plan that this header belongs to."""
        run = self.assignment.run
        address = header.kind, header.stage, header.sender, header.receiver
        if (header.run, header.number) == (run, self.number) and address in expected:
            started = 0
            if header.sender != CALLER:
                started = self.assignment.incarnations[header.sender]
            if header.incarnation != started:
                raise ProtocolError(
                    f"{says(self.stage)} received a frame from {_who(header.sender)} as it was "
                    f"after {header.incarnation} restarts, and it has been restarted {started} "
                    f"times: the run that sent it is over"
                )
            return expected[address]
        raise ProtocolError(
            f"{says(self.stage)}, in pass {self.number} of run {run}, received a "
            f"frame that is not planned: a {header.kind} frame of {len(header.keys)} messages "
            f"from {_who(header.sender)}, stage {header.stage}, to {_who(header.receiver)}, "
            f"in pass {header.number} of run {header.run:.40}"
        )

    def send(self, frame: int) -> Frame:
        """Make a frame, and count it."""
        begin = time_ns()
        planned = self.assignment.frames[frame]
        address = Address(
            self.assignment.run,
            self.number,
            self.stage.number,
            planned.sender,
            planned.receiver,
            self.report.incarnation,
        )
        sent = Frame.of(planned.kind, self.nodes.give(planned), address)
        counts = self.report.counts
        if planned.receiver == CALLER:
            counts.caller_frames += 1
            counts.caller_bytes += len(sent.header) + sent.payload_bytes
        else:
            counts.header_bytes += len(sent.header)
        if planned.receiver != CALLER and planned.kind == BACKWARD:
            counts.frames += 1
            counts.cross_messages += planned.messages
            counts.payload_bytes += sent.payload_bytes
        elif planned.receiver != CALLER and planned.kind == FORWARD:
            counts.forward_frames += 1
            counts.forward_bytes += sent.payload_bytes
        elif planned.kind == PARAMETERS:
            counts.parameter_frames += 1
            counts.parameter_bytes += sent.payload_bytes
        self._note(f"send to {_who(planned.receiver)}", "send", begin, planned)
        return sent

    def _note(self, name: str, kind: str, begin: int, frame: PlannedFrame) -> None:
        details = {
            "pass": self.number,
            "frame": frame.number,
            "kind": frame.kind,
            "messages": frame.messages,
            "bytes": frame.payload_bytes,
        }
        worker = self.assignment.partition
        self.report.spans.append(Span(worker, name, kind, begin, time_ns(), details))


_FrameAddress = tuple[str, int, int, int]
"""What parts the frames that a stage receives: kind, the sender's stage, sender, receiver."""


def _address(frame: PlannedFrame) -> _FrameAddress:
    return frame.kind, frame.sent_by, frame.sender, frame.receiver


def says(stage: Stage) -> str:
    """Name a stage for people."""
    return f"worker {stage.partition}, stage {stage.number} ({stage.name})"


def _who(partition: int) -> str:
    return "the caller" if partition == CALLER else f"worker {partition}"


def _title(frame: PlannedFrame) -> str:
    return (
        f"the {frame.kind} frame of {frame.messages} messages from {_who(frame.sender)}, "
        f"stage {frame.sent_by}"
    )
