"""The actors of a cluster, as the workers of a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..protocol.errors import ClusterError
from ..scheduler.plan import Plan
from ..scheduler.run import Engine
from .execute import new_run
from .ray_engine import RayEngine, wait


class RayCrew:
    """Actors that several plans share.

    Args:
        hire: returns the actors for the devices of a plan, the same ones as before for the same.
        dismiss: stops all actors of the cluster.
        restarts: returns how often that has been done.
        deadline: seconds that any one wait may take.

    """

    def __init__(
        self,
        hire: Callable[[Plan], Sequence[Any]],
        dismiss: Callable[[], None],
        restarts: Callable[[], int],
        deadline: float,
    ) -> None:
        self._hire = hire
        self._dismiss = dismiss
        self._restarts = restarts
        self._deadline = deadline
        self._actors: Sequence[Any] = ()
        self._begun = restarts()

    def engine(self, plan: Plan, session: str) -> Engine:
        """Return an engine for a plan, whose parts the actors hold beside those of others."""
        actors = self._hire(plan)
        if not self._actors:
            self._begun = self._restarts()
        if len(actors) > len(self._actors):
            self._actors = actors
        incarnations = (self._begun,) * plan.partitions
        engine = RayEngine(plan, actors, new_run(), incarnations, self._deadline, session)
        engine.load()
        return engine

    def call(self, method: str, given: Mapping[int, tuple[Any, ...]]) -> dict[int, Any]:
        """Call a method of some actors, of all at once; return what each returns.

        Raises:
            BackwaveError: what a worker raised, as it raised it.
            ClusterError: a worker died, or did not answer in time.

        """
        calls = [getattr(self._actors[w], method).remote(*args) for w, args in given.items()]
        names = [f"{method} on worker {w}" for w in given]
        return dict(zip(given, wait(calls, self._deadline, names), strict=True))

    def failed(self, error: BaseException) -> None:
        """Stop the actors, which are dead or still busy."""
        self._dismiss()

    def require_there(self) -> None:
        """Raise ClusterError if the actors have been stopped, and what they kept is gone."""
        if self._restarts() != self._begun:
            raise ClusterError(
                "the session's workers are gone, and its parameters with them: begin a new session "
                "with the last ones that session.params() gave"
            )
