"""``backwave count``: the size of a network, and what each wave sends and costs."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict, dataclass

from ...protocol.arrays import nbytes
from ...protocol.derivatives import cost as work
from ...protocol.derivatives.gradient_network import gradient_network
from ...protocol.errors import ArgumentError
from ...protocol.graph.graph import Graph
from ...protocol.tracing.trace import trace
from ..load import call, load_target
from ..show import console, count, print_json, progress, size, table
from . import sizes as count_sizes

SHOWN = 24
"""The most waves that the table shows; the JSON has all."""


@dataclass(frozen=True, slots=True)
class Wave:
    """The firing of all nodes of one level: their messages, and the work of making those."""

    wave: int
    level: int
    nodes: int
    messages: int
    bytes: int
    flops: int


def waves(graph: Graph) -> list[Wave]:
    """Return the waves of a network, from the output's level down."""
    levels = graph.levels
    nodes: dict[int, int] = {}
    messages: dict[int, int] = {}
    moved: dict[int, int] = {}
    flops: dict[int, int] = {}
    for u, here in enumerate(graph.on_network):
        if here:
            nodes[levels[u]] = nodes.get(levels[u], 0) + 1
    for z, u, _ in graph.edges:
        level = levels[u]
        below = graph.nodes[z]
        messages[level] = messages.get(level, 0) + 1
        moved[level] = moved.get(level, 0) + nbytes(below.shape, below.dtype)
        flops[level] = flops.get(level, 0) + graph.work(u).flops
    return [
        Wave(
            number,
            level,
            nodes[level],
            messages.get(level, 0),
            moved.get(level, 0),
            flops.get(level, 0),
        )
        for number, level in enumerate(sorted(nodes, reverse=True))
    ]


@dataclass(frozen=True, slots=True)
class SecondOrder:
    """The gradient network's size V + E, and counted operations: f, ∇f, the Hessian times v."""

    size: int
    size_ratio: float
    value: int
    gradient: int
    gradient_ratio: float
    product: int
    product_ratio: float


def second_order(graph: Graph) -> SecondOrder:
    """Count the gradient network, and a Hessian-vector product."""
    network = gradient_network(graph)
    value, gradient, product = (
        work.operations(graph),
        work.operations(network),
        work.hvp_cost(graph),
    )
    return SecondOrder(
        work.size(network),
        work.size(network) / work.size(graph),
        value,
        gradient,
        gradient / max(value, 1),
        product,
        product / max(gradient, 1),
    )


def run(options: Namespace) -> None:
    """Run the command: on the network of a file, or on networks of several sizes."""
    _require_one(options)
    if options.sizes:
        count_sizes.run(options)
    else:
        _count_file(options)


def _require_one(options: Namespace) -> None:
    """Raise unless the options go together."""
    if not options.sizes and not options.target:
        raise ArgumentError("give FILE.py:function, or --sizes 1e3,1e4,1e5")
    if options.sizes and options.target:
        raise ArgumentError(f"give {options.target} or --sizes, not both")
    if options.sizes and options.second_order:
        raise ArgumentError("--second-order goes with FILE.py:function, and not with --sizes")
    if not options.sizes:
        for name in ("generator", "naive", "workers", "out_dir"):
            if getattr(options, name):
                raise ArgumentError(f"--{name.replace('_', '-')} goes with --sizes")


def _count_file(options: Namespace) -> None:
    target = load_target(options.target)
    with progress(f"tracing {target.title}"):
        graph = call(target, lambda: trace(target.function, *target.args, argnums=0))
        graph.require_dependence()
        found = waves(graph)
        higher = second_order(graph) if options.second_order else None
    if options.json:
        print_json(
            {
                "function": target.title,
                "nodes": graph.num_nodes,
                "edges": graph.num_edges,
                "levels": graph.num_levels,
                "messages": sum(wave.messages for wave in found),
                "network_size": graph.num_nodes + graph.num_edges,
                "inputs_without_gradient": graph.inputs_without_gradient,
                "waves": [asdict(wave) for wave in found],
                **({"second_order": asdict(higher)} if higher else {}),
            },
            options.out,
        )
        return
    out = console()
    out.print(
        f"[bold]{target.title}[/]    V = {count(graph.num_nodes)}, E = {count(graph.num_edges)}, "
        f"{count(graph.num_levels)} levels; network size V + E = "
        f"{count(graph.num_nodes + graph.num_edges)}\n"
    )
    rows = [_row(wave) for wave in found]
    if len(rows) > SHOWN:
        half = SHOWN // 2
        rows = [*rows[:half], ("...",) * 6, *rows[-half:]]
    everything = ("all", "", *_totals(found))
    columns = ("wave", "level", "nodes", "messages", "bytes", "flops")
    out.print(table("Waves, from the output down", columns, [*rows, everything]))
    out.print(
        f"messages = edges = {count(graph.num_edges)}; "
        f"{count(graph.inputs_without_gradient)} inputs carry no gradient, and get no message"
    )
    if higher:
        rows = [
            ("gradient network, V + E", count(higher.size), f"{higher.size_ratio:.2f} of V + E"),
            ("f, flops", count(higher.value), ""),
            ("gradient, flops", count(higher.gradient), f"{higher.gradient_ratio:.2f} of f"),
            ("H v, flops", count(higher.product), f"{higher.product_ratio:.2f} of the gradient"),
        ]
        out.print(table("Second order", ("", "count", "ratio"), rows))


def _row(wave: Wave) -> tuple[str, ...]:
    return (
        count(wave.wave),
        count(wave.level),
        count(wave.nodes),
        count(wave.messages),
        size(wave.bytes),
        count(wave.flops),
    )


def _totals(found: list[Wave]) -> tuple[str, ...]:
    return (
        count(sum(wave.nodes for wave in found)),
        count(sum(wave.messages for wave in found)),
        size(sum(wave.bytes for wave in found)),
        count(sum(wave.flops for wave in found)),
    )
