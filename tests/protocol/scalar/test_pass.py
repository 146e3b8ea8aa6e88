"""What a pass leaves and what it is given: nothing that runs later, or fails, changes either."""

import copy
import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backwave as bw

from ...amount import amount
from .drawn import FOUND, assert_close, assert_same_bits, drawn, network
from .oracle import levels_of, oracle

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


@settings(max_examples=amount(10, 30))
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


# Bits: in which order numbers are summed.


def linear(made):
    """Run a network of identities in plain Python, with its sums in the order that is promised.

    A node sums its inputs as they were given, then the bias. The wave goes over nodes, by level and
    number, and over the edges of each in the reverse of that order: so messages are summed.
    """
    nodes = range(len(made.bias))
    level = levels_of(made.source, made.target, len(nodes))
    order = np.lexsort((nodes, level)).tolist()
    edges = [np.flatnonzero(made.target == u).tolist() for u in nodes]
    values, S, reached = np.zeros(len(nodes)), np.zeros(len(nodes)), {made.output}
    gradient, delta = np.zeros(len(made.source)), np.zeros(len(nodes))
    values[level == 0] = made.inputs
    for u in order:
        if edges[u]:
            total = 0.0
            for e in edges[u]:
                total += made.weight[e] * values[made.source[e]]
            values[u] = total + made.bias[u]
    S[made.output] = 1.0
    for u in reversed(order):
        if u in reached and edges[u]:
            delta[u] = S[u]
            for e in reversed(edges[u]):
                z = made.source[e]
                reached.add(int(z))
                gradient[e] = S[u] * values[z]
                S[z] += S[u] * made.weight[e]
    return SimpleNamespace(
        value=values[made.output], S=S, weight_gradient=gradient, bias_gradient=delta,
        grads=S[level == 0],
    )  # fmt: skip


@given(drawn)
def test_every_bit_is_that_of_sums_in_the_order_that_is_promised(made):
    made.activation[:] = "identity"
    result, expected = bw.backward(made.network, made.inputs), linear(made)
    for name in FOUND:
        # Equal, but for the sign of a zero.
        np.testing.assert_array_equal(getattr(result, name), getattr(expected, name), err_msg=name)


def test_inputs_are_summed_as_given_and_messages_as_the_wave_brings_them():
    def run(weight, bias=0.0):
        edges = [0, 0, 0, 1, 2, 3], [1, 2, 3, 4, 4, 4]
        return bw.backward(bw.Network(*edges, weight, bias=bias, activation="identity"), [1.0])

    # 1 is lost beside 10^16, unless 10^16 has met its opposite before.
    assert run([1.0, 1.0, 1.0, 1e16, -1e16, 1.0]).value == 1.0
    assert run([1.0, 1.0, 1.0, 1e16, 1.0, -1e16]).value == 0.0
    assert run([1e16, -1e16, 0.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0, 1.0]).value == 1.0
    assert run([1.0, -1e16, 1e16, 1.0, 1.0, 1.0]).S[0] == 1.0
    assert run([-1e16, 1.0, 1e16, 1.0, 1.0, 1.0]).S[0] == 0.0


@given(drawn, st.integers(0, 2**32 - 1))
def test_the_same_bits_in_any_order_of_edges_that_leaves_each_nodes_own(made, seed):
    first = bw.backward(made.network, made.inputs)
    shuffled = np.random.default_rng(seed).permutation(made.target)
    # The edges of a node take its places in the shuffled targets in the order that they had.
    edges = np.empty(len(shuffled), np.int64)
    edges[np.argsort(shuffled, kind="stable")] = np.argsort(made.target, kind="stable")
    other = replace(
        made, source=made.source[edges], target=made.target[edges], weight=made.weight[edges]
    )
    second = bw.backward(other.network, made.inputs)
    for name in FOUND:
        before = np.asarray(getattr(first, name))
        if name == "weight_gradient":
            before = before[edges]
        assert np.asarray(getattr(second, name)).tobytes() == before.tobytes(), name


@pytest.mark.parametrize(
    "given_as",
    [
        list,
        tuple,
        lambda x: x.astype(">f8"),
        lambda x: x.astype(object),
        lambda x: np.repeat(x, 2)[::2],
        lambda x: np.frombuffer(x.tobytes()),  # read-only
    ],
    ids=["list", "tuple", "big-endian", "objects", "strided", "read-only"],
)
def test_inputs_may_be_any_kind_of_numbers(given_as):
    made = network(5)
    reference = bw.backward(made.network, made.inputs)
    assert_same_bits(bw.backward(made.network, given_as(made.inputs)), reference)


# What is not right yet.


def test_ragged_inputs_are_refused():
    with pytest.raises(ARGUMENT, match="the inputs are not made of numbers"):
        bw.backward(blown_up(), [[0.1], [0.2, 0.3]])


@pytest.mark.parametrize("inputs", [None, [None]])
def test_inputs_that_are_none_are_refused(inputs):
    with pytest.raises(ARGUMENT, match="the inputs are not made of numbers"):
        bw.backward(blown_up(), inputs)


def test_a_copy_of_a_result_outlives_it():
    made = network(1)
    net = made.network
    expected = bw.backward(made.network, made.inputs).S
    copied = copy.copy(bw.backward(net, made.inputs))
    bw.backward(net, 2.0 * made.inputs)
    np.testing.assert_array_equal(copied.S, expected)
