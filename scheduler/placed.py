"""A network whose nodes have their partitions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ..protocol.outline import CONSTANT, Ints, Outline


class CutInputs(NamedTuple):
    """The inputs whose two ends live in different partitions: of constants none does.

    Attributes:
        which: their numbers, ascending.
        source, target: the nodes at both ends.

    """

    which: Ints
    source: Ints
    target: Ints


@dataclass(frozen=True, eq=False)
class Placed:
    """An outline, and where each node lives.

    Attributes:
        outline: the network.
        partition: for each node its partition; of a constant that lives everywhere, any; int64[n].
        partitions: how many there are.

    """

    outline: Outline
    partition: Ints
    partitions: int

    @cached_property
    def cut(self) -> CutInputs:
        """What is cut."""
        outline = self.outline
        if self.partitions == 1:
            nothing = np.empty(0, np.int64)
            return CutInputs(nothing, nothing, nothing)
        # In few bytes, so that many of them stay in the caches.
        lives = self.partition.astype(np.min_scalar_type(self.partitions))
        crosses = lives[outline.source] != lives.repeat(outline.degree)
        constant = outline.kind == CONSTANT
        if constant.any():
            crosses &= ~constant[outline.source]
        which = crosses.nonzero()[0]
        return CutInputs(which, *outline.ends(which))
