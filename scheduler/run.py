"""A run of a plan as a state machine: events in, commands out, and no input or output.

An engine does the commands and reports events. What can be asked for is asked for at once: a
stage waits on its worker for what it receives, never for the caller. So a run says what to do
next in three cases only: a barrier between rounds, a limit of passes in flight, and the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import NamedTuple, Protocol

from ..protocol.errors import ClusterError, PlanError, ProtocolError
from ..protocol.message import CALLER, Message
from ..protocol.outline import PlannedFrame, Stage
from ..protocol.residents import Bound, Keyed, PassOptions
from .events import Command, Died, Event, Failed, Fetch, Fetched, Fire, Fired, Give, Late, Report
from .order import Firing, Order
from .plan import Plan
from .schedule import SCHEDULES
from .waits import require_possible


class Passing(NamedTuple):
    """A pass to run: its number, what it is given, and what else it does."""

    number: int
    bound: Bound
    options: PassOptions = PassOptions()


class Outcome(NamedTuple):
    """What has come back of a pass: the reports, in the order of the stages, and the frames."""

    reports: list[Report]
    frames: list[tuple[PlannedFrame, list[Message]]]


class Run:
    """A run of one plan, one pass or several.

    Raises:
        PlanError: the schedule's order would never end; names the cycle of what waits for what.

    Args:
        plan: what to do.
        passes: with what, in ascending order of their numbers, in which they are opened.
        incarnations: how often each worker has been started anew; what an earlier one reports, or
            its death, is nothing to this run.
        in_flight: how many passes may be open at once; by default as many as the schedule likes.
        share: the number under which parameters are shared before the passes; None if they are
            where they are used, or none is used elsewhere.
        order: the firings of each worker, if the schedule was asked for them before.

    Attributes:
        ended: whether nothing more is to be done: all is back, or something failed.

    """

    def __init__(
        self,
        plan: Plan,
        passes: Sequence[Passing],
        *,
        incarnations: Sequence[int] | None = None,
        in_flight: int | None = None,
        share: int | None = None,
        order: Order | None = None,
    ) -> None:
        self.plan = plan
        self.ended = False
        self._error: Exception | None = None
        self._passes = {each.number: each for each in passes}
        self._first = min(self._passes)
        self._incarnations = incarnations or (0,) * plan.partitions
        self._in_flight = in_flight or len(passes)
        self._share = share
        self._unopened = list(self._passes)[::-1]
        if order is None:
            order = self._asked_for(in_flight)
        self._order = self._sharing_first(order)
        self._next = [0] * plan.partitions
        self._sent: dict[int, set[int]] = {}  # by open pass, the frames that are on their way
        self._reports: dict[Firing, Report] = {}
        self._asked: set[Firing] = set()
        self._fetching: set[tuple[int, int]] = set()
        self._frames: dict[tuple[int, int], list[Message]] = {}
        self._total = sum(map(len, self._order))
        self._to_fetch = [frame for frame in plan.frames if frame.receiver == CALLER]
        # Of each open pass, how many of its firings and frames are to come; by round, of firings.
        self._open: dict[int, int] = {}
        self._in_round: dict[int, list[int]] = {}
        self._round: dict[int, int] = {}
        self._rounds = sorted({stage.round for stage in plan.stages})
        self._place = {round: k for k, round in enumerate(self._rounds)}

    def _asked_for(self, in_flight: int | None) -> Order:
        """Return the schedule's firings of each worker, which can be run to their end."""
        schedule = self.plan.schedule
        order = schedule.order(self.plan.flow, list(self._passes), in_flight)
        if len(self._passes) > 1 or schedule not in SCHEDULES.values():
            require_possible(self.plan, order, list(self._passes), in_flight)
        return order

    def _sharing_first(self, order: Order) -> Order:
        """Return the firings with those before them in which parameters are shared."""
        if self._share is None:
            return order
        before: list[list[Firing]] = [[] for _ in order]
        for stage in self.plan.sharing:
            before[stage.partition].append(Firing(self._share, stage.number))
        return tuple((*first, *then) for first, then in zip(before, order, strict=True))

    # What it asks for.

    def start(self) -> list[Command]:
        """Return what to do first."""
        return list(self._submit(range(self.plan.partitions)))

    def on(self, event: Event) -> list[Command]:
        """Take an event, and return what to do next."""
        if self.ended:
            return []
        match event:
            case Fired(firing, report):
                return self._fired(firing, report)
            case Fetched(number, frame, messages):
                return self._fetched(number, frame, messages)
            case Failed(firing, error):
                if firing in self._asked:
                    self._end(error)
            case Died(worker, incarnation, reason):
                self._died(worker, incarnation, reason)
            case Late(seconds):
                self._end(ClusterError(self._waiting(seconds)))
        return []

    @property
    def awaits(self) -> int:
        """How many events must come before there is anything new to ask for."""
        if len(self._asked) == self._total:
            return self._pending
        if self.plan.schedule.barrier and len(self._open) == 1:
            return max(len(self._asked) - len(self._reports), 1)
        return 1

    @property
    def _pending(self) -> int:
        """How many of the firings and frames that were asked for have not come."""
        return len(self._asked) - len(self._reports) + len(self._fetching) - len(self._frames)

    def outcome(self, number: int) -> Outcome:
        """Return what has come back of a pass.

        Raises:
            ClusterError: a worker died, or was late; says what for.
            Exception: what a worker raised, as it raised it.

        """
        if self._error is not None:
            raise self._error
        shared = number == self._share
        stages = self.plan.sharing if shared else self.plan.stages
        reports = [self._reports[Firing(number, stage.number)] for stage in stages]
        fetched = [] if shared else self._to_fetch
        return Outcome(reports, [(f, self._frames[number, f.number]) for f in fetched])

    def _submit(self, workers: Sequence[int]) -> Iterator[Command]:
        """Ask for all that these workers, and those that this lets go on, can now be asked for."""
        frames = self.plan.frames
        heap: list[tuple[Firing, int]] = []
        for worker in workers:
            self._push(heap, worker)
        while heap:
            firing, worker = heappop(heap)
            if self._upcoming(worker) != firing or firing in self._asked:
                continue  # it was pushed twice
            if firing.number not in self._open:
                if not self._may_open(firing.number):
                    continue
                yield from self._begin(firing.number)
                for other in range(self.plan.partitions):  # one of which waits to open the next
                    self._push(heap, other)
            if not self._can(firing):
                continue
            self._asked.add(firing)
            self._next[worker] += 1
            number = firing.number
            options = PassOptions() if number == self._share else self._passes[number].options
            yield Fire(firing, self._first, options)
            for sent in self.plan.stage(firing.stage).sends:
                frame = frames[sent]
                self._sent[number].add(sent)
                if frame.receiver == CALLER:
                    self._fetching.add((number, sent))
                    yield Fetch(number, frame)
                else:
                    self._push(heap, frame.receiver)
            self._push(heap, worker)
        self._require_more()

    def _require_more(self) -> None:
        """End with an error if nothing is to come, and not all has: never wait for nothing."""
        if not self.ended and not self._pending:
            self._end(PlanError(f"the schedule {self.plan.schedule.name!r} cannot go on"))

    def _may_open(self, number: int) -> bool:
        if number == self._share:
            return True
        running = len(self._open) - (self._share in self._open)
        return running < self._in_flight and number == self._unopened[-1]

    def _begin(self, number: int) -> Iterator[Command]:
        """Open a pass: its frames from the caller go first."""
        if number == self._share:
            self._open[number], self._sent[number] = len(self.plan.sharing), set()
            return
        self._unopened.pop()
        self._open[number] = len(self.plan.stages) + len(self._to_fetch)
        counts = [0] * len(self._rounds)
        for stage in self.plan.stages:
            counts[self._place[stage.round]] += 1
        self._in_round[number], self._round[number] = counts, 0
        sent = self._sent[number] = set()
        for frame in self.plan.frames:
            if frame.sender == CALLER:
                sent.add(frame.number)
                yield Give(number, frame, self._passes[number].bound.pack(frame))

    def _push(self, heap: list[tuple[Firing, int]], worker: int) -> None:
        firing = self._upcoming(worker)
        if firing is not None:
            heappush(heap, (firing, worker))

    def _upcoming(self, worker: int) -> Firing | None:
        order, k = self._order[worker], self._next[worker]
        return order[k] if k < len(order) else None

    def _can(self, firing: Firing) -> bool:
        stage = self.plan.stage(firing.stage)
        if not self._sent[firing.number].issuperset(stage.receives):
            return False
        if not self.plan.schedule.barrier or firing.number == self._share:
            return True
        return self._place[stage.round] <= self._round[firing.number]

    # What it is told.

    def _fired(self, firing: Firing, report: Report) -> list[Command]:
        if firing not in self._asked:
            stage = f"stage {firing.stage} of pass {firing.number}"
            self._end(ProtocolError(f"an engine reported {stage}, which was not asked for"))
            return []
        worker = self.plan.stage(firing.stage).partition
        if firing in self._reports or report.incarnation != self._incarnations[worker]:
            return []  # it came before, or of a worker that is no more
        self._reports[firing] = report
        number = firing.number
        if number == self._share:
            return self._came(number, moved=False)
        counts = self._in_round[number]
        counts[self._place[self.plan.stages[firing.stage].round]] -= 1
        before = self._round[number]
        while self._round[number] < len(counts) and not counts[self._round[number]]:
            self._round[number] += 1
        return self._came(number, moved=self._round[number] > before)

    def _fetched(self, number: int, frame: PlannedFrame, messages: list[Message]) -> list[Command]:
        key = number, frame.number
        if key not in self._fetching:
            title = f"frame {frame.number} of pass {number}"
            self._end(ProtocolError(f"an engine fetched {title}, which was not asked for"))
            return []
        if key in self._frames:
            return []
        self._frames[key] = messages
        return self._came(number, moved=False)

    def _came(self, number: int, moved: bool) -> list[Command]:
        """Count what has come of a pass; ask for more where that lets something go on."""
        self._open[number] -= 1
        closed = not self._open[number]
        if closed:
            del self._open[number], self._sent[number]
            if len(self._reports) == self._total and len(self._frames) == len(self._fetching):
                self._end(None)
                return []
        if closed or (moved and self.plan.schedule.barrier):
            return list(self._submit(range(self.plan.partitions)))
        self._require_more()
        return []

    def _died(self, worker: int, incarnation: int, reason: str) -> None:
        if not 0 <= worker < self.plan.partitions or incarnation != self._incarnations[worker]:
            return
        owed = next((f for f in self._order[worker] if f not in self._reports), None)
        if owed is not None:
            what = self._title(owed)
        else:
            key = next((key for key in self._missing() if self._sender(key) == worker), None)
            if key is None:
                return  # all that it owed has come
            what = f"what {self._title(Firing(key[0], self._stage_of(key).number))} sent"
        self._end(ClusterError(f"a worker died while the run waited for {what}: {reason}"))

    def _end(self, error: Exception | None) -> None:
        self.ended = True
        self._error = error

    # How it says what is missing.

    def _missing(self) -> Iterator[tuple[int, int]]:
        """The frames for the caller that have not come."""
        for number in self._passes:
            for frame in self._to_fetch:
                if (number, frame.number) not in self._frames:
                    yield number, frame.number

    def _stage_of(self, key: tuple[int, int]) -> Stage:
        return self.plan.stages[self.plan.frames[key[1]].sent_by]

    def _sender(self, key: tuple[int, int]) -> int:
        return self._stage_of(key).partition

    def _title(self, firing: Firing) -> str:
        stage = self.plan.stage(firing.stage)
        of_pass = f" in pass {firing.number}" if len(self._passes) > 1 else ""
        return (
            f"stage {stage.number} ({stage.name}, round {stage.round}) of worker "
            f"{stage.partition}{of_pass}"
        )

    def _waiting(self, seconds: float) -> str:
        """Say what has not come: first that which waits for nothing else."""
        late = sorted(self._asked - self._reports.keys())
        roots = [firing for firing in late if not any(self._unsent(firing))]
        names = [self._title(firing) for firing in roots or late]
        names += [f"what {self._title(f)} sent" for f in self._unfetched()] if not names else []
        more = max(len(late), len(names)) - 1
        return (
            f"waited {seconds:g} s for {names[0] if names else 'nothing'}"
            + (f" and {more} more" if more > 0 else "")
            + "; see `ray status`, or raise the deadline"
        )

    def _unfetched(self) -> list[Firing]:
        return [Firing(key[0], self._stage_of(key).number) for key in self._missing()]

    def _unsent(self, firing: Firing) -> Iterator[bool]:
        for frame in self.plan.stage(firing.stage).receives:
            sent_by = self.plan.frames[frame].sent_by
            yield sent_by != CALLER and Firing(firing.number, sent_by) not in self._reports


class Engine(Protocol):
    """What does commands and reports events: in this process, on Ray, or on a virtual clock.

    Attributes:
        plan: what its workers hold.
        run: the run's name.
        incarnations: how often each worker has been started anew.
        headers: by pass, the bytes of headers of frames that the caller gave and got.

    """

    plan: Plan
    run: str
    incarnations: tuple[int, ...]
    headers: dict[int, int]

    def do(self, command: Command) -> None:
        """Do a command, or begin to."""

    def wait(self, events: int) -> list[Event]:
        """Return what has happened, as soon as it is so many events, or something went wrong."""

    def ask(self, worker: int, number: int, keys: Sequence[int]) -> Keyed:
        """Return what a worker has found in a pass, by key."""

    def abandon(self) -> None:
        """Forget what was asked for and has not come."""


def drive(run: Run, engine: Engine) -> None:
    """Let an engine do all that a run asks for, until it has ended."""
    engine.headers.clear()
    try:
        commands = run.start()
        while not run.ended:
            for command in commands:
                engine.do(command)
            commands = [command for event in engine.wait(run.awaits) for command in run.on(event)]
    finally:
        engine.abandon()  # of a run that failed there is more to come, which is nobody's
