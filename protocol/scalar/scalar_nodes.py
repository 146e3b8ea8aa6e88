"""The nodes of a piece that live on a worker, in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ledger import Counts
from ..memory import Memory
from ..message import BACKWARD, FORWARD, SUMS, Message
from ..outline import PlannedFrame, Stage
from ..parameters import CopySums, Parameters
from ..record import Recorded
from ..residents import Device, Keyed, PassOptions, Work
from .blocks import Blocks
from .kernels.array_blocks import ArrayBlocks, Library
from .kernels.on_host import host_blocks
from .piece import Piece


@dataclass(frozen=True, slots=True, eq=False)
class ScalarPart:
    """What one partition holds of a network: its piece, whole in itself."""

    piece: Piece

    @property
    def size(self) -> int:
        """How many nodes those are."""
        return self.piece.nodes

    def residents(
        self, whole: None, device: Device, parameters: Parameters, work: Work
    ) -> ScalarNodes:
        """Let the nodes live on a device."""
        return ScalarNodes(self.piece, device)


class ScalarNodes:
    """A piece of a network. Every pass has arrays of its own, which a later one takes over.

    Args:
        piece: the nodes.
        device: where their arrays are.

    """

    def __init__(self, piece: Piece, device: Device) -> None:
        self.piece = piece
        library = device.sparse()
        self._first = ArrayBlocks(piece, Library(*library)) if library else host_blocks(piece)
        self._free = [self._first]
        self._levels: dict[int, frozenset[int]] = {}
        self.memory = Memory()
        self.sums = CopySums()

    def begin(self) -> None:
        """Begin a run of several passes."""
        self.memory.begin()

    def open(self, copy: int, options: PassOptions) -> ScalarPass:
        """Begin a pass: its arrays are there as a whole, with a value for each node."""
        blocks = self._free.pop() if self._free else self._first.another()
        blocks.begin(check_finite=options.check_finite)
        self.memory.hold(_BYTES * self.piece.nodes)
        return ScalarPass(self, blocks)

    def close(self, ended: ScalarPass) -> None:
        """End a pass: its arrays are free for the next."""
        self.memory.free(_BYTES * self.piece.nodes)
        self._free.append(ended.blocks)

    def levels(self, stage: Stage) -> frozenset[int]:
        """Return the levels that fire backward in a stage, the same in every pass."""
        if stage.number not in self._levels:
            low, high = _low(stage.backward), _high(stage.backward)
            self._levels[stage.number] = self.piece.levels(low, high)
        return self._levels[stage.number]

    def size(self, stage: Stage, kind: str) -> int:
        """Return how many nodes fire in a stage."""
        start = self.piece.start
        if kind == BACKWARD:
            wave = self.piece.wave[_low(stage.backward) : _high(stage.backward)]
            return int((start[wave + 1] - start[wave]).sum())
        fires = [each for each in (stage.leaves, stage.forward) if each]
        return sum(int(start[_high(each)] - start[_low(each)]) for each in fires)


class ScalarPass:
    """A piece of a network, during one pass."""

    def __init__(self, residents: ScalarNodes, blocks: Blocks) -> None:
        self.blocks = blocks
        self._residents = residents
        self._piece = residents.piece
        self._dropped = 0
        self._fired: frozenset[int] = frozenset()
        self._S: float | None = None

    def fault(self, frame: PlannedFrame, message: Message, origin: str) -> str:
        """Say whether a block is of another length or dtype than planned."""
        value = message.value
        if value.shape == (frame.messages,) and value.dtype == np.float64:
            return ""
        return (
            f"a block from {origin} as {value.dtype}{list(value.shape)}, and the plan has "
            f"float64[{frame.messages}]"
        )

    def take(self, frame: PlannedFrame, messages: Sequence[Message]) -> None:
        """Put messages into their slots, values into ghosts and leaves, S at the output."""
        for _, value in messages:
            if frame.kind == SUMS:
                self._S = float(value[0])
            elif frame.kind == BACKWARD:
                self.blocks.put_slots(self._piece.takes[frame.number].into, value)
            else:
                self._put(self._piece.takes[frame.number], value)

    def _put(self, takes: Any, value: Any) -> None:
        if takes.pick is None:
            self.blocks.put(takes.into, value)
        else:
            self.blocks.put_ghosts(takes.into, value, takes.pick)

    def drop(self, frame: PlannedFrame) -> None:
        """Count a frame that came a second time."""
        self._dropped += frame.messages

    def fire(self, stage: Stage) -> None:
        """Fire a stage forward, whose leaves stand before the others."""
        self.blocks.fire(_low(stage.leaves or stage.forward), _high(stage.forward or stage.leaves))

    def send(self, stage: Stage) -> None:
        """Fire a stage backward; S at the output, which came for it, is defined first.

        Not when it came: a node that fires forward in the same stage begins its sum anew.
        """
        if self._S is not None:
            self.blocks.define(self._S)
            self._S = None
        self.blocks.send(_low(stage.backward), _high(stage.backward))
        self._fired |= self._residents.levels(stage)

    def give(self, frame: PlannedFrame) -> Keyed:
        """Return a block of messages that cross, of values, or of S."""
        key, blocks = frame.keys[0], self.blocks
        if frame.kind == BACKWARD:
            low, high = self._piece.messages[frame.number]
            return [(key, blocks.messages_at(low, high))]
        nodes = self._piece.values[frame.number]
        if frame.kind == FORWARD:
            return [(key, blocks.values_at(nodes))]
        return [(key, blocks.S_at(nodes) + 0.0)]  # 0 where no message came

    def found(self, keys: Iterable[int]) -> Keyed:
        """Return S or gradients, of all nodes or edges here."""
        return [(what, self.blocks.found(what)) for what in keys]

    def recorded(self) -> list[Recorded]:
        """Return nothing: who asks for records of scalar networks is refused before."""
        return []

    def counted(self) -> Counts:
        """Return what was counted since this was asked last."""
        counts = self.blocks.counted()
        counts.retransmissions, self._dropped = self._dropped, 0
        counts.levels, self._fired = self._fired, frozenset()
        return counts


_BYTES = 8
"""Of a value."""


def _low(blocks: Sequence[int]) -> int:
    return blocks[0] if blocks else 0


def _high(blocks: Sequence[int]) -> int:
    return blocks[-1] + 1 if blocks else 0
