"""The engine on Ray: one actor a partition, frames from actor to actor by reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from ..protocol.errors import BackwaveError, ClusterError
from ..protocol.message import CALLER, Address, Frame
from ..protocol.residents import Keyed
from ..scheduler.events import Command, Died, Event, Failed, Fetched, Fire, Fired, Give, Late
from ..scheduler.order import Firing
from ..scheduler.plan import Plan
from .assignment import assignments
from .worker import Worker

INLINE = 90_000
"""A frame of the caller's with fewer bytes travels in the call; a larger one is put once.

Ray itself puts what is larger than 100 KiB.
"""


class Actor(Worker):
    """A worker, as Ray calls it: a single return value is not wrapped in a tuple."""

    def fire(self, *args: Any) -> Any:
        """Fire a stage; see :meth:`Worker.fire`."""
        results = super().fire(*args)
        return results if len(results) > 1 else results[0]


class RayEngine:
    """Fires stages on actors; a frame between them is an object reference.

    The driver never holds a payload: it passes on the references to frames that workers made.

    Args:
        plan: what the actors are to run.
        actors: one for each partition.
        run: the run's name.
        incarnations: how often each actor has been started anew.
        deadline: seconds that any one wait may take.
        session: the session whose parameters they use.

    Attributes:
        headers: by pass, the bytes of headers of frames that the caller gave and got.

    """

    def __init__(
        self,
        plan: Plan,
        actors: Sequence[Any],
        run: str,
        incarnations: Sequence[int],
        deadline: float,
        session: str = "",
    ) -> None:
        self.plan = plan
        self.run = run
        self.headers: dict[int, int] = {}
        self._session = session
        self.incarnations = tuple(incarnations)
        self._actors = actors
        self._deadline = deadline
        self._frames: dict[tuple[int, int], Any] = {}
        # What was asked for and has not come, in the order in which it was asked for.
        self._reports: dict[Any, Firing] = {}
        self._fetches: dict[Any, tuple[int, int]] = {}

    def load(self) -> None:
        """Give every worker its part of the network."""
        given = assignments(self.plan, self.run, self.incarnations, self._session)
        # Each worker reads its own part, and what all share, where the object store has it.
        whole = ray.put(self.plan.graph.whole(elsewhere=True))
        loads = [
            actor.load.remote(ray.put(part), whole, assignment)
            for actor, part, assignment in zip(self._actors, self.plan.parts, given, strict=True)
        ]
        wait(loads, self._deadline, [f"worker {i} to load" for i in range(len(loads))])

    def do(self, command: Command) -> None:
        """Submit a command: one actor call a firing."""
        if isinstance(command, Give):
            address = Address(self.run, command.number, CALLER, CALLER, command.frame.receiver)
            frame = Frame.of(command.frame.kind, command.content, address)
            self._count(command.number, frame)
            handle = frame if frame.payload_bytes < INLINE else ray.put(frame)
            self._frames[command.number, command.frame.number] = handle
        elif isinstance(command, Fire):
            self._fire(command)
        else:
            key = command.number, command.frame.number
            self._fetches[self._frames.pop(key)] = key

    def _count(self, number: int, frame: Frame) -> None:
        """Count the header of a frame from or to the caller."""
        self.headers[number] = self.headers.get(number, 0) + len(frame.header)

    def _fire(self, command: Fire) -> None:
        firing = command.firing
        number = firing.number
        stage = self.plan.stage(firing.stage)
        frames = [self._frames.pop((number, frame)) for frame in stage.receives]
        method = self._actors[stage.partition].fire.options(num_returns=1 + len(stage.sends))
        handles = method.remote(self.run, *command, *frames)
        report, *sent = handles if stage.sends else (handles,)
        self._frames.update(zip([(number, frame) for frame in stage.sends], sent, strict=True))
        self._reports[report] = firing

    def wait(self, events: int) -> list[Event]:
        """Return what has happened, as soon as it is so many events, or something went wrong."""
        pending = [*self._reports, *self._fetches]
        if events < len(pending):
            ready, _ = ray.wait(pending, num_returns=events, timeout=self._deadline)
            if len(ready) < events:
                return list(self._one_by_one(pending))
        else:
            ready = pending
        try:
            values = ray.get(ready, timeout=self._deadline)
            return [self._event(ref, value) for ref, value in zip(ready, values, strict=True)]
        except (GetTimeoutError, RayError):
            return list(self._one_by_one(pending))

    def _one_by_one(self, pending: Sequence[Any]) -> Iterator[Event]:
        """Return what each reference that is ready has come to, a failure among them, or Late."""
        ready, _ = ray.wait(list(pending), num_returns=len(pending), timeout=0)
        failed = False
        for ref in sorted(ready, key=list(pending).index):
            try:
                yield self._event(ref, ray.get(ref, timeout=self._deadline))
            except RayError as error:
                failed = True
                yield self._failure(ref, error)
        if not failed:
            yield Late(self._deadline)

    def _event(self, ref: Any, value: Any) -> Event:
        if ref in self._reports:
            return Fired(self._reports.pop(ref), value)
        number, frame = self._fetches.pop(ref)
        came = Frame(*value)
        self._count(number, came)
        return Fetched(number, self.plan.frames[frame], came.open()[1])

    def _failure(self, ref: Any, error: RayError) -> Event:
        if ref in self._reports:
            firing = self._reports.pop(ref)
        else:
            number, frame = self._fetches.pop(ref)
            firing = Firing(number, self.plan.frames[frame].sent_by)
        worker = self.plan.stage(firing.stage).partition
        if isinstance(error, RayActorError):
            return Died(worker, self.incarnations[worker], str(error))
        return Failed(firing, translated(error))

    def abandon(self) -> None:
        """Forget what was asked for and has not come."""
        for each in (self._frames, self._reports, self._fetches):
            each.clear()

    def ask(self, worker: int, number: int, keys: Sequence[int]) -> Keyed:
        """Return what a worker has found in a pass, by key."""
        call = self._actors[worker].find.remote(self.run, number, list(keys))
        frame: Frame = wait([call], self._deadline, [f"S from worker {worker}"])[0]
        return Frame(*frame).open()[1]


def translated(error: RayError) -> Exception:
    """Return the error that a worker raised, as it raised it; what is Ray's, as a ClusterError."""
    if not isinstance(error, RayTaskError):  # an object was lost, or memory has run out
        return ClusterError(f"Ray failed: {error}")
    if isinstance(error.cause, BackwaveError):
        return error.cause
    return ClusterError(f"a worker failed: {error.cause!r}\n{error}")


def wait(references: Sequence[Any], deadline: float, names: Sequence[str]) -> list[Any]:
    """Return what the references stand for; an error says what was waited for.

    Raises:
        ClusterError: the deadline has passed, a worker has died, or Ray itself failed.
        BackwaveError: the error that a worker raised, as it raised it.

    """
    try:
        values: list[Any] = ray.get(list(references), timeout=deadline)
        return values
    except GetTimeoutError:
        _, pending = ray.wait(list(references), num_returns=len(references), timeout=0)
        late = [name for ref, name in zip(references, names, strict=True) if ref in pending]
        raise ClusterError(
            f"waited {deadline:g} s for {late[0]}"
            + (f" and {len(late) - 1} more" if len(late) > 1 else "")
            + "; see `ray status`, or raise the deadline"
        ) from None
    except RayActorError as error:
        raise ClusterError(
            f"a worker died while the run waited for {_first_failed(references, names)}: {error}"
        ) from None
    except RayError as error:
        raise translated(error) from None


def _first_failed(references: Sequence[Any], names: Sequence[str]) -> str:
    for reference, name in zip(references, names, strict=True):
        try:
            ray.get(reference, timeout=1)
        except RayError:
            return name
    return names[0]
