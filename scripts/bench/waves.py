"""Many waves over parameters that stay: what a session saves, and what a pipeline gains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import ray
from threadpoolctl import threadpool_limits

from ...actors.cluster import Cluster
from ...actors.session import Session
from ...protocol.graph.graph import Graph
from ...protocol.optimizers import adam
from ...protocol.result import StepResult
from ...protocol.tracing.trace import trace
from ...scheduler.schedule import ONE_F_ONE_B
from ..load import load_target
from ..show import size
from .inprocess import DIGITS
from .measure import Measured, in_turn
from .sheet import Row, Sheet

BLOCK = DIGITS.parent / "transformer_block.py"
LAYERS, WIDTH, ROWS, COPIES = 8, 1024, 128, 8


def step() -> list[Measured | Sheet]:
    """A step of the transformer block, against a pass for which every leaf is sent."""
    target = load_target(f"{BLOCK}:loss")
    params, *data = target.args
    graph = trace(target.function, params, *data, argnums=0)
    optimizer = adam(1e-4)
    with Cluster(2) as cluster, cluster.session(graph, params) as session:

        def trained() -> StepResult:
            result = session.backward(*data)
            session.update(optimizer)
            return result

        ledger = trained().ledger
        measured = in_turn(
            "transformer block, a step over 2 Ray workers",
            trained,
            lambda: cluster.backward(graph, params, *data),
            goal=0.85,
            how=f"examples/{BLOCK.name}, one sequence of 32: a step of a session, with adam, "
            f"against a pass of cluster.backward, to and from which every leaf travels",
            pairs=30,
            warm=3,
        )
    sent = sum(each.nbytes for each in data)
    row = {
        "caller_frames": ledger.caller_frames,
        "caller_bytes": ledger.caller_bytes,
        "of_data": sent,
        "beside": ledger.caller_bytes - sent,
    }
    columns = (
        ("frames", "caller_frames", str),
        ("bytes", "caller_bytes", size),
        ("of data", "of_data", size),
        ("beside", "beside", size),
    )
    how = "From and to the caller in a step, with headers; beside the data under 2 kB is the goal."
    return [measured, Sheet("step", "What a step sends", [row], columns, how)]


def deep(params: list[Any], x: Any, y: Any) -> Any:
    """Return the loss of a deep network of equal layers."""
    for w in params:
        x = np.tanh(x @ w)
    return np.mean((x - y) ** 2)


def pipeline() -> list[Measured | Sheet]:
    """1F1B on two workers, against one worker that does the same."""
    random = np.random.default_rng(0)
    params = [random.normal(size=(WIDTH, WIDTH)) / np.sqrt(WIDTH) for _ in range(LAYERS)]
    data = random.normal(size=(2, COPIES, ROWS, WIDTH))
    graph = trace(deep, params, data[0][0], data[1][0], argnums=0)
    with Cluster(2) as cluster:
        options: dict[str, Any] = {"schedule": ONE_F_ONE_B, "micro_batches": COPIES}
        with (
            cluster.session(graph, params, partitioner=halves(graph), **options) as two,
            cluster.session(graph, params, partitioner=lambda node: 0, **options) as one,
        ):
            measured = in_turn(
                "deep network, 1F1B on 2 Ray workers",
                lambda: two.backward(*data),
                lambda: one.backward(*data),
                goal=1 / 1.6,
                how=f"{LAYERS} layers of {WIDTH}, {COPIES} micro-batches of {ROWS} rows, float64: "
                f"two workers against one, each with one BLAS thread; "
                f"{(COPIES + 1) / (2 * COPIES):.4f} would be the pipeline's own",
                pairs=7,
            )
            rows = _workers(two, data, cluster, graph, params)
        limit = _two_cores()
    columns = (
        ("rank", "rank", str),
        ("idle", "idle", "{:.3f}".format),
        ("closed form", "closed_form", "{:.3f}".format),
        ("peak copies", "peak_copies", "{:.3g}".format),
        ("at most", "at_most", str),
    )
    how = (
        "Idle: the share of the step, from the first firing to the last, in which a worker does "
        "not compute; (p - 1)/(m + p - 1) where stages are equal and links free. Peak copies: "
        "bytes of values held at once, in copies of one micro-batch's peak; at most min(m, p - r)."
    )
    return [measured, limit, Sheet("pipeline", "Two workers, 1F1B", rows, columns, how)]


def _multiply(times: int) -> None:
    x, w = np.ones((ROWS, WIDTH)), np.ones((WIDTH, WIDTH))
    with threadpool_limits(1, user_api="blas"):
        for _ in range(times):
            x @ w


def _two_cores() -> Measured:
    """What the machine itself gains by a second process, at products of the same size."""
    task: Any = ray.remote(num_cpus=0)(_multiply)
    return in_turn(
        "the machine: products on 2 cores",
        lambda: ray.get([task.remote(75), task.remote(75)]),
        lambda: ray.get(task.remote(150)),
        goal=None,
        how="as many products of the same size by two processes at once, against one: 0.5 where "
        "both cores are free, and the pipeline cannot gain more than this",
        pairs=7,
    )


def halves(graph: Graph) -> list[int]:
    """Return a mapping that cuts the layers in the middle: node by node, half of the products."""
    products = [node.id for node in graph.nodes if node.primitive == "matmul"]
    middle = products[len(products) // 2]
    leaves = {z for node in graph.nodes for z in node.inputs if node.id >= middle}
    weights = {leaf.node for leaf in graph.leaves} & leaves
    return [int(node.id >= middle or node.id in weights) for node in graph.nodes]


def _workers(
    session: Session, data: Any, cluster: Cluster, graph: Graph, params: list[Any]
) -> list[Row]:
    results = [session.backward(*data) for _ in range(5)]
    with cluster.session(graph, params, partitioner=halves(graph), schedule=ONE_F_ONE_B) as alone:
        single = alone.backward(*data[:, 0]).workers
    rows = []
    for rank, share in enumerate(results[-1].workers):
        rows.append(
            {
                "rank": rank,
                "idle": float(np.median([idle(result, rank) for result in results])),
                "closed_form": 1 / (COPIES + 1),
                "peak_copies": share.peak_bytes / single[rank].peak_bytes,
                "at_most": min(COPIES, 2 - rank),
            }
        )
    return rows


def idle(result: StepResult, worker: int) -> float:
    """Return the share of a step in which a worker does not compute."""
    firing: Sequence[Any] = [span for span in result.timeline if span.kind == "compute"]
    whole = max(span.end for span in firing) - min(span.start for span in firing)
    busy = sum(span.end - span.start for span in firing if span.worker == worker)
    return float(1 - busy / whole)
