"""The compiled rules of single numbers are those of the table."""

from functools import cache

import numpy as np
import pytest

from backwave.protocol.scalar.kernels.operations import operation
from backwave.protocol.scalar.kernels.scalar_rules import compiles, message_of, value_of

NAMES = (
    *("identity", "relu", "softplus", "add", "subtract", "multiply", "divide", "negative"),
    *("reciprocal", "square", "absolute", "power", "exp", "expm1", "log", "log1p", "sqrt", "cbrt"),
    *("sin", "cos", "tan", "arcsin", "arctan", "sinh", "cosh", "tanh", "arcsinh", "expit", "erf"),
    *("maximum", "minimum", "logaddexp", "arctan2", "hypot", "where"),
    *("sign", "floor", "greater", "less", "equal"),
)
INSIDE = {"arcsin": (-0.99, 0.99), "log1p": (-0.9, 50.0)}
POSITIVE = {"log", "sqrt", "power"}
TRUTH = {"greater", "less", "equal", "sign", "floor"}


@cache
def compiled(name):
    """Return an operation's compiled value and messages."""
    return value_of((name,)), [message_of((name,), k) for k in range(operation(name).inputs)]


def points(name, inputs):
    random = np.random.default_rng(len(name))
    if name in INSIDE:
        return random.uniform(*INSIDE[name], (40, inputs))
    drawn = random.standard_normal((40, inputs)) * random.choice([1e-3, 1.0, 5.0, 100.0], (40, 1))
    drawn = np.abs(drawn) + 1e-3 if name in POSITIVE else drawn
    if name == "power":
        drawn[:, 0] = np.minimum(drawn[:, 0], 50.0)
        drawn[:, 1] = random.choice([0.0, 1.0, 2.0, -1.0, 0.5, 3.7], 40)
    if name == "where":
        drawn[:, 0] = random.integers(0, 2, 40)
    return drawn


@pytest.mark.parametrize("name", NAMES)
def test_a_compiled_rule_is_the_tables(name):
    assert compiles(name)
    of = operation(name)
    value, message = compiled(name)
    with np.errstate(over="ignore"):
        for z in points(name, of.inputs):
            arguments = [np.float64(each) for each in z]
            padded = [*arguments, 0.0, 0.0, 0.0][:3]
            u = value(0, *padded)
            np.testing.assert_allclose(u, np.float64(of.value(*arguments)), rtol=4e-15)
            for position, rule in enumerate(of.messages):
                if rule is not None:
                    ours = message[position](0, 0.7, u, *padded)
                    theirs = rule(np.float64(0.7), np.float64(u), *arguments)
                    np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize(
    "names", [NAMES[::4], pytest.param(NAMES, marks=pytest.mark.long)], ids=["ten", "forty"]
)
def test_each_of_many_operations_is_found_by_its_number(names):
    value = value_of(names)
    for number, name in enumerate(names):
        assert value(number, 0.3, 0.4, 0.6) == compiled(name)[0](0, 0.3, 0.4, 0.6)


def test_what_numba_does_not_know_is_said_to_be_so():
    assert not compiles("gammaln")


def test_flat_operations_have_no_message():
    assert all(not any(operation(name).messages) for name in TRUTH)
