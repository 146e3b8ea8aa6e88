"""The plan: all that will happen in a pass, known before it begins.

For each partition its stages (the longest runs of firings that need nothing new from elsewhere),
and for each stage the frames that come in and go out, and the messages in each. A run that
receives anything else fails, and says what.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..protocol.arrays import nbytes
from ..protocol.errors import LedgerError, PlanError
from ..protocol.graph import CONSTANT, LEAF, Graph
from ..protocol.ledger import Ledger
from ..protocol.message import BACKWARD, CALLER, FORWARD, SUMS
from ..protocol.network import Network
from .partition import (
    EVERYWHERE,
    GRANULARITIES,
    LEVELS,
    Mapped,
    by_layer,
    by_levels,
    by_mapping,
    by_node,
    costs,
)
from .policy import EAGER, Policy, policy_named

if TYPE_CHECKING:
    from ..protocol.network.piece import Piece

CPU, GPU = "cpu", "gpu"


@dataclass(frozen=True, slots=True)
class PlannedFrame:
    """A frame that will be sent: from which stage to which, and the messages in it.

    ``keys`` are edge numbers in a backward frame, node ids in the others; a frame of a scalar
    network has one key, and under it a block of ``messages`` numbers. The stage of the caller is
    -1.
    """

    number: int
    kind: str
    sender: int
    receiver: int
    sent_by: int
    received_by: int
    keys: tuple[int, ...]
    messages: int
    payload_bytes: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One run of firings in one partition: what comes in, fires forward and back, goes out.

    ``leaves``, ``forward`` and ``backward`` are node ids; of a scalar network, ranges of the
    blocks, and of the wave, of its partition's piece.
    """

    number: int
    partition: int
    round: int
    leaves: Sequence[int]
    forward: Sequence[int]
    backward: Sequence[int]
    receives: tuple[int, ...]
    sends: tuple[int, ...]

    @property
    def name(self) -> str:
        """What the stage does: ``forward``, ``backward`` or ``forward+backward``."""
        return "+".join(
            kind
            for kind, fires in (
                (FORWARD, self.leaves or self.forward),
                (BACKWARD, self.backward),
            )
            if fires
        )


@dataclass(frozen=True, eq=False)
class Plan:
    """Where every node lives, when it fires, and every frame that is sent.

    Attributes:
        graph: the network.
        partition: for each node its partition; -1 for constants, which live where they are used.
            Of a scalar network an array, by the numbers that its maker gave the nodes.
        partitions: how many there are; each is one worker.
        devices: ``"cpu"`` or ``"gpu"`` for each partition.
        granularity: ``"node"``, ``"layer"`` or ``"partition"``.
        policy: when nodes fire.
        stages: in an order in which they can run; a stage's number is its place.
        frames: every frame; a frame's number is its place.
        cut_edges: how many edges have their ends in different partitions.
        combiner: whether messages to one node are summed before they leave a partition.
        pieces: of a scalar network, what each partition holds.

    """

    graph: Graph | Network
    partition: Sequence[int] | np.ndarray[Any, Any]
    partitions: int
    devices: tuple[str, ...]
    granularity: str
    policy: Policy
    stages: tuple[Stage, ...]
    frames: tuple[PlannedFrame, ...]
    cut_edges: int
    combiner: bool = False
    pieces: tuple[Piece, ...] = field(default=(), repr=False)

    def nodes_of(self, partition: int) -> list[int]:
        """Return the nodes that live in a partition."""
        return [u for u, place in enumerate(self.partition) if place == partition]

    @property
    def nodes_in_each(self) -> list[int]:
        """How many nodes live in each partition."""
        if self.pieces:
            return [piece.nodes for piece in self.pieces]
        nodes = Counter(self.partition)
        return [nodes[place] for place in range(self.partitions)]

    def between(self, kind: str) -> list[PlannedFrame]:
        """Return the frames of a kind that go from partition to partition."""
        return [
            frame
            for frame in self.frames
            if frame.kind == kind and CALLER not in (frame.sender, frame.receiver)
        ]

    def hold(self, ledger: Ledger) -> None:
        """Hold what a run counted to what was planned.

        Raises:
            LedgerError: they differ; the message has both.

        """
        backward, forward = self.between(BACKWARD), self.between(FORWARD)
        promises = [
            ("frames", ledger.frames, len(backward)),
            ("cross messages", ledger.cross_messages, sum(f.messages for f in backward)),
            ("payload bytes", ledger.payload_bytes, sum(f.payload_bytes for f in backward)),
            ("forward frames", ledger.forward_frames, len(forward)),
            ("forward bytes", ledger.forward_bytes, sum(f.payload_bytes for f in forward)),
            ("waves", ledger.waves, self.graph.num_levels),
        ]
        broken = [
            f"{name}: {counted} counted, {planned} planned"
            for name, counted, planned in promises
            if counted != planned
        ]
        if broken:
            raise LedgerError("the run was not as planned: " + "; ".join(broken))

    def __repr__(self) -> str:
        """Say the size."""
        return (
            f"<plan: {self.partitions} partitions by {self.granularity}, {self.policy.name}, "
            f"{len(self.stages)} stages, {len(self.frames)} frames>"
        )


def plan(
    graph: Graph | Network,
    workers: int = 2,
    granularity: str = "partition",
    partitioner: str | Mapped | None = None,
    policy: str | None = None,
    gpus: int = 0,
    combiner: bool = False,
) -> Plan:
    """Plan a pass of a network.

    Args:
        graph: the network; its output must be one number that depends on a differentiated leaf.
            Or a :class:`Network` of scalar nodes.
        workers: how many partitions to make with granularity ``"partition"``; the others make as
            many as the network has nodes or levels.
        granularity: ``"node"`` (one partition a node), ``"layer"`` (one a level) or
            ``"partition"``.
        partitioner: ``"levels"`` (contiguous groups of levels, balanced by work), or your own
            mapping from nodes to partitions: a function of the node, a sequence with one number
            per node, or a mapping from node ids or names. For a scalar network also ``"width"``,
            its default (each level cut across, so that all work at once).
        policy: ``"eager"`` (a node fires when all has come), ``"wave"`` (level by level, each
            partition waiting for what it needs), or ``"level"`` (all wait after each level). The
            default is ``"wave"`` for ``"width"``, and else ``"eager"``.
        gpus: how many partitions get a GPU: those whose tensor-valued nodes have the most work; of
            a scalar network, those with the most edges.
        combiner: sum the messages that a partition has for one node before they leave it: one
            value for each (sender, target node), in another order of summing. For scalar networks.

    Raises:
        PlanError: no such plan can be made.

    """
    if isinstance(graph, Network):
        # Here, since it needs Numba, which takes a third of a second to import.
        from .network.plan import plan_network

        return plan_network(graph, workers, granularity, partitioner, policy, gpus, combiner)
    partitioner = LEVELS if partitioner is None else partitioner
    if combiner:
        raise PlanError("combiner=True sums the messages of scalar nodes; give it a bw.Network")
    graph.require_dependence()
    graph.require_scalar()
    require_workers(workers)
    chosen = policy_named(policy or EAGER)
    partition = _partition(graph, workers, granularity, partitioner)
    partitions = max(max(partition) + 1, 1)
    require_gpus(gpus, partitions)
    stages, frames = _lay_out(graph, partition, chosen)
    return Plan(
        graph=graph,
        partition=tuple(partition),
        partitions=partitions,
        devices=_devices(graph, partition, partitions, gpus),
        granularity=granularity,
        policy=chosen,
        stages=stages,
        frames=frames,
        cut_edges=sum(partition[edge.source] != partition[edge.target] for edge in graph.edges),
    )


def require_workers(workers: int) -> None:
    """Raise PlanError unless there is at least one worker."""
    if workers < 1:
        raise PlanError(f"workers={workers}, and at least one is needed")


def require_gpus(gpus: int, partitions: int) -> None:
    """Raise PlanError unless there are as many partitions as are to be put on GPUs."""
    if not 0 <= gpus <= partitions:
        raise PlanError(f"gpus={gpus}, and there are {partitions} partitions to put on them")


def require_granularity(granularity: str, partitioner: Any) -> None:
    """Raise PlanError unless this granularity exists, and goes with the partitioner."""
    if granularity not in GRANULARITIES:
        raise PlanError(
            f"there is no granularity {granularity!r}; choose {', '.join(GRANULARITIES)}"
        )
    if isinstance(partitioner, str):
        return
    if not callable(partitioner) and not hasattr(partitioner, "__getitem__"):
        raise PlanError(
            f"partitioner={partitioner!r:.40} is no mapping; give 'levels', a function of the "
            f"node, a sequence with a number per node, or a mapping from nodes to numbers"
        )
    if granularity != "partition":
        raise PlanError(f"a mapping of your own needs granularity 'partition', not {granularity!r}")


def _partition(
    graph: Graph, workers: int, granularity: str, partitioner: str | Mapped
) -> list[int]:
    require_granularity(granularity, partitioner)
    if not isinstance(partitioner, str):
        return by_mapping(graph, partitioner, workers)
    if partitioner != LEVELS:
        scalar = "; 'width' cuts the levels of a bw.Network" * (partitioner == "width")
        raise PlanError(
            f"there is no partitioner {partitioner!r}; choose 'levels', or give a mapping{scalar}"
        )
    if granularity == "node":
        return by_node(graph)
    return by_layer(graph) if granularity == "layer" else by_levels(graph, workers)


def _devices(graph: Graph, partition: list[int], partitions: int, gpus: int) -> tuple[str, ...]:
    tensor_work = [0] * partitions
    for node, work in zip(graph.nodes, costs(graph), strict=True):
        if node.inputs and node.shape:
            tensor_work[partition[node.id]] += work
    ranked = sorted(range(partitions), key=lambda place: (-tensor_work[place], place))
    chosen = set(ranked[:gpus])
    return tuple(GPU if place in chosen else CPU for place in range(partitions))


def _lay_out(
    graph: Graph, partition: list[int], policy: Policy
) -> tuple[tuple[Stage, ...], tuple[PlannedFrame, ...]]:
    """Gather firings into stages, and what crosses between stages into frames."""
    forward, backward = policy.rounds(graph, partition)
    fires: dict[tuple[int, int], tuple[list[int], list[int], list[int]]] = defaultdict(
        lambda: ([], [], [])
    )
    for node in graph.nodes:
        if node.primitive != CONSTANT:
            kind = 0 if node.primitive == LEAF else 1
            fires[forward[node.id], partition[node.id]][kind].append(node.id)
    for u in range(graph.output, -1, -1):
        if graph.on_network[u]:
            fires[backward[u], partition[u]][2].append(u)
    order = sorted(fires)
    stage_of = {place: number for number, place in enumerate(order)}
    frames = [
        *_forward_frames(graph, partition, forward, stage_of),
        *_backward_frames(graph, partition, backward, stage_of),
        *_caller_frames(graph, partition, forward, backward, stage_of),
    ]
    numbered = tuple(
        PlannedFrame(number, *fields[:-1], len(fields[-2]), fields[-1])
        for number, fields in enumerate(sorted(frames, key=_by_stage))
    )
    receives: dict[int, list[int]] = defaultdict(list)
    sends: dict[int, list[int]] = defaultdict(list)
    for frame in numbered:
        receives[frame.received_by].append(frame.number)
        sends[frame.sent_by].append(frame.number)
    stages = tuple(
        Stage(
            number,
            place[1],
            place[0],
            leaves=tuple(fires[place][0]),
            forward=tuple(fires[place][1]),
            backward=tuple(fires[place][2]),
            receives=tuple(receives[number]),
            sends=tuple(sends[number]),
        )
        for number, place in enumerate(order)
    )
    return stages, numbered


_Fields = tuple[str, int, int, int, int, tuple[int, ...], int]


def _by_stage(fields: _Fields) -> Any:
    kind, sender, receiver, sent_by, received_by, _, _ = fields
    return sent_by, received_by, kind, sender, receiver


def _forward_frames(
    graph: Graph, partition: list[int], rounds: list[int], stage_of: dict[tuple[int, int], int]
) -> list[_Fields]:
    """A value goes once to each partition that needs it, before the first firing that does."""
    needed: dict[tuple[int, int], int] = {}
    for node in graph.nodes:
        receiver = partition[node.id]
        for z in node.inputs:
            if partition[z] not in (receiver, EVERYWHERE):
                key = z, receiver
                needed[key] = min(needed.get(key, rounds[node.id]), rounds[node.id])
    together: dict[tuple[int, int], list[int]] = defaultdict(list)
    for z, receiver in needed:
        together[stage_of[rounds[z], partition[z]], receiver].append(z)
    frames = []
    for (stage, receiver), values in together.items():
        first = min(needed[z, receiver] for z in values)
        size = sum(nbytes(graph.nodes[z].shape, graph.nodes[z].dtype) for z in values)
        sender = partition[values[0]]
        at = stage_of[first, receiver]
        frames.append((FORWARD, sender, receiver, stage, at, tuple(sorted(values)), size))
    return frames


def _backward_frames(
    graph: Graph, partition: list[int], rounds: list[int], stage_of: dict[tuple[int, int], int]
) -> list[_Fields]:
    """The messages over cut edges, in edge order."""
    together: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number, (z, u, _) in enumerate(graph.edges):
        if partition[z] != partition[u]:
            together[stage_of[rounds[u], partition[u]], partition[z]].append(number)
    frames = []
    for (stage, receiver), edges in together.items():
        targets = [graph.edges[number].source for number in edges]
        first = min(rounds[z] for z in targets)
        size = sum(nbytes(graph.nodes[z].shape, graph.nodes[z].dtype) for z in targets)
        sender = partition[graph.edges[edges[0]].target]
        at = stage_of[first, receiver]
        frames.append((BACKWARD, sender, receiver, stage, at, tuple(edges), size))
    return frames


def _caller_frames(
    graph: Graph,
    partition: list[int],
    forward: list[int],
    backward: list[int],
    stage_of: dict[tuple[int, int], int],
) -> list[_Fields]:
    """Leaf values come from the caller; the output's value and S at the leaves go to it."""
    given: dict[int, list[int]] = defaultdict(list)
    asked: dict[int, list[int]] = defaultdict(list)
    for leaf in graph.leaves:
        u = leaf.node
        given[stage_of[forward[u], partition[u]]].append(u)
        if leaf.differentiated and graph.on_network[u]:
            asked[stage_of[backward[u], partition[u]]].append(u)
    frames: list[_Fields] = []

    def size(nodes: list[int]) -> int:
        return sum(nbytes(graph.nodes[u].shape, graph.nodes[u].dtype) for u in nodes)

    for stage, nodes in given.items():
        frames.append(
            (FORWARD, CALLER, partition[nodes[0]], CALLER, stage, tuple(nodes), size(nodes))
        )
    output = graph.output
    if partition[output] != EVERYWHERE:
        stage = stage_of[forward[output], partition[output]]
        frames.append(
            (FORWARD, partition[output], CALLER, stage, CALLER, (output,), size([output]))
        )
    for stage, nodes in asked.items():
        frames.append((SUMS, partition[nodes[0]], CALLER, stage, CALLER, tuple(nodes), size(nodes)))
    return frames
