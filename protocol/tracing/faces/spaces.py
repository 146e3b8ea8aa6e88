"""The traced forms of evenly spaced numbers: ``np.linspace`` and its kin."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ...arrays import real_of
from ...errors import ShapeError
from ...source_line import user_line
from .register import array_of, face, one_axis
from .values import astype


def _count(num: Any) -> int:
    count = operator.index(num) if isinstance(num, int | np.integer) else -1
    if count < 0:
        raise ShapeError(f"{user_line()}: {num!r:.40} evenly spaced numbers: give a whole number")
    return count


def _ends(start: Any, stop: Any) -> tuple[Any, Any]:
    """Return both ends in the dtype of the result; a Python number decides none."""
    known = [
        v if isinstance(v, int | float | complex) else array_of(v).dtype for v in (start, stop)
    ]
    dtype = np.result_type(*known)
    dtype = dtype if dtype.kind in "fc" else np.dtype(float)
    return astype(array_of(start), dtype), astype(array_of(stop), dtype)


@face(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: Any = True,
    retstep: Any = False,
    dtype: Any = None,
    axis: Any = 0,
    **options: Any,
) -> Any:
    """Trace ``np.linspace``: both ends have a gradient."""
    count = _count(num)
    start, stop = _ends(start, stop)
    delta = stop - start
    parts = count - 1 if endpoint else count
    step = delta / parts if parts > 0 else delta * np.nan
    places = np.reshape(np.arange(count, dtype=real_of(delta.dtype)), (-1,) + (1,) * delta.ndim)
    y = places * (step if parts > 0 else delta) + start
    if endpoint and count > 1:
        y = np.where(places == count - 1, stop, y)
    if axis != 0:
        y = np.moveaxis(y, 0, one_axis(axis, y.ndim))
    if dtype is not None:
        whole = np.dtype(dtype).kind in "iu"
        y = astype(np.floor(y) if whole else y, dtype)
    return (y, step) if retstep else y


@face(np.logspace)
def logspace(
    start: Any,
    stop: Any,
    num: Any = 50,
    endpoint: Any = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: Any = 0,
) -> Any:
    """Trace ``np.logspace``: powers of the base."""
    if np.ndim(base):
        try:
            shape = np.broadcast_shapes(*(array_of(v).shape for v in (start, stop, base)))
        except ValueError as error:
            raise ShapeError(f"{user_line()}: np.logspace: {error}") from None
        stack = np.zeros(shape)
        start, stop, base = (
            start + stack,
            stop + stack,
            np.expand_dims(array_of(base) + stack, axis),
        )
    y = np.power(base, np.linspace(start, stop, num, endpoint, axis=axis))
    return y if dtype is None else astype(y, dtype)


@face(np.geomspace)
def geomspace(
    start: Any, stop: Any, num: Any = 50, endpoint: Any = True, dtype: Any = None, axis: Any = 0
) -> Any:
    """Trace ``np.geomspace`` of real numbers of one sign: evenly spaced in the logarithm."""
    start, stop = _ends(start, stop)
    if start.dtype.kind == "c" or stop.dtype.kind == "c":
        raise ShapeError(f"{user_line()}: np.geomspace of complex numbers cannot be traced")
    sign = np.sign(start)
    logs = np.linspace(np.log10(start * sign), np.log10(stop * sign), num, endpoint)
    y = sign * np.power(10.0, logs)
    count = logs.shape[0]
    places = np.reshape(np.arange(count), (-1,) + (1,) * (y.ndim - 1))
    if count > 0:  # the ends are as given
        y = np.where(places == 0, start, y)
    if endpoint and count > 1:
        y = np.where(places == count - 1, stop, y)
    if axis != 0:
        y = np.moveaxis(y, 0, one_axis(axis, y.ndim))
    return y if dtype is None else astype(y, dtype)
