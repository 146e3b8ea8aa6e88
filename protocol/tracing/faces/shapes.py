"""The traced forms of functions that give an array another shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from ...errors import ShapeError, TraceError
from ...source_line import user_line
from .register import all_axes, array_of, face, lengths_of, one_axis, record


@face(np.reshape)
def reshape(
    a: Any, /, shape: Any = None, order: Any = "C", *, newshape: Any = None, copy: Any = None
) -> Any:
    """Trace ``np.reshape``; in Fortran's order, of the transpose."""
    lengths = lengths_of(newshape if shape is None else shape, a.size)
    if order == "F" and (a.ndim > 1 or len(lengths) > 1):
        return np.transpose(record("reshape", np.transpose(a), shape=lengths[::-1]))
    if order not in ("C", "F"):
        raise TraceError(
            f"{user_line()}: np.reshape with order={order!r} depends on how memory is laid out, "
            f"which a network does not say; use 'C' or 'F'"
        )
    return record("reshape", a, shape=lengths)


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


def _at_least(shape: Callable[[Any], tuple[int, ...]]) -> Callable[..., Any]:
    def widen(*arrays: Any) -> Any:
        made = []
        for a in map(array_of, arrays):
            wanted = shape(a)
            made.append(a if a.shape == wanted else np.reshape(a, wanted))
        return made[0] if len(made) == 1 else tuple(made)

    return widen


def _three(a: Any) -> tuple[int, ...]:
    if a.ndim >= 3:
        shape: tuple[int, ...] = a.shape
        return shape
    return (*((1,) * (2 - a.ndim) + a.shape), 1) if a.ndim != 1 else (1, a.size, 1)


face(np.atleast_1d)(_at_least(lambda a: a.shape or (1,)))
face(np.atleast_2d)(_at_least(lambda a: (1,) * (2 - a.ndim) + a.shape))
face(np.atleast_3d)(_at_least(_three))


@face(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    """Trace ``np.broadcast_arrays``."""
    parts = [array_of(a) for a in args]
    try:
        shape = np.broadcast_shapes(*(a.shape for a in parts))
    except ValueError:
        shapes = ", ".join(str(a.shape) for a in parts)
        raise ShapeError(f"{user_line()}: shapes {shapes} do not broadcast together") from None
    return tuple(a if a.shape == shape else np.broadcast_to(a, shape) for a in parts)


@face(np.meshgrid)
def meshgrid(
    *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> tuple[Any, ...]:
    """Trace ``np.meshgrid``."""
    if indexing not in ("xy", "ij"):
        raise TraceError(f"{user_line()}: np.meshgrid with indexing={indexing!r}; it is xy or ij")
    places = list(range(len(xi)))
    if indexing == "xy" and len(xi) > 1:
        places[:2] = 1, 0
    made = [
        np.reshape(a, (1,) * place + (-1,) + (1,) * (len(xi) - 1 - place))
        for a, place in zip(map(array_of, xi), places, strict=True)
    ]
    return tuple(made) if sparse else broadcast_arrays(*made)


@face(np.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """Trace ``np.matrix_transpose``."""
    if x.ndim < 2:
        raise ShapeError(f"{user_line()}: np.matrix_transpose of an array of shape {x.shape}")
    return swapaxes(x, -1, -2)


@face(np.rollaxis)
def rollaxis(a: Any, axis: Any, start: Any = 0) -> Any:
    """Trace ``np.rollaxis``."""
    moved, place = one_axis(axis, a.ndim), one_axis(start, a.ndim + 1)
    if start < 0:
        place = one_axis(start, a.ndim)
    order = [i for i in range(a.ndim) if i != moved]
    order.insert(place - (moved < place), moved)
    return record("transpose", a, axes=tuple(order))


@face(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    """Trace ``np.resize``: the array again and again, as far as it is needed."""
    shape = lengths_of(new_shape)
    size = 1
    for length in shape:
        size *= length
    if not a.size or not size:
        return np.zeros(shape, a.dtype)
    flat = np.ravel(a)
    if size > a.size:
        flat = np.tile(flat, -(-size // a.size))
    return np.reshape(flat if flat.size == size else flat[:size], shape)


@face(method="resize")
def _resize_method(*args: Any, **options: Any) -> NoReturn:
    raise TraceError(f"{user_line()}: x.resize() works in place; use np.resize(x, shape)")
