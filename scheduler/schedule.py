"""Schedules: when nodes fire in a pass, and in which order each worker does many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..protocol.errors import PlanError
from .order import Flow, Order, as_they_come, in_turn
from .pipeline import gpipe, one_f_one_b, pipeline_rounds
from .placed import Placed
from .rounds import Rounds, eager_rounds, level_rounds, wave_rounds


@dataclass(frozen=True, slots=True)
class Schedule:
    """A firing order.

    Attributes:
        name: what it is called.
        rounds: gives the rounds of every node, from where they live.
        order: gives the firings of each worker, from what a pass is made of, the numbers of the
            passes, and how many may be open at once (None: as many as it likes).
        barrier: whether all wait for all between the rounds of a pass.
        pipeline: whether the workers must need each other one way.

    """

    name: str
    rounds: Callable[[Placed], Rounds]
    order: Callable[[Flow, Sequence[int], int | None], Order]
    barrier: bool = False
    pipeline: bool = False


LEVEL, WAVE, EAGER, GPIPE, ONE_F_ONE_B = "level", "wave", "eager", "gpipe", "1f1b"

SCHEDULES = {
    LEVEL: Schedule(LEVEL, level_rounds, in_turn, barrier=True),
    WAVE: Schedule(WAVE, wave_rounds, as_they_come),
    EAGER: Schedule(EAGER, eager_rounds, as_they_come),
    GPIPE: Schedule(GPIPE, pipeline_rounds, gpipe, pipeline=True),
    ONE_F_ONE_B: Schedule(ONE_F_ONE_B, pipeline_rounds, one_f_one_b, pipeline=True),
}
"""``level``: all wait for all after every level. ``wave``: level by level too, but each waits only
for what it needs; for partitions that cut the levels across, whose levels then keep in step.
``eager``: in as few rounds as the cuts allow. ``gpipe``: each worker fires all passes forward, and
then all back. ``1f1b``: one forward and one back in turn, which holds fewer values."""


def schedule_named(schedule: str | Schedule) -> Schedule:
    """Return the schedule of this name; one of the caller's own is what it is."""
    if isinstance(schedule, Schedule):
        return schedule
    try:
        return SCHEDULES[schedule]
    except (KeyError, TypeError):
        known = ", ".join(SCHEDULES)
        raise PlanError(f"there is no schedule {schedule!r:.40}; choose {known}") from None
