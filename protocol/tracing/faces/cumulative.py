"""The traced forms of running sums, differences and integrals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from ...errors import ShapeError, TraceError
from ...rules.primitive import Recorded
from ...rules.reductions import sum_dtype
from ...source_line import user_line
from ..traced import METHODS, UFUNCS
from .reductions import cast
from .register import MISSING, array_of, face, one_axis, only, record, refused

_ATTRIBUTES: dict[str, dict[str, Any]] = {
    "cumsum": {"reverse": False},
    "cumprod": {"reverse": False, "exclusive": False},
    "maximum.accumulate": {},
    "minimum.accumulate": {},
}


def _running(name: str, what: str) -> Callable[..., Any]:
    def run(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        only(what, out=out)
        if dtype is not None:
            a = cast(a, np.dtype(dtype))
        if axis is None:
            a, axis = a if a.ndim == 1 else np.ravel(a), 0
        result = record(name, a, axis=one_axis(axis, a.ndim), **_ATTRIBUTES[name])
        return result if dtype is None else cast(result, np.dtype(dtype))

    return run


face(np.cumsum, method="cumsum")(_running("cumsum", "np.cumsum"))
face(np.cumprod, method="cumprod")(_running("cumprod", "np.cumprod"))


def _accumulate(name: str, ufunc: str) -> Callable[..., Any]:
    run = _running(name, f"np.{ufunc}.accumulate")

    def accumulate(a: Any, axis: Any = 0, dtype: Any = None, out: Any = None) -> Any:
        return run(a, axis, dtype, out)

    return accumulate


for _ufunc, _name in {
    "add": "cumsum",
    "multiply": "cumprod",
    "maximum": "maximum.accumulate",
    "minimum": "minimum.accumulate",
}.items():
    face(method=f"{_ufunc}.accumulate")(_accumulate(_name, _ufunc))


def _cumulative(name: str, first: int) -> Callable[..., Any]:
    running = _running(name, f"np.cumulative_{name[3:]}")

    def run(
        x: Any,
        /,
        *,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        include_initial: bool = False,
    ) -> Any:
        if axis is None and x.ndim > 1:
            raise ShapeError(
                f"{user_line()}: np.cumulative_{name[3:]} of {x.ndim} axes needs to be told axis="
            )
        result = running(x, axis, dtype, out)
        if not include_initial:
            return result
        place = 0 if axis is None else one_axis(axis, result.ndim)
        shape = tuple(1 if i == place else n for i, n in enumerate(result.shape))
        return np.concatenate([np.full(shape, first, result.dtype), result], axis=place)

    return run


face(np.cumulative_sum)(_cumulative("cumsum", 0))
face(np.cumulative_prod)(_cumulative("cumprod", 1))


def _nan_running(name: str, neutral: int) -> Callable[..., Any]:
    run = _running(name, f"np.nan{name}")

    def nan_run(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        if a.dtype.kind in "fc":
            a = np.where(np.isnan(a), neutral, a)
        return run(a, axis, dtype, out)

    return nan_run


face(np.nancumsum)(_nan_running("cumsum", 0))
face(np.nancumprod)(_nan_running("cumprod", 1))


# The other methods of ufuncs.


def _outer(ufunc: np.ufunc) -> Callable[..., Any]:
    def outer(a: Any, b: Any, /, **options: Any) -> Any:
        only(f"np.{ufunc.__name__}.outer", **options)
        a, b = array_of(a), array_of(b)
        return ufunc(np.reshape(a, a.shape + (1,) * b.ndim) if b.ndim else a, b)

    return outer


def _at(ufunc: np.ufunc) -> Callable[..., NoReturn]:
    advice = "bw.at(x)[i].add(v), which returns the result"
    if ufunc is not np.add:
        advice = "a function that returns the result, such as bw.at(x)[i].set(v)"
    return refused(
        f"np.{ufunc.__name__}.at", f"it changes an array in place, and nodes do not; use {advice}"
    )


for _each in UFUNCS:
    METHODS.setdefault(f"{_each.__name__}.at", _at(_each))
    if _each.nin == 2:
        METHODS.setdefault(f"{_each.__name__}.outer", _outer(_each))


def _reduceat(a: Any, indices: Any, axis: Any = 0, dtype: Any = None, out: Any = None) -> Any:
    """Trace ``np.add.reduceat``: every entry is added to the sums that it is in."""
    only("np.add.reduceat", out=out)
    if isinstance(indices, Recorded):
        raise TraceError(
            f"{user_line()}: np.add.reduceat with traced indices cannot be traced: which entries "
            f"are added would depend on their values"
        )
    starts = np.asarray(indices)
    place = one_axis(axis, a.ndim)
    length = a.shape[place]
    if starts.ndim != 1 or any(not 0 <= each < length for each in starts.tolist()):
        raise ShapeError(
            f"{user_line()}: np.add.reduceat with indices {indices!r:.60} of an axis of {length}"
        )
    a = cast(a, sum_dtype(a.dtype) if dtype is None else np.dtype(dtype))
    ends = np.maximum(np.append(starts[1:], length), starts + 1)
    lengths = ends - starts
    group = np.repeat(np.arange(len(starts)), lengths)
    skipped = np.cumsum(lengths) - lengths
    taken = np.arange(len(group)) - skipped[group] + starts[group]
    before = (slice(None),) * place
    everything = (("slice", None, None, None),) * place
    if not np.array_equal(taken, np.arange(length)):
        a = a[(*before, taken)]
    shape = tuple(len(starts) if i == place else n for i, n in enumerate(a.shape))
    return record("scatter", a, group, index=(*everything, ("array", 0)), shape=shape)


METHODS["add.reduceat"] = _reduceat


# Differences and integrals.


def _cut(axis: int, *bounds: int | None) -> tuple[slice, ...]:
    return (slice(None),) * axis + (slice(*bounds),)


def _beside(value: Any, shape: tuple[int, ...], axis: int) -> Any:
    """Return what is put before or after an array of this shape."""
    value = array_of(value)
    if value.ndim == 0:
        return np.broadcast_to(value, (*shape[:axis], 1, *shape[axis + 1 :]))
    return value


@face(np.diff)
def diff(a: Any, n: int = 1, axis: Any = -1, prepend: Any = MISSING, append: Any = MISSING) -> Any:
    """Trace ``np.diff``."""
    if n == 0:
        return a
    a = array_of(a)
    if n < 0 or a.ndim == 0:
        raise ShapeError(f"{user_line()}: np.diff of order {n} of an array of {a.ndim} axes")
    place = one_axis(axis, a.ndim)
    parts = [a]
    if prepend is not MISSING:
        parts.insert(0, _beside(prepend, a.shape, place))
    if append is not MISSING:
        parts.append(_beside(append, a.shape, place))
    if len(parts) > 1:
        a = np.concatenate(parts, axis=place)
    minus = np.not_equal if a.dtype.kind == "b" else np.subtract
    for _ in range(n):
        a = minus(a[_cut(place, 1, None)], a[_cut(place, None, -1)])
    return a


@face(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Trace ``np.ediff1d``."""
    ary = np.ravel(array_of(ary))
    parts = [ary[1:] - ary[:-1]]
    for name, value in (("to_begin", to_begin), ("to_end", to_end)):
        if value is None:
            continue
        end = np.ravel(array_of(value))
        if not np.can_cast(end.dtype, ary.dtype, casting="same_kind"):
            raise ShapeError(
                f"{user_line()}: np.ediff1d of {ary.dtype} with {name}= of {end.dtype}"
            )
        parts.insert(0 if name == "to_begin" else len(parts), cast(end, ary.dtype))
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def _aligned(steps: Any, ndim: int, axis: int) -> Any:
    """Lay steps of one axis along that axis of an array."""
    if steps.ndim == 1 and axis < ndim - 1:
        return np.reshape(steps, (steps.shape[0],) + (1,) * (ndim - 1 - axis))
    return steps


@face(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: Any = -1) -> Any:
    """Trace ``np.trapezoid``."""
    y = array_of(y)
    place = one_axis(axis, y.ndim)
    if x is None:
        steps = dx
    else:
        x = array_of(x)
        steps = np.diff(x) if x.ndim == 1 else np.diff(x, axis=place)
        steps = _aligned(steps, y.ndim, place)
    sums = y[_cut(place, 1, None)] + y[_cut(place, None, -1)]
    return np.sum(steps * sums / 2.0, axis=place)


def _slope(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    """Take second-order differences inside, one-sided ones of ``edge_order`` at the ends."""
    n = f.shape[axis]
    if n < edge_order + 1:
        raise ShapeError(
            f"{user_line()}: np.gradient needs {edge_order + 1} entries along axis {axis}, "
            f"which has {n}"
        )
    uniform = np.ndim(spacing) == 0

    def at(*bounds: int | None) -> Any:
        return f[_cut(axis, *bounds)]

    def end(place: int) -> Any:
        return at(place, place + 1 or None)

    def step(*bounds: int | None) -> Any:
        return spacing if uniform else _aligned(spacing[slice(*bounds)], f.ndim, axis)

    first = (end(1) - end(0)) / step(0, 1)
    last = (end(-1) - end(-2)) / step(-1, None)
    if n == 2:
        return np.concatenate([first, last], axis=axis)
    if uniform:
        inside = (at(2, None) - at(None, -2)) / (2.0 * spacing)
    else:
        left, right = step(None, -1), step(1, None)
        inside = (
            at(None, -2) * (-right / (left * (left + right)))
            + at(1, -1) * ((right - left) / (left * right))
            + at(2, None) * (left / (right * (left + right)))
        )
    if edge_order == 2:
        a, b = step(0, 1), spacing if uniform else step(1, 2)
        first = (
            end(0) * (-(2.0 * a + b) / (a * (a + b)))
            + end(1) * ((a + b) / (a * b))
            + end(2) * (-a / (b * (a + b)))
        )
        a, b = step(-2, -1), step(-1, None)
        last = (
            end(-3) * (b / (a * (a + b)))
            + end(-2) * (-(b + a) / (a * b))
            + end(-1) * ((2.0 * b + a) / (b * (a + b)))
        )
    return np.concatenate([first, inside, last], axis=axis)


@face(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Trace ``np.gradient``."""
    f = array_of(f)
    if axis is None:
        axes = tuple(range(f.ndim))
    else:
        axes = tuple(
            one_axis(i, f.ndim) for i in (axis if isinstance(axis, tuple | list) else (axis,))
        )
    if edge_order not in (1, 2):
        raise TraceError(f"{user_line()}: np.gradient has edge_order 1 or 2, not {edge_order!r}")
    if not varargs:
        spacings: list[Any] = [1.0] * len(axes)
    elif len(varargs) == 1 and np.ndim(varargs[0]) == 0:
        spacings = [varargs[0]] * len(axes)
    elif len(varargs) == len(axes):
        spacings = []
        for each, i in zip(varargs, axes, strict=True):
            each = each if np.ndim(each) == 0 else array_of(each)
            if np.ndim(each):
                if each.shape != (f.shape[i],):
                    raise ShapeError(
                        f"{user_line()}: np.gradient with coordinates of shape {each.shape} along "
                        f"axis {i} of shape {f.shape}"
                    )
                each = np.diff(cast(each, np.dtype(float)) if each.dtype.kind in "biu" else each)
                if isinstance(each, np.ndarray) and bool(np.all(each == each[:1])):
                    each = each[0]  # NumPy too takes the simpler form for equal steps
            spacings.append(each)
    else:
        raise TraceError(
            f"{user_line()}: np.gradient over {len(axes)} axes was given {len(varargs)} spacings"
        )
    if f.dtype.kind in "biu":
        f = cast(f, np.dtype(float))
    slopes = [
        cast(_slope(f, step, i, edge_order), f.dtype)
        for step, i in zip(spacings, axes, strict=True)
    ]
    return slopes[0] if len(slopes) == 1 else tuple(slopes)
