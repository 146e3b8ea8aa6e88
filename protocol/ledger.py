"""The ledger: everything that moved, counted, and the closed forms that the counts must meet."""

from __future__ import annotations

from dataclasses import dataclass, fields
from operator import add, attrgetter
from typing import Any, Protocol

from .errors import LedgerError


@dataclass(slots=True)
class Counts:
    """What moved: of one firing, one partition or one pass. Counts add up with ``+``.

    Attributes:
        messages: messages received (each edge must carry one).
        sums: additions of two messages.
        multiplies: messages S·∂u/∂z computed.
        receivers: nodes that received at least one message.
        cross_messages: messages that crossed between partitions.
        combined: messages that were summed with another at their sender, and so did not cross
            (only with a combiner).
        frames: frames that carried them.
        payload_bytes: bytes of the messages that crossed.
        header_bytes: bytes of the headers of all frames between partitions.
        recomputed: values that were forgotten and computed again for the backward wave.
        retransmissions: messages that came a second time, and were dropped.
        forward_frames: frames that carried values up in the forward sweep.
        forward_bytes: bytes of those values.
        parameter_frames: frames that brought parameters to those that use them elsewhere.
        parameter_bytes: bytes of those values.
        copy_sums: additions, over copies, of S at parameters.
        caller_frames: frames from and to the caller: data, S, values, gradients.
        caller_bytes: bytes of those, with their headers.
        levels: the levels that fired in the backward sweep, one wave each.

    """

    messages: int = 0
    sums: int = 0
    multiplies: int = 0
    receivers: int = 0
    cross_messages: int = 0
    combined: int = 0
    frames: int = 0
    payload_bytes: int = 0
    header_bytes: int = 0
    recomputed: int = 0
    retransmissions: int = 0
    forward_frames: int = 0
    forward_bytes: int = 0
    parameter_frames: int = 0
    parameter_bytes: int = 0
    copy_sums: int = 0
    caller_frames: int = 0
    caller_bytes: int = 0
    levels: frozenset[int] = frozenset()

    def __add__(self, other: Counts) -> Counts:
        """Return both together; a level that fired in both is one."""
        total = Counts(*map(add, _numbers(self), _numbers(other)))
        total.levels = self.levels | other.levels
        return total


_COUNTED = tuple(field.name for field in fields(Counts))
_NUMBERS = _COUNTED[:-1]
_numbers = attrgetter(*_NUMBERS)


class Sized(Protocol):
    """A network, as the ledger sees it: how large it is between leaves and outputs."""

    @property
    def num_nodes(self) -> int:
        """V: the nodes between a differentiated leaf and an output."""

    @property
    def num_edges(self) -> int:
        """E: the edges between those."""

    @property
    def num_outputs(self) -> int:
        """How many of the V nodes receive no message."""

    @property
    def inputs_without_gradient(self) -> int:
        """How many inputs of the V nodes are no edges."""


@dataclass(slots=True)
class Ledger(Counts):
    """The counts of one pass, or of the passes of several copies, beside what they must meet.

    Attributes:
        copies: how many copies of the network made a pass.
        nodes: V, the nodes between a differentiated leaf and the output.
        edges: E, the edges between those.
        outputs: nodes that receive no message, since no edge of the network leaves them.
        cut_edges: edges whose ends live in different partitions.
        inputs_without_gradient: inputs of the V nodes that are no edges: constants, masks,
            indices, data that is not differentiated.

    And those of :class:`Counts`.

    """

    copies: int = 1
    nodes: int = 0
    edges: int = 0
    outputs: int = 1
    cut_edges: int = 0
    inputs_without_gradient: int = 0

    @classmethod
    def of(cls, network: Sized, counts: Counts, cut_edges: int = 0, copies: int = 1) -> Ledger:
        """Return the ledger of a pass of each copy of a network, held to the closed forms.

        Raises:
            LedgerError: see :meth:`check`.

        """
        ledger = cls(
            **{name: getattr(counts, name) for name in _COUNTED},
            copies=copies,
            nodes=network.num_nodes,
            edges=network.num_edges,
            outputs=network.num_outputs,
            cut_edges=cut_edges,
            inputs_without_gradient=network.inputs_without_gradient,
        )
        ledger.check()
        return ledger

    @property
    def waves(self) -> int:
        """How many levels fired in the backward sweep, of all copies, hence the number of waves."""
        return self.copies * len(self.levels)

    @property
    def work(self) -> int:
        """The sum of the degrees: each edge is counted once where it sends, once where it sums."""
        return self.multiplies + self.messages

    def check(self) -> None:
        """Hold the counts to their closed forms.

        Raises:
            LedgerError: they do not meet; the message has both sides of each identity that fails.

        """
        many = "copies · " if self.copies > 1 else ""
        edges, below = self.copies * self.edges, self.copies * max(self.nodes - self.outputs, 0)
        nodes = f"{many}(nodes - outputs)" if many else "nodes - outputs"
        combined = " + combined" if self.combined else ""
        identities = [
            (f"messages = {many}edges", self.messages, edges),
            (f"multiplies = {many}edges", self.multiplies, edges),
            (f"sums = {many}edges - receivers", self.sums, edges - self.receivers),
            # Every node but an output is below an edge.
            (f"receivers = {nodes}", self.receivers, below),
            (f"work = 2 {many}edges", self.work, 2 * edges),
            (
                f"cross messages{combined} = {many}cut edges",
                self.cross_messages + self.combined,
                self.copies * self.cut_edges,
            ),
        ]
        broken = [
            f"{name}: {left} against {right}" for name, left, right in identities if left != right
        ]
        if broken:
            raise LedgerError("the ledger does not balance: " + "; ".join(broken))

    def as_dict(self) -> dict[str, Any]:
        """Return the counts by name, with ``waves`` and ``work``; plain numbers all."""
        found = {name: getattr(self, name) for name in _ORDER}
        return {**found, "waves": self.waves, "work": self.work}


_ORDER = (
    "copies",
    "nodes",
    "edges",
    "outputs",
    *_NUMBERS,
    "cut_edges",
    "inputs_without_gradient",
)
