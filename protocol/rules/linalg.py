"""Linear algebra on stacks of matrices: norms, inverses, systems, determinants, Cholesky.

``solve`` and ``inv`` are holomorphic, so their messages need no conjugates. A function that reads
one triangle of a Hermitian matrix only, as NumPy's ``cholesky`` and ``eigh`` do, sends its message
to that triangle only; the message to a matrix that was made symmetric is the same either way.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arrays import Array, real_of
from ..errors import ShapeError
from .attributes import AXES, FLAG, optional
from .primitive import Abstract, apply, define
from .reductions import Axes, reduced_shape, spread

# What the rules of this family share.


def conj(z: Array) -> Array:
    """Return the conjugate; a real array itself."""
    return np.conjugate(z) if z.dtype.kind == "c" else z


def mt(z: Array) -> Array:
    """Transpose each matrix of a stack."""
    return z.T if z.ndim == 2 else np.swapaxes(z, -1, -2)


def ht(z: Array) -> Array:
    """Transpose each matrix of a stack and conjugate it."""
    return conj(mt(z))


def over_matrix(S: Array) -> Array:
    """Give numbers, one for each matrix of a stack, two axes to broadcast over it."""
    return np.expand_dims(S, (-2, -1))


def counted(like: Array, length: int) -> Array:
    """Return 1, 2, 3, ... of the kind and precision of ``like``, to make masks from."""
    return np.cumsum(np.ones_like(like, dtype=real_of(like.dtype), shape=(length,)))


def eye(like: Array, length: int) -> Array:
    """Return where a square matrix has its diagonal."""
    places = counted(like, length)
    return places[:, None] == places


def half_lower(like: Array, length: int) -> Array:
    """Return 1 below the diagonal, 1/2 on it and 0 above."""
    places = counted(like, length)
    return 0.5 * np.sign(places[:, None] - places) + 0.5


def to_triangle(message: Array, lower: bool) -> Array:
    """Send the message to a Hermitian matrix to the one triangle that it is made from."""
    mask = half_lower(message, message.shape[-1])
    return (message + ht(message)) * (mask if lower else mask.T)


def pack(*parts: tuple[Array, int]) -> Array:
    """Join outputs in one array, flat along its last axis; with each, how many axes are its own."""
    flat = []
    for part, own in parts:
        stack = part.shape[: part.ndim - own]
        size = math.prod(part.shape[part.ndim - own :])
        flat.append(part if own == 1 else np.reshape(part, (*stack, size)))
    return np.concatenate(flat, axis=-1)


def unpack(u: Array, *shapes: tuple[int, ...]) -> list[Array]:
    """Take the outputs, of these shapes in each place of the stack, out of a packed array."""
    parts = []
    start = 0
    for shape in shapes:
        stop = start + math.prod(shape)
        part = u[..., start:stop]
        parts.append(part if len(shape) == 1 else np.reshape(part, (*u.shape[:-1], *shape)))
        start = stop
    return parts


def matrices(name: str, *z: Abstract) -> Any:
    """Return the dtype of a result in the dtype of matrices; raise unless all are matrices."""
    for value in z:
        if value.ndim < 2:
            raise ShapeError(f"{name} needs a matrix or a stack of them, not shape {value.shape}")
    return inexact(name, *z)


def square(name: str, z: Abstract) -> Any:
    """Return the dtype of a result in the dtype of ``z``; raise unless it is square matrices."""
    dtype = matrices(name, z)
    if z.shape[-1] != z.shape[-2]:
        raise ShapeError(f"{name} needs square matrices, not shape {z.shape}")
    return dtype


def inexact(name: str, *z: Abstract) -> Any:
    """Return the floating-point dtype that LAPACK computes with."""
    dtypes = [value.dtype if value.dtype.kind in "fc" else np.dtype("f8") for value in z]
    dtype = np.result_type(*dtypes)
    if any(each.itemsize == 2 for each in dtypes):
        raise ShapeError(f"{name} is not defined for dtype float16; use float32")
    return dtype


def cubic(factor: float, z: Abstract) -> int:
    """Count ``factor``·n³ operations for each matrix of a stack, n² being its entries."""
    shorter = min(z.shape[-2:])
    return int(factor * z.size * shorter)


# Norms.


def _norm(z: Array, *, axis: Axes, keepdims: bool) -> Array:
    return np.linalg.norm(z, None, axis, keepdims)


def _norm_message(S: Array, u: Array, z: Array, *, axis: Axes, keepdims: bool) -> Array:
    # At z = 0 the norm has a kink, and 0 is the slope to choose, not 0 / 0.
    return spread(S / (u + (u == 0)), z, axis, keepdims) * conj(z)


def _norm_shape(z: Abstract, *, axis: Axes, keepdims: bool) -> Abstract:
    if axis is not None and not 1 <= len(axis) <= 2:
        raise ShapeError(f"norm is of one axis, of two or of all, not of the axes {axis}")
    dtype = z.dtype if z.dtype.kind in "fc" else np.dtype("f8")
    return Abstract(reduced_shape(z, axis, keepdims), real_of(dtype))


define(
    "norm",
    _norm,
    _norm_message,
    shape=_norm_shape,
    flops=lambda u, z, **attributes: 2 * z.size,
    takes={"axis": optional(AXES), "keepdims": FLAG},
)


# Inverses and systems.


def _inv_message(S: Array, u: Array, z: Array) -> Array:
    turned = mt(u)
    return -(turned @ S @ turned)


define(
    "inv",
    np.linalg.inv,
    _inv_message,
    shape=lambda z: Abstract(z.shape, square("inv", z)),
    flops=lambda u, z: cubic(2, z),
    takes={},
)


def _solve(a: Array, b: Array) -> Array:
    if b.ndim > 1 and a.shape[:-2] != b.shape[:-2]:  # CuPy broadcasts no stacks
        stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a = np.broadcast_to(a, stack + a.shape[-2:])
        b = np.broadcast_to(b, stack + b.shape[-2:])
    return np.linalg.solve(a, b)


def _solve_message_to_right(S: Array, u: Array, a: Array, b: Array) -> Array:
    if b.ndim == 1 and a.ndim > 2:  # S has an axis for each matrix: solve must not take it as one
        return np.squeeze(np.linalg.solve(mt(a), np.expand_dims(S, -1)), -1)
    return apply("solve", mt(a), S)


def _solve_message_to_matrix(S: Array, u: Array, a: Array, b: Array) -> Array:
    message = -_solve_message_to_right(S, u, a, b)
    if b.ndim == 1:
        return np.expand_dims(message, -1) * np.expand_dims(u, -2)
    return message @ mt(u)


def _solve_shape(a: Abstract, b: Abstract) -> Abstract:
    square("solve", a)
    rows = b.shape[-2:-1] if b.ndim > 1 else b.shape
    if rows != a.shape[-1:]:
        raise ShapeError(f"solve of shapes {a.shape} and {b.shape}: the numbers of rows differ")
    dtype = inexact("solve", a, b)
    if b.ndim == 1:
        return Abstract(a.shape[:-1], dtype)
    try:
        stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ShapeError(f"solve of shapes {a.shape} and {b.shape}: the stacks differ") from None
    return Abstract((*stack, *b.shape[-2:]), dtype)


define(
    "solve",
    _solve,
    _solve_message_to_matrix,
    _solve_message_to_right,
    shape=_solve_shape,
    flops=lambda u, a, b: cubic(2 / 3, a) + 2 * u.size * a.shape[-1],
    takes={},
)


# Determinants. The message of det is S times the cofactors, which are finite also where the
# matrix is singular; det·inv, the usual way to write them, is 0·∞ there.


def _others(s: Array, diagonal: Array) -> Array:
    """Return for each entry the product of the others."""
    return np.prod(np.where(diagonal, 1.0, s[..., None, :]), axis=-1)


def _cofactor(z: Array) -> Array:
    u, s, vh = np.linalg.svd(z)
    sign = over_matrix(np.linalg.det(u)) * over_matrix(np.linalg.det(vh))
    others = _others(s, eye(s, s.shape[-1]))
    return (sign * conj(u) * others[..., None, :]) @ conj(vh)


def _cofactor_slope(z: Array, along: Array) -> Array:
    """Return how the cofactors of z change along a direction: a sum of minors of minors."""
    u, s, vh = np.linalg.svd(z)
    sign = over_matrix(np.linalg.det(u)) * over_matrix(np.linalg.det(vh))
    count = s.shape[-1]
    if count == 0:
        return z * along
    diagonal = eye(s, count)
    others = np.stack(
        [_others(np.where(diagonal[i], 1.0, s), diagonal) for i in range(count)], axis=-2
    ) * (diagonal == 0)
    turned = ht(u) @ along @ ht(vh)
    entries = np.sum(turned * diagonal, axis=-1)
    slope = diagonal * (others @ entries[..., None]) - others * mt(turned)
    return (sign * conj(u)) @ slope @ conj(vh)


def _cofactor_slope_message(S: Array, u: Array, z: Array, along: Array) -> Array:
    # The third derivative of det, by the inverse.
    inverse = np.linalg.inv(z)
    left, right = inverse @ along, inverse @ S
    a, b = (over_matrix(np.trace(each, 0, -2, -1)) for each in (left, right))
    both = over_matrix(np.trace(left @ right, 0, -2, -1))
    inner = (a * b - both) * inverse + (
        left @ right + right @ left - b * left - a * right
    ) @ inverse
    return over_matrix(np.linalg.det(z)) * mt(inner)


define(
    "det",
    np.linalg.det,
    lambda S, u, z: over_matrix(S) * apply("cofactor", z),
    shape=lambda z: Abstract(z.shape[:-2], square("det", z)),
    flops=lambda u, z: cubic(2 / 3, z),
    takes={},
)
define(
    "cofactor",
    _cofactor,
    lambda S, u, z: apply("cofactor_slope", z, S),
    shape=lambda z: Abstract(z.shape, square("cofactor", z)),
    flops=lambda u, z: cubic(24, z),
    takes={},
)


def _cofactor_slope_shape(z: Abstract, along: Abstract) -> Abstract:
    if along.shape != z.shape:
        raise ShapeError(f"cofactor_slope of shapes {z.shape} and {along.shape}")
    square("cofactor_slope", z)
    return Abstract(z.shape, inexact("cofactor_slope", z, along))


define(
    "cofactor_slope",
    _cofactor_slope,
    _cofactor_slope_message,
    lambda S, u, z, along: apply("cofactor_slope", z, S),
    shape=_cofactor_slope_shape,
    flops=lambda u, z, along: cubic(36, z),
    takes={},
)


def _slogdet(z: Array) -> Array:
    sign, logarithm = np.linalg.slogdet(z)
    return np.stack([sign, logarithm], axis=-1)


def _slogdet_message(S: Array, u: Array, z: Array) -> Array:
    share = S[..., 1]
    if z.dtype.kind == "c":  # the sign turns on the unit circle
        share = np.real(share) + 1j * np.imag(S[..., 0] * u[..., 0])
    return over_matrix(share) * mt(np.linalg.inv(z))


define(
    "slogdet",
    _slogdet,
    _slogdet_message,
    shape=lambda z: Abstract((*z.shape[:-2], 2), square("slogdet", z)),
    flops=lambda u, z: cubic(2 / 3, z),
    takes={},
)


def _cholesky_message(S: Array, u: Array, z: Array) -> Array:
    turned = mt(u)
    half = (turned @ S) * half_lower(u, u.shape[-1])
    message = np.linalg.solve(turned, mt(np.linalg.solve(conj(turned), mt(half))))
    return to_triangle(message, lower=True)


define(
    "cholesky",
    np.linalg.cholesky,
    _cholesky_message,
    shape=lambda z: Abstract(z.shape, square("cholesky", z)),
    flops=lambda u, z: cubic(1 / 3, z),
    takes={},
)
