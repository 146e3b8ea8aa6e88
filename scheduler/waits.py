"""What waits for what in an order of firings: whether it can be run to its end, and if not why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from ..protocol.errors import PlanError
from ..protocol.message import CALLER
from .order import Firing, Order
from .plan import Plan


class Progress:
    """How far an order of firings has come, by what has been done and nothing else.

    A firing waits for the one before it on its worker, for what sends it a frame, and, where it
    opens a pass, until all before are opened and fewer than ``in_flight`` are still open.

    Attributes:
        done: the firings that are.
        in_flight: how many passes may be open at once.

    """

    def __init__(self, plan: Plan, order: Order, in_flight: int | None) -> None:
        self.done: set[Firing] = set()
        self._plan = plan
        self._order = order
        self._unopened = sorted({f.number for some in order for f in some}, reverse=True)
        self.in_flight = in_flight or len(self._unopened)
        self._next = [0] * len(order)
        self._left: dict[int, int] = defaultdict(int)
        for some in order:
            for firing in some:
                self._left[firing.number] += 1
        self._open: set[int] = set()
        # Without barriers it is all one round.
        rounds = [stage.round if plan.schedule.barrier else 0 for stage in plan.stages]
        place = {each: k for k, each in enumerate(sorted(set(rounds)))}
        self._round_of = [place[each] for each in rounds]
        self._rounds: list[list[int]] = [[] for _ in place]
        for stage, k in enumerate(self._round_of):
            self._rounds[k].append(stage)
        self._at: dict[int, int] = defaultdict(int)

    def upcoming(self, worker: int) -> Firing | None:
        """Return what a worker is to do next."""
        k = self._next[worker]
        return self._order[worker][k] if k < len(self._order[worker]) else None

    def senders(self, firing: Firing) -> Iterator[Firing]:
        """Return the firings that send what this one receives, and have not been done."""
        for number in self._plan.stages[firing.stage].receives:
            sent_by = self._plan.frames[number].sent_by
            if sent_by != CALLER:
                sender = Firing(firing.number, sent_by)
                if sender not in self.done:
                    yield sender

    def shut(self, firing: Firing) -> bool:
        """Whether a firing's pass cannot be opened yet."""
        if firing.number not in self._unopened:
            return False
        return firing.number != self._unopened[-1] or len(self._open) >= self.in_flight

    def barred(self, firing: Firing) -> Iterator[Firing]:
        """Return the firings of the earliest round of its pass that is not over, if that is one."""
        number, round = firing.number, self._round_of[firing.stage]
        while self._at[number] < round and not self._undone(number):
            self._at[number] += 1
        if self._at[number] < round:
            yield from self._undone(number)

    def _undone(self, number: int) -> list[Firing]:
        stages = self._rounds[self._at[number]]
        return [f for s in stages if (f := Firing(number, s)) not in self.done]

    def can(self, firing: Firing) -> bool:
        """Whether a firing that is next on its worker waits for nothing."""
        return not self.shut(firing) and next(self._before(firing), None) is None

    def _before(self, firing: Firing) -> Iterator[Firing]:
        yield from self.senders(firing)
        yield from self.barred(firing)

    def do(self, worker: int) -> None:
        """Note that a worker has done what was next."""
        firing = self._order[worker][self._next[worker]]
        self._next[worker] += 1
        self.done.add(firing)
        if firing.number in self._unopened:
            self._unopened.pop()
            self._open.add(firing.number)
        self._left[firing.number] -= 1
        if not self._left[firing.number]:
            self._open.discard(firing.number)

    def holds(self, firing: Firing) -> Firing:
        """Return a firing that must be done before this one, which cannot be done now."""
        if self.shut(firing):
            full = len(self._open) >= self.in_flight
            first = min(self._open) if full else self._unopened[-1]
            mine = (f for some in self._order for f in some if f.number == first)
            return next(f for f in mine if f not in self.done)
        return next(self._before(firing))


def require_possible(plan: Plan, order: Order, in_flight: int | None = None) -> None:
    """Raise unless an order can be run to its end.

    Raises:
        PlanError: it cannot; names a cycle of firings each of which waits for the next.

    """
    _require_each_once(plan, order)
    progress = Progress(plan, order, in_flight)
    waiting = list(range(len(order)))
    moved = True
    while moved:
        moved = False
        for worker in waiting:
            while (firing := progress.upcoming(worker)) is not None and progress.can(firing):
                progress.do(worker)
                moved = True
    stuck = [f for w in waiting if (f := progress.upcoming(w)) is not None]
    if stuck:
        raise PlanError(
            f"the schedule {plan.schedule.name!r} would never end: {_cycle(plan, progress, stuck)}"
        )


def _require_each_once(plan: Plan, order: Order) -> None:
    """Raise unless each worker has each of its own firings once, in every pass in their turn."""
    numbers = {number for some in order for number, _ in some}
    for worker in range(max(plan.partitions, len(order))):
        mine = [stage.number for stage in plan.stages if stage.partition == worker]
        due = Counter(Firing(number, stage) for number in numbers for stage in mine)
        given = Counter(map(Firing._make, order[worker])) if worker < len(order) else Counter()
        wrong = next(iter((due - given) + (given - due)), None)
        if not numbers or wrong is not None:
            what = f"stage {wrong[1]} of pass {wrong[0]} {given[wrong]} times" if wrong else "none"
            raise PlanError(
                f"the schedule {plan.schedule.name!r} must give each worker each of its firings "
                f"once, and gives worker {worker} {what}"
            )
        last: dict[int, int] = {}
        for number, stage in order[worker] if worker < len(order) else ():
            if stage < last.get(number, -1):
                raise PlanError(
                    f"the schedule {plan.schedule.name!r} must give the stages of a pass in their "
                    f"turn, and gives worker {worker} stage {stage} of pass {number} after stage "
                    f"{last[number]}"
                )
            last[number] = stage


def _cycle(plan: Plan, progress: Progress, stuck: Sequence[Firing]) -> str:
    """Say in one sentence why nothing can go on: follow what is waited for until it repeats."""
    path: list[str] = []
    seen: dict[Firing, int] = {}
    at = stuck[0]
    while at not in seen:
        seen[at] = len(path)
        needs = progress.holds(at)
        # It would have been done, were it the next of its worker and free.
        after = progress.upcoming(plan.stages[needs.stage].partition)
        assert after is not None
        waits = f"{title(plan, at)} waits for {title(plan, needs)}"
        if progress.shut(at):
            waits += f" (at most {progress.in_flight} passes are open at once)"
        path.append(waits if after == needs else f"{waits}, which comes after {title(plan, after)}")
        at = after
    return f"{'; '.join(path[seen[at] :])}: a cycle"


def title(plan: Plan, firing: Firing) -> str:
    """Name a firing for people."""
    stage = plan.stages[firing.stage]
    return f"{stage.name} of pass {firing.number} on worker {stage.partition}"
