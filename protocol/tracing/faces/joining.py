"""The traced forms of joining: ``np.concatenate``, ``np.stack``, ``np.block`` and their like."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ...errors import ShapeError, TraceError
from ...rules.primitive import Recorded
from ...source_line import user_line
from .indexing import is_node
from .register import array_of, face, one_axis, only, record


def _joined(arrays: Any, what: str) -> list[Any]:
    if isinstance(arrays, Recorded):
        return list(arrays)  # type: ignore[call-overload, no-any-return]
    parts = [array_of(each) for each in arrays]
    if not parts:
        raise ShapeError(f"{user_line()}: {what} of no arrays")
    return parts


def _cast(parts: list[Any], what: str, dtype: Any, casting: Any) -> list[Any]:
    """Cast the parts to the dtype that is asked for."""
    if dtype is None:
        return parts
    for part in parts:
        if not np.can_cast(part.dtype, dtype, casting or "same_kind"):
            raise TraceError(
                f"{user_line()}: {what} with dtype={dtype!r} cannot hold {part.dtype} by "
                f"{casting or 'same_kind'} casting"
            )
    return [np.astype(part, dtype) for part in parts]


@face(np.concatenate)
def concatenate(
    arrays: Any, /, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: Any = None
) -> Any:
    """Trace ``np.concatenate``."""
    only("np.concatenate", out=out)
    parts = _cast(_joined(arrays, "np.concatenate"), "np.concatenate", dtype, casting)
    if axis is None:
        return record("concatenate", *map(np.ravel, parts), axis=0)
    if parts[0].ndim == 0:
        raise ShapeError(f"{user_line()}: scalars cannot be concatenated; use np.stack")
    return record("concatenate", *parts, axis=one_axis(axis, parts[0].ndim))


@face(np.stack)
def stack(
    arrays: Any, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: Any = None
) -> Any:
    """Trace ``np.stack``."""
    only("np.stack", out=out)
    parts = _cast(_joined(arrays, "np.stack"), "np.stack", dtype, casting)
    return record("stack", *parts, axis=one_axis(axis, parts[0].ndim + 1))


@face(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: Any = None) -> Any:
    """Trace ``np.hstack``."""
    parts = [np.atleast_1d(each) for each in _joined(tup, "np.hstack")]
    return concatenate(parts, 0 if parts[0].ndim == 1 else 1, dtype=dtype, casting=casting)


@face(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: Any = None) -> Any:
    """Trace ``np.vstack``."""
    parts = [np.atleast_2d(each) for each in _joined(tup, "np.vstack")]
    return concatenate(parts, 0, dtype=dtype, casting=casting)


@face(np.dstack)
def dstack(tup: Any) -> Any:
    """Trace ``np.dstack``."""
    return concatenate([np.atleast_3d(each) for each in _joined(tup, "np.dstack")], 2)


@face(np.column_stack)
def column_stack(tup: Any) -> Any:
    """Trace ``np.column_stack``."""
    parts = _joined(tup, "np.column_stack")
    if all(each.ndim == 1 for each in parts):
        return stack(parts, 1)
    columns = [each if each.ndim >= 2 else np.reshape(each, (-1, 1)) for each in parts]
    return concatenate(columns, 1)


@face(np.block)
def block(arrays: Any) -> Any:
    """Trace ``np.block``: the lists within are joined along the last axes."""
    depth = _depth(arrays)
    if depth == 0:
        return arrays
    ndim = max(depth, _most_axes(arrays))
    return _blocks(arrays, depth, ndim)


def _depth(arrays: Any) -> int:
    if not isinstance(arrays, list):
        return 0
    depths = {_depth(each) for each in arrays}
    if len(depths) != 1:
        raise ShapeError(f"{user_line()}: np.block needs lists that are nested equally deep")
    return 1 + depths.pop()


def _most_axes(arrays: Any) -> int:
    if isinstance(arrays, list):
        return max(map(_most_axes, arrays))
    return int(array_of(arrays).ndim)


def _blocks(arrays: Any, depth: int, ndim: int) -> Any:
    if depth == 0:
        a = array_of(arrays)
        return a if a.ndim == ndim else np.reshape(a, (1,) * (ndim - a.ndim) + a.shape)
    parts = [_blocks(each, depth - 1, ndim) for each in arrays]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-depth)


@face(np.append)
def append(arr: Any, values: Any, axis: Any = None) -> Any:
    """Trace ``np.append``."""
    return concatenate([arr, values], axis)


@face(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    """Trace ``np.insert``: join the array and the values, and take them in the new order."""
    arr, values = array_of(arr), array_of(values)
    if axis is None:
        arr, axis = np.ravel(arr), 0
    place = one_axis(axis, arr.ndim)
    n = arr.shape[place]
    where = _plain_places(obj, n, "np.insert")
    if where.dtype.kind == "b":
        where = np.flatnonzero(where)
    if values.ndim > arr.ndim:
        raise ShapeError(
            f"{user_line()}: np.insert of values of shape {values.shape} into {arr.shape}"
        )
    if values.ndim < arr.ndim:
        values = np.reshape(values, (1,) * (arr.ndim - values.ndim) + values.shape)
    if where.ndim == 0:  # NumPy: as many as the first axis of the values has
        values = np.moveaxis(values, 0, place)
    count = values.shape[place] if where.size == 1 else where.size
    shape = (*arr.shape[:place], count, *arr.shape[place + 1 :])
    if any(n not in (1, m) for n, m in zip(values.shape, shape, strict=True)):
        raise ShapeError(
            f"{user_line()}: np.insert of values of shape {values.shape} where {shape} go"
        )
    if values.shape != shape:
        values = np.broadcast_to(values, shape)
    if values.dtype != arr.dtype:
        values = np.astype(values, arr.dtype)  # NumPy writes them into such an array
    try:
        order = np.insert(np.arange(n), where, n + np.arange(count))
    except (IndexError, ValueError) as error:
        raise ShapeError(f"{user_line()}: np.insert: {error}") from None
    joined = np.concatenate([arr, values], axis=place)
    return np.take(joined, order, axis=place)


@face(np.delete)
def delete(arr: Any, obj: Any, axis: Any = None) -> Any:
    """Trace ``np.delete``: take what is left by a mask."""
    if axis is None:
        arr, axis = np.ravel(arr), 0
    place = one_axis(axis, arr.ndim)
    n = arr.shape[place]
    kept = np.zeros(n, bool)
    try:
        kept[np.delete(np.arange(n), _plain_places(obj, n, "np.delete"))] = True
    except (IndexError, ValueError) as error:
        raise ShapeError(f"{user_line()}: np.delete: {error}") from None
    return arr[(slice(None),) * place + (kept,)]


def _plain_places(obj: Any, n: int, what: str) -> Any:
    """Return the places that a slice, integers or a mask say."""
    if isinstance(obj, slice):
        return np.arange(*obj.indices(n), dtype=np.intp)
    if is_node(obj):
        if np.ndim(obj):
            raise TraceError(
                f"{user_line()}: {what} with traced places cannot be traced; give them as a "
                f"plain array"
            )
        obj = operator.index(obj)
    places = np.asarray(obj)
    return places.astype(np.intp) if not places.size else places
