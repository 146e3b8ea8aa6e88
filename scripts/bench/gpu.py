"""On a GPU, against the CPU of the same machine."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from ...actors.device import device
from ...actors.execute import execute, new_run
from ...actors.local import LocalEngine
from ...protocol.arrays import Array
from ...protocol.graph.graph import Graph
from ...protocol.tracing.trace import trace
from ...scheduler.make_plan import plan
from ...scheduler.run import Passing
from .measure import Measured, in_turn

WIDTH = 2048
BATCH = 4096
LAYERS = 4


def _wide_mlp(weights: list[Array], x: Array) -> Any:
    for w in weights:
        x = np.tanh(x @ w)
    return np.mean(np.square(x))


def gpu() -> list[Measured]:
    """A pass of a wide MLP in float32, its leaves sent to the device and its gradients fetched."""
    device("gpu")  # says what is missing before anything is made
    random = np.random.default_rng(0)
    scale = 1 / np.sqrt(WIDTH)
    weights = [(random.standard_normal((WIDTH, WIDTH)) * scale).astype("f4") for _ in range(LAYERS)]
    args = weights, random.standard_normal((BATCH, WIDTH)).astype("f4")
    graph = trace(_wide_mlp, *args, argnums=0)
    on_gpu, on_cpu = _passes(graph, args, gpus=1), _passes(graph, args, gpus=0)
    return [
        in_turn(
            f"wide MLP ({LAYERS} × {WIDTH}), on a GPU",
            on_gpu,
            on_cpu,
            goal=1.0,
            how=f"one pass with {BATCH} rows in float32, copies to and from the GPU included, "
            f"against one BLAS thread of this machine's CPU",
            pairs=3,
            warm=1,
        )
    ]


def _passes(graph: Graph, args: tuple[Any, ...], gpus: int) -> Callable[[], object]:
    """Return what runs one pass in this process, on a GPU or not."""
    the_plan = plan(graph, 1, gpus=gpus)
    engine = LocalEngine(the_plan, new_run())
    numbers = count()

    def one_pass() -> object:
        passing = Passing(next(numbers), the_plan.graph.bind(args, None))
        return execute(the_plan, engine, passing, args=args)

    return one_pass
