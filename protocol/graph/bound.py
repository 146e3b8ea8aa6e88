"""The arguments of a pass, bound to the leaves of a graph, and S at its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..arrays import Array
from ..message import SUMS
from ..outline import PlannedFrame
from ..residents import Keyed


@dataclass(frozen=True, slots=True, eq=False)
class BoundGraph:
    """What a pass is given.

    Attributes:
        values: the value of each leaf.
        S: S at each output.
        structure: that of the arguments.

    """

    values: Mapping[int, Array]
    S: Mapping[int, Array]
    structure: Any

    def pack(self, frame: PlannedFrame) -> Keyed:
        """Return what the caller sends in a frame: values of leaves, or S at outputs."""
        source = self.S if frame.kind == SUMS else self.values
        return [(key, source[key]) for key in frame.keys]
