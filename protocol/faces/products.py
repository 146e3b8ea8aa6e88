"""The traced forms of products: ``np.dot``, ``np.outer``, ``np.tensordot``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..traced import user_line
from .register import face, one_axis, only


@face(np.dot, method="dot")
def dot(a: Any, b: Any, out: Any = None) -> Any:
    """Trace ``np.dot``: a product for scalars, matmul for vectors and matrices."""
    only("np.dot", out=out)
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return a * b
    if np.ndim(b) <= 2:
        return a @ b
    return np.tensordot(a, b, axes=((np.ndim(a) - 1,), (np.ndim(b) - 2,)))


@face(np.vdot)
def vdot(a: Any, b: Any) -> Any:
    """Trace ``np.vdot`` of real arrays."""
    return np.ravel(a) @ np.ravel(b)


@face(np.inner)
def inner(a: Any, b: Any) -> Any:
    """Trace ``np.inner``."""
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return a * b
    return np.tensordot(a, b, axes=((np.ndim(a) - 1,), (np.ndim(b) - 1,)))


@face(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    """Trace ``np.outer``."""
    only("np.outer", out=out)
    return np.reshape(np.ravel(a), (-1, 1)) * np.reshape(np.ravel(b), (1, -1))


@face(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Trace ``np.tensordot``: transpose, reshape and one matrix product."""
    a_ndim, b_ndim = np.ndim(a), np.ndim(b)
    if isinstance(axes, int):
        left, right = tuple(range(a_ndim - axes, a_ndim)), tuple(range(axes))
    else:
        left, right = ((each,) if isinstance(each, int) else tuple(each) for each in axes)
    left = tuple(one_axis(i, a_ndim) for i in left)
    right = tuple(one_axis(i, b_ndim) for i in right)
    a_shape, b_shape = np.shape(a), np.shape(b)
    if [a_shape[i] for i in left] != [b_shape[i] for i in right]:
        raise ShapeError(
            f"{user_line()}: tensordot of shapes {a_shape} and {b_shape} over axes {axes}: "
            f"the lengths differ"
        )
    a_kept = tuple(i for i in range(a_ndim) if i not in left)
    b_kept = tuple(i for i in range(b_ndim) if i not in right)
    joined = 1
    for i in left:
        joined *= a_shape[i]
    kept = tuple(a_shape[i] for i in a_kept) + tuple(b_shape[i] for i in b_kept)
    rows = 1
    for i in a_kept:
        rows *= a_shape[i]
    columns = 1
    for i in b_kept:
        columns *= b_shape[i]
    matrix = np.reshape(np.transpose(a, a_kept + left), (rows, joined))
    other = np.reshape(np.transpose(b, right + b_kept), (joined, columns))
    return np.reshape(matrix @ other, kept)
