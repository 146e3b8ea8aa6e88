"""What waits for what in an order of firings: whether it can be run to its end, and if not why."""

from __future__ import annotations

from collections import defaultdict
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

    """

    def __init__(self, plan: Plan, order: Order, in_flight: int | None) -> None:
        self.done: set[Firing] = set()
        self._plan = plan
        self._order = order
        self._unopened = sorted({f.number for some in order for f in some}, reverse=True)
        self._in_flight = in_flight or len(self._unopened)
        self._next = [0] * len(order)
        self._left: dict[int, int] = defaultdict(int)
        for some in order:
            for firing in some:
                self._left[firing.number] += 1
        self._open: set[int] = set()

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
        return firing.number != self._unopened[-1] or len(self._open) >= self._in_flight

    def can(self, firing: Firing) -> bool:
        """Whether a firing that is next on its worker waits for nothing."""
        return not self.shut(firing) and next(self.senders(firing), None) is None

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
            full = len(self._open) >= self._in_flight
            first = min(self._open) if full else self._unopened[-1]
            mine = (f for some in self._order for f in some if f.number == first)
            return next(f for f in mine if f not in self.done)
        return next(self.senders(firing))


def require_possible(plan: Plan, order: Order, in_flight: int | None = None) -> None:
    """Raise unless an order can be run to its end.

    Raises:
        PlanError: it cannot; names a cycle of firings each of which waits for the next.

    """
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


def _cycle(plan: Plan, progress: Progress, stuck: Sequence[Firing]) -> str:
    """Say in one sentence why nothing can go on: follow what is waited for until it repeats."""
    path: list[tuple[Firing, Firing, str]] = []
    seen: dict[Firing, int] = {}
    at = stuck[0]
    while at not in seen:
        seen[at] = len(path)
        needs = progress.holds(at)
        worker = plan.stages[needs.stage].partition
        why = "for a pass to be over, with" if progress.shut(at) else "for"
        after = progress.upcoming(worker)
        assert after is not None  # or what is needed would have been done
        path.append((at, needs, why))
        at = after
    parts = []
    for waits, needs, why in path[seen[at] :]:
        comes = progress.upcoming(plan.stages[needs.stage].partition)
        later = "" if comes == needs else ", which comes there after"
        parts.append(f"{title(plan, waits)} waits {why} {title(plan, needs)}{later}")
    return "; ".join([*parts, f"{title(plan, at)}: a cycle"])


def title(plan: Plan, firing: Firing) -> str:
    """Name a firing for people."""
    stage = plan.stages[firing.stage]
    return f"{stage.name} of pass {firing.number} on worker {stage.partition}"
