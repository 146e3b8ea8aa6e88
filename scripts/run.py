"""``backwave run``: one pass of a function from a file, over workers, checked three ways."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import optree
from rich.table import Table

from ..actors.cluster import Cluster
from ..actors.local import run_locally
from ..actors.session import Session, session
from ..protocol.arrays import Array
from ..protocol.derivatives.backward import backward
from ..protocol.errors import ArgumentError
from ..protocol.graph.graph import Graph
from ..protocol.ledger import Ledger
from ..protocol.message import BACKWARD, FORWARD
from ..protocol.result import Result, StepResult
from ..protocol.tracing.trace import trace
from ..scheduler.make_plan import plan
from ..scheduler.plan import Plan
from .chrome import write_chrome_trace
from .load import Target, call, load_target
from .show import WithoutRaysNote, console, count, print_json, progress, seconds, size, table

STEP = 1e-5
"""The relative step of the finite difference: near the cube root of the rounding error."""


Ran = Result | StepResult
"""What a run gives: of one pass, or of a step of several."""


class Reference(NamedTuple):
    """What the same copies give in this process; S at every node is that of each copy."""

    value: Any
    grads: Any
    S: Mapping[int, Array]
    copies: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What the command shows: the run, the two checks of it, and where its timeline is."""

    target: Target
    graph: Graph
    result: Ran
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
        reference = reference_of(graph, target.args, options.micro_batches)
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


def _result(options: Namespace, graph: Graph, target: Target) -> Ran:
    graph.require_scalar()  # before Ray is started, which takes seconds
    the_plan = plan(
        graph,
        options.workers,
        options.granularity,
        schedule=options.schedule,
        gpus=options.gpus,
        combiner=options.combiner,
    )
    if options.engine == "local":
        with progress(f"running on {the_plan.partitions} workers in this process"):
            return _in_process(options, graph, the_plan, target)
    cluster = Cluster(options.workers, options.gpus, options.address, max_actors=options.max_actors)
    cluster.require_room(the_plan)  # before Ray is started, which takes seconds
    with redirect_stdout(WithoutRaysNote(sys.stdout)):
        return _on_ray(options, cluster, graph, the_plan, target)


def _in_process(options: Namespace, graph: Graph, the_plan: Plan, target: Target) -> Ran:
    args, finite = target.args, options.check_finite
    if options.micro_batches == 1:
        result: Result = run_locally(the_plan, *args, check_finite=finite)
        return result
    gpus, workers = options.gpus, options.workers
    with session(graph, args[0], workers=workers, gpus=gpus, **_copies(options)) as made:
        return _step(options, made, args)


def _on_ray(
    options: Namespace, cluster: Cluster, graph: Graph, the_plan: Plan, target: Target
) -> Ran:
    with progress("starting Ray"):
        cluster.__enter__()
    try:
        with progress("running on Ray"):
            if options.micro_batches > 1:
                with cluster.session(graph, target.args[0], **_copies(options)) as made:
                    return _step(options, made, target.args)
            result: Result = cluster.run(the_plan, *target.args, check_finite=options.check_finite)
            result.S = dict(result.S.items())  # fetched now, while there are workers to ask
        return result
    finally:
        with progress("stopping Ray"):
            cluster.close()


def _copies(options: Namespace) -> dict[str, Any]:
    """Return how a session is to run the copies."""
    return {
        "micro_batches": options.micro_batches,
        "schedule": options.schedule,
        "granularity": options.granularity,
        "combiner": options.combiner,
    }


def _step(options: Namespace, made: Session, args: tuple[Any, ...]) -> StepResult:
    """Run a step: every copy is given the same data."""
    data = [[each] * options.micro_batches for each in args[1:]]
    result = made.backward(*data, grads=True, keep_S=True, check_finite=options.check_finite)
    assert result.S is not None
    result.S = dict(result.S.items())
    return result


def reference_of(graph: Graph, args: tuple[Any, ...], copies: int) -> Reference:
    """Return what the copies give one after the other, in this process."""
    one = backward(graph, *args, S=graph.first_S() * graph.first_S().dtype.type(1 / copies))
    total = one.grads
    for _ in range(copies - 1):
        total = optree.tree_map(lambda a, b: a + b, total, one.grads)
    value = sum([one.value] * (copies - 1), start=one.value)
    if copies > 1:
        value = value / value.dtype.type(copies)
    return Reference(value, total, one.S, copies)


def largest_difference(result: Ran, reference: Reference) -> float:
    """Return the largest difference in the value, a gradient or S at a node; 0 for equal bits."""
    assert result.S is not None
    pairs = [(result.value, reference.value)]
    pairs += zip(optree.tree_leaves(result.grads), optree.tree_leaves(reference.grads), strict=True)
    copies = reference.copies
    pairs += [(S, reference.S[u]) for u in reference.S for S in _each(result.S[u], copies)]
    return max(_difference(a, b) for a, b in pairs)


def _each(S: Array, copies: int) -> list[Array]:
    """Return S at a node in each copy."""
    return [S] if copies == 1 else list(S)


def _difference(a: Array, b: Array) -> float:
    if np.array_equal(a, b, equal_nan=True) or not np.size(a):
        return 0.0
    return float(np.max(np.absolute(a - b)))


def finite_difference_error(
    function: Callable[..., Any], args: tuple[Any, ...], result: Ran, seed: int = 0
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
        "micro_batches": options.micro_batches,
        "combiner": options.combiner,
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
    rows = _ledger_rows(ledger)
    made = table("Ledger", ("", "count", ""), rows)
    made.columns[2].justify = "left"
    made.columns[2].style = "dim"
    out.print(made)
    out.print(_workers(options, result))
    if ledger.copies > 1:
        out.print(_waves(result))
    same = "the same bits" if shown.difference == 0 else "NOT the same bits"
    if shown.difference and options.combiner:
        same = "sums of sums round otherwise"
    out.print(f"largest difference from this process    {shown.difference:.3g}  ({same})")
    out.print(f"finite differences, random direction    {shown.error:.1e} relative")
    out.print(f"timeline (open in ui.perfetto.dev)      {shown.where}", soft_wrap=True)


def _ledger_rows(ledger: Ledger) -> list[tuple[str, str, str]]:
    """Return what was counted, and what that means."""
    copies = ledger.copies
    each = f"{count(copies)} copies · " if copies > 1 else ""
    rows = [
        ("edges", count(ledger.edges), "between differentiated leaves and the output"),
        ("messages", count(ledger.messages), f"one an edge: = {each}edges"),
        (
            "sums",
            count(ledger.sums),
            f"= {each}edges - {count(ledger.receivers)} nodes that received",
        ),
        ("work", count(ledger.work), f"sum of the degrees: = 2 {'· ' * bool(each)}{each}edges"),
        ("waves", count(ledger.waves), f"one a level{' and copy' * (copies > 1)}"),
        ("cut edges", count(ledger.cut_edges), "ends on different workers"),
        ("cross messages", count(ledger.cross_messages), f"= {each}cut edges"),
        ("frames", count(ledger.frames), f"carrying {size(ledger.payload_bytes)} of messages"),
        (
            "forward frames",
            count(ledger.forward_frames),
            f"carrying {size(ledger.forward_bytes)} of values",
        ),
        ("header bytes", count(ledger.header_bytes), "of all frames between workers"),
        (
            "caller frames",
            count(ledger.caller_frames),
            f"{size(ledger.caller_bytes)} from and to whoever asked",
        ),
    ]
    if ledger.combined:
        at = [row[0] for row in rows].index("cross messages")
        rows[at] = ("cross messages", rows[at][1], "= cut edges - combined")
        rows.insert(at + 1, ("combined", count(ledger.combined), "summed before they left"))
    if copies > 1:
        rows.append(("copy sums", count(ledger.copy_sums), "over copies, of S at parameters"))
    if ledger.parameter_frames:
        carried = f"carrying {size(ledger.parameter_bytes)} of parameters, once a step"
        rows.append(("parameter frames", count(ledger.parameter_frames), carried))
    return rows


def _workers(options: Namespace, result: Ran) -> Table:
    """Return the table of the workers."""
    shares = [
        (
            f"worker {s.worker}",
            s.device,
            count(s.nodes),
            count(s.stages),
            seconds(s.busy_seconds),
            size(s.peak_bytes),
        )
        for s in result.workers
    ]
    engine = "Ray" if options.engine == "ray" else "in this process"
    title = f"Workers ({engine}, by {options.granularity}, {options.schedule})"
    columns = ("", "device", "nodes", "stages", "busy", "values held")
    return table(title, columns, shares, left=2)


def _waves(result: Ran) -> Table:
    """Return the table of the waves: when each copy went up, and its wave came down."""
    start = min(span.start for span in result.timeline)
    rows = []
    for number in range(result.ledger.copies):
        spans = [s for s in result.timeline if s.details.get("pass") == number]
        up = [s for s in spans if s.name == FORWARD and s.kind == "compute"]
        down = [s for s in spans if s.name == BACKWARD and s.kind == "compute"]
        moments = (up[0].start, max(s.end for s in up), down[0].start, max(s.end for s in down))
        rows.append((f"wave {number}", *(seconds((at - start) / 1e9) for at in moments)))
    return table("Waves", ("", "up from", "to", "down from", "to"), rows)
