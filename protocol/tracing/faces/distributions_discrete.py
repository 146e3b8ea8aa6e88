"""Distributions of ``scipy.stats`` of whole numbers, and of vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from ...errors import ShapeError
from ...source_line import user_line
from .distributions import Discrete
from .register import array_of

LOG_SQRT_2_PI = 0.5 * math.log(2 * math.pi)


class _Poisson(Discrete):
    def _log(self, k: Any, mu: Any) -> Any:
        return special.xlogy(k, mu) - special.gammaln(k + 1) - mu

    def _at_most(self, k: Any, mu: Any) -> Any:
        return special.gammaincc(k + 1, mu)

    def _more_than(self, k: Any, mu: Any) -> Any:
        return special.gammainc(k + 1, mu)


class _Bernoulli(Discrete):
    def _high(self, p: Any) -> Any:
        return 1

    def _log(self, k: Any, p: Any) -> Any:
        return special.xlogy(k, p) + special.xlog1py(1 - k, -p)

    def _at_most(self, k: Any, p: Any) -> Any:
        return 1 - p + 0 * k

    def _more_than(self, k: Any, p: Any) -> Any:
        return p + 0 * k


class _Binom(Discrete):
    def _high(self, n: Any, p: Any) -> Any:
        return n

    def _log(self, k: Any, n: Any, p: Any) -> Any:
        ways = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
        return ways + special.xlogy(k, p) + special.xlog1py(n - k, -p)

    def _at_most(self, k: Any, n: Any, p: Any) -> Any:
        return special.betaincc(k + 1, n - k, p)

    def _more_than(self, k: Any, n: Any, p: Any) -> Any:
        return special.betainc(k + 1, n - k, p)


class _Nbinom(Discrete):
    def _log(self, k: Any, n: Any, p: Any) -> Any:
        ways = special.gammaln(n + k) - special.gammaln(k + 1) - special.gammaln(n)
        return ways + n * np.log(p) + special.xlog1py(k, -p)

    def _at_most(self, k: Any, n: Any, p: Any) -> Any:
        return special.betainc(n, k + 1, p)

    def _more_than(self, k: Any, n: Any, p: Any) -> Any:
        return special.betaincc(n, k + 1, p)


class _Geom(Discrete):
    low = 1

    def _log(self, k: Any, p: Any) -> Any:
        return special.xlog1py(k - 1, -p) + np.log(p)

    def _at_most(self, k: Any, p: Any) -> Any:
        return -np.expm1(k * np.log1p(-p))

    def _more_than(self, k: Any, p: Any) -> Any:
        return np.exp(k * np.log1p(-p))


class _Dirichlet:
    """The Dirichlet distribution, as ``scipy.stats.dirichlet``."""

    def logpdf(self, x: Any, alpha: Any) -> Any:
        """Return the logarithm of the density; the first axis of x goes over the parts."""
        x, alpha = array_of(x), array_of(alpha)
        if x.shape[0] + 1 == alpha.shape[0]:
            x = np.concatenate([x, 1 - np.sum(x, axis=0, keepdims=True)])
        if alpha.ndim != 1 or x.shape[0] != alpha.shape[0]:
            raise ShapeError(
                f"{user_line()}: dirichlet.logpdf of x of shape {x.shape} with alpha of shape "
                f"{alpha.shape}: their first axes must agree"
            )
        head = special.gammaln(np.sum(alpha)) - np.sum(special.gammaln(alpha))
        powers = np.reshape(alpha - 1, (-1,) + (1,) * (x.ndim - 1))
        return np.sum(special.xlogy(powers, x), axis=0) + head

    def pdf(self, x: Any, alpha: Any) -> Any:
        """Return the density."""
        return np.exp(self.logpdf(x, alpha))


class _MultivariateNormal:
    """The normal distribution of vectors, as ``scipy.stats.multivariate_normal``."""

    def logpdf(self, x: Any, mean: Any = None, cov: Any = 1) -> Any:
        """Return the logarithm of the density; the last axis of x goes over the entries."""
        x, cov = array_of(x), array_of(cov)
        mean = array_of(0.0 if mean is None else mean)
        size = max(mean.size, cov.shape[-1] if cov.ndim else 1)
        if x.ndim < 2 and size == 1:  # a number, or several of them
            x = np.reshape(x, (x.size, 1))
        if x.ndim == 0 or x.shape[-1] != size:
            raise ShapeError(
                f"{user_line()}: multivariate_normal.logpdf of x of shape {x.shape}, and mean and "
                f"cov have {size} entries"
            )
        deviation = x - mean
        if cov.ndim < 2:  # the same variance, or one for each entry
            half_log = 0.5 * np.sum(np.log(cov) * np.ones(size))
            squares = deviation * deviation / cov
        else:
            factor = np.linalg.cholesky(cov)
            half_log = np.sum(np.log(np.diagonal(factor)))
            columns = np.reshape(deviation, (-1, size)).T
            whitened = np.reshape(np.linalg.solve(factor, columns).T, deviation.shape)
            squares = whitened * whitened
        return np.squeeze(-0.5 * np.sum(squares, axis=-1) - half_log - size * LOG_SQRT_2_PI)

    def pdf(self, x: Any, mean: Any = None, cov: Any = 1) -> Any:
        """Return the density."""
        return np.exp(self.logpdf(x, mean, cov))


poisson, bernoulli, geom = _Poisson("mu"), _Bernoulli("p"), _Geom("p")
binom, nbinom = _Binom("n", "p"), _Nbinom("n", "p")
dirichlet, multivariate_normal = _Dirichlet(), _MultivariateNormal()
