"""The nodes of a graph that live on a worker, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from .arrays import Array, nbytes
from .errors import ProtocolError
from .ledger import Counts
from .memory import BACKWARD_USE, FORWARD_USE, LEAVING, Memory, Moment, last_uses
from .message import BACKWARD, FORWARD, PARAMETERS, SUMS, Message
from .node import Instructions, Nodes
from .outline import PlannedFrame, Stage
from .parameters import CopySums, Parameters
from .record import Recorded, recorded
from .residents import Device, Keyed, PassOptions, Work
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
        parameters: the parameters that live there, with their keys.
        lanes: with a combiner, for each edge between there and elsewhere that over which its
            message goes, summed with others; else None.

    """

    nodes: tuple[int, ...]
    given_away: frozenset[int]
    parameters: Mapping[int, int] = field(default_factory=dict)
    lanes: Mapping[int, int] | None = None

    @property
    def size(self) -> int:
        """How many nodes those are."""
        return len(self.nodes)

    def residents(
        self, whole: Shipped, device: Device, parameters: Parameters, work: Work
    ) -> TensorNodes:
        """Let the nodes live on a device."""
        return TensorNodes(whole.open(), self, device, parameters, work)


class TensorNodes:
    """Nodes of a graph. Every pass has values and sums of its own; what they do is looked up once.

    Args:
        wires: the graph.
        part: which of its nodes live here.
        device: where their arrays are.
        parameters: the values of those leaves that stay.
        work: the stages in which the nodes fire.

    """

    def __init__(
        self, wires: Wires, part: TensorPart, device: Device, parameters: Parameters, work: Work
    ) -> None:
        self.wires = wires
        self.part = part
        self.device = device
        self.memory = Memory()
        self.sums = CopySums()
        self.instructions = Instructions(
            wires, part.nodes, device.put, keep=part.given_away, lanes=part.lanes
        )
        self.leaving = {stage.number: work.leaving(stage) for stage in work.stages}
        self._parameters = parameters
        self._borrowed: dict[int, Array] = {}
        self._let_values_go(work)

    def _let_values_go(self, work: Work) -> None:
        known = self.instructions
        borrowed = {key for f in work.taken(PARAMETERS) for key in f.keys}
        stay = {*known.constants, *self.part.parameters, *borrowed}
        known.dies = last_uses(_uses(known, work), stay)
        come = {key for f in work.taken(FORWARD) for key in f.keys}
        nodes = self.wires.nodes
        known.size = {u: nbytes(nodes[u].shape, nodes[u].dtype) for u in (come | known.here) - stay}

    def begin(self) -> None:
        """Begin a run: sums over copies, and the peak of the memory, start anew."""
        self.sums = CopySums()
        self.memory.begin()

    def open(self, copy: int, options: PassOptions) -> TensorPass:
        """Begin a pass."""
        return TensorPass(self, copy, options)

    def close(self, ended: TensorPass) -> None:
        """End a pass: its arrays go with it."""
        ended.end()

    def size(self, stage: Stage, kind: str) -> int:
        """Return how many nodes fire in a stage."""
        if kind == BACKWARD:
            return len(stage.backward)
        return len(stage.forward) + len(stage.leaves)

    @property
    def known(self) -> dict[int, Array]:
        """The values of parameters that are used here."""
        values = self._parameters.values
        return {**{u: values[key] for u, key in self.part.parameters.items()}, **self._borrowed}

    def borrow(self, node: int, value: Array) -> None:
        """Take the value of a parameter that lives elsewhere."""
        self._borrowed[node] = value


def _uses(known: Instructions, work: Work) -> Iterator[tuple[Moment, Sequence[int]]]:
    """Yield every moment of a pass in its order, with the nodes whose values it uses."""
    for stage in work.stages:
        for u in stage.forward:
            yield (FORWARD_USE, u), (*known.forward[u][1], u)
        yield (LEAVING, stage.number), work.leaving(stage)
        for u in stage.backward:
            if u not in known.messages:
                continue
            again: tuple[int, ...] = ()
            if u in known.checkpoints:  # which computes anew from what it was computed from
                inner = known.checkpoints[u].inner
                again = tuple(z for w in inner for z in known.forward[w][1])
            yield (BACKWARD_USE, u), (u, *known.forward[u][1], *again)


class TensorPass:
    """Nodes of a graph in one partition, during one pass."""

    def __init__(self, residents: TensorNodes, copy: int, options: PassOptions) -> None:
        self._residents = residents
        self._wires = residents.wires
        self._device = residents.device
        self._copy = copy
        self._options = options
        self._nodes = Nodes(
            residents.instructions,
            check_finite=options.check_finite,
            known=residents.known,
            memory=residents.memory,
        )
        self._leaving: dict[int, Array] = {}
        self._crossing: dict[int, Array] = {}
        self._recorded: list[Recorded] = []

    def fault(self, frame: PlannedFrame, message: Message, origin: str) -> str:
        """Say whether a message lacks the shape and dtype of its node."""
        key, value = message
        backward = frame.kind == BACKWARD
        node = self._wires.nodes[self._wires.edges[key].source if backward else key]
        if value.shape == node.shape and value.dtype == node.dtype:
            return ""
        what = {BACKWARD: "the message to", SUMS: "S at"}.get(frame.kind, "the value of")
        return (
            f"{what} {node.name} from {origin} as {value.dtype}{list(value.shape)}, "
            f"and the node is {node.dtype}{list(node.shape)}"
        )

    def take(self, frame: PlannedFrame, messages: Sequence[Message]) -> None:
        """Take messages into their nodes' sums, values from elsewhere, or S at outputs."""
        nodes, put = self._nodes, self._device.put
        combined = self._residents.part.lanes is not None
        for key, value in messages:
            here = put(value)
            match frame.kind:
                case "backward":
                    nodes.receive(key, here, counted=combined)
                case "forward":
                    nodes.put(key, here)
                case "sums":
                    nodes.define(key, here)
                case "parameters":
                    self._residents.borrow(key, here)

    def drop(self, frame: PlannedFrame) -> None:
        """Count a frame that came a second time."""
        self._nodes.counts.retransmissions += frame.messages

    def fire(self, stage: Stage) -> None:
        """Fire a stage forward: values that go elsewhere wait to be given."""
        self._nodes.fire(stage.forward)
        leaving = self._residents.leaving[stage.number]
        self._leaving = {key: self._nodes.values[key] for key in leaving}
        self._nodes.let_go((LEAVING, stage.number))

    def send(self, stage: Stage) -> None:
        """Fire a stage backward: messages that go elsewhere wait to be given."""
        nodes, wires, options = self._nodes, self._wires, self._options
        here, parameters = nodes.instructions.here, self._residents.part.parameters
        combines = self._residents.part.lanes is not None
        self._crossing = {}
        for u in stage.backward:
            for edge, message in nodes.send(u):
                if options.record:
                    self._recorded.append(recorded(edge, message, self._device.get))
                if combines or wires.edges[edge].source in here:
                    nodes.receive(edge, message)
                else:
                    self._crossing[edge] = message
            nodes.let_go((BACKWARD_USE, u))
            if u in parameters:
                self._residents.sums.add(u, self._copy, nodes.S[u])
            if not options.keep_S and (u in parameters or wires.nodes[u].inputs):
                del nodes.S[u]
        nodes.counts.levels |= {wires.levels[u] for u in stage.backward}

    def give(self, frame: PlannedFrame) -> Keyed:
        """Return messages that cross, values, or S."""
        get = self._device.get
        match frame.kind:
            case "backward" if self._residents.part.lanes is not None:
                return [(key, get(self._summed(key))) for key in frame.keys]
            case "backward":
                return [(key, get(self._crossing.pop(key))) for key in frame.keys]
            case "forward":
                return [(key, get(self._leaving[key])) for key in frame.keys]
            case "parameters":
                return [(key, get(self._nodes.values[key])) for key in frame.keys]
            case _:
                return [(key, get(self._nodes.S[key])) for key in frame.keys]

    def _summed(self, edge: int) -> Array:
        """Return the sum of the messages from here that go over the lane of this edge."""
        z = self._wires.edges[edge].source
        nodes = self._nodes
        nodes.counts.combined += nodes.require_all(z) - 1
        return nodes.S.pop(z)

    def found(self, keys: Iterable[int]) -> Keyed:
        """Return S at nodes."""
        if not self._options.keep_S:
            raise ProtocolError("S was not kept in this pass; ask for it with keep_S=True")
        return [(u, self._device.get(self._nodes.S[u])) for u in keys]

    def counted(self) -> Counts:
        """Return what was counted since this was asked last."""
        counts, self._nodes.counts = self._nodes.counts, Counts()
        return counts

    def recorded(self) -> list[Recorded]:
        """Return what was recorded since this was asked last."""
        found, self._recorded = self._recorded, []
        return found

    def end(self) -> None:
        """Let all values go."""
        self._nodes.end()
