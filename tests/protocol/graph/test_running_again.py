"""A graph that is run again: with other values, other branches, and those that are not finite."""

import autograd
import autograd.numpy
import numpy as np
import pytest

import backwave as bw
from backwave import errors

from ...lines import line_of

X = np.array([0.5, -1.0, 2.0])


def test_other_values_of_the_same_shapes():
    graph = bw.trace(lambda w, x: np.sum(np.tanh(w @ x)), np.ones((2, 3)), X)
    w = np.array([[1.0, -2.0, 0.5], [0.3, 0.2, 0.1]])
    result = bw.backward(graph, w, X)
    expected = autograd.grad(lambda w: autograd.numpy.sum(autograd.numpy.tanh(w @ X)))(w)
    np.testing.assert_allclose(result.grads[0], expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(
    ("args", "match"),
    [
        ((np.ones(4), 1.0), r"args\[0\] is float64\[4\], and .* float64\[3\]"),
        ((np.ones((3, 1)), 1.0), r"args\[0\] is float64\[3, 1\]"),
        ((X.astype(np.float32), 1.0), r"args\[0\] is float32\[3\]"),
        ((X, 1), r"args\[1\] is int64\[\]"),
        ((X,), "traced with 2 arguments"),
        ((X, 1.0, 2.0), "traced with 2 arguments"),
        ((X, {"a": 1.0, "b": 2.0}), "traced with 2 arguments"),
        ((X, {"a": 1.0}), "built otherwise"),
        ((X, "text"), r"args\[1\] is str"),
    ],
)
def test_arguments_unlike_those_traced(args, match):
    graph = bw.trace(lambda x, y: np.sum(x) * y, X, 1.0)
    with pytest.raises(errors.ArgumentError, match=match):
        bw.backward(graph, *args)


def test_a_branch_is_guarded():
    def f(x):
        if x > 0:
            return x * x
        return -x

    graph = bw.trace(f, 2.0)
    assert bw.backward(graph, 3.0).grads == (6.0,)
    with pytest.raises(
        errors.GuardError, match=r"branched on .* == True.*trace it again"
    ) as caught:
        bw.backward(graph, -1.0)
    assert str(caught.value).startswith(line_of(f) + ": ")
    assert bw.backward(bw.trace(f, -1.0), -4.0).grads == (-1.0,)


def test_an_integer_that_decides_is_guarded():
    def f(x, n):
        total = x
        for _ in range(n):
            total = total * x
        return total

    graph = bw.trace(f, 2.0, 3)
    assert bw.backward(graph, 3.0, 3).grads[0] == 4 * 27.0
    with pytest.raises(errors.GuardError, match=r"args\[1\] == 3.* it is 2") as caught:
        bw.backward(graph, 3.0, 2)
    assert str(caught.value).startswith(line_of(f, 2) + ": ")


def test_an_integer_that_selects_needs_no_guard():
    graph = bw.trace(lambda x, i: x[i] * x[i], X, 0)
    result = bw.backward(graph, X, 2)
    assert result.value == 4.0
    np.testing.assert_array_equal(result.grads[0], [0.0, 0.0, 4.0])


def test_a_mask_of_another_count_is_refused_at_replay():
    def f(x):
        return np.sum(x[x > 0])

    graph = bw.trace(f, X)
    np.testing.assert_array_equal(bw.backward(graph, -X[::-1] * [1, 1, -1]).grads[0], [0, 1, 1])
    with pytest.raises(errors.ShapeError, match=r"shape \(3,\).*\(2,\)") as caught:
        bw.backward(graph, np.ones(3))
    assert str(caught.value).startswith(line_of(f) + ": ")


# NaN and infinity.


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
class TestNonFinite:
    def test_the_first_node_and_its_line(self):
        def f(x):
            y = x - 1.0
            z = np.log(y)
            return np.sum(np.exp(z) * z)

        graph = bw.trace(f, np.full(3, 2.0))
        with pytest.raises(
            errors.NonFiniteError, match=r"NaN arose in the value of log:\d+"
        ) as caught:
            bw.backward(graph, X, check_finite=True)
        assert str(caught.value).startswith(line_of(f, 2) + ": ")
        assert "in [-2, 1]" in str(caught.value)
        with pytest.raises(errors.NonFiniteError, match="infinity arose in the value of log"):
            bw.backward(graph, np.array([1.0, 2.0, 3.0]), check_finite=True)
        assert np.isnan(bw.backward(graph, X).value)

    def test_in_a_message(self):
        def f(x):
            y = np.sqrt(x)
            return np.sum(y)

        graph = bw.trace(f, np.ones(2))
        with pytest.raises(
            errors.NonFiniteError, match=r"infinity arose in the message to args\[0\]"
        ) as caught:
            bw.backward(graph, np.array([0.0, 1.0]), check_finite=True)
        assert str(caught.value).startswith(line_of(f, 1) + ": ")

    def test_in_a_leaf(self):
        graph = bw.trace(np.sum, np.ones(2))
        with pytest.raises(errors.NonFiniteError, match=r"^NaN arose in the value of args\[0\]$"):
            bw.backward(graph, np.array([np.nan, 1.0]), check_finite=True)

    def test_finite_numbers_pass(self):
        graph = bw.trace(lambda x, i: np.sum(np.exp(x[i])), X, np.array([1, 1]))
        result = bw.backward(graph, X, np.array([0, 2]), check_finite=True)
        np.testing.assert_array_equal(result.grads[0], np.exp(X) * [1, 0, 1])
