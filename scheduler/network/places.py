"""Where every node of a scalar network stands: its stages, and its number in its partition."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ...protocol.network import Network
from ...protocol.network.piece import Ints


class Places:
    """Attributes, by node of the whole in firing order unless said otherwise.

    partition: its partition; there are ``partitions``.
    up, down: the rounds in which it fires forward and backward.
    up_stage, down_stage: the stages in which it does; ``keys`` has round · partitions + partition
        of each stage.
    kind, live: see :class:`Piece`.
    local: its number in its partition; ``order`` has the nodes by partition, in that order, those
        of partition p from ``begins[p]`` on, ``count[p]`` of them.
    heads, ends: of each block of a partition, its first node and its end, as places in ``order``;
        ``block_of_head`` is the block of the whole that it is part of, and those of partition p
        begin at ``blocks[p]``.
    """

    def __init__(
        self, network: Network, partition: Ints, rounds: tuple[Ints, Ints], partitions: int
    ) -> None:
        self.network = network
        self.whole = network.piece
        self.partition = partition
        self.partitions = partitions
        self.up, self.down = rounds
        lengths = np.diff(self.whole.start)
        self.live = np.repeat(self.whole.live, lengths)
        self.kind = np.repeat(self.whole.kind, lengths)
        self._number_stages()
        self._place_nodes()

    def _number_stages(self) -> None:
        """Number the stages by round, then by partition."""
        up = self.up * self.partitions + self.partition
        down = self.down * self.partitions + self.partition
        firing = self.live > 0
        self.keys = np.unique(np.concatenate([np.unique(up), np.unique(down[firing])]))
        self.up_stage = np.searchsorted(self.keys, up)
        self.down_stage = np.searchsorted(self.keys, down)

    def _place_nodes(self) -> None:
        """Number the nodes of each partition, in the order in which it fires them forward."""
        nodes = self.whole.nodes
        self.order = np.lexsort((np.arange(nodes), self.up, self.partition))
        self.count = np.bincount(self.partition, minlength=self.partitions)
        self.begins = np.concatenate([[0], np.cumsum(self.count)])
        self.local = np.empty(nodes, np.int64)
        self.local[self.order] = np.arange(nodes) - np.repeat(self.begins[:-1], self.count)
        block = np.repeat(np.arange(len(self.whole.kind)), np.diff(self.whole.start))
        # A block of a partition is a run of nodes of one block that fire together both ways.
        marks = [each[self.order] for each in (self.partition, block, self.up, self.down)]
        new = np.concatenate([[True], np.any([m[1:] != m[:-1] for m in marks], axis=0)])
        self.heads = np.flatnonzero(new)
        self.ends = np.append(self.heads[1:], nodes)
        self.block_of_head = block[self.order[self.heads]]
        self.blocks = np.searchsorted(self.heads, self.begins)  # where each partition's begin

    def stage_at(self, round: int, place: int) -> int:
        """Return the number of the stage of a partition in a round."""
        return int(np.searchsorted(self.keys, round * self.partitions + place))

    def partition_of(self, stages: Ints) -> Ints:
        """Return the partition of each stage."""
        return self.keys[stages] % self.partitions

    def nodes_of(self, place: int) -> Ints:
        """Return the nodes of a partition, by their places in the whole."""
        return self.order[self.begins[place] : self.begins[place + 1]]

    def wave_of(self, place: int) -> Ints:
        """Return the blocks of a partition that fire backwards, in their order."""
        blocks = np.arange(self.blocks[place], self.blocks[place + 1])
        blocks = blocks[self.whole.live[self.block_of_head[blocks]] > 0]
        first = self.order[self.heads[blocks]]
        return blocks[np.lexsort((-first, self.down[first]))]

    def sequence(self) -> Ints:
        """Return for each node its turn among those of its partition that fire backwards."""
        sequence = np.full(self.whole.nodes, -1, np.int64)
        for place in range(self.partitions):
            wave = self.wave_of(place)
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
