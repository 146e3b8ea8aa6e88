"""The arguments of a pass, bound to a network of scalar nodes, and S at its output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..message import SUMS
from ..outline import PlannedFrame
from ..residents import Keyed
from .make.checks import as_float64
from .piece import Floats
from .whole import Whole


@dataclass(frozen=True, slots=True, eq=False)
class BoundScalars:
    """What a pass is given.

    Attributes:
        values: of the nodes that nothing feeds, in node order.
        S: S at the output.

    """

    values: Floats
    S: float

    def pack(self, frame: PlannedFrame) -> Keyed:
        """Return what the caller sends in a frame: values of leaves, or S at the output."""
        if frame.kind == SUMS:
            return [(frame.keys[0], np.array([self.S]))]
        return [(frame.keys[0], self.values[frame.leaves])]


def bind(network: Whole, inputs: tuple[Any, ...], S: Any) -> BoundScalars:
    """Bind the arguments of a pass.

    Raises:
        ArgumentError: they are no numbers, or of another count; or S is no number.

    """
    if len(inputs) != 1:
        raise ArgumentError(
            f"a network takes one array, the values of its inputs, and was given {len(inputs)}"
        )
    values = np.ascontiguousarray(as_float64(inputs[0], "the inputs are"))
    count = len(network.piece.leaves)
    if values.shape != (count,):
        raise ArgumentError(
            f"the inputs have shape {list(values.shape)}, and the network has {count:,} nodes that "
            f"nothing feeds; give one number for each, in node order"
        )
    return BoundScalars(values, 1.0 if S is None else _one_number(S))


def _one_number(S: Any) -> float:
    found = as_float64(S, "S is")
    if found.shape:
        raise ArgumentError(f"S has shape {list(found.shape)}, and the output is one number")
    return float(found)
