"""Parameters: leaves that stay where they live from pass to pass.

Copies of a network have their weights tied (the article's weight tying): S at a parameter is the
sum of what it is in each copy, in the order of the copies, whichever is done first. The update is
local, "by the endpoints of the edge where w resides" (Claim 1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from sys import getrefcount
from typing import Any

import numpy as np

from .arrays import Array, settle
from .errors import ArgumentError, ProtocolError

Optimizer = Callable[[Array, Array, Any, int], tuple[Array, Any]]
"""``(param, S, state, step) -> (param, state)``: step counts from 1, state is None at first."""


def _held_once() -> int:
    array = np.empty(0)
    return getrefcount(array)


_HELD = _held_once()
"""What ``getrefcount`` says of an array that one name holds."""


class CopySums:
    """S at tied leaves: the sum over the copies of a network, in copy order."""

    def __init__(self) -> None:
        self._total: dict[int, Array] = {}
        self._sums = 0
        self._taken: dict[int, int] = {}
        self._early: dict[int, dict[int, Array]] = {}

    def add(self, node: int, copy: int, S: Array) -> None:
        """Take S at a leaf in one copy; one that comes early waits for those before it."""
        waiting = self._early.setdefault(node, {})
        waiting[copy] = S
        turn = self._taken.get(node, 0)
        while turn in waiting:
            S = waiting.pop(turn)
            if turn == 0:
                self._total[node] = S
            elif turn == 1:  # an array of our own; what follows may be added in place
                self._total[node] = self._total[node] + S
                self._sums += 1
            else:
                total = self._total[node]
                total += S
                self._total[node] = total
                self._sums += 1
            turn += 1
        self._taken[node] = turn

    def counted(self) -> int:
        """Return how many additions were made since this was asked last."""
        sums, self._sums = self._sums, 0
        return sums

    def whole(self, copies: int) -> dict[int, Array]:
        """Return the sum at each leaf, by node.

        Raises:
            ProtocolError: not so many copies have been added.

        """
        for taken in self._taken.values():
            if taken != copies:
                raise ProtocolError(f"S at a parameter is the sum of {taken} of {copies} copies")
        return dict(self._total)


@dataclass(frozen=True, slots=True)
class Update:
    """How parameters are to be changed.

    Attributes:
        optimizer: makes a new parameter and a state of the old, and S.
        copies: S must be the sum of so many.
        keys: of each parameter that changes, by its node, the key.
        names: what errors call them, by key.
        number: which update of the session this is.

    """

    optimizer: Optimizer
    copies: int
    keys: Mapping[int, int]
    names: Mapping[int, str]
    number: int = 1


class Parameters:
    """The parameters that live in one partition, by key: their turn among all of a session.

    Attributes:
        values: the value of each.

    """

    def __init__(self) -> None:
        self.values: dict[int, Array] = {}
        self._states: dict[int, tuple[int, Any]] = {}
        self._before: tuple[int, dict[int, Array], dict[int, tuple[int, Any]]] | None = None

    def keep(self, key: int, value: Array) -> None:
        """Take over a parameter: a copy of the value, which nobody else changes."""
        self.values[key] = settle(value.copy(order="K")) if hasattr(value, "copy") else value

    def update(self, update: Update, sums: Mapping[int, Array]) -> None:
        """Let an optimizer change parameters, all of them or none.

        Args:
            update: how, and which of them.
            sums: S at each, by node; where no path leads to the output there is none: it is 0.

        Until it is :meth:`settled` the update can be undone.

        Raises:
            ArgumentError: the optimizer failed, or returned something else than a parameter of
                the same shape and dtype and a state; says for which parameter.

        """
        values, states = dict(self.values), dict(self._states)
        for node, key in update.keys.items():
            if key not in values:
                continue  # it lives elsewhere
            old = values[key]
            step, state = states.get(key, (0, None))
            S = sums[node] if node in sums else np.zeros_like(old)
            given = old, S, state, step + 1
            values[key], state = _updated(update.optimizer, given, update.names[key])
            states[key] = step + 1, state
        self._before = update.number, self.values, self._states
        self.values, self._states = values, states

    def settled(self) -> None:
        """Forget what was before the last update."""
        self._before = None

    def undo(self, number: int) -> None:
        """Go back to what was before the update of this number, if that was made here."""
        if self._before is not None and self._before[0] == number:
            _, self.values, self._states = self._before
            self._before = None


def _updated(
    optimizer: Optimizer, given: tuple[Array, Array, Any, int], name: str
) -> tuple[Array, Any]:
    """Return the new value of one parameter and its state, checked."""
    old, S, state, step = given
    try:
        answer = optimizer(_read_only(old), _read_only(S), state, step)
    except ArgumentError:
        raise
    except Exception as error:
        raise ArgumentError(
            f"the optimizer failed at {name} in step {step}: {error!r}{_advice(error)}"
        ) from error
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise ArgumentError(
            f"the optimizer returned {type(answer).__name__} for {name}, and must return the pair "
            f"(param, state)"
        )
    new, state = answer
    del answer
    if not hasattr(new, "dtype") or new.shape != old.shape or new.dtype != old.dtype:
        what = f"{new.dtype}{list(new.shape)}" if hasattr(new, "dtype") else type(new).__name__
        raise ArgumentError(
            f"the optimizer returned {what} for {name}, which is {old.dtype}{list(old.shape)}; "
            f"keep shape and dtype"
        )
    # Held by this name and the call alone, it is nobody else's, who could change it later.
    if isinstance(new, np.ndarray) and (new.base is not None or getrefcount(new) > _HELD):
        new = new.copy(order="K")
    return settle(new), state


def _advice(error: Exception) -> str:
    if isinstance(error, ValueError) and "read-only" in str(error):
        return "; it is given views that cannot be written: return a new array instead"
    return ""


def _read_only(value: Array) -> Array:
    if not isinstance(value, np.ndarray):
        return value
    view = value.view()
    view.flags.writeable = False
    return view
