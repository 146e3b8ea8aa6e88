"""How a session plans and runs."""

from __future__ import annotations

from dataclasses import dataclass

from ..protocol.errors import ArgumentError, PlanError
from ..protocol.graph.tied import COMBINE, MEAN
from ..scheduler.partition import Mapped
from ..scheduler.schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a session plans and runs: see :meth:`Cluster.session`."""

    workers: int
    gpus: int = 0
    schedule: str | Schedule | None = None
    micro_batches: int = 1
    combine: str = MEAN
    chunks: int = 1
    partitioner: str | Mapped | None = None
    granularity: str = "partition"
    combiner: bool = False
    in_flight: int | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if type(self.workers) is not int:
            raise ArgumentError(f"workers={self.workers!r:.40}: give a whole number from 1")
        for name in ("micro_batches", "in_flight", "chunks"):
            given = getattr(self, name)
            if given is not None and (type(given) is not int or given < 1):
                raise ArgumentError(f"{name}={given!r:.40}: give a whole number from 1")
        if self.combine not in COMBINE:
            raise ArgumentError(f"combine={self.combine!r:.40}: choose 'mean' or 'sum'")
        if self.chunks != 1:
            raise PlanError(
                f"chunks={self.chunks}: no schedule here gives a worker several chunks; leave it 1"
            )
