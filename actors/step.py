"""A step of a session: the passes of all copies, and what they give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..protocol.arrays import Array
from ..protocol.graph.found import CopiesSums, WorkersSums
from ..protocol.graph.tied import Tied
from ..protocol.ledger import Counts, Ledger
from ..protocol.message import Frame
from ..protocol.pytree import map_tree
from ..protocol.residents import Keyed
from ..protocol.result import StepResult
from ..protocol.timeline import Span
from ..scheduler.events import Report
from ..scheduler.order import Firing, Order
from ..scheduler.plan import Plan
from ..scheduler.run import Engine, Run
from .execute import sent_messages, shares


@dataclass(slots=True, eq=False)
class Loaded:
    """A network that the workers hold: how its arguments are given, and who runs it.

    Attributes:
        number: that of the next pass.
        shared: the version of the parameters that workers have which borrow them.
        order: the firings of each worker, with passes counted from 0.

    """

    tied: Tied
    plan: Plan
    engine: Engine
    number: int = 1
    shared: int = -1
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """The passes of one step, by number: parameters are shared first, then copies pass."""

    loaded: Loaded
    copies: int
    share: int

    @property
    def first(self) -> int:
        """The number of the first copy's pass."""
        return self.share + 1

    @property
    def order(self) -> Order:
        """The firings of all copies."""
        assert self.loaded.order is not None
        first = self.first
        return tuple(
            tuple(Firing(first + number, stage) for number, stage in some)
            for some in self.loaded.order
        )

    def result(self, run: Run, shared: bool, combine: str) -> StepResult:
        """Return what the step gives, with its ledger checked."""
        the_plan, tied = self.loaded.plan, self.loaded.tied
        outcomes = [run.outcome(self.first + k) for k in range(self.copies)]
        before = run.outcome(self.share).reports if shared else []
        reports = [report for outcome in outcomes for report in outcome.reports]
        for outcome in outcomes:  # each pass meets the closed forms by itself
            Ledger.of(tied.graph, _total(outcome.reports), the_plan.cut_edges)
        values = [map_tree(own, tied.value(outcome.frames)) for outcome in outcomes]
        return StepResult(
            value=tied.together(values, combine),
            values=values,
            grads=None,
            S=None,
            ledger=self._ledger([*before, *reports], shared),
            timeline=self._timeline([*before, *reports]),
            plan=the_plan,
            workers=shares(the_plan, [*before, *reports]),
            messages=[
                each
                for copy, outcome in enumerate(outcomes)
                for each in sent_messages(outcome.reports, copy)
            ],
        )

    def _ledger(self, reports: Sequence[Report], shared: bool) -> Ledger:
        the_plan, tied = self.loaded.plan, self.loaded.tied
        ledger = Ledger.of(tied.graph, _total(reports), the_plan.cut_edges, self.copies)
        summed = sum(tied.graph.on_network[node] for node in the_plan.parameters)
        headers = sum(self.loaded.engine.headers.values())
        beside = Counts(copy_sums=(self.copies - 1) * summed, caller_bytes=headers)
        the_plan.hold(ledger, beside + the_plan.shared if shared else beside)
        return ledger

    def _timeline(self, reports: Sequence[Report]) -> list[Span]:
        spans = [span for report in reports for span in report.spans]
        for span in spans:
            number = span.details.pop("pass") - self.first
            if number >= 0:
                span.details["pass"] = number
        return sorted(spans, key=lambda span: span.start)

    def sums(self) -> Mapping[int, Array]:
        """Return S at every node in every copy."""
        engine, the_plan = self.loaded.engine, self.loaded.plan

        def asking(number: int) -> Callable[[int, Sequence[int]], Keyed]:
            return lambda worker, keys: [
                (key, own(S)) for key, S in engine.ask(worker, number, keys)
            ]

        copies = [
            WorkersSums(self.loaded.tied.graph, the_plan.partition, asking(self.first + k), {})
            for k in range(self.copies)
        ]
        return copies[0] if self.copies == 1 else CopiesSums(copies)


def own(value: Array) -> Array:
    """Return an array that nobody else has."""
    return value.copy(order="K") if isinstance(value, np.ndarray) else value


def _total(reports: Iterable[Report]) -> Counts:
    return sum((report.counts for report in reports), Counts())


def called(frames: Iterable[Frame]) -> Counts:
    """Return what frames from or to the caller count."""
    sizes = [len(frame.header) + frame.payload_bytes for frame in frames]
    return Counts(caller_frames=len(sizes), caller_bytes=sum(sizes))
