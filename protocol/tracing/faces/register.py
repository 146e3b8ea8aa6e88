"""Registering how a NumPy function is traced, and reading the arguments that many share."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from ...errors import BackwaveError, ShapeError, TraceError
from ...rules import TABLE
from ...rules.primitive import Recorded
from ...source_line import user_line
from ..traced import FUNCTIONS, METHODS

MISSING: Any = np._NoValue


def face(*functions: Any, method: str | Sequence[str] = ()) -> Callable[[Any], Any]:
    """Register the traced form of NumPy functions, and of array methods by name."""

    def register(traced_form: Any) -> Any:
        for function in functions:
            FUNCTIONS[function] = traced_form
        for name in (method,) if isinstance(method, str) else method:
            METHODS[name] = traced_form
        return traced_form

    return register


def record(name: str, *inputs: Any, **attributes: Any) -> Any:
    """Record a primitive on the tape of its first traced input."""
    for value in inputs:
        if isinstance(value, Recorded):
            return value.record(TABLE[name], inputs, attributes)
    raise TraceError(f"{user_line()}: np.{name} was given no traced node where it needs one")


def array_of(value: Any) -> Any:
    """Return a node or an array as it is, and what NumPy would make an array as one.

    A list that holds nodes is stacked.
    """
    if isinstance(value, Recorded) or hasattr(value, "dtype"):
        return value
    if isinstance(value, list | tuple) and any(isinstance(each, Recorded) for each in value):
        return np.stack(value)
    return np.asarray(value)


def only(what: str, **options: Any) -> None:
    """Refuse the options that were given a value."""
    for name, value in options.items():
        if value is not None and value is not MISSING:
            raise TraceError(f"{user_line()}: {what} with {name}= cannot be traced")


def refused(what: str, advice: str) -> Callable[..., NoReturn]:
    """Return the traced form of what a network cannot hold: an error that says what to do."""

    def refuse(*args: Any, **options: Any) -> NoReturn:
        raise TraceError(f"{user_line()}: {what} cannot be traced: {advice}")

    REFUSED.add(refuse)
    return refuse


REFUSED: set[Any] = set()
"""Traced forms that only say what to do instead."""


def one_axis(axis: Any, ndim: int) -> int:
    """Return an axis counted from 0, checked."""
    try:
        place = operator.index(axis)
    except BackwaveError:
        raise
    except TypeError:
        raise ShapeError(f"{user_line()}: axis {axis!r:.40} is not a whole number") from None
    if not -ndim <= place < ndim:
        raise ShapeError(f"{user_line()}: axis {axis} is out of bounds for {ndim} axes")
    return place % ndim


def all_axes(axis: Any, ndim: int) -> tuple[int, ...] | None:
    """Return axes counted from 0, checked; None stands for all of them."""
    if axis is None:
        return None
    axes = tuple(
        one_axis(each, ndim) for each in (axis if isinstance(axis, tuple | list) else (axis,))
    )
    if len(set(axes)) < len(axes):
        raise ShapeError(f"{user_line()}: axis {axis} names an axis twice")
    return axes


def lengths_of(shape: Any, size: int | None = None) -> tuple[int, ...]:
    """Return a shape as plain integers; with ``size``, a -1 in it is worked out."""
    lengths = (
        tuple(map(operator.index, shape))
        if isinstance(shape, tuple | list)
        else (operator.index(shape),)
    )
    if -1 in lengths and size is not None:
        known = 1
        for length in lengths:
            known *= 1 if length == -1 else length
        if lengths.count(-1) > 1 or known == 0 or size % known:
            raise ShapeError(f"{user_line()}: {size} entries cannot be reshaped to {lengths}")
        lengths = tuple(size // known if length == -1 else length for length in lengths)
    if any(length < 0 for length in lengths):
        raise ShapeError(f"{user_line()}: shape {lengths} has a negative length")
    return lengths
