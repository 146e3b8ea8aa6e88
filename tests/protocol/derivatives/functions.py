"""Functions of second order, and how close their derivatives must be."""

import numpy as np
import optree
import pytest

import backwave as bw

CLOSE = {"rtol": 1e-10, "atol": 1e-12}
ARGUMENT = bw.errors.ArgumentError
random = np.random.default_rng(3)
START = random.bit_generator.state


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def mlp(np, w, v, x):
    return np.sum(np.tanh(np.tanh(x @ w) @ v) ** 2) + np.sum(np.exp(w[0] * 0.1)) * np.sum(v)


def pieces(np, x):
    y = np.where(x > 0.5, x**3, np.sin(x))
    return np.sum(y) * np.prod(x[:2]) + np.max(x) ** 2 * np.mean(x)


def products(np, x):
    return np.sum(np.outer(x, np.exp(x)) @ np.sin(x)) / (1 + np.sum(x**2))


x = np.array([0.3, -0.7, 1.2, 0.9])
SCALAR = {"pieces": pieces, "products": products}
FUNCTIONS = [pytest.param(lambda np, x, f=f: f(np, x), id=name) for name, f in SCALAR.items()]


def close(ours, theirs):
    ours, theirs = (optree.tree_leaves(tree, namespace="backwave") for tree in (ours, theirs))
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert np.shape(one) == np.shape(other)
        np.testing.assert_allclose(one, other, **CLOSE)
