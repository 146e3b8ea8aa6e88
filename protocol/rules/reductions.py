"""Primitives that reduce axes. ``axis`` is None or a tuple of axes counted from 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arrays import Array, real_of
from ..errors import ShapeError
from .attributes import AXES, AXIS, FLAG, NUMBER, Kind, optional
from .primitive import Abstract, MessageRule, Primitive, define

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
    if keepdims or z.ndim == 0:
        return value
    gone = range(z.ndim) if axis is None else axis
    return np.reshape(value, tuple(1 if i in gone else n for i, n in enumerate(z.shape)))


def _sum_message(S: Array, u: Array, z: Array, *, axis: Axes, keepdims: bool) -> Array:
    return np.broadcast_to(spread(S, z, axis, keepdims), z.shape)


def _mean_message(S: Array, u: Array, z: Array, *, axis: Axes, keepdims: bool) -> Array:
    share = spread(S, z, axis, keepdims) / reduced_size(z, axis)
    return np.broadcast_to(share, z.shape)


def _extremum_message(S: Array, u: Array, z: Array, *, axis: Axes, keepdims: bool) -> Array:
    # Entries that tie for the extremum share the message evenly.
    winners = (z == spread(u, z, axis, keepdims)) * 1.0
    count = np.sum(winners, axis=axis, keepdims=True) if z.ndim else winners
    return spread(S, z, axis, keepdims) / count * winners


def _prod_message(S: Array, u: Array, z: Array, *, axis: Axes, keepdims: bool) -> Array:
    # The product of the others, never u / z: that is wrong as soon as one entry is zero.
    axes = tuple(range(z.ndim)) if axis is None else axis
    kept = tuple(i for i in range(z.ndim) if i not in axes)
    order = kept + axes
    length = reduced_size(z, axes)
    kept_shape = tuple(z.shape[i] for i in kept)
    rows = np.reshape(np.transpose(z, order), (*kept_shape, length))
    others = [
        np.prod(np.concatenate([rows[..., :i], rows[..., i + 1 :]], axis=-1), axis=-1)
        for i in range(length)
    ]
    if not others:
        return z * 1.0
    moved = np.reshape(np.stack(others, axis=-1), tuple(z.shape[i] for i in order))
    inverse = tuple(order.index(i) for i in range(z.ndim))
    return spread(S, z, axis, keepdims) * np.transpose(moved, inverse)


def _centred(z: Array, axis: Axes) -> Array:
    centred = z - np.mean(z, axis=axis, keepdims=True)
    return np.conjugate(centred) if z.dtype.kind == "c" else centred


def _var_message(S: Array, u: Array, z: Array, *, axis: Axes, keepdims: bool, ddof: float) -> Array:
    centred = _centred(z, axis)
    return spread(S, z, axis, keepdims) * (centred * (2.0 / (reduced_size(z, axis) - ddof)))


def _std_message(S: Array, u: Array, z: Array, *, axis: Axes, keepdims: bool, ddof: float) -> Array:
    centred = _centred(z, axis)
    # All entries equal: z - mean is 0 then, and 0 is the derivative to choose, not 0 / 0.
    scale = S / (np.where(u == 0, 1.0, u) * (reduced_size(z, axis) - ddof))
    return spread(scale, z, axis, keepdims) * centred


def _float_of(dtype: Any) -> Any:
    return dtype if dtype.kind in "fc" else np.dtype("f8")


def _sum_of(dtype: Any) -> Any:
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


reduction(np.sum, _sum_message, _sum_of)
reduction(np.mean, _mean_message, _float_of)
reduction(np.prod, _prod_message, _sum_of)
reduction(np.max, _extremum_message, lambda dtype: dtype, needs_entries=True)
reduction(np.min, _extremum_message, lambda dtype: dtype, needs_entries=True)
reduction(np.var, _var_message, lambda dtype: real_of(_float_of(dtype)), ddof=NUMBER)
reduction(np.std, _std_message, lambda dtype: real_of(_float_of(dtype)), ddof=NUMBER)
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
