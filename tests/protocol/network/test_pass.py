"""What a pass leaves and what it is given: nothing that runs later, or fails, changes either."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings

import backwave as bw

from .drawn import assert_close, assert_same_bits, drawn, network
from .oracle import oracle

ARGUMENT = bw.errors.ArgumentError


def in_any_order():
    return network(1).network


def in_firing_order():
    # Neither nodes nor edges are moved, so that nothing that is handed out needs to be a copy.
    net = bw.Network.layered(8, 3, 4)
    assert net.piece.edges is None
    assert net.piece.numbers is None
    return net


@pytest.mark.parametrize("make", [in_any_order, in_firing_order])
@pytest.mark.parametrize("name", ["S", "weight_gradient", "bias_gradient", "grads"])
def test_one_array_outlives_its_result(make, name):
    net = make()
    inputs = np.linspace(-1, 1, len(net.inputs))
    array = getattr(bw.backward(net, inputs), name)  # the result itself is gone at once
    copy = array.copy()
    for factor in (2.0, 3.0, 4.0):
        other = getattr(bw.backward(net, factor * inputs), name)
        assert not np.array_equal(other, copy)
    np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("make", [in_any_order, in_firing_order])
@pytest.mark.parametrize("name", ["S", "weight_gradient", "bias_gradient"])
def test_one_array_is_asked_for_late(make, name):
    net = make()
    inputs = np.linspace(-1, 1, len(net.inputs))
    expected = getattr(bw.backward(make(), inputs), name)
    given_away = inputs.copy()
    results = [bw.backward(net, given_away)]
    given_away[:] = np.nan
    results += [bw.backward(net, factor * inputs) for factor in (2.0, 3.0)]
    np.testing.assert_array_equal(getattr(results[0], name), expected)


@settings(max_examples=30)
@given(drawn)
def test_other_parameters_are_the_oracles_too(made):
    net = made.network
    before = bw.backward(net, made.inputs)
    weight, bias = 0.5 - made.weight, 2.0 * made.bias
    result = bw.backward(net.with_parameters(weight, bias), made.inputs)
    assert_close(
        result,
        oracle(made.source, made.target, weight, bias, made.activation, made.output, made.inputs),
    )
    assert_same_bits(bw.backward(net, made.inputs), before)


def blown_up():
    """A chain 3 -> 0 -> 2 -> 1 whose values are 0 and whose S overflows at node 0."""
    return bw.Network([3, 0, 2], [0, 2, 1], [2.0, 1e200, 1e200], activation="identity", output=1)


def test_check_finite_names_the_node_where_S_overflows():
    with pytest.raises(
        bw.errors.NonFiniteError, match=r"the S of node 0 \(identity, level 1\) is inf"
    ):
        bw.backward(blown_up(), [0.0], check_finite=True)
    assert bw.backward(blown_up(), [0.0]).S.tolist() == [np.inf, 1.0, 1e200, np.inf]


def test_check_finite_names_the_node_whose_value_overflows_and_its_inputs():
    with pytest.raises(
        bw.errors.NonFiniteError,
        match=r"value of node 1 \(identity, level 3\) is inf; its 1 inputs are 2e\+200",
    ):
        bw.backward(blown_up(), [1.0], check_finite=True)


def test_a_pass_that_failed_leaves_nothing_behind():
    made = network(4)
    net = made.network
    reference = bw.backward(made.network, made.inputs)
    bw.backward(net, made.inputs)
    for _ in range(2):
        with pytest.raises(bw.errors.NonFiniteError):
            bw.backward(net, np.full(len(made.inputs), np.inf), check_finite=True)
        result = bw.backward(net, made.inputs, check_finite=True)
        assert_same_bits(result, reference)
        assert result.ledger == reference.ledger


def test_a_pole_is_infinite_as_numpy_has_it():
    net = bw.Network.from_graph(bw.trace(lambda x, y: x / y, 1.0, 2.0))
    assert bw.backward(net, [1.0, 4.0]).grads.tolist() == [0.25, -0.0625]
    assert bw.backward(net, [1.0, 0.0]).grads.tolist() == [np.inf, -np.inf]


def test_inputs_past_float64_are_refused():
    with pytest.raises(ARGUMENT, match="inputs"):
        bw.backward(blown_up(), [10**400])


def test_complex_inputs_are_refused():
    with pytest.raises(ARGUMENT, match="inputs"):
        bw.backward(blown_up(), np.array([1.0 + 1.0j]))


def test_a_network_is_pickled_after_a_pass_as_before_it():
    made = network(2)
    net = made.network
    reference = bw.backward(pickle.loads(pickle.dumps(net)), made.inputs)
    assert_same_bits(bw.backward(net, made.inputs), reference)
    assert_same_bits(bw.backward(pickle.loads(pickle.dumps(net)), made.inputs), reference)
