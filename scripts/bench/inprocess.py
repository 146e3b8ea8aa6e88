"""In this process, against HIPS/autograd."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ...protocol.blas import one_blas_thread
from ...protocol.derivatives.backward import backward
from ...protocol.derivatives.gradient import grad
from ...protocol.errors import ArgumentError
from ...protocol.tracing.trace import trace
from ..load import load_target
from .measure import Measured, in_turn

CHAIN = 10_000
"""Nodes in the chain: half of them multiply, half of them tanh."""

DIGITS = Path(__file__).parents[2] / "examples" / "digits_mlp.py"


def autograd() -> tuple[Callable[..., Any], ModuleType]:
    """Return HIPS/autograd's ``grad`` and its wrapped NumPy."""
    try:
        import autograd as peer
        import autograd.numpy as wrapped
    except ImportError as error:
        raise ArgumentError(
            "this bench measures against HIPS/autograd: pip install 'backwave[bench]'"
        ) from error
    return peer.grad, wrapped


def _chain(namespace: ModuleType) -> Callable[[Any], Any]:
    def chain(x: Any) -> Any:
        w = x
        for _ in range(CHAIN // 2):
            x = namespace.tanh(x * w)
        return x

    return chain


def chain() -> list[Measured]:
    """A chain of scalar nodes: tracing included, and run again."""
    peer_grad, wrapped = autograd()
    x = 0.9
    ours, theirs = _chain(np), peer_grad(_chain(wrapped))
    gradient = grad(ours)
    graph = trace(ours, x)
    return [
        in_turn(
            "chain, traced and differentiated",
            lambda: gradient(x),
            lambda: theirs(x),
            goal=1.0,
            how=f"bw.grad against autograd.grad, {CHAIN} scalar tanh and multiply nodes",
        ),
        in_turn(
            "chain, run again",
            lambda: backward(graph, x),
            lambda: theirs(x),
            goal=0.25,
            how="bw.backward of the traced graph against autograd.grad, same chain",
        ),
    ]


def digits() -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return the digits example's function and arguments."""
    if not DIGITS.is_file():
        raise ArgumentError(f"this bench needs the repository's examples, and {DIGITS} is missing")
    target = load_target(str(DIGITS))
    return target.function, target.args


def mlp() -> list[Measured]:
    """The digits MLP: tracing included, and run again."""
    peer_grad, wrapped = autograd()
    function, args = digits()
    gradient = grad(function)
    graph = trace(function, *args, argnums=0)
    their_function = load_target(str(DIGITS)).function
    their_function.__globals__["np"] = wrapped
    theirs = peer_grad(their_function)
    with one_blas_thread():  # two threads of a small product measure the machine's other load
        return [
            in_turn(
                "digits MLP, traced and differentiated",
                lambda: gradient(*args),
                lambda: theirs(*args),
                goal=1.0,
                how="bw.grad against autograd.grad, examples/digits_mlp.py, all 1,797 images, "
                "BLAS on one thread in both",
                pairs=60,
            ),
            in_turn(
                "digits MLP, run again",
                lambda: backward(graph, *args),
                lambda: theirs(*args),
                goal=1.0,
                how="bw.backward of the traced graph against autograd.grad, likewise",
                pairs=60,
            ),
        ]
