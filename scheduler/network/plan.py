"""The plan of a pass of a scalar network: the same plan, made on arrays."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from ...protocol.errors import PlanError
from ...protocol.network import Network
from ...protocol.network.piece import Ints
from ..partition import LEVELS, WIDTH
from ..plan import (
    CPU,
    GPU,
    Plan,
    PlannedFrame,
    Stage,
    require_gpus,
    require_granularity,
    require_workers,
)
from ..policy import EAGER, LEVEL, WAVE, policy_named
from .lay_out import LaidOut, lay_out
from .partition import by_layer, by_levels, by_mapping, by_node, by_width
from .rounds import eager_rounds, level_rounds, wave_rounds

_ROUNDS = {EAGER: eager_rounds, LEVEL: level_rounds, WAVE: wave_rounds}


def plan_network(
    network: Network,
    workers: int,
    granularity: str,
    partitioner: Any,
    policy: str | None,
    gpus: int,
    combiner: bool,
) -> Plan:
    """Plan a pass of a scalar network; see :func:`backwave.plan`."""
    require_workers(workers)
    partitioner = WIDTH if partitioner is None else partitioner
    partition = _partition(network, workers, granularity, partitioner)
    across = granularity == "partition" and isinstance(partitioner, str) and partitioner == WIDTH
    chosen = policy_named(policy or (WAVE if across and partition.max() > 0 else EAGER))
    partitions = int(partition.max()) + 1
    require_gpus(gpus, partitions)
    rounds = _ROUNDS[chosen.name](network, partition)
    laid_out = lay_out(network, partition, rounds, partitions, combiner)
    stages, frames = _stages_and_frames(laid_out)
    place = network.place
    return Plan(
        graph=network,
        partition=partition if place is None else partition[place],
        partitions=partitions,
        devices=_devices(laid_out, gpus),
        granularity=granularity,
        policy=chosen,
        stages=stages,
        frames=frames,
        cut_edges=laid_out.cut_edges,
        combiner=combiner,
        pieces=tuple(laid_out.pieces),
    )


def _partition(network: Network, workers: int, granularity: str, partitioner: Any) -> Ints:
    require_granularity(granularity, partitioner)
    if not isinstance(partitioner, str):
        return by_mapping(network, partitioner, workers)
    if partitioner not in (LEVELS, WIDTH):
        raise PlanError(
            f"there is no partitioner {partitioner!r}; choose '{LEVELS}' or '{WIDTH}', or give a "
            f"mapping"
        )
    if granularity == "node":
        return by_node(network)
    if granularity == "layer":
        return by_layer(network)
    return (by_levels if partitioner == LEVELS else by_width)(network, workers)


def _devices(laid_out: LaidOut, gpus: int) -> tuple[str, ...]:
    edges = np.array([len(piece.source) for piece in laid_out.pieces])
    chosen = set(np.argsort(-edges, kind="stable")[:gpus].tolist())
    return tuple(GPU if place in chosen else CPU for place in range(len(edges)))


def _stages_and_frames(laid_out: LaidOut) -> tuple[tuple[Stage, ...], tuple[PlannedFrame, ...]]:
    frames = tuple(PlannedFrame(number, *fields) for number, fields in enumerate(laid_out.frames))
    receives: dict[int, list[int]] = defaultdict(list)
    sends: dict[int, list[int]] = defaultdict(list)
    for frame in frames:
        receives[frame.received_by].append(frame.number)
        sends[frame.sent_by].append(frame.number)
    stages = tuple(
        Stage(
            number,
            stage.partition,
            stage.round,
            stage.leaves,
            stage.forward,
            stage.backward,
            tuple(receives[number]),
            tuple(sends[number]),
        )
        for number, stage in enumerate(laid_out.stages)
    )
    return stages, frames
