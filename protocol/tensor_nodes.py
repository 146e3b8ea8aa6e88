"""The nodes of a graph that live on a worker, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from .arrays import Array
from .ledger import Counts
from .message import BACKWARD, FORWARD, SUMS, Message
from .node import Instructions, Nodes
from .outline import PlannedFrame, Stage
from .residents import Device, Keyed
from .wires import Wires


class Shipped(Protocol):
    """A graph as it travels: data alone."""

    def open(self) -> Wires:
        """Return the graph itself."""


@dataclass(frozen=True, slots=True)
class TensorPart:
    """What one partition holds of a graph, beside the graph itself.

    Attributes:
        nodes: the nodes that live there.
        given_away: those among them whose values other partitions need.

    """

    nodes: tuple[int, ...]
    given_away: frozenset[int]

    @property
    def size(self) -> int:
        """How many nodes those are."""
        return len(self.nodes)

    def residents(self, whole: Shipped, device: Device) -> TensorNodes:
        """Let the nodes live on a device."""
        return TensorNodes(whole.open(), self, device)


class TensorNodes:
    """Nodes of a graph. Every pass has values and sums of its own; what they do is looked up once.

    Args:
        wires: the graph.
        part: which of its nodes live here.
        device: where their arrays are.

    """

    def __init__(self, wires: Wires, part: TensorPart, device: Device) -> None:
        self.wires = wires
        self.device = device
        self.instructions = Instructions(wires, part.nodes, device.put, keep=part.given_away)

    def open(self, *, check_finite: bool) -> TensorPass:
        """Begin a pass."""
        return TensorPass(self, check_finite)

    def close(self, ended: TensorPass) -> None:
        """End a pass: its arrays go with it."""

    def size(self, stage: Stage, kind: str) -> int:
        """Return how many nodes fire in a stage."""
        if kind == BACKWARD:
            return len(stage.backward)
        return len(stage.forward) + len(stage.leaves)


class TensorPass:
    """Nodes of a graph in one partition, during one pass."""

    def __init__(self, residents: TensorNodes, check_finite: bool) -> None:
        self._wires = residents.wires
        self._device = residents.device
        self._nodes = Nodes(residents.instructions, check_finite=check_finite)
        self._crossing: dict[int, Array] = {}

    def fault(self, frame: PlannedFrame, message: Message, origin: str) -> str:
        """Say whether a message lacks the shape and dtype of its node."""
        key, value = message
        backward = frame.kind == BACKWARD
        node = self._wires.nodes[self._wires.edges[key].source if backward else key]
        if value.shape == node.shape and value.dtype == node.dtype:
            return ""
        what = {BACKWARD: "the message to", FORWARD: "the value of", SUMS: "S at"}[frame.kind]
        return (
            f"{what} {node.name} from {origin} as {value.dtype}{list(value.shape)}, "
            f"and the node is {node.dtype}{list(node.shape)}"
        )

    def take(self, frame: PlannedFrame, messages: Sequence[Message]) -> None:
        """Take messages into their nodes' sums, values from elsewhere, or S at outputs."""
        nodes, put = self._nodes, self._device.put
        accept = {BACKWARD: nodes.receive, FORWARD: nodes.put, SUMS: nodes.define}[frame.kind]
        for key, value in messages:
            accept(key, put(value))

    def drop(self, frame: PlannedFrame) -> None:
        """Count a frame that came a second time."""
        self._nodes.counts.retransmissions += frame.messages

    def fire(self, stage: Stage) -> None:
        """Fire a stage forward."""
        self._nodes.fire(stage.forward)

    def send(self, stage: Stage) -> None:
        """Fire a stage backward: messages that go elsewhere wait to be given."""
        nodes, wires = self._nodes, self._wires
        here = nodes.instructions.here
        self._crossing = {}
        for u in stage.backward:
            for edge, message in nodes.send(u):
                if wires.edges[edge].source in here:
                    nodes.receive(edge, message)
                else:
                    self._crossing[edge] = message
        nodes.counts.levels |= {wires.levels[u] for u in stage.backward}

    def give(self, frame: PlannedFrame) -> Keyed:
        """Return messages that cross, values, or S."""
        source = {BACKWARD: self._crossing, FORWARD: self._nodes.values, SUMS: self._nodes.S}
        of_kind = source[frame.kind]
        return [(key, self._device.get(of_kind[key])) for key in frame.keys]

    def found(self, keys: Iterable[int]) -> Keyed:
        """Return S at nodes."""
        return [(u, self._device.get(self._nodes.S[u])) for u in keys]

    def counted(self) -> Counts:
        """Return what was counted since this was asked last."""
        counts, self._nodes.counts = self._nodes.counts, Counts()
        return counts
