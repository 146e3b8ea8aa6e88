"""The traced forms of reductions: ``np.sum``, ``np.max``, ``np.var`` and their like.

Without options a reduction is one node. ``where=`` and ``initial=`` are written with np.where:
what is left out becomes what the reduction does not notice, 0 in a sum and 1 in a product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...arrays import real_of
from ...errors import ShapeError, TraceError
from ...rules import TABLE
from ...rules.elementwise import LOG_2
from ...rules.reductions import float_dtype, reduced_shape, reduced_size
from ...source_line import user_line
from .register import MISSING, all_axes, array_of, face, one_axis, only, record

Axes = tuple[int, ...] | None


def axes_of(axis: Any, ndim: int) -> Axes:
    """Return axes counted from 0; NumPy lets a number without axes be reduced over axis 0."""
    if axis is None:
        return None
    if type(axis) is int:
        if 0 <= axis < ndim:
            return (axis,)
        if ndim == 0 and axis in (0, -1):
            return ()
    return all_axes(axis, ndim)


def cast(value: Any, dtype: Any) -> Any:
    """Return the value with this dtype."""
    return value if value.dtype == dtype else value.astype(dtype)


def mask_of(where: Any, a: Any, what: str) -> Any:
    """Return ``where=`` as an array of truths that broadcasts to a's shape; None if it is True."""
    if where is None or where is MISSING or where is True:
        return None
    mask = array_of(where)
    if mask.dtype.kind != "b":
        raise TraceError(f"{user_line()}: {what} takes truths as where=, not {mask.dtype}")
    try:
        fits = np.broadcast_shapes(mask.shape, a.shape) == a.shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            f"{user_line()}: {what}: where= of shape {mask.shape} does not broadcast to {a.shape}"
        )
    return mask


def kept(keepdims: Any) -> bool:
    """Return ``keepdims=`` as True or False."""
    return keepdims is not MISSING and bool(keepdims)


def lowest(dtype: Any) -> Any:
    """Return the least value of a dtype, which no maximum notices."""
    if dtype.kind == "b":
        return False
    if dtype.kind == "c":
        return dtype.type(complex(-np.inf, -np.inf))
    return -np.inf if dtype.kind == "f" else int(np.iinfo(dtype).min)


def highest(dtype: Any) -> Any:
    """Return the greatest value of a dtype, which no minimum notices."""
    if dtype.kind == "b":
        return True
    if dtype.kind == "c":
        return dtype.type(complex(np.inf, np.inf))
    return np.inf if dtype.kind == "f" else int(np.iinfo(dtype).max)


# For each reduction: what it does not notice, and how an initial value joins its result.
NEUTRAL: dict[str, tuple[Callable[[Any], Any], Callable[[Any, Any], Any] | None]] = {
    "sum": (lambda dtype: 0, np.add),
    "prod": (lambda dtype: 1, np.multiply),
    "max": (lowest, np.maximum),
    "min": (highest, np.minimum),
    "any": (lambda dtype: False, np.logical_or),
    "all": (lambda dtype: True, np.logical_and),
    "mean": (lambda dtype: 0, None),
}


def _with_options(
    name: str, a: Any, axis: Any, dtype: Any, out: Any, keepdims: bool, initial: Any, where: Any
) -> Any:
    """Compose a reduction that has more than an axis."""
    what = f"np.{name}"
    only(what, out=out)
    a = array_of(a)
    if dtype is not None:
        a = cast(a, np.dtype(dtype))
    axes = axes_of(axis, a.ndim)
    options: dict[str, Any] = {"axis": axes, "keepdims": keepdims}
    mask = mask_of(where, a, what)
    has_initial = initial is not None and initial is not MISSING
    if name == "mean" and mask is not None:
        a = cast(a, float_dtype(a.dtype))
        result = np.sum(np.where(mask, a, 0), **options) / _count(mask, a, axes, keepdims)
        return result if dtype is None else cast(result, np.dtype(dtype))
    function = getattr(np, name)
    if name in ("max", "min"):
        if mask is not None and not has_initial:
            raise TraceError(
                f"{user_line()}: {what} with where= needs initial=, its value where all is left out"
            )
        if has_initial and reduced_size(a, axes) == 0:
            start = cast(array_of(initial), a.dtype)
            return np.broadcast_to(start, reduced_shape(a, axes, keepdims))
    if mask is not None:
        a = np.where(mask, a, NEUTRAL[name][0](a.dtype))
    result = function(a, **options)
    join = NEUTRAL[name][1]
    if has_initial and join is not None:
        result = join(result, cast(array_of(initial), result.dtype))
    return result if dtype is None else cast(result, np.dtype(dtype))


def _count(mask: Any, a: Any, axes: Axes, keepdims: bool) -> Any:
    """Count the truths of a mask that broadcasts to a, as numbers of a's dtype."""
    each = cast(np.broadcast_to(mask, a.shape), real_of(a.dtype))
    return np.sum(each, axis=axes, keepdims=keepdims)


def _reduction(name: str) -> Callable[..., Any]:
    primitive = TABLE[name]

    def reduce(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        keepdims: Any = False,
        initial: Any = MISSING,
        where: Any = MISSING,
    ) -> Any:
        keep = keepdims is not False and kept(keepdims)
        if dtype is None and out is None and initial is MISSING and where is MISSING:
            attributes = {"axis": axes_of(axis, len(a.shape)), "keepdims": keep}
            return a.record(primitive, (a,), attributes)
        return _with_options(name, a, axis, dtype, out, keep, initial, where)

    return reduce


def _without_dtype(name: str) -> Callable[..., Any]:
    general = _reduction(name)

    def reduce(
        a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, *more: Any, **options: Any
    ) -> Any:
        return general(a, axis, None, out, keepdims, *more, **options)

    return reduce


def _ufunc_reduce(name: str) -> Callable[..., Any]:
    general = _reduction(name)

    def reduce(a: Any, axis: Any = 0, *more: Any, **options: Any) -> Any:
        return general(a, axis, *more, **options)

    return reduce


face(np.sum, method="sum")(_reduction("sum"))
face(np.mean, method="mean")(_reduction("mean"))
face(np.prod, method="prod")(_reduction("prod"))
face(np.max, np.amax, method="max")(_without_dtype("max"))
face(np.min, np.amin, method="min")(_without_dtype("min"))
face(np.any, method="any")(_without_dtype("any"))
face(np.all, method="all")(_without_dtype("all"))
for _ufunc, _name in {
    "add": "sum",
    "multiply": "prod",
    "maximum": "max",
    "minimum": "min",
    "logical_or": "any",
    "logical_and": "all",
}.items():
    face(method=f"{_ufunc}.reduce")(_ufunc_reduce(_name))


def _logaddexp_reduce(ufunc: np.ufunc, scale: float) -> Callable[..., Any]:
    def reduce(
        a: Any,
        axis: Any = 0,
        dtype: Any = None,
        out: Any = None,
        keepdims: Any = False,
        initial: Any = MISSING,
        where: Any = MISSING,
    ) -> Any:
        what = f"np.{ufunc.__name__}.reduce"
        only(what, out=out)
        a = array_of(a)
        a = cast(a, float_dtype(a.dtype) if dtype is None else np.dtype(dtype))
        mask = mask_of(where, a, what)
        if mask is not None:
            a = np.where(mask, a, -np.inf)
        if scale != 1.0:
            a = a * scale
        result = record("logsumexp", a, axis=axes_of(axis, a.ndim), keepdims=kept(keepdims))
        if scale != 1.0:
            result = result / scale
        if initial is None or initial is MISSING:
            return result
        return ufunc(result, cast(array_of(initial), result.dtype))

    return reduce


face(method="logaddexp.reduce")(_logaddexp_reduce(np.logaddexp, 1.0))
face(method="logaddexp2.reduce")(_logaddexp_reduce(np.logaddexp2, LOG_2))


@face(method="hypot.reduce")
def hypot_reduce(a: Any, axis: Any = 0, dtype: Any = None, out: Any = None, **options: Any) -> Any:
    """Trace ``np.hypot.reduce`` over one axis: the norm along it."""
    keepdims = kept(options.pop("keepdims", False))
    only("np.hypot.reduce", out=out, **options)
    if dtype is not None:
        a = cast(a, np.dtype(dtype))
    return np.linalg.norm(a, axis=one_axis(axis, a.ndim), keepdims=keepdims)


def ddof_of(ddof: float, correction: Any, what: str) -> float:
    """Return the degrees of freedom that are taken off; they have two names."""
    if correction is None or correction is MISSING:
        return ddof
    if ddof != 0:
        raise TraceError(f"{user_line()}: {what} takes ddof= or correction=, not both")
    return float(correction)


def _spread(name: str) -> Callable[..., Any]:
    primitive = TABLE[name]

    def reduce(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: float = 0,
        keepdims: Any = False,
        *,
        where: Any = MISSING,
        mean: Any = MISSING,
        correction: Any = MISSING,
    ) -> Any:
        only(f"np.{name}", out=out)
        ddof = ddof_of(ddof, correction, f"np.{name}")
        a = array_of(a)
        if dtype is not None:
            a = cast(a, np.dtype(dtype))
        axes, keep = axes_of(axis, a.ndim), kept(keepdims)
        mask = mask_of(where, a, f"np.{name}")
        if mask is None and (mean is None or mean is MISSING):
            return record(primitive.name, a, axis=axes, keepdims=keep, ddof=float(ddof))
        return spread_about(name, cast(a, float_dtype(a.dtype)), axes, keep, ddof, mask, mean)

    return reduce


def spread_about(
    name: str,
    a: Any,
    axes: Axes,
    keepdims: bool,
    ddof: float,
    mask: Any,
    mean: Any,
    none_free: float = 0.0,
) -> Any:
    """Compose a variance or deviation with ``where=`` or about a mean that is given.

    Where no degree of freedom is left, the sum of squares is divided by ``none_free``.
    """
    if mean is None or mean is MISSING:
        mean = np.mean(a, axis=axes, keepdims=True, where=mask)
    centred = a - mean
    if mask is None:
        free: Any = reduced_size(a, axes) - ddof
        free = real_of(a.dtype).type(free if free > 0 else none_free)
    else:
        centred = np.where(mask, centred, 0)
        free = _count(mask, a, axes, keepdims) - ddof
        free = np.where(free > 0, free, none_free)
    if centred.dtype.kind == "c":
        squares = np.square(np.real(centred)) + np.square(np.imag(centred))
    else:
        squares = np.square(centred)
    variance = np.sum(squares, axis=axes, keepdims=keepdims) / free
    if name == "var":
        return variance
    # The deviation of entries that are all equal is 0, and so is its derivative.
    return np.where(variance == 0, 0, np.sqrt(np.where(variance == 0, 1, variance)))


face(np.var, method="var")(_spread("var"))
face(np.std, method="std")(_spread("std"))


def _arg(name: str) -> Callable[..., Any]:
    def reduce(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
        only(f"np.{name}", out=out)
        place = None if axis is None else one_axis(axis, a.ndim)
        return record(name, a, axis=place, keepdims=kept(keepdims))

    return reduce


face(np.argmax, method="argmax")(_arg("argmax"))
face(np.argmin, method="argmin")(_arg("argmin"))


@face(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: Any = False) -> Any:
    """Trace ``np.count_nonzero``."""
    return np.sum(a if a.dtype.kind == "b" else a != 0, axis=axis, keepdims=kept(keepdims))


@face(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    """Trace ``np.ptp``."""
    only("np.ptp", out=out)
    options = {"axis": axis, "keepdims": kept(keepdims)}
    return np.max(a, **options) - np.min(a, **options)
