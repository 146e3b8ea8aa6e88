"""The stages and frames of a pass of a scalar network, and the piece that each partition holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...protocol.network import Network
from ...protocol.network.piece import Ints, Piece
from .lanes import lanes_of
from .pieces import piece_of
from .places import Places
from .routes import Fields, Routes


@dataclass(frozen=True, eq=False, slots=True)
class StageOf:
    """One run of firings: its partition and round, and ranges of blocks there."""

    partition: int
    round: int
    leaves: range
    forward: range
    backward: range


@dataclass(frozen=True, eq=False, slots=True)
class LaidOut:
    """What :func:`lay_out` finds; frames in their final order, to which the pieces refer."""

    stages: list[StageOf]
    frames: list[Fields]
    pieces: list[Piece]
    cut_edges: int


def lay_out(
    network: Network, partition: Ints, rounds: tuple[Ints, Ints], partitions: int, combiner: bool
) -> LaidOut:
    """Gather firings into stages and what crosses into frames, and cut the network into pieces.

    Raises:
        PlanError: more messages cross than can be numbered.

    """
    places = Places(network, partition, rounds, partitions)
    lanes = lanes_of(places, combiner)
    routes = Routes(places, lanes)
    order = routes.in_order()
    number = {k: place for place, k in enumerate(order)}
    return LaidOut(
        _stages(places),
        [routes.frames[k] for k in order],
        [piece_of(p, places, lanes, routes, number) for p in range(partitions)],
        lanes.cut_edges,
    )


def _stages(places: Places) -> list[StageOf]:
    """Return the stages in their order."""
    up_of_block = places.up_stage[places.order[places.heads]]
    found = []
    waves = [places.wave_of(p) for p in range(places.partitions)]
    downs = [places.down_stage[places.order[places.heads[wave]]] for wave in waves]
    for number, key in enumerate(places.keys):
        round, p = divmod(int(key), places.partitions)
        mine = slice(places.blocks[p], places.blocks[p + 1])
        low, high = np.searchsorted(up_of_block[mine], [number, number + 1])
        leaves = _leaf_blocks(places, p, int(low), int(high))
        back = np.searchsorted(downs[p], [number, number + 1])
        found.append(
            StageOf(
                p, round, range(int(low), leaves), range(leaves, int(high)),
                range(int(back[0]), int(back[1])),
            )
        )  # fmt: skip
    return found


def _leaf_blocks(places: Places, p: int, low: int, high: int) -> int:
    """Return where the blocks of leaves, which stand first, end among these."""
    kinds = places.whole.kind[
        places.block_of_head[places.blocks[p] + low : places.blocks[p] + high]
    ]
    return low + int(np.argmax(np.append(kinds, 255) > 0))
