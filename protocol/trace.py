"""From a function in plain NumPy to its network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import optree

from . import faces  # noqa: F401  registers how NumPy's functions are traced
from .arrays import Array, is_float, settle
from .errors import ArgumentError, TraceError
from .graph import Graph
from .rules import Abstract
from .traced import Tape, Traced, require_dtype


@dataclass(frozen=True, init=False)
class Shape:
    """A shape and a dtype instead of an array, for a trace that allocates nothing."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __init__(self, shape: int | tuple[int, ...], dtype: Any = np.float64) -> None:
        lengths = (shape,) if isinstance(shape, int) else tuple(shape)
        if any(length < 0 for length in lengths):
            raise ArgumentError(f"Shape{lengths}: a length cannot be negative")
        object.__setattr__(self, "shape", lengths)
        object.__setattr__(self, "dtype", np.dtype(dtype))
        require_dtype(self.dtype, "a Shape")


Argnums = int | tuple[int, ...] | None


def trace(f: Callable[..., Any], *args: Any, argnums: Argnums = None) -> Graph:
    """Record the network that ``f(*args)`` computes.

    Args:
        f: a function in plain NumPy that returns one array or number.
        *args: pytrees of arrays and numbers; :class:`Shape` in place of an array makes the trace
            abstract: shapes only, and nothing is allocated.
        argnums: which arguments are differentiated; None means all (of their arrays, those of a
            floating-point dtype).

    Returns:
        The graph; it can be run again with other leaf values of the same shapes.

    Raises:
        TraceError: the function uses a node in a way that a network cannot hold.
        ShapeError: shapes do not fit, with the user's line.
        UnknownPrimitiveError: an operation has no rule.

    """
    return trace_with_values(f, args, argnums)[0]


def trace_with_values(
    f: Callable[..., Any], args: tuple[Any, ...], argnums: Argnums = None
) -> tuple[Graph, list[Array]]:
    """Record the network, and return every node's value as well (None in an abstract trace)."""
    flat = flatten(args)
    chosen = differentiated_arguments(len(args), argnums)
    tape = Tape(any(isinstance(leaf, Shape) for leaf in flat.leaves))
    traced = []
    for leaf, argument, path in zip(flat.leaves, flat.arguments, flat.paths(), strict=True):
        value = Abstract(leaf.shape, leaf.dtype) if isinstance(leaf, Shape) else at_rest(leaf, path)
        varies = argument in chosen
        if varies and not is_float(np.dtype(value.dtype)):
            if argnums is not None:
                raise ArgumentError(
                    f"{path} is {value.dtype}, and a derivative needs floating point; "
                    f"convert it with .astype(float), or leave argument {argument} out of argnums"
                )
            varies = False
        traced.append(tape.leaf(value, argument, path, varies))
    try:
        result = f(*optree.tree_unflatten(flat.structure, traced))
    except ValueError as error:
        # NumPy puts an error of its own before ours where a node is assigned into an array.
        if isinstance(error.__cause__, TraceError):
            raise error.__cause__ from None
        raise
    output = _output(result, tape, f)
    return tape.graph(output, len(args), argnums, getattr(f, "__name__", ""))


def _output(result: Any, tape: Tape, f: Callable[..., Any]) -> Traced:
    if isinstance(result, Traced) and result.tape is tape:
        return result
    name = getattr(f, "__name__", "the function")
    if isinstance(result, Traced | np.ndarray | np.generic | int | float | complex):
        return tape.constant(result)
    raise TraceError(
        f"{name} returned {type(result).__name__}, and a network's output is one array or number"
    )


def differentiated_arguments(count: int, argnums: Argnums) -> set[int]:
    """Return the places of the differentiated arguments, checked."""
    if argnums is None:
        return set(range(count))
    given = argnums if isinstance(argnums, tuple) else (argnums,)
    for place in given:
        if not -count <= place < count:
            raise ArgumentError(f"argnums={argnums}, but there are only {count} arguments")
    return {place % count for place in given}


def at_rest(value: Any, path: str) -> Array:
    """Return a leaf's value as nodes hold it, or say why it cannot be one."""
    if type(value) is np.float64 or isinstance(value, Traced):
        return value
    if isinstance(value, bool | int | float | complex | np.generic | np.ndarray):
        require_dtype(np.asarray(value).dtype, path)
        return settle(value)
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return settle(value)
    raise ArgumentError(
        f"{path} is {type(value).__name__}, not an array or a number; "
        f"close over it, or bind it with functools.partial"
    )


class Flat:
    """Arguments as a flat list of leaves, which argument each is in, and where in it."""

    __slots__ = ("arguments", "leaves", "structure")

    def __init__(self, args: tuple[Any, ...]) -> None:
        tree: Any = args
        self.leaves: list[Any]
        self.leaves, self.structure = optree.tree_flatten(tree)
        self.arguments: list[int] = []
        for argument, child in enumerate(self.structure.children()):
            self.arguments.extend([argument] * child.num_leaves)

    def paths(self) -> list[str]:
        """Return each leaf's path, such as ``args[0]['weight']``."""
        return [accessor.codify("args") for accessor in self.structure.accessors()]


def flatten(args: tuple[Any, ...]) -> Flat:
    """Flatten the arguments, which are pytrees."""
    return Flat(args)


def leaf_values(graph: Graph, args: tuple[Any, ...]) -> tuple[list[Array], Flat]:
    """Return the leaf values that ``args`` gives the graph, checked against its trace.

    Raises:
        ArgumentError: the arguments have another structure, shape or dtype than was traced.

    """
    flat = flatten(args)
    if len(args) != graph.arguments or len(flat.leaves) != len(graph.leaves):
        raise ArgumentError(
            f"the graph was traced with {graph.arguments} arguments holding {len(graph.leaves)} "
            f"arrays, and was given {len(args)} holding {len(flat.leaves)}"
        )
    values = []
    for leaf, value in zip(graph.leaves, flat.leaves, strict=True):
        node = graph.nodes[leaf.node]
        settled = at_rest(value, leaf.path)
        if settled.shape != node.shape or settled.dtype != node.dtype:
            raise ArgumentError(
                f"{leaf.path} is {settled.dtype}{list(settled.shape)}, and the graph was traced "
                f"with {node.dtype}{list(node.shape)}; trace it again for other shapes"
            )
        values.append(settled)
    if len(graph.leaves) > 1 and flat.paths() != [leaf.path for leaf in graph.leaves]:
        raise ArgumentError(
            f"the arguments are built otherwise than those that were traced: "
            f"{', '.join(flat.paths())} instead of {', '.join(leaf.path for leaf in graph.leaves)}"
        )
    return values, flat


def unflatten_gradients(graph: Graph, flat: Flat, gradients: list[Any]) -> Any:
    """Give the gradients the structure of the differentiated arguments.

    ``gradients`` has one entry per leaf, None where it is not differentiated.
    """
    children = flat.structure.children()
    by_argument: list[Any] = []
    start = 0
    for child in children:
        end = start + child.num_leaves
        by_argument.append(optree.tree_unflatten(child, gradients[start:end]))
        start = end
    if isinstance(graph.argnums, int):
        return by_argument[graph.argnums]
    if graph.argnums is None:
        return tuple(by_argument)
    return tuple(by_argument[place] for place in graph.argnums)
