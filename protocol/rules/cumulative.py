"""Primitives that run along an axis: running sums, products and extrema.

``reverse`` runs from the last entry to the first: the message of a running sum is the running sum
of S the other way. ``linear_recurrence`` is what the message of a running product needs; it is
exact where entries are zero, takes linear time, and its own messages are linear recurrences.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import ShapeError
from .attributes import AXIS, FLAG
from .indexing import Template
from .primitive import Abstract, MessageRule, Recorded, apply, define
from .reductions import sum_dtype


def _own(name: str, compute: Callable[..., Array]) -> Callable[..., Array]:
    """Make a forward of what NumPy has no function for: traced values record it, arrays do it."""

    def forward(*z: Array, **attributes: Any) -> Array:
        for value in z:
            if isinstance(value, Recorded):
                return apply(name, *z, **attributes)
        return compute(*z, **attributes)

    return forward


def _along(axis: int, *cut: int | None) -> tuple[slice, ...]:
    return (slice(None),) * axis + (slice(*cut),)


def _flip(z: Array, axis: int) -> Array:
    return z[_along(axis, None, None, -1)]


def _directed(function: Any, z: Array, axis: int, reverse: bool) -> Array:
    if reverse:
        return _flip(function(_flip(z, axis), axis=axis), axis)
    return function(z, axis=axis)


def _cumsum(z: Array, *, axis: int, reverse: bool) -> Array:
    return _directed(np.cumsum, z, axis, reverse)


define(
    "cumsum",
    _own("cumsum", _cumsum),
    lambda S, u, z, *, axis, reverse: apply("cumsum", S, axis=axis, reverse=not reverse),
    shape=lambda z, *, axis, reverse: Abstract(z.shape, sum_dtype(z.dtype)),
    takes={"axis": AXIS, "reverse": FLAG},
)


def _before(z: Array, *, axis: int, reverse: bool) -> Array:
    """Return the product of all entries before each."""
    u = np.empty_like(z, dtype=sum_dtype(z.dtype))
    entries, products = (_flip(z, axis), _flip(u, axis)) if reverse else (z, u)
    products[_along(axis, 0, 1)] = 1
    rest = products[_along(axis, 1, None)]
    np.cumprod(entries[_along(axis, None, -1)], axis=axis, out=rest)
    return u


def _cumprod(z: Array, *, axis: int, reverse: bool, exclusive: bool) -> Array:
    if exclusive:
        return _before(z, axis=axis, reverse=reverse)
    return _directed(np.cumprod, z, axis, reverse)


def shifted(z: Array, axis: int, reverse: bool) -> Array:
    """Return z moved one place on along ``axis`` (back if ``reverse``), with a zero moved in."""
    here, there = (_along(axis, 1, None), (None, -1)) if reverse else (_along(axis, -1), (1, None))
    everything: Template = (("slice", None, None, None),) * axis
    index = (*everything, ("slice", *there, None))
    return apply("scatter", z[here], index=index, shape=z.shape)


def _recurrence(x: Array, z: Array, *, axis: int, reverse: bool, lagged: bool) -> Array:
    return apply("linear_recurrence", x, z, axis=axis, reverse=reverse, lagged=lagged)


def _cumprod_message(
    S: Array, u: Array, z: Array, *, axis: int, reverse: bool, exclusive: bool
) -> Array:
    # Of all products that have z_k: what comes before z_k, times the sum of S_i times what comes
    # after z_k up to i. That sum is a recurrence, which divides by nothing.
    if exclusive:
        after = _recurrence(S, z, axis=axis, reverse=not reverse, lagged=False)
        return u * shifted(after, axis, not reverse)
    before = apply("cumprod", z, axis=axis, reverse=reverse, exclusive=True)
    return before * _recurrence(S, z, axis=axis, reverse=not reverse, lagged=True)


define(
    "cumprod",
    _own("cumprod", _cumprod),
    _cumprod_message,
    shape=lambda z, *, axis, reverse, exclusive: Abstract(z.shape, sum_dtype(z.dtype)),
    takes={"axis": AXIS, "reverse": FLAG, "exclusive": FLAG},
)


def _step(x: Array, z: Array, y: Array) -> Array:
    # A zero stays zero also where a product of many z overflowed.
    return x + np.where(y == 0, z.dtype.type(0), z) * y


def _scan(x: Array, z: Array, axis: int) -> Array:
    """Solve y[k] = x[k] + z[k]·y[k-1] by joining neighbours: half as many unknowns each time."""
    n = x.shape[axis]
    if n < 2:
        return x
    even, odd = _along(axis, 0, n - n % 2, 2), _along(axis, 1, None, 2)
    at_odd = _scan(_step(x[odd], z[odd], x[even]), z[odd] * z[even], axis)
    y = np.empty_like(x)
    y[odd] = at_odd
    y[_along(axis, 0, 1)] = x[_along(axis, 0, 1)]
    later = _along(axis, 2, None, 2)
    y[later] = _step(x[later], z[later], at_odd[_along(axis, 0, (n - 1) // 2)])
    return y


def _linear_recurrence(x: Array, z: Array, *, axis: int, reverse: bool, lagged: bool) -> Array:
    """Return y with y[k] = x[k] + z[k]·y[k-1], or with z[k-1] for z[k] if ``lagged``."""
    dtype = np.result_type(x.dtype, z.dtype)
    x, z = x.astype(dtype), z.astype(dtype)
    if reverse:
        x, z = _flip(x, axis), _flip(z, axis)
    if lagged:  # the first coefficient meets no y before it, so any number will do
        z = np.concatenate([z[_along(axis, 0, 1)], z[_along(axis, None, -1)]], axis=axis)
    with np.errstate(over="ignore"):  # a product of many factors may, where y does not need it
        y = _scan(x, z, axis)
    return _flip(y, axis) if reverse else y


def _recurrence_message_to_term(
    S: Array, u: Array, x: Array, z: Array, *, axis: int, reverse: bool, lagged: bool
) -> Array:
    return _recurrence(S, z, axis=axis, reverse=not reverse, lagged=not lagged)


def _recurrence_message_to_factor(
    S: Array, u: Array, x: Array, z: Array, *, axis: int, reverse: bool, lagged: bool
) -> Array:
    back = _recurrence(S, z, axis=axis, reverse=not reverse, lagged=not lagged)
    if lagged:
        return shifted(back, axis, not reverse) * u
    return back * shifted(u, axis, reverse)


def _recurrence_shape(
    x: Abstract, z: Abstract, *, axis: int, reverse: bool, lagged: bool
) -> Abstract:
    if x.shape != z.shape:
        raise ShapeError(f"terms of shape {x.shape} and factors of shape {z.shape} are not alike")
    return Abstract(x.shape, np.result_type(x.dtype, z.dtype))


define(
    "linear_recurrence",
    _own("linear_recurrence", _linear_recurrence),
    _recurrence_message_to_term,
    _recurrence_message_to_factor,
    shape=_recurrence_shape,
    flops=lambda u, x, z, **attributes: 5 * u.size,
    takes={"axis": AXIS, "reverse": FLAG, "lagged": FLAG},
)


def _running(ufunc: np.ufunc) -> Any:
    def forward(z: Array, *, axis: int) -> Array:
        if isinstance(z, np.ndarray):
            return ufunc.accumulate(z, axis=axis)
        u, step = z, 1  # CuPy has no accumulate for these
        while step < z.shape[axis]:
            rest = ufunc(u[_along(axis, step, None)], u[_along(axis, None, -step)])
            u = np.concatenate([u[_along(axis, None, step)], rest], axis=axis)
            step *= 2
        return u

    return forward


def _running_extremum_message(S: Array, u: Array, z: Array, *, axis: int) -> Array:
    # As long as u stays the same, the entries that have reached it so far share S evenly.
    winners = (z == u) * 1.0
    same = (u[_along(axis, 1, None)] == u[_along(axis, None, -1)]) * 1.0
    everything: Template = (("slice", None, None, None),) * axis
    stays = apply("scatter", same, index=(*everything, ("slice", 1, None, None)), shape=z.shape)
    count = _recurrence(winners, stays, axis=axis, reverse=False, lagged=False)
    return winners * _recurrence(S / count, stays, axis=axis, reverse=True, lagged=True)


_message: MessageRule = _running_extremum_message
for _ufunc in (np.maximum, np.minimum):
    define(
        f"{_ufunc.__name__}.accumulate",
        _own(f"{_ufunc.__name__}.accumulate", _running(_ufunc)),
        _message,
        shape=lambda z, *, axis: z,
        takes={"axis": AXIS},
    )
