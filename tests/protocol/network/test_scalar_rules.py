"""Compiled rules found by number among all, where numbers are 0, huge, not numbers, or a pole."""

from itertools import product

import numpy as np
import pytest

from backwave.protocol.network.operations import operation
from backwave.protocol.network.scalar_rules import message_of, value_of

from .test_compiled_rules import NAMES

CORNERS = (0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, 1e-160, -1e-160, 40.0, -750.0, 1e150, -1e300)
NONFINITE = (np.inf, np.nan)
POLES = {
    "divide": [(1.0, 0.0), (0.0, 0.0), (-2.0, -0.0)],
    "log": [(0.0,)],
    "log1p": [(-1.0,)],
    "sqrt": [(0.0,)],
    "cbrt": [(0.0,)],
    "arcsin": [(1.0,), (-1.0,)],
}
"""Where a derivative is infinite, or there is none, by division by 0."""

WITH = [[n for n in NAMES if any(operation(n).messages[k : k + 1])] for k in range(3)]
"""The operations that send a message to their input 0, 1, 2."""


@pytest.fixture(scope="module")
def compiled():
    return value_of(NAMES), [message_of(names, k) for k, names in enumerate(WITH)]


def assert_is_the_tables(compiled, name, point):
    value, messages = compiled
    of = operation(name)
    arguments = [np.float64(z) for z in point]
    padded = [*arguments, 0.0, 0.0][:3]
    with np.errstate(all="ignore"):
        u = np.float64(of.value(*arguments))
        ours = value(NAMES.index(name), *padded)
        np.testing.assert_allclose(ours, u, rtol=4e-15, err_msg=f"{name}{point}")
        for k, rule in enumerate(of.messages):
            if rule is not None:
                np.testing.assert_allclose(
                    messages[k](WITH[k].index(name), 0.7, u, *padded),
                    rule(np.float64(0.7), u, *arguments),
                    rtol=1e-13, atol=1e-300, err_msg=f"{name}{point}, input {k}",
                )  # fmt: skip


def is_pole(name, point):
    return point[1] == 0.0 if name == "divide" else point in POLES.get(name, ())


@pytest.mark.parametrize("name", NAMES)
def test_corners(compiled, name):
    for point in product(CORNERS + NONFINITE, repeat=operation(name).inputs):
        if not is_pole(name, point):
            assert_is_the_tables(compiled, name, point)


@pytest.mark.parametrize(("name", "point"), [(name, at) for name in POLES for at in POLES[name]])
def test_poles(compiled, name, point):
    assert_is_the_tables(compiled, name, point)
