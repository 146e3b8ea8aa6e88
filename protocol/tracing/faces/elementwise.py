"""The traced forms of functions that act entry by entry and are no one ufunc."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import special

from ...errors import ArgumentError, TraceError
from ...rules.primitive import apply
from ...source_line import user_line
from ..traced import METHODS, UFUNCS
from .register import array_of, face, one_axis, only, record
from .values import astype

# Ufuncs with several results, and one that is flat for real numbers only.


@face(np.divmod)
def divmod_(a: Any, b: Any) -> tuple[Any, Any]:
    """Trace ``np.divmod``."""
    return a // b, a % b


@face(np.modf)
def modf(x: Any) -> tuple[Any, Any]:
    """Trace ``np.modf``: the gradient goes with the fraction."""
    if x.dtype.kind == "c":
        raise TraceError(f"{user_line()}: np.modf is not defined for dtype {x.dtype}")
    x = astype(x, np.modf(np.zeros(1, x.dtype))[0].dtype)
    whole = np.trunc(x)
    return np.where(np.isinf(x), 0.0, x - whole), whole


@face(np.frexp)
def frexp(x: Any) -> tuple[Any, Any]:
    """Trace ``np.frexp``: the gradient goes with the mantissa."""
    exponent = record("frexp_exponent", x)
    return np.ldexp(x, -exponent), exponent


@face(np.sign)
def sign(x: Any) -> Any:
    """Trace ``np.sign``, which for complex numbers is z / abs(z)."""
    if x.dtype.kind != "c":
        return record("sign", x)
    size = np.absolute(x)
    return x / np.where(size == 0, 1.0, size)


del UFUNCS[np.sign]  # so that its face is asked


def _outer(ufunc: np.ufunc) -> Callable[..., Any]:
    def outer(a: Any, b: Any, **options: Any) -> Any:
        only(f"np.{ufunc.__name__}.outer", **options)
        a, b = array_of(a), array_of(b)
        return ufunc(np.reshape(a, a.shape + (1,) * b.ndim), b)

    return outer


for _ufunc in list(UFUNCS):
    if _ufunc.nin == 2 and _ufunc.signature is None:
        METHODS[f"{_ufunc.__name__}.outer"] = _outer(_ufunc)


# Complex numbers.


@face(np.real)
def real(val: Any) -> Any:
    """Trace ``np.real``."""
    return record("real", val) if val.dtype.kind == "c" else val


@face(np.imag)
def imag(val: Any) -> Any:
    """Trace ``np.imag``."""
    return record("imag", val) if val.dtype.kind == "c" else np.zeros_like(val)


face(method=("conj", "conjugate"))(np.conjugate)


@face(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """Trace ``np.angle``; it is flat for real numbers."""
    if z.dtype.kind == "c":
        turned = np.arctan2(np.imag(z), np.real(z))
    else:
        turned = np.arctan2(0.0, np.copysign(1.0, z))
    return turned * (180 / math.pi) if deg else turned


@face(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """Trace ``np.real_if_close``: a branch that depends on the values."""
    if a.dtype.kind != "c":
        return a
    limit = tol * np.finfo(a.dtype).eps if tol > 1 else tol
    return np.real(a) if np.all(np.absolute(np.imag(a)) < limit) else a


@face(np.isreal)
def isreal(x: Any) -> Any:
    """Trace ``np.isreal``."""
    return np.imag(x) == 0


@face(np.iscomplex)
def iscomplex(x: Any) -> Any:
    """Trace ``np.iscomplex``."""
    return np.imag(x) != 0


# Tests of values.


@face(np.isposinf)
def isposinf(x: Any, out: Any = None) -> Any:
    """Trace ``np.isposinf``."""
    only("np.isposinf", out=out)
    return x == math.inf


@face(np.isneginf)
def isneginf(x: Any, out: Any = None) -> Any:
    """Trace ``np.isneginf``."""
    only("np.isneginf", out=out)
    return x == -math.inf


@face(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    """Trace ``np.isclose``."""
    close = (np.absolute(a - b) <= atol + rtol * np.absolute(b)) & np.isfinite(b) | (a == b)
    return close | (np.isnan(a) & np.isnan(b)) if equal_nan else close


@face(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    """Trace ``np.allclose``: a node, on which the program may branch."""
    return np.all(isclose(array_of(a), array_of(b), rtol, atol, equal_nan))


@face(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """Trace ``np.array_equal``: False of other shapes, else a node to branch on."""
    a1, a2 = array_of(a1), array_of(a2)
    if a1.shape != a2.shape:
        return False
    same = a1 == a2
    if equal_nan:
        same = same | ((a1 != a1) & (a2 != a2))
    return np.all(same)


# Rounding, and repairs.


@face(np.round, np.around, method="round")
def round_(a: Any, decimals: int = 0, out: Any = None) -> Any:
    """Trace ``np.round``."""
    only("np.round", out=out)
    return record("round", a, decimals=int(decimals))


@face(np.fix)
def fix(x: Any, out: Any = None) -> Any:
    """Trace ``np.fix``."""
    only("np.fix", out=out)
    return np.trunc(x)


def _number(value: Any, what: str) -> Any:
    if value is None or type(value) in (int, float):
        return value
    if isinstance(value, np.generic) and value.dtype.kind in "iuf":
        return value.item()
    raise TraceError(f"{user_line()}: {what} must be a number to be traced, not {value!r:.40}")


@face(np.nan_to_num)
def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """Trace ``np.nan_to_num``."""
    given = {"nan": nan, "posinf": posinf, "neginf": neginf}
    numbers = {k: _number(value, f"np.nan_to_num's {k}") for k, value in given.items()}
    return record("nan_to_num", x, **numbers)


@face(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * math.pi) -> Any:
    """Trace ``np.unwrap``."""
    return record(
        "unwrap",
        p,
        discont=_number(discont, "np.unwrap's discont"),
        axis=one_axis(axis, p.ndim),
        period=_number(period, "np.unwrap's period"),
    )


# Functions of one variable.


@face(np.sinc)
def sinc(x: Any) -> Any:
    """Trace ``np.sinc``."""
    return record("sinc", x, order=0)


@face(np.i0)
def i0(x: Any) -> Any:
    """Trace ``np.i0``."""
    if x.dtype.kind == "c":
        raise TraceError(f"{user_line()}: np.i0 is not defined for complex numbers")
    return special.i0(x)


def _at(values: Any, index: Any) -> Any:
    return apply("getitem", values, index, index=(("array", 0),))


@face(np.interp)
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """Trace ``np.interp``, with a gradient in x, xp and fp."""
    x, xp, fp = array_of(x), array_of(xp), array_of(fp)
    if xp.ndim != 1 or xp.shape != fp.shape or not xp.size:
        raise ArgumentError(
            f"{user_line()}: np.interp needs as many values as points, in one row of at least "
            f"one, not shapes {xp.shape} and {fp.shape}"
        )
    # As in NumPy, the result is of double precision.
    x, xp = x.astype(np.float64), xp.astype(np.float64)
    fp = fp.astype(np.complex128 if fp.dtype.kind == "c" else np.float64)
    if period is not None:
        length = abs(period)
        x, xp = x % length, xp % length
        order = np.argsort(xp)
        xp, fp = _at(xp, order), _at(fp, order)
        xp = np.concatenate([xp[-1:] - length, xp, xp[:1] + length])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
        left = right = None
    if xp.size > 1:
        i = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, xp.size - 2)
        x0, f0 = _at(xp, i), _at(fp, i)
        inside = (_at(fp, i + 1) - f0) / (_at(xp, i + 1) - x0) * (x - x0) + f0
    else:
        inside = fp[0]
    inside = np.where(x < xp[0], fp[0] if left is None else left, inside)
    return np.where(x > xp[-1], fp[-1] if right is None else right, inside)


# Choices.


@face(np.select)
def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """Trace ``np.select``: the first condition that holds chooses."""
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ArgumentError(
            f"{user_line()}: np.select needs as many choices as conditions, and at least one"
        )
    chosen = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        chosen = np.where(array_of(condition), choice, chosen)
    return chosen


@face(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """Trace ``np.piecewise``; every function is called with the whole of x."""
    conditions = list(condlist) if isinstance(condlist, list | tuple) else [condlist]
    if conditions and np.ndim(conditions[0]) == 0 and x.ndim:
        conditions = [array_of(conditions)]
    if len(funclist) == len(conditions) + 1:
        any_holds = conditions[0]
        for condition in conditions[1:]:
            any_holds = any_holds | condition
        conditions.append(np.logical_not(any_holds))
    if len(funclist) != len(conditions):
        raise ArgumentError(
            f"{user_line()}: np.piecewise with {len(conditions)} conditions needs as many "
            f"functions, or one more, not {len(funclist)}"
        )
    chosen: Any = np.zeros_like(x)
    for condition, function in zip(conditions, funclist, strict=True):
        value = function(x, *args, **kw) if callable(function) else function
        chosen = np.where(condition, value, chosen)
    return astype(chosen, x.dtype)
