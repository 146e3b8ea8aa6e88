"""The traced forms of ``scipy.linalg``, which NumPy's protocols do not reach.

Plain arrays go to SciPy itself. Options that only say how fast to compute are taken and mean
nothing to traced nodes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ShapeError
from ...rules.linalg import conj, ht, mt
from ...rules.primitive import apply
from ...source_line import user_line
from .linalg import floating, square
from .register import array_of


def _plain(*values: Any) -> bool:
    """Whether all are arrays of the host, or numbers."""
    return all(isinstance(each, np.ndarray | np.generic) for each in map(array_of, values))


def _half(a: Any, lower: Any, unit_diagonal: Any = False) -> Any:
    """Return the triangle of a matrix, with 0 elsewhere."""
    rows, columns = np.arange(a.shape[-1])[:, None], np.arange(a.shape[-1])
    if unit_diagonal:
        half = np.where(rows > columns if lower else rows < columns, a, 0.0)
        return half + np.eye(a.shape[-1], dtype=half.dtype)
    return np.where(rows >= columns if lower else rows <= columns, a, 0.0)


def _turned(a: Any, trans: Any) -> Any:
    if trans in (0, "N"):
        return a
    if trans in (1, "T"):
        return mt(a)
    if trans in (2, "C"):
        return ht(a)
    raise ShapeError(f"{user_line()}: trans is 0, 1 or 2 (or 'N', 'T', 'C'), not {trans!r}")


def solve_triangular(
    a: Any,
    b: Any,
    trans: Any = 0,
    lower: Any = False,
    unit_diagonal: Any = False,
    overwrite_b: Any = False,
    check_finite: Any = True,
) -> Any:
    """Do ``scipy.linalg.solve_triangular``, also of traced nodes."""
    if _plain(a, b):
        import scipy.linalg

        return scipy.linalg.solve_triangular(
            a, b, trans, lower, unit_diagonal, overwrite_b, check_finite
        )
    a = square("scipy.linalg.solve_triangular", a)
    return np.linalg.solve(_turned(_half(a, lower, unit_diagonal), trans), b)


def cho_factor(
    a: Any, lower: Any = False, overwrite_a: Any = False, check_finite: Any = True
) -> tuple[Any, bool]:
    """Do ``scipy.linalg.cho_factor``, also of a traced node: the other triangle stays a's."""
    if _plain(a):
        import scipy.linalg

        factor, _ = scipy.linalg.cho_factor(a, lower, overwrite_a, check_finite)
        return factor, bool(lower)
    a = floating(square("scipy.linalg.cho_factor", a))
    factor = np.linalg.cholesky(a) if lower else ht(np.linalg.cholesky(ht(a)))
    rows, columns = np.arange(a.shape[-1])[:, None], np.arange(a.shape[-1])
    return np.where(rows >= columns if lower else rows <= columns, factor, a), bool(lower)


def cho_solve(c_and_lower: Any, b: Any, overwrite_b: Any = False, check_finite: Any = True) -> Any:
    """Do ``scipy.linalg.cho_solve``, also of traced nodes."""
    factor, lower = c_and_lower
    if _plain(factor, b):
        import scipy.linalg

        return scipy.linalg.cho_solve((factor, lower), b, overwrite_b, check_finite)
    half = _half(square("scipy.linalg.cho_solve", factor), lower)
    turned = ht(half)
    first, second = (half, turned) if lower else (turned, half)
    b = array_of(b)
    columns = b[:, None] if b.ndim == 1 else b  # a stack of vectors would be taken as a matrix
    x = np.linalg.solve(second, np.linalg.solve(first, columns))
    return x[..., 0] if b.ndim == 1 else x


def expm(A: Any) -> Any:
    """Do ``scipy.linalg.expm``, also of a traced node."""
    if _plain(A):
        import scipy.linalg

        return scipy.linalg.expm(A)
    A = square("scipy.linalg.expm", A)
    return apply("expm", A)


def block_diag(*arrs: Any) -> Any:
    """Do ``scipy.linalg.block_diag``, also of traced nodes."""
    if _plain(*arrs):
        import scipy.linalg

        return scipy.linalg.block_diag(*arrs)
    blocks = [array_of(each) for each in arrs]
    blocks = [each if each.ndim > 1 else np.reshape(each, (1, each.size)) for each in blocks]
    width = sum(each.shape[-1] for each in blocks)
    if any(each.ndim > 2 for each in blocks):
        raise ShapeError(f"{user_line()}: block_diag of stacks cannot be traced")
    rows = []
    left = 0
    for each in blocks:
        height, own = each.shape
        zeros = [np.zeros_like(each, shape=(height, n)) for n in (left, width - left - own)]
        rows.append(np.concatenate([zeros[0], each, zeros[1]], axis=1))
        left += own
    return np.concatenate(rows, axis=0)


def toeplitz(c: Any, r: Any = None) -> Any:
    """Do ``scipy.linalg.toeplitz`` of vectors and stacks of them, also of traced nodes."""
    if _plain(c) and (r is None or _plain(r)):
        import scipy.linalg

        return scipy.linalg.toeplitz(c, r)
    column = np.atleast_1d(array_of(c))
    row = conj(column) if r is None else np.atleast_1d(array_of(r))
    m, n = column.shape[-1], row.shape[-1]
    stack = np.broadcast_shapes(column.shape[:-1], row.shape[:-1])
    sides = [column[..., ::-1], row[..., 1:]]
    values = np.concatenate([np.broadcast_to(s, stack + s.shape[-1:]) for s in sides], axis=-1)
    return values[..., np.arange(m - 1, -1, -1)[:, None] + np.arange(n)]
