"""When a node may fire: how far each of its two firings stands from the start, in rounds.

A round is what one worker can do without anything new from elsewhere. Rounds count through the
forward sweep, the turn at the output, and the backward wave.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..protocol.errors import PlanError
from ..protocol.outline import COMPUTED, CONSTANT, GIVEN, Ints
from .loops import furthest_down, furthest_up
from .placed import Placed

_NEVER = 2**62


class Rounds(NamedTuple):
    """The round of each node's firing on the way up, and of that on the way down; int64[n]."""

    up: Ints
    down: Ints


def require_rounds(placed: Placed, rounds: Rounds, name: str) -> None:
    """Hold the rounds of a schedule to what a network allows.

    Raises:
        PlanError: they are no whole numbers from 0, one for each node; or a node would fire before
            what it needs has been computed or sent.

    """
    outline, lives = placed.outline, placed.partition
    for each in rounds:
        whole = isinstance(each, np.ndarray) and each.dtype.kind in "iu"
        if not whole or each.shape != (outline.nodes,) or each.min(initial=0) < 0:
            raise PlanError(
                f"the schedule {name!r} must give each of {outline.nodes:,} nodes a round for each "
                f"of its two firings: arrays of whole numbers from 0"
            )
    up, down = rounds
    source, target = outline.ends(np.arange(len(outline.source)))
    cut = lives[source] != lives[target]
    computed = (outline.kind[source] != CONSTANT) & ~outline.stays[source]
    early = computed & (up[target] < up[source] + cut)
    late = (outline.carries > 0) & (down[source] < down[target] + cut)
    back = outline.on_network > 0
    if early.any() or late.any() or (back & ~outline.stays & (down < up)).any():
        raise PlanError(
            f"the schedule {name!r} lets a node fire before what it needs: forward a node comes in "
            f"the round of its inputs or later, and after them where they live elsewhere; back "
            f"likewise after those it feeds"
        )


def level_rounds(placed: Placed) -> Rounds:
    """Fire level by level: up through the levels, then one wave a level back down."""
    up = placed.outline.level.astype(np.int64)
    return Rounds(up, 2 * up.max() - up)


def wave_rounds(placed: Placed) -> Rounds:
    """Fire level by level; where levels are cut across, first those that others wait for.

    What those send is then on its way while the rest of the level fires.
    """
    outline, (up, down) = placed.outline, level_rounds(placed)
    if not outline.fine:
        return Rounds(up, down)
    awaited_up, awaited_down = np.zeros((2, outline.nodes), np.int64)
    cut = placed.cut
    awaited_up[cut.source] = 1
    awaited_down[cut.target[outline.carries[cut.which] > 0]] = 1
    forward = 2 * up + 1 - awaited_up
    idle = (outline.kind == GIVEN) & (awaited_up == 0)
    _wait_for_use(placed, idle, forward)
    return Rounds(forward, 2 * down + 2 - awaited_down)


def eager_rounds(placed: Placed) -> Rounds:
    """Fire when all has come: a node's round is the most cuts on any path that leads to it."""
    outline = placed.outline
    # A parameter is where it is needed before a pass begins, as a constant is.
    kind = np.where(outline.stays, CONSTANT, outline.kind) if outline.parameters else outline.kind
    up = furthest_up(outline, kind, placed.partition)
    _wait_for_use(placed, outline.kind != COMPUTED, up)
    start = max([int(up[u]) for u in outline.outputs])
    return Rounds(up, furthest_down(outline, placed.partition, start))


def _wait_for_use(placed: Placed, waits: Ints, up: Ints) -> None:
    """Let these wait for the first round in which they are used: it saves a stage of their own."""
    source, target = placed.outline.uses
    partition = placed.partition
    some = waits[source]
    source, target = source[some], target[some]
    needed = np.maximum(up[target] - (partition[source] != partition[target]), 0)
    up[source] = _NEVER
    np.minimum.at(up, source, needed)
