"""Networks made up: random layers, random acyclic graphs, and the article's figure.

In the random ones every node has a path to the output, so that E is the number of edges; and nodes
and edges are made in firing order, so that nothing is left to sort.
"""

from __future__ import annotations

from math import ceil, inf
from typing import Any

import numpy as np

from ...errors import ArgumentError
from ...outline import Ints
from ..given import ByTarget, Definition, Given
from ..kernels.operations import IDENTITY
from ..kernels.operations import activation as activation_named
from ..piece import LEAF, WEIGHTED, Floats
from .checks import EDGE_BYTES, MOST_NODES, NODE_BYTES
from .memory import require_memory
from .order import Edges, compiled, in_order, lay, levels

LAWS = ("uniform", "poisson", "power")

BATCH = 2**20
"""Layers are drawn together up to so many edges: a narrow network has a great many layers."""

_NOTHING = np.empty(0, np.int32)


def layered(
    width: int, depth: int, degree: int, *, seed: int, reach: int | None, activation: str
) -> Definition:
    """Make a network of random layers; see :meth:`Network.layered`."""
    width, depth = _whole(width, "width", 1), _whole(depth, "depth", 1)
    degree = _whole(degree, "degree", 1)
    choice = width
    if reach is not None:
        reach = _whole(reach, "reach", 0)
        choice = 2 * reach + 1
        if choice > width:
            raise ArgumentError(
                f"reach={reach} is to the {choice:,} nearest nodes, and a layer has {width:,}"
            )
    if degree > choice:
        raise ArgumentError(
            f"degree={degree}, and there are {choice:,} nodes that the edges of a node may come "
            f"from; give a smaller degree{'' if reach is None else ' or a wider reach'}"
        )
    name = activation_named(activation).name
    nodes, edges = width * (depth + 1) + 1, width * depth * degree + width
    _require_room(nodes, edges)
    random = _random(seed)
    source = np.empty(edges, np.uint32)
    each = width * degree
    step = max(1, BATCH // each)
    for first in range(0, depth, step):
        layers = np.arange(first, min(first + step, depth))
        below = _below(random, len(layers), width, degree, reach)
        below += (layers * width)[:, None, None]
        source[first * each : (first + len(layers)) * each] = below.ravel()
    source[-width:] = np.arange(depth * width, (depth + 1) * width)
    weight = random.standard_normal(edges)
    weight /= np.sqrt(degree)
    weight[-width:] = 1.0
    ends = np.arange(width * depth + 1) * degree
    return _definition(
        level=np.repeat(np.arange(depth + 2, dtype=np.int32), width)[:nodes],
        inputs=np.concatenate([np.zeros(width, np.int64), ends, [edges]]),
        source=source,
        weight=weight,
        activation=name,
        output=IDENTITY,
    )


def _below(
    random: np.random.Generator, layers: int, width: int, degree: int, reach: int | None
) -> Ints:
    """Draw where edges come from: a node of the layer below; int64[layers, width, degree].

    The first edges of a layer come from all nodes below, from each once, so that none is left
    without a path: nodes in random order, or with a reach all shifted alike.
    """
    node = np.arange(width)
    if reach is None:
        below = random.integers(width, size=(layers, width, degree))
        below[:, :, 0] = random.permuted(np.broadcast_to(node, (layers, width)), axis=1)
        return below
    below = random.integers(-reach, reach + 1, size=(layers, width, degree))
    below[:, :, 0] = random.integers(-reach, reach + 1, size=(layers, 1))
    below += node[:, None]
    below %= width
    return below


def random_network(
    nodes: int, degree: float, *, inputs: int | None, seed: int, law: str, activation: str
) -> Definition:
    """Make a random acyclic network; see :meth:`Network.random`."""
    nodes = _whole(nodes, "nodes", 2)
    if law not in LAWS:
        raise ArgumentError(f"there is no degree law {law!r:.40}; choose {', '.join(LAWS)}")
    degree = _whole(degree, "degree", 1) if law == "uniform" else _mean(degree)
    if degree > nodes - 1:
        raise ArgumentError(
            f"degree={degree}, and of {nodes:,} nodes the last has {nodes - 1:,} before it; "
            f"give a smaller degree or more nodes"
        )
    if inputs is None:
        inputs = min(max(ceil(degree), nodes // 100), nodes - 1)
    inputs = _whole(inputs, "inputs", 1)
    if inputs >= nodes:
        raise ArgumentError(f"inputs={inputs}, and of {nodes:,} nodes one at least is none")
    name = activation_named(activation).name
    _require_room(nodes, ceil(degree * (nodes - inputs)))
    random = _random(seed)
    degrees = np.zeros(nodes, np.int64)
    degrees[inputs:] = _degrees(random, nodes, degree, inputs, law)
    first = np.zeros(nodes + 1, np.int64)
    np.cumsum(degrees, out=first[1:])
    edges = int(first[-1])
    drawn = random.random(edges)
    source = np.empty(edges, np.uint32)
    free = np.empty(edges, np.int32 if edges < 2**31 else np.int64)
    _draw(first, drawn, random.random(nodes), free, source)
    del free
    level, source, first = _by_level(source, first)
    random.standard_normal(out=drawn)
    degrees = np.diff(first)
    drawn /= np.repeat(np.sqrt(degrees), degrees)
    return _definition(level, first, source, drawn, name, name)


def _degrees(random: np.random.Generator, nodes: int, degree: float, inputs: int, law: str) -> Ints:
    """Draw how many edges lead to each node that is no input."""
    count = nodes - inputs
    if law == "uniform":
        degrees = np.full(count, int(degree))
    elif law == "poisson":
        degrees = 1 + random.poisson(degree - 1, count)
    else:
        # Lomax's law with the tail x^-2 has mean 1. Rounding up or down by chance keeps the mean.
        tail = 1 + (degree - 1) * random.pareto(2, count) + random.random(count)
        degrees = np.minimum(tail, nodes).astype(np.int64)
    np.minimum(degrees, np.arange(inputs, nodes), out=degrees)
    missing = nodes - 1 - int(degrees.sum())
    if missing > 0:  # or some node would have no edge to feed another by
        degrees += np.bincount(random.integers(count, size=missing), minlength=count)
    return degrees


@compiled
def _draw(first: Any, drawn: Any, which: Any, free: Any, source: Any) -> None:
    """Draw a source for every edge, so that each node but the last feeds a later one.

    From the last node but one downwards, each takes an edge by chance from those that lead to
    later nodes and are ``free`` yet; at least one always is, since every later node has one. What
    is left over comes from any earlier node. The random numbers are in [0, 1).
    """
    count = 0
    for z in range(len(first) - 3, -1, -1):
        u = z + 1
        for e in range(first[u], first[u + 1]):
            free[count] = e
            count += 1
            source[e] = np.uint32(drawn[e] * u)
        at = int(which[z] * count)
        source[free[at]] = z
        count -= 1
        free[at] = free[count]


def _by_level(source: Ints, first: Ints) -> tuple[Ints, Ints, Ints]:
    """Number nodes by level and then as they are; return levels, sources and first edges."""
    level, _ = levels(source, ByTarget(first, None))
    order = in_order(level)
    if order is None:
        return level, source, first
    at = np.empty(len(level), np.uint32)
    at[order] = np.arange(len(level), dtype=np.uint32)
    begins, laid, nothing = np.zeros_like(first), np.empty_like(source), np.empty(0)
    lay(
        order,
        at,
        Edges(first, source, nothing, _NOTHING),
        Edges(begins, laid, nothing, _NOTHING),
    )
    return level[order], laid, begins


def article() -> Given:
    """Make the network of the article's figures; see :meth:`Network.article`."""
    z1, z2, z3, u1, u2, u3, u4, y, f = range(9)
    tied = 0.2
    edges = [
        (z1, u1, 0.5),
        (z2, u1, -0.3),
        (z2, u2, tied),
        (z3, u2, 0.8),
        (u1, u3, 0.7),
        (u2, u3, tied),
        (u1, u4, -0.6),
        (u2, u4, 0.9),
        (u3, y, 1.1),
        (u4, y, -0.4),
        (z1, y, 0.1),
        (y, f, 1.0),
    ]
    source, target, weight = zip(*edges, strict=True)
    bias = np.zeros(9)
    bias[f] = -1.0
    activations = ["tanh"] * 7 + [IDENTITY, "square"]
    return Given(source, target, weight, bias, activations, f)


def _definition(
    level: Ints, inputs: Ints, source: Ints, weight: Floats, activation: str, output: str
) -> Definition:
    """Define a network whose nodes stand by level, and all lead to the last: nothing is checked."""
    nodes = len(level)
    names = tuple(sorted({activation, output}))
    given = level == 0
    op = np.where(given, -1, names.index(activation)).astype(np.int16)
    op[-1] = names.index(output)
    return Definition(
        names=names,
        kind=np.where(given, LEAF, WEIGHTED).astype(np.uint8),
        op=op,
        live=np.ones(nodes, np.uint8),
        level=level,
        bias=np.zeros(nodes),
        source=source,
        weight=weight,
        by_target=ByTarget(inputs, None),
        leaves=np.flatnonzero(given),
        constants=np.empty(0, np.int64),
        constant_values=np.empty(0),
        output=nodes - 1,
        num_edges=len(source),
    )


def _require_room(nodes: int, edges: int) -> None:
    if nodes > MOST_NODES:
        raise ArgumentError(f"{nodes:,} nodes were asked for, and there can be {MOST_NODES:,}")
    require_memory(EDGE_BYTES * edges + NODE_BYTES * nodes, f"{edges:,} edges")


def _random(seed: int) -> np.random.Generator:
    return np.random.default_rng(_whole(seed, "seed", 0))


def _whole(given: Any, what: str, least: int) -> int:
    if not isinstance(given, int | np.integer) or isinstance(given, bool) or given < least:
        raise ArgumentError(f"{what}={given!r:.40}; give a whole number, {least} or more")
    return int(given)


def _mean(given: Any) -> float:
    if not isinstance(given, int | float | np.integer | np.floating) or isinstance(given, bool):
        raise ArgumentError(f"degree={given!r:.40}; give a number, 1 or more")
    if not 1 <= given < inf:
        raise ArgumentError(f"degree={given}; give a number, 1 or more")
    return given  # type: ignore[return-value]
