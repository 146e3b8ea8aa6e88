"""An acyclic network of scalar nodes, given by arrays.

A node of the article's: u = σ(w_1·z_1 + ... + w_m·z_m + b). Any node may feed any later one. The
weights sit on the edges, where their gradients are made "locally by the endpoints of the edge"
(Claim 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError, CycleError, IndependentOutputError
from .memory import require_memory
from .operations import activation as activation_named
from .piece import LEAF, POSITION, WEIGHTED, Floats, Ints, Piece

if TYPE_CHECKING:
    from weakref import ref

    from ..graph import Graph
    from .assemble import Assembled, Definition
    from .blocks import Blocks
    from .result import NetworkResult

EDGE_BYTES = 40
"""At most so many bytes an edge are taken beyond the arrays given, building and running."""

NODE_BYTES = 100
"""And so many a node, where a network has few edges."""

MOST_NODES = 2**31 - 1
"""Nodes are numbered in 31 bits; edges in 63."""

Activations = str | Sequence[str] | np.ndarray[Any, Any]


class Network:
    """An acyclic network of scalar nodes with one output.

    Args:
        source: for each edge the node it comes from; integers.
        target: for each edge the node it leads to. Edges may stand in any order, and there may be
            several between the same two nodes: each carries its own message.
        weight: of each edge, or one for all.
        bias: of each node, or one for all. Nodes that nothing feeds have none: they are given.
        activation: what each node does with its weighted sum, or one for all: ``"identity"``,
            ``"relu"``, ``"sigmoid"``, ``"softplus"``, or any function of one number that has a
            rule (``"tanh"``, ``"sin"``, ...).
        output: the node that is differentiated; by default the last.

    The arrays are copied. Nodes are numbered from 0; they may be in any order.

    Raises:
        ArgumentError: an edge leads from or to a node that is not there, a weight is NaN or
            infinite, or lengths differ; names the first such edge.
        CycleError: there is a cycle, or an edge from a node to itself; names it.
        IndependentOutputError: nothing feeds the output.
        UnknownPrimitiveError: there is no such activation.

    """

    def __init__(
        self,
        source: Any,
        target: Any,
        weight: Any,
        *,
        bias: Any = 0.0,
        activation: Activations = "tanh",
        output: int | None = None,
    ) -> None:
        # Here, since they need Numba, which takes half a second to import.
        from .assemble import Definition, assemble
        from .order import by_target, levels, reach

        source, target = _nodes(source, "source"), _nodes(target, "target")
        if len(source) != len(target):
            raise ArgumentError(
                f"there are {len(source)} sources and {len(target)} targets; "
                f"each edge has one of each"
            )
        if not len(source):
            raise ArgumentError("the network has no edge")
        biases = _numbers(bias, "bias")
        nodes = _count_nodes(source, target, biases, activation)
        require_memory(EDGE_BYTES * len(source) + NODE_BYTES * nodes, f"{len(source):,} edges")
        _require_edges(source, target, nodes)
        weights = _numbers(weight, "weight")
        if weights.ndim == 0:
            weights = np.full(len(source), float(weights))
        if len(weights) != len(source):
            raise ArgumentError(f"there are {len(weights)} weights and {len(source)} edges")
        _require_finite(weights, "weight", "edge")
        _require_finite(biases, "bias", "node")
        names, op = _activations(activation, nodes)
        output = _output(output, nodes)
        sorted_edges = by_target(target, nodes)
        level, cycle = levels(source, sorted_edges)
        if len(cycle):
            raise CycleError(
                f"the network has a cycle: {_path([*cycle, cycle[0]])}; back-propagation needs an "
                f"acyclic network (unroll a loop through time first)"
            )
        if not level[output]:
            raise IndependentOutputError(
                f"the output, node {output}, cannot be reached: no edge leads to it, so there is "
                f"no message to send"
            )
        given = np.diff(sorted_edges.inputs) == 0
        reached = np.zeros(nodes, np.uint8)
        edges = reach(output, level, source, sorted_edges, reached)
        self._take(
            assemble(
                Definition(
                    names=names,
                    kind=np.where(given, LEAF, WEIGHTED).astype(np.uint8),
                    op=np.where(given, -1, op).astype(np.int16),
                    live=reached,
                    level=level,
                    bias=np.broadcast_to(biases, nodes).copy(),
                    source=source,
                    weight=weights,
                    by_target=sorted_edges,
                    leaves=np.flatnonzero(given),
                    constants=np.empty(0, np.int64),
                    constant_values=np.empty(0),
                    output=output,
                )
            ),
            reached,
            edges,
        )

    def _take(self, assembled: Assembled, reached: Ints, edges: int) -> None:
        self.piece: Piece = assembled.piece
        self.place = assembled.place
        self.num_nodes: int = int(np.count_nonzero(reached))
        self.num_edges: int = edges
        self.inputs_without_gradient: int = 0
        self.name = "network"
        # The arrays of the last pass in this process, for the next, and that pass's result.
        self.scratch: tuple[Blocks, ref[NetworkResult]] | None = None

    @classmethod
    def of(
        cls, definition: Definition, reached: Ints, edges: int, without_gradient: int
    ) -> Network:
        """Make a network of nodes that do other things than activate weighted sums.

        ``reached`` marks the V nodes between a differentiated leaf and the output, and ``edges``
        counts the E edges between those.
        """
        from .assemble import assemble

        network = cls.__new__(cls)
        network._take(assemble(definition), reached, edges)
        network.inputs_without_gradient = without_gradient
        return network

    @staticmethod
    def from_graph(graph: Graph) -> Network:
        """Turn a traced graph of scalar nodes into a network: the same nodes and edges, as arrays.

        Its inputs are the numbers in the graph's leaves, in order; see :func:`from_graph.columns`.

        Raises:
            ArgumentError: a node is no single float64, or its operation has attributes.

        """
        from .from_graph import columns

        return columns(graph)

    # What the scheduler and the ledger ask of every network.

    num_outputs = 1

    @cached_property
    def num_levels(self) -> int:
        """How many levels the V nodes stand on, hence the number of waves."""
        return len(np.unique(self.piece.level[self.piece.wave]))

    @property
    def nodes(self) -> int:
        """How many nodes there are, on the network or not."""
        return self.piece.nodes

    @property
    def edges(self) -> int:
        """How many edges there are, on the network or not."""
        return len(self.piece.source)

    @property
    def output(self) -> int:
        """The node that is differentiated."""
        return self.piece.number(self.piece.output)

    @property
    def inputs(self) -> Ints:
        """The nodes that nothing feeds, in order: those that :func:`backward` is given."""
        return self.by_number(self.piece.leaves)

    @property
    def size(self) -> int:
        """The network size V + E."""
        return self.num_nodes + self.num_edges

    def require_dependence(self) -> None:
        """Do nothing: a network whose output depends on nothing cannot be made."""

    def require_scalar(self) -> None:
        """Do nothing: every node is one number."""

    # As its maker numbers it.

    def by_number(self, places: Ints) -> Ints:
        """Return what the nodes at these places are called."""
        return places if self.piece.numbers is None else self.piece.numbers[places]

    def per_node(self, in_place: Floats) -> Floats:
        """Return an array in the maker's node order from one in firing order."""
        return in_place if self.place is None else in_place[self.place]

    def per_edge(self, in_place: Floats) -> Floats:
        """Return an array in the maker's edge order from one in firing order."""
        if self.piece.edges is None:
            return in_place
        out = np.empty_like(in_place)
        out[self.piece.edges] = in_place
        return out

    @property
    def source(self) -> Ints:
        """For each edge the node that it comes from."""
        return self.per_edge(self.by_number((self.piece.source & POSITION).astype(np.int64)))

    @property
    def target(self) -> Ints:
        """For each edge the node that it leads to."""
        counts = np.diff(self.piece.inputs)
        return self.per_edge(np.repeat(self.by_number(np.arange(self.nodes)), counts))

    @property
    def weight(self) -> Floats:
        """The weight of each edge; empty where no node weighs its inputs."""
        return self.per_edge(self.piece.weight) if len(self.piece.weight) else self.piece.weight

    @property
    def bias(self) -> Floats:
        """The bias of each node; empty where no node is a sum."""
        return self.per_node(self.piece.bias) if len(self.piece.bias) else self.piece.bias

    @property
    def operation(self) -> list[str]:
        """What each node does: its activation or primitive, or ``"leaf"``."""
        names = np.array(["leaf", *self.piece.names])
        op = np.repeat(self.piece.op, np.diff(self.piece.start)).astype(np.int64) + 1
        return [str(name) for name in names[op if self.place is None else op[self.place]]]

    def with_parameters(self, weight: Any = None, bias: Any = None) -> Network:
        """Return the same network with other weights or biases; the order is not made again."""
        piece = self.piece
        changes = {}
        if weight is not None:
            weights = np.broadcast_to(_numbers(weight, "weight"), len(piece.weight))
            _require_finite(weights, "weight", "edge")
            changes["weight"] = weights.copy() if piece.edges is None else weights[piece.edges]
        if bias is not None:
            biases = np.broadcast_to(_numbers(bias, "bias"), len(piece.bias))
            _require_finite(biases, "bias", "node")
            changes["bias"] = biases.copy() if piece.numbers is None else biases[piece.numbers]
        other = Network.__new__(Network)
        other.__dict__.update(self.__dict__)
        other.piece = replace(piece, **changes)
        other.scratch = None
        return other

    def weights_as_nodes(self) -> Network:
        """Return the article's change of view: "the parameters ... as also sitting on the nodes".

        Each weight and each bias becomes a leaf, and each edge a node that multiplies. The inputs
        are those of this network, then the weights in edge order, then the biases of the nodes
        that something feeds, in node order. Both give the same gradients.
        """
        from .change_of_view import weights_as_nodes

        return weights_as_nodes(self)

    def __repr__(self) -> str:
        """Say the size."""
        return f"<network: V={self.num_nodes:,} E={self.num_edges:,} levels={self.num_levels:,}>"


def input_values(network: Network, inputs: tuple[Any, ...]) -> Floats:
    """Return the values of the nodes that nothing feeds, checked.

    Raises:
        ArgumentError: they are no numbers, or of another count.

    """
    if len(inputs) != 1:
        raise ArgumentError(
            f"a network takes one array, the values of its inputs, and was given {len(inputs)}"
        )
    try:
        values = np.ascontiguousarray(inputs[0], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"the inputs are not made of numbers: {error}") from None
    count = len(network.piece.leaves)
    if values.shape != (count,):
        raise ArgumentError(
            f"the inputs have shape {list(values.shape)}, and the network has {count:,} nodes that "
            f"nothing feeds; give one number for each, in node order"
        )
    return values


def _nodes(given: Any, what: str) -> Ints:
    """Return node numbers as integers of 32 or 64 bits."""
    array = np.asarray(given)
    if array.ndim != 1:
        raise ArgumentError(f"{what} has {array.ndim} axes, and a list of nodes has one")
    if array.dtype.kind not in "iu":
        if array.size and array.dtype.kind == "f" and np.all(array == np.rint(array)):
            raise ArgumentError(f"{what} is {array.dtype}; give whole numbers (.astype(np.int64))")
        if array.size:
            raise ArgumentError(f"{what} is {array.dtype}, and nodes are numbered by integers")
        return np.empty(0, np.int64)
    if array.dtype in (np.int32, np.int64, np.uint32):
        return np.ascontiguousarray(array)
    if array.dtype == np.uint64 and array.size and int(array.max()) > MOST_NODES:
        raise ArgumentError(f"{what} names node {array.max()}, past the most, {MOST_NODES}")
    return array.astype(np.int64)


def _numbers(given: Any, what: str) -> Floats:
    try:
        array = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{what} is not made of numbers: {error}") from None
    if array.ndim > 1:
        raise ArgumentError(f"{what} has {array.ndim} axes; give one number each, or one for all")
    return array


def _count_nodes(source: Ints, target: Ints, bias: Floats, activation: Activations) -> int:
    """Return how many nodes there are: as many as have a bias or activation, or as are named."""
    named = 1 + max(int(source.max()), int(target.max()))
    if named > MOST_NODES:
        raise ArgumentError(f"node {named - 1} is named, and there can be {MOST_NODES:,} nodes")
    counts = {len(bias)} if bias.ndim else set()
    if not isinstance(activation, str):
        counts.add(len(activation))
    if len(counts) > 1:
        raise ArgumentError(
            f"there are {len(bias)} biases and {len(activation)} activations; give one a node"
        )
    return counts.pop() if counts else named


def _require_edges(source: Ints, target: Ints, nodes: int) -> None:
    for ends, what in ((source, "comes from"), (target, "leads to")):
        if ends.min() < 0 or ends.max() >= nodes:
            e = int(np.flatnonzero((ends < 0) | (ends >= nodes))[0])
            raise ArgumentError(
                f"edge {e} is dangling: it {what} node {ends[e]}, "
                f"and there are nodes 0 to {nodes - 1}"
            )
    loops = source == target
    if loops.any():
        e = int(np.flatnonzero(loops)[0])
        raise CycleError(
            f"edge {e} leads from node {source[e]} to itself, a cycle; back-propagation needs an "
            f"acyclic network"
        )


def _require_finite(numbers: Floats, what: str, of: str) -> None:
    bad = ~np.isfinite(numbers)
    if not bad.any():
        return
    if not numbers.ndim:
        raise ArgumentError(f"the {what} is {numbers}")
    k = int(np.flatnonzero(bad)[0])
    raise ArgumentError(f"the {what} of {of} {k} is {numbers[k]}")


def _activations(activation: Activations, nodes: int) -> tuple[tuple[str, ...], Any]:
    """Return the names of the operations, and each node's number among them."""
    if isinstance(activation, str):
        return (activation_named(activation).name,), 0
    given, op = np.unique(np.asarray(activation, dtype=str), return_inverse=True)
    found = [activation_named(name).name for name in given]
    names = tuple(sorted(set(found)))
    return names, np.array([names.index(name) for name in found])[op]


def _output(output: int | None, nodes: int) -> int:
    if output is None:
        return nodes - 1
    if not isinstance(output, int | np.integer) or isinstance(output, bool):
        raise ArgumentError(f"output={output!r:.40} is no node; give its number")
    if not -nodes <= output < nodes:
        raise ArgumentError(f"the output is node {output}, and there are nodes 0 to {nodes - 1}")
    return int(output) % nodes


def _path(nodes: Sequence[int]) -> str:
    shown = [str(u) for u in nodes]
    if len(shown) > 12:
        shown = [*shown[:6], f"({len(shown) - 11} more)", *shown[-5:]]
    return " -> ".join(shown)


def require_network(network: Any) -> None:
    """Raise unless this is a network."""
    if not isinstance(network, Network):
        raise ArgumentError(
            f"{network!r:.60} is {type(network).__name__}, and a bw.Network is needed"
        )
