"""Small networks for the tests: drawn by Hypothesis, or by a seed."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

import backwave as bw

ACTIVATIONS = ("tanh", "sin", "relu", "identity")
"""One fixed set: each other one is compiled anew, which takes a second."""


@dataclass
class Drawn:
    """What a network was made of."""

    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    bias: np.ndarray
    activation: np.ndarray
    output: int
    inputs: np.ndarray

    @property
    def network(self):
        return bw.Network(
            self.source,
            self.target,
            self.weight,
            bias=self.bias,
            activation=self.activation,
            output=self.output,
        )


def network(seed, nodes=40, edges=150, given=6):
    """Return an acyclic network: shuffled numbers and edges, double edges, edges over levels.

    Some nodes do not reach the output, and some are on their own.
    """
    random = np.random.default_rng(seed)
    target = random.integers(given, nodes, edges)
    source = (random.random(edges) * target).astype(np.int64)
    source[:2], target[:2] = 0, nodes - 1  # the output is fed, by two edges from one node
    numbers = random.permutation(nodes)
    order = random.permutation(edges)
    fed = np.zeros(nodes, bool)
    fed[numbers[target]] = True
    return Drawn(
        numbers[source][order],
        numbers[target][order],
        random.standard_normal(edges),
        random.standard_normal(nodes),
        random.permutation(np.resize(ACTIVATIONS, nodes)),
        int(numbers[nodes - 1]),
        random.standard_normal(int(np.count_nonzero(~fed))),
    )


def loop(np):
    """Return a program on single numbers, of many operations, and its arguments.

    All tests of traced programs that need not say more take this one: it is compiled once.
    """

    def run(w, x):
        total = 0.0
        for i in range(len(w)):
            total = np.tanh(total * w[i] + x[i] * 2.0)
        return np.where(total > 0.0, total, total**2)

    return run, (np.linspace(-1, 1, 6), np.linspace(0.5, 2, 6))


def end_to_end(arrays):
    """Return all numbers in arrays, as a network takes them."""
    return np.concatenate([np.ravel(each) for each in arrays])


seeds = st.integers(0, 2**32 - 1)
drawn = st.builds(
    network,
    seeds,
    nodes=st.integers(8, 60),
    edges=st.integers(2, 250),
    given=st.integers(1, 7),
)

FOUND = ("value", "S", "weight_gradient", "bias_gradient", "grads")
"""All that a result has of numbers."""


def assert_same_bits(result, reference):
    for name in FOUND:
        ours, theirs = getattr(result, name), getattr(reference, name)
        assert np.asarray(ours).tobytes() == np.asarray(theirs).tobytes(), name


def assert_close(result, reference, rtol=1e-12):
    for name in FOUND:
        ours, theirs = np.asarray(getattr(result, name)), np.asarray(getattr(reference, name))
        scale = np.max(np.abs(theirs), initial=1e-300)
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * scale, err_msg=name)
