"""The traced forms of the reductions that leave NaNs out: ``np.nansum`` and its like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .reductions import NEUTRAL, axes_of, cast, ddof_of, kept, mask_of, spread_about
from .register import MISSING, array_of, face, only


def _can_be_nan(a: Any) -> bool:
    return bool(a.dtype.kind in "fc")


def _without_nan(name: str, a: Any) -> tuple[Any, Any]:
    """Return the array with its NaNs made neutral, and where they were."""
    absent = np.isnan(a)
    return absent, np.where(absent, NEUTRAL[name][0](a.dtype), a)


def _nan_sum(name: str) -> Callable[..., Any]:
    def reduce(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        keepdims: Any = False,
        initial: Any = MISSING,
        where: Any = MISSING,
    ) -> Any:
        only(f"np.nan{name}", out=out)
        a = array_of(a)
        if _can_be_nan(a):
            _, a = _without_nan(name, a)
        function = getattr(np, name)
        options = {"initial": initial, "where": where}
        given = {key: value for key, value in options.items() if value is not MISSING}
        return function(a, axis=axis, dtype=dtype, keepdims=kept(keepdims), **given)

    return reduce


face(np.nansum)(_nan_sum("sum"))
face(np.nanprod)(_nan_sum("prod"))


def _nan_extremum(name: str) -> Callable[..., Any]:
    def reduce(
        a: Any,
        axis: Any = None,
        out: Any = None,
        keepdims: Any = False,
        initial: Any = MISSING,
        where: Any = MISSING,
    ) -> Any:
        only(f"np.nan{name}", out=out)
        a = array_of(a)
        options: dict[str, Any] = {"axis": axis, "keepdims": kept(keepdims)}
        if initial is not MISSING:
            options["initial"] = initial
        if where is not MISSING:
            options["where"] = where
        function = getattr(np, name)
        if not _can_be_nan(a):
            return function(a, **options)
        absent, filled = _without_nan(name, a)
        result = function(filled, **options)
        if initial is not MISSING:
            return result
        return np.where(np.all(absent, axis=axis, keepdims=kept(keepdims)), np.nan, result)

    return reduce


face(np.nanmax)(_nan_extremum("max"))
face(np.nanmin)(_nan_extremum("min"))


def _present(a: Any, where: Any, what: str) -> Any:
    """Return where a is a number, and ``where=`` says so too."""
    present = np.logical_not(np.isnan(a))
    mask = mask_of(where, a, what)
    return present if mask is None else np.logical_and(present, mask)


@face(np.nanmean)
def nanmean(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = False,
    *,
    where: Any = MISSING,
) -> Any:
    """Trace ``np.nanmean``."""
    only("np.nanmean", out=out)
    a = array_of(a)
    if _can_be_nan(a):
        where = _present(a, where, "np.nanmean")
    return np.mean(a, axis=axis, dtype=dtype, keepdims=kept(keepdims), where=where)


def _nan_spread(name: str) -> Callable[..., Any]:
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
        only(f"np.nan{name}", out=out)
        a = array_of(a)
        if not _can_be_nan(a):
            options = {"where": where, "mean": mean, "correction": correction}
            given = {key: value for key, value in options.items() if value is not MISSING}
            return getattr(np, name)(a, axis, dtype, None, ddof, kept(keepdims), **given)
        ddof = ddof_of(ddof, correction, f"np.nan{name}")
        present = _present(a, where, f"np.nan{name}")
        if dtype is not None:
            a = cast(a, np.dtype(dtype))
        axes = axes_of(axis, a.ndim)
        return spread_about(name, a, axes, kept(keepdims), ddof, present, mean, np.nan)

    return reduce


face(np.nanvar)(_nan_spread("var"))
face(np.nanstd)(_nan_spread("std"))


def _nan_arg(name: str, extremum: str) -> Callable[..., Any]:
    def reduce(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = False) -> Any:
        only(f"np.nan{name}", out=out)
        if _can_be_nan(a):
            _, a = _without_nan(extremum, a)
        return getattr(np, name)(a, axis=axis, keepdims=kept(keepdims))

    return reduce


face(np.nanargmax)(_nan_arg("argmax", "max"))
face(np.nanargmin)(_nan_arg("argmin", "min"))
