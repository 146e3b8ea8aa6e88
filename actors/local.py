"""The engine in this process: the same workers, called one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..protocol.blas import one_blas_thread
from ..protocol.message import CALLER, Address, Frame
from ..protocol.residents import Keyed, PassOptions
from ..scheduler.events import Command, Event, Failed, Fetched, Fire, Fired, Give
from ..scheduler.plan import Plan
from ..scheduler.run import Passing
from .assignment import assignments
from .execute import execute, new_run
from .worker import Worker


class LocalEngine:
    """Workers in this process, each of which fires when it is asked to.

    Args:
        plan: what they are to run.
        run: the run's name.
        workers: those that are there already, of which there may be too few; a device each.
        session: the session whose parameters they use.

    """

    def __init__(
        self, plan: Plan, run: str, workers: list[Worker] | None = None, session: str = ""
    ) -> None:
        self.plan = plan
        self.run = run
        self.incarnations = (0,) * plan.partitions
        self.workers = [] if workers is None else workers
        self.headers: dict[int, int] = {}
        self._frames: dict[tuple[int, int], Frame] = {}
        self._events: list[Event] = []
        self._failed = False
        # As on Ray, workers hold what the file form says; here one copy of it serves all.
        whole = plan.graph.whole(elsewhere=False)
        given = assignments(plan, run, session=session)
        for k, (assignment, part) in enumerate(zip(given, plan.parts, strict=True)):
            if k == len(self.workers):
                self.workers.append(Worker(assignment.device, threads=None))
            self.workers[k].load(part, whole, assignment)

    def do(self, command: Command) -> None:
        """Do a command, now; nothing more after one that failed, until somebody has heard of it."""
        if self._failed:
            return
        if isinstance(command, Give):
            address = Address(self.run, command.number, CALLER, CALLER, command.frame.receiver)
            frame = Frame.of(command.frame.kind, command.content, address)
            self._count(command.number, frame)
            self._frames[command.number, command.frame.number] = self.give(frame)
        elif isinstance(command, Fire):
            self._fire(command)
        else:
            frame = self._frames.pop((command.number, command.frame.number))
            self._count(command.number, frame)
            self._events.append(Fetched(command.number, command.frame, frame.open()[1]))

    def _count(self, number: int, frame: Frame) -> None:
        """Count the header of a frame from or to the caller."""
        self.headers[number] = self.headers.get(number, 0) + len(frame.header)

    def give(self, frame: Frame) -> Frame:
        """Take a frame from the caller."""
        return frame

    def _fire(self, command: Fire) -> None:
        firing = command.firing
        stage = self.plan.stage(firing.stage)
        number = firing.number
        frames = [self._frames.pop((number, frame)) for frame in stage.receives]
        try:
            with one_blas_thread():
                report, *sent = self.fire(stage.partition, command, frames)
        except Exception as error:
            self._events.append(Failed(firing, error))
            self._failed = True
            return
        self._frames.update(zip([(number, frame) for frame in stage.sends], sent, strict=True))
        self._events.append(Fired(firing, report))

    def fire(self, worker: int, command: Fire, frames: Sequence[Frame]) -> Sequence[Any]:
        """Let a worker fire; return its report, and the frames that it sends."""
        return self.workers[worker].fire(self.run, *command, *frames)

    def wait(self, events: int) -> list[Event]:
        """Return what has happened: all that was asked for."""
        happened, self._events, self._failed = self._events, [], False
        return happened

    def abandon(self) -> None:
        """Forget what was asked for and has not come."""
        self._frames.clear()
        self._events, self._failed = [], False

    def ask(self, worker: int, number: int, keys: Sequence[int]) -> Keyed:
        """Return what a worker has found in a pass, by key."""
        return self.workers[worker].find(self.run, number, keys).open()[1]


def run_locally(
    plan: Plan, *args: Any, S: Any = None, check_finite: bool = False, record: bool = False
) -> Any:
    """Run one pass of a plan with all its workers in this process.

    Args:
        plan: from :func:`plan`.
        *args: values of the shapes that the network was traced with.
        S: S at the output, as :func:`backward` takes it.
        check_finite: raise NonFiniteError at the first node where a NaN or an infinity arises.
        record: keep each message's norm and thumbnail, as ``result.messages``; of a graph only.

    Returns:
        The network's result, with the plan and each worker's share of it.

    """
    options = PassOptions(check_finite, record=record and plan.graph.can_record())
    passing = Passing(0, plan.graph.bind(args, S), options)
    return execute(plan, LocalEngine(plan, new_run()), passing, args=args)
