"""How NumPy's functions and array methods map to primitives.

Some are a primitive with its arguments put in order; others are written with primitives. Options
that a network cannot hold (``out=``, ``where=``) are refused by name, never ignored.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .errors import ShapeError, TraceError
from .rules import TABLE
from .rules.primitive import Recorded
from .traced import FUNCTIONS, METHODS, Traced, user_line

_MISSING: Any = np._NoValue


def face(*functions: Any, method: str | Sequence[str] = ()) -> Callable[[Any], Any]:
    """Register the traced form of NumPy functions, and of array methods by name."""

    def register(traced_form: Any) -> Any:
        for function in functions:
            FUNCTIONS[function] = traced_form
        for name in (method,) if isinstance(method, str) else method:
            METHODS[name] = traced_form
        return traced_form

    return register


def _apply(name: str, *inputs: Any, **attributes: Any) -> Any:
    for value in inputs:
        if isinstance(value, Recorded):
            return value.record(TABLE[name], inputs, attributes)
    raise TraceError(f"{user_line()}: np.{name} was given no traced node where it needs one")


def _only(what: str, **options: Any) -> None:
    """Refuse the options that were given a value."""
    for name, value in options.items():
        if value is not None and value is not _MISSING:
            raise TraceError(f"{user_line()}: {what} with {name}= cannot be traced")


def _axis(axis: Any, ndim: int) -> int:
    place = operator.index(axis)
    if not -ndim <= place < ndim:
        raise ShapeError(f"{user_line()}: axis {axis} is out of bounds for {ndim} axes")
    return place % ndim


def _axes(axis: Any, ndim: int) -> tuple[int, ...] | None:
    if axis is None:
        return None
    axes = tuple(
        _axis(each, ndim) for each in (axis if isinstance(axis, tuple | list) else (axis,))
    )
    if len(set(axes)) < len(axes):
        raise ShapeError(f"{user_line()}: axis {axis} names an axis twice")
    return axes


def _shape(shape: Any, size: int | None = None) -> tuple[int, ...]:
    lengths = (
        tuple(map(operator.index, shape))
        if isinstance(shape, tuple | list)
        else (operator.index(shape),)
    )
    if -1 in lengths and size is not None:
        known = 1
        for length in lengths:
            known *= 1 if length == -1 else length
        if lengths.count(-1) > 1 or known == 0 or size % known:
            raise ShapeError(f"{user_line()}: {size} entries cannot be reshaped to {lengths}")
        lengths = tuple(size // known if length == -1 else length for length in lengths)
    if any(length < 0 for length in lengths):
        raise ShapeError(f"{user_line()}: shape {lengths} has a negative length")
    return lengths


# Reductions.


def _reduction(name: str) -> Callable[..., Any]:
    def reduce(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        keepdims: Any = False,
        initial: Any = None,
        where: Any = None,
    ) -> Any:
        _only(f"np.{name}", out=out, initial=initial, where=where)
        if dtype is not None:
            a = astype(a, dtype)
        keep = keepdims is not _MISSING and bool(keepdims)
        return _apply(name, a, axis=_axes(axis, a.ndim), keepdims=keep)

    return reduce


def _extremum(name: str) -> Callable[..., Any]:
    general = _reduction(name)

    def reduce(
        a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, **options: Any
    ) -> Any:
        return general(a, axis, None, out, keepdims, **options)

    return reduce


def _ufunc_reduce(name: str) -> Callable[..., Any]:
    general = _reduction(name)

    def reduce(a: Any, axis: Any = 0, **options: Any) -> Any:
        return general(a, axis, **options)

    return reduce


face(np.sum, method="sum")(_reduction("sum"))
face(np.mean, method="mean")(_reduction("mean"))
face(np.prod, method="prod")(_reduction("prod"))
face(np.max, np.amax, method="max")(_extremum("max"))
face(np.min, np.amin, method="min")(_extremum("min"))
face(np.any, method="any")(_extremum("any"))
face(np.all, method="all")(_extremum("all"))
face(method="add.reduce")(_ufunc_reduce("sum"))
face(method="multiply.reduce")(_ufunc_reduce("prod"))
face(method="maximum.reduce")(_ufunc_reduce("max"))
face(method="minimum.reduce")(_ufunc_reduce("min"))
face(method="logical_or.reduce")(_ufunc_reduce("any"))
face(method="logical_and.reduce")(_ufunc_reduce("all"))


def _spread(name: str) -> Callable[..., Any]:
    def reduce(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: float = 0,
        keepdims: Any = False,
        *,
        where: Any = None,
        mean: Any = None,
        correction: Any = None,
    ) -> Any:
        _only(f"np.{name}", dtype=dtype, out=out, where=where, mean=mean)
        if correction is not None and correction is not _MISSING:
            ddof = correction
        keep = keepdims is not _MISSING and bool(keepdims)
        return _apply(name, a, axis=_axes(axis, a.ndim), keepdims=keep, ddof=float(ddof))

    return reduce


face(np.var, method="var")(_spread("var"))
face(np.std, method="std")(_spread("std"))


def _arg(name: str) -> Callable[..., Any]:
    def reduce(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
        _only(f"np.{name}", out=out)
        place = None if axis is None else _axis(axis, a.ndim)
        keep = keepdims is not _MISSING and bool(keepdims)
        return _apply(name, a, axis=place, keepdims=keep)

    return reduce


face(np.argmax, method="argmax")(_arg("argmax"))
face(np.argmin, method="argmin")(_arg("argmin"))


# Products.


@face(np.dot, method="dot")
def dot(a: Any, b: Any, out: Any = None) -> Any:
    """Trace ``np.dot``: a product for scalars, matmul for vectors and matrices."""
    _only("np.dot", out=out)
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return a * b
    if np.ndim(b) <= 2:
        return a @ b
    return np.tensordot(a, b, axes=((np.ndim(a) - 1,), (np.ndim(b) - 2,)))


@face(np.vdot)
def vdot(a: Any, b: Any) -> Any:
    """Trace ``np.vdot`` of real arrays."""
    return np.ravel(a) @ np.ravel(b)


@face(np.inner)
def inner(a: Any, b: Any) -> Any:
    """Trace ``np.inner``."""
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return a * b
    return np.tensordot(a, b, axes=((np.ndim(a) - 1,), (np.ndim(b) - 1,)))


@face(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    """Trace ``np.outer``."""
    _only("np.outer", out=out)
    return np.reshape(np.ravel(a), (-1, 1)) * np.reshape(np.ravel(b), (1, -1))


@face(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Trace ``np.tensordot``: transpose, reshape and one matrix product."""
    a_ndim, b_ndim = np.ndim(a), np.ndim(b)
    if isinstance(axes, int):
        left, right = tuple(range(a_ndim - axes, a_ndim)), tuple(range(axes))
    else:
        left, right = ((each,) if isinstance(each, int) else tuple(each) for each in axes)
    left = tuple(_axis(i, a_ndim) for i in left)
    right = tuple(_axis(i, b_ndim) for i in right)
    a_shape, b_shape = np.shape(a), np.shape(b)
    if [a_shape[i] for i in left] != [b_shape[i] for i in right]:
        raise ShapeError(
            f"{user_line()}: tensordot of shapes {a_shape} and {b_shape} over axes {axes}: "
            f"the lengths differ"
        )
    a_kept = tuple(i for i in range(a_ndim) if i not in left)
    b_kept = tuple(i for i in range(b_ndim) if i not in right)
    joined = 1
    for i in left:
        joined *= a_shape[i]
    kept = tuple(a_shape[i] for i in a_kept) + tuple(b_shape[i] for i in b_kept)
    rows = 1
    for i in a_kept:
        rows *= a_shape[i]
    columns = 1
    for i in b_kept:
        columns *= b_shape[i]
    matrix = np.reshape(np.transpose(a, a_kept + left), (rows, joined))
    other = np.reshape(np.transpose(b, right + b_kept), (joined, columns))
    return np.reshape(matrix @ other, kept)


# Shapes.


@face(np.reshape)
def reshape(
    a: Any, /, shape: Any = None, order: Any = "C", *, newshape: Any = None, copy: Any = None
) -> Any:
    """Trace ``np.reshape`` in C order."""
    if order != "C":
        raise TraceError(
            f"{user_line()}: np.reshape with order={order!r} cannot be traced; use 'C'"
        )
    return _apply("reshape", a, shape=_shape(newshape if shape is None else shape, a.size))


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
    new = _axes(axis, count) or ()
    old = iter(a.shape)
    return _apply("reshape", a, shape=tuple(1 if i in new else next(old) for i in range(count)))


@face(np.squeeze, method="squeeze")
def squeeze(a: Any, axis: Any = None) -> Any:
    """Trace ``np.squeeze``."""
    axes = _axes(axis, a.ndim)
    if axes is None:
        axes = tuple(i for i, length in enumerate(a.shape) if length == 1)
    if any(a.shape[i] != 1 for i in axes):
        raise ShapeError(
            f"{user_line()}: squeeze of axis {axis} of shape {a.shape}: not of length 1"
        )
    return _apply("reshape", a, shape=tuple(n for i, n in enumerate(a.shape) if i not in axes))


@face(np.transpose)
def transpose(a: Any, axes: Any = None) -> Any:
    """Trace ``np.transpose``."""
    order = tuple(range(a.ndim))[::-1] if axes is None else _axes(tuple(axes), a.ndim) or ()
    if len(order) != a.ndim:
        raise ShapeError(f"{user_line()}: transpose of shape {a.shape} with axes {axes}")
    return _apply("transpose", a, axes=order)


@face(method="transpose")
def _transpose_method(a: Any, *axes: Any) -> Any:
    if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], tuple | list)):
        return transpose(a, axes[0])
    return transpose(a, axes or None)


@face(np.swapaxes, method="swapaxes")
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """Trace ``np.swapaxes``."""
    order = list(range(a.ndim))
    i, j = _axis(axis1, a.ndim), _axis(axis2, a.ndim)
    order[i], order[j] = order[j], order[i]
    return _apply("transpose", a, axes=tuple(order))


@face(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """Trace ``np.moveaxis``."""
    moved, places = _axes(source, a.ndim) or (), _axes(destination, a.ndim) or ()
    if len(moved) != len(places):
        raise ShapeError(
            f"{user_line()}: moveaxis from {source} to {destination}: not as many axes"
        )
    order = [i for i in range(a.ndim) if i not in moved]
    for place, i in sorted(zip(places, moved, strict=True)):
        order.insert(place, i)
    return _apply("transpose", a, axes=tuple(order))


@face(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """Trace ``np.broadcast_to``."""
    return _apply("broadcast_to", array, shape=_shape(shape))


@face(np.atleast_1d)
def atleast_1d(a: Any) -> Any:
    """Trace ``np.atleast_1d`` of one array."""
    return a if a.ndim else reshape(a, (1,))


@face(np.atleast_2d)
def atleast_2d(a: Any) -> Any:
    """Trace ``np.atleast_2d`` of one array."""
    return a if a.ndim >= 2 else reshape(a, (1, a.size))


# Joining.


def _joined(arrays: Any, what: str) -> list[Any]:
    if isinstance(arrays, Recorded):
        return list(arrays)  # type: ignore[call-overload, no-any-return]
    parts = [each if hasattr(each, "ndim") else np.asarray(each) for each in arrays]
    if not parts:
        raise ShapeError(f"{user_line()}: {what} of no arrays")
    return parts


@face(np.concatenate)
def concatenate(arrays: Any, axis: Any = 0, out: Any = None, **options: Any) -> Any:
    """Trace ``np.concatenate``."""
    _only("np.concatenate", out=out, **options)
    parts = _joined(arrays, "np.concatenate")
    if axis is None:
        return _apply("concatenate", *map(np.ravel, parts), axis=0)
    if parts[0].ndim == 0:
        raise ShapeError(f"{user_line()}: scalars cannot be concatenated; use np.stack")
    return _apply("concatenate", *parts, axis=_axis(axis, parts[0].ndim))


@face(np.stack)
def stack(arrays: Any, axis: Any = 0, out: Any = None, **options: Any) -> Any:
    """Trace ``np.stack``."""
    _only("np.stack", out=out, **options)
    parts = _joined(arrays, "np.stack")
    return _apply("stack", *parts, axis=_axis(axis, parts[0].ndim + 1))


@face(np.hstack)
def hstack(tup: Any, **options: Any) -> Any:
    """Trace ``np.hstack``."""
    _only("np.hstack", **options)
    parts = [
        np.reshape(each, (1,)) if each.ndim == 0 else each for each in _joined(tup, "np.hstack")
    ]
    return concatenate(parts, axis=0 if parts[0].ndim == 1 else 1)


@face(np.vstack)
def vstack(tup: Any, **options: Any) -> Any:
    """Trace ``np.vstack``."""
    _only("np.vstack", **options)
    parts = [
        np.reshape(each, (1, each.size)) if each.ndim < 2 else each
        for each in _joined(tup, "np.vstack")
    ]
    return concatenate(parts, axis=0)


# Indexing.


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
    return _apply("getitem", a, *arrays, index=tuple(template))


METHODS["__getitem__"] = _getitem


@face(np.take, method="take")
def take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
    """Trace ``np.take``."""
    _only("np.take", out=out)
    if mode != "raise":
        raise TraceError(f"{user_line()}: np.take with mode={mode!r} cannot be traced")
    if not isinstance(indices, Recorded):
        indices = np.asarray(indices)
    if axis is None:
        return np.ravel(a)[indices]
    return a[(slice(None),) * _axis(axis, a.ndim) + (indices,)]


# Choosing, casting, and what needs only a shape.


@face(np.where)
def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    """Trace ``np.where`` with three arguments."""
    if x is None or y is None:
        raise TraceError(
            f"{user_line()}: np.where with one argument has a shape that depends on values; "
            f"use np.where(condition, x, y)"
        )
    return _apply("where", condition, x, y)


@face(np.clip, method="clip")
def clip(a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, **options: Any) -> Any:
    """Trace ``np.clip`` by np.maximum and np.minimum."""
    a_min, a_max = options.pop("min", a_min), options.pop("max", a_max)
    _only("np.clip", out=out, **options)
    if a_min is not None and a_min is not _MISSING:
        a = np.maximum(a, a_min)
    return a if a_max is None or a_max is _MISSING else np.minimum(a, a_max)


@face(np.astype, method="astype")
def astype(a: Any, dtype: Any, *args: Any, **options: Any) -> Any:
    """Trace ``astype``."""
    wanted = np.dtype(dtype)
    return a if wanted == a.dtype else _apply("astype", a, dtype=wanted.str)


@face(np.copy, method="copy")
def copy(a: Any, *args: Any, **options: Any) -> Any:
    """Return the node itself: it cannot be assigned into."""
    return a


@face(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    """Return the shape, as plain integers."""
    result: tuple[int, ...] = a.shape
    return result


@face(np.ndim)
def ndim(a: Any) -> int:
    """Return the number of axes."""
    return len(a.shape)


@face(np.size)
def size(a: Any, axis: Any = None) -> int:
    """Return the number of entries."""
    return int(a.size if axis is None else a.shape[axis])


@face(np.result_type)
def result_type(*values: Any) -> Any:
    """Return the dtype that the values promote to."""
    return np.result_type(*(v.dtype if isinstance(v, Traced) else v for v in values))


@face(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    """Whether the dtype is complex."""
    return bool(x.dtype.kind == "c")


@face(np.isrealobj)
def isrealobj(x: Any) -> bool:
    """Whether the dtype is real."""
    return bool(x.dtype.kind != "c")


@face(np.zeros_like)
def zeros_like(
    a: Any,
    dtype: Any = None,
    order: Any = "K",
    subok: Any = True,
    shape: Any = None,
    **options: Any,
) -> Any:
    """Return zeros: they depend on the shape alone, so they are a constant."""
    return np.zeros(a.shape if shape is None else shape, dtype or a.dtype)


@face(np.ones_like)
def ones_like(
    a: Any,
    dtype: Any = None,
    order: Any = "K",
    subok: Any = True,
    shape: Any = None,
    **options: Any,
) -> Any:
    """Return ones: they depend on the shape alone, so they are a constant."""
    return np.ones(a.shape if shape is None else shape, dtype or a.dtype)


@face(np.full_like)
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: Any = "K",
    subok: Any = True,
    shape: Any = None,
    **options: Any,
) -> Any:
    """Trace ``np.full_like``: a constant, or the node that fills it, broadcast."""
    lengths = a.shape if shape is None else _shape(shape)
    if isinstance(fill_value, Recorded):
        filled = _apply("broadcast_to", fill_value, shape=lengths)
        return astype(filled, dtype or a.dtype)
    return np.full(lengths, fill_value, dtype or a.dtype)
