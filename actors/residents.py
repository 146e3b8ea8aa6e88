"""The nodes that live on a worker: tensors one by one, or scalars in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from ..protocol.arrays import Array
from ..protocol.backward import first_S
from ..protocol.graph import Graph
from ..protocol.message import BACKWARD, FORWARD, SUMS, Message
from ..protocol.network.piece import Piece
from ..protocol.node import Nodes, Rules
from ..scheduler.plan import PlannedFrame, Stage
from .device import Device, Host

Given = Sequence[tuple[int, Array]]


class Residents(Protocol):
    """What a worker asks of the nodes that live on it; ``duplicates`` came twice, and went."""

    duplicates: int

    def begin(self, *, check_finite: bool) -> None:
        """Begin another pass."""

    def fault(self, planned: PlannedFrame, message: Message, origin: str) -> str:
        """Say what is wrong with a message from ``origin``; an empty string if nothing is."""

    def take(self, planned: PlannedFrame, messages: Sequence[Message]) -> None:
        """Take what came in a frame."""

    def fire(self, stage: Stage) -> None:
        """Fire a stage forward."""

    def send(self, stage: Stage) -> frozenset[int]:
        """Fire a stage backward; return the levels that fired."""

    def give(self, planned: PlannedFrame) -> Given:
        """Return what goes in a frame."""

    def found(self, keys: Iterable[int]) -> Given:
        """Return S, or what else is asked for after a pass."""

    def count(self, stage: Stage, kind: str) -> int:
        """Return how many nodes fire in a stage, forward or backward."""

    def counts(self) -> dict[str, int]:
        """Return what was counted so far in this pass, by the ledger's names."""


class TensorNodes:
    """Nodes of a graph, one by one."""

    def __init__(
        self, graph: Graph, nodes: Sequence[int], place: Host | Device, given_away: Iterable[int]
    ) -> None:
        self.graph = graph
        self._place = place
        self._rules = Rules(graph, nodes, place.put, keep=given_away)
        self.begin(check_finite=False)

    def begin(self, *, check_finite: bool) -> None:
        """Begin another pass."""
        self._nodes = Nodes(self._rules, check_finite=check_finite)
        self._crossing: dict[int, Array] = {}

    @property
    def duplicates(self) -> int:
        """How many messages came a second time, and were dropped."""
        return self._nodes.duplicates

    @duplicates.setter
    def duplicates(self, count: int) -> None:
        self._nodes.duplicates = count

    def fault(self, planned: PlannedFrame, message: Message, origin: str) -> str:
        """Say whether a message lacks the shape and dtype of its node."""
        key, value = message
        node = self.graph.nodes[self.graph.edges[key].source if planned.kind == BACKWARD else key]
        if value.shape == node.shape and value.dtype == node.dtype:
            return ""
        what = "the message to" if planned.kind == BACKWARD else "the value of"
        return (
            f"{what} {node.name} from {origin} as {value.dtype}{list(value.shape)}, "
            f"and the node is {node.dtype}{list(node.shape)}"
        )

    def take(self, planned: PlannedFrame, messages: Sequence[Message]) -> None:
        """Take messages into their nodes' sums, or values that were computed elsewhere."""
        put = self._place.put
        for key, value in messages:
            if planned.kind == BACKWARD:
                self._nodes.receive(key, put(value))
            else:
                self._nodes.place(key, put(value))

    def fire(self, stage: Stage) -> None:
        """Fire a stage forward."""
        self._nodes.fire(stage.forward)

    def send(self, stage: Stage) -> frozenset[int]:
        """Fire a stage backward; return the levels that fired."""
        nodes, graph = self._nodes, self.graph
        here = self._rules.here
        if graph.output in stage.backward:
            nodes.begin(graph.output, self._place.put(first_S(graph, None)))
        self._crossing = {}
        for u in stage.backward:
            for edge, message in nodes.send(u):
                if graph.edges[edge].source in here:
                    nodes.receive(edge, message)
                else:
                    self._crossing[edge] = message
        return frozenset(graph.levels[u] for u in stage.backward)

    def give(self, planned: PlannedFrame) -> Given:
        """Return messages that cross, values, or S."""
        source = {
            BACKWARD: self._crossing,
            FORWARD: self._nodes.values,
            SUMS: self._nodes.S,
        }[planned.kind]
        return [(key, self._place.get(source[key])) for key in planned.keys]

    def found(self, keys: Iterable[int]) -> Given:
        """Return S at nodes."""
        return [(u, self._place.get(self._nodes.S[u])) for u in keys]

    def count(self, stage: Stage, kind: str) -> int:
        """Return how many nodes fire in a stage."""
        if kind == BACKWARD:
            return len(stage.backward)
        return len(stage.forward) + len(stage.leaves)

    def counts(self) -> dict[str, int]:
        """Return what was counted so far in this pass."""
        return self._nodes.counts()


class ScalarNodes:
    """A piece of a scalar network."""

    def __init__(self, piece: Piece, place: Host | Device) -> None:
        self._piece = piece
        self._blocks = place.blocks(piece)
        self.duplicates = 0
        self._combined = 0

    def begin(self, *, check_finite: bool) -> None:
        """Begin another pass."""
        self._blocks.begin(check_finite=check_finite)
        self.duplicates = 0
        self._combined = 0

    def fault(self, planned: PlannedFrame, message: Message, origin: str) -> str:
        """Say whether a block is of another length or dtype than planned."""
        value = message.value
        if value.shape == (planned.messages,) and value.dtype == np.float64:
            return ""
        return (
            f"a block from {origin} as {value.dtype}{list(value.shape)}, and the plan has "
            f"float64[{planned.messages}]"
        )

    def take(self, planned: PlannedFrame, messages: Sequence[Message]) -> None:
        """Put messages into their slots, or values into ghosts and leaves."""
        takes = self._piece.takes[planned.number]
        for _, value in messages:
            if planned.kind == BACKWARD:
                self._blocks.put_slots(takes.into, value)
            elif takes.pick is None:
                self._blocks.put(takes.into, value)
            else:
                self._blocks.put_ghosts(takes.into, value, takes.pick)

    def fire(self, stage: Stage) -> None:
        """Fire a stage forward, whose leaves stand before the others."""
        self._blocks.fire(_low(stage.leaves or stage.forward), _high(stage.forward or stage.leaves))

    def send(self, stage: Stage) -> frozenset[int]:
        """Fire a stage backward; return the levels that fired."""
        low, high = _low(stage.backward), _high(stage.backward)
        wave, piece = self._piece.wave[low:high], self._piece
        if piece.output >= 0 and _holds(piece, wave, piece.output):
            self._blocks.define(1.0)
        self._blocks.send(low, high)
        return frozenset(np.unique(piece.level[wave]).tolist())

    def give(self, planned: PlannedFrame) -> Given:
        """Return a block of messages that cross, of values, or of S."""
        key, blocks = planned.keys[0], self._blocks
        if planned.kind == BACKWARD:
            low, high = self._piece.messages[planned.number]
            return [(key, blocks.messages_at(low, high))]
        nodes = self._piece.values[planned.number]
        if planned.kind == FORWARD:
            return [(key, blocks.values_at(nodes))]
        return [(key, blocks.S_at(nodes) + 0.0)]  # 0 where no message came

    def found(self, keys: Iterable[int]) -> Given:
        """Return S or gradients, of all nodes or edges here."""
        return [(what, self._blocks.found(what)) for what in keys]

    def count(self, stage: Stage, kind: str) -> int:
        """Return how many nodes fire in a stage."""
        start = self._piece.start
        if kind == BACKWARD:
            wave = self._piece.wave[_low(stage.backward) : _high(stage.backward)]
            return int((start[wave + 1] - start[wave]).sum())
        fires = [each for each in (stage.leaves, stage.forward) if each]
        return sum(int(start[_high(each)] - start[_low(each)]) for each in fires)

    def counts(self) -> dict[str, int]:
        """Return what was counted so far in this pass."""
        return {**self._blocks.counts(), "retransmissions": self.duplicates}


def _low(blocks: Sequence[int]) -> int:
    return blocks[0] if blocks else 0


def _high(blocks: Sequence[int]) -> int:
    return blocks[-1] + 1 if blocks else 0


def _holds(piece: Piece, blocks: Any, u: int) -> bool:
    """Whether a node is in one of these blocks."""
    return bool(np.any((piece.start[blocks] <= u) & (u < piece.start[blocks + 1])))
