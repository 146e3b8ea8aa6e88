"""Primitives that move numbers and change none: reshape, transpose, broadcast, join, roll, cut."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import ShapeError
from .attributes import AXES, AXIS, INTEGER, NEW_AXIS, ORDER, SHAPE, each, optional
from .primitive import Abstract, Recorded, apply, define, no_flops


def _reshape(z: Array, *, shape: tuple[int, ...]) -> Array:
    # NumPy 2 and CuPy name this parameter differently; the position is common to both.
    return np.reshape(z, shape)


def _reshape_shape(z: Abstract, *, shape: tuple[int, ...]) -> Abstract:
    u = Abstract(shape, z.dtype)
    if u.size != z.size:
        raise ShapeError(f"an array of shape {z.shape} cannot be reshaped to {shape}")
    return u


define(
    "reshape",
    _reshape,
    lambda S, u, z, *, shape: np.reshape(S, z.shape),
    shape=_reshape_shape,
    flops=no_flops,
    takes={"shape": SHAPE},
)


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(axes.index(i) for i in range(len(axes)))


define(
    "transpose",
    np.transpose,
    lambda S, u, z, *, axes: np.transpose(S, _inverse(axes)),
    shape=lambda z, *, axes: Abstract(tuple(z.shape[i] for i in axes), z.dtype),
    flops=no_flops,
    takes={"axes": ORDER},
)


def _broadcast(z: Array, *, shape: tuple[int, ...]) -> Array:
    return np.broadcast_to(z, shape)


def _broadcast_shape(z: Abstract, *, shape: tuple[int, ...]) -> Abstract:
    try:
        fits = np.broadcast_shapes(z.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"an array of shape {z.shape} cannot be broadcast to {shape}")
    return Abstract(shape, z.dtype)


define(
    "broadcast_to",
    _broadcast,
    lambda S, u, z, *, shape: S,  # summed back to z's shape where messages are sent
    shape=_broadcast_shape,
    flops=no_flops,
    takes={"shape": SHAPE},
)


def _joined_dtype(z: tuple[Abstract, ...]) -> Any:
    return np.result_type(*(value.dtype for value in z))


def _concatenate(*z: Array, axis: int) -> Array:
    return np.concatenate(z, axis=axis)


def _concatenate_message(position: int, S: Array, u: Array, *z: Array, axis: int) -> Array:
    start = sum(value.shape[axis] for value in z[:position])
    cut = slice(start, start + z[position].shape[axis])
    return S[(slice(None),) * axis + (cut,)]


def _concatenate_shape(*z: Abstract, axis: int) -> Abstract:
    first = z[0].shape
    for value in z:
        around = value.shape[:axis] + value.shape[axis + 1 :]
        if value.ndim == 0 or around != first[:axis] + first[axis + 1 :]:
            shapes = ", ".join(str(each.shape) for each in z)
            raise ShapeError(f"shapes {shapes} cannot be concatenated along axis {axis}")
    length = sum(value.shape[axis] for value in z)
    return Abstract((*first[:axis], length, *first[axis + 1 :]), _joined_dtype(z))


define(
    "concatenate",
    _concatenate,
    _concatenate_message,
    shape=_concatenate_shape,
    flops=no_flops,
    variadic=True,
    takes={"axis": AXIS},
)


def _stack(*z: Array, axis: int) -> Array:
    return np.stack(z, axis=axis)


def _stack_message(position: int, S: Array, u: Array, *z: Array, axis: int) -> Array:
    return S[(slice(None),) * axis + (position,)]


def _stack_shape(*z: Abstract, axis: int) -> Abstract:
    first = z[0].shape
    if any(value.shape != first for value in z):
        shapes = ", ".join(str(value.shape) for value in z)
        raise ShapeError(f"shapes {shapes} cannot be stacked: they must be equal")
    return Abstract((*first[:axis], len(z), *first[axis:]), _joined_dtype(z))


define(
    "stack",
    _stack,
    _stack_message,
    shape=_stack_shape,
    flops=no_flops,
    variadic=True,
    takes={"axis": NEW_AXIS},
)


def _flip(z: Array, *, axis: tuple[int, ...]) -> Array:
    return np.flip(z, axis=axis)


define(
    "flip",
    _flip,
    lambda S, u, z, *, axis: np.flip(S, axis=axis),
    shape=lambda z, *, axis: Abstract(z.shape, z.dtype),
    flops=no_flops,
    takes={"axis": AXES},
)


def _roll(z: Array, *, shift: tuple[int, ...], axis: tuple[int, ...] | None) -> Array:
    # Without axes the flattened array is rolled; NumPy and CuPy agree only on a plain number then.
    return np.roll(z, sum(shift)) if axis is None else np.roll(z, shift, axis=axis)


def _roll_message(
    S: Array, u: Array, z: Array, *, shift: tuple[int, ...], axis: tuple[int, ...] | None
) -> Array:
    return apply("roll", S, shift=tuple(-each for each in shift), axis=axis)


def _roll_shape(z: Abstract, *, shift: tuple[int, ...], axis: tuple[int, ...] | None) -> Abstract:
    if axis is not None and len(shift) != len(axis):
        raise ShapeError(f"roll by {shift} along the axes {axis}: not as many")
    return Abstract(z.shape, z.dtype)


define(
    "roll",
    _roll,
    _roll_message,
    shape=_roll_shape,
    flops=no_flops,
    takes={"shift": each(INTEGER), "axis": optional(each(AXIS))},
)


def _triangle_shape(z: Abstract, *, k: int) -> Abstract:
    if z.ndim < 2:
        raise ShapeError(f"a triangle of an array of shape {z.shape}, which is no matrix")
    return Abstract(z.shape, z.dtype)


define(
    "tril",
    np.tril,
    lambda S, u, z, *, k: np.tril(S, k=k),
    shape=_triangle_shape,
    flops=no_flops,
    takes={"k": INTEGER},
)
define(
    "triu",
    np.triu,
    lambda S, u, z, *, k: np.triu(S, k=k),
    shape=_triangle_shape,
    flops=no_flops,
    takes={"k": INTEGER},
)


# A window slides over some axes: its entries are new axes at the end. The transpose puts windows
# back where they overlap, and sums.


def _windows(z: Array, *, window: tuple[int, ...], axis: tuple[int, ...]) -> Array:
    if len(axis) < 2 or isinstance(z, np.ndarray | Recorded):
        return np.lib.stride_tricks.sliding_window_view(z, window, axis=axis)
    for width, i in zip(window, axis, strict=True):  # CuPy sorts the axes, not the lengths
        z = np.lib.stride_tricks.sliding_window_view(z, width, axis=i)
    return z


def _windows_shape(z: Abstract, *, window: tuple[int, ...], axis: tuple[int, ...]) -> Abstract:
    lengths = list(z.shape)
    if len(window) != len(axis):
        raise ShapeError(f"a window of shape {window} for the axes {axis}: not as many")
    for width, i in zip(window, axis, strict=True):
        lengths[i] -= width - 1
        if lengths[i] < 1:
            raise ShapeError(f"a window of shape {window} is larger than the array, {z.shape}")
    return Abstract((*lengths, *window), z.dtype)


def _overlap_add(S: Array, *, shape: tuple[int, ...], axis: tuple[int, ...]) -> Array:
    if isinstance(S, Recorded):
        return apply("overlap_add", S, shape=shape, axis=axis)
    out = np.zeros_like(S, shape=shape, order="C")
    for offset in np.ndindex(*S.shape[len(shape) :]):
        start = [0] * len(shape)
        for i, step in zip(axis, offset, strict=True):
            start[i] += step
        where = tuple(slice(a, a + n) for a, n in zip(start, S.shape, strict=False))
        out[where] += S[(..., *offset)]
    return out


def _overlap_add_shape(z: Abstract, *, shape: tuple[int, ...], axis: tuple[int, ...]) -> Abstract:
    u = Abstract(shape, z.dtype)
    if _windows_shape(u, window=z.shape[len(shape) :], axis=axis).shape != z.shape:
        raise ShapeError(f"windows of shape {z.shape} do not fit an array of shape {shape}")
    return u


def _window_axes(value: Any, z: Any) -> bool:
    """Take axes of the array that the windows came from, the first of the input's."""
    return isinstance(value, tuple) and all(
        AXIS(i, z) and i < z[0].ndim - len(value) for i in value
    )


define(
    "sliding_window_view",
    _windows,
    lambda S, u, z, *, window, axis: apply("overlap_add", S, shape=z.shape, axis=axis),
    shape=_windows_shape,
    flops=no_flops,
    takes={"window": SHAPE, "axis": each(AXIS)},
)
define(
    "overlap_add",
    _overlap_add,
    lambda S, u, z, *, shape, axis: apply(
        "sliding_window_view", S, window=z.shape[len(shape) :], axis=axis
    ),
    shape=_overlap_add_shape,
    flops=lambda u, z, *, shape, axis: z.size,
    takes={"shape": SHAPE, "axis": _window_axes},
)
