"""What a pass of a network gives."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from ..backward import Span
from ..ledger import Ledger
from .piece import Floats

S, WEIGHTS, BIASES = range(3)
"""What can be asked of the nodes of a place after a pass: S, and the gradients of parameters."""


class NetworkResult:
    """What a pass of a :class:`Network` gives; arrays as its maker numbers nodes and edges.

    Those arrays are made when they are asked for first, of what the pass has left in its place.

    Attributes:
        value: the output's value.
        grads: ∂f/∂(input) of each node that nothing feeds, in node order.
        ledger: what moved, checked.
        timeline: what each worker did, when.

    """

    def __init__(
        self,
        value: float,
        grads: Floats,
        ledger: Ledger,
        timeline: list[Span],
        ask: Callable[[int], Floats],
    ) -> None:
        self.value = value
        self.grads = grads
        self.ledger = ledger
        self.timeline = timeline
        self._ask = ask

    @cached_property
    def S(self) -> Floats:
        """S at each node: ∂f/∂(node), and 0 where no path leads to the output."""
        return self._ask(S)

    @cached_property
    def weight_gradient(self) -> Floats:
        """∂f/∂w of each edge; empty where no node weighs its inputs."""
        return self._ask(WEIGHTS)

    @cached_property
    def bias_gradient(self) -> Floats:
        """∂f/∂b of each node, 0 where it is given or has no path; empty where no node is a sum."""
        return self._ask(BIASES)

    def __repr__(self) -> str:
        """Say the value and the size."""
        return f"<result: f={self.value:.9g}, {self.ledger.messages:,} messages>"
