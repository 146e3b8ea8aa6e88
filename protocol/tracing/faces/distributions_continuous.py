"""Continuous distributions of ``scipy.stats``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from .distributions import Distribution, OnTheRight, Symmetric, choose

LOG_2, LOG_PI = math.log(2), math.log(math.pi)
LOG_SQRT_2_PI = 0.5 * (LOG_2 + LOG_PI)
SQRT_2 = math.sqrt(2)


class _Norm(Symmetric):
    def _logpdf(self, y: Any) -> Any:
        return -0.5 * (y * y) - LOG_SQRT_2_PI

    def _pdf(self, y: Any) -> Any:
        return np.exp(-0.5 * (y * y)) / math.sqrt(2 * math.pi)

    def _cdf(self, y: Any) -> Any:
        return special.ndtr(y)

    def _logcdf(self, y: Any) -> Any:
        return special.log_ndtr(y)

    def _ppf(self, q: Any) -> Any:
        return special.ndtri(q)


class _Laplace(Symmetric):
    def _logpdf(self, y: Any) -> Any:
        return -np.absolute(y) - LOG_2

    def _cdf(self, y: Any) -> Any:
        half = 0.5 * np.exp(-np.absolute(y))
        return np.where(y < 0, half, 1 - half)

    def _ppf(self, q: Any) -> Any:
        side = np.log(2 * np.minimum(q, 1 - q))
        return np.where(q < 0.5, side, -side)


class _Logistic(Symmetric):
    def _logpdf(self, y: Any) -> Any:
        return special.log_expit(y) + special.log_expit(-y)

    def _cdf(self, y: Any) -> Any:
        return special.expit(y)

    def _logcdf(self, y: Any) -> Any:
        return special.log_expit(y)

    def _ppf(self, q: Any) -> Any:
        return special.logit(q)


class _Cauchy(Symmetric):
    def _logpdf(self, y: Any) -> Any:
        return -np.log1p(y * y) - LOG_PI

    def _cdf(self, y: Any) -> Any:
        return np.arctan2(1.0, -y) / math.pi

    def _ppf(self, q: Any) -> Any:
        return -1 / np.tan(math.pi * q)


class _T(Symmetric):
    def _logpdf(self, y: Any, df: Any) -> Any:
        half = 0.5 * (df + 1)
        head = special.gammaln(half) - special.gammaln(0.5 * df) - 0.5 * (np.log(df) + LOG_PI)
        return head - half * np.log1p(y * y / df)

    def _cdf(self, y: Any, df: Any) -> Any:
        return special.stdtr(df, y)

    def _ppf(self, q: Any, df: Any) -> Any:
        # SciPy's own function has the wrong infinity at 0.
        return np.where(q == 0, -np.inf, special.stdtrit(df, np.where(q == 0, 0.5, q)))


class _Uniform(Distribution):
    def _logpdf(self, y: Any) -> Any:
        return choose((y < 0) | (y > 1), y, lambda y: 0.0 * y, 0.5, -np.inf)

    def _cdf(self, y: Any) -> Any:
        return np.clip(y, 0.0, 1.0)

    def _ppf(self, q: Any) -> Any:
        return q


class _Gumbel(Distribution):
    def _logpdf(self, y: Any) -> Any:
        return -y - np.exp(-y)

    def _cdf(self, y: Any) -> Any:
        return np.exp(-np.exp(-y))

    def _logcdf(self, y: Any) -> Any:
        return -np.exp(-y)

    def _sf(self, y: Any) -> Any:
        return -np.expm1(-np.exp(-y))

    def _ppf(self, q: Any) -> Any:
        return -np.log(-np.log(q))

    def _isf(self, q: Any) -> Any:
        return -np.log(-np.log1p(-q))


class _Expon(OnTheRight):
    def _log(self, y: Any) -> Any:
        return -y

    def _hazard(self, y: Any) -> Any:
        return y

    def _logsf(self, y: Any) -> Any:
        return -np.maximum(y, 0.0)

    def _ppf(self, q: Any) -> Any:
        return -np.log1p(-q)

    def _isf(self, q: Any) -> Any:
        return -np.log(q)


class _Weibull(OnTheRight):
    def _log(self, y: Any, c: Any) -> Any:
        return np.log(c) + special.xlogy(c - 1, y) - y**c

    def _hazard(self, y: Any, c: Any) -> Any:
        return y**c

    def _ppf(self, q: Any, c: Any) -> Any:
        return (-np.log1p(-q)) ** (1 / c)

    def _isf(self, q: Any, c: Any) -> Any:
        return (-np.log(q)) ** (1 / c)


class _Pareto(OnTheRight):
    low = 1.0

    def _log(self, y: Any, b: Any) -> Any:
        return np.log(b) - (b + 1) * np.log(y)

    def _hazard(self, y: Any, b: Any) -> Any:
        return b * np.log(y)

    def _ppf(self, q: Any, b: Any) -> Any:
        return np.exp(-np.log1p(-q) / b)

    def _isf(self, q: Any, b: Any) -> Any:
        return q ** (-1 / b)


class _Halfnorm(OnTheRight):
    def _log(self, y: Any) -> Any:
        return -0.5 * (y * y) + (LOG_2 - LOG_SQRT_2_PI)

    def _below(self, y: Any) -> Any:
        return special.erf(y / SQRT_2)

    def _above(self, y: Any) -> Any:
        return special.erfc(y / SQRT_2)

    def _ppf(self, q: Any) -> Any:
        return SQRT_2 * special.erfinv(q)

    def _isf(self, q: Any) -> Any:
        return SQRT_2 * special.erfcinv(q)


class _Lognorm(OnTheRight):
    closed = False

    def _log(self, y: Any, s: Any) -> Any:
        log = np.log(y)
        return -0.5 * (log / s) ** 2 - (np.log(s) + log + LOG_SQRT_2_PI)

    def _below(self, y: Any, s: Any) -> Any:
        return special.ndtr(np.log(y) / s)

    def _above(self, y: Any, s: Any) -> Any:
        return special.ndtr(-np.log(y) / s)

    def _ppf(self, q: Any, s: Any) -> Any:
        return np.exp(s * special.ndtri(q))

    def _isf(self, q: Any, s: Any) -> Any:
        return np.exp(-s * special.ndtri(q))


class _Gamma(OnTheRight):
    def _log(self, y: Any, a: Any) -> Any:
        return special.xlogy(a - 1, y) - y - special.gammaln(a)

    def _below(self, y: Any, a: Any) -> Any:
        return special.gammainc(a, y)

    def _above(self, y: Any, a: Any) -> Any:
        return special.gammaincc(a, y)

    def _ppf(self, q: Any, a: Any) -> Any:
        return special.gammaincinv(a, q)

    def _isf(self, q: Any, a: Any) -> Any:
        return special.gammainccinv(a, q)


class _Chi2(_Gamma):
    def _log(self, y: Any, df: Any) -> Any:
        return super()._log(0.5 * y, 0.5 * df) - LOG_2

    def _below(self, y: Any, df: Any) -> Any:
        return super()._below(0.5 * y, 0.5 * df)

    def _above(self, y: Any, df: Any) -> Any:
        return super()._above(0.5 * y, 0.5 * df)

    def _ppf(self, q: Any, df: Any) -> Any:
        return 2 * super()._ppf(q, 0.5 * df)

    def _isf(self, q: Any, df: Any) -> Any:
        return 2 * super()._isf(q, 0.5 * df)


class _Invgamma(OnTheRight):
    closed = False

    def _log(self, y: Any, a: Any) -> Any:
        return -(a + 1) * np.log(y) - special.gammaln(a) - 1 / y

    def _below(self, y: Any, a: Any) -> Any:
        return special.gammaincc(a, 1 / y)

    def _above(self, y: Any, a: Any) -> Any:
        return special.gammainc(a, 1 / y)

    def _ppf(self, q: Any, a: Any) -> Any:
        return 1 / special.gammainccinv(a, q)

    def _isf(self, q: Any, a: Any) -> Any:
        return 1 / special.gammaincinv(a, q)


class _Beta(Distribution):
    def _logpdf(self, y: Any, a: Any, b: Any) -> Any:
        def log(y: Any) -> Any:
            powers = special.xlogy(a - 1, y) + special.xlog1py(b - 1, -y)
            return powers - special.betaln(a, b)

        return choose((y < 0) | (y > 1), y, log, 0.5, -np.inf)

    def _cdf(self, y: Any, a: Any, b: Any) -> Any:
        return special.betainc(a, b, np.clip(y, 0.0, 1.0))

    def _sf(self, y: Any, a: Any, b: Any) -> Any:
        return special.betaincc(a, b, np.clip(y, 0.0, 1.0))

    def _ppf(self, q: Any, a: Any, b: Any) -> Any:
        return special.betaincinv(a, b, q)

    def _isf(self, q: Any, a: Any, b: Any) -> Any:
        return special.betainccinv(a, b, q)


norm, laplace, logistic, cauchy, t = _Norm(), _Laplace(), _Logistic(), _Cauchy(), _T("df")
uniform, gumbel_r, expon, halfnorm = _Uniform(), _Gumbel(), _Expon(), _Halfnorm()
weibull_min, pareto, lognorm = _Weibull("c"), _Pareto("b"), _Lognorm("s")
gamma, chi2, invgamma, beta = _Gamma("a"), _Chi2("df"), _Invgamma("a"), _Beta("a", "b")
