"""The traced forms of sorting, searching and partitioning."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ...errors import ShapeError, TraceError
from ...source_line import user_line
from .register import MISSING, array_of, face, one_axis, only, record, refused

_KINDS = (None, "quicksort", "mergesort", "heapsort", "stable")


def _prepared(a: Any, axis: Any, what: str, **refused: Any) -> tuple[Any, int]:
    """Return the array and the axis to sort along, None being the flattened array."""
    kind, stable = refused.pop("kind", None), refused.pop("stable", None)
    only(what, **refused)
    if kind not in (*_KINDS, "introselect") or stable not in (None, True, False, MISSING):
        raise TraceError(f"{user_line()}: {what} with kind={kind!r} is not known")
    if axis is None:
        a, axis = np.ravel(a), 0
    elif a.ndim == 0:
        raise ShapeError(f"{user_line()}: {what} of an array without axes; give axis=None")
    return a, one_axis(axis, a.ndim)


@face(np.sort)
def sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    """Trace ``np.sort``: take by the stable order, whatever the kind."""
    a, place = _prepared(a, axis, "np.sort", kind=kind, order=order, stable=stable)
    found = record("argsort", a, axis=place)
    return record("take_along_axis", a, found, axis=place, distinct=True)


@face(np.argsort, method="argsort")
def argsort(
    a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> Any:
    """Trace ``np.argsort``: the stable order, whatever the kind."""
    a, place = _prepared(a, axis, "np.argsort", kind=kind, order=order, stable=stable)
    return record("argsort", a, axis=place)


def _places(kth: Any) -> tuple[int, ...]:
    given = kth.tolist() if isinstance(kth, np.ndarray) else kth
    many = given if isinstance(given, list | tuple) else (given,)
    return tuple(map(operator.index, many))


@face(np.partition)
def partition(
    a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect", order: Any = None
) -> Any:
    """Trace ``np.partition``: take by np.argpartition's order."""
    a, place = _prepared(a, axis, "np.partition", kind=kind, order=order)
    found = record("argpartition", a, kth=_places(kth), axis=place)
    return record("take_along_axis", a, found, axis=place, distinct=True)


@face(np.argpartition, method="argpartition")
def argpartition(
    a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect", order: Any = None
) -> Any:
    """Trace ``np.argpartition``."""
    a, place = _prepared(a, axis, "np.argpartition", kind=kind, order=order)
    return record("argpartition", a, kth=_places(kth), axis=place)


@face(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """Trace ``np.searchsorted``: no gradient passes."""
    if side not in ("left", "right"):
        raise TraceError(f"{user_line()}: np.searchsorted with side={side!r}; it is left or right")
    arrays = map(array_of, (a, v) if sorter is None else (a, v, sorter))
    return record("searchsorted", *arrays, side=side)


@face(method="searchsorted")
def _searchsorted_method(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    return searchsorted(a, v, side, sorter)


@face(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """Trace ``np.digitize``: np.searchsorted, and for bins that fall, from their end."""
    bins = array_of(bins)
    if bins.ndim != 1:
        raise ShapeError(f"{user_line()}: np.digitize with bins of shape {bins.shape}")
    # Which way traced bins go is a branch on their values, and is guarded.
    rising = bins.shape[0] < 2 or bool(np.all(bins[1:] >= bins[:-1]))
    if not rising and not bool(np.all(bins[1:] <= bins[:-1])):
        raise ShapeError(f"{user_line()}: np.digitize needs bins that only rise or only fall")
    side = "left" if bool(right) == rising else "right"
    if rising:
        return searchsorted(bins, x, side)
    return bins.shape[0] - searchsorted(bins[::-1], x, side)


@face(np.lexsort)
def lexsort(keys: Any, axis: Any = -1) -> Any:
    """Trace ``np.lexsort``: one stable sort for each key, the last key last."""
    parts = [array_of(key) for key in keys]
    if not parts:
        raise ShapeError(f"{user_line()}: np.lexsort of no keys")
    if parts[0].ndim == 0:
        raise ShapeError(f"{user_line()}: np.lexsort of keys without axes")
    place = one_axis(axis, parts[0].ndim)
    order = np.argsort(parts[0], axis=place, kind="stable")
    for key in parts[1:]:
        finer = np.argsort(np.take_along_axis(key, order, place), axis=place, kind="stable")
        order = np.take_along_axis(order, finer, place)
    return order


@face(np.sort_complex)
def sort_complex(a: Any) -> Any:
    """Trace ``np.sort_complex``: the last axis, as complex numbers."""
    a = sort(a)
    if a.dtype.kind == "c":
        return a
    narrow = a.dtype.char in "bhBHf"
    return np.astype(a, np.dtype("c8" if narrow else "c16"))


face(method="sort")(refused("x.sort()", "it sorts in place; use np.sort(x)"))
face(method="partition")(refused("x.partition()", "it works in place; use np.partition(x, kth)"))
for _name in ("unique", "unique_all", "unique_counts", "unique_inverse", "unique_values"):
    face(getattr(np, _name))(
        refused(
            f"np.{_name}",
            "how many values differ depends on the values; find the indices outside the "
            "traced function, np.unique(values, return_index=True), and take them: x[indices]",
        )
    )
