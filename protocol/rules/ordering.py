"""Primitives that find an order. No gradient passes: an order is flat wherever it is smooth.

Sorting itself is ``take_along_axis`` by such an order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import ShapeError
from .attributes import AXIS, INTEGER, each, one_of
from .primitive import Abstract, define

_INDEX = np.dtype(np.intp)


def _argsort(z: Array, *, axis: int) -> Array:
    return np.argsort(z, axis=axis, kind="stable")


def _sort_flops(u: Abstract, z: Abstract, **attributes: Any) -> int:
    return z.size * max(1, z.size.bit_length())


define(
    "argsort",
    _argsort,
    None,
    shape=lambda z, *, axis: Abstract(z.shape, _INDEX),
    flops=_sort_flops,
    takes={"axis": AXIS},
)


def _argpartition(z: Array, *, kth: tuple[int, ...], axis: int) -> Array:
    return np.argpartition(z, kth, axis=axis)


def _argpartition_shape(z: Abstract, *, kth: tuple[int, ...], axis: int) -> Abstract:
    length = z.shape[axis]
    if not all(-length <= k < length for k in kth):
        raise ShapeError(f"kth={kth} is out of bounds for an axis of length {length}")
    return Abstract(z.shape, _INDEX)


define(
    "argpartition",
    _argpartition,
    None,
    shape=_argpartition_shape,
    flops=lambda u, z, **attributes: z.size,
    takes={"kth": each(INTEGER), "axis": AXIS},
)


def _searchsorted(a: Array, v: Array, *sorter: Array, side: Any) -> Array:
    return np.searchsorted(a, v, side=side, sorter=sorter[0] if sorter else None)


def _searchsorted_shape(a: Abstract, v: Abstract, *sorter: Abstract, side: str) -> Abstract:
    if a.ndim != 1:
        raise ShapeError(f"np.searchsorted in an array of shape {a.shape}: it must have one axis")
    if sorter and sorter[0].shape != a.shape:
        raise ShapeError(f"a sorter of shape {sorter[0].shape} for an array of shape {a.shape}")
    return Abstract(v.shape, _INDEX)


define(
    "searchsorted",
    _searchsorted,
    shape=_searchsorted_shape,
    flops=lambda u, a, v, *sorter, side: v.size * max(1, a.size.bit_length()),
    takes={"side": one_of("left", "right")},
)
