"""Eigenvalues, singular values and their vectors.

A primitive with several outputs packs them in one array, flat along its last axis. Where two
eigenvalues or singular values are equal their vectors have no derivative, and what they would
exchange is left out: right for all that does not depend on the choice of vectors within their
common space and is flat there, and finite always. The phases of complex vectors are a choice
of LAPACK too: messages are right for functions that do not depend on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Array, real_of
from .attributes import FLAG, one_of
from .linalg import conj, cubic, eye, ht, matrices, mt, pack, square, to_triangle, unpack
from .primitive import Abstract, apply, define

TRIANGLE = one_of("L", "U")


def _inverse(z: Array) -> Array:
    """Return 1/z, and 0 where z is 0."""
    return (z != 0) / (z + (z == 0))


def _gaps(values: Array) -> Array:
    """Return the j-th value minus the i-th, at the place i, j."""
    return np.expand_dims(values, -2) - np.expand_dims(values, -1)


# Of Hermitian matrices.


def _eigh(z: Array, *, UPLO: Any) -> Array:
    values, vectors = np.linalg.eigh(z, UPLO)
    return pack((values, 1), (vectors, 2))


def unpack_eigh(u: Array, n: int) -> list[Array]:
    """Take eigenvalues and eigenvectors out of a packed array."""
    values, vectors = unpack(u, (n,), (n, n))
    return [np.real(values) if u.dtype.kind == "c" else values, vectors]


def _eigh_message(S: Array, u: Array, z: Array, *, UPLO: str) -> Array:
    n = z.shape[-1]
    values, vectors = unpack_eigh(u, n)
    to_values, to_vectors = unpack_eigh(S, n)
    inner = (mt(vectors) @ to_vectors) * _inverse(_gaps(values))
    inner = inner + eye(values, n) * np.expand_dims(to_values, -2)
    return to_triangle(conj(vectors) @ inner @ mt(vectors), UPLO == "L")


define(
    "eigh",
    _eigh,
    _eigh_message,
    shape=lambda z, *, UPLO: Abstract(
        (*z.shape[:-2], z.shape[-1] * (z.shape[-1] + 1)), square("eigh", z)
    ),
    flops=lambda u, z, *, UPLO: cubic(9, z),
    takes={"UPLO": TRIANGLE},
)


def _eigvalsh(z: Array, *, UPLO: Any) -> Array:
    return np.linalg.eigvalsh(z, UPLO)


def _eigvalsh_message(S: Array, u: Array, z: Array, *, UPLO: str) -> Array:
    _, vectors = unpack_eigh(apply("eigh", z, UPLO=UPLO), z.shape[-1])
    message = (conj(vectors) * np.expand_dims(S, -2)) @ mt(vectors)
    return to_triangle(message, UPLO == "L")


define(
    "eigvalsh",
    _eigvalsh,
    _eigvalsh_message,
    shape=lambda z, *, UPLO: Abstract(z.shape[:-1], real_of(square("eigvalsh", z))),
    flops=lambda u, z, *, UPLO: cubic(4 / 3, z),
    takes={"UPLO": TRIANGLE},
)


# Of any square matrices: complex always, for a dtype must not depend on values.


def _complex_of(dtype: Any) -> Any:
    return dtype if dtype.kind == "c" else np.dtype(f"c{2 * dtype.itemsize}")


def _eig(z: Array) -> Array:
    values, vectors = np.linalg.eig(z)
    packed = pack((values, 1), (vectors, 2))
    return packed.astype(_complex_of(packed.dtype))


def _eig_message(S: Array, u: Array, z: Array) -> Array:
    n = z.shape[-1]
    values, vectors = unpack(u, (n,), (n, n))
    to_values, to_vectors = unpack(S, (n,), (n, n))
    turned = mt(vectors)
    diagonal = eye(z, n)
    inner = turned @ to_vectors
    # Eigenvectors have length 1: they do not grow along themselves.
    along = np.sum(inner * diagonal, axis=-2, keepdims=True)
    inner = (inner - (turned @ np.conjugate(vectors)) * along) * _inverse(_gaps(values))
    inner = inner + diagonal * np.expand_dims(to_values, -2)
    return np.linalg.solve(turned, inner @ turned)


define(
    "eig",
    _eig,
    _eig_message,
    shape=lambda z: Abstract(
        (*z.shape[:-2], z.shape[-1] * (z.shape[-1] + 1)), _complex_of(square("eig", z))
    ),
    flops=lambda u, z: cubic(25, z),
    takes={},
)


def _eigvals(z: Array) -> Array:
    values = np.linalg.eigvals(z)
    return values.astype(_complex_of(values.dtype))


def _eigvals_message(S: Array, u: Array, z: Array) -> Array:
    n = z.shape[-1]
    _, vectors = unpack(apply("eig", z), (n,), (n, n))
    turned = mt(vectors)
    return np.linalg.solve(turned, np.expand_dims(S, -1) * turned)


define(
    "eigvals",
    _eigvals,
    _eigvals_message,
    shape=lambda z: Abstract(z.shape[:-1], _complex_of(square("eigvals", z))),
    flops=lambda u, z: cubic(10, z),
    takes={},
)


# Singular values.


def svd_shapes(z: Any, full: bool) -> list[tuple[int, ...]]:
    """Return the shapes of U, s and V† of each matrix of a stack."""
    m, n = z.shape[-2:]
    k = min(m, n)
    return [(m, m), (k,), (n, n)] if full else [(m, k), (k,), (k, n)]


def unpack_svd(u: Array, z: Any, full: bool) -> list[Array]:
    """Take U, s and V† out of a packed array."""
    left, s, right = unpack(u, *svd_shapes(z, full))
    return [left, np.real(s) if u.dtype.kind == "c" else s, right]


def _svd(z: Array, *, full_matrices: bool) -> Array:
    left, s, right = np.linalg.svd(z, full_matrices)
    return pack((left, 2), (s, 1), (right, 2))


def _svd_message(S: Array, u: Array, z: Array, *, full_matrices: bool) -> Array:
    # With U†dU = Ω and V†dV = Ψ, both anti-Hermitian, and P = U†dA V: Ω - Ψ is the
    # anti-Hermitian part of P over sᵢ + sⱼ, Ω + Ψ the Hermitian part over sⱼ - sᵢ.
    m, n = z.shape[-2:]
    k = min(m, n)
    left, s, right = unpack_svd(u, z, full_matrices)
    to_left, to_s, to_right = unpack_svd(S, z, full_matrices)
    more_left = more_right = None
    if full_matrices and m > k:
        more_left, to_more_left = left[..., k:], to_left[..., k:]
        left, to_left = left[..., :k], to_left[..., :k]
    if full_matrices and n > k:
        more_right, to_more_right = right[..., k:, :], to_right[..., k:, :]
        right, to_right = right[..., :k, :], to_right[..., :k, :]
    a, b = conj(left), conj(right)
    x, y = mt(left) @ to_left, b @ ht(to_right)
    sums = np.expand_dims(s, -2) + np.expand_dims(s, -1)
    together = 0.5 * (x + y) * _inverse(_gaps(s))
    apart = 0.5 * (x - y) * _inverse(sums)
    inner = together + ht(together) + apart - ht(apart)
    inner = (inner + eye(s, k) * np.expand_dims(to_s, -2)) @ b
    # Out of the spaces that U and V span, one of which may be all there is.
    if n > k:
        inner = inner + np.expand_dims(_inverse(s), -1) * (to_right - ht(y) @ b)
    message = a @ inner
    if m > k:
        message = message + ((to_left - a @ x) * np.expand_dims(_inverse(s), -2)) @ b
    # The columns that complete a basis turn as U and V leave it; what they do among themselves
    # is a choice.
    if more_left is not None:
        turn = (mt(left) @ to_more_left) * np.expand_dims(_inverse(s), -1)
        message = message - conj(more_left) @ ht(turn) @ b
    if more_right is not None:
        turn = (b @ ht(to_more_right)) * np.expand_dims(_inverse(s), -1)
        message = message - a @ turn @ conj(more_right)
    return message


def _svd_shape(z: Abstract, *, full_matrices: bool) -> Abstract:
    dtype = matrices("svd", z)
    left, s, right = svd_shapes(z, full_matrices)
    size = left[0] * left[1] + s[0] + right[0] * right[1]
    return Abstract((*z.shape[:-2], size), dtype)


define(
    "svd",
    _svd,
    _svd_message,
    shape=_svd_shape,
    flops=lambda u, z, *, full_matrices: cubic(14, z),
    takes={"full_matrices": FLAG},
)


def _svdvals(z: Array) -> Array:
    return np.linalg.svd(z, compute_uv=False)


def _svdvals_message(S: Array, u: Array, z: Array) -> Array:
    left, _, right = unpack_svd(apply("svd", z, full_matrices=False), z, False)
    return (conj(left) * np.expand_dims(S, -2)) @ conj(right)


def _svdvals_shape(z: Abstract) -> Abstract:
    dtype = real_of(matrices("svdvals", z))
    return Abstract((*z.shape[:-2], min(z.shape[-2:])), dtype)


define(
    "svdvals",
    _svdvals,
    _svdvals_message,
    shape=_svdvals_shape,
    flops=lambda u, z: cubic(4, z),
    takes={},
)
