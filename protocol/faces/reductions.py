"""The traced forms of reductions: ``np.sum``, ``np.max``, ``np.var`` and their like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .register import MISSING, all_axes, face, one_axis, only, record
from .values import astype


def _reduction(name: str) -> Callable[..., Any]:
    def reduce(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        keepdims: Any = False,
        initial: Any = None,
        where: Any = None,
    ) -> Any:
        only(f"np.{name}", out=out, initial=initial, where=where)
        if dtype is not None:
            a = astype(a, dtype)
        keep = keepdims is not MISSING and bool(keepdims)
        return record(name, a, axis=all_axes(axis, a.ndim), keepdims=keep)

    return reduce


def _extremum(name: str) -> Callable[..., Any]:
    general = _reduction(name)

    def reduce(
        a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, **options: Any
    ) -> Any:
        return general(a, axis, None, out, keepdims, **options)

    return reduce


def _ufunc_reduce(name: str) -> Callable[..., Any]:
    general = _reduction(name)

    def reduce(a: Any, axis: Any = 0, **options: Any) -> Any:
        return general(a, axis, **options)

    return reduce


face(np.sum, method="sum")(_reduction("sum"))
face(np.mean, method="mean")(_reduction("mean"))
face(np.prod, method="prod")(_reduction("prod"))
face(np.max, np.amax, method="max")(_extremum("max"))
face(np.min, np.amin, method="min")(_extremum("min"))
face(np.any, method="any")(_extremum("any"))
face(np.all, method="all")(_extremum("all"))
face(method="add.reduce")(_ufunc_reduce("sum"))
face(method="multiply.reduce")(_ufunc_reduce("prod"))
face(method="maximum.reduce")(_ufunc_reduce("max"))
face(method="minimum.reduce")(_ufunc_reduce("min"))
face(method="logical_or.reduce")(_ufunc_reduce("any"))
face(method="logical_and.reduce")(_ufunc_reduce("all"))


def _spread(name: str) -> Callable[..., Any]:
    def reduce(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: float = 0,
        keepdims: Any = False,
        *,
        where: Any = None,
        mean: Any = None,
        correction: Any = None,
    ) -> Any:
        only(f"np.{name}", dtype=dtype, out=out, where=where, mean=mean)
        if correction is not None and correction is not MISSING:
            ddof = correction
        keep = keepdims is not MISSING and bool(keepdims)
        return record(name, a, axis=all_axes(axis, a.ndim), keepdims=keep, ddof=float(ddof))

    return reduce


face(np.var, method="var")(_spread("var"))
face(np.std, method="std")(_spread("std"))


def _arg(name: str) -> Callable[..., Any]:
    def reduce(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
        only(f"np.{name}", out=out)
        place = None if axis is None else one_axis(axis, a.ndim)
        keep = keepdims is not MISSING and bool(keepdims)
        return record(name, a, axis=place, keepdims=keep)

    return reduce


face(np.argmax, method="argmax")(_arg("argmax"))
face(np.argmin, method="argmin")(_arg("argmin"))
