"""What a network can be made of: the checks of what its maker gives, before work starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import ArgumentError, CycleError
from ...outline import Ints
from ..given import Activations
from ..kernels.operations import activation as activation_named
from ..piece import Floats

EDGE_BYTES = 40
"""At most so many bytes an edge are taken beyond the arrays given, building and running."""

NODE_BYTES = 100
"""And so many a node, where a network has few edges."""

MOST_NODES = 2**31 - 1
"""Nodes are numbered in 31 bits; edges in 63."""


def node_numbers(given: Any, what: str) -> Ints:
    """Return node numbers as integers of 32 or 64 bits."""
    try:
        array = np.asarray(given)
    except ValueError as error:
        raise ArgumentError(f"{what} is no list of nodes: {error}") from None
    if array.ndim != 1:
        raise ArgumentError(f"{what} has {array.ndim} axes, and a list of nodes has one")
    if array.dtype.kind not in "iu":
        if array.size and array.dtype.kind == "f" and np.all(array == np.rint(array)):
            raise ArgumentError(f"{what} is {array.dtype}; give whole numbers (.astype(np.int64))")
        if array.size:
            raise ArgumentError(f"{what} is {array.dtype}, and nodes are numbered by integers")
        return np.empty(0, np.int64)
    if array.dtype in (np.int32, np.int64, np.uint32):
        return np.ascontiguousarray(array)
    if array.dtype == np.uint64 and array.size and int(array.max()) > MOST_NODES:
        raise ArgumentError(f"{what} names node {array.max()}, past the most, {MOST_NODES}")
    return array.astype(np.int64)


def real_numbers(given: Any, what: str) -> Floats:
    """Return numbers of one axis or none, as float64."""
    array = as_float64(given, f"{what} is")
    if array.ndim > 1:
        raise ArgumentError(f"{what} has {array.ndim} axes; give one number each, or one for all")
    return array


def as_float64(given: Any, what: str) -> Floats:
    """Return real numbers as float64; ``what`` begins the error, with its verb."""
    try:
        if np.iscomplexobj(given):
            raise ArgumentError(f"{what} complex, and a network's numbers are real")
        array = np.asarray(given)
        if array.dtype == object and any(each is None for each in array.flat):
            raise TypeError("None is no number")
        return array.astype(np.float64, copy=False)
    except ArgumentError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise ArgumentError(f"{what} not made of numbers: {error}") from None


def count_nodes(source: Ints, target: Ints, bias: Floats, activation: Activations) -> int:
    """Return how many nodes there are: as many as have a bias or activation, or as are named."""
    named = 1 + max(int(source.max()), int(target.max()))
    if named > MOST_NODES:
        raise ArgumentError(f"node {named - 1} is named, and there can be {MOST_NODES:,} nodes")
    counts = {len(bias)} if bias.ndim else set()
    if not isinstance(activation, str):
        if np.ndim(activation) != 1:
            raise ArgumentError(
                f"activation={activation!r:.40} is no name, and no list with a name for each node"
            )
        counts.add(len(activation))
    if len(counts) > 1:
        raise ArgumentError(
            f"there are {len(bias)} biases and {len(activation)} activations; give one a node"
        )
    nodes = counts.pop() if counts else named
    if nodes > MOST_NODES:
        raise ArgumentError(f"there are {nodes:,} nodes, and there can be {MOST_NODES:,} nodes")
    return nodes


def one_each(numbers: Floats, count: int, what: str, of: str) -> Floats:
    """Return a number for each edge or node, of one for all or of as many."""
    if not count:
        raise ArgumentError(f"this network has no {what}: its {of} take none")
    if numbers.ndim and len(numbers) != count:
        raise ArgumentError(f"there are {len(numbers)} {what} and {count} {of}")
    return np.broadcast_to(numbers, count)


def require_edges(source: Ints, target: Ints, nodes: int) -> None:
    """Raise unless all edges join two nodes that are there; names the first that does not."""
    for ends, what in ((source, "comes from"), (target, "leads to")):
        if ends.min() < 0 or ends.max() >= nodes:
            e = int(np.flatnonzero((ends < 0) | (ends >= nodes))[0])
            raise ArgumentError(
                f"edge {e} is dangling: it {what} node {ends[e]}, "
                f"and there are nodes 0 to {nodes - 1}"
            )
    loops = source == target
    if loops.any():
        e = int(np.flatnonzero(loops)[0])
        raise CycleError(
            f"edge {e} leads from node {source[e]} to itself, a cycle; back-propagation needs an "
            f"acyclic network"
        )


def require_finite(numbers: Floats, what: str, of: str) -> None:
    """Raise at the first number that is NaN or infinite."""
    bad = ~np.isfinite(numbers)
    if not bad.any():
        return
    if not numbers.ndim:
        raise ArgumentError(f"the {what} is {numbers}")
    k = int(np.flatnonzero(bad)[0])
    raise ArgumentError(f"the {what} of {of} {k} is {numbers[k]}")


def activation_numbers(activation: Activations, nodes: int) -> tuple[tuple[str, ...], Any]:
    """Return the names of the operations, and each node's number among them."""
    if isinstance(activation, str):
        return (activation_named(activation).name,), 0
    given, op = np.unique(np.asarray(activation, dtype=str), return_inverse=True)
    found = [activation_named(name).name for name in given]
    names = tuple(sorted(set(found)))
    return names, np.array([names.index(name) for name in found])[op]


def output_number(output: int | None, nodes: int) -> int:
    """Return the output's number."""
    if output is None:
        return nodes - 1
    if not isinstance(output, int | np.integer) or isinstance(output, bool):
        raise ArgumentError(f"output={output!r:.40} is no node; give its number")
    if not -nodes <= output < nodes:
        raise ArgumentError(f"the output is node {output}, and there are nodes 0 to {nodes - 1}")
    return int(output) % nodes


def cycle_path(nodes: Sequence[int]) -> str:
    """Write nodes with arrows between, the middle left out where they are many."""
    shown = [str(u) for u in nodes]
    if len(shown) > 12:
        shown = [*shown[:6], f"({len(shown) - 11} more)", *shown[-5:]]
    return " -> ".join(shown)
