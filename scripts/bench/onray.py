"""On Ray, against bare Ray: what the protocol adds to calls that carry the same bytes."""

from __future__ import annotations

import subprocess
import sys
from time import perf_counter
from typing import Any

import numpy as np
import ray

from ...actors.cluster import Cluster
from ...actors.ray_engine import INLINE
from ...protocol.arrays import Array
from ...protocol.derivatives.backward import backward
from ...protocol.graph.graph import Graph
from ...protocol.message import CALLER
from ...protocol.residents import Bound
from ...protocol.tracing.trace import trace
from ...scheduler.make_plan import plan
from ...scheduler.plan import Plan
from .inprocess import DIGITS, digits
from .measure import Measured, of_times, timed

_BARE_RAY = "import ray; ray.init(); ray.shutdown()"


class _Bare:
    """An actor that returns arrays of given shapes, and does nothing else."""

    def __init__(self, sends: dict[int, list[list[Array]]]) -> None:
        self._sends = {
            stage: [tuple(np.ones(shape, dtype) for shape, dtype in frame) for frame in frames]
            for stage, frames in sends.items()
        }

    def call(self, stage: int, *frames: Any) -> Any:
        sent = self._sends[stage]
        return (None, *sent) if sent else None


class BareCalls:
    """The actor calls of a plan, with arrays of the same bytes and none of the protocol."""

    def __init__(self, the_plan: Plan, bound: Bound) -> None:
        self._plan = the_plan
        self._given = {
            frame.number: tuple(value for _, value in bound.pack(frame))
            for frame in the_plan.frames
            if frame.sender == CALLER
        }
        self._actors: list[Any] = []
        remote: Any = ray.remote(num_cpus=0)(_Bare)
        for partition in range(the_plan.partitions):
            sends = {
                stage.number: [self._shapes(number) for number in stage.sends]
                for stage in the_plan.stages
                if stage.partition == partition
            }
            self._actors.append(remote.remote(sends))

    def _shapes(self, number: int) -> list[Any]:
        frame = self._plan.frames[number]
        graph = self._plan.graph
        assert isinstance(graph, Graph)
        nodes, edges = graph.nodes, graph.edges
        keys = frame.keys if frame.kind != "backward" else [edges[key].source for key in frame.keys]
        return [(nodes[u].shape, nodes[u].dtype) for u in keys]

    def run(self) -> None:
        """Make every call of one pass, and wait for all that comes back."""
        sent: dict[int, Any] = {
            number: arrays if sum(each.nbytes for each in arrays) < INLINE else ray.put(arrays)
            for number, arrays in self._given.items()
        }
        done = []
        for stage in self._plan.stages:
            incoming = [sent.pop(number) for number in stage.receives]
            method = self._actors[stage.partition].call.options(num_returns=1 + len(stage.sends))
            references = method.remote(stage.number, *incoming)
            if stage.sends:
                sent.update(zip(stage.sends, references[1:], strict=True))
                references = references[0]
            done.append(references)
        ray.get(done)
        ray.get(list(sent.values()))

    def close(self) -> None:
        """Stop the actors."""
        for actor in self._actors:
            ray.kill(actor)


def ray_pass() -> list[Measured]:
    """One eager pass of the digits MLP over two workers."""
    function, args = digits()
    graph = trace(function, *args, argnums=0)
    the_plan = plan(graph, 2)
    with Cluster(2) as cluster:
        bare = BareCalls(the_plan, graph.bind(args, None))

        def pair() -> tuple[float, float]:
            ours = timed(lambda: cluster.run(the_plan, *args))
            return ours, timed(bare.run) + timed(lambda: backward(graph, *args))

        stages = len(the_plan.stages)
        measured = of_times(
            "digits MLP, a pass over 2 Ray workers",
            pair,
            goal=1.5,
            how=f"one eager pass, {stages} actor calls, against {stages} bare Ray calls that carry "
            f"the same bytes plus the pass in this process",
            pairs=40,
            warm=5,
        )
        bare.close()
    return [measured]


def whole_run() -> list[Measured]:
    """The whole of ``make run``, against starting and stopping a bare Ray."""
    command = [sys.executable, "-m", "backwave.scripts.main", "run", f"{DIGITS}:loss"]

    def pair() -> tuple[float, float]:
        return _process([*command, "--workers", "2"]), _process([sys.executable, "-c", _BARE_RAY])

    return [
        of_times(
            "backwave run, the whole command",
            pair,
            goal=3.0,
            how="backwave run examples/digits_mlp.py:loss --workers 2, against a process that "
            "calls ray.init() and ray.shutdown()",
            pairs=3,
            warm=0,
        )
    ]


def _process(command: list[str]) -> float:
    begin = perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return perf_counter() - begin
