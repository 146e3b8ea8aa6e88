"""Primitives that act entry by entry, with NumPy's broadcasting."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..arrays import Array, real_of
from ..errors import ShapeError
from .attributes import DTYPE
from .primitive import Abstract, MessageRule, Primitive, define

TRANSCENDENTAL = 10
"""Operations counted for one entry of a function such as tanh; arithmetic counts one."""

LOG_2, LOG_10 = math.log(2.0), math.log(10.0)
"""Python numbers, which leave float32 as it is; np.log(2.0) is a float64."""


def broadcast_shape(*z: Abstract) -> tuple[int, ...]:
    """Return the shape that the inputs broadcast to."""
    try:
        return np.broadcast_shapes(*(value.shape for value in z))
    except ValueError:
        shapes = " and ".join(str(value.shape) for value in z)
        raise ShapeError(f"shapes {shapes} do not broadcast together") from None


def _ufunc_shape(ufunc: np.ufunc, *z: Abstract) -> Abstract:
    dtypes = tuple(value.weak or value.dtype for value in z)
    try:
        dtype = ufunc.resolve_dtypes((*dtypes, None))[-1]
    except TypeError:
        names = ", ".join(str(np.dtype(dtype)) for dtype in dtypes)
        raise ShapeError(f"{ufunc.__name__} is not defined for dtype {names}") from None
    return Abstract(broadcast_shape(*z), dtype)


def _flops_per_entry(each: int, u: Abstract, *z: Abstract, **attributes: Any) -> int:
    return each * u.size


def elementwise(
    ufunc: np.ufunc,
    *messages: MessageRule | None,
    forward: Callable[..., Array] | None = None,
    flops: int = 1,
) -> Primitive:
    """Define the primitive of a ufunc.

    ``forward`` may be the operator of the same meaning, which is faster on scalars.
    """
    return define(
        ufunc.__name__,
        forward or ufunc,
        *messages,
        shape=partial(_ufunc_shape, ufunc),
        flops=partial(_flops_per_entry, flops),
        takes={},
    )


def _share(winner: Array, loser: Array) -> Array:
    """Return 1 where ``winner`` wins, 1/2 at a tie: ties share the message evenly."""
    return 0.5 * ((winner > loser) * 1.0 + (winner >= loser) * 1.0)


# fmt: off
elementwise(np.add, lambda S, u, a, b: S, lambda S, u, a, b: S, forward=operator.add)
elementwise(np.subtract, lambda S, u, a, b: S, lambda S, u, a, b: -S, forward=operator.sub)
elementwise(np.multiply, lambda S, u, a, b: S * b, lambda S, u, a, b: S * a, forward=operator.mul)
elementwise(np.divide, lambda S, u, a, b: S / b, lambda S, u, a, b: -S * u / b,
            forward=operator.truediv)
elementwise(np.negative, lambda S, u, z: -S, forward=operator.neg)
elementwise(np.positive, lambda S, u, z: S, forward=operator.pos)
elementwise(np.reciprocal, lambda S, u, z: -S * u * u)
elementwise(np.square, lambda S, u, z: S * (2 * z))


def _absolute_message(S: Array, u: Array, z: Array) -> Array:
    if z.dtype.kind != "c":
        return S * np.sign(z)
    return S * (np.conjugate(z) / np.where(u == 0, 1.0, u))


elementwise(np.absolute, _absolute_message)
elementwise(np.conjugate, lambda S, u, z: np.conjugate(S))
elementwise(np.fabs, lambda S, u, z: S * np.sign(z))


def _power_message_to_base(S: Array, u: Array, a: Array, b: Array) -> Array:
    # b·a^(b-1), and 0 where b is 0 also at a = 0, where a^(b-1) is infinite.
    if isinstance(b, (int, float)):
        return S * (b * a ** (b - 1)) if b else S * 0.0
    return S * np.where(b == 0, 0.0, b * a ** np.where(b == 0, 1.0, b - 1.0))


def _power_message_to_exponent(S: Array, u: Array, a: Array, b: Array) -> Array:
    # a^b·log a, whose limit at a = 0 is 0 for b > 0; 0**0 is taken as the end of that branch.
    return S * (u * np.log(np.where(a == 0, 1.0, a)))


elementwise(np.power, _power_message_to_base, _power_message_to_exponent,
            forward=operator.pow, flops=TRANSCENDENTAL)

elementwise(np.exp, lambda S, u, z: S * u, flops=TRANSCENDENTAL)
elementwise(np.exp2, lambda S, u, z: S * (u * LOG_2), flops=TRANSCENDENTAL)
elementwise(np.expm1, lambda S, u, z: S * (u + 1), flops=TRANSCENDENTAL)
elementwise(np.log, lambda S, u, z: S / z, flops=TRANSCENDENTAL)
elementwise(np.log2, lambda S, u, z: S / (z * LOG_2), flops=TRANSCENDENTAL)
elementwise(np.log10, lambda S, u, z: S / (z * LOG_10), flops=TRANSCENDENTAL)
elementwise(np.log1p, lambda S, u, z: S / (z + 1), flops=TRANSCENDENTAL)
elementwise(np.sqrt, lambda S, u, z: S * (0.5 / u), flops=TRANSCENDENTAL)
elementwise(np.cbrt, lambda S, u, z: S / (3 * (u * u)), flops=TRANSCENDENTAL)
elementwise(np.sin, lambda S, u, z: S * np.cos(z), flops=TRANSCENDENTAL)
elementwise(np.cos, lambda S, u, z: -S * np.sin(z), flops=TRANSCENDENTAL)
elementwise(np.tan, lambda S, u, z: S * (1 + u * u), flops=TRANSCENDENTAL)
elementwise(np.arcsin, lambda S, u, z: S / np.sqrt(1 - z * z), flops=TRANSCENDENTAL)
elementwise(np.arccos, lambda S, u, z: -S / np.sqrt(1 - z * z), flops=TRANSCENDENTAL)
elementwise(np.arctan, lambda S, u, z: S / (1 + z * z), flops=TRANSCENDENTAL)
elementwise(np.sinh, lambda S, u, z: S * np.cosh(z), flops=TRANSCENDENTAL)
elementwise(np.cosh, lambda S, u, z: S * np.sinh(z), flops=TRANSCENDENTAL)
# 1 - u² as -(u² - 1): NumPy then works in one temporary, ten times as fast on large arrays.
elementwise(np.tanh, lambda S, u, z: S * -(u * u - 1), flops=TRANSCENDENTAL)
elementwise(np.arcsinh, lambda S, u, z: S / np.sqrt(z * z + 1), flops=TRANSCENDENTAL)
elementwise(np.arccosh, lambda S, u, z: S / np.sqrt(z * z - 1), flops=TRANSCENDENTAL)
elementwise(np.arctanh, lambda S, u, z: S / (1 - z * z), flops=TRANSCENDENTAL)
elementwise(np.deg2rad, lambda S, u, z: S * (np.pi / 180))
elementwise(np.rad2deg, lambda S, u, z: S * (180 / np.pi))
elementwise(np.radians, lambda S, u, z: S * (np.pi / 180))
elementwise(np.degrees, lambda S, u, z: S * (180 / np.pi))

elementwise(np.maximum, lambda S, u, a, b: S * _share(a, b), lambda S, u, a, b: S * _share(b, a))
elementwise(np.minimum, lambda S, u, a, b: S * _share(b, a), lambda S, u, a, b: S * _share(a, b))
elementwise(np.logaddexp, lambda S, u, a, b: S * np.exp(a - u),
            lambda S, u, a, b: S * np.exp(b - u), flops=2 * TRANSCENDENTAL)
elementwise(np.logaddexp2, lambda S, u, a, b: S * np.exp2(a - u),
            lambda S, u, a, b: S * np.exp2(b - u), flops=2 * TRANSCENDENTAL)
elementwise(np.arctan2, lambda S, u, y, x: S * x / (x * x + y * y),
            lambda S, u, y, x: -S * y / (x * x + y * y), flops=TRANSCENDENTAL)
elementwise(np.hypot, lambda S, u, a, b: S * (a / u), lambda S, u, a, b: S * (b / u),
            flops=TRANSCENDENTAL)
elementwise(np.remainder, lambda S, u, a, b: S, lambda S, u, a, b: -S * np.floor_divide(a, b))
# fmt: on

# No gradient passes through these: they are flat wherever they are smooth.
for _ufunc in (
    np.sign,
    np.floor,
    np.ceil,
    np.trunc,
    np.rint,
    np.floor_divide,
    np.equal,
    np.not_equal,
    np.less,
    np.less_equal,
    np.greater,
    np.greater_equal,
    np.logical_and,
    np.logical_or,
    np.logical_xor,
    np.logical_not,
    np.bitwise_and,
    np.bitwise_or,
    np.bitwise_xor,
    np.invert,
    np.isnan,
    np.isinf,
    np.isfinite,
    np.signbit,
):
    elementwise(_ufunc)


def _where_shape(condition: Abstract, a: Abstract, b: Abstract) -> Abstract:
    operands = (value.weak(0) if value.weak else value.dtype for value in (a, b))
    return Abstract(broadcast_shape(condition, a, b), np.result_type(*operands))


def _zero_like(S: Array) -> Array:
    return S.dtype.type(0)


# The side not chosen gets an exact 0, not S·0, so that a NaN in S or beyond it stays away.
define(
    "where",
    np.where,
    None,
    lambda S, u, c, a, b: np.where(c, S, _zero_like(S)),
    lambda S, u, c, a, b: np.where(c, _zero_like(S), S),
    shape=_where_shape,
    takes={},
)


# Of a complex z = x + iy, S is ∂f/∂x - i·∂f/∂y, so that the chain rule needs no conjugates.
define(
    "real",
    np.real,
    lambda S, u, z: S,
    shape=lambda z: Abstract(z.shape, real_of(z.dtype)),
    takes={},
)
define(
    "imag",
    np.imag,
    lambda S, u, z: S * -1j,
    shape=lambda z: Abstract(z.shape, real_of(z.dtype)),
    takes={},
)


def _cast(z: Array, *, dtype: str) -> Array:
    return z.astype(dtype)


define(
    "astype",
    _cast,
    lambda S, u, z, *, dtype: S,  # the cast back to z's dtype happens where messages are sent
    shape=lambda z, *, dtype: Abstract(z.shape, np.dtype(dtype)),
    takes={"dtype": DTYPE},
)
