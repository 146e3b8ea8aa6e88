"""Matrix products.

For U = W Z the messages are S Zᵀ to W and Wᵀ S to Z. (The article writes S W for the latter: a
slip, as the shapes show.)
"""

from __future__ import annotations

import operator

import numpy as np

from ..arrays import Array
from ..errors import ShapeError
from .primitive import Abstract, define


def _transposed(a: Array) -> Array:
    if a.ndim <= 2:
        return a.T
    return np.swapaxes(a, -1, -2)


def _message_to_left(S: Array, u: Array, w: Array, z: Array) -> Array:
    if z.ndim == 1:
        return S * z if w.ndim == 1 else S[..., None] * z
    if w.ndim == 1:
        # w (n), z (..., n, p), S (..., p): one message row for each matrix in the stack.
        return (z @ S[..., None])[..., 0]
    return S @ _transposed(z)


def _message_to_right(S: Array, u: Array, w: Array, z: Array) -> Array:
    if w.ndim == 1:
        return S * w if z.ndim == 1 else w[:, None] * S[..., None, :]
    if z.ndim == 1:
        # w (..., m, n), z (n), S (..., m)
        return (S[..., None, :] @ w)[..., 0, :]
    return _transposed(w) @ S


def _matmul_shape(w: Abstract, z: Abstract) -> Abstract:
    if w.ndim == 0 or z.ndim == 0:
        raise ShapeError("matmul needs at least one axis on both sides; use * with a scalar")
    left, right = w.shape, z.shape
    inner = right[-1] if z.ndim == 1 else right[-2]
    if left[-1] != inner:
        raise ShapeError(
            f"matmul of shapes {left} and {right}: the inner lengths {left[-1]} and {inner} differ"
        )
    try:
        batch = np.broadcast_shapes(left[:-2], right[:-2])
    except ValueError:
        raise ShapeError(f"matmul of shapes {left} and {right}: the stacks differ") from None
    rows = left[-2:-1] if w.ndim > 1 else ()
    columns = right[-1:] if z.ndim > 1 else ()
    return Abstract((*batch, *rows, *columns), np.result_type(w.dtype, z.dtype))


define(
    "matmul",
    operator.matmul,
    _message_to_left,
    _message_to_right,
    shape=_matmul_shape,
    flops=lambda u, w, z: 2 * u.size * w.shape[-1],
    takes={},
)
