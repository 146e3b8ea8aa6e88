"""A traced graph of scalar nodes as a network: the same nodes and edges, in columns.

A graph that a plain Python loop traced is a million Python objects; as arrays it runs again at the
speed of compiled code.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ...errors import ArgumentError, UnknownPrimitiveError
from ...parts import CONSTANT, LEAF, Node
from ...wires import Wires
from ..given import ByTarget, Definition
from ..kernels.operations import IDENTITY, operation
from ..piece import LEAF as GIVEN
from ..piece import PRIMITIVE

_GETITEM = "getitem"


def columns(graph: Wires) -> Definition:
    """Take a network from a graph of scalar nodes.

    Every node must be one number, but for leaves that are arrays: each entry of one becomes a node,
    and ``x[i]`` in the program is the node above it.

    Raises:
        ArgumentError: a node is not one float64, or what it does has no scalar rule; names the
            node and its line. Or the program branched on a value.

    """
    graph.require_dependence()
    graph.require_scalar()
    for guard in graph.guards:
        raise ArgumentError(
            f"{guard.line}: the program branched on {graph.nodes[guard.node].name} == "
            f"{guard.value}, and a network of scalar nodes does not look whether it still is; "
            f"write the branch with np.where"
        )
    return _Columns(graph).definition()


class _Columns:
    """The columns, filled node by node of the graph."""

    def __init__(self, graph: Wires) -> None:
        self.graph = graph
        self.at = [0] * len(graph.nodes)  # of each node of the graph; an array's first entry
        self.kind: list[int] = []
        self.op: list[int] = []
        self.live: list[int] = []
        self.level: list[int] = []
        self.source: list[int] = []
        self.inputs: list[int] = [0]
        self.leaves: list[int] = []
        self.constants: list[int] = []
        self.values: list[float] = []
        self.names: dict[str, int] = {}

    def definition(self) -> Definition:
        """Fill the columns."""
        graph = self.graph
        live = [0] * len(graph.nodes)
        for edge in graph.edges:
            live[edge.target] |= 1 << edge.position
        for node in graph.nodes:
            if node.primitive == LEAF:
                self._leaf(node)
            elif node.primitive == CONSTANT:
                self._constant(node)
            else:
                self._node(node, live[node.id])
        for edge in graph.edges:
            if graph.nodes[edge.source].primitive == LEAF:
                at = self.inputs[self.at[edge.target]] + edge.position
                self.live[self.source[at]] = 1
        if graph.nodes[graph.output].primitive == LEAF:
            self.live[self.at[graph.output]] = 1
        names = sorted(self.names)
        number = np.empty(len(names) + 1, np.int16)
        number[-1] = -1
        for k, name in enumerate(names):
            number[self.names[name]] = k
        return Definition(
            names=tuple(names),
            kind=np.array(self.kind, np.uint8),
            op=number[np.array(self.op)],
            live=np.array(self.live, np.uint8),
            level=np.array(self.level, np.int32),
            bias=np.empty(0),
            source=np.array(self.source, np.uint32),
            weight=np.empty(0),
            by_target=ByTarget(np.array(self.inputs, np.int64), None),
            leaves=np.array(self.leaves, np.int64),
            constants=np.array(self.constants, np.int64),
            constant_values=np.array(self.values, np.float64),
            output=self.at[graph.output],
            num_edges=graph.num_edges,
            inputs_without_gradient=graph.inputs_without_gradient,
        )

    def _add(self, kind: int, op: int, live: int, level: int) -> int:
        self.kind.append(kind)
        self.op.append(op)
        self.live.append(live)
        self.level.append(level)
        self.inputs.append(len(self.source))
        return len(self.kind) - 1

    def _leaf(self, node: Node) -> None:
        self._require_numbers(node)
        self.at[node.id] = len(self.kind)
        for _ in range(prod(node.shape)):
            self.leaves.append(self._add(GIVEN, -1, 0, 0))

    def _constant(self, node: Node) -> None:
        self._require_scalar(node)
        self._require_numbers(node)
        self.at[node.id] = self._add(GIVEN, -1, 0, 0)
        self.constants.append(self.at[node.id])
        self.values.append(float(self.graph.constants[node.id]))

    def _node(self, node: Node, live: int) -> None:
        self._require_scalar(node)
        if node.dtype.kind not in "b" and node.dtype != np.float64:
            raise ArgumentError(
                f"{node.line}: {node.name} is {node.dtype}, and the nodes of a network are float64"
            )
        name = node.primitive
        if name == _GETITEM:
            name = IDENTITY
            self.source.append(self._entry(node))
        else:
            self._require_rule(node)
            for z in node.inputs:
                self._require_scalar(self.graph.nodes[z], node)
                self.source.append(self.at[z])
        op = self.names.setdefault(name, len(self.names))
        self.at[node.id] = self._add(PRIMITIVE, op, live, self.graph.levels[node.id])

    def _entry(self, node: Node) -> int:
        """Return the node for the entry of an array that ``x[i]`` is."""
        array, index = self.graph.nodes[node.inputs[0]], node.attributes["index"]
        if array.primitive != LEAF or not all(type(i) is int for i in index):
            raise ArgumentError(
                f"{node.line}: {node.name} takes an entry of {array.name}, and a network of scalar "
                f"nodes has those of arguments only, by whole numbers"
            )
        entry = [i % length for i, length in zip(index, array.shape, strict=True)]
        return self.at[array.id] + int(np.ravel_multi_index(entry, array.shape))

    def _require_rule(self, node: Node) -> None:
        try:
            known = not node.attributes and operation(node.primitive)
        except UnknownPrimitiveError:
            known = False
        if not known:
            raise ArgumentError(
                f"{node.line}: {node.name} has no rule for single numbers; "
                f"bw.backward runs the graph as it is"
            )

    def _require_scalar(self, node: Node, user: Node | None = None) -> None:
        if node.shape:
            raise ArgumentError(
                f"{(user or node).line}: {node.name} is an array of shape {node.shape}, and the "
                f"nodes of a network are single numbers; bw.backward runs the graph as it is"
            )

    def _require_numbers(self, node: Node) -> None:
        value: Any = node.dtype
        if value.kind not in "biuf" or (value.kind == "f" and value != np.float64):
            raise ArgumentError(f"{node.name} is {value}, and the nodes of a network are float64")
