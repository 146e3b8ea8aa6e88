"""Where every node of a scalar network stands in the piece of its partition."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ...layout import Layout
from ...outline import Ints
from ..piece import Piece


class Numbering:
    """The nodes of each partition, numbered in the order in which it fires them forward.

    Attributes:
        whole: the piece of the whole network, whose nodes are numbered in firing order.
        layout: where and when they fire.
        kind, live: of each node, see :class:`Piece`.
        local: the number of each node in its partition; ``order`` has the nodes by partition, in
            that order, those of partition p from ``begins[p]`` on, ``count[p]`` of them.
        heads, ends: of each block of a partition, where it begins and ends in ``order``;
            ``block_of_head`` is the block of the whole that it is part of, and those of partition p
            begin at ``blocks[p]``.

    """

    def __init__(self, whole: Piece, layout: Layout) -> None:
        self.whole = whole
        self.layout = layout
        lengths = np.diff(whole.start)
        self.live = np.repeat(whole.live, lengths)
        self.kind = np.repeat(whole.kind, lengths)
        self._number_nodes()

    def _number_nodes(self) -> None:
        nodes, layout = self.whole.nodes, self.layout
        self.order = np.lexsort((np.arange(nodes), layout.up, layout.partition))
        self.count = np.bincount(layout.partition, minlength=layout.partitions)
        self.begins = np.concatenate([[0], np.cumsum(self.count)])
        self.local = np.empty(nodes, np.int64)
        self.local[self.order] = np.arange(nodes) - np.repeat(self.begins[:-1], self.count)
        block = np.repeat(np.arange(len(self.whole.kind)), np.diff(self.whole.start))
        # A block of a partition is a run of nodes of one block that fire together both ways.
        marks = [each[self.order] for each in (layout.partition, block, layout.up, layout.down)]
        new = np.concatenate([[True], np.any([m[1:] != m[:-1] for m in marks], axis=0)])
        self.heads = np.flatnonzero(new)
        self.ends = np.append(self.heads[1:], nodes)
        self.block_of_head = block[self.order[self.heads]]
        self.blocks = np.searchsorted(self.heads, self.begins)  # where each partition's begin

    def nodes_of(self, partition: int) -> Ints:
        """Return the nodes of a partition, by their numbers in the whole."""
        return self.order[self.begins[partition] : self.begins[partition + 1]]

    def wave_of(self, partition: int) -> Ints:
        """Return the blocks of a partition that fire backwards, in their order."""
        blocks = np.arange(self.blocks[partition], self.blocks[partition + 1])
        blocks = blocks[self.whole.live[self.block_of_head[blocks]] > 0]
        first = self.order[self.heads[blocks]]
        return blocks[np.lexsort((-first, self.layout.down[first]))]

    def sequence(self) -> Ints:
        """Return for each node its turn among those of its partition that fire backwards."""
        sequence = np.full(self.whole.nodes, -1, np.int64)
        for partition in range(self.layout.partitions):
            wave = self.wave_of(partition)
            lengths = (self.ends - self.heads)[wave]
            turns = np.cumsum(lengths)
            _turns(self.order, self.heads[wave], lengths, turns, sequence)
        return sequence


@njit(cache=True)
def _turns(order: Any, heads: Any, lengths: Any, turns: Any, sequence: Any) -> None:
    """Number the nodes of blocks that fire one after the other, each block downwards."""
    for b in range(len(heads)):
        for k in range(lengths[b]):
            sequence[order[heads[b] + k]] = turns[b] - 1 - k
