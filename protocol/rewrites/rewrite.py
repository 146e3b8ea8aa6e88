"""A network made from a network, node by node.

Nodes of the one are recorded once more, on a tape that makes equal firings one node; a wave sent
through them records what each node sums and sends as nodes, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import ArgumentError
from ..graph.graph import Graph
from ..node import Instructions, Nodes
from ..parts import CONSTANT, Guard, Leaf
from ..rules import TABLE, Abstract, Primitive
from ..source_line import Origin
from ..tracing.tape import Tape
from ..tracing.traced import Traced
from ..wave import wave_order


class Rewrite:
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
                    node.primitive, inputs, node.attributes, node.shape, node.dtype, node.origin
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
        varying = graph.signature.gradient_leaves()
        if not varying:
            raise ArgumentError(f"nothing is differentiated in {graph.name or 'the network'}")
        one = self.tape.constant(graph.nodes[graph.output].dtype.type(1))
        found = dict(zip(graph.leaves, self.wave({graph.output: one}), strict=True))
        return [(leaf, found[leaf]) for leaf in varying]

    def wave(self, S: Mapping[int, Any]) -> list[Any]:
        """Record a wave from S at the outputs; return S at each leaf, None if it does not vary."""
        graph = self.original
        nodes = Nodes(Instructions(graph))
        nodes.instructions.checkpoints = {}
        nodes.values = dict(self.values)
        for u, given in S.items():
            if graph.on_network[u]:
                nodes.define(u, given)
        for u in wave_order(graph):
            self.tape.origin = graph.nodes[u].origin
            for edge, message in nodes.send(u):
                nodes.receive(edge, message)
        self.tape.origin = None
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
        """Return a value as a node of the new network."""
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
        origin: Origin,
    ) -> Traced:
        """Record a node, or return the one that does the same."""
        key = _key(name, inputs, attributes)
        if key not in self._firings:
            self._firings[key] = self.fire(name, inputs, attributes, shape, dtype, None, origin)
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
