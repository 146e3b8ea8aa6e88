"""A rule that a user adds to the table makes a function traceable."""

import numpy as np
import pytest
import scipy.special

import backwave as bw
from backwave import errors
from backwave.protocol.rules import TABLE, define

from ...lines import refused

X = np.array([0.5, -1.0, 2.0])


@pytest.fixture
def table():
    """The table of primitives, put back afterwards."""
    known = dict(TABLE)
    yield TABLE
    TABLE.clear()
    TABLE.update(known)


def test_a_rule_of_ones_own_makes_a_function_traceable(table):
    table.pop("expit")

    def f(x):
        return np.sum(scipy.special.expit(x) ** 2)

    refused(f, X, error=errors.UnknownPrimitiveError, match="no rule for expit")
    define("expit", scipy.special.expit, lambda S, u, z: S * u * (1 - u), shape=lambda z: z)
    s = 1.0 / (1.0 + np.exp(-X))
    np.testing.assert_allclose(bw.grad(f)(X), 2 * s * s * (1 - s), rtol=1e-14)
    second = bw.grad(lambda x: np.sum(bw.grad(f)(x)))(X)
    np.testing.assert_allclose(second, 2 * s * s * (1 - s) * (2 - 3 * s), rtol=1e-13)
    abstract = bw.trace(f, bw.Shape(3))
    assert [n.primitive for n in abstract.nodes if n.inputs] == ["expit", "power", "sum"]
    with pytest.raises(ValueError, match="'expit' is defined twice"):
        define("expit", scipy.special.expit, None, shape=lambda z: z)


def test_a_numpy_function_of_ones_own(table):
    def message(S, u, z):
        return S[::-1]

    define("flipud", np.flipud, message, shape=lambda z: z)
    weights = np.array([1.0, 10.0, 100.0])
    np.testing.assert_array_equal(
        bw.grad(lambda x: np.sum(np.flipud(x) * weights))(X), weights[::-1]
    )
