"""From a function in plain NumPy to its network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import index
from typing import Any, NamedTuple

import numpy as np
import optree

from . import faces  # noqa: F401  registers how NumPy's functions are traced
from .arrays import Array, is_float, settle
from .errors import ArgumentError, TraceError
from .graph import Graph, Leaf
from .pytree import Flat, flatten, flatten_tree, map_tree
from .rules import Abstract
from .tape import Tape, require_dtype
from .traced import Traced


@dataclass(frozen=True, init=False)
class Shape:
    """A shape and a dtype instead of an array, for a trace that allocates nothing."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __init__(self, shape: int | tuple[int, ...], dtype: Any = np.float64) -> None:
        try:
            each = shape if isinstance(shape, tuple | list) else (shape,)
            lengths = tuple(index(length) for length in each)
            known = np.dtype(dtype)
        except TypeError as error:
            raise ArgumentError(f"bw.Shape({shape!r:.40}, {dtype!r:.40}): {error}") from None
        if any(length < 0 for length in lengths):
            raise ArgumentError(f"Shape{lengths}: a length cannot be negative")
        object.__setattr__(self, "shape", lengths)
        object.__setattr__(self, "dtype", known)
        require_dtype(known, "a Shape")


Argnums = int | tuple[int, ...] | None


def trace(f: Callable[..., Any], *args: Any, argnums: Argnums = None) -> Graph:
    """Record the network that ``f(*args)`` computes.

    Args:
        f: a function in plain NumPy that returns an array or a number, or a pytree of several.
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
    return record(f, args, argnums).graph


class Recording(NamedTuple):
    """What a trace gives.

    The graph, the value of each node, the arguments, what else the function returned, and whether
    it took a derivative itself.
    """

    graph: Graph
    values: list[Array]
    flat: Flat
    aux: Any
    derived: bool


def record(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    argnums: Argnums = None,
    has_aux: bool = False,
) -> Recording:
    """Record the network, and keep every node's value as well (None in an abstract trace)."""
    if not callable(f):
        raise ArgumentError(f"{f!r:.40} is {type(f).__name__}, and a function is needed")
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
    aux = None
    if has_aux:
        result, aux = _with_aux(result, tape, f)
    outputs, gives = _outputs(result, tape, f)
    graph, values = tape.graph(
        outputs,
        arguments=len(args),
        argnums=argnums,
        name=getattr(f, "__name__", ""),
        takes=flat.structure,
        gives=gives,
    )
    return Recording(graph, values, flat, aux, tape.derived)


_NUMBERS = Traced | np.ndarray | np.generic | int | float | complex


def _outputs(result: Any, tape: Tape, f: Callable[..., Any]) -> tuple[list[Traced], Any]:
    """Return the outputs, and the structure that they have in the function's value."""
    leaves, structure = flatten_tree(result)
    if not leaves or not all(isinstance(leaf, _NUMBERS) for leaf in leaves):
        wrong = next((leaf for leaf in leaves if not isinstance(leaf, _NUMBERS)), result)
        raise TraceError(
            f"{getattr(f, '__name__', 'the function')} returned {type(wrong).__name__}"
            f"{'' if wrong is result else f' in its {type(result).__name__}'}, and a network's "
            f"outputs are arrays and numbers; has_aux=True takes what else there is"
        )
    outputs = [
        leaf if isinstance(leaf, Traced) and leaf.tape is tape else tape.constant(leaf)
        for leaf in leaves
    ]
    return outputs, structure


def _with_aux(result: Any, tape: Tape, f: Callable[..., Any]) -> tuple[Any, Any]:
    """Part the value from what else the function returned, with values instead of nodes."""
    if not isinstance(result, tuple) or len(result) != 2:
        raise TraceError(
            f"{getattr(f, '__name__', 'the function')} returned {type(result).__name__}, and with "
            f"has_aux=True it must return a pair: the value, and anything else"
        )

    def value_of(leaf: Any) -> Any:
        return leaf.value if isinstance(leaf, Traced) and leaf.tape is tape else leaf

    return result[0], map_tree(value_of, result[1])


def differentiated_arguments(count: int, argnums: Argnums) -> set[int]:
    """Return the places of the differentiated arguments, checked."""
    if argnums is None:
        return set(range(count))
    given = argnums if isinstance(argnums, tuple) else (argnums,)
    for place in given:
        if type(place) is not int:
            raise ArgumentError(f"argnums={argnums!r:.40}: give an int, or a tuple of ints")
        if not -count <= place < count:
            raise ArgumentError(f"argnums={argnums}, but there are only {count} arguments")
    chosen = {place % count for place in given}
    if len(chosen) < len(given):
        raise ArgumentError(f"argnums={argnums} names an argument twice")
    return chosen


def at_rest(value: Any, path: str) -> Array:
    """Return a leaf's value as nodes hold it, or say why it cannot be one."""
    if type(value) is np.float64 or isinstance(value, Traced):
        return value
    if isinstance(value, bool | int | float | complex | np.generic | np.ndarray):
        require_dtype(np.asarray(value).dtype, path)
        return settle(value)
    if isinstance(value, Shape):
        raise ArgumentError(f"{path} is a bw.Shape, and an array is needed; bw.trace takes shapes")
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return settle(value)
    raise ArgumentError(
        f"{path} is {type(value).__name__}, not an array or a number; "
        f"close over it, or bind it with functools.partial"
    )


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


def gradient_leaves(graph: Graph) -> list[Leaf]:
    """Return the differentiated leaves in the order in which a gradient has them: argnums'."""
    varying = [leaf for leaf in graph.leaves if leaf.differentiated]
    if not isinstance(graph.argnums, tuple):
        return varying
    order = [place % graph.arguments for place in graph.argnums]
    return sorted(varying, key=lambda leaf: order.index(leaf.argument))


def unflatten_gradients(graph: Graph, structure: Any, gradients: list[Any]) -> Any:
    """Give the gradients the structure of the differentiated arguments.

    ``structure`` is that of all arguments; ``gradients`` has one entry per leaf, None where it is
    not differentiated.
    """
    children = structure.children()
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
