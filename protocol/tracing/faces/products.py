"""The traced forms of products of vectors, and of polynomials: ``np.dot``, ``np.cross``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ShapeError
from ...rules.primitive import Recorded, apply
from ...source_line import user_line
from .einsum import tensordot
from .register import array_of, face, one_axis, only


@face(np.dot, method="dot")
def dot(a: Any, b: Any, out: Any = None) -> Any:
    """Trace ``np.dot``: a product for scalars, matmul for vectors and matrices."""
    only("np.dot", out=out)
    a, b = array_of(a), array_of(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if b.ndim <= 2 and (a.ndim <= 2 or b.ndim == 1):
        return a @ b
    return tensordot(a, b, ((a.ndim - 1,), (max(b.ndim - 2, 0),)))


@face(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    """Trace ``np.vdot``: all entries, the first operand conjugated."""
    a, b = array_of(a), array_of(b)
    if a.size != b.size:
        raise ShapeError(f"{user_line()}: vdot of shapes {a.shape} and {b.shape}: not of one size")
    a, b = (z if z.ndim == 1 else np.reshape(z, (z.size,)) for z in (a, b))
    return (np.conjugate(a) if a.dtype.kind == "c" else a) @ b


@face(np.linalg.matmul)
def matmul(x1: Any, x2: Any, /) -> Any:
    """Trace ``np.linalg.matmul``."""
    return np.matmul(x1, x2)


@face(np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: Any = -1) -> Any:
    """Trace ``np.linalg.vecdot``."""
    x1, x2 = array_of(x1), array_of(x2)
    return np.vecdot(_with_last(x1, axis), _with_last(x2, axis))


def _with_last(a: Any, axis: Any) -> Any:
    """Move an axis to the end."""
    place = one_axis(axis, a.ndim)
    if place == a.ndim - 1:
        return a
    return np.transpose(a, (*(i for i in range(a.ndim) if i != place), place))


@face(np.cross)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """Trace ``np.cross`` of vectors of 3 entries, or of 2, whose third is 0."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = _with_last(array_of(a), axisa), _with_last(array_of(b), axisb)
    lengths = {a.shape[-1], b.shape[-1]}
    if not lengths <= {2, 3}:
        raise ShapeError(
            f"{user_line()}: cross of vectors of {a.shape[-1]} and {b.shape[-1]} entries; "
            f"they must have 2 or 3"
        )
    if lengths == {2}:
        return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    product = apply("cross", *(z if z.shape[-1] == 3 else _with_zero(z) for z in (a, b)))
    return (
        np.moveaxis(product, -1, axisc)
        if one_axis(axisc, product.ndim) + 1 < product.ndim
        else product
    )


def _with_zero(z: Any) -> Any:
    return np.concatenate([z, np.zeros((*z.shape[:-1], 1), z.dtype)], axis=-1)


@face(np.linalg.cross)
def cross_of_three(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Trace ``np.linalg.cross``."""
    if {np.shape(x1)[axis], np.shape(x2)[axis]} != {3}:
        raise ShapeError(
            f"{user_line()}: np.linalg.cross of shapes {np.shape(x1)} and {np.shape(x2)}: the "
            f"vectors have not 3 entries"
        )
    return cross(x1, x2, axis=axis)


@face(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """Trace ``np.polyval`` by Horner's rule."""
    if isinstance(x, np.poly1d):
        raise ShapeError(f"{user_line()}: np.polyval of a polynomial of a polynomial has no array")
    x = array_of(x)
    among = isinstance(p, list | tuple) and any(isinstance(each, Recorded) for each in p)
    coefficients = list(p if among or isinstance(p, Recorded) else np.asarray(p))
    if not coefficients:
        return np.zeros_like(x)
    total = coefficients[0]
    if len(coefficients) == 1:
        return total + np.zeros_like(x)
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total


@face(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Trace ``np.vander``: powers of a column."""
    if x.ndim != 1:
        raise ShapeError(f"{user_line()}: np.vander of shape {x.shape} takes one axis")
    count = x.size if N is None else int(N)
    powers = np.arange(count) if increasing else np.arange(count)[::-1]
    return np.reshape(x, (x.size, 1)) ** powers
