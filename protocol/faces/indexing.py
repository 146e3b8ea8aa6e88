"""The traced forms of indexing: an index becomes a template and index arrays."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..errors import ShapeError, TraceError
from ..rules.primitive import Recorded
from ..traced import METHODS, user_line
from .register import face, one_axis, only, record


def _list_index(item: list[Any]) -> Any:
    array = np.asarray(item)
    return array.astype(np.intp) if array.size == 0 else array


def _getitem(a: Any, index: Any) -> Any:
    template: list[Any] = []
    arrays: list[Any] = []
    for given in index if isinstance(index, tuple) else (index,):
        item = _list_index(given) if isinstance(given, list) else given
        if item is None:
            template.append(("newaxis",))
        elif item is Ellipsis:
            if ("ellipsis",) in template:
                raise ShapeError(f"{user_line()}: an index can have only one '...'")
            template.append(("ellipsis",))
        elif isinstance(item, slice):
            bounds = (item.start, item.stop, item.step)
            template.append(("slice", *(None if b is None else operator.index(b) for b in bounds)))
        elif isinstance(item, bool | np.bool_):
            template.append(("array", len(arrays)))
            arrays.append(np.asarray(item))
        elif isinstance(item, int | np.integer):
            template.append(int(item))
        elif isinstance(item, np.ndarray | Recorded) and item.dtype.kind in "biu":  # type: ignore[union-attr]
            template.append(("array", len(arrays)))
            arrays.append(item)
        else:
            raise TraceError(
                f"{user_line()}: a node cannot be indexed by {type(given).__name__} {given!r:.40}"
            )
    return record("getitem", a, *arrays, index=tuple(template))


METHODS["__getitem__"] = _getitem


@face(np.take, method="take")
def take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
    """Trace ``np.take``."""
    only("np.take", out=out)
    if mode != "raise":
        raise TraceError(f"{user_line()}: np.take with mode={mode!r} cannot be traced")
    if not isinstance(indices, Recorded):
        indices = np.asarray(indices)
    if axis is None:
        return np.ravel(a)[indices]
    return a[(slice(None),) * one_axis(axis, a.ndim) + (indices,)]
