"""Gradients: of what, in which structure, how often, and whose arrays they are."""

import functools
import inspect

import autograd
import autograd.numpy
import numpy as np
import pytest

import backwave as bw
from backwave import errors

X = np.array([0.5, -1.0, 2.0])


def test_pytrees():
    args = {"w": np.array([[0.1, 0.2]]), "layers": [(1.5, np.array([0.3])), {"b": 0.5}]}

    def f(np, p):
        (scale, shift), last = p["layers"]
        return np.sum(np.tanh(p["w"] * scale + shift[0])) * last["b"]

    ours = bw.grad(functools.partial(f, np))(args)
    theirs = autograd.grad(functools.partial(f, autograd.numpy))(args)
    assert list(ours) == ["w", "layers"]
    assert type(ours["layers"]) is list
    assert type(ours["layers"][0]) is tuple
    np.testing.assert_allclose(ours["w"], theirs["w"], rtol=1e-13, atol=1e-15)
    assert ours["layers"][0][0] == pytest.approx(theirs["layers"][0][0], rel=1e-14)
    np.testing.assert_allclose(ours["layers"][0][1], theirs["layers"][0][1], rtol=1e-14)
    assert ours["layers"][1]["b"] == pytest.approx(theirs["layers"][1]["b"], rel=1e-14)


def test_argnums():
    def f(x, y, z):
        return np.sum(x * y * y) + z

    x, y = X, np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(bw.grad(f)(x, y, 1.0), y * y)
    np.testing.assert_array_equal(bw.grad(f, argnums=1)(x, y, 1.0), 2 * x * y)
    assert bw.grad(f, argnums=-1)(x, y, 1.0) == 1.0
    found = bw.grad(f, argnums=(2, 0))(x, y, 1.0)
    assert type(found) is tuple
    assert found[0] == 1.0
    np.testing.assert_array_equal(found[1], y * y)
    graph = bw.trace(f, x, y, 1.0)
    assert len(bw.backward(graph, x, y, 1.0).grads) == 3
    assert graph.num_edges == 1 + 2 + 2 + 2  # the sum, what is added to it, the products


def test_arguments_that_are_not_differentiated_have_no_edges():
    def f(x, y):
        return np.sum(np.exp(y) * x)

    graph = bw.trace(f, X, X, argnums=0)
    assert (graph.num_nodes, graph.num_edges) == (3, 2)
    assert graph.inputs_without_gradient == 1
    assert bw.backward(graph, X, X).ledger.messages == 2


def test_integer_data_is_not_differentiated():
    labels = np.array([2, 0, 2])
    graph = bw.trace(lambda x, i, flag: np.sum(x[i] * flag), X, labels, True)
    result = bw.backward(graph, X, labels, True)
    np.testing.assert_array_equal(result.grads[0], [1.0, 0.0, 2.0])
    assert result.grads[1] is None
    assert result.grads[2] is None
    mixed = bw.trace(lambda p: np.sum(p["x"] * p["n"]), {"x": X, "n": np.arange(3)})
    grads = bw.backward(mixed, {"x": X, "n": np.arange(3)}).grads[0]
    np.testing.assert_array_equal(grads["x"], [0.0, 1.0, 2.0])
    assert grads["n"] is None


def test_numbers_are_leaves():
    value, found = bw.value_and_grad(lambda x, y: x * y + x, argnums=(0, 1))(2.0, np.float64(3.0))
    assert value == 8.0
    assert found == (4.0, 2.0)
    assert np.shape(found[0]) == ()
    assert found[0].dtype == np.float64


def test_the_gradient_of_an_unused_leaf_is_zero():
    found = bw.grad(lambda p: np.sum(p["used"]))({"used": X, "unused": np.ones((2, 2)), "n": 1.0})
    np.testing.assert_array_equal(found["unused"], np.zeros((2, 2)))
    assert found["n"] == 0.0
    only_floor = bw.grad(lambda x, y: np.sum(x) + np.sum(np.floor(y)), argnums=1)
    with pytest.raises(errors.IndependentOutputError):
        only_floor(X, X)


def test_value_and_grad_and_keyword_arguments():
    def f(x, scale, *, power=1, shift):
        return np.sum(scale * x**power) + shift

    value, found = bw.value_and_grad(f)(X, 2.0, power=3, shift=1.0)
    assert value == pytest.approx(2 * np.sum(X**3) + 1.0, rel=1e-15)
    np.testing.assert_allclose(found, 6 * X**2, rtol=1e-15)
    np.testing.assert_allclose(bw.grad(f)(X, 2.0, power=2, shift=0), 4 * X, rtol=1e-15)
    assert inspect.signature(bw.grad(f)) == inspect.signature(f)
    assert bw.grad(f).__name__ == "f"


def test_vjp_of_an_array_against_autograd():
    random = np.random.default_rng(3)
    w, x = random.normal(size=(4, 3)), random.normal(size=(3, 2))

    def f(np, w, x):
        return np.tanh(w @ x) * np.sum(w)

    S = random.normal(size=(4, 2))
    value, back = bw.vjp(functools.partial(f, np), w, x)
    for place, ours in enumerate(back(S)):
        make = autograd.make_vjp(functools.partial(f, autograd.numpy), place)
        peer, expected = make(w, x)
        np.testing.assert_allclose(ours, peer(S), rtol=1e-13)
        np.testing.assert_allclose(value, expected, rtol=1e-14)
    np.testing.assert_allclose(back(2 * S)[0], 2 * back(S)[0], rtol=1e-14)
    with pytest.raises(errors.ArgumentError, match=r"shape \(2,\), and the output \(4, 2\)"):
        back(np.ones(2))


def test_vjp_of_what_depends_on_nothing_is_zero():
    value, back = bw.vjp(lambda x: np.ones(2), X)
    np.testing.assert_array_equal(value, [1.0, 1.0])
    np.testing.assert_array_equal(back(np.ones(2))[0], np.zeros(3))


def test_gradient_of_a_gradient_of_a_gradient():
    def third(f):
        return bw.grad(bw.grad(bw.grad(f)))

    x = 0.7
    assert third(lambda x: x**4)(x) == pytest.approx(24 * x, rel=1e-14)
    assert third(np.sin)(x) == pytest.approx(-np.cos(x), rel=1e-14)
    assert third(lambda x: np.exp(2 * x) * x)(x) == pytest.approx(np.exp(2 * x) * (8 * x + 12))
    # With an array between, and each order with respect to one node that is used twice.
    entries = np.array([0, 2, 2])

    def f(x):
        return np.sum(X[entries] * (x * np.ones(3))[entries] ** 4)

    assert third(f)(x) == pytest.approx(24 * x * np.sum(X[entries]), rel=1e-13)


def test_a_gradient_of_an_outer_variable():
    # The inner gradient is with respect to y only, at a point that depends on x.
    def f(x):
        return bw.grad(lambda y: x * y**2 + y * x**3)(x * x)

    # 2·x·x² + x³ = 3·x³
    assert f(2.0) == 24.0
    assert bw.grad(f)(2.0) == 36.0


# What belongs to whom.


def test_constants_changed_by_the_program_do_not_spoil_the_gradient():
    def f(x):
        buffer = np.array([1.0, 2.0, 3.0])
        total = 0.0
        for _ in range(3):
            total = total + np.sum(x * buffer)
            buffer *= 10.0
        return total

    np.testing.assert_array_equal(bw.grad(f)(X), [111.0, 222.0, 333.0])
    captured = np.array(2.0)

    def g(x):
        y = x * captured
        captured[...] = 5.0
        return np.sum(y * captured)

    np.testing.assert_array_equal(bw.grad(g)(X), [10.0, 10.0, 10.0])


def test_gradients_are_the_callers_own():
    cases = [
        lambda a, b: np.sum(a + b),
        lambda a, b: np.sum((a + b) * 2.0),
        lambda a, b: np.sum(np.concatenate([a, b])[::-1]),
        lambda a, b: np.sum(np.reshape(a + 1.0, (1, -1)) + b.T),
    ]
    for f in cases:
        for size in (1, 3):
            a, b = np.zeros(size), np.ones(size)
            left, right = bw.grad(f, argnums=(0, 1))(a, b)
            assert not np.shares_memory(left, right)
            before = right.copy()
            left += 100.0
            np.testing.assert_array_equal(right, before)
            right -= 100.0
            np.testing.assert_array_equal(a, np.zeros(size))
            np.testing.assert_array_equal(b, np.ones(size))


def test_the_arrays_of_a_vjp_are_the_callers_own():
    S = np.ones(3)
    value, back = bw.vjp(lambda x: np.tanh(x), X)
    expected = back(S)[0].copy()
    value -= 7.0
    np.testing.assert_array_equal(back(S)[0], expected)
    _, back = bw.vjp(lambda x: x + 1.0, X)
    back(S)[0][...] = 5.0
    np.testing.assert_array_equal(S, np.ones(3))
    value, back = bw.vjp(lambda x: x, X)
    value += 1.0
    np.testing.assert_array_equal(X, [0.5, -1.0, 2.0])
