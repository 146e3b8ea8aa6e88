"""The traced forms of ``np.poly*``, and of functions that apply another one along axes.

A polynomial is its coefficients, the highest power first. Leading zeros are not looked for: how
long a result is never depends on values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import ShapeError, TraceError
from ...source_line import user_line
from .register import array_of, face, one_axis


def _coefficients(p: Any, what: str) -> Any:
    p = np.atleast_1d(array_of(p))
    if p.ndim > 1:
        raise ShapeError(f"{user_line()}: {what} of shape {p.shape}; coefficients have one axis")
    return p


def _times(m: Any, what: str) -> int:
    count = int(m)
    if count < 0:
        raise TraceError(f"{user_line()}: {what} of order {m}, which must not be negative")
    return count


@face(np.polyder)
def polyder(p: Any, m: Any = 1) -> Any:
    """Trace ``np.polyder``."""
    p = _coefficients(p, "np.polyder")
    for _ in range(_times(m, "np.polyder")):
        p = p[:-1] * np.arange(p.shape[0] - 1, 0, -1)
    return p


@face(np.polyint)
def polyint(p: Any, m: Any = 1, k: Any = None) -> Any:
    """Trace ``np.polyint``; the constants of integration may be nodes."""
    p = _coefficients(p, "np.polyint")
    count = _times(m, "np.polyint")
    k = _coefficients(0.0 if k is None else k, "np.polyint with k")
    if k.shape[0] not in (1, count) and not (count == 0 and k.shape[0] == 0):
        raise ShapeError(f"{user_line()}: np.polyint with k of {k.shape[0]} constants for m={m}")
    for i in range(count):
        which = i if k.shape[0] > 1 else 0
        p = np.concatenate([p / np.arange(p.shape[0], 0, -1), k[which : which + 1]])
    return p


def _sum(ufunc: np.ufunc, what: str) -> Callable[[Any, Any], Any]:
    def add(a1: Any, a2: Any) -> Any:
        a1, a2 = _coefficients(a1, what), _coefficients(a2, what)
        longest = max(a1.shape[0], a2.shape[0])
        a1, a2 = (np.pad(a, (longest - a.shape[0], 0)) for a in (a1, a2))
        return ufunc(a1, a2)

    return add


face(np.polyadd)(_sum(np.add, "np.polyadd"))
face(np.polysub)(_sum(np.subtract, "np.polysub"))


@face(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """Trace ``np.polymul``."""
    return np.convolve(_coefficients(a1, "np.polymul"), _coefficients(a2, "np.polymul"))


@face(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    """Trace ``np.poly`` of roots."""
    roots = _coefficients(seq_of_zeros, "np.poly")
    roots = roots if roots.dtype.kind in "fc" else np.astype(roots, np.dtype(float))
    one = np.ones(1, roots.dtype)
    p: Any = one
    for i in range(roots.shape[0]):
        p = np.concatenate([p, 0 * one]) - roots[i] * np.concatenate([0 * one, p])
    return p


@face(np.roots)
def roots(p: Any) -> Any:
    """Trace ``np.roots``, the eigenvalues of a matrix; complex, as they may be."""
    p = _coefficients(p, "np.roots")
    count = p.shape[0] - 1
    if count < 1:
        raise ShapeError(f"{user_line()}: np.roots of {count + 1} coefficients: there is no root")
    first = np.reshape(-p[1:] / p[0], (1, count))
    return np.linalg.eigvals(np.concatenate([first, np.eye(count - 1, count)]))


@face(np.polyfit)
def polyfit(
    x: Any,
    y: Any,
    deg: Any,
    rcond: Any = None,
    full: bool = False,
    w: Any = None,
    cov: Any = False,
) -> Any:
    """Trace ``np.polyfit``: least squares, with the columns of the powers of x at one scale."""
    x, y = array_of(x) + 0.0, array_of(y) + 0.0
    order = int(deg) + 1
    if order < 1 or x.ndim != 1 or y.ndim not in (1, 2) or x.shape[0] != y.shape[0] or not x.size:
        raise ShapeError(
            f"{user_line()}: np.polyfit of degree {deg} to x of shape {x.shape} and y of shape "
            f"{y.shape}"
        )
    powers = np.vander(x, order)
    if w is not None:
        w = array_of(w) + 0.0
        if w.shape != x.shape:
            raise ShapeError(f"{user_line()}: np.polyfit with w of shape {w.shape} for {x.shape}")
        powers = powers * w[:, None]
        y = y * (w[:, None] if y.ndim == 2 else w)
    if rcond is None:
        rcond = x.shape[0] * np.finfo(x.dtype).eps
    scale = np.sqrt(np.sum(powers * powers, axis=0))
    columns = powers / scale
    c, residuals, rank, s = np.linalg.lstsq(columns, y, rcond)
    c = c / (scale[:, None] if y.ndim == 2 else scale)
    if full:
        return c, residuals, rank, s, rcond
    if not cov:
        return c
    spread = np.linalg.inv(columns.T @ columns) / np.outer(scale, scale)
    if cov != "unscaled":
        if x.shape[0] <= order:
            raise ShapeError(
                f"{user_line()}: np.polyfit with cov=True needs more than {order} points"
            )
        spread = (
            spread * (residuals / (x.shape[0] - order))
            if y.ndim == 1
            else (spread[:, :, None] * (residuals / (x.shape[0] - order)))
        )
    elif y.ndim == 2:
        spread = spread[:, :, None]
    return c, spread


@face(np.apply_along_axis)
def apply_along_axis(func1d: Any, axis: Any, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """Trace ``np.apply_along_axis``: one call for each slice."""
    arr = array_of(arr)
    place = one_axis(axis, arr.ndim)
    slices = np.moveaxis(arr, place, -1)
    rest = slices.shape[:-1]
    if 0 in rest:
        raise ShapeError(f"{user_line()}: np.apply_along_axis of shape {arr.shape}: no slices")
    rows = np.reshape(slices, (-1, slices.shape[-1]))
    results = [array_of(func1d(rows[i], *args, **kwargs)) for i in range(rows.shape[0])]
    inner = results[0].shape
    if any(each.shape != inner for each in results):
        raise ShapeError(f"{user_line()}: np.apply_along_axis of a function of changing shapes")
    whole = np.reshape(np.stack(results), rest + inner)
    last = range(len(rest), len(rest) + len(inner))
    return np.moveaxis(whole, tuple(last), tuple(range(place, place + len(inner))))


@face(np.apply_over_axes)
def apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    """Trace ``np.apply_over_axes``: one call for each axis, which stays, with length 1."""
    a = array_of(a)
    for axis in np.atleast_1d(axes).tolist():
        place = one_axis(axis, a.ndim)
        result = func(a, place)
        a = result if result.ndim == a.ndim else np.expand_dims(result, place)
    return a
