"""From a function in plain NumPy to its network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import optree

from ..arrays import Array, is_float
from ..errors import ArgumentError, TraceError
from ..graph.graph import Graph
from ..graph.signature import Argnums, Shape, at_rest, differentiated_arguments
from ..pytree import Flat, flatten, flatten_tree, map_tree
from ..rules import Abstract
from . import faces  # noqa: F401  registers how NumPy's functions are traced
from .tape import Tape
from .traced import Traced


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
