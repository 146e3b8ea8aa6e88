"""Looking for NaN and infinity: where one arose, and from what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .arrays import Array, is_float
from .errors import NonFiniteError
from .parts import Node


@dataclass(frozen=True, slots=True)
class NonFinite:
    """Where a NaN or an infinity arose.

    Attributes:
        node: the node.
        kind: ``"NaN"`` or ``"infinity"``.
        what: ``"value"``, or the message that it sent: ``"message to w"``.
        ranges: for each of its inputs, by name, the range of its values.

    """

    node: Node
    kind: str
    what: str
    ranges: dict[str, str]

    @property
    def line(self) -> str:
        """The user's source line, ``file.py:12``."""
        return self.node.line

    def __str__(self) -> str:
        """Say it in a sentence."""
        where = f"{self.line}: " if self.line else ""
        inputs = "; ".join(f"{name} {span}" for name, span in self.ranges.items())
        return (
            f"{where}{self.kind} arose in the {self.what} of {self.node.name}"
            f"{f'; its inputs are {inputs}' if inputs else ''}"
        )


def require_finite(
    node: Node, value: Array, what: str, ranges: Callable[[Node], dict[str, str]]
) -> None:
    """Raise if a floating-point value has a NaN or an infinity, naming the node and its line.

    ``ranges`` says between what the values of the node's inputs are.
    """
    if not is_float(value.dtype) or bool(np.all(np.isfinite(value))):
        return
    kind = "NaN" if bool(np.any(np.isnan(value))) else "infinity"
    found = NonFinite(node, kind, what, ranges(node))
    raise NonFiniteError(str(found), found)


def span(value: Array) -> str:
    """Describe the range of a value: ``in [low, high]``."""
    if not hasattr(value, "dtype"):
        return f"= {value}"
    if value.size == 0:
        return "empty"
    if value.dtype.kind == "c":
        return f"of magnitude up to {float(np.max(np.absolute(value))):.6g}"
    return f"in [{float(np.min(value)):.6g}, {float(np.max(value)):.6g}]"
