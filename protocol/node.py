"""The rule of one node: sum, then send.

The article's messaging protocol:

    The node u receives a message along each outgoing edge from the node at the other end of that
    edge. It sums these messages to get a number S (if u is the output of the entire net, then
    define S = 1) and then it sends the following message to any node z adjacent to it at a lower
    level: S·∂u/∂z.

:class:`Nodes` is the nodes of one partition during one pass. In one process all nodes are one
partition; a worker holds those of its own. Both do the same operations in the same order, so their
answers agree in every bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .arrays import Array, settle
from .checkpoints import Checkpoint, checkpoints
from .errors import BackwaveError, GuardError, ProtocolError, ShapeError
from .finite import require_finite, span
from .ledger import Counts
from .memory import FORWARD_USE, Memory, Moment
from .parts import Node
from .wires import Wires

_float64 = np.float64
_EXACT = np.dtype("f8")


class Sent(NamedTuple):
    """One message that a node sends: on which edge, by which rule, to which node."""

    edge: int
    rule: Callable[..., Array]
    target: int


class Instructions:
    """What the nodes of one partition do in every pass, looked up in the table once.

    Args:
        wires: the network.
        nodes: those that live here; by default all.
        adopt: turns a constant into a value of the partition's kind (a device array, say).
        keep: nodes whose values go elsewhere, so that a checkpoint never forgets them.
        lanes: with a combiner, for each edge between here and elsewhere that over which its
            message goes, summed with others of its sender. Others have one each.

    Attributes:
        dies: after which moment a value here is used no more; filled in where values are let go.
        size: the bytes of each value that is let go.

    """

    def __init__(
        self,
        wires: Wires,
        nodes: Iterable[int] | None = None,
        adopt: Callable[[Array], Array] = lambda value: value,
        keep: Iterable[int] = (),
        lanes: Mapping[int, int] | None = None,
    ) -> None:
        self.nodes = wires.nodes
        self.edges = wires.edges
        self.outputs = wires.outputs
        self.on_network = wires.on_network
        # In forward order: what computes each node, and from which.
        self.forward: dict[int, tuple[Callable[..., Array], tuple[int, ...]]] = {}
        self.messages: dict[int, list[Sent]] = {}
        order: Iterable[int] = range(len(self.nodes)) if nodes is None else sorted(nodes)
        self.here = frozenset(order)
        # A partition of few nodes looks at few: what needs every edge is in the wires, once.
        sends, turn, fan_out = wires.wiring
        self.turn: Sequence[int] | Mapping[int, int] = turn
        self.fan_out: Mapping[int, int] = fan_out
        if lanes is not None:
            self.turn, self.fan_out = turns(wires, self.here, lanes)
        needed = set(self.here)
        for u in order:
            node = self.nodes[u]
            if not node.inputs:
                continue
            needed.update(node.inputs)
            primitive = wires.primitive(u)
            rule = primitive.forward
            if node.attributes:
                rule = partial(rule, **node.attributes)
            self.forward[u] = rule, node.inputs
            if u not in sends:
                continue
            out = self.messages[u] = []
            for number in sends[u]:
                edge = self.edges[number]
                message = primitive.message(edge.position)
                assert message is not None  # or it would be no edge
                if node.attributes:
                    message = partial(message, **node.attributes)
                out.append(Sent(number, message, edge.source))
        constants = wires.constants
        self.constants = {z: adopt(constants[z]) for z in needed if z in constants}
        self.guards = {u: wires.guard_at[u] for u in self.here if u in wires.guard_at}
        self.checkpoints = checkpoints(wires, self.here, keep)
        # What a wave through all nodes at once does: made by the first, kept for the next.
        self.wave: Sequence[Any] | None = None
        self.dies: Mapping[Moment, tuple[int, ...]] = {}
        self.size: Mapping[int, int] = {}


def turns(
    wires: Wires, here: frozenset[int], lanes: Mapping[int, int]
) -> tuple[dict[int, int], dict[int, int]]:
    """Return the turns of messages at their nodes, and how many come, where lanes join some.

    A node sums its own partition's messages one by one, and those of another as one, in the turn
    of the first. What leaves is summed before, in the order of its edges.
    """
    turn: dict[int, int] = {}
    come: dict[int, int] = {}
    for number, (z, u, _) in enumerate(wires.edges):
        if (z in here and lanes.get(number, number) == number) or (z not in here and u in here):
            turn[number] = come.get(z, 0)
            come[z] = turn[number] + 1
    return turn, come


class Nodes:
    """The nodes of one partition, during one pass.

    Args:
        instructions: what they do.
        check_finite: whether to look for NaN and infinity.
        known: values that are there before the pass: of parameters.
        memory: counts the values that are held, which are let go after their last use; without
            it all stay.

    Attributes:
        values: the value of each node that is known here.
        S: the sum of the messages of each node, complete or partial.
        counts: what was counted so far.

    """

    def __init__(
        self,
        instructions: Instructions,
        *,
        check_finite: bool = False,
        known: Mapping[int, Array] | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.instructions = instructions
        self.check_finite = check_finite
        self.values: dict[int, Array] = dict(instructions.constants)
        self._memory = memory
        if known is not None:
            for leaf, value in known.items():
                self._take(leaf, value)
        self.S: dict[int, Array] = {}
        self.counts = Counts()
        self._given: dict[int, Array] = {}
        self._received: dict[int, int] = {}
        self._early: dict[int, dict[int, Array]] = {}
        self._unfired: dict[Checkpoint, int] = {}
        self._forgotten: set[Checkpoint] = set()

    def put(self, leaf: int, value: Array) -> None:
        """Give a leaf its value, or take a value that was computed elsewhere."""
        if self._memory is not None:
            self._memory.hold(self.instructions.size[leaf])
        self._take(leaf, value)

    def _take(self, leaf: int, value: Array) -> None:
        self.values[leaf] = value
        if leaf not in self.instructions.here:
            return  # where it lives it has been looked at
        if self.check_finite or leaf in self.instructions.guards:
            self._look(self.instructions.nodes[leaf], value)

    def fire(self, nodes: Iterable[int]) -> None:
        """Compute the values of ``nodes`` from those of their inputs, in this order."""
        values = self.values
        forward = self.instructions.forward
        known = self.instructions.nodes
        groups, memory = self.instructions.checkpoints, self._memory
        watched = self.check_finite or bool(self.instructions.guards or groups or memory)
        for u in nodes:
            rule, inputs = forward[u]
            try:
                if len(inputs) == 1:
                    value = rule(values[inputs[0]])
                elif len(inputs) == 2:
                    value = rule(values[inputs[0]], values[inputs[1]])
                else:
                    value = rule(*[values[z] for z in inputs])
            except BackwaveError:
                raise
            except Exception as error:
                raise failure(known[u], "computing", error) from error
            if type(value) is not _float64:
                value = settle(value)
                if value.shape != known[u].shape:
                    raise ShapeError(
                        f"{known[u].line}: {known[u].name} has shape {value.shape} "
                        f"with these arguments and had {known[u].shape} when it was traced; "
                        f"trace it again"
                    )
            values[u] = value
            if not watched:
                continue
            if memory is not None:
                memory.hold(self.instructions.size[u])
            self._look(known[u], value)
            if u in groups:
                self._unfired[groups[u]] = self._unfired.get(groups[u], len(groups[u].group)) - 1
                if not self._unfired[groups[u]]:
                    self._forget(groups[u])
            if memory is not None:
                self.let_go((FORWARD_USE, u))

    def let_go(self, moment: Moment) -> None:
        """Let values go whose last use this was."""
        self._drop(self.instructions.dies.get(moment, ()))

    def end(self) -> None:
        """Let all values go."""
        self._drop(self.instructions.size)

    def _drop(self, nodes: Iterable[int]) -> None:
        for z in nodes:
            if self.values.pop(z, None) is not None and self._memory is not None:
                self._memory.free(self.instructions.size[z])

    def forget(self) -> None:
        """Forget the values inside every checkpoint, as :meth:`fire` does when it has passed."""
        for checkpoint in set(self.instructions.checkpoints.values()):
            self._forget(checkpoint)

    def _forget(self, checkpoint: Checkpoint) -> None:
        self._drop(checkpoint.inner)
        self._forgotten.add(checkpoint)

    def _recall(self, checkpoint: Checkpoint) -> None:
        """Compute forgotten values again: all that they need is below them, and still known."""
        self._forgotten.discard(checkpoint)
        for u in checkpoint.inner:
            rule, inputs = self.instructions.forward[u]
            self.values[u] = settle(rule(*[self.values[z] for z in inputs]))
            if self._memory is not None:
                self._memory.hold(self.instructions.size[u])
        self.counts.recomputed += len(checkpoint.inner)

    def _look(self, node: Node, value: Array) -> None:
        guard = self.instructions.guards.get(node.id)
        if guard is not None and value != guard.value:
            raise GuardError(
                f"{guard.line}: the program branched on {node.name} == {guard.value} when it was "
                f"traced, and it is {value} with these arguments; trace it again"
            )
        if self.check_finite:
            require_finite(node, value, "value", self._ranges)

    def _ranges(self, node: Node) -> dict[str, str]:
        known = self.instructions.nodes
        return {known[z].name: span(self.values[z]) for z in node.inputs}

    def take_over(self, received: dict[int, int], sums: int, messages: int) -> None:
        """Take over the counts of messages that were sent and received all in one place."""
        self._received.update(received)
        self.counts += Counts(
            messages=messages, multiplies=messages, sums=sums, receivers=len(received)
        )

    def receive(self, edge: int, message: Array, *, counted: bool = False) -> None:
        """Take the message on edge number ``edge`` into its node's sum.

        Each node sums in edge order: a message that comes early waits for its turn, and one that
        has been taken already is dropped. One that its sender summed of others is ``counted``
        there. Messages to a node elsewhere are summed here where they go as one.
        """
        z = self.instructions.edges[edge].source
        turn = self.instructions.turn[edge]
        received = self._received.get(z, 0)
        if turn != received:
            waiting = self._early.setdefault(z, {})
            if turn < received or turn in waiting:
                self.counts.retransmissions += 1
            else:
                waiting[turn] = message
                self.counts.messages += not counted
            return
        self.counts.messages += not counted
        self._add(z, message, turn)
        if self._early:
            waiting = self._early.get(z, {})
            while (turn := turn + 1) in waiting:
                self._add(z, waiting.pop(turn), turn)

    def _add(self, z: int, message: Array, turn: int) -> None:
        if turn == 0:
            self.S[z] = message
            self.counts.receivers += z in self.instructions.here
        else:
            # The first addition makes an array of our own; later ones may then be in place.
            total = self.S[z]
            if turn == 1:
                total = total + message
            else:
                total += message
            self.S[z] = total
            self.counts.sums += 1
        self._received[z] = turn + 1

    def define(self, u: int, S: Array) -> None:
        """Define S at an output; the article's S = 1."""
        self._given[u] = S

    def complete(self, u: int) -> None:
        """Add what S was defined to be at an output: to its messages, if it is below another.

        Last of all, so that it does not matter when it came.
        """
        given = self._given.pop(u, None)
        if given is not None:
            self.S[u] = self.S[u] + given if u in self.S else given

    def require_all(self, u: int) -> int:
        """Return how many messages come to a node; raise ProtocolError unless all have."""
        received, expected = self._received.get(u, 0), self.instructions.fan_out.get(u, 0)
        if received != expected:
            missing = expected - received - len(self._early.get(u, ()))
            name = self.instructions.nodes[u].name
            raise ProtocolError(f"node {name} cannot fire: {missing} messages are missing")
        return expected

    def send(self, u: int) -> Iterator[tuple[int, Array]]:
        """Yield ``(edge, S·∂u/∂z)`` for each node z below u, once S at u is complete.

        Raises:
            ProtocolError: a message to u is missing.

        """
        known = self.instructions
        self.require_all(u)
        if self._given:
            self.complete(u)
        out = known.messages.get(u)
        if out is None:
            return
        if self._forgotten and known.checkpoints.get(u) in self._forgotten:
            self._recall(known.checkpoints[u])
        values = self.values
        nodes = known.nodes
        S = self.S.get(u)
        if S is None:
            raise ProtocolError(f"the output {nodes[u].name} cannot fire: its S is not defined")
        value = values[u]
        inputs = known.forward[u][1]
        arguments = [values[z] for z in inputs]
        for edge, rule, z in out:
            target = nodes[z]
            try:
                message = rule(S, value, *arguments)
                if type(message) is not _float64 or target.shape or target.dtype != _EXACT:
                    message = fit(message, target.shape, target.dtype)
            except BackwaveError:
                raise
            except Exception as error:
                raise failure(nodes[u], "sending back through", error) from error
            self.counts.multiplies += 1
            if self.check_finite:
                require_finite(nodes[u], message, f"message to {target.name}", self._ranges)
            yield edge, message


def fit(message: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """Undo broadcasting and bring a message to rest: z's own shape and dtype, contiguous.

    The one place where broadcasting is undone: where u broadcast z along an axis, every entry of
    that axis has an edge to the same z, so their messages are summed.
    """
    if message.shape != shape:
        extra = message.ndim - len(shape)
        if extra > 0:
            message = np.sum(message, axis=tuple(range(extra)))
        axes = tuple(
            i
            for i, n in enumerate(shape)
            if n == 1 and len(message.shape) > i and message.shape[i] != 1
        )
        if axes:
            message = np.sum(message, axis=axes, keepdims=True)
        if message.shape != shape:
            message = np.broadcast_to(message, shape)
    if message.dtype != dtype:
        if message.dtype.kind == "c" and dtype.kind == "f":
            message = np.real(message)
        message = message.astype(dtype)
    return settle(message)


def failure(node: Node, doing: str, error: Exception) -> ShapeError:
    """Turn an error inside a rule into one that names the node and the user's line."""
    return ShapeError(f"{node.line}: {doing} {node.name} failed: {error}")
