"""The gamma function and its family: beta, zeta, their incomplete forms, exponential integrals."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy import special

from ..arrays import Array
from .elementwise import elementwise, ufunc_shape
from .primitive import apply, define
from .special import COSTLY, PROBE, or_one, refused, special_of

# fmt: off
elementwise(special.gamma, lambda S, u, z: S * (u * special.psi(z)), flops=COSTLY)
elementwise(special.gammaln, lambda S, u, z: S * special.psi(z), flops=COSTLY)
elementwise(special.loggamma, lambda S, u, z: S * special.psi(z), flops=COSTLY)
elementwise(special.gammasgn, flops=COSTLY)
elementwise(special.beta,
            lambda S, u, a, b: S * (u * (special.psi(a) - special.psi(a + b))),
            lambda S, u, a, b: S * (u * (special.psi(b) - special.psi(a + b))), flops=COSTLY)
elementwise(special.betaln, lambda S, u, a, b: S * (special.psi(a) - special.psi(a + b)),
            lambda S, u, a, b: S * (special.psi(b) - special.psi(a + b)), flops=COSTLY)
elementwise(special.poch,
            lambda S, u, a, m: S * (u * (special.psi(a + m) - special.psi(a))),
            lambda S, u, a, m: S * (u * special.psi(a + m)), flops=COSTLY)
elementwise(special.binom,
            lambda S, u, n, k: S * (u * (special.psi(n + 1) - special.psi(n - k + 1))),
            lambda S, u, n, k: S * (u * (special.psi(n - k + 1) - special.psi(k + 1))),
            flops=COSTLY)


def _psi_message(S: Array, u: Array, z: Array) -> Array:
    if z.dtype.kind == "c":
        raise NotImplementedError("there is no rule for its derivative at complex numbers")
    return S * apply("zeta", 2.0, z)


elementwise(special.psi, _psi_message, flops=COSTLY)


def _rgamma_message(S: Array, u: Array, z: Array) -> Array:
    # On the left, where the poles of psi are, by reflection: 1/Γ(z) = sin(πz)·Γ(1 - z) / π.
    left = np.real(z) < 0.5
    y, turn = np.where(left, 1 - z, 1.0), np.pi * z
    slope = special.gamma(y) * (np.cos(turn) - np.sin(turn) * (special.psi(y) / np.pi))
    return S * np.where(left, slope, -u * special.psi(or_one(z, left)))


elementwise(special.rgamma, _rgamma_message, flops=COSTLY)


def _gamma_density(a: Array, x: Array) -> Array:
    return np.exp(special.xlogy(a - 1, x) - x - special.gammaln(a))


def _beta_density(a: Array, b: Array, x: Array) -> Array:
    powers = special.xlogy(a - 1, x) + special.xlog1py(b - 1, -x)
    return np.exp(powers - special.betaln(a, b))


elementwise(special.gammainc, refused("a"), lambda S, u, a, x: S * _gamma_density(a, x),
            flops=COSTLY)
elementwise(special.gammaincc, refused("a"), lambda S, u, a, x: -S * _gamma_density(a, x),
            flops=COSTLY)
elementwise(special.gammaincinv, refused("a"), lambda S, u, a, y: S / _gamma_density(a, u),
            flops=COSTLY)
elementwise(special.gammainccinv, refused("a"), lambda S, u, a, y: -S / _gamma_density(a, u),
            flops=COSTLY)
elementwise(special.betainc, refused("a"), refused("b"),
            lambda S, u, a, b, x: S * _beta_density(a, b, x), flops=COSTLY)
elementwise(special.betaincc, refused("a"), refused("b"),
            lambda S, u, a, b, x: -S * _beta_density(a, b, x), flops=COSTLY)
elementwise(special.betaincinv, refused("a"), refused("b"),
            lambda S, u, a, b, y: S / _beta_density(a, b, u), flops=COSTLY)
elementwise(special.betainccinv, refused("a"), refused("b"),
            lambda S, u, a, b, y: -S / _beta_density(a, b, u), flops=COSTLY)


def _t_density(df: Array, t: Array) -> Array:
    log = special.xlog1py(-0.5 * (df + 1), t * t / df) - 0.5 * np.log(df)
    return np.exp(log - special.betaln(0.5 * df, 0.5))


elementwise(special.stdtr, refused("df"), lambda S, u, df, t: S * _t_density(df, t), flops=COSTLY)
elementwise(special.stdtrit, refused("df"), lambda S, u, df, p: S / _t_density(df, u),
            flops=COSTLY)

# Exponential integrals.
elementwise(special.expi, lambda S, u, z: S * (np.exp(z) / z), flops=COSTLY)
elementwise(special.exp1, lambda S, u, z: S * (np.exp(-z) / -z), flops=COSTLY)


def _expn_message(S: Array, u: Array, n: Array, z: Array) -> Array:
    if isinstance(n, int):
        return -S * (special.expn(n - 1, z) if n else u * (1 + 1 / z))
    # The order 0 is exp(-z) / z, and there is none below it.
    lower = special.expn(np.maximum(n - 1, 0), z)
    return -S * np.where(n == 0, u * (1 + 1 / or_one(z, n != 0)), lower)


elementwise(special.expn, None, _expn_message, flops=COSTLY)
# -log(z) / (z - 1), without cancellation at 1.
elementwise(special.spence, lambda S, u, z: -S * special.hyp2f1(1.0, 1.0, 2.0, 1 - z),
            flops=COSTLY)
# fmt: on


def _zeta(s: Array, q: Array) -> Array:
    return special_of(s, q).zeta(s, q)


# Hurwitz's zeta function, of which the derivatives of psi are made.
define(
    "zeta",
    _zeta,
    refused("its order"),
    lambda S, u, s, q: S * (-s * apply("zeta", s + 1, q)),
    shape=partial(ufunc_shape, special.zeta(2.0, PROBE)),
    flops=lambda u, s, q: COSTLY * u.size,
    takes={},
)
