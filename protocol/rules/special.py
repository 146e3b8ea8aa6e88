"""Special functions that act entry by entry: errors of all kinds, logistic and entropic ones.

They are SciPy's own ufuncs: ``scipy.special.erf`` of a traced node is recorded. Derivatives are
written with functions that have rules themselves, and without cancellation where it can be had.
"""

from __future__ import annotations

import math
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from scipy import special

from ..arrays import Array, namespace
from .attributes import COUNT
from .elementwise import TRANSCENDENTAL, elementwise, ufunc_shape
from .primitive import Abstract, MessageRule, Recorded, apply, define

COSTLY = 4 * TRANSCENDENTAL
"""Operations counted for one entry of a special function."""

TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)
SQRT_2_PI = math.sqrt(2 * math.pi)
LOG_10 = math.log(10.0)
DEGREE = math.pi / 180


def refused(argument: str) -> MessageRule:
    """Return the rule of an argument whose derivative is not known: it says so."""

    def rule(*values: Array, **attributes: Any) -> Array:
        raise NotImplementedError(f"there is no rule for its derivative in {argument}")

    return rule


class _Probe:
    def __array_ufunc__(self, ufunc: np.ufunc, *inputs: Any, **options: Any) -> np.ufunc:
        return ufunc


PROBE: Any = _Probe()
"""A stand-in for an array: a function that ends in a ufunc gives that ufunc for it."""


def or_one(z: Array, pole: Array) -> Array:
    """Return ``z`` with 1 where ``pole`` is true."""
    if isinstance(pole, bool):  # of a Python number; CuPy's where takes arrays only
        return 1.0 if pole else z
    return np.where(pole, 1.0, z)


def special_of(*z: Array) -> Any:
    """Return the module whose special functions take these: SciPy's, or cupyx's for CuPy's.

    For functions that SciPy hands to other arrays under private names, which CuPy does not know.
    """
    for value in z:
        if hasattr(value, "dtype") and not isinstance(value, Recorded):
            space = namespace(value)
            if space is not np:
                return getattr(space, "special", None) or import_module(_CUPYX)
    return special


_CUPYX = "cupyx.scipy.special"
"""CuPy itself has no ``special``; the namespace of another kind of array may."""


# fmt: off
# The error functions.
elementwise(special.erf, lambda S, u, z: S * (TWO_OVER_SQRT_PI * np.exp(-(z * z))), flops=COSTLY)
elementwise(special.erfc, lambda S, u, z: S * (-TWO_OVER_SQRT_PI * np.exp(-(z * z))),
            flops=COSTLY)
elementwise(special.erfi, lambda S, u, z: S * (TWO_OVER_SQRT_PI * np.exp(z * z)), flops=COSTLY)
elementwise(special.erfcx, lambda S, u, z: S * (2 * (z * u) - TWO_OVER_SQRT_PI), flops=COSTLY)
elementwise(special.wofz, lambda S, u, z: S * (1j * TWO_OVER_SQRT_PI - 2 * (z * u)), flops=COSTLY)
elementwise(special.dawsn, lambda S, u, z: S * (1 - 2 * (z * u)), flops=COSTLY)
elementwise(special.erfinv, lambda S, u, z: S * (np.exp(u * u) / TWO_OVER_SQRT_PI), flops=COSTLY)
elementwise(special.erfcinv, lambda S, u, z: S * (np.exp(u * u) / -TWO_OVER_SQRT_PI),
            flops=COSTLY)

# The normal distribution.
elementwise(special.ndtr, lambda S, u, z: S * (np.exp(-0.5 * (z * z)) / SQRT_2_PI), flops=COSTLY)
elementwise(special.ndtri, lambda S, u, z: S * (np.exp(0.5 * (u * u)) * SQRT_2_PI), flops=COSTLY)
elementwise(special.log_ndtr, lambda S, u, z: S * apply("ndtr_ratio", z), flops=COSTLY)
# Density over distribution; erfcx carries neither's underflow.
define("ndtr_ratio", lambda z: (2 / SQRT_2_PI) / special.erfcx(z * -math.sqrt(0.5)),
       lambda S, u, z: -S * (u * (u + z)),
       shape=partial(ufunc_shape, special.erfcx), flops=lambda u, z: COSTLY * u.size, takes={})

# Logistic functions.
elementwise(special.expit, lambda S, u, z: S * (u * special.expit(-z)), flops=TRANSCENDENTAL)
elementwise(special.logit, lambda S, u, z: S / (z * (1 - z)), flops=TRANSCENDENTAL)
elementwise(special.log_expit, lambda S, u, z: S * special.expit(-z), flops=TRANSCENDENTAL)

# x·log y and its kin: 0 where x is 0, whatever y is.
elementwise(special.xlogy, lambda S, u, x, y: S * np.log(y),
            lambda S, u, x, y: S * (x / or_one(y, x == 0)), flops=TRANSCENDENTAL)
elementwise(special.xlog1py, lambda S, u, x, y: S * np.log1p(y),
            lambda S, u, x, y: S * (x / or_one(1 + y, x == 0)), flops=TRANSCENDENTAL)
elementwise(special.entr, lambda S, u, z: -S * (np.log(z) + 1), flops=TRANSCENDENTAL)
elementwise(special.rel_entr, lambda S, u, x, y: S * (np.log(x / y) + 1),
            lambda S, u, x, y: S * -(x / or_one(y, x == 0)), flops=TRANSCENDENTAL)
elementwise(special.kl_div, lambda S, u, x, y: S * np.log(x / y),
            lambda S, u, x, y: S * (1 - x / or_one(y, x == 0)), flops=TRANSCENDENTAL)

# Losses.
elementwise(special.huber, lambda S, u, d, r: S * np.maximum(np.absolute(r) - d, 0.0),
            lambda S, u, d, r: S * np.minimum(np.maximum(r, -d), d), flops=4)
elementwise(special.pseudo_huber,
            lambda S, u, d, r: S * (2 * u / d - r * r / np.hypot(d, r)),
            lambda S, u, d, r: S * (d * r / np.hypot(d, r)), flops=TRANSCENDENTAL)

# Exponentials, logarithms and powers. hyp1f1(2, 3, t) / 2 is the derivative of exprel, and
# hyp2f1(2, 2, 3, -t) / 2 that of log1p(t) / t, both without cancellation at 0.
elementwise(special.exp10, lambda S, u, z: S * (u * LOG_10), flops=TRANSCENDENTAL)
elementwise(special.cosm1, lambda S, u, z: -S * np.sin(z), flops=TRANSCENDENTAL)
elementwise(special.powm1, lambda S, u, a, b: S * (b * np.power(a, b - 1)),
            lambda S, u, a, b: S * ((u + 1) * np.log(a)), flops=TRANSCENDENTAL)
elementwise(special.exprel, lambda S, u, z: S * _exprel_slope(z), flops=TRANSCENDENTAL)
elementwise(special.boxcox, lambda S, u, x, p: S * np.power(x, p - 1),
            lambda S, u, x, p: S * _boxcox_slope(np.log(x), p), flops=TRANSCENDENTAL)
elementwise(special.boxcox1p, lambda S, u, x, p: S * np.power(1 + x, p - 1),
            lambda S, u, x, p: S * _boxcox_slope(np.log1p(x), p), flops=TRANSCENDENTAL)
elementwise(special.inv_boxcox, lambda S, u, y, p: S * np.power(u, 1 - p),
            lambda S, u, y, p: S * (u * _inv_boxcox_slope(y, p)), flops=TRANSCENDENTAL)
elementwise(special.inv_boxcox1p, lambda S, u, y, p: S * np.power(1 + u, 1 - p),
            lambda S, u, y, p: S * ((1 + u) * _inv_boxcox_slope(y, p)), flops=TRANSCENDENTAL)


def _boxcox_slope(log: Array, p: Array) -> Array:
    return log * log * _exprel_slope(p * log)


def _exprel_slope(t: Array) -> Array:
    """Return the derivative of exprel; hyp1f1 never returns from an infinity."""
    far = np.absolute(t) > 1
    near = special.hyp1f1(2.0, 3.0, np.where(far, 0.0, t))
    t = np.where(far, t, 1.0)
    return np.where(far, np.exp(t) * (1 / t - 1 / (t * t)) + 1 / (t * t), 0.5 * near)


def _inv_boxcox_slope(y: Array, p: Array) -> Array:
    return -0.5 * (y * y) * special.hyp2f1(2.0, 2.0, 3.0, -(p * y))


# Angles in degrees.
elementwise(special.sindg, lambda S, u, z: S * (special.cosdg(z) * DEGREE), flops=TRANSCENDENTAL)
elementwise(special.cosdg, lambda S, u, z: S * (special.sindg(z) * -DEGREE), flops=TRANSCENDENTAL)
elementwise(special.tandg, lambda S, u, z: S * ((1 + u * u) * DEGREE), flops=TRANSCENDENTAL)
elementwise(special.cotdg, lambda S, u, z: S * ((1 + u * u) * -DEGREE), flops=TRANSCENDENTAL)
elementwise(special.radian, lambda S, u, d, m, s: S * DEGREE, lambda S, u, d, m, s: S * DEGREE / 60,
            lambda S, u, d, m, s: S * DEGREE / 3600)
# fmt: on


def _sinc(z: Array, *, order: int) -> Array:
    """Return a derivative of sin(y) / y at y = πz: the integral of t^n·cos(yt + nπ/2) over (0, 1).

    Near 0 by its series, elsewhere by parts, which would cancel near 0.
    """
    if order == 0:
        return np.sinc(z)
    y = z * np.pi
    near = np.absolute(y) < order + 2
    small = np.where(near, y, 0.0)
    series = small * 0.0
    for m in range(2 * order + 36, -1, -1):
        quarter = (order + m) % 4
        series = series * (small / (m + 1))
        if quarter % 2 == 0:
            series = series + (1 - quarter) / (order + m + 1)
    large = np.where(near, 1.0, y)
    parts = np.sin(large) / large
    for n in range(1, order + 1):
        parts = (np.sin(large + n * (math.pi / 2)) - n * parts) / large
    return np.where(near, series, parts)


define(
    "sinc",
    _sinc,
    lambda S, u, z, *, order: S * (apply("sinc", z, order=order + 1) * np.pi),
    shape=lambda z, *, order: Abstract(z.shape, np.sinc(np.zeros(0, z.dtype)).dtype),
    flops=lambda u, z, *, order: TRANSCENDENTAL * u.size,
    takes={"order": COUNT},
)
