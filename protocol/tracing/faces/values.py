"""The traced forms of choosing and casting, and of what needs only a shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import TraceError
from ...rules import TABLE
from ...rules.primitive import Recorded
from ...source_line import user_line
from ..traced import Traced
from .register import MISSING, face, lengths_of, only, record


@face(np.where)
def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    """Trace ``np.where``; with one argument it is np.nonzero."""
    if x is None and y is None:
        return np.nonzero(condition)
    if x is None or y is None:
        raise TraceError(f"{user_line()}: np.where takes one or three arguments")
    if isinstance(condition, bool | int | float):  # CuPy's takes no Python number
        condition = np.bool_(condition)
    return record("where", condition, x, y)


@face(np.clip, method="clip")
def clip(a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, **options: Any) -> Any:
    """Trace ``np.clip`` by np.maximum and np.minimum."""
    a_min, a_max = options.pop("min", a_min), options.pop("max", a_max)
    only("np.clip", out=out, **options)
    if a_min is not None and a_min is not MISSING:
        a = np.maximum(a, a_min)
    return a if a_max is None or a_max is MISSING else np.minimum(a, a_max)


@face(np.astype, method="astype")
def astype(a: Any, dtype: Any, *args: Any, **options: Any) -> Any:
    """Trace ``astype``."""
    wanted = np.dtype(dtype)
    if wanted == a.dtype:
        return a
    plain = not isinstance(a, Recorded)
    return a.astype(wanted) if plain else record("astype", a, dtype=wanted.str)


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


def _filled(a: Any, fill: Any, dtype: Any, shape: Any) -> Any:
    """Return one number, broadcast by a node: nothing of the array's size is held."""
    number = np.asarray(fill).astype(a.dtype if dtype is None else dtype)[()]
    lengths = a.shape if shape is None else lengths_of(shape)
    if number.shape == lengths:
        return number
    return a.record(TABLE["broadcast_to"], (number,), {"shape": lengths})


def _like(fill: int) -> Callable[..., Any]:
    def like(
        a: Any,
        dtype: Any = None,
        order: Any = "K",
        subok: Any = True,
        shape: Any = None,
        **options: Any,
    ) -> Any:
        return _filled(a, fill, dtype, shape)

    return like


face(np.zeros_like, np.empty_like)(_like(0))
face(np.ones_like)(_like(1))


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
    """Trace ``np.full_like``: a number, or the node that fills it, broadcast."""
    if not isinstance(fill_value, Recorded):
        return _filled(a, fill_value, dtype, shape)
    lengths = a.shape if shape is None else lengths_of(shape)
    return astype(record("broadcast_to", fill_value, shape=lengths), dtype or a.dtype)
