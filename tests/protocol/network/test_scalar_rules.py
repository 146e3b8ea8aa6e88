"""Compiled rules where numbers are 0, huge, not numbers, or a pole."""

from itertools import product

import numpy as np
import pytest

from backwave.protocol.network.operations import operation

from .test_compiled_rules import NAMES, compiled

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


def assert_is_the_tables(name, point):
    value, messages = compiled(name)
    of = operation(name)
    arguments = [np.float64(z) for z in point]
    padded = [*arguments, 0.0, 0.0][:3]
    with np.errstate(all="ignore"):
        u = np.float64(of.value(*arguments))
        ours = value(0, *padded)
        np.testing.assert_allclose(ours, u, rtol=4e-15, err_msg=f"{name}{point}")
        for k, rule in enumerate(of.messages):
            if rule is not None:
                np.testing.assert_allclose(
                    messages[k](0, 0.7, u, *padded),
                    rule(np.float64(0.7), u, *arguments),
                    rtol=1e-13, atol=1e-300, err_msg=f"{name}{point}, input {k}",
                )  # fmt: skip


def is_pole(name, point):
    return point[1] == 0.0 if name == "divide" else point in POLES.get(name, ())


@pytest.mark.parametrize("name", NAMES)
def test_corners(name):
    for point in product(CORNERS + NONFINITE, repeat=operation(name).inputs):
        if not is_pole(name, point):
            assert_is_the_tables(name, point)


@pytest.mark.parametrize(("name", "point"), [(name, at) for name in POLES for at in POLES[name]])
def test_poles(name, point):
    assert_is_the_tables(name, point)
