"""An acyclic network of scalar nodes, given by arrays.

A node of the article's: u = σ(w_1·z_1 + ... + w_m·z_m + b). Any node may feed any later one. The
weights sit on the edges, where their gradients are made "locally by the endpoints of the edge"
(Claim 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError, BackwaveError, CycleError
from ..residents import PassOptions, Returned
from .bound import BoundScalars, bind
from .given import Activations, Given
from .make.checks import one_each, real_numbers, require_finite
from .result import NetworkResult, from_partitions
from .whole import Whole

if TYPE_CHECKING:
    from ..graph.graph import Graph
    from ..layout import Cut, Layout
    from ..outline import Ints, Outline
    from .given import Definition
    from .one_pass import Scratch


class Network(Whole):
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
        # Here, since it needs Numba, which takes half a second to import.
        from .make.define import define

        self._assemble(define(Given(source, target, weight, bias, activation, output)))

    def _assemble(self, definition: Definition) -> None:
        from .make.assemble import assemble

        assembled = assemble(definition)
        self.piece, self.at = assembled.piece, assembled.at
        self.num_nodes = int(np.count_nonzero(definition.live))
        self.num_edges = definition.num_edges
        self.inputs_without_gradient = definition.inputs_without_gradient

    @classmethod
    def _of(cls, definition: Definition) -> Network:
        network = cls.__new__(cls)
        network._assemble(definition)
        return network

    @staticmethod
    def from_graph(graph: Graph) -> Network:
        """Turn a traced graph of scalar nodes into a network: the same nodes and edges, as arrays.

        Its inputs are the numbers in the graph's leaves, in order; see :func:`from_graph.columns`.

        Raises:
            ArgumentError: a node is no single float64, or its operation has attributes.

        """
        from .make.from_graph import columns

        return Network._of(columns(graph))

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
        from .make.readers import from_scipy

        given = from_scipy(matrix, bias=bias, activation=activation, output=output)
        return Network(**given._asdict())

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
        from .make.readers import from_networkx, named_cycle

        given = from_networkx(graph, weight=weight, bias=bias, activation=activation, output=output)
        try:
            return Network(**given._asdict())
        except CycleError:
            raise named_cycle(graph, given) from None

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
        from .files.edge_file import from_file

        file, edges = from_file(path)
        try:
            return Network(*edges, bias=bias, activation=activation, output=output)
        except BackwaveError as error:
            raise type(error)(f"{file}: {error}") from None

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
        from .files.edge_file import save_edges

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
        from .make.generators import layered

        return Network._of(
            layered(width, depth, degree, seed=seed, reach=reach, activation=activation)
        )

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
        from .make.generators import random_network

        return Network._of(
            random_network(nodes, degree, inputs=inputs, seed=seed, law=law, activation=activation)
        )

    @staticmethod
    def article() -> Network:
        """Make the network of the article's figures, with the weights of ``examples/article.py``.

        Its nodes are z1, z2, z3, u1, u2, u3, u4, the old output y, and f = (y - 1)^2. The edges
        2 (z2 to u2) and 5 (u2 to u3) share a weight: its gradient is the sum of both. Edge 10, from
        z1 to y, skips two levels.
        """
        from .make.generators import article

        return Network(**article()._asdict())

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
        other.__dict__.update(self.__getstate__())
        other.piece = replace(piece, **changes)
        return other

    def weights_as_nodes(self) -> Network:
        """Return the article's change of view: "the parameters ... as also sitting on the nodes".

        Each weight and each bias becomes a leaf, and each edge a node that multiplies. The inputs
        are those of this network, then the weights in edge order, then the biases of the nodes
        that something feeds, in node order. Both give the same gradients.
        """
        from .make.change_of_view import weights_as_nodes

        return Network._of(weights_as_nodes(self))

    # What every network gives: see AnyNetwork. Imports stand inside, since Numba takes its time.

    def require_dependence(self) -> None:
        """Do nothing: a network whose output depends on nothing cannot be made."""

    def outline(self) -> Outline:
        """Return the network as numbers."""
        from .outlined import outline

        return outline(self.piece)

    def mapped(self, mapping: Any, partitions: int) -> Ints:
        """Return the partition that the user's own mapping gives each node."""
        from .cut.mapping import mapped

        return mapped(self, mapping, partitions)

    def as_numbered(self, partition: Ints) -> Ints:
        """Return the partition of each node as its maker numbers them."""
        return partition if self.at is None else partition[self.at]

    def cut(self, layout: Layout) -> Cut:
        """Return the piece of each partition, what fires in each stage, the key of each frame."""
        from .cut.cut import cut

        return cut(self.piece, layout)

    def whole(self, *, elsewhere: bool) -> None:
        """Return nothing: pieces share nothing."""

    def bind(self, args: tuple[Any, ...], S: Any) -> BoundScalars:
        """Return the arguments, and S at the output (None: the article's 1), bound.

        Raises:
            ArgumentError: they do not fit.

        """
        return bind(self, args, S)

    @cached_property
    def _scratch(self) -> Scratch:
        from .one_pass import Scratch

        return Scratch()

    def can_record(self) -> bool:
        """Raise ArgumentError: there may be millions of messages."""
        raise ArgumentError(
            "record=True keeps every message of a traced graph, and this is a bw.Network; its "
            "messages are S at the target times the weight: see result.S and weight_gradient"
        )

    def run_here(
        self, bound: BoundScalars, options: PassOptions, curvature: Callable[[], Any]
    ) -> NetworkResult:
        """Run a pass in this process."""
        from .one_pass import run_here

        return run_here(self, self._scratch, bound, check_finite=options.check_finite)

    def result(self, bound: BoundScalars, returned: Returned) -> NetworkResult:
        """Return the result of a pass over partitions."""
        return from_partitions(self, returned)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the arrays of the last pass."""
        return {name: value for name, value in self.__dict__.items() if name != "_scratch"}


def require_network(network: Any) -> None:
    """Raise unless this is a network."""
    if not isinstance(network, Network):
        raise ArgumentError(
            f"{network!r:.60} is {type(network).__name__}, and a bw.Network is needed"
        )
