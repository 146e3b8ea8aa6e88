"""``backwave run``: one pass of a function from a file, over workers, checked three ways."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optree

from ..actors.cluster import Cluster
from ..actors.local import run_locally
from ..protocol.arrays import Array
from ..protocol.derivatives.backward import backward
from ..protocol.errors import ArgumentError
from ..protocol.graph.graph import Graph
from ..protocol.result import Result
from ..protocol.tracing.trace import trace
from ..scheduler.make_plan import plan
from ..scheduler.plan import Plan
from .chrome import write_chrome_trace
from .load import Target, call, load_target
from .show import WithoutRaysNote, console, count, print_json, progress, seconds, size, table

STEP = 1e-5
"""The relative step of the finite difference: near the cube root of the rounding error."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the command shows: the run, the two checks of it, and where its timeline is."""

    target: Target
    graph: Graph
    result: Result
    difference: float
    error: float
    where: Path


def run(options: Namespace) -> None:
    """Run the command."""
    # With --check-finite the error says more than NumPy's warnings, and names the node.
    with np.errstate(all="ignore" if options.check_finite else None):
        _run(options)


def _run(options: Namespace) -> None:
    target = load_target(options.target)
    where = Path(options.trace or Path("out") / f"{target.path.stem}.trace.json")
    with progress(f"tracing {target.title}"):
        graph = call(target, lambda: trace(target.function, *target.args, argnums=0))
    result = _result(options, graph, target)
    with progress("checking against this process and finite differences"):
        reference = backward(graph, *target.args)
        difference = largest_difference(result, reference)
        error = call(target, lambda: finite_difference_error(target.function, target.args, result))
    try:
        write_chrome_trace(result.timeline, where)
    except OSError as problem:
        raise ArgumentError(f"the timeline cannot be written to {where}: {problem}") from problem
    shown = Shown(target, graph, result, difference, error, where)
    if options.json:
        print_json(_as_json(options, shown), options.out)
    else:
        _print(options, shown)


def _result(options: Namespace, graph: Graph, target: Target) -> Result:
    graph.require_scalar()  # before Ray is started, which takes seconds
    the_plan = plan(
        graph, options.workers, options.granularity, schedule=options.schedule, gpus=options.gpus
    )
    if options.engine == "local":
        with progress(f"running on {the_plan.partitions} workers in this process"):
            result: Result = run_locally(the_plan, *target.args, check_finite=options.check_finite)
        return result
    cluster = Cluster(options.workers, options.gpus, options.address, max_actors=options.max_actors)
    cluster.require_room(the_plan)  # before Ray is started, which takes seconds
    with redirect_stdout(WithoutRaysNote(sys.stdout)):
        return _on_ray(options, cluster, the_plan, target)


def _on_ray(options: Namespace, cluster: Cluster, the_plan: Plan, target: Target) -> Result:
    with progress("starting Ray"):
        cluster.__enter__()
    try:
        with progress("running on Ray"):
            result: Result = cluster.run(the_plan, *target.args, check_finite=options.check_finite)
            result.S = dict(result.S.items())  # fetched now, while there are workers to ask
        return result
    finally:
        with progress("stopping Ray"):
            cluster.close()


def largest_difference(result: Result, reference: Result) -> float:
    """Return the largest difference in the value, a gradient or S at a node; 0 for equal bits."""
    pairs = [(result.value, reference.value)]
    pairs += zip(optree.tree_leaves(result.grads), optree.tree_leaves(reference.grads), strict=True)
    pairs += [(result.S[u], reference.S[u]) for u in reference.S]
    return max(_difference(a, b) for a, b in pairs)


def _difference(a: Array, b: Array) -> float:
    if np.array_equal(a, b, equal_nan=True) or not np.size(a):
        return 0.0
    return float(np.max(np.absolute(a - b)))


def finite_difference_error(
    function: Callable[..., Any], args: tuple[Any, ...], result: Result, seed: int = 0
) -> float:
    """Compare the gradient with a central difference of the plain function.

    Along one random direction in the first argument, of the length of the argument itself.

    Returns:
        |difference quotient - gradient · direction|, relative to the larger of the two.

    """
    random = np.random.default_rng(seed)
    leaves, structure = optree.tree_flatten(args[0])
    varies = [np.asarray(leaf).dtype.kind == "f" for leaf in leaves]
    direction = [random.standard_normal(np.shape(leaf)) for leaf in leaves]
    length = _norm([d for d, moves in zip(direction, varies, strict=True) if moves])
    scale = max(1.0, _norm([x for x, moves in zip(leaves, varies, strict=True) if moves]))
    step = STEP * scale / length

    def value(sign: float) -> float:
        moved = [
            leaf + sign * step * along if moves else leaf
            for leaf, along, moves in zip(leaves, direction, varies, strict=True)
        ]
        return float(function(optree.tree_unflatten(structure, moved), *args[1:]))

    quotient = (value(1.0) - value(-1.0)) / (2 * step)
    gradients = optree.tree_leaves(result.grads)
    moving = [d for d, moves in zip(direction, varies, strict=True) if moves]
    slope = sum(float(np.sum(g * d)) for g, d in zip(gradients, moving, strict=True))
    return abs(quotient - slope) / max(abs(quotient), abs(slope), np.finfo(float).tiny)


def _norm(arrays: list[Any]) -> float:
    return float(np.sqrt(sum(float(np.sum(np.square(array))) for array in arrays)))


def _as_json(options: Namespace, shown: Shown) -> dict[str, Any]:
    graph, result = shown.graph, shown.result
    return {
        "function": shown.target.title,
        "value": float(result.value),
        "nodes": graph.num_nodes,
        "edges": graph.num_edges,
        "levels": graph.num_levels,
        "ledger": result.ledger.as_dict(),
        "workers": [asdict(share) for share in result.workers],
        "max_difference_from_local": shown.difference,
        "finite_difference_error": shown.error,
        "granularity": options.granularity,
        "schedule": options.schedule,
        "engine": options.engine,
        "trace": str(shown.where),
    }


def _print(options: Namespace, shown: Shown) -> None:
    graph, result = shown.graph, shown.result
    out = console()
    ledger = result.ledger
    out.print(
        f"[bold]{shown.target.title}[/] = {float(result.value):.10g}    "
        f"V = {count(graph.num_nodes)}, E = {count(graph.num_edges)}, "
        f"{count(graph.num_levels)} levels\n"
    )
    rows = [
        ("edges", count(ledger.edges), "between differentiated leaves and the output"),
        ("messages", count(ledger.messages), "one an edge: = edges"),
        ("sums", count(ledger.sums), f"= edges - {count(ledger.receivers)} nodes that received"),
        ("work", count(ledger.work), "sum of the degrees: = 2 edges"),
        ("waves", count(ledger.waves), "one a level"),
        ("cut edges", count(ledger.cut_edges), "ends on different workers"),
        ("cross messages", count(ledger.cross_messages), "one a cut edge"),
        ("frames", count(ledger.frames), f"carrying {size(ledger.payload_bytes)} of messages"),
        (
            "forward frames",
            count(ledger.forward_frames),
            f"carrying {size(ledger.forward_bytes)} of values",
        ),
        ("header bytes", count(ledger.header_bytes), "of all frames between workers"),
    ]
    made = table("Ledger", ("", "count", ""), rows)
    made.columns[2].justify = "left"
    made.columns[2].style = "dim"
    out.print(made)
    shares = [
        (f"worker {s.worker}", s.device, count(s.nodes), count(s.stages), seconds(s.busy_seconds))
        for s in result.workers
    ]
    engine = "Ray" if options.engine == "ray" else "in this process"
    title = f"Workers ({engine}, by {options.granularity}, {options.schedule})"
    out.print(table(title, ("", "device", "nodes", "stages", "busy"), shares, left=2))
    same = "the same bits" if shown.difference == 0 else "NOT the same bits"
    out.print(f"largest difference from this process    {shown.difference:.3g}  ({same})")
    out.print(f"finite differences, random direction    {shown.error:.1e} relative")
    out.print(f"timeline (open in ui.perfetto.dev)      {shown.where}", soft_wrap=True)
