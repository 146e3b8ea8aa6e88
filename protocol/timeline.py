"""What each worker did, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in which one worker did one thing; times in ns since the epoch.

    Attributes:
        worker: whose time it is, by partition.
        name: what was done, to read.
        kind: ``"compute"``, ``"send"`` or ``"receive"``.
        start, end: on the worker's clock.
        details: what else is known, by name: counts of nodes, levels, messages, bytes.

    """

    worker: int
    name: str
    kind: str
    start: int
    end: int
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Share:
    """One worker's share of a run.

    Attributes:
        worker: its number, that of its partition.
        device: ``"cpu"`` or ``"gpu"``.
        nodes: how many nodes live there.
        stages: how many stages it fired.
        busy_seconds: how long that took.
        peak_bytes: the most bytes of values that it held at once, of all passes that were open;
            constants and parameters, which stay, not counted.

    """

    worker: int
    device: str
    nodes: int
    stages: int
    busy_seconds: float
    peak_bytes: int = 0
