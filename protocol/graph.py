"""The network: an acyclic graph of nodes, as data.

A graph holds no arrays but its constants and runs nobody's code. What the messaging protocol
needs of it is here too: which nodes lie between a differentiated leaf and the output (V of them),
the edges between those (E), and the level of each node.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from .arrays import Array, is_float
from .errors import ArgumentError, CycleError, IndependentOutputError, NotScalarError, WireError
from .rules import Abstract, Primitive, Work, lookup

if TYPE_CHECKING:
    from .node import Rules

LEAF = "leaf"
CONSTANT = "constant"


class Edge(NamedTuple):
    """The ``position``-th input of node ``target``, which comes from node ``source`` below it."""

    source: int
    target: int
    position: int


class Node:
    """One node: a primitive by name, its input nodes, its attributes, shape, dtype and place.

    ``line`` is the user's source line, ``file.py:12``.
    """

    __slots__ = ("_line", "_name", "attributes", "dtype", "id", "inputs", "primitive", "shape")

    def __init__(
        self,
        id: int,
        primitive: str,
        inputs: tuple[int, ...],
        attributes: dict[str, Any],
        shape: tuple[int, ...],
        dtype: Any,
        line: Any = "",
        name: str = "",
    ) -> None:
        self.id = id
        self.primitive = primitive
        self.inputs = inputs
        self.attributes = attributes
        self.shape = shape
        self.dtype = dtype
        self._line = line
        self._name = name

    @property
    def name(self) -> str:
        """A readable name: a leaf's path among the arguments, else the primitive and the id."""
        return self._name or f"{self.primitive}:{self.id}"

    @property
    def line(self) -> str:
        """The user's source line, ``file.py:12``, or an empty string."""
        if not isinstance(self._line, str):
            code, instruction = self._line
            number = next(
                (line for start, end, line in code.co_lines() if start <= instruction < end),
                code.co_firstlineno,
            )
            self._line = f"{code.co_filename}:{number}"
        return self._line

    @property
    def abstract(self) -> Abstract:
        """The node's shape and dtype."""
        return Abstract(self.shape, self.dtype)

    def __repr__(self) -> str:
        """Show name, dtype, shape and inputs."""
        inputs = ", ".join(map(str, self.inputs))
        return f"<node {self.id} {self.name}({inputs}) {self.dtype}{list(self.shape)}>"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One array among the arguments: its node, the argument it is in, and whether it varies."""

    node: int
    argument: int
    path: str
    differentiated: bool


@dataclass(frozen=True, slots=True)
class Guard:
    """A value on which the traced Python program branched; a replay must find it again."""

    node: int
    value: bool | int
    line: str


class Wiring(NamedTuple):
    """The edges, seen from their ends.

    Attributes:
        sends: for each node that sends, the numbers of its edges, which stand together.
        turn: for each edge, how many messages its source takes before the one on it.
        fan_out: for each node that receives, how many messages come.

    """

    sends: dict[int, range]
    turn: list[int]
    fan_out: dict[int, int]


class Graph:
    """A network of nodes in topological order, with one output or several.

    Attributes:
        nodes: every node, each after its inputs; ``nodes[i].id == i``.
        outputs: the ids of the outputs.
        leaves: the arrays among the arguments, in the order of the flattened arguments.
        constants: the value of each constant node, by id.
        guards: what a replay must find again.
        recomputed: groups of nodes, each of which forgets its values after the forward sweep and
            computes them again when the wave comes back.
        arguments: how many positional arguments the traced function took.
        argnums: the differentiated argument or arguments, None for all.
        takes, gives: the structure of the arguments and of the value, where it is known (a file
            does not hold it: the value of several outputs is then a tuple).

    """

    def __init__(
        self,
        nodes: Sequence[Node],
        outputs: Sequence[int],
        leaves: Sequence[Leaf],
        constants: dict[int, Array],
        *,
        guards: Sequence[Guard] = (),
        recomputed: Sequence[tuple[int, ...]] = (),
        arguments: int = 1,
        argnums: int | tuple[int, ...] | None = None,
        name: str = "",
        takes: Any = None,
        gives: Any = None,
    ) -> None:
        self.nodes = list(nodes)
        self.outputs = tuple(outputs)
        self.leaves = list(leaves)
        self.constants = constants
        self.guards = list(guards)
        self.recomputed = list(recomputed)
        self.arguments = arguments
        self.argnums = argnums
        self.name = name
        self.takes = takes
        self.gives = gives
        # What is worked out once, and kept for the next pass.
        self.rules: Rules | None = None
        self.hvp: Graph | None = None
        check_order(self.nodes)

    @property
    def output(self) -> int:
        """The one output.

        Raises:
            NotScalarError: there are several.

        """
        if len(self.outputs) != 1:
            raise NotScalarError(
                f"the network {self.name} has {len(self.outputs)} outputs, and this needs one; "
                f"return one number (has_aux=True takes what else there is), or use bw.vjp"
            )
        return self.outputs[0]

    # What the messaging protocol runs on.

    @cached_property
    def differentiated(self) -> bytearray:
        """For each node 1 if it depends, through edges, on a differentiated leaf."""
        depends = bytearray(len(self.nodes))
        for leaf in self.leaves:
            if leaf.differentiated:
                depends[leaf.node] = 1
        primitive: Primitive
        for node in self.nodes:
            if not node.inputs or not is_float(node.dtype):
                continue
            primitive = lookup(node.primitive, node.line)
            for position, z in enumerate(node.inputs):
                if depends[z] and primitive.message(position) is not None:
                    depends[node.id] = 1
                    break
        return depends

    @cached_property
    def edges(self) -> list[Edge]:
        """The E edges on paths from a differentiated leaf to an output.

        They stand in the order in which the backward wave sends over them, which is also the
        order in which each node sums: an edge's number is its place here.
        """
        depends = self.differentiated
        reached = bytearray(len(self.nodes))
        for u in self.outputs:
            reached[u] = depends[u]
        edges: list[Edge] = []
        for u in range(max(self.outputs, default=-1), -1, -1):
            if not reached[u]:
                continue
            node = self.nodes[u]
            if not node.inputs:
                continue
            primitive = lookup(node.primitive, node.line)
            for position, z in enumerate(node.inputs):
                if depends[z] and primitive.message(position) is not None:
                    edges.append(Edge(z, u, position))
                    reached[z] = 1
        self._reached = reached
        return edges

    @cached_property
    def on_network(self) -> bytearray:
        """For each node 1 if it is one of the V nodes that the backward wave visits."""
        _ = self.edges
        return self._reached

    @cached_property
    def wiring(self) -> Wiring:
        """Who sends over which edges, and in which turn, and how many messages come to whom."""
        sends: dict[int, range] = {}
        turn: list[int] = []
        fan_out: dict[int, int] = {}
        sender, first = -1, 0
        for number, (z, u, _) in enumerate(self.edges):
            if u != sender:
                if number:
                    sends[sender] = range(first, number)
                sender, first = u, number
            before = fan_out.get(z, 0)
            turn.append(before)
            fan_out[z] = before + 1
        if turn:
            sends[sender] = range(first, len(turn))
        return Wiring(sends, turn, fan_out)

    @cached_property
    def levels(self) -> list[int]:
        """The level of each node: the longest path to it from a node without inputs."""
        levels = [0] * len(self.nodes)
        for node in self.nodes:
            if node.inputs:
                levels[node.id] = 1 + max([levels[z] for z in node.inputs])
        return levels

    @cached_property
    def guard_at(self) -> dict[int, Guard]:
        """The guard at each node that has one."""
        return {guard.node: guard for guard in self.guards}

    @cached_property
    def group_of(self) -> dict[int, int]:
        """For each node in a group that is computed again, the place of the group."""
        return {u: number for number, group in enumerate(self.recomputed) for u in group}

    @cached_property
    def num_nodes(self) -> int:
        """V: the nodes on paths from a differentiated leaf to the output."""
        return sum(self.on_network)

    @property
    def num_edges(self) -> int:
        """E: the edges on those paths, hence the number of messages of one backward wave."""
        return len(self.edges)

    @cached_property
    def num_levels(self) -> int:
        """How many levels the V nodes stand on, hence the number of waves."""
        return len({self.levels[u] for u, here in enumerate(self.on_network) if here})

    @cached_property
    def num_outputs(self) -> int:
        """How many of the V nodes receive no message: no edge of the network leaves them."""
        reached = {u for u in self.outputs if self.on_network[u]}
        return len(reached - {edge.source for edge in self.edges})

    @cached_property
    def inputs_without_gradient(self) -> int:
        """How many inputs of the V nodes are no edges: constants, masks, indices, data."""
        here = self.on_network
        return sum(len(node.inputs) for node in self.nodes if here[node.id]) - self.num_edges

    # Looking things up.

    def primitive(self, u: int) -> Primitive:
        """Return the primitive of node ``u``, which must not be a leaf or a constant."""
        node = self.nodes[u]
        return lookup(node.primitive, node.line)

    def work(self, u: int) -> Work:
        """Return what one forward firing of node ``u`` costs."""
        node = self.nodes[u]
        if not node.inputs:
            return Work(0, 0)
        inputs = (self.nodes[z].abstract for z in node.inputs)
        return self.primitive(u).work(node.abstract, *inputs, **node.attributes)

    def require_dependence(self) -> None:
        """Raise unless the output depends on a differentiated leaf."""
        node = self.nodes[self.output]
        if not self.on_network[self.output]:
            given = ", ".join(leaf.path for leaf in self.leaves if leaf.differentiated)
            raise IndependentOutputError(
                f"{node.line or 'the network'}: the output {node.name} does not depend on what is "
                f"differentiated ({given or 'nothing'}), so there is no message to send"
            )

    def require_scalar(self) -> None:
        """Raise unless the output is one number."""
        node = self.nodes[self.output]
        if node.shape != () or not is_float(node.dtype):
            raise NotScalarError(
                f"{node.line or 'the network'}: the output {node.name} is {node.dtype} of shape "
                f"{node.shape}, but S = 1 needs one floating-point number; reduce it, for "
                f"instance with np.sum, or give its S with bw.vjp"
            )

    def save(self, path: Any) -> None:
        """Write the graph to one file, which :meth:`load` reads without running any code."""
        from .graph_file import save

        save(self, path)

    @staticmethod
    def load(path: Any) -> Graph:
        """Read a graph from the file at ``path``.

        Raises:
            WireError: the bytes are truncated, damaged or not a graph.
            CycleError: the file's network has a cycle, which is named.
            UnknownPrimitiveError: a node's primitive has no rule here.

        """
        from .graph_file import load

        return load(path)

    def summary(self) -> None:
        """Print a table of the nodes: name, inputs, value, operations and the user's line.

        A node with a dot is not between a differentiated leaf and the output.
        """
        from .summary import summary

        print(summary(self))

    def __repr__(self) -> str:
        """Say the size."""
        name = f" {self.name}" if self.name else ""
        return f"<graph{name}: V={self.num_nodes} E={self.num_edges} levels={self.num_levels}>"


def require_graph(graph: Any) -> None:
    """Raise unless this is a graph: a function is traced first."""
    if not isinstance(graph, Graph):
        raise ArgumentError(
            f"{graph!r:.60} is {type(graph).__name__}, and a graph is needed: "
            f"bw.trace(f, *args) makes one"
        )


def check_order(nodes: Sequence[Node]) -> None:
    """Raise unless each node stands after its inputs, naming the cycle if there is one."""
    for u, node in enumerate(nodes):
        for z in node.inputs:
            if not 0 <= z < u:
                break
        else:
            continue
        break
    else:
        return
    for node in nodes:
        for z in node.inputs:
            if not 0 <= z < len(nodes):
                raise WireError(f"node {node.name} has input {z}, and there is no such node")
    cycle = _find_cycle([node.inputs for node in nodes])
    if cycle:
        names = " -> ".join(nodes[u].name for u in [*cycle, cycle[0]])
        raise CycleError(
            f"the network has a cycle: {names}; back-propagation needs an acyclic network "
            f"(unroll a loop through time first)"
        )
    raise WireError(f"node {nodes[u].name} stands before one of its inputs")


def _find_cycle(inputs: Sequence[Iterable[int]]) -> list[int]:
    """Return the nodes of one cycle, each followed by a node that it feeds; empty if none."""
    UNSEEN, OPEN, DONE = 0, 1, 2
    state = [UNSEEN] * len(inputs)
    for root in range(len(inputs)):
        if state[root] != UNSEEN:
            continue
        path = [root]
        rest = [iter(inputs[root])]
        state[root] = OPEN
        while path:
            z = next(rest[-1], None)
            if z is None:
                state[path.pop()] = DONE
                rest.pop()
            elif state[z] == OPEN:
                return path[path.index(z) :][::-1]
            elif state[z] == UNSEEN:
                state[z] = OPEN
                path.append(z)
                rest.append(iter(inputs[z]))
    return []
