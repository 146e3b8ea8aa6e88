"""What one worker must know of a plan."""

from __future__ import annotations

from dataclasses import dataclass

from ..protocol.outline import PlannedFrame, Stage
from ..protocol.residents import Work
from ..scheduler.plan import Plan


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one worker must know of a plan: its stages, and the frames in and out.

    Attributes:
        run: the run's name, which every frame carries.
        session: the session whose parameters the run uses; "" for none.
        partition: which partition it is to hold; the part itself comes beside this.
        device: ``"cpu"`` or ``"gpu"``.
        stages, frames: those that are its own, by number.
        sharing: the stages among those that share parameters.
        incarnations: of every worker, how often it has been started anew: a frame of an earlier
            one is refused.

    """

    run: str
    session: str
    partition: int
    device: str
    stages: dict[int, Stage]
    sharing: frozenset[int]
    frames: dict[int, PlannedFrame]
    incarnations: tuple[int, ...]

    @property
    def stages_each(self) -> int:
        """How many stages fire in a pass."""
        return len(self.stages) - len(self.sharing)

    @property
    def work(self) -> Work:
        """What the residents must know of this."""
        passing = [stage for n, stage in sorted(self.stages.items()) if n not in self.sharing]
        return Work(self.partition, passing, self.frames)


def assignments(
    plan: Plan, run: str, incarnations: tuple[int, ...] | None = None, session: str = ""
) -> list[Assignment]:
    """Return what each worker must know of a plan."""
    stages: list[dict[int, Stage]] = [{} for _ in range(plan.partitions)]
    for stage in (*plan.stages, *plan.sharing):
        stages[stage.partition][stage.number] = stage
    sharing = frozenset(stage.number for stage in plan.sharing)
    return [
        Assignment(
            run,
            session,
            partition,
            plan.devices[partition],
            mine,
            sharing & mine.keys(),
            {
                number: plan.frames[number]
                for stage in mine.values()
                for number in (*stage.receives, *stage.sends)
            },
            incarnations or (0,) * plan.partitions,
        )
        for partition, mine in enumerate(stages)
    ]
