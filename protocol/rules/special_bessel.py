"""Bessel functions, elliptic integrals, hypergeometric functions, orthogonal polynomials.

No derivative in an order or a parameter is known. An order may be an array; it has no message
where it is a whole number.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import special

from ..arrays import Array
from .elementwise import elementwise
from .special import COSTLY, refused

_ORDER = refused("its order")

# fmt: off
elementwise(special.j0, lambda S, u, z: -S * special.j1(z), flops=COSTLY)
elementwise(special.j1, lambda S, u, z: S * (0.5 * (special.j0(z) - special.jv(2.0, z))),
            flops=COSTLY)
elementwise(special.y0, lambda S, u, z: -S * special.y1(z), flops=COSTLY)
elementwise(special.y1, lambda S, u, z: S * (0.5 * (special.y0(z) - special.yn(2, z))),
            flops=COSTLY)
elementwise(special.i0, lambda S, u, z: S * special.i1(z), flops=COSTLY)
elementwise(special.i1, lambda S, u, z: S * (0.5 * (special.i0(z) + special.iv(2.0, z))),
            flops=COSTLY)
elementwise(special.i0e, lambda S, u, z: S * (special.i1e(z) - np.sign(z) * u), flops=COSTLY)
elementwise(special.i1e,
            lambda S, u, z: S * (0.5 * (special.i0e(z) + special.ive(2.0, z)) - np.sign(z) * u),
            flops=COSTLY)
elementwise(special.k0, lambda S, u, z: -S * special.k1(z), flops=COSTLY)
# K of order 2 is K of order 0 and 2/z of order 1, all positive: a sum that does not cancel.
elementwise(special.k1, lambda S, u, z: -S * (special.k0(z) + u / z), flops=COSTLY)
elementwise(special.k0e, lambda S, u, z: S * (u - special.k1e(z)), flops=COSTLY)
elementwise(special.k1e,
            lambda S, u, z: S * (u - (special.k0e(z) + u / z)), flops=COSTLY)


def _between(f: Callable[..., Array], below: float, above: float, v: Array, z: Array) -> Array:
    """Combine the neighbours in order: what the derivative of a Bessel function is."""
    return below * f(v - 1, z) + above * f(v + 1, z)


for _f in (special.jv, special.yv, special.yn, special.hankel1, special.hankel2):
    elementwise(_f, _ORDER, lambda S, u, v, z, f=_f: S * _between(f, 0.5, -0.5, v, z),
                flops=COSTLY)
elementwise(special.iv, _ORDER, lambda S, u, v, z: S * _between(special.iv, 0.5, 0.5, v, z),
            flops=COSTLY)
for _f in (special.kv, special.kn):
    elementwise(_f, _ORDER, lambda S, u, v, z, f=_f: S * _between(f, -0.5, -0.5, v, z),
                flops=COSTLY)
elementwise(special.ive, _ORDER,
            lambda S, u, v, z: S * (_between(special.ive, 0.5, 0.5, v, z) - np.sign(z) * u),
            flops=COSTLY)
elementwise(special.kve, _ORDER,
            lambda S, u, v, z: S * (u + _between(special.kve, -0.5, -0.5, v, z)), flops=COSTLY)

# Gauss's function and its kin give themselves, with raised parameters.
elementwise(special.hyp0f1, refused("v"), lambda S, u, v, z: S * (special.hyp0f1(v + 1, z) / v),
            flops=COSTLY)
elementwise(special.hyp1f1, refused("a"), refused("b"),
            lambda S, u, a, b, z: S * (a / b * special.hyp1f1(a + 1, b + 1, z)), flops=COSTLY)
elementwise(special.hyp2f1, refused("a"), refused("b"), refused("c"),
            lambda S, u, a, b, c, z: S * (a * b / c * special.hyp2f1(a + 1, b + 1, c + 1, z)),
            flops=COSTLY)
elementwise(special.hyperu, refused("a"), refused("b"),
            lambda S, u, a, b, z: S * (-a * special.hyperu(a + 1, b + 1, z)), flops=COSTLY)

# Complete elliptic integrals, of which neither cancels at 0 nor at 1.
elementwise(special.ellipk,
            lambda S, u, z: S * (math.pi / 8 * special.hyp2f1(0.5, 0.5, 2.0, z) / (1 - z)),
            flops=COSTLY)
elementwise(special.ellipkm1,
            lambda S, u, z: S * (-math.pi / 8 * special.hyp2f1(0.5, 0.5, 2.0, 1 - z) / z),
            flops=COSTLY)
elementwise(special.ellipe,
            lambda S, u, z: S * (-math.pi / 8 * special.hyp2f1(0.5, 1.5, 2.0, z)), flops=COSTLY)
# fmt: on
