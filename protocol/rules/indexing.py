"""Indexing, and its transpose.

An index is a template of plain data with the index arrays taken out: they are inputs of the node
(without gradient), so that they live where the node lives. In the template, ``("slice", start,
stop, step)`` is a slice, ``("array", j)`` the j-th index array, ``("newaxis",)`` and
``("ellipsis",)`` themselves, and an integer stands for itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array, namespace
from ..errors import ShapeError
from .attributes import INDEX, SHAPE
from .primitive import Abstract, Recorded, apply, define, no_flops

Template = tuple[Any, ...]


def fill(template: Template, arrays: tuple[Array, ...]) -> tuple[Any, ...]:
    """Turn a template and its index arrays into the index that NumPy takes."""
    filled: list[Any] = []
    for item in template:
        if not isinstance(item, tuple):
            filled.append(item)
        elif item[0] == "slice":
            filled.append(slice(*item[1:]))
        elif item[0] == "array":
            filled.append(arrays[item[1]])
        else:
            filled.append(None if item[0] == "newaxis" else Ellipsis)
    return tuple(filled)


def _getitem(z: Array, *arrays: Array, index: Template) -> Array:
    return z[fill(index, arrays)]


def _scatter(S: Array, *arrays: Array, index: Template, shape: tuple[int, ...]) -> Array:
    """Return zeros of ``shape`` with S added where ``index`` points: the transpose of getitem."""
    if any(isinstance(value, Recorded) for value in (S, *arrays)):
        return apply("scatter", S, *arrays, index=index, shape=shape)
    out = np.zeros_like(S, shape=shape)
    where = fill(index, arrays)
    if any(array.dtype.kind != "b" for array in arrays):
        namespace(S).add.at(out, where, S)  # an entry may be named twice
    else:
        out[where] = S
    return out


def _expanded(index: Template, z: Abstract, arrays: tuple[Abstract, ...]) -> list[Any]:
    """Write the ellipsis out, so that every axis of z has its item."""
    used = 0
    for item in index:
        if not isinstance(item, tuple) or item[0] == "slice":
            used += 1
        elif item[0] == "array":
            array = arrays[item[1]]
            used += array.ndim if array.dtype.kind == "b" else 1
    if used > z.ndim:
        raise ShapeError(f"{used} indices for an array with {z.ndim} axes, of shape {z.shape}")
    everything: list[Any] = [("slice", None, None, None)] * (z.ndim - used)
    if ("ellipsis",) in index:
        at = index.index(("ellipsis",))
        return [*index[:at], *everything, *index[at + 1 :]]
    return [*index, *everything]


def _getitem_shape(z: Abstract, *arrays: Abstract, index: Template) -> Abstract:
    if any(array.dtype.kind == "b" for array in arrays):
        raise ShapeError(
            "the shape of x[mask] depends on the mask's values, which an abstract trace does not "
            "have; use np.where(mask, x, 0)"
        )
    axis = 0
    shape: list[int] = []
    advanced: list[tuple[int, ...]] = []
    place = 0  # where the broadcast index axes go
    split = False  # whether a slice stands between index arrays: then they go first
    closed = False
    for item in _expanded(index, z, arrays):
        if item == ("newaxis",):
            shape.append(1)
            closed = bool(advanced)
        elif isinstance(item, tuple) and item[0] == "slice":
            shape.append(len(range(*slice(*item[1:]).indices(z.shape[axis]))))
            axis += 1
            closed = bool(advanced)
        elif isinstance(item, tuple):
            split = split or closed
            place = place if advanced else len(shape)
            advanced.append(arrays[item[1]].shape)
            axis += 1
        else:
            if not -z.shape[axis] <= item < z.shape[axis]:
                raise ShapeError(
                    f"index {item} is out of bounds for axis {axis} of shape {z.shape}"
                )
            if any(isinstance(other, tuple) and other[0] == "array" for other in index):
                split = split or closed  # beside index arrays an integer counts as one
                place = place if advanced else len(shape)
                advanced.append(())
            axis += 1
    if advanced:
        try:
            joint = np.broadcast_shapes(*advanced)
        except ValueError:
            raise ShapeError(f"index arrays of shapes {advanced} do not broadcast") from None
        place = 0 if split else place
        shape[place:place] = joint
    return Abstract(tuple(shape), z.dtype)


def _getitem_message(S: Array, u: Array, z: Array, *arrays: Array, index: Template) -> Array:
    return apply("scatter", S, *arrays, index=index, shape=z.shape)


def _scatter_message(
    S: Array, u: Array, z: Array, *arrays: Array, index: Template, shape: tuple[int, ...]
) -> Array:
    return apply("getitem", S, *arrays, index=index)


define(
    "getitem",
    _getitem,
    _getitem_message,
    shape=_getitem_shape,
    flops=no_flops,
    takes={"index": INDEX},
)
define(
    "scatter",
    _scatter,
    _scatter_message,
    shape=lambda z, *arrays, index, shape: Abstract(shape, z.dtype),
    takes={"index": INDEX, "shape": SHAPE},
)
