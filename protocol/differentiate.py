"""Gradients of plain functions, in this process: trace, send the wave, forget the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import numpy as np
import optree

from .arrays import Array, settle
from .backward import S_at, first_S, gradients, ledger_of, rules_of
from .errors import ArgumentError
from .graph import Graph
from .node import Nodes
from .pytree import flatten_tree, pattern
from .sweep import sweep
from .trace import Argnums, Recording, Shape, record


def known(
    f: Callable[..., Any], args: tuple[Any, ...], argnums: Argnums, has_aux: bool = False
) -> tuple[Recording, Nodes]:
    """Trace ``f(*args)``; return the recording, and its nodes with their values."""
    recording = record(f, args, argnums, has_aux)
    if any(isinstance(leaf, Shape) for leaf in recording.flat.leaves):
        raise ArgumentError("a gradient needs arrays; bw.Shape is for bw.trace")
    nodes = Nodes(rules_of(recording.graph))
    nodes.values = dict(enumerate(recording.values))
    nodes.forget()
    return recording, nodes


def again(nodes: Nodes) -> Nodes:
    """Return the same nodes with the same values, before any wave."""
    fresh = Nodes(nodes.rules)
    fresh.values = dict(nodes.values)
    fresh.forget()
    return fresh


def bound(f: Callable[..., Any], kwargs: dict[str, Any]) -> Callable[..., Any]:
    """Return ``f`` with its keyword arguments given: they are not differentiated."""
    return (lambda *args: f(*args, **kwargs)) if kwargs else f


def value_and_grad(
    f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that gives ``(f(*args), gradient)``.

    Args:
        f: a function in plain NumPy whose value is one number.
        argnums: the differentiated argument, a tuple of them, or None for all. The gradient has
            its structure and shapes, or is a tuple with one structure per argument. Keyword
            arguments are not differentiated.
        has_aux: ``f`` returns a pair, its value and anything else (intermediate results, say);
            the function then gives ``((value, aux), gradient)``.

    Raises:
        NotScalarError: the value is not one number.
        IndependentOutputError: the value does not depend on what is differentiated.
        ArgumentError: ``argnums`` does not fit, or names an argument of integers.
        TraceError: the function uses a node in a way that a network cannot hold.

    Example:
        ``value, gradient = bw.value_and_grad(loss)(params, images, labels)``

    """

    @wraps(f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        (graph, _, flat, aux, derived), nodes = known(bound(f, kwargs), args, argnums, has_aux)
        S = first_S(graph, None)
        if not derived:
            graph.require_dependence()  # but a derivative of a derivative may well be 0
        send(nodes, {graph.output: S})
        value = nodes.values[graph.output]
        return (value, aux) if has_aux else value, gradients(graph, flat, nodes.S)

    return value_and_gradient


def grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that gives the gradient of ``f``.

    Args:
        f: a function in plain NumPy whose value is one number.
        argnums: the differentiated argument, a tuple of them, or None for all. The gradient has
            its structure and shapes, or is a tuple with one structure per argument. Keyword
            arguments are not differentiated.
        has_aux: ``f`` returns a pair, its value and anything else; the function then gives
            ``(gradient, aux)``.

    Raises:
        BackwaveError: as :func:`value_and_grad`.

    Example:
        ``bw.grad(lambda x: np.sum(np.tanh(x)))(np.arange(3.0))``

    """
    both = value_and_grad(f, argnums, has_aux)

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def vjp(f: Callable[..., Any], *args: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Return ``f(*args)`` and the function that maps S at the output to S at the arguments.

    The output may be an array, or a pytree of arrays: S then has its structure and shapes, and
    the result is Sᵀ·∂f/∂(argument) for each argument, a tuple with one structure per argument.
    With ``has_aux``, ``f`` returns a pair, and what else it returned comes third.

    Raises:
        TraceError: the function uses a node in a way that a network cannot hold.
        ArgumentError: from the function returned: S has another structure or shape than the value.

    Example:
        ``value, back = bw.vjp(np.tanh, x); (gradient,) = back(np.ones_like(x))``

    """
    (graph, _, flat, aux, _), traced = known(f, args, None, has_aux)
    for leaf in graph.leaves:  # the caller may change an argument before the wave is sent
        value = traced.values[leaf.node]
        if isinstance(value, np.ndarray):
            traced.values[leaf.node] = value.copy(order="K")

    def back(S: Any) -> tuple[Any, ...]:
        nodes = again(traced)
        send(nodes, S_like(graph, S))
        result: tuple[Any, ...] = gradients(graph, flat, nodes.S)
        return result

    value = value_of(graph, traced)
    return (value, back, aux) if has_aux else (value, back)


def send(nodes: Nodes, S: Mapping[int, Array]) -> None:
    """Send one wave from S at the outputs (0 if not given), and check its ledger.

    Nothing is sent through outputs that depend on nothing.
    """
    graph = nodes.rules.graph
    if any(graph.on_network[u] for u in S):
        sweep(nodes, {u: S[u] if u in S else zeros(graph, u) for u in graph.outputs}, keep=False)
        ledger_of(nodes)


def zeros(graph: Graph, u: int) -> Array:
    """Return zeros like the value of a node."""
    node = graph.nodes[u]
    return settle(np.zeros(node.shape, node.dtype))


def value_of(graph: Graph, nodes: Nodes) -> Any:
    """Return the value of the function, in its structure; the caller may change it."""
    values = [settle(nodes.values[u]).copy(order="K") for u in graph.outputs]
    return shaped(graph, values)


def shaped(graph: Graph, values: list[Any]) -> Any:
    """Give what belongs to the outputs, one each, the structure of the function's value."""
    if graph.gives is not None:
        return optree.tree_unflatten(graph.gives, values)
    return values[0] if len(values) == 1 else tuple(values)


def S_like(graph: Graph, S: Any) -> dict[int, Array]:
    """Return S by output, from a pytree like the function's value.

    Raises:
        ArgumentError: it has another structure, or an S has another shape than its output.

    """
    leaves, structure = flatten_tree(S)
    if len(leaves) != len(graph.outputs) or (
        graph.gives is not None and structure != graph.gives and len(leaves) > 1
    ):
        raise ArgumentError(
            f"S has the structure {pattern(structure)}, and the function's value has "
            f"{pattern(graph.gives)}"
        )
    found: dict[int, Array] = {}
    for u, given in zip(graph.outputs, leaves, strict=True):
        # The gradient may be the very same array, so it is a copy.
        start = S_at(graph, u, given).copy(order="K")
        found[u] = found[u] + start if u in found else start
    return found
