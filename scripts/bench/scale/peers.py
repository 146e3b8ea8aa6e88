"""What ``backwave bench scale`` measures against: sparse products, and autograd on scalars.

All on one thread, and all checked once: a peer that computes something else is no peer.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ....protocol.derivatives.backward import backward
from ....protocol.scalar import Network
from ....protocol.scalar.piece import Floats
from ..inprocess import autograd
from ..measure import timed

Products = Callable[[int], float]
"""Times so many products of a matrix, each of what the one before gave; in seconds."""

Pass = Callable[[], object]
"""Computes a network's output and the gradient of every weight, once."""


def torch_or_none() -> Any:
    """Return PyTorch on one thread; None, and a note, where it is not installed."""
    try:
        import torch
    except ImportError:
        note = "PyTorch is not installed, so it is left out: pip install torch==2.13.0 brings it\n"
        sys.stderr.write(note)
        return None
    torch.set_num_threads(1)
    return torch


def scipy_products(network: Network) -> tuple[Products, Any]:
    """Return SciPy's products with a network's weights, and the matrix.

    Row u has the edges that lead to node u, as the network's maker numbers and orders them.
    """
    from scipy.sparse import csr_array

    matrix = csr_array(by_rows(network), shape=(network.nodes, network.nodes))
    vector = np.random.default_rng(1).normal(size=network.nodes)

    def products(count: int) -> None:
        found = vector
        for _ in range(count):
            found = matrix @ found

    return lambda count: timed(lambda: products(count)), matrix


def torch_products(torch: Any, matrix: Any) -> Products:
    """Return PyTorch's products with a SciPy matrix."""
    vector = torch.from_numpy(np.random.default_rng(1).normal(size=matrix.shape[0]))
    with warnings.catch_warnings():  # that its sparse matrices are new
        warnings.simplefilter("ignore")
        theirs = torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr),
            torch.from_numpy(matrix.indices),
            torch.from_numpy(matrix.data),
            size=matrix.shape,
            check_invariants=False,
        )
    np.testing.assert_allclose((theirs @ vector).numpy(), matrix @ vector.numpy(), atol=1e-9)

    def products(count: int) -> None:
        found = vector
        for _ in range(count):
            found = theirs @ found

    return lambda count: timed(lambda: products(count))


def by_rows(network: Network) -> tuple[Floats, Any, Any]:
    """Return a network's weights, sources, and where each target's edges begin.

    Indices have 32 bits where they are enough: SciPy and PyTorch are the faster for it.
    """
    index = np.int32 if network.edges < 2**31 else np.int64
    weight, source, target = network.weight, network.source.astype(index), network.target
    ends = np.zeros(network.nodes + 1, index)
    np.cumsum(np.bincount(target, minlength=network.nodes), out=ends[1:])
    if np.any(target[1:] < target[:-1]):
        order = np.argsort(target, kind="stable")
        weight, source = weight[order], source[order]
    return weight, source, ends


class Scalars:
    """A network as a program on single numbers, which an autograd follows operation by operation.

    Nodes must be numbered such that each comes after its inputs, and all activations be tanh.
    """

    def __init__(self, network: Network, inputs: Floats) -> None:
        self.weights, sources, ends = by_rows(network)
        self._sources, self._ends = sources.tolist(), ends.tolist()
        self._biases = network.bias.tolist()
        self._given = np.zeros(network.nodes)
        self._given[network.inputs] = inputs
        self._output = network.output
        result = backward(network, inputs)
        self._expected = result.weight_gradient

    def output(self, weights: Any, tanh: Callable[[Any], Any]) -> Any:
        """Compute the output from the weights, an array or a list of numbers."""
        values: list[Any] = self._given.tolist()
        sources, ends = self._sources, self._ends
        for u, bias in enumerate(self._biases):
            first, end = ends[u], ends[u + 1]
            if first == end:
                continue
            total = values[sources[first]] * weights[first]
            for e in range(first + 1, end):
                total = total + values[sources[e]] * weights[e]
            values[u] = tanh(total + bias if bias else total)
        return values[self._output]

    def require_equal(self, gradient: Any) -> None:
        """Raise AssertionError unless this is the gradient that the wave of messages gives."""
        np.testing.assert_allclose(gradient, self._expected, rtol=1e-9, atol=1e-12)


def torch_scalars(torch: Any, network: Network, inputs: Floats) -> Pass:
    """Return PyTorch's autograd on a network: a tensor a number."""
    scalars = Scalars(network, inputs)
    weights = [
        torch.tensor(w, dtype=torch.float64, requires_grad=True) for w in scalars.weights.tolist()
    ]

    def gradient() -> object:
        for weight in weights:
            weight.grad = None
        scalars.output(weights, torch.tanh).backward()
        return weights

    gradient()
    scalars.require_equal([0.0 if w.grad is None else w.grad.item() for w in weights])
    return gradient


def autograd_scalars(network: Network, inputs: Floats) -> Pass:
    """Return HIPS/autograd on a network: all weights in one array, which it takes best."""
    grad, wrapped = autograd()
    scalars = Scalars(network, inputs)
    gradient = grad(lambda weights: scalars.output(weights, wrapped.tanh))
    scalars.require_equal(gradient(scalars.weights))
    return lambda: gradient(scalars.weights)
