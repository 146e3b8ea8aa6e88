"""The workers of a session: in this process, or the actors of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ..protocol.errors import ClusterError
from ..scheduler.plan import Plan
from ..scheduler.run import Engine
from .execute import new_run
from .local import LocalEngine
from .worker import Worker


class Crew(Protocol):
    """Workers that several plans share."""

    def engine(self, plan: Plan, session: str) -> Engine:
        """Return an engine for a plan, whose parts the workers hold beside those of others."""

    def call(self, method: str, given: Mapping[int, tuple[Any, ...]]) -> dict[int, Any]:
        """Call a method of some workers, of all at once; return what each returns.

        Raises:
            BackwaveError: what a worker raised, as it raised it.
            ClusterError: a worker died, or did not answer in time.

        """

    def failed(self, error: BaseException) -> None:
        """Hear that a run failed: of what kind, decides whether the workers are of use still."""

    def require_there(self) -> None:
        """Raise ClusterError if the workers are gone, and what they kept with them."""


class LocalCrew:
    """Workers in this process."""

    def __init__(self) -> None:
        self._workers: list[Worker] = []

    def engine(self, plan: Plan, session: str) -> Engine:
        """Return an engine for a plan, whose parts the workers hold beside those of others."""
        return LocalEngine(plan, new_run(), self._workers, session)

    def call(self, method: str, given: Mapping[int, tuple[Any, ...]]) -> dict[int, Any]:
        """Call a method of some workers, one after the other; return what each returns."""
        return {w: getattr(self._workers[w], method)(*args) for w, args in given.items()}

    def failed(self, error: BaseException) -> None:
        """Hear that a run failed: the workers can go on."""

    def require_there(self) -> None:
        """Nothing can be lost."""
        if not self._workers:
            raise ClusterError("the session has no workers")
