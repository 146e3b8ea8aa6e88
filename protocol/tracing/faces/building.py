"""Building arrays of nodes, and arrays with some entries changed: what NumPy does by writing.

``np.array([x[0], 1.0])`` and ``x[i] = v`` write into an array, and a node cannot be written into.
These say the same as functions: ``array([x[0], 1.0])``, ``at(x)[i].set(v)``. Where nothing is
traced they do what NumPy does, and never change what they are given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import ShapeError, TraceError
from ...rules import TABLE, Abstract
from ...rules.indexing import may_repeat
from ...rules.primitive import Recorded, apply
from ...source_line import user_line
from .indexing import checked_template
from .register import array_of


def _is_traced(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_is_traced, value))
    return isinstance(value, Recorded)


def array(values: Any, dtype: Any = None) -> Any:
    """Build an array of nodes, arrays and numbers in nested lists, as ``np.array`` would.

    Args:
        values: a node, or lists of nodes, arrays, numbers and lists of equal shapes.
        dtype: the dtype of the array; found from the values if not given.

    Returns:
        A node; a plain NumPy array if nothing is traced.

    Example:
        ``bw.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])``

    """
    if not _is_traced(values):
        return np.array(values, dtype=dtype)
    made = _whole(*_parts(values))
    return made if dtype is None else np.astype(made, dtype)


def _parts(values: Any) -> tuple[tuple[int, ...], list[Any]]:
    """Return the lengths of nested lists, and what is in them: arrays of one shape."""
    if not isinstance(values, list | tuple):
        return (), [array_of(values)]
    if not _is_traced(values) and values and not any(isinstance(v, list | tuple) for v in values):
        made = np.asarray(values)
        return (made.shape[0],), list(made)
    inner = [_parts(each) for each in values]
    if len({(lengths, parts[0].shape if parts else None) for lengths, parts in inner}) > 1:
        inner = [((), [_whole(lengths, parts)]) for lengths, parts in inner]
    shapes = {parts[0].shape for _, parts in inner if parts}
    if len(shapes) > 1:
        raise ShapeError(
            f"{user_line()}: bw.array of parts of the shapes "
            f"{', '.join(map(str, sorted(shapes)))}: they must be equal"
        )
    return (len(inner), *inner[0][0]), [part for _, parts in inner for part in parts]


def _whole(lengths: tuple[int, ...], parts: list[Any]) -> Any:
    if not lengths:
        return parts[0]
    if not parts:
        return np.zeros(lengths)
    stacked = np.stack(parts)
    return stacked if len(lengths) == 1 else np.reshape(stacked, lengths + parts[0].shape)


class Joined:
    """Join what stands in the brackets, as ``np.r_`` and ``np.c_`` do, traced nodes too."""

    def __init__(self, plain: Any, axis: int, ndmin: int, trans1d: int) -> None:
        """Keep NumPy's object of the same meaning, and where its axes go."""
        self._plain = plain
        self._places = axis, ndmin, trans1d

    def __getitem__(self, key: Any) -> Any:
        """Join along an axis: arrays, numbers, and slices for ranges."""
        items = list(key) if isinstance(key, tuple) else [key]
        if not any(map(_is_traced, items)):
            return self._plain[key]
        axis, ndmin, trans1d = self._places
        if isinstance(items[0], str):
            axis, ndmin, trans1d = self._directive(items.pop(0))
        numbers = [isinstance(each, bool | int | float | complex) for each in items]
        parts = []
        for item in items:
            if isinstance(item, str):
                raise TraceError(f"{user_line()}: {item!r} must stand first in the brackets")
            if isinstance(item, slice):
                parts.append(self._widened(np.r_[item], ndmin, trans1d, swap=True))
            else:
                parts.append(self._widened(array(item), ndmin, trans1d, swap=False))
        # A Python number decides no dtype beside arrays.
        dtype = np.result_type(
            *(
                item if number else part.dtype
                for item, part, number in zip(items, parts, numbers, strict=True)
            )
        )
        return np.concatenate(
            [
                np.astype(part, dtype) if number else part
                for part, number in zip(parts, numbers, strict=True)
            ],
            axis=axis,
        )

    def _directive(self, text: str) -> tuple[int, int, int]:
        try:
            numbers = [int(each) for each in text.split(",")]
        except ValueError:
            raise TraceError(f"{user_line()}: the directive {text!r} cannot be traced") from None
        axis, ndmin, trans1d = (*numbers, *(self._places[len(numbers) :]))
        return axis, ndmin, trans1d

    def _widened(self, part: Any, ndmin: int, trans1d: int, swap: bool) -> Any:
        """Give a part ``ndmin`` axes; ``trans1d`` is where those that it had begin."""
        missing = max(ndmin, 1) - part.ndim
        if missing <= 0:
            return part
        wide = np.reshape(part, (1,) * missing + part.shape)
        if trans1d == -1 or ndmin == 0:
            return wide
        if swap:
            return np.swapaxes(wide, -1, trans1d)
        first = trans1d + missing + 1 if trans1d < 0 else trans1d
        axes = list(range(wide.ndim))
        return np.transpose(wide, axes[:first] + axes[missing:] + axes[first:missing])


r_ = Joined(np.r_, 0, 1, -1)
"""Join along the first axis: ``bw.r_[x, 0.0, y]`` is ``np.r_[x, 0.0, y]``, for nodes too."""

c_ = Joined(np.c_, -1, 2, 0)
"""Join as columns: ``bw.c_[x, y]`` is ``np.c_[x, y]``, for nodes too."""


class at:
    """Change some entries of an array, in a copy: ``bw.at(x)[index].set(v)``.

    The array, the index and the value may each be traced; where none is, it is a plain copy. The
    index is any that NumPy takes. ``set`` writes, and of an entry that is named twice the last
    value wins; ``add`` adds them all; ``multiply``, ``min`` and ``max`` likewise.

    Args:
        x: the array.

    Example:
        ``bw.at(grid)[1:-1, 0].set(inflow)``

    """

    def __init__(self, x: Any) -> None:
        """Keep the array."""
        self._x = array_of(x)

    def __getitem__(self, index: Any) -> Place:
        """Say which entries are meant."""
        return Place(self._x, index)


class Place:
    """Entries of an array, to be changed in a copy."""

    def __init__(self, x: Any, index: Any) -> None:
        """Keep the array and the index."""
        self._x = x
        self._index = index

    def set(self, v: Any) -> Any:
        """Return a copy with ``v`` at these entries, broadcast to them."""
        return self._updated(v, "set", lambda old, new: new)

    def add(self, v: Any) -> Any:
        """Return a copy with ``v`` added to these entries, as often as each is named."""
        return self._updated(v, "add", np.add)

    def multiply(self, v: Any) -> Any:
        """Return a copy with these entries multiplied by ``v``."""
        return self._updated(v, "multiply", np.multiply)

    def min(self, v: Any) -> Any:
        """Return a copy with the smaller of these entries and ``v`` in their place."""
        return self._updated(v, "min", np.minimum)

    def max(self, v: Any) -> Any:
        """Return a copy with the larger of these entries and ``v`` in their place."""
        return self._updated(v, "max", np.maximum)

    def _updated(self, v: Any, what: str, combine: Callable[[Any, Any], Any]) -> Any:
        x = self._x
        v = self._cast(v, what)
        mask = self._mask()
        if (
            mask is not None
            and v.ndim == 0
            and (_is_traced(x) or _is_traced(mask) or _is_traced(v))
        ):
            # One number where a mask is true: the shape does not depend on the mask.
            return np.where(mask, combine(x, v), x)
        template, arrays = checked_template(x, self._index)
        if not _is_traced([x, v, *arrays]):
            return _plain(x, self._index, v, what)
        while v.ndim > 0 and v.shape[0] == 1 and v.ndim > self._indexed_ndim(template, arrays):
            v = np.reshape(v, v.shape[1:])
        if what == "add":
            return apply("index_add", x, v, *arrays, index=template)
        if not may_repeat(template, tuple(arrays)):
            return _combined(x, v, template, arrays, combine, what)
        if what == "set":
            distinct = not _is_traced(arrays) and not np.any(_repeats(x, self._index))
            return apply("index_set", x, v, *arrays, index=template, distinct=bool(distinct))
        return self._in_turns(v, what, combine, template, arrays)

    def _cast(self, v: Any, what: str) -> Any:
        """Bring the value to the array's dtype, as assignment does, but never cut it."""
        x = self._x
        weak = isinstance(v, int | float | complex) and not isinstance(v, bool)
        v = v if weak else array_of(v)
        if not weak and v.dtype == x.dtype:
            return v
        fits = np.can_cast(np.result_type(x.dtype, v) if weak else v.dtype, x.dtype, "same_kind")
        if not fits:
            kind = type(v).__name__ if weak else v.dtype
            raise ShapeError(
                f"{user_line()}: bw.at(x)[index].{what}(v): x is {x.dtype} and cannot hold {kind} "
                f"values; convert it first, for instance with x.astype(float)"
            )
        return x.dtype.type(v) if weak else np.astype(v, x.dtype)

    def _mask(self) -> Any:
        """Return the index as a mask that broadcasts against the array, if it is one."""
        mask = self._index
        if isinstance(mask, tuple) and len(mask) == 1:
            mask = mask[0]
        if not hasattr(mask, "dtype") or mask.dtype.kind != "b" or mask.ndim == 0:
            return None
        if mask.shape != self._x.shape[: mask.ndim]:
            raise ShapeError(
                f"{user_line()}: a mask of shape {mask.shape} for an array of shape {self._x.shape}"
            )
        if mask.ndim == self._x.ndim:
            return mask
        return np.reshape(mask, mask.shape + (1,) * (self._x.ndim - mask.ndim))

    def _indexed_ndim(self, template: Any, arrays: Any) -> int:
        abstract = (Abstract(value.shape, value.dtype) for value in (self._x, *arrays))
        return int(TABLE["getitem"].shape(*abstract, index=template).ndim)

    def _in_turns(self, v: Any, what: str, combine: Any, template: Any, arrays: Any) -> Any:
        """Combine with entries that may be named several times: one turn for each time."""
        if _is_traced(arrays):
            winners = apply("winners", *arrays, index=template, shape=self._x.shape)
            if not bool(np.all(winners)):  # a guard: a replay must find the same
                raise TraceError(
                    f"{user_line()}: bw.at(x)[index].{what}(v) with a traced index that names an "
                    f"entry twice cannot be traced; give the index as a plain array"
                )
            return _combined(self._x, v, template, arrays, combine, what)
        turns = _repeats(self._x, self._index)
        if turns.max(initial=0) == 0:
            return _combined(self._x, v, template, arrays, combine, what)
        targets = np.reshape(np.arange(self._x.size), self._x.shape)[self._index]
        entries = np.broadcast_to(v, targets.shape)
        flat = np.ravel(self._x)
        for turn in range(int(turns.max()) + 1):
            chosen = turns == turn
            place = (("array", 0),)
            flat = _combined(flat, entries[chosen], place, [targets[chosen]], combine, what)
        return np.reshape(flat, self._x.shape)


def _combined(x: Any, v: Any, template: Any, arrays: Any, combine: Any, what: str) -> Any:
    """Write into entries that are named once each."""
    if what != "set":
        v = combine(apply("getitem", x, *arrays, index=template), v)
    return apply("index_set", x, v, *arrays, index=template, distinct=True)


def _repeats(x: Any, index: Any) -> Any:
    """Return for each entry that is indexed how often it was named before."""
    targets = np.reshape(np.arange(x.size), x.shape)[index]
    flat = np.ravel(targets)
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    starts = np.searchsorted(ordered, ordered)
    turns = np.empty_like(flat)
    turns[order] = np.arange(flat.size) - starts
    return np.reshape(turns, targets.shape)


_UFUNCS = {"add": np.add, "multiply": np.multiply, "min": np.minimum, "max": np.maximum}


def _plain(x: Any, index: Any, v: Any, what: str) -> Any:
    out = np.array(x, copy=True)
    if what == "set":
        out[index] = v
    else:
        _UFUNCS[what].at(out, index, v)
    return out
