"""The firings of each worker, in order, as data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from ..protocol.message import CALLER
from ..protocol.outline import PlannedFrame, Stage


class Firing(NamedTuple):
    """One stage in one pass."""

    number: int
    stage: int


Order = tuple[tuple[Firing, ...], ...]
"""For each worker its firings, in the order in which it does them."""


class Flow(NamedTuple):
    """What a pass is made of, for those who order several.

    Attributes:
        stages: in an order in which they can run.
        frames: those between them, and from and to the caller.
        partitions: how many workers there are.
        costs: about how long each stage takes, in operations.

    """

    stages: Sequence[Stage]
    frames: Sequence[PlannedFrame]
    partitions: int
    costs: Sequence[int]


def in_turn(flow: Flow, passes: Sequence[int], in_flight: int | None) -> Order:
    """One pass after the other, and in each the stages of a worker as they are numbered."""
    mine: list[list[int]] = [[] for _ in range(flow.partitions)]
    for stage in flow.stages:
        mine[stage.partition].append(stage.number)
    return tuple(tuple(Firing(n, stage) for n in passes for stage in some) for some in mine)


def as_they_come(flow: Flow, passes: Sequence[int], in_flight: int | None) -> Order:
    """Each worker does what can be done, the earliest pass first: found by playing it through.

    As many passes are open at once as there are workers, or as ``in_flight`` says.
    """
    if len(passes) == 1:
        return in_turn(flow, passes, in_flight)
    return _Play(flow, passes, in_flight or flow.partitions).order()


class _Play:
    """Passes of a flow on workers that take as long as each stage costs."""

    def __init__(self, flow: Flow, passes: Sequence[int], in_flight: int) -> None:
        self._flow = flow
        self._rest = list(passes)[::-1]
        self._room = in_flight
        self._found: list[list[Firing]] = [[] for _ in range(flow.partitions)]
        self._ready: list[list[Firing]] = [[] for _ in range(flow.partitions)]
        self._busy = [False] * flow.partitions
        self._look: set[int] = set()  # workers that may have come to something to do
        self._finish: list[tuple[int, Firing]] = []
        # A stage waits for those that send to it, and for the one before it on its worker.
        self._needs = [0] * len(flow.stages)
        self._feeds: list[set[int]] = [set() for _ in flow.stages]
        last: dict[int, int] = {}
        for stage in flow.stages:
            senders = {flow.frames[number].sent_by for number in stage.receives} - {CALLER}
            if stage.partition in last:
                senders.add(last[stage.partition])
            last[stage.partition] = stage.number
            for sender in senders:
                self._feeds[sender].add(stage.number)
            self._needs[stage.number] = len(senders)
        self._waits: dict[Firing, int] = {}
        self._left: dict[int, int] = defaultdict(int)

    def order(self) -> Order:
        """Play, and return what each worker did."""
        self._open(0)
        while self._finish:
            now, firing = heappop(self._finish)
            self._done(firing)
            worker = self._flow.stages[firing.stage].partition
            self._busy[worker] = False
            self._look.add(worker)
            self._open(now)
        return tuple(map(tuple, self._found))

    def _open(self, now: int) -> None:
        while self._room and self._rest:
            number = self._rest.pop()
            self._room -= 1
            self._left[number] = len(self._flow.stages)
            for stage in self._flow.stages:
                firing = Firing(number, stage.number)
                self._waits[firing] = self._needs[stage.number]
                if not self._waits[firing]:
                    self._now_ready(firing)
        for worker in self._look:
            ready = self._ready[worker]
            if ready and not self._busy[worker]:
                firing = heappop(ready)
                self._busy[worker] = True
                self._found[worker].append(firing)
                heappush(self._finish, (now + self._flow.costs[firing.stage], firing))
        self._look.clear()

    def _now_ready(self, firing: Firing) -> None:
        worker = self._flow.stages[firing.stage].partition
        heappush(self._ready[worker], firing)
        self._look.add(worker)

    def _done(self, firing: Firing) -> None:
        for stage in self._feeds[firing.stage]:
            fed = Firing(firing.number, stage)
            self._waits[fed] -= 1
            if not self._waits[fed]:
                self._now_ready(fed)
        self._left[firing.number] -= 1
        self._room += not self._left[firing.number]
