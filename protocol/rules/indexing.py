"""Indexing, its transpose, and building an array with some of its entries changed.

An index is a template of plain data with the index arrays taken out: they are inputs of the node
(without gradient), so that they live where the node lives. In the template, ``("slice", start,
stop, step)`` is a slice, ``("array", j)`` the j-th array, of integers, ``("mask", j, count)`` the
j-th array, a mask of which ``count`` entries were true when it was traced, ``("newaxis",)`` and
``("ellipsis",)`` themselves, and an integer stands for itself. The count makes the shape known
where the mask is not; a replay with another count finds another shape, and is refused.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from ..arrays import Array, namespace
from ..errors import ShapeError
from .attributes import AXIS, COUNT, FLAG, INDEX, SHAPE
from .primitive import Abstract, Recorded, apply, define, no_flops

Template = tuple[Any, ...]


def _fill(template: Template, arrays: tuple[Array, ...]) -> tuple[Any, ...]:
    """Turn a template and its index arrays into the index that NumPy takes."""
    filled: list[Any] = []
    for item in template:
        if not isinstance(item, tuple):
            filled.append(item)
        elif item[0] == "slice":
            filled.append(slice(*item[1:]))
        elif item[0] == "array":
            filled.append(arrays[item[1]])
        elif item[0] == "mask":
            mask = arrays[item[1]]  # of one axis, or none: where it is true is faster than it
            filled.append(np.flatnonzero(mask) if mask.ndim else mask)
        else:
            filled.append(None if item[0] == "newaxis" else Ellipsis)
    return tuple(filled)


def _flattened(
    index: Template, arrays: tuple[Array, ...], shape: tuple[int, ...]
) -> tuple[tuple[Array, ...], tuple[int, ...]]:
    """Lay masks of several axes flat, and those axes of ``shape``."""
    masks = {i[1] for i in index if isinstance(i, tuple) and i[0] == "mask"}
    masks = {j for j in masks if arrays[j].ndim > 1}
    if not masks:
        return arrays, shape
    lengths: list[int] = []
    axis = 0
    for item in _expanded(index, Abstract(shape, None), arrays):
        if isinstance(item, tuple) and item[0] == "mask":
            axes = arrays[item[1]].ndim
            if axes:
                lengths.append(math.prod(shape[axis : axis + axes]))
            axis += axes
        elif item != ("newaxis",):
            lengths.append(shape[axis])
            axis += 1
    flat = tuple(
        np.reshape(array, (-1,)) if j in masks else array for j, array in enumerate(arrays)
    )
    return flat, tuple(lengths)


def may_repeat(index: Template, arrays: tuple[Any, ...]) -> bool:
    """Whether the index may name an entry twice: only several integers in arrays can."""
    return any(
        isinstance(item, tuple) and item[0] == "array" and arrays[item[1]].size > 1
        for item in index
    )


def _traced(values: tuple[Array, ...]) -> bool:
    return any(isinstance(value, Recorded) for value in values)


def _counting(like: Array, count: int) -> Array:
    """Return 0, 1, ... as an array of the kind of ``like``; np.arange would make a NumPy array."""
    return np.cumsum(np.ones_like(like, shape=(count,), dtype=np.intp)) - 1


def _targets(index: Template, arrays: tuple[Array, ...], shape: tuple[int, ...]) -> Array:
    """Return where each entry that is indexed stands in the flattened array of ``shape``."""
    where = _fill(index, arrays)
    total: Any = 0
    step = 1
    for axis in range(len(shape) - 1, -1, -1):
        places = np.reshape(
            _counting(arrays[0], shape[axis]) * step, (-1,) + (1,) * (len(shape) - 1 - axis)
        )
        total = np.broadcast_to(places, shape)[where] + total
        step *= shape[axis]
    return np.reshape(total, (-1,))


@lru_cache(maxsize=4096)
def _plain(index: Template) -> tuple[Any, ...]:
    """Return the index of a template without arrays, made once."""
    return _fill(index, ())


def _getitem(z: Array, *arrays: Array, index: Template) -> Array:
    if not arrays:
        return z[_plain(index)]
    if _traced((z, *arrays)):
        return apply("getitem", z, *arrays, index=index)
    arrays, shape = _flattened(index, arrays, z.shape)
    if shape != z.shape:
        z = np.reshape(z, shape)
    return z[_fill(index, arrays)]


def _scatter(S: Array, *arrays: Array, index: Template, shape: tuple[int, ...]) -> Array:
    """Return zeros of ``shape`` with S added where ``index`` points: the transpose of getitem."""
    if not arrays and isinstance(S, np.ndarray | np.generic):
        plain = np.zeros(shape, S.dtype)
        plain[_plain(index)] = S
        return plain
    if _traced((S, *arrays)):
        return apply("scatter", S, *arrays, index=index, shape=shape)
    out = np.zeros_like(S, shape=shape, order="C")
    _put(out, S, arrays, index, may_repeat(index, arrays))
    return out


def _put(out: Array, v: Array, arrays: tuple[Array, ...], index: Template, add: bool) -> None:
    """Add v to ``out``, or write it, in place where ``index`` points; v may still broadcast."""
    arrays, shape = _flattened(index, arrays, out.shape)
    out = np.reshape(out, shape)  # a view, as all that follow
    where = _fill(index, arrays)
    repeats = may_repeat(index, arrays)
    if not repeats:
        if add:
            out[where] += v
        else:
            out[where] = v
    elif add and np.size(v) < _FEW:
        _add_at(out, where, v)
    elif out.size:
        # One flat index: the sums are many times as fast, and of two values the last one wins.
        targets = _targets(index, arrays, shape)
        whole = np.shape(v) if np.size(v) == targets.size else out[where].shape
        entries = np.reshape(np.broadcast_to(v, whole), (-1,))
        flat = np.reshape(out, (-1,))
        if add:
            _add_at(flat, targets, entries.astype(out.dtype, copy=False))
        else:
            last = _last_of_each(targets)
            flat[targets[last]] = entries[last]


def _add_at(out: Array, where: Any, v: Array) -> None:
    """Add v in place where the index points, also where it names an entry twice."""
    space = namespace(out)
    if space is np or out.dtype.kind != "c":
        space.add.at(out, where, v)
    else:  # CuPy adds real numbers only
        space.add.at(np.real(out), where, np.real(v))
        space.add.at(np.imag(out), where, np.imag(v))


_FEW = 2048
"""So few entries are added faster where they stand than by a flat index."""


def _last_of_each(targets: Array) -> Array:
    """Whether each target is named for the last time."""
    order = np.argsort(targets, kind="stable")
    ordered = targets[order]
    last = np.concatenate([ordered[1:] != ordered[:-1], np.ones_like(ordered[:1], dtype=bool)])
    return last[np.argsort(order, kind="stable")]


def _winners(*arrays: Array, index: Template, shape: tuple[int, ...]) -> Array:
    """Whether each entry that is indexed is so for the last time, and so keeps what is written."""
    if _traced(arrays):
        return apply("winners", *arrays, index=index, shape=shape)
    u = _getitem_shape(
        Abstract(shape, np.dtype(bool)),
        *(Abstract(array.shape, array.dtype) for array in arrays),
        index=index,
    )
    arrays, shape = _flattened(index, arrays, shape)
    return np.reshape(_last_of_each(_targets(index, arrays, shape)), u.shape)


def _own_copy(x: Array) -> Array:
    """Copy x to an array in C order, which can be written to."""
    return np.copy(x, order="C")


def _index_set(x: Array, v: Array, *arrays: Array, index: Template, distinct: bool) -> Array:
    if _traced((x, v, *arrays)):
        return apply("index_set", x, v, *arrays, index=index, distinct=distinct)
    out = _own_copy(x)
    if distinct:
        arrays, shape = _flattened(index, arrays, out.shape)
        np.reshape(out, shape)[_fill(index, arrays)] = v
    else:
        _put(out, v, arrays, index, False)
    return out


def _index_add(x: Array, v: Array, *arrays: Array, index: Template) -> Array:
    if _traced((x, v, *arrays)):
        return apply("index_add", x, v, *arrays, index=index)
    out = _own_copy(x)
    _put(out, v, arrays, index, True)
    return out


# Shapes.


def _expanded(index: Template, z: Any, arrays: tuple[Any, ...]) -> list[Any]:
    """Write the ellipsis out, so that every axis of z has its item."""
    used = 0
    for item in index:
        if not isinstance(item, tuple) or item[0] in ("slice", "array"):
            used += 1
        elif item[0] == "mask":
            used += arrays[item[1]].ndim
    if used > z.ndim:
        raise ShapeError(f"{used} indices for an array with {z.ndim} axes, of shape {z.shape}")
    everything: list[Any] = [("slice", None, None, None)] * (z.ndim - used)
    if ("ellipsis",) in index:
        at = index.index(("ellipsis",))
        return [*index[:at], *everything, *index[at + 1 :]]
    return [*index, *everything]


def _advanced(item: Any) -> bool:
    return isinstance(item, tuple) and item[0] in ("array", "mask")


def _masked(item: Any, mask: Abstract, lengths: tuple[int, ...]) -> int:
    """Return how many entries a mask takes, checked."""
    count: int = item[2]
    if mask.shape != lengths:
        raise ShapeError(f"a mask of shape {mask.shape} for axes of shape {lengths}")
    if count > mask.size:
        raise ShapeError(f"a mask of shape {mask.shape} cannot take {count} entries")
    return count


def _getitem_shape(z: Abstract, *arrays: Abstract, index: Template) -> Abstract:
    axis = 0
    shape: list[int] = []
    advanced: list[tuple[int, ...]] = []
    beside_arrays = any(map(_advanced, index))  # an integer beside index arrays counts as one
    place = 0  # where the broadcast index axes go
    split = False  # whether a slice stands between index arrays: then they go first
    closed = False
    for item in _expanded(index, z, arrays):
        if item == ("newaxis",):
            shape.append(1)
            closed = bool(advanced)
            continue
        if isinstance(item, tuple) and item[0] == "slice":
            shape.append(len(range(*slice(*item[1:]).indices(z.shape[axis]))))
            axis += 1
            closed = bool(advanced)
            continue
        if _advanced(item) or beside_arrays:
            split = split or closed
            place = place if advanced else len(shape)
        if not isinstance(item, tuple):
            if not -z.shape[axis] <= item < z.shape[axis]:
                raise ShapeError(
                    f"index {item} is out of bounds for axis {axis} of shape {z.shape}"
                )
            if beside_arrays:
                advanced.append(())
            axis += 1
        elif item[0] == "array":
            advanced.append(arrays[item[1]].shape)
            axis += 1
        else:
            mask = arrays[item[1]]
            advanced.append((_masked(item, mask, z.shape[axis : axis + mask.ndim]),))
            axis += mask.ndim
    if advanced:
        try:
            joint = np.broadcast_shapes(*advanced)
        except ValueError:
            raise ShapeError(f"index arrays of shapes {advanced} do not broadcast") from None
        place = 0 if split else place
        shape[place:place] = joint
    return Abstract(tuple(shape), z.dtype)


def _scatter_shape(
    z: Abstract, *arrays: Abstract, index: Template, shape: tuple[int, ...]
) -> Abstract:
    u = Abstract(shape, z.dtype)
    indexed = _getitem_shape(u, *arrays, index=index).shape
    if indexed != z.shape:
        raise ShapeError(f"an array of shape {z.shape} for the {indexed} places of an index")
    return u


def _winners_shape(*arrays: Abstract, index: Template, shape: tuple[int, ...]) -> Abstract:
    return _getitem_shape(Abstract(shape, np.dtype(bool)), *arrays, index=index)


def _index_add_shape(x: Abstract, v: Abstract, *arrays: Abstract, index: Template) -> Abstract:
    indexed = _getitem_shape(x, *arrays, index=index).shape
    try:
        fits = np.broadcast_shapes(v.shape, indexed) == indexed
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"a value of shape {v.shape} does not fit the {indexed} places indexed")
    return Abstract(x.shape, x.dtype)


def _index_set_shape(
    x: Abstract, v: Abstract, *arrays: Abstract, index: Template, distinct: bool
) -> Abstract:
    return _index_add_shape(x, v, *arrays, index=index)


def _index_as_whole(value: Any, z: Any) -> bool:
    """Take the template of an index; every input is one of its arrays."""
    return INDEX(value, (Abstract((), np.dtype(bool)), *z))


def _index_after_two(value: Any, z: Any) -> bool:
    """Take the template of an index whose arrays are the inputs from the third."""
    return INDEX(value, z[1:])


# Messages.


def _getitem_message(S: Array, u: Array, z: Array, *arrays: Array, index: Template) -> Array:
    return apply("scatter", S, *arrays, index=index, shape=z.shape)


def _scatter_message(
    S: Array, u: Array, z: Array, *arrays: Array, index: Template, shape: tuple[int, ...]
) -> Array:
    return apply("getitem", S, *arrays, index=index)


def _index_set_message_to_array(
    S: Array, u: Array, x: Array, v: Array, *arrays: Array, index: Template, distinct: bool
) -> Array:
    # However often an entry is named, it becomes 0.
    return apply("index_set", S, 0.0, *arrays, index=index, distinct=True)


def _index_set_message_to_value(
    S: Array, u: Array, x: Array, v: Array, *arrays: Array, index: Template, distinct: bool
) -> Array:
    message = apply("getitem", S, *arrays, index=index)
    if distinct:
        return message
    winners = apply("winners", *arrays, index=index, shape=x.shape)
    return np.where(winners, message, S.dtype.type(0))


def _index_add_message_to_value(
    S: Array, u: Array, x: Array, v: Array, *arrays: Array, index: Template
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
    shape=_scatter_shape,
    flops=lambda u, z, *arrays, index, shape: z.size,
    takes={"index": INDEX, "shape": SHAPE},
)
define(
    "index_set",
    _index_set,
    _index_set_message_to_array,
    _index_set_message_to_value,
    shape=_index_set_shape,
    flops=no_flops,
    takes={"index": _index_after_two, "distinct": FLAG},
)
define(
    "index_add",
    _index_add,
    lambda S, u, x, v, *arrays, index: S,
    _index_add_message_to_value,
    shape=_index_add_shape,
    flops=lambda u, x, v, *arrays, index: v.size,
    takes={"index": _index_after_two},
)
define(
    "winners",
    _winners,
    shape=_winners_shape,
    takes={"index": _index_as_whole, "shape": SHAPE},
)


# Along one axis, an index for each entry.


def _along_shape(z: Abstract, i: Abstract, axis: int) -> tuple[int, ...]:
    if i.ndim != z.ndim:
        raise ShapeError(f"indices of shape {i.shape} along an axis of shape {z.shape}")
    if i.dtype.kind not in "iu":
        raise ShapeError(f"indices must be integers, not {i.dtype}")
    lengths = list(z.shape)
    lengths[axis] = 1
    others = list(i.shape)
    others[axis] = 1
    try:
        joint = list(np.broadcast_shapes(tuple(lengths), tuple(others)))
    except ValueError:
        raise ShapeError(f"indices of shape {i.shape} along an axis of shape {z.shape}") from None
    joint[axis] = i.shape[axis]
    return tuple(joint)


def _take_shape(z: Abstract, i: Abstract, *, axis: int, distinct: bool) -> Abstract:
    return Abstract(_along_shape(z, i, axis), z.dtype)


def _take_along(z: Array, i: Array, *, axis: int, distinct: bool) -> Array:
    return np.take_along_axis(z, i, axis)


def _take_along_message(
    S: Array, u: Array, z: Array, i: Array, *, axis: int, distinct: bool
) -> Array:
    return apply("add_along_axis", S, i, axis=axis, length=z.shape[axis], distinct=distinct)


def _add_along(S: Array, i: Array, *, axis: int, length: int, distinct: bool) -> Array:
    """Add S to zeros along an axis, where the indices point: the transpose of taking."""
    if _traced((S, i)):
        return apply("add_along_axis", S, i, axis=axis, length=length, distinct=distinct)
    entries = np.moveaxis(S, axis, -1)
    places = np.moveaxis(np.broadcast_to(i, S.shape), axis, -1)
    shape = (*entries.shape[:-1], length)
    out = np.zeros_like(S, shape=(math.prod(shape),), order="C")
    if S.size:
        places = places + (places < 0) * length
        if S.ndim > 1:  # each row is a stretch of its own
            starts = _counting(i, math.prod(shape[:-1])) * length
            places = places + np.reshape(starts, (*shape[:-1], 1))
        places, entries = np.reshape(places, (-1,)), np.reshape(entries, (-1,))
        if distinct:
            out[places] = entries
        else:
            _add_at(out, places, entries)
    return np.moveaxis(np.reshape(out, shape), -1, axis)


def _add_along_shape(
    S: Abstract, i: Abstract, *, axis: int, length: int, distinct: bool
) -> Abstract:
    shape = (*S.shape[:axis], length, *S.shape[axis + 1 :])
    if _along_shape(Abstract(shape, S.dtype), i, axis) != S.shape:
        raise ShapeError(f"an array of shape {S.shape} for indices of shape {i.shape}")
    return Abstract(shape, S.dtype)


define(
    "take_along_axis",
    _take_along,
    _take_along_message,
    shape=_take_shape,
    flops=no_flops,
    takes={"axis": AXIS, "distinct": FLAG},
)
define(
    "add_along_axis",
    _add_along,
    lambda S, u, z, i, *, axis, length, distinct: apply(
        "take_along_axis", S, i, axis=axis, distinct=distinct
    ),
    shape=_add_along_shape,
    flops=lambda u, S, i, **attributes: S.size,
    takes={"axis": AXIS, "length": COUNT, "distinct": FLAG},
)


# Where an array is not zero.


def _nonzero(z: Array, *, count: int) -> Array:
    # ``count`` is how many there were when it was traced: a replay that finds another number
    # has another shape, and is refused.
    return np.transpose(np.argwhere(z))


def _nonzero_shape(z: Abstract, *, count: int) -> Abstract:
    if z.ndim == 0:
        raise ShapeError("np.nonzero of an array without axes")
    return Abstract((z.ndim, count), np.dtype(np.intp))


define("nonzero", _nonzero, None, shape=_nonzero_shape, takes={"count": COUNT})
