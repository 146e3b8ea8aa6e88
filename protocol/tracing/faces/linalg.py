"""The traced forms of ``np.linalg``."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

from ...arrays import real_of
from ...errors import ShapeError, TraceError
from ...rules.linalg import ht, mt, unpack
from ...rules.linalg_factors import qr_shapes
from ...rules.linalg_spectral import unpack_eigh, unpack_svd
from ...rules.primitive import Recorded
from ...source_line import user_line
from .register import MISSING, all_axes, array_of, face, one_axis, only, record
from .values import astype

_ONE = np.eye(1)
EigResult: Any = type(np.linalg.eig(_ONE))
EighResult: Any = type(np.linalg.eigh(_ONE))
QRResult: Any = type(np.linalg.qr(_ONE))
SlogdetResult: Any = type(np.linalg.slogdet(_ONE))
SVDResult: Any = type(np.linalg.svd(_ONE))


def _matrices(what: str, a: Any) -> Any:
    a = array_of(a)
    if a.ndim < 2:
        raise ShapeError(
            f"{user_line()}: {what} needs a matrix or a stack of them, not shape {a.shape}"
        )
    return a


def square(what: str, a: Any) -> Any:
    """Return square matrices as an array, or refuse."""
    a = _matrices(what, a)
    if a.shape[-1] != a.shape[-2]:
        raise ShapeError(f"{user_line()}: {what} needs square matrices, not shape {a.shape}")
    return a


def floating(a: Any) -> Any:
    """Cast integers to floating point, as NumPy's norms do."""
    return a if a.dtype.kind in "fc" else astype(a, float)


# Norms.


@face(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Any:
    """Trace ``np.linalg.norm``."""
    axes = all_axes(axis, x.ndim)
    if axes is None and ord is not None:
        axes = tuple(range(x.ndim))
    if ord is None and (axes is None or len(axes) in (1, 2)):
        return record("norm", x, axis=axes, keepdims=bool(keepdims))
    if axes is not None and len(axes) == 1:
        return _vector_norm(x, ord, axes, bool(keepdims))
    if axes is not None and len(axes) == 2:
        return _matrix_norm(x, ord, axes, bool(keepdims))
    raise ShapeError(
        f"{user_line()}: a norm of order {ord!r} is of one axis or two, not of shape {x.shape} "
        f"with axis={axis}"
    )


def _bad_order(ord: Any, what: str) -> ShapeError:
    return ShapeError(f"{user_line()}: {ord!r} is no order of a norm of {what}")


def _order(ord: Any, what: str) -> Any:
    """Return a norm's order as a Python number, which leaves float32 as it is."""
    if isinstance(ord, Recorded):
        raise TraceError(f"{user_line()}: the order of a norm must not depend on traced nodes")
    try:
        return float(ord)
    except (TypeError, ValueError):
        raise _bad_order(ord, what) from None


def _vector_norm(x: Any, ord: Any, axes: tuple[int, ...] | None, keepdims: bool) -> Any:
    p = 2.0 if ord is None else _order(ord, "vectors")
    x = floating(x)
    if p == 2 and (axes is None or len(axes) <= 2):
        return record("norm", x, axis=axes, keepdims=keepdims)
    if p == 0:
        return np.sum(astype(x != 0, real_of(x.dtype)), axis=axes, keepdims=keepdims)
    size = np.absolute(x)
    if p == np.inf:
        return np.max(size, axis=axes, keepdims=keepdims)
    if p == -np.inf:
        return np.min(size, axis=axes, keepdims=keepdims)
    if p == 1:
        return np.sum(size, axis=axes, keepdims=keepdims)
    # Powers have no finite slope at 0 there: 0 is the one to choose, of the norm at x = 0 and,
    # for p < 1, of each entry.
    if p < 1:
        zero = size == 0
        powers = np.where(zero, 0.0, np.where(zero, 1.0, size) ** p)
    else:
        powers = size**p
    total = np.sum(powers, axis=axes, keepdims=keepdims)
    # One entry of 0 makes a norm of negative order 0.
    nothing = np.any(zero, axis=axes, keepdims=keepdims) if p < 0 else total == 0
    return np.where(nothing, 0.0, np.where(nothing, 1.0, total) ** (1.0 / p))


def _matrix_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    if ord is None or (isinstance(ord, str) and ord in ("fro", "f")):
        return record("norm", x, axis=axes, keepdims=keepdims)
    x = floating(x)
    nuclear = isinstance(ord, str) and ord == "nuc"
    p = 0.0 if nuclear else _order(ord, "matrices")
    if nuclear or p in (2, -2):
        moved = x if axes == (x.ndim - 2, x.ndim - 1) else np.moveaxis(x, axes, (-2, -1))
        # The absolute value changes none, and has the slope 0 at 0.
        values = np.absolute(np.linalg.svdvals(moved))
        reduce = np.sum if nuclear else np.max if p == 2 else np.min
        u = reduce(values, axis=-1)
        return np.expand_dims(u, axes) if keepdims else u
    if p not in (1, -1, np.inf, -np.inf):
        raise _bad_order(ord, "matrices")
    rows, columns = axes
    sums = np.sum(np.absolute(x), axis=rows if abs(p) == 1 else columns, keepdims=True)
    return (np.max if p > 0 else np.min)(sums, axis=axes, keepdims=keepdims)


# Inverses, systems, determinants.


@face(np.linalg.inv)
def inv(a: Any) -> Any:
    """Trace ``np.linalg.inv``."""
    return record("inv", a)


@face(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """Trace ``np.linalg.solve``."""
    return record("solve", array_of(a), array_of(b))


@face(np.linalg.det)
def det(a: Any) -> Any:
    """Trace ``np.linalg.det``."""
    return record("det", a)


@face(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """Trace ``np.linalg.slogdet``."""
    packed = record("slogdet", a)
    sign, logarithm = packed[..., 0], packed[..., 1]
    return SlogdetResult(sign, np.real(logarithm) if a.dtype.kind == "c" else logarithm)


@face(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """Trace ``np.linalg.cholesky``, of the triangle that NumPy reads."""
    a = square("np.linalg.cholesky", a)
    return ht(record("cholesky", ht(a))) if upper else record("cholesky", a)


# Eigenvalues and singular values.


def _triangle(UPLO: Any) -> str:
    triangle = str(UPLO).upper()
    if triangle not in ("L", "U"):
        raise ShapeError(f"{user_line()}: UPLO is 'L' or 'U', not {UPLO!r}")
    return triangle


@face(np.linalg.eigh)
def eigh(a: Any, UPLO: Any = "L") -> Any:
    """Trace ``np.linalg.eigh``, of the triangle that NumPy reads."""
    a = square("np.linalg.eigh", a)
    return EighResult(*unpack_eigh(record("eigh", a, UPLO=_triangle(UPLO)), a.shape[-1]))


@face(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: Any = "L") -> Any:
    """Trace ``np.linalg.eigvalsh``, of the triangle that NumPy reads."""
    return record("eigvalsh", a, UPLO=_triangle(UPLO))


@face(np.linalg.eig)
def eig(a: Any) -> Any:
    """Trace ``np.linalg.eig``; complex always, for a dtype must not depend on values."""
    a = square("np.linalg.eig", a)
    n = a.shape[-1]
    return EigResult(*unpack(record("eig", a), (n,), (n, n)))


@face(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """Trace ``np.linalg.eigvals``; complex always, for a dtype must not depend on values."""
    return record("eigvals", a)


@face(np.linalg.svd)
def svd(a: Any, full_matrices: Any = True, compute_uv: Any = True, hermitian: Any = False) -> Any:
    """Trace ``np.linalg.svd``."""
    only("np.linalg.svd", hermitian=hermitian or None)
    if not compute_uv:
        return record("svdvals", a)
    a = _matrices("np.linalg.svd", a)
    full = bool(full_matrices) and a.shape[-1] != a.shape[-2]
    return SVDResult(*unpack_svd(record("svd", a, full_matrices=full), a, full))


@face(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """Trace ``np.linalg.svdvals``."""
    return record("svdvals", x)


@face(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """Trace ``np.linalg.cond``."""
    if p is None or p in (2, -2):
        s = np.linalg.svdvals(x)
        above, below = (s[..., -1], s[..., 0]) if p == -2 else (s[..., 0], s[..., -1])
        singular = below == 0
        return np.where(singular, np.inf, above / np.where(singular, 1.0, below))
    x = floating(square("np.linalg.cond", x))
    axes = (x.ndim - 2, x.ndim - 1)
    return _matrix_norm(x, p, axes, False) * _matrix_norm(np.linalg.inv(x), p, axes, False)


def _tolerance(what: str, value: Any) -> float:
    """Return a tolerance as a Python number."""
    if isinstance(value, Recorded) or np.ndim(value):
        raise TraceError(f"{user_line()}: the tolerance of {what} must be one plain number")
    return float(value)


def _rounding(a: Any, dtype: Any) -> float:
    """Return the size of rounding errors in the singular values of ``a``, beside the largest."""
    exact = dtype if dtype.kind in "fc" else np.dtype("f8")
    return float(max(a.shape[-2:]) * np.finfo(exact).eps)


@face(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: Any = False, *, rtol: Any = MISSING) -> Any:
    """Trace ``np.linalg.pinv``."""
    only("np.linalg.pinv", hermitian=hermitian or None)
    a = _matrices("np.linalg.pinv", a)
    if rcond is None and rtol is None:
        cutoff = _rounding(a, a.dtype)
    elif rcond is None:
        cutoff = 1e-15 if rtol is MISSING else _tolerance("np.linalg.pinv", rtol)
    else:
        only("np.linalg.pinv with rcond", rtol=rtol)
        cutoff = _tolerance("np.linalg.pinv", rcond)
    return record("pinv", a, rcond=cutoff)


@face(np.linalg.matrix_rank)
def matrix_rank(A: Any, tol: Any = None, hermitian: Any = False, *, rtol: Any = None) -> Any:
    """Trace ``np.linalg.matrix_rank``: no gradient passes through it."""
    only("np.linalg.matrix_rank", hermitian=hermitian or None)
    if A.ndim < 2:
        return astype(np.any(A != 0), int)
    s = np.linalg.svdvals(A)
    if s.shape[-1] == 0:
        return np.sum(s > 0, axis=-1)
    if tol is None:
        relative = _rounding(A, s.dtype) if rtol is None else array_of(rtol)[..., None]
        return np.sum(s > np.max(s, axis=-1, keepdims=True) * relative, axis=-1)
    only("np.linalg.matrix_rank with tol", rtol=rtol)
    return np.sum(s > array_of(tol)[..., None], axis=-1)


# Factors, powers and products of many.


@face(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """Trace ``np.linalg.qr``, with as many columns in Q as there are in the smaller side."""
    a = _matrices("np.linalg.qr", a)
    wide = a.shape[-2] <= a.shape[-1]
    if mode not in ("reduced", "r") and not (mode == "complete" and wide):
        raise TraceError(
            f"{user_line()}: np.linalg.qr with mode={mode!r} of shape {a.shape} cannot be traced; "
            f"use 'reduced' or 'r'"
        )
    q, r = unpack(record("qr", a), *qr_shapes(a))
    return r if mode == "r" else QRResult(q, r)


@face(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """Trace ``np.linalg.lstsq``; the residuals are those of a matrix of full rank."""
    a, b = array_of(a), array_of(b)
    if a.ndim != 2:
        raise ShapeError(f"{user_line()}: np.linalg.lstsq needs a matrix, not shape {a.shape}")
    m, n = a.shape
    exact = _rounding(a, np.dtype("f8"))
    cutoff = exact if rcond is None else _tolerance("np.linalg.lstsq", rcond)
    x = record("lstsq", a, b, rcond=cutoff)
    rest = (b - a @ x)[:, None] if b.ndim == 1 else b - a @ x
    residuals = np.sum(np.absolute(rest) ** 2, axis=0)
    s = np.linalg.svdvals(a)
    rank = astype(np.sum(s > cutoff * np.max(s)), np.int32) if min(m, n) else np.int32(0)
    return x, residuals if m > n else residuals[:0], rank, s


@face(np.linalg.matrix_power)
def matrix_power(a: Any, n: Any) -> Any:
    """Trace ``np.linalg.matrix_power``: squares, and their product."""
    a = square("np.linalg.matrix_power", a)
    try:
        power = operator.index(n)
    except TypeError:
        raise TraceError(f"{user_line()}: the power of a matrix must be a whole number") from None
    if power == 0:
        return np.zeros_like(a) + np.eye(a.shape[-1], dtype=a.dtype)
    base = np.linalg.inv(a) if power < 0 else a
    power = abs(power)
    if power == 3:
        return (base @ base) @ base
    u = None
    while True:
        power, odd = divmod(power, 2)
        if odd:
            u = base if u is None else u @ base
        if not power:
            return u
        base = base @ base


@face(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: Any = None) -> Any:
    """Trace ``np.linalg.multi_dot``, in the order that takes the fewest multiplications."""
    only("np.linalg.multi_dot", out=out)
    parts = [array_of(each) for each in arrays]
    if len(parts) < 2:
        raise ShapeError(f"{user_line()}: np.linalg.multi_dot needs two arrays or more")
    first, last = parts[0].ndim == 1, parts[-1].ndim == 1
    if first:
        parts[0] = np.reshape(parts[0], (1, -1))
    if last:
        parts[-1] = np.reshape(parts[-1], (-1, 1))
    for each in parts:
        if each.ndim != 2:
            raise ShapeError(
                f"{user_line()}: np.linalg.multi_dot takes matrices, and vectors at its ends, "
                f"not shape {each.shape}"
            )
    lengths = [parts[0].shape[0], *(each.shape[1] for each in parts)]

    @functools.cache
    def best(i: int, j: int) -> tuple[int, int]:
        """Return the cost of the product of the parts i to j, and where to part it."""
        return (
            min(
                (
                    best(i, k)[0]
                    + best(k + 1, j)[0]
                    + lengths[i] * lengths[k + 1] * lengths[j + 1],
                    k,
                )
                for k in range(i, j)
            )
            if i < j
            else (0, i)
        )

    def product(i: int, j: int) -> Any:
        if i == j:
            return parts[i]
        at = best(i, j)[1]
        return product(i, at) @ product(at + 1, j)

    u = product(0, len(parts) - 1)
    if not first and not last:
        return u
    return np.reshape(u, u.shape[first : 2 - last])


@face(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """Trace ``np.linalg.tensorsolve``: one system of all entries."""
    a, b = array_of(a), array_of(b)
    if axes is not None:
        last = [one_axis(each, a.ndim) for each in axes]
        a = np.transpose(a, [i for i in range(a.ndim) if i not in last] + last)
    rest = a.shape[b.ndim :]
    size = math.prod(rest)
    if size * b.size != a.size or size != b.size:
        raise ShapeError(
            f"{user_line()}: np.linalg.tensorsolve of shapes {a.shape} and {b.shape}: "
            f"the system is not square"
        )
    return np.reshape(np.linalg.solve(np.reshape(a, (size, size)), np.ravel(b)), rest)


@face(np.linalg.tensorinv)
def tensorinv(a: Any, ind: Any = 2) -> Any:
    """Trace ``np.linalg.tensorinv``: the inverse of one matrix of all entries."""
    kept = operator.index(ind)
    if kept <= 0:
        raise ShapeError(f"{user_line()}: np.linalg.tensorinv needs a positive ind, not {ind}")
    rows, columns = a.shape[:kept], a.shape[kept:]
    matrix = np.reshape(a, (math.prod(rows), math.prod(columns)))
    return np.reshape(np.linalg.inv(matrix), columns + rows)


# The names that np.linalg has for functions of other families.


@face(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: Any = False, ord: Any = "fro") -> Any:
    """Trace ``np.linalg.matrix_norm``."""
    x = _matrices("np.linalg.matrix_norm", x)
    return _matrix_norm(x, ord, (x.ndim - 2, x.ndim - 1), bool(keepdims))


@face(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: Any = False, ord: Any = 2) -> Any:
    """Trace ``np.linalg.vector_norm``."""
    axes = all_axes(axis, x.ndim)
    if axes is not None and len(axes) > 2 and _order(ord, "vectors") == 2:
        # The norm of one axis that has all their entries.
        others = tuple(i for i in range(x.ndim) if i not in axes)
        size = math.prod(x.shape[i] for i in axes)
        kept = tuple(x.shape[i] for i in others)
        flat = np.reshape(np.transpose(x, others + axes), (*kept, size))
        u = record("norm", flat, axis=(len(others),), keepdims=False)
        return np.expand_dims(u, axes) if keepdims else u
    return _vector_norm(x, ord, axes, bool(keepdims))


@face(np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """Trace ``np.linalg.matrix_transpose``."""
    return mt(_matrices("np.linalg.matrix_transpose", x))


@face(np.linalg.diagonal)
def diagonal(x: Any, /, *, offset: Any = 0) -> Any:
    """Trace ``np.linalg.diagonal``."""
    return np.diagonal(x, offset, x.ndim - 2, x.ndim - 1)


@face(np.linalg.trace)
def trace(x: Any, /, *, offset: Any = 0, dtype: Any = None) -> Any:
    """Trace ``np.linalg.trace``."""
    x = _matrices("np.linalg.trace", x)
    return np.trace(x, offset, x.ndim - 2, x.ndim - 1, dtype)
