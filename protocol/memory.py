"""How many bytes of values the nodes of a partition hold, and when each can be let go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

FORWARD_USE, LEAVING, BACKWARD_USE = range(3)
"""When a value is used: by a node that fires forward, to be sent, by one that fires back."""


class Memory:
    """Bytes of values that are held, over all passes that are open.

    A value counts with the bytes of its shape, also where it is a view of another. Constants and
    parameters, which stay, do not count.

    Attributes:
        now: at present.
        peak: the most since :meth:`begin`.

    """

    def __init__(self) -> None:
        self.now = self.peak = 0

    def begin(self) -> None:
        """Begin to look for the peak anew."""
        self.peak = self.now

    def hold(self, size: int) -> None:
        """Count a value that has come."""
        self.now += size
        if self.now > self.peak:
            self.peak = self.now

    def free(self, size: int) -> None:
        """Count a value that has gone."""
        self.now -= size


Moment = tuple[int, int]
"""A use: its kind, and the node that fires (of ``LEAVING``, the number of the stage)."""


def last_uses(
    uses: Iterable[tuple[Moment, Sequence[int]]], stay: Iterable[int]
) -> Mapping[Moment, tuple[int, ...]]:
    """Return after which moment each value is used no more.

    Args:
        uses: every moment of a pass in its order, with the nodes whose values it uses.
        stay: nodes whose values are never let go.

    """
    last: dict[int, Moment] = {}
    for moment, nodes in uses:
        for z in nodes:
            last[z] = moment
    for z in stay:
        last.pop(z, None)
    found: dict[Moment, list[int]] = {}
    for z, moment in last.items():
        found.setdefault(moment, []).append(z)
    return {moment: tuple(nodes) for moment, nodes in found.items()}
