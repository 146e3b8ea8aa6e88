"""What the distributions of ``scipy.stats`` share: compositions that are right in the tails.

They take SciPy's arguments, and differ in one thing: parameters outside their range are not looked
for, and give whatever the formula gives.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import ArgumentError, TraceError
from ...source_line import user_line
from .register import array_of


def is_number(value: Any, number: int) -> bool:
    """Whether this is a plain number, and this one, so that a step with it can be left out."""
    return isinstance(value, int | float) and value == number


def choose(beyond: Any, y: Any, f: Callable[[Any], Any], safe: float, outside: float) -> Any:
    """Return f(y), but ``outside`` beyond its range, where f sees a safe value for its gradient.

    A NaN is not beyond anything, and stays a NaN.
    """
    return np.where(beyond, outside, f(np.where(beyond, safe, y)))


def log_of(p: Any, rest: Any) -> Any:
    """Return log(p), of a probability and what is left of 1: from the smaller of the two."""
    small = p < 0.5
    return np.log(np.where(small, p, 1.0)) + np.log1p(-np.where(small, 0.0, rest))


class Distribution:
    """A continuous distribution. Its private methods are those of loc 0 and scale 1."""

    ends: tuple[str, ...] = ("loc", "scale")

    def __init__(self, *shapes: str) -> None:
        self.shapes = shapes

    def _read(self, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[list[Any], Any, Any]:
        names = (*self.shapes, *self.ends)
        found = dict(zip(names, given, strict=False)) | named
        unknown = len(given) > len(names) or not found.keys() <= {*names}
        if unknown or not found.keys() >= {*self.shapes}:
            raise ArgumentError(
                f"{user_line()}: this distribution has the parameters {', '.join(names)}, of "
                f"which the last {len(self.ends)} may be left out"
            )
        shapes = [array_of(found[name]) for name in self.shapes]
        return shapes, found.get("loc", 0), found.get("scale", 1)

    def _at(
        self, f: Callable[..., Any], x: Any, given: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[Any, Any]:
        shapes, loc, scale = self._read(given, named)
        y = array_of(x)
        if not is_number(loc, 0):
            y = y - array_of(loc)
        return f(y if is_number(scale, 1) else y / array_of(scale), *shapes), scale

    def _back(
        self, f: Callable[..., Any], q: Any, given: tuple[Any, ...], named: dict[str, Any]
    ) -> Any:
        shapes, loc, scale = self._read(given, named)
        q = array_of(q)
        y = f(np.where((q < 0) | (q > 1), np.nan, q), *shapes)
        if not is_number(scale, 1):
            y = y * array_of(scale)
        return y if is_number(loc, 0) else y + array_of(loc)

    def logpdf(self, x: Any, *parameters: Any, **named: Any) -> Any:
        """Return the logarithm of the density."""
        log, scale = self._at(self._logpdf, x, parameters, named)
        return log if is_number(scale, 1) else log - np.log(array_of(scale))

    def pdf(self, x: Any, *parameters: Any, **named: Any) -> Any:
        """Return the density."""
        density, scale = self._at(self._pdf, x, parameters, named)
        return density if is_number(scale, 1) else density / array_of(scale)

    def cdf(self, x: Any, *parameters: Any, **named: Any) -> Any:
        """Return the probability of at most x."""
        return self._at(self._cdf, x, parameters, named)[0]

    def logcdf(self, x: Any, *parameters: Any, **named: Any) -> Any:
        """Return the logarithm of the probability of at most x."""
        return self._at(self._logcdf, x, parameters, named)[0]

    def sf(self, x: Any, *parameters: Any, **named: Any) -> Any:
        """Return the probability of more than x."""
        return self._at(self._sf, x, parameters, named)[0]

    def logsf(self, x: Any, *parameters: Any, **named: Any) -> Any:
        """Return the logarithm of the probability of more than x."""
        return self._at(self._logsf, x, parameters, named)[0]

    def ppf(self, q: Any, *parameters: Any, **named: Any) -> Any:
        """Return the x that is exceeded with probability 1 - q."""
        return self._back(self._ppf, q, parameters, named)

    def isf(self, q: Any, *parameters: Any, **named: Any) -> Any:
        """Return the x that is exceeded with probability q."""
        return self._back(self._isf, q, parameters, named)

    def _logpdf(self, y: Any, *shapes: Any) -> Any:
        raise NotImplementedError

    def _pdf(self, y: Any, *shapes: Any) -> Any:
        return np.exp(self._logpdf(y, *shapes))

    def _cdf(self, y: Any, *shapes: Any) -> Any:
        raise NotImplementedError

    def _logcdf(self, y: Any, *shapes: Any) -> Any:
        return log_of(self._cdf(y, *shapes), self._sf(y, *shapes))

    def _sf(self, y: Any, *shapes: Any) -> Any:
        return 1 - self._cdf(y, *shapes)

    def _logsf(self, y: Any, *shapes: Any) -> Any:
        return log_of(self._sf(y, *shapes), self._cdf(y, *shapes))

    def _ppf(self, q: Any, *shapes: Any) -> Any:
        raise NotImplementedError

    def _isf(self, q: Any, *shapes: Any) -> Any:
        return self._ppf(1 - q, *shapes)


class Symmetric(Distribution):
    """A distribution with the same tail on both sides."""

    def _sf(self, y: Any, *shapes: Any) -> Any:
        return self._cdf(-y, *shapes)

    def _logsf(self, y: Any, *shapes: Any) -> Any:
        return self._logcdf(-y, *shapes)

    def _isf(self, q: Any, *shapes: Any) -> Any:
        return -self._ppf(q, *shapes)


class OnTheRight(Distribution):
    """A distribution on the numbers above ``low``; at ``low`` too if it is ``closed``."""

    low = 0.0
    closed = True

    def _logpdf(self, y: Any, *shapes: Any) -> Any:
        beyond = y < self.low if self.closed else y <= self.low
        return choose(beyond, y, lambda y: self._log(y, *shapes), 1.0, -np.inf)

    def _cdf(self, y: Any, *shapes: Any) -> Any:
        return choose(y <= self.low, y, lambda y: self._below(y, *shapes), 1.0, 0.0)

    def _sf(self, y: Any, *shapes: Any) -> Any:
        return choose(y <= self.low, y, lambda y: self._above(y, *shapes), 1.0, 1.0)

    def _log(self, y: Any, *shapes: Any) -> Any:
        raise NotImplementedError

    def _below(self, y: Any, *shapes: Any) -> Any:
        return -np.expm1(-self._hazard(y, *shapes))

    def _above(self, y: Any, *shapes: Any) -> Any:
        return np.exp(-self._hazard(y, *shapes))

    def _hazard(self, y: Any, *shapes: Any) -> Any:
        """Return -log of the probability of more than y."""
        raise NotImplementedError


class Discrete(Distribution):
    """A distribution on whole numbers from ``low`` up, with a gradient in its parameters."""

    ends = ("loc",)
    low = 0

    def logpmf(self, k: Any, *parameters: Any, **named: Any) -> Any:
        """Return the logarithm of the probability of k."""
        return self._at(self._logpdf, k, parameters, named)[0]

    def pmf(self, k: Any, *parameters: Any, **named: Any) -> Any:
        """Return the probability of k."""
        return np.exp(self.logpmf(k, *parameters, **named))

    def _logpdf(self, k: Any, *shapes: Any) -> Any:
        beyond = (k < self.low) | (k > self._high(*shapes)) | (np.floor(k) < k)
        return choose(beyond, k, lambda k: self._log(k, *shapes), self.low, -np.inf)

    def _cdf(self, k: Any, *shapes: Any) -> Any:
        k = np.floor(k)
        return self._ends(k, lambda k: self._at_most(k, *shapes), (0.0, 1.0), *shapes)

    def _sf(self, k: Any, *shapes: Any) -> Any:
        k = np.floor(k)
        return self._ends(k, lambda k: self._more_than(k, *shapes), (1.0, 0.0), *shapes)

    def _ends(self, k: Any, f: Callable[[Any], Any], at: tuple[float, float], *shapes: Any) -> Any:
        """Return f(k) from ``low`` up, and what it is below and from the greatest number up."""
        high = self._high(*shapes)
        inner = choose((k < self.low) | (k >= high), k, f, self.low, at[0])
        return np.where(k >= high, at[1], inner)

    def _ppf(self, q: Any, *shapes: Any) -> Any:
        raise TraceError(
            f"{user_line()}: the quantiles of a distribution of whole numbers are whole, and no "
            f"derivative passes through them; take them outside of the traced function"
        )

    def _high(self, *shapes: Any) -> Any:
        return sys.float_info.max  # there is no probability at infinity

    def _log(self, k: Any, *shapes: Any) -> Any:
        raise NotImplementedError

    def _at_most(self, k: Any, *shapes: Any) -> Any:
        raise NotImplementedError

    def _more_than(self, k: Any, *shapes: Any) -> Any:
        raise NotImplementedError
