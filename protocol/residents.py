"""What a worker asks of the nodes that live on it, and a run of the network that it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from .arrays import Array
from .errors import ArgumentError
from .layout import Cut, Layout
from .ledger import Counts, Ledger, Sized
from .memory import Memory
from .message import FORWARD, Message
from .outline import Outline, PlannedFrame, Stage
from .parameters import CopySums, Parameters
from .record import Recorded
from .timeline import Share, Span

Keyed = Sequence[tuple[int, Array]]
"""Values with the keys that they have in a frame."""


class PassOptions(NamedTuple):
    """What a pass does beside the rule.

    Attributes:
        check_finite: whether to look for NaN and infinity.
        keep_S: whether S stays at every node until the next pass, for those who ask.
        record: whether each message's norm and thumbnail are kept.

    """

    check_finite: bool = False
    keep_S: bool = True
    record: bool = False


class Work(NamedTuple):
    """What one partition does of a plan.

    Attributes:
        partition: its number.
        stages: its own, in the order of a pass; those that share parameters are not among them.
        frames: those that come and go there, by number.

    """

    partition: int
    stages: Sequence[Stage]
    frames: Mapping[int, PlannedFrame]

    def leaving(self, stage: Stage) -> tuple[int, ...]:
        """Return the nodes whose values a stage sends."""
        sent = (self.frames[number] for number in stage.sends)
        return tuple(key for frame in sent if frame.kind == FORWARD for key in frame.keys)

    def taken(self, kind: str) -> list[PlannedFrame]:
        """Return the frames of a kind that come, from the caller or elsewhere."""
        mine = self.partition
        return [f for f in self.frames.values() if f.kind == kind and f.receiver == mine]


class Device(Protocol):
    """Where arrays live: in host memory, or on a GPU."""

    name: str

    def put(self, value: Array) -> Array:
        """Bring a value that came from elsewhere here. A Python scalar stays one."""

    def get(self, value: Array) -> Array:
        """Bring a value into host memory."""

    def finish(self) -> None:
        """Wait until what was begun is done."""

    def sparse(self) -> tuple[Any, Any, Callable[[Array], Array]] | None:
        """Return the libraries of arrays and of sparse matrices here, and the way to the host.

        None in host memory, where compiled loops do better.
        """


class Pass(Protocol):
    """The nodes of one partition, during one pass."""

    def fault(self, frame: PlannedFrame, message: Message, origin: str) -> str:
        """Say what is wrong with a message from ``origin``; an empty string if nothing is."""

    def take(self, frame: PlannedFrame, messages: Sequence[Message]) -> None:
        """Take what came in a frame: values of leaves and other nodes, messages, S at outputs."""

    def drop(self, frame: PlannedFrame) -> None:
        """Count a frame that came a second time."""

    def fire(self, stage: Stage) -> None:
        """Fire a stage forward."""

    def send(self, stage: Stage) -> None:
        """Fire a stage backward: sum, then send."""

    def give(self, frame: PlannedFrame) -> Keyed:
        """Return what goes in a frame."""

    def found(self, keys: Iterable[int]) -> Keyed:
        """Return S, or what else is asked for after a pass."""

    def counted(self) -> Counts:
        """Return what was counted since this was asked last."""

    def recorded(self) -> list[Recorded]:
        """Return what was recorded since this was asked last."""


class Residents(Protocol):
    """The nodes of one partition. Several passes may be open at once.

    Attributes:
        memory: the bytes of values that they hold, in all passes that are open.
        sums: S at the parameters that live here, over the copies of a run.

    """

    memory: Memory
    sums: CopySums

    def begin(self) -> None:
        """Begin a run of several passes: sums over copies, and the peak, start anew."""

    def open(self, copy: int, options: PassOptions) -> Pass:
        """Begin a pass, of the copy of this number."""

    def close(self, ended: Pass) -> None:
        """End a pass: what it held is free."""

    def size(self, stage: Stage, kind: str) -> int:
        """Return how many nodes fire in a stage, ``"forward"`` or ``"backward"``."""


class Part(Protocol):
    """What one partition holds of a network, as it travels to a worker."""

    @property
    def size(self) -> int:
        """How many nodes those are."""

    def residents(
        self, whole: Any, device: Device, parameters: Parameters, work: Work
    ) -> Residents:
        """Let the nodes live on a device; ``whole`` is what all parts share."""


class Bound(Protocol):
    """The arguments of a pass, bound to a network: what its leaves and outputs are given."""

    def pack(self, frame: PlannedFrame) -> Keyed:
        """Return what the caller sends in a frame: values of leaves, or S at outputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What comes back of a pass over partitions.

    Attributes:
        frames: those that came to the caller, with what was in them.
        ask: returns what a partition finds after the pass, by key.
        partition: for each node its partition, as the plan has it.
        parts: what each partition held.
        ledger, timeline, plan, workers, messages: for the result.
        curvature: makes the Hessian, where the network can have one.

    """

    frames: Sequence[tuple[PlannedFrame, Sequence[Message]]]
    ask: Callable[[int, Sequence[int]], Keyed]
    partition: Any
    parts: Sequence[Part]
    ledger: Ledger
    timeline: list[Span]
    plan: Any
    workers: Sequence[Share]
    messages: Sequence[Recorded]
    curvature: Callable[[], Any]


class AnyNetwork(Sized, Protocol):
    """A network of either kind: a graph of tensors, or a network of scalar nodes."""

    @property
    def num_levels(self) -> int:
        """How many levels the V nodes stand on."""

    def outline(self) -> Outline:
        """Return the network as numbers."""

    def require_dependence(self) -> None:
        """Raise unless each output depends on a differentiated leaf."""

    def mapped(self, mapping: Any, partitions: int) -> Any:
        """Return the partition that the user's own mapping gives each node; -1 where none.

        Raises:
            PlanError: the mapping does not fit, or names a partition that does not exist.

        """

    def as_numbered(self, partition: Any) -> Any:
        """Return the partition of each node as the network's maker numbers them."""

    def cut(self, layout: Layout) -> Cut:
        """Return the part of each partition, what fires in each stage, the key of each frame."""

    def whole(self, *, elsewhere: bool) -> Any:
        """Return what all workers share of the network: data alone; ``elsewhere`` it travels."""

    def can_record(self) -> bool:
        """Return True; or raise ArgumentError where messages are too many to keep each."""

    def bind(self, args: tuple[Any, ...], S: Any) -> Bound:
        """Return the arguments and S at the outputs (None: the article's 1), bound.

        Raises:
            ArgumentError: they do not fit.
            NotScalarError: S is not given, and the value is not one number.

        """

    def run_here(self, bound: Any, options: PassOptions, curvature: Callable[[], Any]) -> Any:
        """Run a pass in this process, and return its result."""

    def result(self, bound: Any, returned: Returned) -> Any:
        """Return the result of a pass over partitions."""


def require_network(network: Any) -> None:
    """Raise unless this is a network of either kind: a function is traced first."""
    if not hasattr(network, "run_here"):
        raise ArgumentError(
            f"{network!r:.60} is {type(network).__name__}, and a graph is needed: "
            f"bw.trace(f, *args) makes one"
        )
