"""The traced forms of ``scipy.special``, and those of its functions that are no ufuncs.

A ufunc of ``scipy.special`` is recorded as it is. The functions here cannot be reached by NumPy's
protocols; they take arrays and traced nodes alike, under SciPy's names.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from ...errors import ArgumentError
from ...rules.primitive import apply
from ...rules.special import PROBE
from ...source_line import user_line
from .register import all_axes, array_of, face, only, record

# SciPy has ufuncs of its own for what NumPy has too.
for _theirs, _ours in (
    (special.cbrt, np.cbrt),
    (special.exp2, np.exp2),
    (special.expm1, np.expm1),
    (special.log1p, np.log1p),
):
    face(_theirs)(_ours)


def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """Return log(sum(b · exp(a))), as ``scipy.special.logsumexp``; with the sign if asked for."""
    a = array_of(a)
    axes = all_axes(axis, a.ndim)
    keep = bool(keepdims)
    if b is None:
        total = apply("logsumexp", a, axis=axes, keepdims=keep)
        return (total, np.ones_like(total)) if return_sign else total
    b = array_of(b)
    a = a + np.zeros_like(b, dtype=a.dtype)
    axes = all_axes(axis, a.ndim)
    # The height is rounded, so that it is flat; an entry of no weight does not raise it.
    weightless = b == 0
    height = np.rint(np.max(np.where(weightless, -np.inf, a), axis=axes, keepdims=True))
    height = np.where(np.isfinite(height), height, 0.0)
    far = weightless & (a > height + 80.0)  # where exp would overflow, and 0·inf is NaN
    total = np.sum(b * np.exp(np.where(far, height, a) - height), axis=axes, keepdims=keep)
    if not keep:
        height = np.reshape(height, total.shape)
    with np.errstate(divide="ignore"):
        if return_sign:
            return np.log(np.absolute(total)) + height, np.sign(total)
        return np.log(total) + height


def softmax(x: Any, axis: Any = None) -> Any:
    """Return exp(x) / sum(exp(x)), as ``scipy.special.softmax``."""
    x = array_of(x)
    return apply("softmax", x, axis=all_axes(axis, x.ndim))


def log_softmax(x: Any, axis: Any = None) -> Any:
    """Return x - log(sum(exp(x))), as ``scipy.special.log_softmax``."""
    x = array_of(x)
    return apply("log_softmax", x, axis=all_axes(axis, x.ndim))


def softplus(x: Any) -> Any:
    """Return log(1 + exp(x)), as ``scipy.special.softplus``."""
    return np.logaddexp(0.0, array_of(x))


def zeta(x: Any, q: Any = None) -> Any:
    """Return the zeta function of Riemann, or with ``q`` of Hurwitz, which has a gradient in q."""
    return special.zeta(x) if q is None else apply("zeta", x, array_of(q))


def polygamma(n: Any, x: Any) -> Any:
    """Return the n-th derivative of digamma at x, as ``scipy.special.polygamma``."""
    x = array_of(x)
    n = np.asarray(n)
    factor = (-1.0) ** (n + 1) * special.gamma(n + 1.0)
    if n.ndim == 0:
        return factor * apply("zeta", int(n) + 1, x) if n else special.psi(x)
    return np.where(n == 0, special.psi(x), factor * apply("zeta", np.maximum(n, 1) + 1, x))


def multigammaln(a: Any, d: Any) -> Any:
    """Return the logarithm of the multivariate gamma function of dimension d."""
    count = operator.index(d)
    if count < 1:
        raise ArgumentError(f"{user_line()}: multigammaln needs a dimension from 1 up, not {d}")
    halves = special.gammaln(array_of(a)[..., None] - 0.5 * np.arange(count))
    return np.sum(halves, axis=-1) + count * (count - 1) * 0.25 * math.log(math.pi)


def lambertw(z: Any, k: Any = 0, tol: float = 1e-8) -> Any:
    """Return Lambert's W function on its branch k, one for all."""
    return apply("lambertw", array_of(z), k=operator.index(k))


def factorial(n: Any, exact: bool = False) -> Any:
    """Return the factorial of whole numbers, and between them Γ(n + 1)."""
    only("factorial", exact=exact or None)
    n = array_of(n)
    return np.where(n < 0, 0.0, special.gamma(np.where(n < 0, 0, n) + 1))


def comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Any:
    """Return the number of ways to choose k of N, and its smooth form between whole numbers."""
    only("comb", exact=exact or None)
    N, k = array_of(N), array_of(k)
    if repetition:
        return np.where((k == 0) & (N >= 0), 1.0, special.binom(N + k - 1, k))
    return np.where((k <= N) & (N >= 0) & (k >= 0), special.binom(N, k), 0.0)


def perm(N: Any, k: Any, exact: bool = False) -> Any:
    """Return the number of ordered ways to choose k of N."""
    only("perm", exact=exact or None)
    N, k = array_of(N), array_of(k)
    return np.where((k <= N) & (N >= 0) & (k >= 0), special.poch(N - k + 1, k), 0.0)


def _several(name: str, count: int) -> Callable[[Any], Any]:
    return lambda x: tuple(record(name, x, output=output) for output in range(count))


face(special.sici)(_several("sici", 2))
face(special.shichi)(_several("shichi", 2))
face(special.fresnel)(_several("fresnel", 2))
face(special.airy)(_several("airy", 4))
face(special.zeta(2.0, PROBE))(lambda s, q: record("zeta", s, q))
face(special.lambertw(PROBE))(lambda z, k, tol: record("lambertw", z, k=operator.index(k)))
