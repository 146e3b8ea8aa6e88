"""Programs that cannot be traced: one clear error, with the user's line."""

import math

import numpy as np
import pytest
import scipy.special

import backwave as bw
from backwave import errors

from ...lines import refused

X = np.array([0.5, -1.0, 2.0])


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
