"""Primitives that move numbers and change none: reshape, transpose, broadcast, join."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import ShapeError
from .attributes import AXIS, NEW_AXIS, ORDER, SHAPE
from .primitive import Abstract, define, no_flops


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
