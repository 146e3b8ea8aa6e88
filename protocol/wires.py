"""What the messaging protocol runs on: the nodes of a network, and the edges between them.

Which nodes lie between a differentiated leaf and the output (V of them), the edges between those
(E), and the level of each node.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from .arrays import Array, is_float
from .errors import CycleError, IndependentOutputError, NotScalarError, WireError
from .parts import Edge, Guard, Leaf, Node, Wiring
from .rules import TABLE, Primitive, Work, unknown


class Wires:
    """Nodes in topological order, with one output or several.

    Attributes:
        nodes: every node, each after its inputs; ``nodes[i].id == i``.
        outputs: the ids of the outputs.
        leaves: the arrays among the arguments, in the order of the flattened arguments.
        constants: the value of each constant node, by id.
        guards: what a replay must find again.
        recomputed: groups of nodes, each of which forgets its values after the forward sweep and
            computes them again when the wave comes back.
        name: what errors call the network.

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
        name: str = "",
    ) -> None:
        self.nodes = list(nodes)
        self.outputs = tuple(outputs)
        self.leaves = list(leaves)
        self.constants = constants
        self.guards = list(guards)
        self.recomputed = list(recomputed)
        self.name = name
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

    @cached_property
    def differentiated(self) -> bytearray:
        """For each node 1 if it depends, through edges, on a differentiated leaf."""
        depends = bytearray(len(self.nodes))
        for leaf in self.leaves:
            if leaf.differentiated:
                depends[leaf.node] = 1
        for node in self.nodes:
            if not node.inputs or not is_float(node.dtype):
                continue
            primitive = self.primitive(node.id)
            for position, z in enumerate(node.inputs):
                if depends[z] and primitive.message(position) is not None:
                    depends[node.id] = 1
                    break
        return depends

    @cached_property
    def edges(self) -> list[Edge]:
        """The E edges on paths from a differentiated leaf to an output.

        They stand in the order in which the backward wave sends over them, which is also the
        order in which each node sums: an edge's number is its index here.
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
            primitive = self.primitive(u)
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
        """For each node in a group that is computed again, the index of the group."""
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
        return len(self.wave_levels)

    @cached_property
    def wave_levels(self) -> frozenset[int]:
        """The levels on which the V nodes stand."""
        return frozenset([self.levels[u] for u, here in enumerate(self.on_network) if here])

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
        found = TABLE.get(node.primitive)
        if found is None:
            raise unknown(node.primitive, node.line)
        return found

    def work(self, u: int) -> Work:
        """Return what one forward firing of node ``u`` costs."""
        node = self.nodes[u]
        if not node.inputs:
            return Work(0, 0)
        inputs = (self.nodes[z].abstract for z in node.inputs)
        return self.primitive(u).work(node.abstract, *inputs, **node.attributes)

    def require_dependence(self) -> None:
        """Raise unless an output depends on a differentiated leaf."""
        if any(self.on_network[u] for u in self.outputs):
            return
        names = ", ".join(dict.fromkeys(self.nodes[u].name for u in self.outputs))
        which = "outputs" if len(self.outputs) > 1 else "output"
        given = ", ".join(leaf.path for leaf in self.leaves if leaf.differentiated)
        raise IndependentOutputError(
            f"{self.nodes[self.outputs[0]].line or 'the network'}: the {which} {names} "
            f"{'do' if len(self.outputs) > 1 else 'does'} not depend on what is "
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
