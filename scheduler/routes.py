"""What crosses between partitions, in which frame, from which stage to which."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..protocol.layout import Lanes, Layout, Routed
from ..protocol.message import BACKWARD, CALLER, FORWARD, PARAMETERS, SUMS
from ..protocol.outline import CONSTANT, FEW, Ints, Outline, stable_order
from .placed import CutInputs, Placed
from .rounds import Rounds

KINDS = (BACKWARD, FORWARD, SUMS)

_NOWHERE = np.empty(0, np.int64)


def lay_out(placed: Placed, rounds: Rounds, combiner: bool) -> Layout:
    """Gather firings into stages, and what crosses into frames."""
    outline, cut = placed.outline, placed.cut
    stages = _Stages(placed, rounds)
    lanes, cut_edges = _lanes(outline, stages, cut, combiner)
    crossing, shares = [_with_caller(outline, stages)], []
    if outline.parameters:
        shares = _shares(outline, stages, cut)
        moves = ~outline.stays[cut.source]
        cut = CutInputs(*(each[moves] for each in cut))
    if len(cut.which) or len(lanes.node):
        crossing += [_messages(stages, lanes), _values(outline, stages, cut)]
    if len(cut.which) < FEW:  # together, since then each call of NumPy's counts
        crossing = [_Items(*map(np.concatenate, zip(*crossing, strict=True)))]
    frames = [frame for items in crossing for frame in _frames(outline, items, stages)]
    return Layout(
        partition=placed.partition,
        partitions=placed.partitions,
        up=rounds.up,
        down=rounds.down,
        keys=stages.keys,
        up_stage=stages.up,
        down_stage=stages.down,
        lanes=lanes,
        cut_edges=cut_edges,
        frames=sorted(frames, key=_by_stage),
        combiner=combiner,
        parameters=outline.parameters,
        shares=shares,
    )


class _Stages:
    """The stages, numbered by round and then by partition, and in which each node fires."""

    def __init__(self, placed: Placed, rounds: Rounds) -> None:
        outline, partition, partitions = placed.outline, placed.partition, placed.partitions
        # In four bytes where there may be many: what is gathered from these is as large as the cut.
        self.partition, self.partitions = partition.astype(np.int32), partitions
        up = rounds.up * partitions + partition
        down = rounds.down * partitions + partition
        living = up
        if not outline.fine:
            fires = outline.kind != CONSTANT
            if outline.parameters:
                # Of parameters one that is an output, whose value goes to the caller.
                idle = set(outline.parameters) - set(outline.outputs)
                fires[list(idle)] = False
            living = up[fires]
        down_there = down[outline.on_network > 0]
        most = int(max(up.max(), down.max())) + 1
        if most > 8 * len(up):  # of many rounds and partitions few come together
            self.keys = np.unique(np.concatenate([living, down_there]))
            self.up, self.down = self.keys.searchsorted(up), self.keys.searchsorted(down)
            return
        there = np.zeros(most, bool)
        there[living] = there[down_there] = True
        self.keys = there.nonzero()[0]
        number = there.cumsum() - 1
        number = number.astype(np.int32)
        self.up, self.down = number[up], number[down]


def _lanes(outline: Outline, stages: _Stages, cut: CutInputs, combiner: bool) -> tuple[Lanes, int]:
    """Return the messages that cross, in the order of the wave, and how many edges are cut."""
    sent = outline.carries[cut.which].nonzero()[0][::-1]
    which, node, target = cut.which[sent], cut.source[sent], cut.target[sent]
    stage, sender = stages.down[target], stages.partition[target]
    lanes = Lanes(which, node, stage, sender, np.arange(len(sent)))
    return (_combined(lanes, outline.nodes) if combiner else lanes), len(sent)


def _combined(lanes: Lanes, nodes: int) -> Lanes:
    """Give each (sender, target node) one lane, which goes when the last of it has fired."""
    pair = lanes.sender.astype(np.int64) * nodes + lanes.node
    pairs = int(pair.max(initial=0)) + 1
    if pairs > 8 * len(pair):  # few of all that there could be: number those that there are
        pair = np.unique(pair, return_inverse=True)[1]
        pairs = len(pair)
    turn = np.arange(len(pair))
    first = np.empty(pairs, np.int64)
    first[pair[::-1]] = turn[::-1]  # the last that is written is the first in the wave
    chosen = (first[pair] == turn).nonzero()[0]
    # Lanes stand by sender, and in the order of the wave.
    chosen = chosen[stable_order(lanes.sender[chosen])]
    first[pair[chosen]] = np.arange(len(chosen))
    of_cut = first[pair]
    stage = np.zeros(len(chosen), lanes.stage.dtype)
    np.maximum.at(stage, of_cut, lanes.stage)
    return Lanes(lanes.input[chosen], lanes.node[chosen], stage, lanes.sender[chosen], of_cut)


class _Items(NamedTuple):
    """What crosses, message by message and value by value.

    Attributes:
        kind: of the frame that each goes in, by its index in ``KINDS``.
        sender, receiver: partitions, or the caller.
        sent_by, needed_by: the stages at both ends, or the caller.
        content: see :class:`Routed`.
        node: whose message, value or S it is.

    """

    kind: Ints
    sender: Ints
    receiver: Ints
    sent_by: Ints
    needed_by: Ints
    content: Ints
    node: Ints


def _messages(stages: _Stages, lanes: Lanes) -> _Items:
    """The messages over cut edges, in the order of the wave."""
    node, count = lanes.node, len(lanes.node)
    kind, content = np.full(count, KINDS.index(BACKWARD)), np.arange(count)
    receiver, needed_by = stages.partition[node], stages.down[node]
    return _Items(kind, lanes.sender, receiver, lanes.stage, needed_by, content, node)


def _values(outline: Outline, stages: _Stages, cut: CutInputs) -> _Items:
    """A value goes once to each partition that needs it, before the first firing that does."""
    pair, needed_by = _first_use(
        stages.partition[cut.target].astype(np.int64) * outline.nodes + cut.source,
        stages.up[cut.target],
        stages.partitions * outline.nodes,
    )
    receiver, node = pair // outline.nodes, pair % outline.nodes
    kind, sender = np.full(len(node), KINDS.index(FORWARD)), stages.partition[node]
    return _Items(kind, sender, receiver, stages.up[node], needed_by, node, node)


def _shares(outline: Outline, stages: _Stages, cut: CutInputs) -> list[Routed]:
    """A parameter goes once to each partition that uses it, in a stage before all passes.

    Those stages are numbered behind all others: first one for each that sends, then one for each
    that takes.
    """
    some = outline.stays[cut.source]
    lives = stages.partition.astype(np.int64)
    receiver, node = lives[cut.target[some]], cut.source[some]
    key = np.unique((lives[node] * stages.partitions + receiver) * outline.nodes + node)
    pair, node = key // outline.nodes, key % outline.nodes
    senders, receivers = pair // stages.partitions, pair % stages.partitions
    begins = np.flatnonzero(np.diff(pair, prepend=-1))
    first = len(stages.keys)
    sends = {p: first + k for k, p in enumerate(np.unique(senders).tolist())}
    takes = {p: first + len(sends) + k for k, p in enumerate(np.unique(receivers).tolist())}
    found = []
    for low, high in pairwise([*begins.tolist(), len(node)]):
        p, q, content = int(senders[low]), int(receivers[low]), node[low:high]
        size = int(outline.value_bytes[content].sum())
        found.append(Routed(PARAMETERS, p, q, sends[p], takes[q], content, size))
    return found


def _first_use(pair: Ints, stage: Ints, pairs: int) -> tuple[Ints, Ints]:
    """Return each pair once, ascending, and the first stage in which it is needed."""
    if pairs > 8 * len(pair):
        order = np.lexsort((stage, pair))
        pair, stage = pair[order], stage[order]
        new = np.ones(len(pair), bool)
        np.not_equal(pair[1:], pair[:-1], out=new[1:])
        first = new.nonzero()[0]
        return pair[first], stage[first]
    never = np.iinfo(stage.dtype).max  # in one dtype: NumPy is slow where it has to cast
    needed = np.full(pairs, never, stage.dtype)
    np.minimum.at(needed, pair, stage)
    found = np.flatnonzero(needed < never)
    return found, needed[found]


def _with_caller(outline: Outline, stages: _Stages) -> _Items:
    """Leaf values come from the caller, and S at outputs; the other way round the answers."""
    node, content, sums, upward, given = outline.calls
    kind = np.where(sums, KINDS.index(SUMS), KINDS.index(FORWARD))
    stage, lives = np.where(upward, stages.up[node], stages.down[node]), stages.partition[node]
    sender, receiver = np.where(given, CALLER, lives), np.where(given, lives, CALLER)
    sent_by, needed_by = np.where(given, CALLER, stage), np.where(given, stage, CALLER)
    return _Items(kind, sender, receiver, sent_by, needed_by, content, node)


def _frames(outline: Outline, items: _Items, stages: _Stages) -> Iterator[Routed]:
    """Gather into one frame what one stage sends to one partition, or the caller to one stage."""
    count = len(stages.keys) + 1
    from_caller = items.sent_by == CALLER
    # From the caller, and to it, the stage at the other end says which frame.
    key = ((items.kind * 2 + from_caller) * (stages.partitions + 1) + items.receiver + 1) * count
    key += np.where(from_caller, items.needed_by, items.sent_by)
    order = stable_order(key)
    key = key[order]
    new = np.ones(len(key), bool)
    np.not_equal(key[1:], key[:-1], out=new[1:])
    begins = new.nonzero()[0]
    first = order[begins]
    bounds = [*begins.tolist(), len(order)]
    content = items.content[order]
    if outline.one_size:
        size = np.diff(bounds) * outline.one_size
    else:
        size = np.add.reduceat(outline.value_bytes[items.node[order]], begins)
    return map(
        Routed,
        [KINDS[kind] for kind in items.kind[first].tolist()],
        items.sender[first].tolist(),
        items.receiver[first].tolist(),
        items.sent_by[first].tolist(),
        np.minimum.reduceat(items.needed_by[order], begins).tolist(),
        [content[low:high] for low, high in pairwise(bounds)],
        size.tolist(),
    )


def _by_stage(frame: Routed) -> tuple[int, int, str, int, int]:
    return frame.sent_by, frame.received_by, frame.kind, frame.sender, frame.receiver
