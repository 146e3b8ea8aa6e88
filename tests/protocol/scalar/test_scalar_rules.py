"""Compiled rules where numbers are 0, huge, not numbers, or a pole."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backwave as bw
from backwave.protocol.errors import UnknownPrimitiveError
from backwave.protocol.rules import TABLE
from backwave.protocol.scalar.kernels.operations import operation
from backwave.protocol.scalar.kernels.scalar_rules import compiles

from ...amount import amount
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


# Hardly anybody's activations: each takes a third of a second to compile.
OTHERS = (
    *("positive", "conjugate", "real", "fabs", "exp2", "log2", "log10", "arccos", "arccosh"),
    *("arctanh", "deg2rad", "rad2deg", "radians", "degrees", "fmax", "fmin", "logaddexp2"),
    *("fmod", "copysign", "nextafter", "erfc", "ceil", "trunc", "rint", "not_equal"),
    *("less_equal", "greater_equal", "logical_and", "logical_or", "logical_xor", "logical_not"),
    *("isnan", "isinf", "isfinite", "signbit"),
)


@pytest.mark.long
@pytest.mark.parametrize("name", OTHERS)
def test_corners_of_the_rest(name):
    for point in product(CORNERS + NONFINITE, repeat=operation(name).inputs):
        assert_is_the_tables(name, point)


@pytest.mark.parametrize("name", ["remainder", "floor_divide"])
def test_a_quotient_is_rounded_down_as_numpy_does(name):
    # 1 / 0.1 rounds to 10, but 0.1 goes into 1 only 9 times.
    function = getattr(np, name)
    net = bw.Network.from_graph(bw.trace(lambda a, b: function(a, b) * a, 1.0, 0.1))
    assert bw.backward(net, [1.0, 0.1]).value == function(1.0, 0.1)


def test_a_rule_that_numba_cannot_take_runs_on_arrays():
    net = bw.Network.from_graph(bw.trace(lambda x: np.float_power(x, x), 0.7))
    slope = 0.7**0.7 * (1.0 + np.log(0.7))
    np.testing.assert_allclose(bw.backward(net, [0.7]).grads, [slope], rtol=1e-14)


def test_whatever_compiles_is_held_to_the_table():
    known = {*NAMES, *OTHERS}
    for name in set(TABLE) - known:
        # Not what other tests have defined; nor vectors, of which no network has a node.
        if ":" in name or name in ("vecdot", "matvec", "vecmat"):
            continue
        try:
            operation(name)
        except UnknownPrimitiveError:
            continue
        assert not compiles(name), name


# SciPy's erfc is itself in error by a hundred roundings where it is small, and NumPy takes a square
# root for the power 1/2, which C has infinite at -inf; both have their corners above.
DRAWN = [
    pytest.param(name, marks=[pytest.mark.long] * (name in OTHERS))
    for name in sorted({*NAMES, *OTHERS} - {"erfc", "power"})
]


@pytest.mark.parametrize("name", DRAWN)
@settings(max_examples=amount(5, 25))
@given(data=st.data())
def test_numbers_of_any_size(name, data):
    numbers = st.floats(-1e3, 1e3) | st.floats(-1.0, 1.0) | st.floats()
    assert_is_the_tables(name, data.draw(st.tuples(*[numbers] * operation(name).inputs)))
