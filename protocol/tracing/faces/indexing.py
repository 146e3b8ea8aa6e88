"""The traced forms of indexing: an index becomes a template and index arrays."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from ...errors import ShapeError, TraceError
from ...rules import TABLE, Abstract
from ...rules.primitive import Recorded
from ...source_line import user_line
from ..traced import METHODS, Traced
from .register import array_of, face, lengths_of, one_axis, only, record, refused


def is_node(value: Any) -> bool:
    """Whether the value is a traced node."""
    return isinstance(value, Recorded)


def true_count(mask: Any, what: str, instead: str) -> int:
    """Return how many entries of a mask are not zero; an abstract one has no values to count."""
    value = mask
    while isinstance(value, Traced):
        value = value.value
    if value is None:
        raise ShapeError(
            f"{user_line()}: the shape of {what} depends on the mask's values, which an abstract "
            f"trace does not have; {instead}"
        )
    return int(np.count_nonzero(value))


def template_of(index: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """Return the template of an index, and its index arrays."""
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
        elif isinstance(item, int | np.integer) and not isinstance(item, bool):
            template.append(int(item))
        elif isinstance(item, bool | np.bool_ | np.ndarray | Recorded):
            item = array_of(item)
            if item.dtype.kind in "iu":
                template.append(("array", len(arrays)))
            elif item.dtype.kind == "b":
                count = true_count(item, "x[mask]", "use np.where(mask, x, 0)")
                template.append(("mask", len(arrays), count))
            else:
                _refuse(given)
            arrays.append(item)
        else:
            _refuse(given)
    return tuple(template), arrays


def _list_index(item: list[Any]) -> Any:
    array = np.asarray(item)
    return array.astype(np.intp) if array.size == 0 else array


def _refuse(given: Any) -> NoReturn:
    raise TraceError(
        f"{user_line()}: a node cannot be indexed by {type(given).__name__} {given!r:.40}"
    )


def checked_template(a: Any, index: Any) -> tuple[tuple[Any, ...], list[Any]]:
    """Return the template and the index arrays; masks must have the shape of what they index."""
    template, arrays = template_of(index)
    if any(isinstance(item, tuple) and item[0] == "mask" for item in template):
        abstract = (Abstract(value.shape, value.dtype) for value in (a, *arrays))
        try:
            TABLE["getitem"].shape(*abstract, index=template)
        except ShapeError as error:
            raise ShapeError(f"{user_line()}: getitem: {error}") from None
    return template, arrays


def getitem(a: Any, index: Any) -> Any:
    """Trace ``a[index]``, where the array, the index or both are traced."""
    template, arrays = checked_template(a, index)
    return record("getitem", a, *arrays, index=template)


METHODS["__getitem__"] = getitem


def _modular(indices: Any, length: int, mode: str, what: str) -> Any:
    """Bring indices into the axis as ``mode`` says."""
    if mode == "wrap":
        return indices % length
    if mode == "clip":
        return np.clip(indices, 0, length - 1)
    if mode != "raise":
        raise TraceError(f"{user_line()}: {what} with mode={mode!r}; it is raise, wrap or clip")
    return indices


@face(np.take, method="take")
def take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
    """Trace ``np.take``."""
    only("np.take", out=out)
    a, indices = array_of(a), array_of(indices)
    if indices.size == 0 and not is_node(indices):
        indices = indices.astype(np.intp)
    if axis is None:
        a, axis = np.ravel(a), 0
    place = one_axis(axis, a.ndim)
    indices = _modular(indices, a.shape[place], mode, "np.take")
    return getitem(a, (slice(None),) * place + (indices,))


@face(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    """Trace ``np.take_along_axis``."""
    arr, indices = array_of(arr), array_of(indices)
    if axis is None:
        arr, axis = np.ravel(arr), 0
    return record("take_along_axis", arr, indices, axis=one_axis(axis, arr.ndim), distinct=False)


# Where values decide the shape: the count is taken when tracing, and a replay must find it again.


def _places(a: Any) -> Any:
    """Return the places where a is not zero, one row for each axis."""
    if a.ndim == 0:
        raise ShapeError(f"{user_line()}: where an array without axes is not zero; use x != 0")
    count = true_count(a, "where an array is not zero", "use np.where(mask, x, y)")
    return record("nonzero", a, count=count)


@face(np.nonzero, method="nonzero")
def nonzero(a: Any) -> tuple[Any, ...]:
    """Trace ``np.nonzero``; np.where of one argument is the same."""
    places = _places(a)
    return tuple(places[i] for i in range(a.ndim))


@face(np.argwhere)
def argwhere(a: Any) -> Any:
    """Trace ``np.argwhere``."""
    return np.transpose(_places(a))


@face(np.flatnonzero)
def flatnonzero(a: Any) -> Any:
    """Trace ``np.flatnonzero``."""
    return _places(np.ravel(a))[0]


@face(np.compress)
def compress(condition: Any, a: Any, axis: Any = None, out: Any = None) -> Any:
    """Trace ``np.compress``."""
    only("np.compress", out=out)
    condition, a = array_of(condition), array_of(a)
    if condition.ndim != 1:
        raise ShapeError(f"{user_line()}: np.compress needs a condition of one axis")
    if axis is None:
        a, axis = np.ravel(a), 0
    place = one_axis(axis, a.ndim)
    chosen = condition != 0
    missing = a.shape[place] - condition.shape[0]
    if missing > 0:
        chosen = np.concatenate([chosen, np.zeros(missing, bool)])
    elif missing < 0:
        chosen = chosen[: a.shape[place]]
    return getitem(a, (slice(None),) * place + (chosen,))


@face(method="compress")
def _compress_method(a: Any, condition: Any, axis: Any = None, out: Any = None) -> Any:
    return compress(condition, a, axis, out)


@face(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """Trace ``np.extract``."""
    return compress(np.ravel(array_of(condition)), np.ravel(array_of(arr)))


def _promoted(choices: list[Any]) -> list[Any]:
    """Return the choices as arrays of one dtype; a Python number decides none."""
    weak = [type(each) in (int, float, complex) for each in choices]
    parts = [each if w else array_of(each) for each, w in zip(choices, weak, strict=True)]
    dtype = np.result_type(*parts)
    return [
        np.asarray(each, dtype) if w else np.astype(each, dtype)
        for each, w in zip(parts, weak, strict=True)
    ]


@face(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """Trace ``np.choose``: take along the axis on which the choices are stacked."""
    only("np.choose", out=out)
    parts = _promoted(list(choices))
    a = _modular(array_of(a), len(parts), mode, "np.choose")
    shape = np.broadcast_shapes(a.shape, *(each.shape for each in parts))
    stacked = np.stack([np.broadcast_to(each, shape) for each in parts])
    indices = np.broadcast_to(a, shape)[None]
    if not shape:
        return getitem(stacked, indices[0])
    return getitem(take_along_axis(stacked, indices, 0), 0)


@face(method="choose")
def _choose_method(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    return choose(a, choices, out, mode)


# Indices made of arrays, and indices of a shape.


@face(np.ix_)
def ix_(*args: Any) -> tuple[Any, ...]:
    """Trace ``np.ix_``."""
    made = []
    for k, each in enumerate(map(array_of, args)):
        if each.ndim != 1:
            raise ShapeError(f"{user_line()}: np.ix_ needs arrays of one axis")
        places: Any = np.flatnonzero(each) if each.dtype.kind == "b" else each
        if not places.size and not is_node(places):
            places = places.astype(np.intp)
        shape = (1,) * k + (-1,) + (1,) * (len(args) - k - 1)
        made.append(np.reshape(places, shape))
    return tuple(made)


@face(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Any, ...]:
    """Trace ``np.unravel_index``."""
    lengths = lengths_of(shape)
    places = []
    for length in lengths[::-1] if order == "C" else lengths:
        places.append(indices % length)
        indices = indices // length
    return tuple(places[::-1] if order == "C" else places)


def _of_shape(make: Callable[..., Any]) -> Callable[..., Any]:
    def indices(arr: Any, k: int = 0) -> Any:
        # They depend on the shape alone, so they are constants.
        return make(arr.shape[-2], k=k, m=arr.shape[-1])

    return indices


face(np.tril_indices_from)(_of_shape(np.tril_indices))
face(np.triu_indices_from)(_of_shape(np.triu_indices))


@face(np.diag_indices_from)
def diag_indices_from(arr: Any) -> Any:
    """Return the indices of the diagonal: they depend on the shape alone."""
    return np.diag_indices(arr.shape[0], arr.ndim)


# What writes into an array.


def _in_place(what: str, advice: str) -> Callable[..., NoReturn]:
    return refused(
        what, f"it writes into an array, and a node cannot be assigned into; use {advice}"
    )


_IN_PLACE: Sequence[tuple[Any, str, str]] = (
    (np.put_along_axis, "np.put_along_axis", "bw.at(x)[index].set(v) with the full index"),
    (np.fill_diagonal, "np.fill_diagonal", "bw.at(x)[np.diag_indices(n)].set(v)"),
    (np.put, "np.put", "bw.at(np.ravel(x))[indices].set(v)"),
    (np.place, "np.place", "np.where(mask, v, x), or bw.at(x)[mask].set(v)"),
    (np.putmask, "np.putmask", "np.where(mask, v, x), or bw.at(x)[mask].set(v)"),
    (np.copyto, "np.copyto", "np.where(mask, v, x), or the new array itself"),
)
for _function, _what, _advice in _IN_PLACE:
    face(_function)(_in_place(_what, _advice))
face(method="put")(_in_place("x.put", "bw.at(np.ravel(x))[indices].set(v)"))
face(method="fill")(_in_place("x.fill", "np.full_like(x, v)"))
