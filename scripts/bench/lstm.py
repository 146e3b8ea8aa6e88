"""A long short-term memory, run again, against HIPS/autograd and against PyTorch's eager mode."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from ...protocol.blas import one_blas_thread
from ...protocol.derivatives.backward import backward
from ...protocol.tracing.trace import trace
from .inprocess import autograd
from .measure import Measured, in_turn

HIDDEN, STEPS, INPUTS = 128, 50, 32

Params = tuple[Any, Any, Any]


def _loss(namespace: ModuleType) -> Callable[[Params, Any], Any]:
    tanh = namespace.tanh

    def sigmoid(z: Any) -> Any:
        return 0.5 * (tanh(0.5 * z) + 1.0)

    def loss(params: Params, x: Any) -> Any:
        w, u, b = params
        h = c = x[0] @ w[:, :HIDDEN] * 0.0
        for t in range(STEPS):
            z = x[t] @ w + h @ u + b
            i, f = sigmoid(z[..., :HIDDEN]), sigmoid(z[..., HIDDEN : 2 * HIDDEN])
            o, g = sigmoid(z[..., 2 * HIDDEN : 3 * HIDDEN]), tanh(z[..., 3 * HIDDEN :])
            c = f * c + i * g
            h = o * tanh(c)
        return (h * h).sum()

    return loss


def _arguments(batch: tuple[int, ...]) -> tuple[Params, Any]:
    rng = np.random.default_rng(0)
    params = (
        rng.normal(size=(INPUTS, 4 * HIDDEN)) / np.sqrt(INPUTS),
        rng.normal(size=(HIDDEN, 4 * HIDDEN)) / np.sqrt(HIDDEN),
        rng.normal(size=4 * HIDDEN),
    )
    return params, rng.normal(size=(STEPS, *batch, INPUTS))


def lstm() -> list[Measured]:
    """The gradient with respect to the weights, of one sequence and of sixteen at once.

    Against PyTorch only where it is installed.
    """
    return [*_of("one sequence", ()), *_of("a batch of 16", (16,))]


def _of(name: str, batch: tuple[int, ...]) -> list[Measured]:
    peer_grad, wrapped = autograd()
    params, x = _arguments(batch)
    graph = trace(_loss(np), params, x, argnums=0)
    theirs = peer_grad(_loss(wrapped))
    eager = _eager(params, x)
    size = f"hidden {HIDDEN}, {STEPS} steps, {name}, in double, BLAS on one thread everywhere"
    peers = [("autograd", "autograd.grad", lambda: theirs(params, x), 0.5)]
    if eager is not None:
        peers.append(("PyTorch", "torch's eager gradient", eager, 1.0))
    with one_blas_thread():
        return [
            in_turn(
                f"LSTM again, {name}, {peer}",
                lambda: backward(graph, params, x),
                gradient,
                goal=goal,
                how=f"bw.backward of the traced graph against {what}, {size}",
                pairs=30,
            )
            for peer, what, gradient, goal in peers
        ]


def _eager(params: Params, x: Any) -> Callable[[], object] | None:
    try:
        import torch
    except ImportError:
        note = "PyTorch is not installed, so it is left out: pip install torch==2.13.0 brings it\n"
        sys.stderr.write(note)
        return None
    torch.set_num_threads(1)
    weights: Any = tuple(torch.tensor(p, requires_grad=True) for p in params)
    data = torch.tensor(x)
    loss = _loss(torch)

    def gradient() -> object:
        for weight in weights:
            weight.grad = None
        loss(weights, data).backward()
        return [weight.grad for weight in weights]

    ours = backward(trace(_loss(np), params, x, argnums=0), params, x).grads
    gradient()
    for mine, other in zip(ours, weights, strict=True):
        np.testing.assert_allclose(mine, other.grad.numpy(), rtol=1e-9, atol=1e-12)
    return gradient
