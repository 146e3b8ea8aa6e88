"""Gradients of plain functions, in this process: trace, send the wave, forget the network."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..graph.signature import Argnums, Shape
from ..node import Nodes
from ..tracing.trace import Recording, record
from .one_pass import again, send, value_of


def known(
    f: Callable[..., Any], args: tuple[Any, ...], argnums: Argnums, has_aux: bool = False
) -> tuple[Recording, Nodes]:
    """Trace ``f(*args)``; return the recording, and its nodes with their values."""
    recording = record(f, args, argnums, has_aux)
    if any(isinstance(leaf, Shape) for leaf in recording.flat.leaves):
        raise ArgumentError("a gradient needs arrays; bw.Shape is for bw.trace")
    nodes = Nodes(recording.graph.instructions)
    nodes.values = dict(enumerate(recording.values))
    nodes.forget()
    return recording, nodes


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
        S = graph.first_S()
        if not derived:
            graph.require_dependence()  # but a derivative of a derivative may well be 0
        send(graph, nodes, {graph.output: S})
        value = nodes.values[graph.output]
        return (value, aux) if has_aux else value, graph.signature.gradients(
            flat.structure, nodes.S
        )

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
        send(graph, nodes, graph.signature.S_like(S))
        result: tuple[Any, ...] = graph.signature.gradients(flat.structure, nodes.S)
        return result

    value = value_of(graph, traced)
    return (value, back, aux) if has_aux else (value, back)
