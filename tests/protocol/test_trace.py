"""From plain NumPy to a network: what can be written, and how what cannot is refused."""

import functools
import inspect
import math

import autograd
import autograd.numpy
import numpy as np
import pytest
import scipy.special

import backwave as bw
from backwave import errors
from backwave.protocol.rules import TABLE, define


def line_of(f, offset=1):
    """Where the ``offset``-th line below ``def`` of f is, as errors name it."""
    code = f.__code__
    return f"{code.co_filename}:{code.co_firstlineno + offset}"


def refused(f, *args, error, match, offset=1):
    """Check that tracing f raises this error, which names the user's line and says this."""
    with pytest.raises(error, match=match) as caught:
        bw.trace(f, *args)
    assert str(caught.value).startswith(line_of(f, offset) + ": ")
    assert isinstance(caught.value, errors.BackwaveError)


X = np.array([0.5, -1.0, 2.0])


# Bad input: one clear error, with the user's line.


@pytest.mark.parametrize("argument", [X, bw.Shape(3)], ids=["values", "abstract"])
class TestBadPrograms:
    def test_shapes_that_do_not_broadcast(self, argument):
        def f(x):
            return np.sum(x * np.ones(4))

        refused(
            f, argument, error=errors.ShapeError, match=r"multiply of float64\[3\], float64\[4\]"
        )

    def test_matrices_that_do_not_fit(self, argument):
        def f(x):
            return np.sum(np.ones((2, 4)) @ x)

        refused(
            f, argument, error=errors.ShapeError, match=r"matmul of float64\[2, 4\], float64\[3\]"
        )

    def test_a_line_below(self, argument):
        def f(x):
            y = np.exp(x)
            z = np.reshape(
                y,
                (2, 2),
            )
            return np.sum(z)

        with pytest.raises(errors.ShapeError, match="reshape") as caught:
            bw.trace(f, argument)
        file, line = str(caught.value).split(": ")[0].rsplit(":", 1)
        assert file == __file__
        assert 2 <= int(line) - f.__code__.co_firstlineno <= 5

    def test_an_axis_too_many(self, argument):
        def f(x):
            return np.sum(x, axis=1)

        refused(f, argument, error=errors.ShapeError, match="axis 1 is out of bounds for 1 axes")

    def test_an_axis_named_twice(self, argument):
        def f(x):
            return np.sum(x, axis=(0, -1))

        refused(f, argument, error=errors.ShapeError, match="names an axis twice")

    def test_reshape_to_negative_lengths(self, argument):
        def f(x):
            return np.sum(np.reshape(x, (-3, -1)))

        refused(f, argument, error=errors.ShapeError, match="reshaped|negative")

    def test_an_index_out_of_bounds(self, argument):
        def f(x):
            return x[3]

        refused(f, argument, error=errors.ShapeError, match="index 3 is out of bounds")

    def test_too_many_indices(self, argument):
        def f(x):
            return x[0, 0]

        refused(f, argument, error=errors.ShapeError, match="indices")

    def test_an_index_of_floating_point(self, argument):
        def f(x):
            return x[1.0]

        refused(f, argument, error=errors.TraceError, match="cannot be indexed by float")

    def test_concatenation_of_other_lengths(self, argument):
        def f(x):
            return np.sum(np.concatenate([x[None], np.ones((1, 4))]))

        refused(f, argument, error=errors.ShapeError, match="concatenate")

    def test_squeeze_of_a_long_axis(self, argument):
        def f(x):
            return np.sum(np.squeeze(x, axis=0))

        refused(f, argument, error=errors.ShapeError, match="not of length 1")

    def test_moveaxis_of_more_axes_than_places(self, argument):
        def f(x):
            return np.sum(np.moveaxis(x[None], (0, 1), (0,)))

        refused(f, argument, error=errors.ShapeError, match="moveaxis")

    def test_an_unknown_function(self, argument):
        def f(x):
            return np.sum(np.trim_zeros(x))

        refused(
            f,
            argument,
            error=errors.UnknownPrimitiveError,
            match=r"no rule for np\.trim_zeros; .*by @bw\.primitive",
        )

    def test_an_unknown_function_of_a_module(self, argument):
        def f(x):
            return np.sum(np.emath.sqrt(x))

        refused(f, argument, error=errors.UnknownPrimitiveError, match=r"no rule for np\..*sqrt")

    def test_an_unknown_ufunc_of_another_package(self, argument):
        def f(x):
            return np.sum(scipy.special.mathieu_a(1.0, x))

        refused(f, argument, error=errors.UnknownPrimitiveError, match="no rule for mathieu_a")

    def test_an_unknown_ufunc_method(self, argument):
        def f(x):
            return np.sum(np.divide.accumulate(x))

        refused(f, argument, error=errors.UnknownPrimitiveError, match=r"np\.divide\.accumulate")

    def test_float(self, argument):
        def f(x):
            return float(np.sum(x))

        refused(f, argument, error=errors.TraceError, match=r"float\(\) of a traced node")

    def test_complex(self, argument):
        def f(x):
            return complex(np.sum(x))

        refused(f, argument, error=errors.TraceError, match=r"complex\(\) of a traced node")

    def test_int(self, argument):
        def f(x):
            return np.sum(x) * int(x[0])

        refused(f, argument, error=errors.TraceError, match="cannot be used as an integer")

    def test_math(self, argument):
        def f(x):
            return math.sin(x[0])

        refused(f, argument, error=errors.TraceError, match=r"math\.sin .*np\.sin")

    @pytest.mark.parametrize("method", ["item", "tolist"])
    def test_item(self, argument, method):
        def f(x):
            return getattr(x[0], method)()

        refused(f, argument, error=errors.TraceError, match="out of the network")

    def test_array_of_nodes(self, argument):
        def f(x):
            return np.sum(np.array([x[0], x[1]]))

        refused(f, argument, error=errors.TraceError, match=r"bw\.array, np\.stack or")

    def test_asarray(self, argument):
        def f(x):
            return np.sum(np.asarray(x))

        refused(f, argument, error=errors.TraceError, match="plain array")

    def test_assignment_into_a_node(self, argument):
        def f(x):
            x[0] = 1.0
            return np.sum(x)

        refused(f, argument, error=errors.TraceError, match=r"cannot be assigned into.*bw\.at")

    @pytest.mark.parametrize("place", [0, slice(None)], ids=["entry", "slice"])
    def test_assignment_of_a_node_into_an_array(self, argument, place):
        def f(x):
            buffer = np.zeros(3)
            buffer[place] = x[place]
            return np.sum(buffer * x)

        refused(f, argument, error=errors.TraceError, match=r"np\.stack", offset=2)

    def test_an_array_that_a_node_is_added_to_in_place(self, argument):
        def f(x):
            buffer = np.zeros(3)
            buffer += x
            return np.sum(buffer)

        refused(f, argument, error=errors.TraceError, match=r"np\.add with out=", offset=2)

    def test_out(self, argument):
        def f(x):
            return np.sum(np.exp(x, out=np.zeros(3)))

        refused(f, argument, error=errors.TraceError, match=r"np\.exp with out=")

    def test_where_option(self, argument):
        def f(x):
            return np.sum(np.exp(x, where=np.array([True, False, True])))

        refused(f, argument, error=errors.TraceError, match=r"with where=.*use np\.where")

    def test_out_of_a_reduction(self, argument):
        def f(x):
            return np.max(x[None], axis=0, out=np.zeros(3))

        refused(f, argument, error=errors.TraceError, match=r"np\.max with out=")

    def test_reshape_in_the_order_of_memory(self, argument):
        def f(x):
            return np.sum(np.reshape(x, (3, 1), order="A"))

        refused(f, argument, error=errors.TraceError, match="order='A'")

    def test_where_with_two_arguments(self, argument):
        def f(x):
            return np.where(x > 0, x)

        refused(f, argument, error=errors.TraceError, match="one or three arguments")

    def test_a_string_and_a_list(self, argument):
        def f(x):
            return x + "one"

        def g(x):
            return x * [1.0, 2.0, 3.0]

        refused(f, argument, error=errors.TraceError, match="str 'one'")
        refused(g, argument, error=errors.TraceError, match="list")

    def test_an_array_of_objects(self, argument):
        def f(x):
            return np.sum(x * np.array([None, None, None]))

        refused(f, argument, error=errors.ArgumentError, match="dtype object")

    def test_the_truth_of_an_array(self, argument):
        def f(x):
            return x if x > 0 else -x

        refused(f, argument, error=errors.TraceError, match=r"ambiguous; use np\.any")

    def test_a_node_kept_from_an_earlier_trace(self, argument):
        kept = []

        def keep(x):
            kept.append(x)
            return np.sum(x)

        def f(x):
            return np.sum(x * kept[0])

        def g(x):
            return np.sin(kept[0])

        bw.trace(keep, X)
        refused(f, argument, error=errors.TraceError, match="kept from an earlier trace")
        refused(g, argument, error=errors.TraceError, match="kept from an earlier trace")
        with pytest.raises(errors.TraceError, match="kept from an earlier trace"):
            bw.trace(lambda x: kept[0], argument)


def test_branches_need_values():
    def f(x):
        return x if x > 0 else -x

    refused(f, bw.Shape(()), error=errors.TraceError, match=r"no value; trace with arrays")


def test_a_mask_needs_values():
    def f(x):
        return np.sum(x[x > 0])

    def g(x):
        return np.sum(x[np.where(x > 0)])

    refused(f, bw.Shape(3), error=errors.ShapeError, match=r"np\.where\(mask, x, 0\)")
    refused(g, bw.Shape(3), error=errors.ShapeError, match=r"np\.where\(mask, x, y\)")
    for each in (f, g):
        np.testing.assert_array_equal(bw.grad(each)(X), [1.0, 0.0, 1.0])


def test_a_constant_mask_needs_none():
    mask = np.array([True, False, True])
    graph = bw.trace(lambda x: np.sum(x[mask] ** 2), bw.Shape(3))
    np.testing.assert_array_equal(bw.backward(graph, X).grads[0], 2 * X * mask)


def test_an_error_of_the_program_itself_stays_what_it_is():
    def f(x):
        raise ValueError("mine")

    with pytest.raises(ValueError, match=r"^mine$") as caught:
        bw.trace(f, X)
    assert not isinstance(caught.value, errors.BackwaveError)


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


# Running a graph again.


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


# A rule of one's own.


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


# What can be an argument, and what comes back.


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


# Counting.


def counts(f, *args, **options):
    graph = bw.trace(f, *args, **options)
    return graph.num_nodes, graph.num_edges, graph.num_levels


def test_v_e_and_levels_of_small_networks():
    assert counts(lambda z: z, 1.0) == (1, 0, 1)
    assert counts(lambda z: z * z, 1.0) == (2, 2, 2)
    assert counts(lambda a, b: a * b, 1.0, 2.0) == (3, 2, 2)
    assert counts(lambda a, b: a * b, 1.0, 2.0, argnums=0) == (2, 1, 2)
    assert counts(lambda z: 3.0 * z + 1.0, 1.0) == (3, 2, 3)
    # A diamond, with an edge that skips a level: z, exp, sin, their product, plus z.
    assert counts(lambda z: np.exp(z) * np.sin(z) + z, 1.0) == (5, 6, 4)
    # What does not lead to the output, or not to a leaf that varies, is not counted.
    assert counts(lambda z: (np.exp(z), z * 2.0)[1], 1.0) == (2, 1, 2)
    assert counts(lambda z: z * np.floor(z), 1.0) == (2, 1, 2)
    assert counts(lambda z, n: z * (n + 1), 1.0, 2) == (2, 1, 2)
    # One node that m others use has m messages to sum.
    graph = bw.trace(lambda z: sum([np.sin(z * k) for k in range(1, 6)]), 1.0)
    ledger = bw.backward(graph, 1.0).ledger
    # 1 leaf, 5 products, 5 sines, 5 additions (the first is to Python's 0).
    assert (ledger.nodes, ledger.edges) == (16, 5 + 5 + 5 + 4)
    assert ledger.messages == ledger.multiplies == 19
    assert ledger.sums == 4
    assert ledger.work == 38


def test_levels_are_longest_paths():
    graph = bw.trace(lambda z: np.exp(np.sin(z)) + z, 1.0)
    level = {node.primitive: graph.levels[node.id] for node in graph.nodes}
    assert level == {"leaf": 0, "sin": 1, "exp": 2, "add": 3}


def test_a_layer_of_a_perceptron():
    def loss(w, b, x):
        return np.sum(np.tanh(x @ w + b) ** 2)

    # Leaves w and b; matmul, add, tanh, power, sum. x is data.
    w, b, x = np.ones((3, 2)), np.ones(2), np.ones((4, 3))
    assert counts(loss, w, b, x, argnums=(0, 1)) == (7, 6, 6)
    assert counts(loss, w, b, x) == (8, 7, 6)
    shapes = bw.Shape((3, 2)), bw.Shape(2), bw.Shape((4, 3))
    assert counts(loss, *shapes, argnums=(0, 1)) == (7, 6, 6)


def test_each_node_has_its_line():
    def f(x):
        y = np.sin(x)
        z = y * 2.0
        return np.sum(z)

    graph = bw.trace(f, X)
    lines = {node.primitive: node.line for node in graph.nodes if node.inputs}
    assert lines == {
        "sin": line_of(f, 1),
        "multiply": line_of(f, 2),
        "sum": line_of(f, 3),
    }


# Dtypes.


def test_python_numbers_leave_float32_as_it_is():
    def f(np, x):
        y = 2 * x + 1.0 - x / 3 + x**2 - 0.5 * np.maximum(x, 0.0)
        return np.mean(np.where(y > 0, y, 0.1 * y)) + True * np.sum(x) * 2

    x = X.astype(np.float32)
    assert f(np, x).dtype == np.float32
    for argument in (x, bw.Shape(3, np.float32)):
        graph = bw.trace(lambda x: f(np, x), argument)
        computed = [node for node in graph.nodes if node.inputs and node.dtype.kind == "f"]
        assert {node.dtype for node in computed} == {np.dtype(np.float32)}
    found = bw.grad(lambda x: f(np, x))(x)
    assert found.dtype == np.float32
    exact = autograd.grad(lambda x: f(autograd.numpy, x))(X)
    np.testing.assert_allclose(found, exact, rtol=1e-5)


def test_a_float64_array_makes_float32_wider_as_in_numpy():
    x = X.astype(np.float32)
    graph = bw.trace(lambda x: np.sum(x * np.float64(2.0)), x)
    assert graph.nodes[graph.output].dtype == np.sum(x * np.float64(2.0)).dtype == np.float64
    assert bw.grad(lambda x: np.sum(x * np.float64(2.0)))(x).dtype == np.float32


def test_an_abstract_trace_allocates_nothing():
    # A petabyte.
    shape = bw.Shape((2**24, 2**23))

    def f(w, x):
        return np.mean(np.tanh(w @ x) ** 2)

    graph = bw.trace(f, shape, bw.Shape(2**23))
    assert (graph.num_nodes, graph.num_edges) == (6, 5)
    assert graph.work(2).flops == 2 * 2**47


def test_zeros_of_both_signs_are_two_constants():
    def f(x):
        return np.stack([x * 0.0, x * -0.0, x * 0.0])

    value, back = bw.vjp(f, 2.0)
    assert np.signbit(value).tolist() == [False, True, False]
    assert not np.signbit(back(np.array([1.0, 0.0, 0.0]))[0])
