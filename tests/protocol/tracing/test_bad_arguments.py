"""What cannot be an argument, be differentiated or come out of a program."""

import numpy as np
import pytest

import backwave as bw
from backwave import errors

from ...lines import line_of

X = np.array([0.5, -1.0, 2.0])


def test_an_output_that_is_no_number():
    def f(x):
        return np.exp(x)

    with pytest.raises(errors.NotScalarError, match=r"shape \(3,\).*np\.sum") as caught:
        bw.backward(bw.trace(f, X), X)
    assert str(caught.value).startswith(line_of(f) + ": ")
    with pytest.raises(errors.NotScalarError, match=r"shape \(3,\)"):
        bw.grad(f)(X)


def test_an_output_that_is_no_floating_point():
    def f(x):
        return np.sum(x)

    with pytest.raises(errors.ArgumentError, match="floating point"):
        bw.grad(f)(np.arange(3))


def test_an_output_that_depends_on_nothing_differentiated():
    def f(x):
        return np.sum(np.floor(x) * 2.0)

    with pytest.raises(
        errors.IndependentOutputError, match=r"does not depend.*args\[0\]"
    ) as caught:
        bw.grad(f)(X)
    assert str(caught.value).startswith(line_of(f) + ": ")
    with pytest.raises(errors.IndependentOutputError, match="does not depend"):
        bw.grad(lambda x: 3.0)(X)
    graph = bw.trace(f, X)
    with pytest.raises(errors.IndependentOutputError, match="does not depend"):
        bw.backward(graph, X)


@pytest.mark.parametrize("output", [None, "text", ("text", X), [], {"a": None}], ids=repr)
def test_an_output_that_is_no_array(output):
    with pytest.raises(errors.TraceError, match=r"returned (NoneType|str|list|dict)"):
        bw.trace(lambda x: output, X)


def test_integers_cannot_be_differentiated_on_demand():
    def f(x, n):
        return np.sum(x) * n

    with pytest.raises(errors.ArgumentError, match=r"args\[1\] is int64.*astype\(float\)"):
        bw.trace(f, X, 3, argnums=1)
    with pytest.raises(
        errors.ArgumentError, match=r"args\[1\] is int64.*argument 1 out of argnums"
    ):
        bw.grad(f, argnums=(0, 1))(X, np.arange(3))


@pytest.mark.parametrize("argnums", [2, -3, (0, 2)])
def test_argnums_out_of_range(argnums):
    with pytest.raises(errors.ArgumentError, match="only 2 arguments"):
        bw.grad(lambda x, y: np.sum(x * y), argnums=argnums)(X, X)


@pytest.mark.parametrize("argument", ["text", object(), len, X.astype(str), X.astype(object)])
def test_an_argument_that_is_no_array(argument):
    with pytest.raises(errors.ArgumentError, match=r"args\[1\]\['w'\]"):
        bw.trace(lambda x, options: np.sum(x), X, {"w": argument})


def test_shapes_are_for_tracing():
    with pytest.raises(errors.ArgumentError, match=r"bw\.trace"):
        bw.grad(np.sum)(bw.Shape(3))
    with pytest.raises(errors.ArgumentError, match="negative"):
        bw.Shape((2, -1))
    with pytest.raises(errors.ArgumentError, match="dtype"):
        bw.Shape(3, "U4")
