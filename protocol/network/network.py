"""An acyclic network of scalar nodes, given by arrays.

A node of the article's: u = σ(w_1·z_1 + ... + w_m·z_m + b). Any node may feed any later one. The
weights sit on the edges, where their gradients are made "locally by the endpoints of the edge"
(Claim 1).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError, CycleError, IndependentOutputError
from .checks import (
    EDGE_BYTES,
    NODE_BYTES,
    Activations,
    activation_numbers,
    as_float64,
    count_nodes,
    cycle_path,
    node_numbers,
    one_each,
    output_number,
    real_numbers,
    require_edges,
    require_finite,
)
from .memory import require_memory
from .piece import LEAF, POSITION, WEIGHTED, Floats, Ints, Piece

if TYPE_CHECKING:
    from weakref import ref

    from ..graph import Graph
    from .assemble import Assembled, Definition
    from .blocks import Blocks


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

        source, target = node_numbers(source, "source"), node_numbers(target, "target")
        if len(source) != len(target):
            raise ArgumentError(
                f"there are {len(source)} sources and {len(target)} targets; "
                f"each edge has one of each"
            )
        if not len(source):
            raise ArgumentError("the network has no edge")
        biases = real_numbers(bias, "bias")
        nodes = count_nodes(source, target, biases, activation)
        require_memory(EDGE_BYTES * len(source) + NODE_BYTES * nodes, f"{len(source):,} edges")
        require_edges(source, target, nodes)
        weights = real_numbers(weight, "weight")
        if weights.ndim == 0:
            weights = np.full(len(source), float(weights))
        if len(weights) != len(source):
            raise ArgumentError(f"there are {len(weights)} weights and {len(source)} edges")
        require_finite(weights, "weight", "edge")
        require_finite(biases, "bias", "node")
        names, op = activation_numbers(activation, nodes)
        output = output_number(output, nodes)
        sorted_edges = by_target(target, nodes)
        level, cycle = levels(source, sorted_edges)
        if len(cycle):
            raise CycleError(
                f"the network has a cycle: {cycle_path([*cycle, cycle[0]])}; back-propagation "
                f"needs an acyclic network (unroll a loop through time first)"
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
        # The arrays of the last pass in this process, for the next, and what its results hold.
        self.scratch: tuple[Blocks, ref[Any]] | None = None

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

    @staticmethod
    def from_scipy(
        matrix: Any,
        *,
        bias: Any = 0.0,
        activation: Activations = "tanh",
        output: int | None = None,
    ) -> Network:
        """Make a network from a sparse matrix: ``matrix @ values`` is what the nodes sum.

        Every entry that is stored is an edge, a 0 and each of several at one place included; of a
        diagonal (DIA) matrix those that are not 0, since it stores its padding too. The edges are
        in the order of ``matrix.data`` where the matrix is COO, CSR, CSC or BSR.

        Args:
            matrix: a SciPy sparse matrix or array, square: entry [target, source] is the weight.
            bias, activation, output: as :class:`Network` has them; there are as many nodes as
                rows, and the output is by default the last.

        Raises:
            ArgumentError: it is not sparse, not square or not of real numbers, or any of what
                :class:`Network` raises.

        """
        from .readers import from_scipy

        return from_scipy(matrix, bias=bias, activation=activation, output=output)

    @staticmethod
    def from_networkx(
        graph: Any,
        *,
        weight: str | None = "weight",
        bias: float = 0.0,
        activation: str = "tanh",
        output: Any = None,
    ) -> Network:
        """Make a network from a NetworkX DiGraph or MultiDiGraph.

        Nodes are numbered in the graph's order, and edges stand in the order of ``graph.edges``;
        parallel edges stay apart. A node may have attributes ``bias`` and ``activation``.

        Args:
            graph: the graph.
            weight: the edge attribute that is the weight; 1 where an edge has none, or with None,
                as NetworkX itself takes it.
            bias: of the nodes that have no attribute.
            activation: of the nodes that have no attribute.
            output: the node of the graph that is differentiated; by default the last.

        Raises:
            ArgumentError: it is not a directed graph, an attribute is no number, or there is no
                such node; names the edge or node.
            CycleError: there is a cycle; names its nodes.

        And what else :class:`Network` raises, which calls nodes by their numbers.

        """
        from .readers import from_networkx

        return from_networkx(graph, weight=weight, bias=bias, activation=activation, output=output)

    @staticmethod
    def from_file(
        path: Any,
        *,
        bias: Any = 0.0,
        activation: Activations = "tanh",
        output: int | None = None,
    ) -> Network:
        """Read a network from a file of edges: text, Parquet (``.parquet``) or NumPy (``.npz``).

        Text has an edge a line, ``source target weight``, apart by spaces and tabs or by commas;
        nodes are numbered from 0. ``#`` begins a comment. Names of columns may stand first, in any
        order and with others, which are left out. ``.gz`` at the end of the name is unpacked. A
        first line ``# edges: 12`` is held to. Parquet and NumPy files have columns, or arrays, of
        the same three names. Text and Parquet need pyarrow: ``pip install 'backwave[files]'``.

        The file is read in chunks, with a bar on standard error where that is a terminal. Edges
        are in the order of the file.

        Args:
            path: the file.
            bias, activation, output: as :class:`Network` has them.

        Raises:
            ArgumentError: there is no such file, no edge in it, a column is missing or of a wrong
                type, or pyarrow is not installed.
            WireError: the file is cut short or damaged; names the line, in text.

        And what else :class:`Network` raises, with the name of the file.

        """
        from .edge_file import from_file

        return from_file(path, bias=bias, activation=activation, output=output)

    def save_edges(self, path: Any) -> None:
        """Write the edges to a file that :meth:`from_file` reads, whole or not at all.

        The weights are the same to the bit. Biases, activations and the output are not in it.

        Args:
            path: ends with ``.txt`` (spaces), ``.tsv`` (tabs), ``.csv`` (commas), each with or
                without ``.gz``, with ``.parquet`` or with ``.npz``.

        Raises:
            ArgumentError: it ends with something else, the network has no weights on its edges, or
                pyarrow is not installed.

        """
        from .edge_file import save_edges

        save_edges(self, path)

    @staticmethod
    def layered(
        width: int,
        depth: int,
        degree: int,
        *,
        seed: int = 0,
        reach: int | None = None,
        activation: str = "tanh",
    ) -> Network:
        """Make a network of random layers; every node has a path to the output.

        There are ``width`` inputs, ``depth`` layers of ``width`` nodes above them, and above all
        the output, the sum of the top layer. V = width·(depth + 1) + 1 and
        E = width·depth·degree + width. Weights are drawn from a normal law with variance 1/degree,
        so that values and S neither explode nor vanish; those to the output are 1.

        Args:
            width: nodes in a layer.
            depth: layers above the inputs.
            degree: edges to each node, from random nodes of the layer below. One of them is such
                that all nodes below are used; the others may repeat.
            seed: the same seed gives the same network (with the same NumPy).
            reach: edges come only from the 2·reach + 1 nodes below that are nearest to a node's own
                place in its layer, wrapping round: a cut across the width then cuts few edges.
            activation: of all nodes but the output.

        Raises:
            ArgumentError: a number is out of its range, or there is too little memory.
            UnknownPrimitiveError: there is no such activation.

        """
        from .generators import layered

        return layered(width, depth, degree, seed=seed, reach=reach, activation=activation)

    @staticmethod
    def random(
        nodes: int,
        degree: float = 10,
        *,
        inputs: int | None = None,
        seed: int = 0,
        law: str = "uniform",
        activation: str = "tanh",
    ) -> Network:
        """Make a random acyclic network; every node has a path to the output.

        The nodes come one by one, and the edges to each from any of those before it, with equal
        chances: skipping levels is ordinary. But one edge of each node is placed first: it leads
        to a later node, by chance. Nodes are then numbered by level. Weights are drawn from a
        normal law with variance 1/(edges to the target).

        Args:
            nodes: how many, with the inputs; the last is the output.
            degree: how many edges lead to a node that is no input, in the mean.
            inputs: how many nodes nothing feeds; by default one in a hundred, but as many as
                ``degree``.
            seed: the same seed gives the same network (with the same NumPy).
            law: of how many edges lead to a node: ``"uniform"``, to each the same;
                ``"poisson"``, 1 and a Poisson number; ``"power"``, more than k with a chance that
                falls as k^-2. Never more than there are nodes before it, but where the edges would
                be fewer than the nodes that are to feed another, by chance one more.
            activation: of all nodes.

        Raises:
            ArgumentError: a number is out of its range, or there is too little memory.
            UnknownPrimitiveError: there is no such activation.

        """
        from .generators import random_network

        return random_network(
            nodes, degree, inputs=inputs, seed=seed, law=law, activation=activation
        )

    @staticmethod
    def article() -> Network:
        """Make the network of the article's figures, with the weights of ``examples/article.py``.

        Its nodes are z1, z2, z3, u1, u2, u3, u4, the old output y, and f = (y - 1)^2. The edges
        2 (z2 to u2) and 5 (u2 to u3) share a weight: its gradient is the sum of both. Edge 10, from
        z1 to y, skips two levels.
        """
        from .generators import article

        return article()

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
        return self.by_number(self.piece.leaves).copy()

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
        if self.place is None or not len(in_place):
            return in_place
        return in_place[self.place]

    def per_edge(self, in_place: Floats) -> Floats:
        """Return an array in the maker's edge order from one in firing order."""
        if self.piece.edges is None or not len(in_place):
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
        return self.per_edge(self.piece.weight.copy())

    @property
    def bias(self) -> Floats:
        """The bias of each node; empty where no node is a sum."""
        return self.per_node(self.piece.bias.copy())

    @property
    def operation(self) -> list[str]:
        """What each node does: its activation or primitive, or ``"leaf"``."""
        names = np.array(["leaf", *self.piece.names])
        op = np.repeat(self.piece.op, np.diff(self.piece.start)).astype(np.int64) + 1
        return [str(name) for name in names[op if self.place is None else op[self.place]]]

    def with_parameters(self, weight: Any = None, bias: Any = None) -> Network:
        """Return the same network with other weights or biases; the order is not made again."""
        piece = self.piece
        changes: dict[str, Any] = {}
        if weight is not None:
            weights = one_each(
                real_numbers(weight, "weight"), len(piece.weight), "weights", "edges"
            )
            require_finite(weights, "weight", "edge")
            changes["weight"] = weights.copy() if piece.edges is None else weights[piece.edges]
        if bias is not None:
            count = len(piece.bias) if len(piece.weight) else 0  # plain sums have none
            biases = one_each(real_numbers(bias, "bias"), count, "biases", "nodes")
            require_finite(biases, "bias", "node")
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

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the arrays of the last pass."""
        return {**self.__dict__, "scratch": None}

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
    values = np.ascontiguousarray(as_float64(inputs[0], "the inputs are"))
    count = len(network.piece.leaves)
    if values.shape != (count,):
        raise ArgumentError(
            f"the inputs have shape {list(values.shape)}, and the network has {count:,} nodes that "
            f"nothing feeds; give one number for each, in node order"
        )
    return values


def require_network(network: Any) -> None:
    """Raise unless this is a network."""
    if not isinstance(network, Network):
        raise ArgumentError(
            f"{network!r:.60} is {type(network).__name__}, and a bw.Network is needed"
        )
