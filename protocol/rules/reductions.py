"""Primitives that reduce axes. ``axis`` is None or a tuple of axes counted from 0."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..arrays import Array, real_of
from ..errors import ShapeError
from .attributes import AXES, AXIS, FLAG, NUMBER, Kind, optional
from .primitive import Abstract, MessageRule, Primitive, apply, define

Axes = tuple[int, ...] | None


def reduced_shape(z: Abstract, axis: Axes, keepdims: bool) -> tuple[int, ...]:
    """Return the shape that is left when ``axis`` is reduced."""
    gone = range(z.ndim) if axis is None else axis
    if keepdims:
        return tuple(1 if i in gone else length for i, length in enumerate(z.shape))
    return tuple(length for i, length in enumerate(z.shape) if i not in gone)


def reduced_size(z: Array, axis: Axes) -> int:
    """Return how many entries of ``z`` go into one entry of the result."""
    size = 1
    for i in range(z.ndim) if axis is None else axis:
        size *= z.shape[i]
    return size


def spread(value: Array, z: Array, axis: Axes, keepdims: bool) -> Array:
    """Give a reduced value its reduced axes back, with length 1, ready to broadcast against z."""
    if keepdims or value.ndim == 0:  # one number broadcasts as it is
        return value
    gone = range(z.ndim) if axis is None else axis
    return np.reshape(value, tuple(1 if i in gone else n for i, n in enumerate(z.shape)))


def _sum_message(S: Array, u: Array, z: Array, *, axis: Axes, keepdims: bool) -> Array:
    return spread(S, z, axis, keepdims)  # broadcast to z's shape where messages are sent


def _mean_message(S: Array, u: Array, z: Array, *, axis: Axes, keepdims: bool) -> Array:
    return spread(S, z, axis, keepdims) / reduced_size(z, axis)


def _extremum_message(S: Array, u: Array, z: Array, *, axis: Axes, keepdims: bool) -> Array:
    # Entries that tie for the extremum share the message evenly.
    winners = z == spread(u, z, axis, keepdims)
    if z.ndim == 0:
        return S * winners
    count = np.sum(winners, axis=axis, dtype=real_of(S.dtype), keepdims=True)
    return spread(S, z, axis, keepdims) / count * winners


def _others(z: Array, axis: int) -> Array:
    """Return for each entry the product of the others: of those before and of those after it."""
    before = apply("cumprod", z, axis=axis, reverse=False, exclusive=True)
    after = apply("cumprod", z, axis=axis, reverse=True, exclusive=True)
    return before * after


def _prod_message(S: Array, u: Array, z: Array, *, axis: Axes, keepdims: bool) -> Array:
    # The product of the others, never u / z: that is wrong as soon as one entry is zero.
    axes = tuple(range(z.ndim)) if axis is None else axis
    S = spread(S, z, axis, keepdims)
    if not axes:
        return S
    if len(axes) == 1:
        return S * _others(z, axes[0])
    # Several axes become one, behind those that are kept.
    kept = tuple(i for i in range(z.ndim) if i not in axes)
    order = kept + axes
    rows = z if order == tuple(range(z.ndim)) else np.transpose(z, order)
    moved = rows.shape
    rows = np.reshape(rows, (*(z.shape[i] for i in kept), reduced_size(z, axes)))
    others = np.reshape(_others(rows, len(kept)), moved)
    if order != tuple(range(z.ndim)):
        others = np.transpose(others, tuple(order.index(i) for i in range(z.ndim)))
    return S * others


def _centred(z: Array, axis: Axes) -> Array:
    centred = z - np.mean(z, axis=axis, keepdims=True)
    return np.conjugate(centred) if z.dtype.kind == "c" else centred


def _degrees(z: Array, axis: Axes, ddof: float) -> float:
    """Return what the sum of squares is divided by; NaN where NumPy divides by zero."""
    return max(reduced_size(z, axis) - ddof, 0) or math.nan


def _var_message(S: Array, u: Array, z: Array, *, axis: Axes, keepdims: bool, ddof: float) -> Array:
    scale = spread(S, z, axis, keepdims) * (2.0 / _degrees(z, axis, ddof))
    return scale * _centred(z, axis)


def _std_message(S: Array, u: Array, z: Array, *, axis: Axes, keepdims: bool, ddof: float) -> Array:
    centred = _centred(z, axis)
    # All entries equal: z - mean is 0 then, and 0 is the derivative to choose, not 0 / 0.
    scale = S / (np.where(u == 0, 1.0, u) * _degrees(z, axis, ddof))
    return spread(scale, z, axis, keepdims) * centred


def float_dtype(dtype: Any) -> Any:
    """Return the dtype of a mean of values of this dtype."""
    return dtype if dtype.kind in "fc" else np.dtype("f8")


def sum_dtype(dtype: Any) -> Any:
    """Return the dtype of a sum of values of this dtype."""
    if dtype.kind == "b":
        return np.dtype(np.int_)
    if dtype.kind in "iu" and dtype.itemsize < 8:
        return np.dtype(np.int_ if dtype.kind == "i" else np.uint)
    return dtype


def reduction(
    function: Callable[..., Array],
    message: MessageRule | None,
    dtype: Callable[[Any], Any],
    needs_entries: bool = False,
    **takes: Kind,
) -> Primitive:
    """Define a reduction; ``dtype`` maps the input's dtype to the output's."""

    def shape(z: Abstract, *, axis: Axes, keepdims: bool, **attributes: Any) -> Abstract:
        if needs_entries and reduced_size(z, axis) == 0:
            raise ShapeError(f"{function.__name__} of an axis of length 0 has no value")
        return Abstract(reduced_shape(z, axis, keepdims), dtype(z.dtype))

    def flops(u: Abstract, z: Abstract, **attributes: Any) -> int:
        return z.size

    kinds = {"axis": optional(AXES), "keepdims": FLAG, **takes}
    return define(function.__name__, function, message, shape=shape, flops=flops, takes=kinds)


reduction(np.sum, _sum_message, sum_dtype)
reduction(np.mean, _mean_message, float_dtype)
reduction(np.prod, _prod_message, sum_dtype)
reduction(np.max, _extremum_message, lambda dtype: dtype, needs_entries=True)
reduction(np.min, _extremum_message, lambda dtype: dtype, needs_entries=True)
reduction(np.var, _var_message, lambda dtype: real_of(float_dtype(dtype)), ddof=NUMBER)
reduction(np.std, _std_message, lambda dtype: real_of(float_dtype(dtype)), ddof=NUMBER)
reduction(np.any, None, lambda dtype: np.dtype(bool))
reduction(np.all, None, lambda dtype: np.dtype(bool))


def _arg_shape(z: Abstract, *, axis: int | None, keepdims: bool) -> Abstract:
    axes = None if axis is None else (axis,)
    return Abstract(reduced_shape(z, axes, keepdims), np.dtype(np.intp))


for _function in (np.argmax, np.argmin):
    define(
        _function.__name__,
        _function,
        None,
        shape=_arg_shape,
        flops=lambda u, z, **attributes: z.size,
        takes={"axis": optional(AXIS), "keepdims": FLAG},
    )
