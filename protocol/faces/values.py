"""The traced forms of choosing and casting, and of what needs only a shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import TraceError
from ..rules.primitive import Recorded
from ..traced import Traced, user_line
from .register import MISSING, face, lengths_of, only, record


@face(np.where)
def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    """Trace ``np.where`` with three arguments."""
    if x is None or y is None:
        raise TraceError(
            f"{user_line()}: np.where with one argument has a shape that depends on values; "
            f"use np.where(condition, x, y)"
        )
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
    return a if wanted == a.dtype else record("astype", a, dtype=wanted.str)


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


def _like(make: Callable[..., Any]) -> Callable[..., Any]:
    def like(
        a: Any,
        dtype: Any = None,
        order: Any = "K",
        subok: Any = True,
        shape: Any = None,
        **options: Any,
    ) -> Any:
        # It depends on the shape alone, so it is a constant.
        return make(a.shape if shape is None else shape, dtype or a.dtype)

    return like


face(np.zeros_like)(_like(np.zeros))
face(np.ones_like)(_like(np.ones))


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
    lengths = a.shape if shape is None else lengths_of(shape)
    if isinstance(fill_value, Recorded):
        filled = record("broadcast_to", fill_value, shape=lengths)
        return astype(filled, dtype or a.dtype)
    return np.full(lengths, fill_value, dtype or a.dtype)
