"""Orthogonal factors, least squares, pseudo-inverses and the matrix exponential."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import ShapeError
from .attributes import NUMBER
from .linalg import conj, cubic, eye, half_lower, ht, inexact, matrices, mt, pack, square, unpack
from .primitive import Abstract, apply, define


def qr_shapes(z: Any) -> list[tuple[int, ...]]:
    """Return the shapes of Q and R of each matrix of a stack."""
    m, n = z.shape[-2:]
    k = min(m, n)
    return [(m, k), (k, n)]


def _qr(z: Array) -> Array:
    q, r = np.linalg.qr(z)
    return pack((q, 2), (r, 2))


def _qr_message(S: Array, u: Array, z: Array) -> Array:
    # Of A = QR, square or tall: Q†dA R⁻¹ is the anti-Hermitian Q†dQ and the upper dR R⁻¹.
    m, n = z.shape[-2:]
    q, r = unpack(u, *qr_shapes(z))
    to_q, to_r = unpack(S, *qr_shapes(z))
    rest = None
    if n > m:  # A = Q [R, Q†A₂] for the columns A₂ beyond the square ones
        rest = conj(q) @ to_r[..., m:]
        to_q = to_q + conj(z[..., m:]) @ ht(to_r[..., m:])
        r, to_r = r[..., :m], to_r[..., :m]
    inner = mt(q) @ to_q - to_r @ mt(r)
    inner = inner * half_lower(inner, inner.shape[-1]).T
    message = to_q - conj(q) @ (inner + ht(inner))
    message = mt(np.linalg.solve(r, mt(message)))
    return message if rest is None else np.concatenate([message, rest], axis=-1)


def _qr_shape(z: Abstract) -> Abstract:
    dtype = matrices("qr", z)
    (m, k), (_, n) = qr_shapes(z)
    return Abstract((*z.shape[:-2], m * k + k * n), dtype)


define("qr", _qr, _qr_message, shape=_qr_shape, flops=lambda u, z: cubic(4, z), takes={})


def _pinv(z: Array, *, rcond: float) -> Array:
    return np.linalg.pinv(z, rcond)


def _pinv_message(S: Array, u: Array, z: Array, *, rcond: float) -> Array:
    # Golub and Pereyra, for matrices whose rank stays what it is.
    turned = mt(S)
    rows = (turned - z @ (u @ turned)) @ (u @ ht(u))
    columns = (ht(u) @ u) @ (turned - (turned @ u) @ z)
    return conj(rows + columns) - mt(u) @ S @ mt(u)


define(
    "pinv",
    _pinv,
    _pinv_message,
    shape=lambda z, *, rcond: Abstract((*z.shape[:-2], *z.shape[:-3:-1]), matrices("pinv", z)),
    flops=lambda u, z, *, rcond: cubic(20, z),
    takes={"rcond": NUMBER},
)


def _lstsq(a: Array, b: Array, *, rcond: float) -> Array:
    return np.linalg.lstsq(a, b, rcond)[0]


def _lstsq_message_to_right(S: Array, u: Array, a: Array, b: Array, *, rcond: float) -> Array:
    return mt(np.linalg.pinv(a, rcond)) @ S


def _lstsq_message_to_matrix(S: Array, u: Array, a: Array, b: Array, *, rcond: float) -> Array:
    p = np.linalg.pinv(a, rcond)
    left = a @ u - b
    if b.ndim == 1:
        S, u, left = (np.expand_dims(each, -1) for each in (S, u, left))
    turned = mt(S)
    rows = left @ ((turned @ p) @ ht(p))
    columns = (ht(p) @ u) @ (turned - (turned @ p) @ a)
    return conj(columns - rows) - (mt(p) @ S) @ mt(u)


def _lstsq_shape(a: Abstract, b: Abstract, *, rcond: float) -> Abstract:
    dtype = inexact("lstsq", a, b)
    if a.ndim != 2 or b.ndim not in (1, 2) or a.shape[0] != b.shape[0]:
        raise ShapeError(
            f"lstsq needs a matrix and as many rows on the right, not {a.shape} and {b.shape}"
        )
    return Abstract((a.shape[1], *b.shape[1:]), dtype)


define(
    "lstsq",
    _lstsq,
    _lstsq_message_to_matrix,
    _lstsq_message_to_right,
    shape=_lstsq_shape,
    flops=lambda u, a, b, *, rcond: cubic(14, a) + 4 * a.shape[0] * u.size,
    takes={"rcond": NUMBER},
)


# The matrix exponential: Padé's approximant of degree 13 to exp(z / 2ᵏ), squared k times
# (Higham 2005). Written with NumPy's functions alone, so that device arrays have it too.

_PADE = [
    math.comb(13, i) * math.factorial(26 - i) / math.factorial(26) for i in range(14)
]  # of x^i; normalised so that the first is 1
_RADIUS = 5.371920351148152
"""The 1-norm up to which the approximant is exact to double precision."""

_SQUARINGS = 64
"""The most squarings; all are made where reading how many are needed would stop the device."""


def _expm(z: Array) -> Array:
    if z.dtype.kind not in "fc":
        z = z.astype(np.float64)
    n = z.shape[-1]
    if z.size == 0:
        return z * 1
    size = np.max(np.sum(np.absolute(z), axis=-2), axis=-1)
    halvings = np.ceil(np.log2(np.maximum(size / _RADIUS, 1)))[..., None, None]
    halvings = np.fmin(halvings, _SQUARINGS)  # also where the matrix is not finite
    x = z * 0.5**halvings
    one = eye(z, n).astype(z.dtype)
    x2 = x @ x
    x4 = x2 @ x2
    x6 = x2 @ x4
    p = _PADE
    odd = x6 @ (p[13] * x6 + p[11] * x4 + p[9] * x2)
    odd = x @ (odd + p[7] * x6 + p[5] * x4 + p[3] * x2 + p[1] * one)
    even = x6 @ (p[12] * x6 + p[10] * x4 + p[8] * x2)
    even = even + p[6] * x6 + p[4] * x4 + p[2] * x2 + p[0] * one
    u = np.linalg.solve(even - odd, even + odd)
    most = int(np.max(halvings)) if isinstance(z, np.ndarray) else _SQUARINGS
    for done in range(most):
        u = np.where(done < halvings, u @ u, u)
    return u


def _expm_message(S: Array, u: Array, z: Array) -> Array:
    # The exponential of [[zᵀ, S], [0, zᵀ]] has exp(zᵀ)'s slope along S in its corner.
    n = z.shape[-1]
    turned = mt(z)
    rows = np.concatenate([turned, S], axis=-1), np.concatenate([np.zeros_like(S), turned], axis=-1)
    return apply("expm", np.concatenate(rows, axis=-2))[..., :n, n:]


define(
    "expm",
    _expm,
    _expm_message,
    shape=lambda z: Abstract(z.shape, square("expm", z)),
    flops=lambda u, z: cubic(30, z),
    takes={},
)
