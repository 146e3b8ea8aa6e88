"""One worker: the nodes of one partition, and the stages in which they fire. Plain Python."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from time import time_ns
from typing import Any

from threadpoolctl import threadpool_limits

from ..protocol.errors import ProtocolError
from ..protocol.message import BACKWARD, CALLER, FORWARD, PARAMETERS, SUMS, Address, Frame
from ..protocol.outline import Stage
from ..protocol.parameters import Parameters, Update
from ..protocol.residents import Part, Pass, PassOptions, Residents
from ..protocol.timeline import Span
from ..scheduler.events import Report
from ..scheduler.order import Firing
from .assignment import Assignment
from .crossing import Crossing, says
from .device import device
from .heap import keep_freed_memory

KEPT = 2
"""How many networks that its parts share a worker keeps: a gradient and its Hessian take turns."""


@dataclass(slots=True)
class _Open:
    """A pass that is open here, and the stages that have fired in it."""

    nodes: Pass
    fired: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Loaded:
    """A partition of a plan that is loaded here, and its passes that are open."""

    assignment: Assignment
    residents: Residents
    first: int = -1
    passes: dict[int, _Open] = field(default_factory=dict)

    def begin(self, first: int) -> None:
        """Close the passes before this one, which is the first of a run."""
        for number in [number for number in self.passes if number < first]:
            self.close(number)
        if first > self.first:
            self.first = first
            self.residents.begin()

    def open(self, number: int, options: PassOptions) -> _Open:
        """Return an open pass, perhaps a new one."""
        if number not in self.passes:
            nodes = self.residents.open(number - self.first, options)
            self.passes[number] = _Open(nodes)
        return self.passes[number]

    def close(self, number: int) -> None:
        """End a pass."""
        self.residents.close(self.passes.pop(number).nodes)


class Worker:
    """The nodes of one partition during a run; several passes of it may be open at once.

    Its methods are what an engine calls, on Ray or in this process: :meth:`load` once a plan,
    :meth:`fire` once a firing, :meth:`find` when somebody asks for S. A session keeps its
    parameters here, and several plans that use them.
    """

    def __init__(self, kind: str = "cpu", *, threads: int | None = 1) -> None:
        if threads is not None:
            # For good: this process has no other work, and bits may depend on the number.
            threadpool_limits(threads, user_api="blas")
            keep_freed_memory()
        self._device = device(kind)
        self._wholes: list[Any] = []
        self._loaded: dict[str, _Loaded] = {}
        self._parameters: dict[str, Parameters] = {}

    def ready(self) -> str:
        """Answer, when the worker is there, with the name of its device."""
        return self._device.name

    def load(self, part: Part, whole: Any, assignment: Assignment) -> None:
        """Take over a partition of a network: its part, and what all parts share.

        What is of no session makes room for it, if it is of none itself.
        """
        # One that was here before has been opened already.
        known = next((each for each in self._wholes if each == whole), whole)
        self._wholes = [*(each for each in self._wholes if each is not known), known][-KEPT:]
        session = assignment.session
        if not session:
            self._loaded = {n: each for n, each in self._loaded.items() if each.assignment.session}
        parameters = self._parameters.setdefault(session, Parameters())
        residents = part.residents(known, self._device, parameters, assignment.work)
        self._loaded[assignment.run] = _Loaded(assignment, residents)

    def fire(
        self, run: str, firing: Firing, first: int, options: PassOptions, *frames: Frame
    ) -> tuple[Report, *tuple[Frame, ...]]:
        """Run one stage of a pass: receive, fire forward, fire backward, send.

        Args:
            run: the run's name.
            firing: the pass and the stage.
            first: passes before this one are over, and are closed; copies are counted from it.
            options: what the pass does beside the rule.
            *frames: what the stage receives.

        Returns:
            The report, followed by the planned frames.

        Raises:
            ProtocolError: a frame is missing, or one came that the plan does not know, or a
                message that does not fit its node; or the stage has fired in this pass before.
            WireError: a frame is damaged.

        """
        start = time_ns()
        loaded = self._of(run)
        assignment = loaded.assignment
        number, stage_number = firing
        stage = assignment.stages.get(stage_number)
        if stage is None:
            raise ProtocolError(
                f"worker {assignment.partition} was asked for stage {stage_number}, "
                f"which is not its own"
            )
        loaded.begin(first)
        self._parameters[assignment.session].settled()
        open_pass = loaded.open(number, options)
        if stage_number in open_pass.fired:
            raise ProtocolError(
                f"{says(stage)} was asked to fire a second time in pass {number}; "
                f"a stage fires once a pass"
            )
        incarnation = assignment.incarnations[assignment.partition]
        report = Report(stage_number, assignment.partition, start, start, incarnation)
        crossing = Crossing(assignment, stage, number, open_pass.nodes, report)
        crossing.receive(frames)
        open_pass.fired.add(stage_number)
        self._compute(stage, loaded.residents, crossing)
        sent = [crossing.send(frame) for frame in stage.sends]
        report.counts += open_pass.nodes.counted()
        report.counts.copy_sums += loaded.residents.sums.counted()
        report.messages = open_pass.nodes.recorded()
        report.peak_bytes = loaded.residents.memory.peak
        if number < first or (
            not options.keep_S and len(open_pass.fired) == assignment.stages_each
        ):
            loaded.close(number)
        report.end = time_ns()
        return (report, *sent)

    def find(self, run: str, number: int, keys: Iterable[int]) -> Frame:
        """Return a frame with S at nodes, or what else a network finds, by key, in a pass.

        Raises:
            ProtocolError: the pass is over.

        """
        loaded = self._of(run)
        assignment = loaded.assignment
        if number not in loaded.passes:
            last = max(loaded.passes, default=number)
            raise ProtocolError(
                f"worker {assignment.partition} has run pass {last} since pass {number}; "
                f"read S before the next pass"
            )
        found = loaded.passes[number].nodes.found(keys)
        return Frame.of(
            SUMS, found, Address(assignment.run, number, 0, assignment.partition, CALLER)
        )

    # Of sessions.

    def keep(self, session: str, frame: Frame) -> None:
        """Take over the parameters that live here, by key."""
        kept = self._parameters.setdefault(session, Parameters())
        for key, value in Frame(*frame).open()[1]:
            kept.keep(key, self._device.put(value))

    def parameters(self, session: str, partition: int) -> Frame:
        """Return a frame with the parameters that live here, by key."""
        values = self._parameters[session].values
        found = [(key, self._device.get(value)) for key, value in values.items()]
        return Frame.of(PARAMETERS, found, Address(sender=partition))

    def copy_sums(self, run: str, copies: int) -> Frame:
        """Return a frame with S at the parameters that live here, over all copies of the last run.

        Raises:
            ProtocolError: a copy is missing.

        """
        loaded = self._of(run)
        found = loaded.residents.sums.whole(copies)
        values = [(node, self._device.get(S)) for node, S in found.items()]
        return Frame.of(SUMS, values, Address(run, 0, 0, loaded.assignment.partition))

    def update(self, run: str, update: Update) -> None:
        """Let an optimizer change the parameters that live here, all or none.

        Raises:
            ArgumentError: the optimizer failed, or returned something else.
            ProtocolError: a copy is missing.

        """
        loaded = self._of(run)
        sums = loaded.residents.sums.whole(update.copies)
        self._parameters[loaded.assignment.session].update(update, sums)

    def undo(self, session: str, number: int) -> None:
        """Go back to the parameters that were before an update, if that has been made here."""
        self._parameters[session].undo(number)

    def unload(self, run: str) -> None:
        """Forget a plan of a session."""
        self._loaded.pop(run, None)

    def end(self, session: str) -> None:
        """Forget a session."""
        self._parameters.pop(session, None)
        self._loaded = {
            n: each for n, each in self._loaded.items() if each.assignment.session != session
        }

    def _of(self, run: str) -> _Loaded:
        if run not in self._loaded:
            raise ProtocolError(
                "a worker was asked to fire before it was given a partition, or after its session "
                "was closed"
            )
        return self._loaded[run]

    def _compute(self, stage: Stage, residents: Residents, crossing: Crossing) -> None:
        """Fire forward, then backward; messages that go elsewhere wait to be sent."""
        nodes, report = crossing.nodes, crossing.report
        for kind, fires, fire in (
            (FORWARD, stage.forward or stage.leaves, nodes.fire),
            (BACKWARD, stage.backward, nodes.send),
        ):
            if fires:
                begin = time_ns()
                fire(stage)
                self._device.finish()
                counts = nodes.counted()
                report.counts += counts
                details = {"pass": crossing.number, "nodes": residents.size(stage, kind)}
                if kind == BACKWARD:
                    details["levels"] = len(counts.levels)
                span = Span(report.worker, kind, "compute", begin, time_ns(), details)
                report.spans.append(span)
