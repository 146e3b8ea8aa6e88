"""Gradients of plain functions, in this process: trace, send the wave, forget the network."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from .arrays import Array, settle
from .backward import first_S, gradients, ledger_of, rules_of, sweep
from .errors import ArgumentError
from .graph import Graph
from .node import Nodes
from .trace import Argnums, Flat, Shape, flatten, trace_with_values


def _traced(
    f: Callable[..., Any], args: tuple[Any, ...], argnums: Argnums
) -> tuple[Graph, Nodes, Flat]:
    flat = flatten(args)
    if any(isinstance(leaf, Shape) for leaf in flat.leaves):
        raise ArgumentError("a gradient needs arrays; bw.Shape is for bw.trace")
    graph, values = trace_with_values(f, args, argnums)
    nodes = Nodes(rules_of(graph))
    nodes.values = dict(enumerate(values))
    return graph, nodes, flat


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """Return a function that gives ``(f(*args), gradient)``.

    Args:
        f: a function in plain NumPy whose value is one number.
        argnums: the differentiated argument, or a tuple of them. The gradient has its structure,
            or is a tuple with one structure per argument.

    Example:
        ``value, gradient = bw.value_and_grad(loss)(params, images, labels)``

    """

    @wraps(f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        bound = (lambda *leading: f(*leading, **kwargs)) if kwargs else f
        graph, nodes, flat = _traced(bound, args, argnums)
        graph.require_dependence()
        sweep(nodes, first_S(graph, None), keep=False)
        ledger_of(nodes)
        return nodes.values[graph.output], gradients(graph, flat, nodes.S)

    return value_and_gradient


def grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """Return a function that gives the gradient of ``f``.

    Args:
        f: a function in plain NumPy whose value is one number.
        argnums: the differentiated argument, or a tuple of them.

    Example:
        ``bw.grad(lambda x: np.sum(np.tanh(x)))(np.arange(3.0))``

    """
    both = value_and_grad(f, argnums)

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


def vjp(f: Callable[..., Any], *args: Any) -> tuple[Array, Callable[[Array], tuple[Any, ...]]]:
    """Return ``f(*args)`` and the function that maps S at the output to S at the arguments.

    The output may be an array: S then has its shape, and the result is Sᵀ·∂f/∂(argument) for each
    argument, a tuple with one structure per argument.

    Example:
        ``value, back = bw.vjp(np.tanh, x); (gradient,) = back(np.ones_like(x))``

    """
    graph, known, flat = _traced(f, args, None)

    def back(S: Array) -> tuple[Any, ...]:
        nodes = Nodes(known.rules)
        nodes.values = dict(known.values)
        start = first_S(graph, S).copy(order="K")  # the gradient may be the very same array
        if graph.on_network[graph.output]:
            sweep(nodes, start, keep=False)
            ledger_of(nodes)
        result: tuple[Any, ...] = gradients(graph, flat, nodes.S)
        return result

    # A copy: the caller may change it in place, and the wave still needs it.
    return settle(known.values[graph.output]).copy(order="K"), back
