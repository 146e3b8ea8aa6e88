"""From a network to its plan: partition, schedule, stages and frames."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..protocol.errors import PlanError
from ..protocol.layout import Cut, Layout
from ..protocol.outline import Ints, Outline, PlannedFrame, Stage
from ..protocol.residents import AnyNetwork, require_network
from .partition import (
    GRANULARITIES,
    LEVELS,
    WIDTH,
    Mapped,
    array_costs,
    at_home,
    by_layer,
    by_levels,
    by_node,
    by_width,
)
from .pipeline import low_homes
from .placed import Placed
from .plan import CPU, GPU, Plan
from .rounds import require_rounds
from .routes import lay_out
from .schedule import EAGER, SCHEDULES, WAVE, Schedule, schedule_named


@dataclass(frozen=True, slots=True)
class Staying:
    """Leaves of a network that stay where they live from pass to pass: parameters.

    Attributes:
        nodes: the leaves, in the order of their keys.
        homes: where each lives, if that is known before; else as other leaves do.

    """

    nodes: Sequence[int]
    homes: Sequence[int] | None = None


def plan(
    graph: AnyNetwork,
    workers: int = 2,
    granularity: str = "partition",
    partitioner: str | Mapped | None = None,
    schedule: str | Schedule | None = None,
    gpus: int = 0,
    combiner: bool = False,
    *,
    parameters: Staying | None = None,
) -> Plan:
    """Plan a pass of a network.

    Args:
        graph: the network; its output must depend on a differentiated leaf. Or a
            :class:`Network` of scalar nodes.
        workers: how many partitions to make with granularity ``"partition"``; the others make as
            many as the network has nodes or levels.
        granularity: ``"node"`` (one partition a node), ``"layer"`` (one a level) or
            ``"partition"``.
        partitioner: ``"levels"`` (contiguous groups of levels, balanced by work), or your own
            mapping from nodes to partitions: a function of the node, a sequence with one number
            per node, or a mapping from node ids or names. For a scalar network also ``"width"``,
            its default (each level cut across, so that all work at once).
        schedule: ``"eager"`` (a node fires when all has come), ``"wave"`` (level by level, each
            partition waiting for what it needs), ``"level"`` (all wait after each level), or one
            of the pipelines ``"gpipe"`` and ``"1f1b"``, whose partitions must need each other one
            way; or a :class:`Schedule` of your own. The default is ``"wave"`` for ``"width"``, and
            else ``"eager"``.
        gpus: how many partitions get a GPU: those whose arrays have the most work.
        combiner: sum the messages that a partition has for one node before they leave it: one
            value for each (sender, target node). A node then sums sums, which rounds otherwise:
            no two plans need to agree in every bit.
        parameters: the leaves that stay where they live; see :class:`Session`.

    Raises:
        PlanError: no such plan can be made.
        IndependentOutputError: the output depends on nothing that is differentiated.

    Example:
        ``plan = bw.plan(graph, workers=4); plan.cut_edges``

    """
    require_network(graph)
    graph.require_dependence()
    if workers < 1:
        raise PlanError(f"workers={workers}, and at least one is needed")
    outline = graph.outline()
    if parameters is not None:
        outline = outline.with_parameters(parameters.nodes)
    if partitioner is None:
        partitioner = WIDTH if outline.fine else LEVELS
    _require_granularity(granularity, partitioner)
    if isinstance(partitioner, str):
        partition = _partition(outline, workers, granularity, partitioner)
        free = np.zeros(outline.nodes, bool)
    else:
        found = np.asarray(graph.mapped(partitioner, workers))
        free = found < 0
        partition = at_home(outline, np.maximum(found, 0), free)
    if parameters is not None and parameters.homes is not None:
        partition[list(parameters.nodes)] = parameters.homes
        free[list(parameters.nodes)] = False
    partitions = int(partition.max()) + 1
    if not 0 <= gpus <= partitions:
        raise PlanError(f"gpus={gpus}, and there are {partitions} partitions to put on them")
    across = granularity == "partition" and isinstance(partitioner, str) and partitioner == WIDTH
    chosen = schedule_named(schedule or (WAVE if across and partitions > 1 else EAGER))
    if chosen.pipeline and free.any():
        partition = low_homes(outline, partition, partitions, free)
    placed = Placed(outline, partition, partitions)
    rounds = chosen.rounds(placed)
    if chosen not in SCHEDULES.values():
        require_rounds(placed, rounds, chosen.name)
    layout = lay_out(placed, rounds, combiner)
    cut = graph.cut(layout)
    stages, frames = _stages_and_frames(layout, cut)
    sharing = _sharing(layout, frames)
    return Plan(
        graph=graph,
        partition=graph.as_numbered(partition),
        partitions=partitions,
        devices=_devices(outline, partition, partitions, gpus),
        granularity=granularity,
        schedule=chosen,
        stages=stages,
        frames=frames,
        cut_edges=layout.cut_edges,
        sharing=sharing,
        parameters=layout.parameters,
        combiner=combiner,
        parts=tuple(cut.parts),
    )


def _require_granularity(granularity: str, partitioner: Any) -> None:
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


def _partition(outline: Outline, workers: int, granularity: str, partitioner: str) -> Ints:
    known = (LEVELS, WIDTH) if outline.fine else (LEVELS,)
    if partitioner not in known:
        scalar = "; 'width' cuts the levels of a bw.Network" * (partitioner == WIDTH)
        raise PlanError(
            f"there is no partitioner {partitioner!r}; choose {' or '.join(map(repr, known))}, or "
            f"give a mapping{scalar}"
        )
    if granularity == "node":
        return by_node(outline)
    if granularity == "layer":
        return by_layer(outline)
    return (by_levels if partitioner == LEVELS else by_width)(outline, workers)


def _devices(outline: Outline, partition: Ints, partitions: int, gpus: int) -> tuple[str, ...]:
    if not gpus:
        return (CPU,) * partitions
    work = np.bincount(partition, array_costs(outline), minlength=partitions)
    chosen = set(np.argsort(-work, kind="stable")[:gpus].tolist())
    return tuple(GPU if p in chosen else CPU for p in range(partitions))


def _stages_and_frames(
    layout: Layout, cut: Cut
) -> tuple[tuple[Stage, ...], tuple[PlannedFrame, ...]]:
    receives: dict[int, list[int]] = defaultdict(list)
    sends: dict[int, list[int]] = defaultdict(list)
    frames = []
    routed = [*layout.frames, *layout.shares]
    for number, (frame, keys) in enumerate(zip(routed, cut.keys, strict=True)):
        receives[frame.received_by].append(number)
        sends[frame.sent_by].append(number)
        size = len(frame.content)
        ends = frame.sender, frame.receiver, frame.sent_by, frame.received_by
        frames.append(
            PlannedFrame(
                number, frame.kind, *ends, keys.keys, size, frame.payload_bytes, keys.leaves
            )
        )
    stages = []
    for number, (key, fires) in enumerate(zip(layout.keys.tolist(), cut.fires, strict=True)):
        round, partition = divmod(key, layout.partitions)
        crossing = tuple(receives[number]), tuple(sends[number])
        stages.append(Stage(number, partition, round, *fires, *crossing))
    return tuple(stages), tuple(frames)


def _sharing(layout: Layout, frames: Sequence[PlannedFrame]) -> tuple[Stage, ...]:
    """Return the stages in which parameters are sent, and then those in which they are taken."""
    crossing: dict[int, tuple[int, list[int], list[int]]] = {}
    for frame in frames[len(layout.frames) :]:
        crossing.setdefault(frame.sent_by, (frame.sender, [], []))[2].append(frame.number)
        crossing.setdefault(frame.received_by, (frame.receiver, [], []))[1].append(frame.number)
    return tuple(
        Stage(number, partition, 0, (), (), (), tuple(receives), tuple(sends))
        for number, (partition, receives, sends) in sorted(crossing.items())
    )
