"""What it costs to record one primitive, against HIPS/autograd."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from ...protocol.tracing.trace import trace
from .inprocess import autograd
from .measure import Measured, in_turn

CALLS = 500
"""How often each primitive is called in one trace."""


def _calls() -> dict[str, tuple[Callable[[ModuleType, Any], Any], Any]]:
    """Return one call of each primitive, on arrays so small that dispatch is what takes time."""
    v = np.linspace(0.5, 1.5, 4)
    m = v.reshape(2, 2)
    return {
        "add": (lambda np, x: x + x, v),
        "multiply": (lambda np, x: x * 2.0, v),
        "divide": (lambda np, x: x / 3.0, v),
        "power": (lambda np, x: x**2, v),
        "negative": (lambda np, x: -x, v),
        "exp": (lambda np, x: np.exp(x), v),
        "log": (lambda np, x: np.log(x), v),
        "tanh": (lambda np, x: np.tanh(x), v),
        "sqrt": (lambda np, x: np.sqrt(x), v),
        "maximum": (lambda np, x: np.maximum(x, 1.0), v),
        "where": (lambda np, x: np.where(x > 1.0, x, 0.0), v),
        "sum": (lambda np, x: np.sum(x), v),
        "sum over an axis": (lambda np, x: np.sum(x, axis=1, keepdims=True), m),
        "mean": (lambda np, x: np.mean(x, axis=0), m),
        "max": (lambda np, x: np.max(x, axis=0), m),
        "matmul": (lambda np, x: x @ x, m),
        "dot": (lambda np, x: np.dot(x, x), m),
        "einsum": (lambda np, x: np.einsum("ij,jk->ik", x, x), m),
        "reshape": (lambda np, x: np.reshape(x, (4,)), m),
        "transpose": (lambda np, x: x.T, m),
        "getitem": (lambda np, x: x[1], v),
        "getitem with a slice": (lambda np, x: x[1:3], v),
        "concatenate": (lambda np, x: np.concatenate([x, x]), v),
        "stack": (lambda np, x: np.stack([x, x]), v),
        "expand_dims": (lambda np, x: np.expand_dims(x, 0), v),
        "cumsum": (lambda np, x: np.cumsum(x), v),
        "linalg.solve": (lambda np, x: np.linalg.solve(x, x), m + np.eye(2)),
    }


def _repeated(call: Callable[[ModuleType, Any], Any], namespace: ModuleType, x: Any) -> Any:
    u = x
    for _ in range(CALLS):
        u = call(namespace, x)
    return u


def dispatch() -> list[Measured]:
    """Each primitive alone, then the median and the slowest of them."""
    _, wrapped = autograd()
    from autograd import make_vjp

    each: list[Measured] = []
    for name, (call, x) in _calls().items():
        ours = partial(_repeated, call, np)
        theirs = make_vjp(partial(_repeated, call, wrapped))
        each.append(
            in_turn(
                f"dispatch of {name}",
                lambda ours=ours, x=x: trace(ours, x),  # type: ignore[misc]
                lambda theirs=theirs, x=x: theirs(x),  # type: ignore[misc]
                goal=1.5,
                how=f"bw.trace against autograd.make_vjp, {CALLS} calls on tiny arrays",
                pairs=9,
            )
        )
    ranked = sorted(each, key=lambda one: one.ratio)
    middle, slowest = ranked[len(ranked) // 2], ranked[-1]
    return [_as("dispatch, the median primitive", middle), _as("dispatch, the slowest", slowest)]


def _as(what: str, one: Measured) -> Measured:
    primitive = one.what.removeprefix("dispatch of ")
    return Measured(what, one.ours, one.theirs, one.ratio, one.goal, f"{primitive}: {one.how}")
