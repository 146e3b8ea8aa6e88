"""What a run asks of an engine, and what an engine tells a run. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ..protocol.ledger import Counts
from ..protocol.message import Message
from ..protocol.outline import PlannedFrame
from ..protocol.record import Recorded
from ..protocol.residents import Keyed, PassOptions
from ..protocol.timeline import Span
from .order import Firing


@dataclass(slots=True)
class Report:
    """What a worker did in one firing.

    Attributes:
        stage: which stage it fired.
        worker: its number, that of its partition.
        start, end: times in ns since the epoch, on the worker's clock.
        incarnation: how often the worker had been started anew.
        counts: what moved.
        peak_bytes: the most bytes of values that it has held in this run so far.
        spans: what it did, when.
        messages: what was recorded of those that were sent.

    """

    stage: int
    worker: int
    start: int
    end: int
    incarnation: int = 0
    counts: Counts = field(default_factory=Counts)
    peak_bytes: int = 0
    spans: list[Span] = field(default_factory=list)
    messages: list[Recorded] = field(default_factory=list)


class Give(NamedTuple):
    """Hand over a frame from the caller."""

    number: int
    frame: PlannedFrame
    content: Keyed


class Fire(NamedTuple):
    """Fire a stage; what it receives has been given, or is sent by what was asked for before.

    Passes before ``first`` are over: the worker closes them. From there on copies are counted.
    """

    firing: Firing
    first: int
    options: PassOptions


class Fetch(NamedTuple):
    """Bring a frame to the caller, when it has been sent."""

    number: int
    frame: PlannedFrame


Command = Give | Fire | Fetch


class Fired(NamedTuple):
    """A stage has fired."""

    firing: Firing
    report: Report


class Fetched(NamedTuple):
    """A frame has come to the caller."""

    number: int
    frame: PlannedFrame
    messages: list[Message]


class Failed(NamedTuple):
    """A stage could not fire, say because its worker refused a frame; or what it sent is lost."""

    firing: Firing
    error: Exception


class Died(NamedTuple):
    """A worker is gone."""

    worker: int
    incarnation: int
    reason: str


class Late(NamedTuple):
    """Nothing has come for so many seconds, as long as any one wait may take."""

    seconds: float


Event = Fired | Fetched | Failed | Died | Late
