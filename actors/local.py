"""The engine in this process: the same workers, called one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..protocol import graph_file
from ..protocol.blas import one_blas_thread
from ..protocol.graph import Graph
from ..protocol.message import Frame
from ..protocol.network import Network
from ..protocol.network.piece import Piece
from ..scheduler.plan import Plan, Stage
from .worker import Worker, assignments


def _parts(plan: Plan) -> Sequence[Graph | Piece]:
    if isinstance(plan.graph, Network):
        return plan.pieces
    # As on Ray, workers hold what the file form says; here one copy of it serves all.
    return [graph_file.from_bytes(graph_file.to_bytes(plan.graph))] * plan.partitions


class LocalEngine:
    """Workers in this process; a handle is the thing itself."""

    def __init__(self, plan: Plan, run: str) -> None:
        self.workers: list[Worker] = []
        for assignment, part in zip(assignments(plan, run), _parts(plan), strict=True):
            worker = Worker(assignment.device, threads=None)
            worker.load(part, assignment)
            self.workers.append(worker)

    def give(self, frame: Frame) -> Frame:
        """Take a frame from the caller."""
        return frame

    def fire(
        self, stage: Stage, number: int, check_finite: bool, frames: Sequence[Any]
    ) -> tuple[Any, Sequence[Any]]:
        """Run a stage, now."""
        worker = self.workers[stage.partition]
        with one_blas_thread():
            report, *sent = worker.fire(stage.number, number, check_finite, *frames)
        return report, sent

    def take(self, stages: Sequence[Stage], handles: Sequence[Any]) -> list[Any]:
        """Return the things themselves."""
        return list(handles)

    def sums(self, worker: int, number: int, nodes: Sequence[int]) -> Frame:
        """Return S at nodes of a worker."""
        return self.workers[worker].sums(number, nodes)
