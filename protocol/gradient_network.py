"""The gradient as a network: the article's Claim, made a graph that can be run and differentiated.

One wave is sent through a network while its messages are recorded instead of computed: what each
node sums and sends becomes nodes of a new network, a constant number for each node and edge. Its
outputs are the S at the leaves. Since it is a network like any other, a second wave through it
gives the Hessian times a vector, over the same workers and with the same ledger.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .arrays import Array
from .backward import like
from .errors import ArgumentError
from .graph import CONSTANT, Graph, Guard, Leaf, require_graph
from .node import Nodes, Rules
from .pytree import flatten_tree, pattern
from .rules import TABLE, Abstract, Primitive
from .sweep import wave_order
from .tape import Tape
from .trace import gradient_leaves, unflatten_gradients
from .traced import Traced


def gradient_network(graph: Graph) -> Graph:
    """Return the network of the gradient.

    Args:
        graph: a network whose output is one number.

    Returns:
        A graph with the same arguments, whose outputs are the gradients with respect to the
        differentiated ones, in their structure. No array is allocated to make it.

    Raises:
        NotScalarError: the output is not one number.
        ArgumentError: nothing is differentiated.

    """
    require_graph(graph)
    graph.require_scalar()
    copy = Copy(graph)
    found = [copy.own(S) for _, S in copy.gradient()]
    gives = None
    if graph.takes is not None:
        gives = flatten_tree(direction(graph, graph.takes, [0] * len(found), whole=True))[1]
    return copy.graph(found, gives=gives, argnums=graph.argnums)


def hvp_network(graph: Graph) -> Graph:
    """Return the network of ⟨∇f, v⟩, whose gradient is the Hessian of f times v.

    It has one argument more than ``graph``: v, in the structure of the differentiated argument,
    or a tuple with one structure for each where there are several, or where ``argnums`` was a
    tuple. It is made once a graph.

    Args:
        graph: a network whose output is one number.

    Raises:
        NotScalarError: the output is not one number.
        ArgumentError: nothing is differentiated.

    """
    require_graph(graph)
    if graph.hvp is not None:
        return graph.hvp
    graph.require_scalar()
    chosen = _differentiated_arguments(graph)
    several = _takes_a_tuple(graph)
    copy = Copy(graph)
    total: Any = None
    for leaf, S in copy.gradient():
        place = f"args[{graph.arguments}]"
        if several:
            place += f"[{chosen.index(leaf.argument)}]"
        path = re.sub(r"^args\[\d+\]", place, leaf.path)
        node = graph.nodes[leaf.node]
        v = copy.tape.leaf(Abstract(node.shape, node.dtype), graph.arguments, path, False)
        term = np.sum(S * v) if node.shape else S * v
        if node.dtype.kind == "c":
            term = np.real(term)
        total = term if total is None else total + term
    argnums = tuple(chosen) if several else chosen[0]
    graph.hvp = copy.graph(
        [copy.own(total)], name=f"hvp of {graph.name}", arguments=graph.arguments + 1,
        argnums=argnums,
    )  # fmt: skip
    return graph.hvp


def transposed_network(graph: Graph) -> Graph:
    """Return the network that maps S at the outputs to S at the leaves: linear in S.

    Its last argument is the tuple of S, and the only one that is differentiated: its transpose, a
    wave through it, maps tangents of the leaves to tangents of the outputs.
    """
    copy = Copy(graph, differentiated=False)
    given: dict[int, Any] = {}
    for place, u in enumerate(graph.outputs):
        node = graph.nodes[u]
        S = copy.tape.leaf(
            Abstract(node.shape, node.dtype), graph.arguments, f"args[{graph.arguments}][{place}]",
            True,
        )  # fmt: skip
        given[u] = given[u] + S if u in given else S
    found = [copy.own(S) for S in copy.wave(given) if S is not None]
    return copy.graph(
        found,
        name=f"transpose of {graph.name}",
        arguments=graph.arguments + 1,
        argnums=graph.arguments,
    )


def _differentiated_arguments(graph: Graph) -> list[int]:
    if graph.argnums is None:
        return list(range(graph.arguments))
    given = graph.argnums if isinstance(graph.argnums, tuple) else (graph.argnums,)
    return [place % graph.arguments for place in given]


def _takes_a_tuple(graph: Graph) -> bool:
    return isinstance(graph.argnums, tuple) or len(_differentiated_arguments(graph)) > 1


def direction(graph: Graph, structure: Any, leaves: Iterable[Any], *, whole: bool = False) -> Any:
    """Return v as :func:`hvp_network` takes it, from one array for each differentiated leaf.

    ``structure`` is that of the arguments of ``graph``; the arrays are in the order of
    :func:`gradient_leaves`. With ``whole`` it is a tuple also where one argument alone is given.
    """
    each = dict(zip(gradient_leaves(graph), leaves, strict=True))
    return _structured(graph, structure, [each.get(leaf) for leaf in graph.leaves], whole)


def directions(graph: Graph, structure: Any, v: Any, *, whole: bool = False) -> list[Array]:
    """Return the arrays of v, one for each differentiated leaf: :func:`direction` undone.

    Where an array of the arguments does not vary, v has None, or anything.

    Raises:
        ArgumentError: v has another structure, or an array of another shape.

    """
    varying = gradient_leaves(graph)
    given, found = flatten_tree(v)
    expected = flatten_tree(direction(graph, structure, range(len(varying)), whole=whole))[1]
    if found != expected:
        numbered = _structured(graph, structure, list(range(len(graph.leaves))), whole)
        numbers, full = flatten_tree(numbered)
        if found != full:
            raise ArgumentError(
                f"v has the structure {pattern(found)}, and what is differentiated has "
                f"{pattern(expected)}"
            )
        given = [
            each
            for each, number in zip(given, numbers, strict=True)
            if graph.leaves[number].differentiated
        ]
    return [
        like(graph.nodes[leaf.node], each, f"v for {leaf.path}", leaf.path)
        for leaf, each in zip(varying, given, strict=True)
    ]


def _structured(graph: Graph, structure: Any, leaves: list[Any], whole: bool) -> Any:
    tree = unflatten_gradients(graph, structure, leaves)
    bare = graph.argnums is None and not whole and not _takes_a_tuple(graph)
    return tree[0] if bare else tree


class Copy:
    """A network recorded once more, node by node, so that a wave through it can be recorded."""

    def __init__(self, graph: Graph, differentiated: bool = True) -> None:
        self.original = graph
        self.tape = _Tape()
        self.values: dict[int, Any] = {}
        for leaf in graph.leaves:
            node = graph.nodes[leaf.node]
            self.values[node.id] = self.tape.leaf(
                Abstract(node.shape, node.dtype),
                leaf.argument,
                leaf.path,
                leaf.differentiated and differentiated,
            )
        for node in graph.nodes:
            if node.primitive == CONSTANT:
                # Rules see constants as they are: some look whether an exponent is 2.
                self.values[node.id] = self.tape.adopt(graph.constants[node.id]).value
            elif node.inputs:
                inputs = [self.tape.own(self.values[z]) for z in node.inputs]
                self.values[node.id] = self.tape.firing(
                    node.primitive, inputs, node.attributes, node.shape, node.dtype, node._line
                )
        new = {u: value.id for u, value in self.values.items() if isinstance(value, Traced)}
        for guard in graph.guards:
            if guard.node in new:
                u = new[guard.node]
                self.tape.guards[u] = Guard(u, guard.value, guard.line)
        taken: set[int] = set()
        for group in graph.recomputed:
            mine = sorted({new[u] for u in group if u in new} - taken)
            taken.update(mine)
            if mine:
                self.tape.recomputed.append(tuple(mine))

    def gradient(self) -> list[tuple[Leaf, Any]]:
        """Record a wave from S = 1; return each differentiated leaf with its S, as argnums has it.

        Raises:
            ArgumentError: nothing is differentiated.

        """
        graph = self.original
        varying = gradient_leaves(graph)
        if not varying:
            raise ArgumentError(f"nothing is differentiated in {graph.name or 'the network'}")
        one = self.tape.constant(graph.nodes[graph.output].dtype.type(1))
        found = dict(zip(graph.leaves, self.wave({graph.output: one}), strict=True))
        return [(leaf, found[leaf]) for leaf in varying]

    def wave(self, S: Mapping[int, Any]) -> list[Any]:
        """Record a wave from S at the outputs; return S at each leaf, None if it does not vary."""
        graph = self.original
        nodes = Nodes(Rules(graph))
        nodes.rules.checkpoints = {}
        nodes.values = dict(self.values)
        for u, given in S.items():
            if graph.on_network[u]:
                nodes.begin(u, given)
        for u in wave_order(graph):
            self.tape.place = graph.nodes[u]._line
            for edge, message in nodes.send(u):
                nodes.receive(edge, message)
        self.tape.place = None
        return [
            (nodes.S[leaf.node] if leaf.node in nodes.S else self._zeros(leaf.node))
            if leaf.differentiated
            else None
            for leaf in graph.leaves
        ]

    def _zeros(self, leaf: int) -> Any:
        node = self.original.nodes[leaf]
        zero = self.tape.constant(node.dtype.type(0))
        return self.tape.apply(TABLE["broadcast_to"], (zero,), {"shape": node.shape})

    def own(self, value: Any) -> Traced:
        """Return a value as a node of the copy."""
        return self.tape.own(value)

    def graph(self, outputs: Iterable[Traced], **about: Any) -> Graph:
        """Return the network of these outputs."""
        defaults = {
            "name": f"gradient of {self.original.name}",
            "arguments": self.original.arguments,
            "takes": self.original.takes,
        }
        return self.tape.graph(list(outputs), **{**defaults, **about})[0]


class _Tape(Tape):
    """Records shapes only; equal firings are one node, and a product with 1 is none."""

    def __init__(self) -> None:
        super().__init__(abstract=True)
        self._firings: dict[Any, Traced] = {}

    def own(self, value: Any) -> Traced:
        """Return a value as a node of this tape."""
        if isinstance(value, Traced) and value.tape is self:
            return value
        return self.constant(value)

    def firing(
        self,
        name: str,
        inputs: list[Traced],
        attributes: dict[str, Any],
        shape: tuple[int, ...],
        dtype: Any,
        place: Any,
    ) -> Traced:
        """Record a node, or return the one that does the same."""
        key = _key(name, inputs, attributes)
        if key not in self._firings:
            self._firings[key] = self.fire(name, inputs, attributes, shape, dtype, None, place)
        return self._firings[key]

    def apply(
        self, primitive: Primitive, inputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> Traced:
        """Record a firing, or return the node that does the same."""
        operands = [self.own(value) for value in inputs]
        if primitive.name == "multiply":
            for one, other in (operands, operands[::-1]):
                if self._is_one(one) and _is_dtype_of_product(one, other):
                    return other
        key = _key(primitive.name, operands, attributes)
        if key not in self._firings:
            self._firings[key] = super().apply(primitive, tuple(operands), attributes)
        return self._firings[key]

    def _is_one(self, z: Traced) -> bool:
        value: Array = self.constants.get(z.id)
        return value is not None and z.shape == () and bool(value == 1)


def _is_dtype_of_product(one: Traced, other: Traced) -> bool:
    """Whether a product of the two has the dtype of the other; a Python number decides none."""
    weak = [type(z.value) in (int, float, complex) for z in (one, other)]
    if weak[1] and not weak[0]:
        return False
    return bool(np.result_type(one.value if weak[0] else one.dtype, other.dtype) == other.dtype)


def _key(name: str, inputs: list[Traced], attributes: dict[str, Any]) -> Any:
    # A user's attributes may be lists, and 1, 1.0 and True are not one: so by what they look like.
    return (
        name,
        tuple([z.id for z in inputs]),
        repr(sorted(attributes.items())) if attributes else "",
    )
