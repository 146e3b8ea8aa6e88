"""The traced forms of functions that give an array another shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError, TraceError
from ..traced import user_line
from .register import all_axes, face, lengths_of, one_axis, record


@face(np.reshape)
def reshape(
    a: Any, /, shape: Any = None, order: Any = "C", *, newshape: Any = None, copy: Any = None
) -> Any:
    """Trace ``np.reshape`` in C order."""
    if order != "C":
        raise TraceError(
            f"{user_line()}: np.reshape with order={order!r} cannot be traced; use 'C'"
        )
    return record("reshape", a, shape=lengths_of(newshape if shape is None else shape, a.size))


@face(method="reshape")
def _reshape_method(a: Any, *shape: Any, order: Any = "C", copy: Any = None) -> Any:
    lengths = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
    return reshape(a, lengths, order)


@face(np.ravel, method=("ravel", "flatten"))
def ravel(a: Any, order: Any = "C") -> Any:
    """Trace ``np.ravel``."""
    return reshape(a, (-1,) if a.size else (0,), order)


@face(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    """Trace ``np.expand_dims``."""
    count = a.ndim + (len(axis) if isinstance(axis, tuple | list) else 1)
    new = all_axes(axis, count) or ()
    old = iter(a.shape)
    return record("reshape", a, shape=tuple(1 if i in new else next(old) for i in range(count)))


@face(np.squeeze, method="squeeze")
def squeeze(a: Any, axis: Any = None) -> Any:
    """Trace ``np.squeeze``."""
    axes = all_axes(axis, a.ndim)
    if axes is None:
        axes = tuple(i for i, length in enumerate(a.shape) if length == 1)
    if any(a.shape[i] != 1 for i in axes):
        raise ShapeError(
            f"{user_line()}: squeeze of axis {axis} of shape {a.shape}: not of length 1"
        )
    return record("reshape", a, shape=tuple(n for i, n in enumerate(a.shape) if i not in axes))


@face(np.transpose)
def transpose(a: Any, axes: Any = None) -> Any:
    """Trace ``np.transpose``."""
    order = tuple(range(a.ndim))[::-1] if axes is None else all_axes(tuple(axes), a.ndim) or ()
    if len(order) != a.ndim:
        raise ShapeError(f"{user_line()}: transpose of shape {a.shape} with axes {axes}")
    return record("transpose", a, axes=order)


@face(method="transpose")
def _transpose_method(a: Any, *axes: Any) -> Any:
    if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], tuple | list)):
        return transpose(a, axes[0])
    return transpose(a, axes or None)


@face(np.swapaxes, method="swapaxes")
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """Trace ``np.swapaxes``."""
    order = list(range(a.ndim))
    i, j = one_axis(axis1, a.ndim), one_axis(axis2, a.ndim)
    order[i], order[j] = order[j], order[i]
    return record("transpose", a, axes=tuple(order))


@face(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """Trace ``np.moveaxis``."""
    moved, places = all_axes(source, a.ndim) or (), all_axes(destination, a.ndim) or ()
    if len(moved) != len(places):
        raise ShapeError(
            f"{user_line()}: moveaxis from {source} to {destination}: not as many axes"
        )
    order = [i for i in range(a.ndim) if i not in moved]
    for place, i in sorted(zip(places, moved, strict=True)):
        order.insert(place, i)
    return record("transpose", a, axes=tuple(order))


@face(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """Trace ``np.broadcast_to``."""
    return record("broadcast_to", array, shape=lengths_of(shape))


@face(np.atleast_1d)
def atleast_1d(a: Any) -> Any:
    """Trace ``np.atleast_1d`` of one array."""
    return a if a.ndim else reshape(a, (1,))


@face(np.atleast_2d)
def atleast_2d(a: Any) -> Any:
    """Trace ``np.atleast_2d`` of one array."""
    return a if a.ndim >= 2 else reshape(a, (1, a.size))
