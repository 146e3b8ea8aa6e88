"""What waits for what in an order of firings: whether it can be run to its end, and if not why."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence

from ..protocol.errors import PlanError
from ..protocol.message import CALLER
from .order import Firing, Order
from .plan import Plan


def require_possible(
    plan: Plan, order: Order, passes: Sequence[int], in_flight: int | None = None
) -> None:
    """Raise unless an order can be run to its end.

    Args:
        plan: what is run.
        order: the firings of each worker.
        passes: the numbers of the passes, ascending.
        in_flight: how many may be open at once; by default all.

    Raises:
        PlanError: it cannot; names a cycle of firings each of which waits for the next. Or it does
            not give each worker each of its own firings once, those of a pass in their turn.

    """
    _require_whole(plan, order, passes)
    progress = Progress(plan, order, passes, in_flight)
    progress.go()
    stuck = [f for w in range(len(order)) if (f := progress.upcoming(w)) is not None]
    if stuck:
        raise PlanError(
            f"the schedule {plan.schedule.name!r} would never end: {_cycle(plan, progress, stuck)}"
        )


class Progress:
    """How far an order of firings has come, by what has been done and nothing else.

    A firing waits for the one before it on its worker, for what sends it a frame, where there are
    barriers for the rounds before its own, and, where it opens a pass, until all before are opened
    and fewer than ``in_flight`` are still open.

    Attributes:
        in_flight: how many passes may be open at once.

    """

    def __init__(
        self, plan: Plan, order: Order, passes: Sequence[int], in_flight: int | None
    ) -> None:
        self.in_flight = in_flight or len(passes)
        self._plan = plan
        self._order = order
        self._passes = passes
        self._done: set[Firing] = set()
        self._next = [0] * len(order)
        self._opened = 0
        self._open: set[int] = set()
        self._left = dict.fromkeys(passes, len(plan.stages))
        # Without barriers a pass is all one round.
        rounds = [stage.round if plan.schedule.barrier else 0 for stage in plan.stages]
        place = {each: k for k, each in enumerate(sorted(set(rounds)))}
        self._round_of = [place[each] for each in rounds]
        self._rounds: list[list[int]] = [[] for _ in place]
        for stage, k in enumerate(self._round_of):
            self._rounds[k].append(stage)
        self._at = dict.fromkeys(passes, 0)
        # Of each firing that was looked at, how many it still waits for; and who waits for each.
        self._lacks: dict[Firing, int] = {}
        self._feeds: dict[Firing, list[Firing]] = defaultdict(list)
        self._left_in = {number: [len(some) for some in self._rounds] for number in passes}

    def go(self) -> None:
        """Do all that can be done."""
        awake = deque(range(len(self._order)))
        while awake:
            worker = awake.popleft()
            while (firing := self.upcoming(worker)) is not None and self._can(firing):
                awake.extend(self._do(worker, firing))

    def upcoming(self, worker: int) -> Firing | None:
        """Return what a worker is to do next."""
        k = self._next[worker]
        return Firing._make(self._order[worker][k]) if k < len(self._order[worker]) else None

    def reason(self, firing: Firing) -> tuple[Firing, str]:
        """Return a firing for which this one waits, which is next on its worker, and why."""
        if not self._shut(firing):
            return next(self._before(firing)), ""
        if len(self._open) >= self.in_flight:
            number, why = min(self._open), f" (at most {self.in_flight} passes are open at once)"
        else:
            number, why = self._passes[self._opened], " (passes are opened in their order)"
        each = (Firing(*f) for some in self._order for f in some if f[0] == number)
        return next(f for f in each if f not in self._done), why

    def _can(self, firing: Firing) -> bool:
        if self._shut(firing):
            return False
        if firing not in self._lacks:
            senders = set(self._senders(firing))
            self._lacks[firing] = len(senders)
            for sender in senders:
                self._feeds[sender].append(firing)
        return not self._lacks[firing] and self._at[firing.number] >= self._round_of[firing.stage]

    def _shut(self, firing: Firing) -> bool:
        """Whether a firing's pass cannot be opened yet."""
        if self._left[firing.number] < len(self._plan.stages):
            return False
        return firing.number != self._passes[self._opened] or len(self._open) >= self.in_flight

    def _senders(self, firing: Firing) -> Iterator[Firing]:
        """Yield the firings that send what this one receives, and have not been done."""
        for frame in self._plan.stages[firing.stage].receives:
            sender = Firing(firing.number, self._plan.frames[frame].sent_by)
            if sender.stage != CALLER and sender not in self._done:
                yield sender

    def _before(self, firing: Firing) -> Iterator[Firing]:
        """Yield firings that must come first, and have not been done."""
        yield from self._senders(firing)
        number = firing.number
        if self._at[number] < self._round_of[firing.stage]:
            each = (Firing(number, stage) for stage in self._rounds[self._at[number]])
            yield from (f for f in each if f not in self._done)

    def _do(self, worker: int, firing: Firing) -> Iterable[int]:
        """Note that a worker has done what was next; return whom that may let go on."""
        number, plan = firing.number, self._plan
        self._next[worker] += 1
        self._done.add(firing)
        opens = self._left[number] == len(plan.stages)
        self._left[number] -= 1
        self._left_in[number][self._round_of[firing.stage]] -= 1
        if opens:
            self._opened += 1
            self._open.add(number)
        if not self._left[number]:
            self._open.discard(number)
        woken: list[int] = []
        for fed in self._feeds.pop(firing, ()):
            self._lacks[fed] -= 1
            if not self._lacks[fed]:
                woken.append(plan.stages[fed.stage].partition)
        at, left = self._at[number], self._left_in[number]
        while at < len(left) - 1 and not left[at]:
            at += 1
        if at > self._at[number]:
            self._at[number] = at
            woken += [plan.stages[stage].partition for stage in self._rounds[at]]
        if opens or not self._left[number]:
            return range(len(self._order))
        return woken


def _require_whole(plan: Plan, order: Order, passes: Sequence[int]) -> None:
    """Raise unless each worker has each of its own firings once, those of a pass in their turn."""
    name = plan.schedule.name
    mine: dict[int, list[int]] = defaultdict(list)
    for stage in plan.stages:
        mine[stage.partition].append(stage.number)
    for worker in range(max(plan.partitions, len(order))):
        due = Counter(Firing(number, stage) for number in passes for stage in mine[worker])
        given = [Firing._make(f) for f in order[worker]] if worker < len(order) else []
        counted = Counter(given)
        wrong = next(iter((due - counted) + (counted - due)), None)
        if wrong is not None:
            raise PlanError(
                f"the schedule {name!r} must give each worker each of its firings once, and gives "
                f"worker {worker} stage {wrong.stage} of pass {wrong.number} {counted[wrong]} times"
            )
        last: dict[int, int] = {}
        for firing in given:
            before = last.get(firing.number, -1)
            if firing.stage < before:
                raise PlanError(
                    f"the schedule {name!r} must give the stages of a pass in their turn, and "
                    f"gives worker {worker} stage {firing.stage} of pass {firing.number} after "
                    f"stage {before}"
                )
            last[firing.number] = firing.stage


def _cycle(plan: Plan, progress: Progress, stuck: Sequence[Firing]) -> str:
    """Say in one sentence why nothing can go on: follow what is waited for until it repeats."""
    path: list[str] = []
    seen: dict[Firing, int] = {}
    at = stuck[0]
    while at not in seen:
        seen[at] = len(path)
        needs, why = progress.reason(at)
        # It would have been done, were it the next of its worker and free.
        after = progress.upcoming(plan.stages[needs.stage].partition)
        assert after is not None
        waits = f"{title(plan, at)} waits for {title(plan, needs)}{why}"
        path.append(waits if after == needs else f"{waits}, which comes after {title(plan, after)}")
        at = after
    return f"{'; '.join(path[seen[at] :])}: a cycle"


def title(plan: Plan, firing: Firing) -> str:
    """Name a firing for people."""
    stage = plan.stages[firing.stage]
    return f"{stage.name} of pass {firing.number} on worker {stage.partition}"
