"""The traced forms of statistics: averages, medians and quantiles, covariances, counts.

An order statistic is taken by the places that sorting would give the entries; the message goes
back to the entries that were taken, and the places have no gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import ShapeError, TraceError
from ...rules.primitive import Recorded
from ...rules.reductions import float_dtype
from ...source_line import user_line
from .reductions import axes_of, cast, kept
from .register import array_of, face, only, record, refused

# Averages and covariances.


@face(np.average)
def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False
) -> Any:
    """Trace ``np.average``."""
    a = array_of(a)
    axes = axes_of(axis, a.ndim)
    options: dict[str, Any] = {"axis": axes, "keepdims": kept(keepdims)}
    if weights is None:
        mean = np.mean(a, **options)
        if not returned:
            return mean
        count = a.size / mean.size if mean.size else 0.0
        return mean, np.full(mean.shape, count, mean.dtype)
    weights = array_of(weights)
    if weights.shape != a.shape:
        if axes is None or weights.shape != tuple(a.shape[i] for i in axes):
            raise ShapeError(
                f"{user_line()}: np.average of shape {a.shape} over axis {axis} with weights of "
                f"shape {weights.shape}"
            )
        weights = np.transpose(weights, tuple(np.argsort(axes).tolist()))
        lengths = tuple(n if i in axes else 1 for i, n in enumerate(a.shape))
        weights = np.reshape(weights, lengths)
    dtypes = [a.dtype, weights.dtype] + ([np.dtype(float)] if a.dtype.kind in "biu" else [])
    dtype = np.result_type(*dtypes)
    total = np.sum(weights, dtype=dtype, **options)
    mean = np.sum(cast(a, dtype) * cast(weights, dtype), **options) / total
    return (mean, np.broadcast_to(total, mean.shape)) if returned else mean


def _one_dimensional(weights: Any, count: int, what: str) -> Any:
    weights = array_of(weights)
    if weights.shape != (count,):
        raise ShapeError(
            f"{user_line()}: np.cov of {count} samples with {what}= of shape {weights.shape}"
        )
    return cast(weights, np.dtype(float))


def _variables(m: Any, rowvar: bool, dtype: Any) -> Any:
    """Return observations with a row for each variable."""
    if m.ndim > 2:
        raise ShapeError(f"{user_line()}: np.cov of an array of {m.ndim} axes, and 2 is the most")
    m = cast(m, dtype)
    if m.ndim < 2:
        return np.reshape(m, (1, m.size))
    return m if rowvar else np.transpose(m)


@face(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """Trace ``np.cov``."""
    m = array_of(m)
    y = None if y is None else array_of(y)
    if dtype is None:
        dtype = np.result_type(m.dtype, float, *(() if y is None else (y.dtype,)))
    x = _variables(m, rowvar, np.dtype(dtype))
    if y is not None:
        more = _variables(y, rowvar or (y.ndim == 2 and y.shape[0] == 1), np.dtype(dtype))
        x = np.concatenate([x, more])
    free = (0 if bias else 1) if ddof is None else ddof
    count = x.shape[1]
    weights = None
    if fweights is not None:
        weights = _one_dimensional(fweights, count, "fweights")
    if aweights is not None:
        aweights = _one_dimensional(aweights, count, "aweights")
        weights = aweights if weights is None else weights * aweights
    if weights is None:
        centred = x - np.mean(x, axis=1, keepdims=True)
        weighted, divisor = centred, max(count - free, 0)
    else:
        total = np.sum(weights)
        centred = x - np.reshape(x @ weights / total, (x.shape[0], 1))
        weighted, divisor = centred * weights, total
        if free and aweights is None:
            divisor = total - free
        elif free:
            divisor = total - free * np.sum(weights * aweights) / total
    other = np.conjugate(weighted) if weighted.dtype.kind == "c" else weighted
    product = centred @ np.transpose(other)
    covariance = product / (divisor if isinstance(divisor, Recorded) else np.float64(divisor))
    covariance = cast(covariance, product.dtype)
    return np.reshape(covariance, ()) if covariance.shape == (1, 1) else covariance


@face(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """Trace ``np.corrcoef``."""
    c = np.cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    each = np.arange(c.shape[0])
    variance = c[each, each]
    deviation = np.sqrt(np.real(variance) if c.dtype.kind == "c" else variance)
    return c / np.reshape(deviation, (len(each), 1)) / deviation


# Medians and quantiles.

_DISCRETE = ("inverted_cdf", "closest_observation", "lower", "higher", "nearest")


def _rows(a: Any, axis: Any, what: str) -> tuple[Any, tuple[int, ...]]:
    """Bring the reduced axes to the end, as one; return the shape with each of them of length 1."""
    if a.dtype.kind == "c":
        raise TraceError(f"{user_line()}: {what} orders its entries, and they are complex")
    axes = tuple(range(a.ndim)) if axis is None else axes_of(axis, a.ndim) or ()
    stay = tuple(i for i in range(a.ndim) if i not in axes)
    ones = tuple(1 if i in axes else n for i, n in enumerate(a.shape))
    shape = tuple(a.shape[i] for i in stay)
    length = 1
    for i in axes:
        length *= a.shape[i]
    if length == 0:
        raise ShapeError(f"{user_line()}: {what} of an axis of length 0 has no value")
    if stay + axes != tuple(range(a.ndim)):
        a = np.transpose(a, stay + axes)
    return (a if a.shape == (*shape, length) else np.reshape(a, (*shape, length))), ones


def _taken(rows: Any, order: Any, places: Any, distinct: bool) -> Any:
    """Take the entries that stand at these places once the rows are sorted."""
    if isinstance(places, np.ndarray | slice):
        which = order[..., places]
    else:  # one for each row, or for all
        shape = places.shape if places.ndim > 1 else (1,) * (rows.ndim - 1) + places.shape
        which = np.take_along_axis(order, np.reshape(places, shape), axis=-1)
    if isinstance(rows, Recorded) or isinstance(which, Recorded):
        return record("take_along_axis", rows, which, axis=rows.ndim - 1, distinct=distinct)
    return np.take_along_axis(rows, which, axis=-1)


def _between(rows: Any, order: Any, low: Any, share: Any, last: Any, dtype: Any) -> Any:
    """Interpolate: by ``share`` of the way from the sorted place ``low`` to the next."""
    one = low.shape[-1] == 1
    if isinstance(share, np.ndarray):
        if not share.any():
            return cast(_taken(rows, order, low, one), dtype)
        if one:  # the two neighbours are taken together, and weighted
            both = _taken(rows, order, np.concatenate([low, low + 1]), True)
            return cast(both, dtype) @ np.stack([1.0 - share, share]).astype(dtype)
    lower = cast(_taken(rows, order, low, one), dtype)
    upper = cast(_taken(rows, order, np.minimum(low + 1, last), one), dtype)
    return lower + (upper - lower) * cast(share, dtype)


def _finish(result: Any, count: int | None, ones: tuple[int, ...], keepdims: bool) -> Any:
    """Put an axis of several quantiles first, and the reduced axes back if they are kept."""
    shape = result.shape[:-1]
    if count is None:
        return np.reshape(result, ones if keepdims else shape)
    if result.ndim > 1:
        result = np.moveaxis(result, -1, 0)
    return np.reshape(result, (count, *ones)) if keepdims else result


def _place(q: Any, count: Any, method: str, what: str) -> Any:
    """Return where quantile q stands among ``count`` sorted entries; both may be nodes."""
    place = q * (count - 1)
    if method == "linear":
        return place
    if method == "lower":
        return np.floor(place)
    if method == "higher":
        return np.ceil(place)
    if method == "nearest":
        return np.rint(place)
    if method == "midpoint":
        return 0.5 * (np.floor(place) + np.ceil(place))
    raise TraceError(
        f"{user_line()}: {what} with method={method!r} cannot be traced here; the methods linear, "
        f"lower, higher, nearest and midpoint can"
    )


def _is_weak(q: Any) -> bool:
    return type(q) in (int, float)


def _quantile(
    a: Any, q: Any, axis: Any, keepdims: bool, method: str, what: str, skip_nan: bool
) -> Any:
    """Interpolate between the two entries beside each quantile."""
    a = array_of(a)
    weak = _is_weak(q)
    q = array_of(q)
    if q.ndim > 1:
        raise ShapeError(f"{user_line()}: {what} takes q of one number or one axis, not {q.shape}")
    traced = isinstance(q, Recorded)
    if not traced and not bool(np.all((q >= 0) & (q <= 1))):
        raise TraceError(f"{user_line()}: {what} takes quantiles from 0 to 1, or 0 to 100 percent")
    rows, ones = _rows(a, axis, what)
    n = rows.shape[-1]
    floating = a.dtype.kind == "f"
    count = None if q.ndim == 0 else q.shape[0]
    q = np.reshape(q, (1,)) if q.ndim == 0 else q
    discrete = method in _DISCRETE or (method == "linear" and q.dtype.kind in "biu")
    dtype = float_dtype(a.dtype) if weak else np.result_type(a.dtype, float_dtype(q.dtype))
    order = np.argsort(rows, axis=-1)
    skip_nan = skip_nan and floating
    if skip_nan:
        present = np.sum(np.logical_not(np.isnan(rows)), axis=-1, keepdims=True)
        place = np.maximum(_place(q, present, method, what), 0.0)
        last: Any = np.maximum(present - 1, 0)
    elif traced or (method == "linear" and n):
        place, last = _place(q, n, method, what), n - 1
    else:
        try:  # among 0, 1, 2, ... a quantile is its own place
            place = np.quantile(np.arange(float(n)), q, method=method)  # type: ignore[call-overload]
        except ValueError as error:
            raise TraceError(f"{user_line()}: {what}: {error}") from None
        last = n - 1
    low = np.floor(place)
    share = place - low
    low = low.astype(np.intp)
    if discrete:
        result = _taken(rows, order, low, count is None)
    else:
        result = _between(rows, order, low, share, last, dtype)
    if floating and not skip_nan:
        # A NaN is sorted to the end.
        end = _taken(rows, order, slice(n - 1, n), True)
        result = np.where(np.isnan(end), np.nan, result)
    return _finish(result, count, ones, keepdims)


def _quantiles(name: str, percent: bool, skip_nan: bool) -> Callable[..., Any]:
    def quantile(
        a: Any,
        q: Any,
        axis: Any = None,
        out: Any = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: Any = False,
        *,
        weights: Any = None,
    ) -> Any:
        what = f"np.{name}"
        only(what, out=out, weights=weights)
        if percent:
            q = q / 100 if _is_weak(q) else array_of(q) / 100
        return _quantile(a, q, axis, kept(keepdims), method, what, skip_nan)

    return quantile


face(np.quantile)(_quantiles("quantile", False, False))
face(np.percentile)(_quantiles("percentile", True, False))
face(np.nanquantile)(_quantiles("nanquantile", False, True))
face(np.nanpercentile)(_quantiles("nanpercentile", True, True))


def _median(name: str, skip_nan: bool) -> Callable[..., Any]:
    def median(
        a: Any,
        axis: Any = None,
        out: Any = None,
        overwrite_input: bool = False,
        keepdims: Any = False,
    ) -> Any:
        only(f"np.{name}", out=out)
        return _quantile(a, 0.5, axis, kept(keepdims), "linear", f"np.{name}", skip_nan)

    return median


face(np.median)(_median("median", False))
face(np.nanmedian)(_median("nanmedian", True))


# Counts.


@face(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: Any = 0) -> Any:
    """Trace ``np.bincount``: each weight is added at its number's place.

    How long the result is depends on the largest number, which is guarded if it is traced.
    """
    x = array_of(x)
    if x.ndim != 1 or x.dtype.kind not in "biu":
        raise ShapeError(
            f"{user_line()}: np.bincount counts whole numbers on one axis, and was given "
            f"{x.dtype}{list(x.shape)}"
        )
    length = max(int(np.max(x)) + 1 if x.size else 0, int(minlength))
    x = cast(x, np.dtype(np.intp))
    if weights is None:
        weights = np.ones(x.shape, np.intp)
    else:
        weights = array_of(weights)
        if weights.shape != x.shape or weights.dtype.kind == "c":
            raise ShapeError(
                f"{user_line()}: np.bincount of {x.shape} numbers with weights "
                f"{weights.dtype}{list(weights.shape)}"
            )
        weights = cast(weights, np.dtype(float))
    return record("scatter", weights, x, index=(("array", 0),), shape=(length,))


for _function in (np.histogram, np.histogram2d, np.histogramdd, np.histogram_bin_edges):
    face(_function)(
        refused(
            f"np.{_function.__name__}",
            "it sorts entries into bins and counts them, and no derivative passes through that; "
            "call it on plain arrays, outside of the traced function",
        )
    )
