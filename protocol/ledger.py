"""The ledger: everything that moved, counted, and the closed forms that the counts must meet."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .errors import LedgerError


@dataclass(slots=True)
class Ledger:
    """The counts of one pass.

    Attributes:
        nodes: V, the nodes between a differentiated leaf and the output.
        edges: E, the edges between those.
        messages: messages received (each edge must carry one).
        sums: additions of two messages.
        multiplies: messages S·∂u/∂z computed.
        receivers: nodes that received at least one message.
        outputs: nodes that receive none, since no edge of the network leaves them.
        waves: levels that fired in the backward sweep.
        cut_edges: edges whose ends live in different partitions.
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
        inputs_without_gradient: inputs of the V nodes that are no edges: constants, masks,
            indices, data that is not differentiated.

    """

    nodes: int = 0
    edges: int = 0
    messages: int = 0
    sums: int = 0
    multiplies: int = 0
    receivers: int = 0
    outputs: int = 1
    waves: int = 0
    cut_edges: int = 0
    cross_messages: int = 0
    combined: int = 0
    frames: int = 0
    payload_bytes: int = 0
    header_bytes: int = 0
    recomputed: int = 0
    retransmissions: int = 0
    forward_frames: int = 0
    forward_bytes: int = 0
    inputs_without_gradient: int = 0

    @property
    def work(self) -> int:
        """The sum of the degrees: each edge is counted once where it sends, once where it sums."""
        return self.multiplies + self.messages

    def check(self) -> None:
        """Hold the counts to their closed forms.

        Raises:
            LedgerError: they do not meet; the message has both sides of each identity that fails.

        """
        identities = [
            ("messages = edges", self.messages, self.edges),
            ("multiplies = edges", self.multiplies, self.edges),
            ("sums = edges - receivers", self.sums, self.edges - self.receivers),
            # Every node but an output is below an edge.
            ("receivers = nodes - outputs", self.receivers, max(self.nodes - self.outputs, 0)),
            ("work = 2 edges", self.work, 2 * self.edges),
            (
                "cross messages + combined = cut edges"
                if self.combined
                else "cross messages = cut edges",
                self.cross_messages + self.combined,
                self.cut_edges,
            ),
        ]
        broken = [
            f"{name}: {left} against {right}" for name, left, right in identities if left != right
        ]
        if broken:
            raise LedgerError("the ledger does not balance: " + "; ".join(broken))

    def as_dict(self) -> dict[str, Any]:
        """Return the counts by name, with ``work``."""
        return {**asdict(self), "work": self.work}
