"""Derivatives beyond one gradient: forward mode, Jacobians, Hessians and their products.

All are waves. A Jacobian is one wave an output; forward mode is a wave through the transposed
network, whose messages are linear in S; a Hessian-vector product is a wave through the network of
⟨∇f, v⟩.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from inspect import signature
from typing import Any

import numpy as np
import optree

from ..arrays import Array, settle
from ..errors import ArgumentError
from ..graph.graph import Graph
from ..graph.signature import Argnums
from ..node import Nodes
from ..parts import Leaf
from ..tracing.trace import Recording
from .backward import backward
from .gradient import bound, known
from .gradient_network import gradient_network, hvp_network, transposed_network
from .one_pass import again, fired, send, value_of, zeros


def jvp(
    f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False
) -> tuple[Any, ...]:
    """Return ``f(*primals)`` and its derivative along ``tangents``.

    Args:
        f: a function in plain NumPy; its value is an array, a number, or a pytree of them.
        primals: the arguments.
        tangents: for each argument the direction in which it moves, of the same structure and
            shapes (None where an array does not vary).
        has_aux: ``f`` returns a pair, and what else it returned comes third.

    Raises:
        ArgumentError: a tangent has another structure or shape than its argument.

    Example:
        ``value, slope = bw.jvp(np.tanh, (x,), (v,))``

    """
    if not isinstance(primals, tuple | list) or not isinstance(tangents, tuple | list):
        raise ArgumentError("bw.jvp takes two tuples, (x, ...) and (v, ...): one v an argument")
    if len(primals) != len(tangents):
        raise ArgumentError(f"{len(primals)} arguments and {len(tangents)} tangents")
    recording, nodes = known(f, tuple(primals), None, has_aux)
    graph = recording.graph
    value = value_of(graph, nodes)
    columns = Columns(recording)
    v = graph.signature.directions(recording.flat.structure, tuple(tangents), whole=True)
    slope = graph.signature.value(columns.along(v))
    return (value, slope, recording.aux) if has_aux else (value, slope)


class Columns:
    """The derivative of a traced function along directions: waves through its transpose."""

    def __init__(self, recording: Recording) -> None:
        self.original = recording.graph
        self.network = transposed_network(recording.graph)
        leaves = [recording.values[leaf.node] for leaf in recording.graph.leaves]
        start = [zeros(recording.graph, u) for u in recording.graph.outputs]
        self._known = fired(self.network, [*leaves, *start])

    def along(self, v: Sequence[Array]) -> list[Array]:
        """Return the derivative of each output; ``v`` has a direction for each varying leaf."""
        nodes = again(self._known)
        given: dict[int, Array] = {}
        for u, each in zip(self.network.outputs, v, strict=True):
            given[u] = given[u] + each if u in given else each
        send(self.network, nodes, given)
        varying = [leaf.node for leaf in self.network.leaves if leaf.differentiated]
        return [
            nodes.S[leaf] if leaf in nodes.S else zeros(self.original, u)
            for leaf, u in zip(varying, self.original.outputs, strict=True)
        ]


def hvp(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that gives the Hessian of ``f`` times a vector.

    It takes the arguments of ``f`` and then v. The cost is a small constant times that of the
    gradient, whatever the size of the Hessian.

    Args:
        f: a function in plain NumPy whose value is one number.
        argnums: the differentiated argument, a tuple of them, or None for all. v and the product
            have its structure and shapes; where ``argnums`` is a tuple, or there are several, they
            are tuples with one structure per argument. Keyword arguments are not differentiated.
        has_aux: ``f`` returns a pair, its value and anything else; the function then gives
            ``(product, aux)``.

    Raises:
        NotScalarError: the value is not one number.
        ArgumentError: v is missing, or has another structure or shape than what is differentiated.

    Example:
        ``bw.hvp(rosenbrock)(x, v)``

    """

    @wraps(f)
    def product(*args: Any, **kwargs: Any) -> Any:
        _require_direction(f, args, kwargs)
        *primals, given = args
        graph, _, flat, aux, _ = known(bound(f, kwargs), tuple(primals), argnums, has_aux)[0]
        network = hvp_network(graph)
        signature = graph.signature
        v = signature.directions(flat.structure, given)
        if network.on_network[network.output]:
            found = backward(network, *primals, signature.direction(flat.structure, v)).grads
        else:
            still = [np.zeros_like(each) for each in v]
            found = signature.direction(flat.structure, still)
        return (found, aux) if has_aux else found

    return product


def _require_direction(f: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> None:
    """Raise unless the arguments of ``f`` are here and v after them."""
    reason = ""
    try:
        signature(f).bind(*args[:-1], **kwargs)
    except TypeError as error:
        reason = f" ({error} without v)"
    except ValueError:  # NumPy's own functions have no signature
        pass
    if len(args) < 2 or reason:
        raise ArgumentError(
            f"bw.hvp(f) takes the arguments of f and then v, bw.hvp(f)(x, v), "
            f"and was given {len(args)} arguments{reason}"
        )


def jacobian(
    f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that gives the Jacobian of ``f``.

    For an output of shape (m...) and an argument of shape (n...) it has shape (m..., n...). Where
    the value or the arguments are pytrees, it is one in the structure of the value, with one in
    the structure of the arguments at each leaf. There is one wave an output entry, or, where the
    arguments have far fewer entries, one an argument entry. Complex functions must be holomorphic.

    Args:
        f: a function in plain NumPy; its value is an array, a number, or a pytree of them.
        argnums: the differentiated argument, a tuple of them, or None for all. Keyword arguments
            are not differentiated.
        has_aux: ``f`` returns a pair, its value and anything else; the function then gives
            ``(jacobian, aux)``.

    Example:
        ``bw.jacobian(lambda x: np.outer(x, x))(np.arange(3.0))``

    """

    @wraps(f)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        recording, nodes = known(bound(f, kwargs), args, argnums, has_aux)
        graph = recording.graph
        entries = sum(graph.nodes[u].abstract.size for u in graph.outputs)
        varying = [leaf for leaf in graph.leaves if leaf.differentiated]
        width = sum(graph.nodes[leaf.node].abstract.size for leaf in varying)
        if entries > 4 * width:  # a column costs some four times what a row does
            blocks = _by_columns(recording, varying)
        else:
            blocks = _by_rows(graph, nodes, varying)
        found = _assembled(graph, recording.flat.structure, blocks)
        return (found, recording.aux) if has_aux else found

    return matrix


def hessian(
    f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that gives the Hessian of ``f``, whose value is one number.

    For an argument of shape (n...) it has shape (n..., n...). There is one wave an entry through
    the gradient network; for a large argument, use :func:`hvp` instead.

    Args:
        f: a function in plain NumPy whose value is one number.
        argnums: the differentiated argument, or several (a tuple, or None for all): the Hessian is
            then a tuple of tuples of blocks. Keyword arguments are not differentiated.
        has_aux: ``f`` returns a pair, its value and anything else; the function then gives
            ``(hessian, aux)``.

    Raises:
        NotScalarError: the value is not one number.
        ArgumentError: the value is real, and what is differentiated is complex.

    Example:
        ``bw.hessian(rosenbrock)(x)``

    """

    @wraps(f)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        graph, values, flat, aux, _ = known(bound(f, kwargs), args, argnums, has_aux)[0]
        network = gradient_network(graph)
        _require_holomorphic(graph)
        nodes = fired(network, [values[leaf.node] for leaf in graph.leaves])
        varying = [leaf for leaf in network.leaves if leaf.differentiated]
        found = _assembled(network, flat.structure, _by_rows(network, nodes, varying))
        return (found, aux) if has_aux else found

    return matrix


def _require_holomorphic(graph: Graph) -> None:
    """Raise where a real value depends on complex arguments: that is not holomorphic."""
    if graph.nodes[graph.output].dtype.kind == "c":
        return
    for leaf in graph.signature.gradient_leaves():
        if graph.nodes[leaf.node].dtype.kind == "c":
            raise ArgumentError(
                f"the Hessian of a real function of the complex {leaf.path} is no matrix of "
                f"complex numbers; use bw.hvp, or take the real and imaginary parts as arguments"
            )


def _basis(graph: Graph, u: int) -> Iterator[Array]:
    """Yield, for each entry of a node, the array of its shape that is 1 there and 0 elsewhere."""
    node = graph.nodes[u]
    for entry in range(node.abstract.size):
        unit = np.zeros(node.abstract.size, node.dtype)
        unit[entry] = 1
        yield settle(unit.reshape(node.shape))


Blocks = list[list[Array]]
"""For each output, for each varying leaf, the block of the Jacobian."""


def _by_rows(graph: Graph, nodes: Nodes, varying: Sequence[Leaf]) -> Blocks:
    blocks: Blocks = []
    for u in graph.outputs:
        rows: list[list[Array]] = [[] for _ in varying]
        for unit in _basis(graph, u):
            sent = again(nodes)
            send(graph, sent, {u: graph.signature.S_at(u, unit)})
            for column, leaf in zip(rows, varying, strict=True):
                z = leaf.node
                column.append(sent.S[z] if z in sent.S else zeros(graph, z))
        shape = graph.nodes[u].shape
        blocks.append(
            [
                _stacked(column, shape, graph.nodes[leaf.node].shape, graph.nodes[leaf.node].dtype)
                for column, leaf in zip(rows, varying, strict=True)
            ]
        )
    return blocks


def _by_columns(recording: Recording, varying: Sequence[Leaf]) -> Blocks:
    graph = recording.graph
    columns = Columns(recording)
    still = [zeros(graph, leaf.node) for leaf in varying]
    blocks: Blocks = [[] for _ in graph.outputs]
    for number, leaf in enumerate(varying):
        found: list[list[Array]] = [[] for _ in graph.outputs]
        for unit in _basis(graph, leaf.node):
            slopes = columns.along([*still[:number], unit, *still[number + 1 :]])
            for column, slope in zip(found, slopes, strict=True):
                column.append(slope)
        for block, column, u in zip(blocks, found, graph.outputs, strict=True):
            shape = graph.nodes[leaf.node].shape
            turned = _stacked(column, shape, graph.nodes[u].shape, graph.nodes[u].dtype)
            order = [*range(len(shape), len(np.shape(turned))), *range(len(shape))]
            block.append(np.transpose(turned, order))
    return blocks


def _stacked(
    rows: list[Array], shape: tuple[int, ...], entry: tuple[int, ...], dtype: Any
) -> Array:
    if not rows:
        return np.zeros((*shape, *entry), dtype)
    if not shape:
        return rows[0]
    return np.reshape(np.stack(rows), (*shape, *entry))


def _assembled(graph: Graph, structure: Any, blocks: Blocks) -> Any:
    """Give the blocks the structure of the value and, at each leaf, that of the arguments."""
    parts = []
    for row in blocks:
        each = iter(row)
        found = [next(each) if leaf.differentiated else None for leaf in graph.leaves]
        parts.append(graph.signature.structured(structure, found))
    if graph.gives is None:
        return parts[0] if len(parts) == 1 else tuple(parts)
    if optree.treespec_is_leaf(graph.gives):
        return parts[0]
    return optree.tree_unflatten(graph.gives, parts)
