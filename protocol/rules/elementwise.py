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
from .attributes import AXIS, DTYPE, INTEGER, NUMBER, optional
from .primitive import Abstract, MessageRule, Primitive, apply, define

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


def ufunc_shape(ufunc: np.ufunc, *z: Abstract) -> Abstract:
    """Return the broadcast shape of the inputs and the dtype that the ufunc gives."""
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
        shape=partial(ufunc_shape, ufunc),
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


def _nonzero(d: Array) -> Array:
    """Return ``d`` with 1 for 0: a denominator under a numerator that is 0 there too."""
    return np.where(d == 0, 1.0, d)


def _absolute_message(S: Array, u: Array, z: Array) -> Array:
    if z.dtype.kind != "c":
        return S * np.sign(z)
    return S * (np.conjugate(z) / _nonzero(u))


elementwise(np.absolute, _absolute_message)
elementwise(np.conjugate, lambda S, u, z: np.conjugate(S))
elementwise(np.fabs, lambda S, u, z: S * np.sign(z))


def _power(a: Array, b: Array) -> Array:
    if isinstance(a, np.ndarray):
        return a**b  # which knows squares and roots
    # NumPy's scalars round a power by ** otherwise than its arrays do.
    return a * a if type(b) is int and b == 2 else np.power(a, b)


def _power_message_to_base(S: Array, u: Array, a: Array, b: Array) -> Array:
    # b·a^(b-1), and 0 where b is 0 also at a = 0, where a^(b-1) is infinite.
    if isinstance(b, (int, float)):
        if b == 0 or b == 1:
            return S if b else S * 0.0
        return S * (2 * a) if b == 2 else S * (b * apply("power", a, b - 1))
    return S * np.where(b == 0, 0.0, b * apply("power", a, np.where(b == 0, 1.0, b - 1.0)))


def _power_message_to_exponent(S: Array, u: Array, a: Array, b: Array) -> Array:
    # a^b·log a, whose limit at a = 0 is 0 for b > 0; 0**0 is taken as the end of that branch.
    return S * (u * np.log(np.where(a == 0, 1.0, a)))


elementwise(np.power, _power_message_to_base, _power_message_to_exponent,
            forward=_power, flops=TRANSCENDENTAL)
elementwise(np.float_power, _power_message_to_base, _power_message_to_exponent,
            flops=TRANSCENDENTAL)

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


def _finite_floor(u: Array) -> Array:
    # exp(-inf - u) is 0 also where both, and so u, are -inf.
    return np.where(u == -np.inf, 0.0, u)


def _all_beside_nan(share: Array, other: Array) -> Array:
    return np.where(np.isnan(other), 1.0, share)


elementwise(np.fmax, lambda S, u, a, b: S * _all_beside_nan(_share(a, b), b),
            lambda S, u, a, b: S * _all_beside_nan(_share(b, a), a))
elementwise(np.fmin, lambda S, u, a, b: S * _all_beside_nan(_share(b, a), b),
            lambda S, u, a, b: S * _all_beside_nan(_share(a, b), a))
elementwise(np.maximum, lambda S, u, a, b: S * _share(a, b), lambda S, u, a, b: S * _share(b, a))
elementwise(np.minimum, lambda S, u, a, b: S * _share(b, a), lambda S, u, a, b: S * _share(a, b))
elementwise(np.logaddexp, lambda S, u, a, b: S * np.exp(a - _finite_floor(u)),
            lambda S, u, a, b: S * np.exp(b - _finite_floor(u)), flops=2 * TRANSCENDENTAL)
elementwise(np.logaddexp2, lambda S, u, a, b: S * np.exp2(a - _finite_floor(u)),
            lambda S, u, a, b: S * np.exp2(b - _finite_floor(u)), flops=2 * TRANSCENDENTAL)
elementwise(np.arctan2, lambda S, u, y, x: S * (x / _nonzero(x * x + y * y)),
            lambda S, u, y, x: -S * (y / _nonzero(x * x + y * y)), flops=TRANSCENDENTAL)
elementwise(np.hypot, lambda S, u, a, b: S * (a / _nonzero(u)),
            lambda S, u, a, b: S * (b / _nonzero(u)), flops=TRANSCENDENTAL)
elementwise(np.remainder, lambda S, u, a, b: S, lambda S, u, a, b: -S * np.floor_divide(a, b))
# The quotient from the remainder, which is exact: a / b may round up to the next whole number.
elementwise(np.fmod, lambda S, u, a, b: S, lambda S, u, a, b: S * np.rint((u - a) / b))
# The sign of u is that of b even where b is a zero.
elementwise(np.copysign, lambda S, u, a, b: S * (np.sign(a) * np.sign(u)), None)
elementwise(np.heaviside, None, lambda S, u, a, b: S * (a == 0))
elementwise(np.ldexp, lambda S, u, a, b: np.ldexp(S, b), None)
elementwise(np.nextafter, lambda S, u, a, b: S, None)  # a and a constant that seldom changes
# fmt: on

# No gradient passes through these: they are flat wherever they are smooth.
for _ufunc in (
    np.sign,
    np.floor,
    np.ceil,
    np.trunc,
    np.rint,
    np.floor_divide,
    np.spacing,
    np.gcd,
    np.lcm,
    np.left_shift,
    np.right_shift,
    np.bitwise_count,
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


def _same_shape(z: Abstract, **attributes: Any) -> Abstract:
    return z


define(
    "nan_to_num",
    np.nan_to_num,
    lambda S, u, z, **attributes: np.where(np.isfinite(z), S, _zero_like(S)),
    shape=_same_shape,
    takes={"nan": NUMBER, "posinf": optional(NUMBER), "neginf": optional(NUMBER)},
)


def _shape_of_one(function: Callable[..., Array], z: Abstract, **attributes: Any) -> Abstract:
    one = np.zeros(1, z.dtype)  # NumPy itself says which dtype comes of it
    return Abstract(z.shape, function(one, **{**attributes, **_FIRST_AXIS[function]}).dtype)


_FIRST_AXIS: dict[Any, dict[str, int]] = {np.unwrap: {"axis": 0}, np.round: {}}

# What it adds is whole periods.
define(
    "unwrap",
    np.unwrap,
    lambda S, u, z, **attributes: S,
    shape=partial(_shape_of_one, np.unwrap),
    flops=partial(_flops_per_entry, TRANSCENDENTAL),
    takes={"discont": optional(NUMBER), "axis": AXIS, "period": NUMBER},
)
define("round", np.round, None, shape=partial(_shape_of_one, np.round), takes={"decimals": INTEGER})


define(
    "frexp_exponent",
    lambda z: np.frexp(z)[1],
    None,
    shape=lambda z: Abstract(z.shape, np.dtype(np.intc)),
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
