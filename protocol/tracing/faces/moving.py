"""The traced forms of padding, rolling, repeating, splitting, and of diagonals and triangles."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import ShapeError, TraceError
from ...source_line import user_line
from .indexing import getitem, is_node
from .register import MISSING, all_axes, array_of, face, lengths_of, one_axis, only, record

# Padding.

_BY_INDEX = ("edge", "reflect", "symmetric", "wrap")
_BY_STATISTIC: dict[str, Callable[..., Any]] = {
    "maximum": np.max,
    "minimum": np.min,
    "mean": np.mean,
    "median": np.median,
}


def _pairs(given: Any, ndim: int, what: str) -> list[tuple[Any, Any]]:
    """Return one (before, after) for each axis, from what np.pad takes."""
    if isinstance(given, dict):
        pairs = [(0, 0)] * ndim
        for axis, value in given.items():
            (pairs[one_axis(axis, ndim)],) = _pairs(value, 1, what)
        return pairs
    array = np.asarray(given)
    try:
        return [(row[0], row[1]) for row in np.broadcast_to(array, (ndim, 2)).tolist()]
    except ValueError:
        raise ShapeError(f"{user_line()}: np.pad with {what}={given!r:.40}") from None


@face(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Any:
    """Trace ``np.pad``."""
    widths = [
        (operator.index(before), operator.index(after))
        for before, after in _pairs(pad_width, array.ndim, "pad_width")
    ]
    if any(width < 0 for pair in widths for width in pair):
        raise ShapeError(f"{user_line()}: np.pad with pad_width={pad_width!r:.40}: it is negative")
    if mode == "constant":
        constants = options.pop("constant_values", 0)
        _no_more(mode, options)
        if not is_node(constants) and not np.any(np.asarray(constants)):
            return _pad_zeros(array, widths)
        if is_node(constants):
            if constants.ndim:
                raise TraceError(f"{user_line()}: np.pad with a traced constant_values of many")
            values = [(constants, constants)] * array.ndim
        else:
            values = _pairs(constants, array.ndim, "constant_values")
        return _by_axis(array, widths, lambda a, axis, side: values[axis][side])
    if mode in _BY_INDEX:
        if options.pop("reflect_type", "even") != "even":
            raise TraceError(
                f"{user_line()}: np.pad with reflect_type='odd' cannot be traced; subtract the "
                f"even reflection from twice the edge"
            )
        _no_more(mode, options)
        for axis, pair in enumerate(widths):
            if any(pair):
                # NumPy's own padding of the places says where each entry comes from.
                places = np.pad(np.arange(array.shape[axis]), pair, mode=mode)
                array = getitem(array, (slice(None),) * axis + (places,))
        return array
    if mode in _BY_STATISTIC:
        lengths = _pairs(options.pop("stat_length", None), array.ndim, "stat_length")
        _no_more(mode, options)
        return _by_axis(array, widths, _edge_statistic(mode, lengths))
    if mode == "linear_ramp":
        ends = _pairs(options.pop("end_values", 0), array.ndim, "end_values")
        _no_more(mode, options)
        return _by_axis(array, widths, _ramp(widths, ends))
    raise TraceError(f"{user_line()}: np.pad with mode={mode!r:.40} cannot be traced")


def _no_more(mode: str, options: dict[str, Any]) -> None:
    only(f"np.pad with mode={mode!r}", **options)


def _pad_zeros(a: Any, widths: list[tuple[int, int]]) -> Any:
    if not any(map(any, widths)):
        return a
    pairs = list(zip(a.shape, widths, strict=True))
    index = tuple(("slice", before, before + n, None) for n, (before, _) in pairs)
    return record("scatter", a, index=index, shape=tuple(n + sum(pair) for n, pair in pairs))


def _by_axis(a: Any, widths: list[tuple[int, int]], side: Callable[..., Any]) -> Any:
    """Join, axis by axis, what ``side`` says before and after."""
    for axis, pair in enumerate(widths):
        parts = [a]
        for end, width in enumerate(pair):
            if width:
                shape = (*a.shape[:axis], width, *a.shape[axis + 1 :])
                value = array_of(side(a, axis, end))
                if value.dtype != a.dtype:
                    value = np.astype(value, a.dtype)
                parts.insert(len(parts) if end else 0, np.broadcast_to(value, shape))
        if len(parts) > 1:
            a = np.concatenate(parts, axis=axis)
    return a


def _edge(a: Any, axis: int, end: int, length: int) -> Any:
    n = a.shape[axis]
    cut = slice(n - length, n) if end else slice(0, length)
    return a[(slice(None),) * axis + (cut,)]


def _edge_statistic(mode: str, lengths: list[tuple[Any, Any]]) -> Callable[..., Any]:
    def side(a: Any, axis: int, end: int) -> Any:
        n = a.shape[axis]
        length = n if lengths[axis][end] is None else min(operator.index(lengths[axis][end]), n)
        value = _BY_STATISTIC[mode](_edge(a, axis, end, length), axis=axis, keepdims=True)
        return np.rint(value) if a.dtype.kind in "iu" and value.dtype.kind == "f" else value

    return side


def _ramp(widths: list[tuple[int, int]], ends: list[tuple[Any, Any]]) -> Callable[..., Any]:
    def side(a: Any, axis: int, end: int) -> Any:
        width = widths[axis][end]
        edge, last = _edge(a, axis, end, 1), ends[axis][end]
        steps = np.arange(width) / width
        steps = np.reshape(steps[::-1] if end else steps, (-1,) + (1,) * (a.ndim - 1 - axis))
        if a.dtype.kind in "iu":
            return np.floor(last + (edge - last) * steps)
        return last + (edge - last) * np.astype(steps, a.dtype)

    return side


# Rolling and flipping.


@face(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """Trace ``np.roll``."""
    shifts = _integers(shift)
    if axis is None:
        return record("roll", a, shift=(sum(shifts),), axis=None)
    axes = tuple(one_axis(each, a.ndim) for each in _integers(axis))
    try:
        (count,) = np.broadcast_shapes((len(shifts),), (len(axes),))
    except ValueError:
        raise ShapeError(f"{user_line()}: np.roll by {shift} along {axis}: not as many") from None
    shifts, axes = (each * count if len(each) == 1 else each for each in (shifts, axes))
    return record("roll", a, shift=shifts, axis=axes)


def _integers(given: Any) -> tuple[int, ...]:
    many = given.tolist() if isinstance(given, np.ndarray) else given
    return tuple(map(operator.index, many if isinstance(many, list | tuple) else (many,)))


@face(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    """Trace ``np.flip``."""
    axes = all_axes(axis, m.ndim)
    return record("flip", m, axis=tuple(range(m.ndim)) if axes is None else axes)


@face(np.fliplr)
def fliplr(m: Any) -> Any:
    """Trace ``np.fliplr``."""
    return flip(m, 1)


@face(np.flipud)
def flipud(m: Any) -> Any:
    """Trace ``np.flipud``."""
    return flip(m, 0)


@face(np.rot90)
def rot90(m: Any, k: Any = 1, axes: Any = (0, 1)) -> Any:
    """Trace ``np.rot90``: np.flip and np.transpose."""
    places = all_axes(tuple(axes), m.ndim) or ()
    if len(places) != 2:
        raise ShapeError(f"{user_line()}: np.rot90 turns in two axes, not {axes}")
    turns = operator.index(k) % 4
    if turns == 0:
        return m
    if turns == 2:
        return flip(m, places)
    if turns == 1:
        return np.swapaxes(flip(m, places[1]), *places)
    return flip(np.swapaxes(m, *places), places[1])


# Repeating.


@face(np.tile)
def tile(A: Any, reps: Any) -> Any:
    """Trace ``np.tile``: a new axis before each, broadcast."""
    counts = lengths_of(reps) if np.ndim(reps) == 0 else lengths_of(tuple(reps))
    ndim = max(A.ndim, len(counts))
    counts = (1,) * (ndim - len(counts)) + counts
    shape = (1,) * (ndim - A.ndim) + A.shape
    if all(count == 1 for count in counts):
        return A if A.ndim == ndim else np.reshape(A, shape)
    apart: list[int] = []
    spread: list[int] = []
    for count, n in zip(counts, shape, strict=True):
        apart += [n] if count == 1 else [1, n]
        spread += [n] if count == 1 else [count, n]
    wide = np.broadcast_to(np.reshape(A, tuple(apart)), tuple(spread))
    return np.reshape(wide, tuple(c * n for c, n in zip(counts, shape, strict=True)))


@face(np.repeat, method="repeat")
def repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    """Trace ``np.repeat``: one count is broadcast along a new axis, many are an index."""
    a = array_of(a)
    if is_node(repeats):
        if np.ndim(repeats):
            raise TraceError(
                f"{user_line()}: np.repeat with traced counts has a shape that depends on values; "
                f"give the counts as a plain array"
            )
        repeats = operator.index(repeats)
    if axis is None:
        a, axis = np.ravel(a), 0
    elif a.ndim == 0:
        a = np.reshape(a, (1,))
    place = one_axis(axis, a.ndim)
    counts = np.asarray(repeats)
    if counts.size and int(counts.min()) < 0:
        raise ShapeError(f"{user_line()}: np.repeat with a negative count")
    n = a.shape[place]
    if counts.size == 1:
        count = operator.index(counts.reshape(-1)[0])
        wide = np.expand_dims(a, place + 1)
        shape = (*a.shape[: place + 1], count, *a.shape[place + 1 :])
        joined = (*a.shape[:place], n * count, *a.shape[place + 1 :])
        return np.reshape(np.broadcast_to(wide, shape), joined)
    if counts.shape != (n,):
        raise ShapeError(
            f"{user_line()}: np.repeat with {counts.size} counts along an axis of length {n}"
        )
    return getitem(a, (slice(None),) * place + (np.repeat(np.arange(n), counts),))


# Splitting.


@face(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: Any = 0) -> Any:
    """Trace ``np.array_split``: one slice for each part."""
    place = one_axis(axis, ary.ndim)
    n = ary.shape[place]
    if np.ndim(indices_or_sections):
        bounds = [0, *_integers(indices_or_sections), n]
    else:
        parts = operator.index(indices_or_sections)
        if parts <= 0:
            raise ShapeError(f"{user_line()}: an array cannot be split into {parts} parts")
        each, more = divmod(n, parts)
        bounds = [i * each + min(i, more) for i in range(parts + 1)]
    before = (slice(None),) * place
    return [ary[(*before, slice(a, b))] for a, b in itertools.pairwise(bounds)]


@face(np.split)
def split(ary: Any, indices_or_sections: Any, axis: Any = 0) -> Any:
    """Trace ``np.split``: parts of equal lengths, or between given places."""
    if not np.ndim(indices_or_sections):
        n, parts = ary.shape[one_axis(axis, ary.ndim)], operator.index(indices_or_sections)
        if parts <= 0 or n % parts:
            raise ShapeError(
                f"{user_line()}: an axis of length {n} cannot be split into {parts} equal parts; "
                f"use np.array_split"
            )
    return array_split(ary, indices_or_sections, axis)


def _split_along(name: str, axis: int, least: int) -> Callable[..., Any]:
    def part(ary: Any, indices_or_sections: Any) -> Any:
        if ary.ndim < least:
            raise ShapeError(
                f"{user_line()}: np.{name} of an array of shape {ary.shape}: too few axes"
            )
        return split(ary, indices_or_sections, axis if ary.ndim > axis else 0)

    return part


face(np.hsplit)(_split_along("hsplit", 1, 1))
face(np.vsplit)(_split_along("vsplit", 0, 2))
face(np.dsplit)(_split_along("dsplit", 2, 3))


def unstack(x: Any, /, *, axis: Any = 0) -> tuple[Any, ...]:
    """Trace ``np.unstack``."""
    place = one_axis(axis, x.ndim)
    return tuple(x[(slice(None),) * place + (i,)] for i in range(x.shape[place]))


if hasattr(np, "unstack"):  # NumPy 2.1
    face(np.unstack)(unstack)


# Diagonals and triangles. The diagonal of a matrix is a slice of it laid flat.


def _diagonal_of(rows: int, columns: int, offset: int) -> tuple[Any, ...]:
    """Return the slice, as an index's template has it, of a diagonal in the flattened matrix."""
    length = max(0, min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns))
    start = (offset if offset >= 0 else -offset * columns) if length else 0
    return "slice", start, start + length * (columns + 1), columns + 1


@face(np.diagonal, method="diagonal")
def diagonal(a: Any, offset: Any = 0, axis1: Any = 0, axis2: Any = 1) -> Any:
    """Trace ``np.diagonal``."""
    if a.ndim < 2:
        raise ShapeError(f"{user_line()}: np.diagonal of an array of shape {a.shape}")
    i, j = one_axis(axis1, a.ndim), one_axis(axis2, a.ndim)
    if i == j:
        raise ShapeError(f"{user_line()}: np.diagonal needs two axes, not {axis1} twice")
    order = (*(k for k in range(a.ndim) if k not in (i, j)), i, j)
    if order != tuple(range(a.ndim)):
        a = np.transpose(a, order)
    rows, columns = a.shape[-2:]
    cut = _diagonal_of(rows, columns, operator.index(offset))
    flat = np.reshape(a, (*a.shape[:-2], rows * columns))
    start, stop, step = cut[1:]
    return flat[..., start : min(stop, rows * columns) : step]


@face(np.diag)
def diag(v: Any, k: Any = 0) -> Any:
    """Trace ``np.diag``: the diagonal of a matrix, or the matrix of a diagonal."""
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise ShapeError(f"{user_line()}: np.diag of an array of shape {v.shape}")
    offset = operator.index(k)
    n = v.shape[0] + abs(offset)
    index = (_diagonal_of(n, n, offset),)
    return np.reshape(record("scatter", v, index=index, shape=(n * n,)), (n, n))


@face(np.diagflat)
def diagflat(v: Any, k: Any = 0) -> Any:
    """Trace ``np.diagflat``."""
    return diag(np.ravel(v), k)


@face(np.trace, method="trace")
def trace(
    a: Any, offset: Any = 0, axis1: Any = 0, axis2: Any = 1, dtype: Any = None, out: Any = None
) -> Any:
    """Trace ``np.trace``: the sum of the diagonal."""
    only("np.trace", out=out)
    options = {} if dtype is None or dtype is MISSING else {"dtype": dtype}
    return np.sum(diagonal(a, offset, axis1, axis2), axis=-1, **options)


def _triangle(name: str) -> Callable[..., Any]:
    def triangle(m: Any, k: Any = 0) -> Any:
        if m.ndim == 1:  # NumPy takes it as each row of a square
            m = np.broadcast_to(m, m.shape * 2)
        return record(name, m, k=operator.index(k))

    return triangle


face(np.tril)(_triangle("tril"))
face(np.triu)(_triangle("triu"))


# Windows.


@face(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    """Trace ``np.lib.stride_tricks.sliding_window_view``."""
    if writeable:
        raise TraceError(f"{user_line()}: a window over a node cannot be written to")
    window = _integers(window_shape)
    axes = range(x.ndim) if axis is None else _integers(axis)
    places = tuple(one_axis(each, x.ndim) for each in axes)
    if len(window) != len(places) or min(window, default=0) < 0:
        raise ShapeError(
            f"{user_line()}: a window of shape {window} over {len(places)} axes of {x.shape}"
        )
    return record("sliding_window_view", x, window=window, axis=places)
