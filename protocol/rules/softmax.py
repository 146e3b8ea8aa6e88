"""Exponentials that are normalised along axes: logsumexp, softmax, log_softmax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arrays import Array
from .attributes import AXES, FLAG, optional
from .elementwise import TRANSCENDENTAL
from .primitive import Abstract, MessageRule, Primitive, define
from .reductions import Axes, float_dtype, reduced_shape, reduced_size, spread


def _logsumexp(z: Array, *, axis: Axes, keepdims: bool) -> Array:
    if reduced_size(z, axis) == 0:
        return np.sum(z, axis=axis, keepdims=keepdims) - np.inf
    top = np.max(np.real(z), axis=axis, keepdims=True)
    height = np.where(np.isfinite(top), top, 0)
    powers = np.exp(z - height)
    # Those at the top count 1 each and the others enter by log1p, however little they are.
    first = z == top
    count = np.sum(first, axis=axis, keepdims=True, dtype=powers.dtype)
    others = np.sum(np.where(first, powers.dtype.type(0), powers), axis=axis, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        if z.dtype.kind == "c":  # the top one may have an imaginary part, and be none of those
            total = np.log(others + count) + height
        else:
            total = np.log1p(others / count) + np.log(count) + top
    return total if keepdims else np.reshape(total, _kept(z, axis))


def _kept(z: Array, axis: Axes) -> tuple[int, ...]:
    return () if axis is None else tuple(n for i, n in enumerate(z.shape) if i not in axis)


def _logsumexp_message(S: Array, u: Array, z: Array, *, axis: Axes, keepdims: bool) -> Array:
    # Where all are -inf none has a share: exp(-inf - 0), not exp(-inf + inf).
    total = spread(np.where(u == -np.inf, 0.0, u), z, axis, keepdims)
    return spread(S, z, axis, keepdims) * np.exp(z - total)


def _softmax(z: Array, *, axis: Axes) -> Array:
    if z.size == 0:
        return np.exp(z)
    powers = np.exp(z - np.max(np.real(z), axis=axis, keepdims=True))
    return powers / np.sum(powers, axis=axis, keepdims=True)


def _log_softmax(z: Array, *, axis: Axes) -> Array:
    if z.size == 0:
        return np.exp(z)
    top = np.max(np.real(z), axis=axis, keepdims=True)
    shifted = z - np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def _normalised(
    name: str, forward: Callable[..., Array], message: MessageRule, reduces: bool = False
) -> Primitive:
    def shape(z: Abstract, *, axis: Axes, keepdims: bool = False) -> Abstract:
        lengths = reduced_shape(z, axis, keepdims) if reduces else z.shape
        return Abstract(lengths, float_dtype(z.dtype))

    def flops(u: Abstract, z: Abstract, **attributes: Any) -> int:
        return (TRANSCENDENTAL + 4) * z.size

    takes = {"axis": optional(AXES)}
    if reduces:
        takes["keepdims"] = FLAG
    return define(name, forward, message, shape=shape, flops=flops, takes=takes)


_normalised("logsumexp", _logsumexp, _logsumexp_message, reduces=True)
_normalised(
    "softmax",
    _softmax,
    lambda S, u, z, *, axis: u * (S - np.sum(S * u, axis=axis, keepdims=True)),
)
_normalised(
    "log_softmax",
    _log_softmax,
    lambda S, u, z, *, axis: S - np.exp(u) * np.sum(S, axis=axis, keepdims=True),
)
