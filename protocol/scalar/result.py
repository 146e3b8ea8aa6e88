"""What a pass of a network of scalar nodes gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from ..ledger import Ledger
from ..message import SUMS
from ..residents import Returned
from ..timeline import Share, Span
from .piece import BIASES, S_OF_NODES, WEIGHTS, Floats, Piece
from .whole import Whole


class NetworkResult:
    """What a pass of a :class:`Network` gives; arrays as its maker numbers nodes and edges.

    Those arrays are made when they are asked for first, of what the pass has left where the nodes
    live.

    Attributes:
        value: the output's value.
        grads: ∂f/∂(input) of each node that nothing feeds, in node order.
        ledger: what moved, checked.
        timeline: what each worker did, when.
        plan: what was run over workers; None in one place.
        workers: each worker's share of that.

    """

    def __init__(
        self,
        value: float,
        grads: Floats,
        ledger: Ledger,
        timeline: list[Span],
        ask: Callable[[int], Floats],
        plan: Any = None,
        workers: Sequence[Share] = (),
    ) -> None:
        self.value = value
        self.grads = grads
        self.ledger = ledger
        self.timeline = timeline
        self._ask = ask
        self.plan = plan
        self.workers = workers

    @cached_property
    def S(self) -> Floats:
        """S at each node: ∂f/∂(node), and 0 where no path leads to the output."""
        return self._ask(S_OF_NODES)

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


def from_partitions(network: Whole, returned: Returned) -> NetworkResult:
    """Return the result of a pass over partitions."""
    value = np.nan
    grads = np.zeros(len(network.piece.leaves))
    for frame, messages in returned.frames:
        ((_, block),) = messages
        if frame.kind == SUMS:
            grads[frame.leaves] = block
        else:
            value = float(block[0])
    return NetworkResult(
        value,
        grads,
        returned.ledger,
        returned.timeline,
        partial(_ask, network, returned),
        returned.plan,
        returned.workers,
    )


def _ask(network: Whole, returned: Returned, what: int) -> Floats:
    """Fetch what each worker has, and put it in the maker's order."""
    whole = network.piece
    size = len(whole.weight) if what == WEIGHTS else network.nodes
    found = np.zeros(size if what in (WEIGHTS, S_OF_NODES) or whole.sums else 0)
    for worker, part in enumerate(returned.parts):
        piece: Piece = part.piece  # type: ignore[attr-defined]
        if not piece.nodes:
            continue  # such a worker has not been called
        ((_, values),) = returned.ask(worker, [what])
        if len(found):
            found[piece.edges if what == WEIGHTS else piece.numbers] = values
    return found
