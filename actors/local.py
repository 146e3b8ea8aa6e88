"""The engine in this process: the same workers, called one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..protocol.blas import one_blas_thread
from ..protocol.message import CALLER, Address, Frame
from ..protocol.residents import Keyed
from ..scheduler.events import Command, Event, Failed, Fetched, Fire, Fired, Give
from ..scheduler.plan import Plan
from ..scheduler.run import Passing
from .execute import execute, new_run
from .worker import Worker, assignments


class LocalEngine:
    """Workers in this process, each of which fires when it is asked to."""

    def __init__(self, plan: Plan, run: str) -> None:
        self.plan = plan
        self.run = run
        self.incarnations = (0,) * plan.partitions
        self.workers: list[Worker] = []
        self._frames: dict[tuple[int, int], Frame] = {}
        self._events: list[Event] = []
        self._failed = False
        # As on Ray, workers hold what the file form says; here one copy of it serves all.
        whole = plan.graph.whole(elsewhere=False)
        for assignment, part in zip(assignments(plan, run), plan.parts, strict=True):
            worker = Worker(assignment.device, threads=None)
            worker.load(part, whole, assignment)
            self.workers.append(worker)

    def do(self, command: Command) -> None:
        """Do a command, now; nothing more after one that failed, until somebody has heard of it."""
        if self._failed:
            return
        if isinstance(command, Give):
            address = Address(self.run, command.number, CALLER, CALLER, command.frame.receiver)
            frame = Frame.of(command.frame.kind, command.content, address)
            self._frames[command.number, command.frame.number] = self.give(frame)
        elif isinstance(command, Fire):
            self._fire(command)
        else:
            frame = self._frames.pop((command.number, command.frame.number))
            self._events.append(Fetched(command.number, command.frame, frame.open()[1]))

    def give(self, frame: Frame) -> Frame:
        """Take a frame from the caller."""
        return frame

    def _fire(self, command: Fire) -> None:
        firing = command.firing
        stage = self.plan.stages[firing.stage]
        number = firing.number
        frames = [self._frames.pop((number, frame)) for frame in stage.receives]
        try:
            with one_blas_thread():
                report, *sent = self.fire(stage.partition, command, frames)
        except Exception as error:
            self._events.append(Failed(firing, error))
            self._frames.clear()
            self._failed = True
            return
        self._frames.update(zip([(number, frame) for frame in stage.sends], sent, strict=True))
        self._events.append(Fired(firing, report))

    def fire(self, worker: int, command: Fire, frames: Sequence[Frame]) -> Sequence[Any]:
        """Let a worker fire; return its report, and the frames that it sends."""
        firing, check_finite, first = command
        return self.workers[worker].fire(firing, check_finite, first, *frames)

    def wait(self, events: int) -> list[Event]:
        """Return what has happened: all that was asked for."""
        happened, self._events, self._failed = self._events, [], False
        return happened

    def ask(self, worker: int, number: int, keys: Sequence[int]) -> Keyed:
        """Return what a worker has found in a pass, by key."""
        return self.workers[worker].find(number, keys).open()[1]


def run_locally(plan: Plan, *args: Any, S: Any = None, check_finite: bool = False) -> Any:
    """Run one pass of a plan with all its workers in this process.

    Args:
        plan: from :func:`plan`.
        *args: values of the shapes that the network was traced with.
        S: S at the output, as :func:`backward` takes it.
        check_finite: raise NonFiniteError at the first node where a NaN or an infinity arises.

    Returns:
        The network's result, with the plan and each worker's share of it.

    """
    passing = Passing(0, plan.graph.bind(args, S), check_finite)
    return execute(plan, LocalEngine(plan, new_run()), passing, args=args)
