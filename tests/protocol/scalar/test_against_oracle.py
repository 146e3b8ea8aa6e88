"""A pass of a network in this process, against SciPy, HIPS/autograd and finite differences."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import given

import backwave as bw

from .drawn import FOUND, assert_close, assert_same_bits, drawn, network
from .oracle import oracle


def by_oracle(made):
    return oracle(
        made.source, made.target, made.weight, made.bias, made.activation, made.output, made.inputs
    )


@given(drawn)
def test_every_number_is_the_oracles(made):
    net = made.network
    result, expected = bw.backward(net, made.inputs), by_oracle(made)
    assert_close(result, expected)
    ledger = result.ledger
    assert ledger.messages == ledger.multiplies == ledger.edges == net.num_edges == expected.edges
    receivers = len(np.unique(made.source[np.isin(made.target, _on_paths(made))]))
    assert ledger.receivers == receivers == net.num_nodes - 1
    assert ledger.sums == expected.edges - receivers


def _on_paths(made):
    reached = {made.output}
    while True:
        more = set(made.source[np.isin(made.target, list(reached))].tolist()) - reached
        if not more:
            return list(reached)
        reached |= more


def test_scalars_of_autograd_give_the_same_gradient():
    made = network(7, nodes=25, edges=80)
    functions = {
        "tanh": anp.tanh, "sin": anp.sin, "identity": lambda z: z,
        "relu": lambda z: z if z > 0 else 0.0 * z,
    }  # fmt: skip
    order = np.argsort(made.network.piece.numbers)
    fed = [np.flatnonzero(made.target == u) for u in range(25)]
    up = sorted(range(25), key=lambda u: order[u])

    def run(weight, bias, inputs):
        values, left = {}, iter(range(len(made.inputs)))
        for u in (u for u in range(25) if not len(fed[u])):
            values[u] = inputs[next(left)]
        for u in up:
            if len(fed[u]):
                total = sum(weight[e] * values[made.source[e]] for e in fed[u])
                values[u] = functions[str(made.activation[u])](total + bias[u])
        return values[made.output]

    theirs = autograd.grad(run, (0, 1, 2))(made.weight, made.bias, made.inputs)
    result = bw.backward(made.network, made.inputs)
    for ours, oracles in zip(
        (result.weight_gradient, result.bias_gradient, result.grads), theirs, strict=True
    ):
        np.testing.assert_allclose(ours, oracles, rtol=1e-12, atol=1e-13)


def test_finite_differences_in_a_random_direction():
    made = network(3)
    net, random = made.network, np.random.default_rng(0)
    result = bw.backward(net, made.inputs)
    dw, db = random.standard_normal(net.edges), random.standard_normal(net.nodes)
    dx, step = random.standard_normal(len(made.inputs)), 1e-6

    def value(sign):
        moved = net.with_parameters(made.weight + sign * step * dw, made.bias + sign * step * db)
        return bw.backward(moved, made.inputs + sign * step * dx).value

    slope = result.weight_gradient @ dw + result.bias_gradient @ db + result.grads @ dx
    np.testing.assert_allclose((value(1) - value(-1)) / (2 * step), slope, rtol=1e-7)
    assert_same_bits(bw.backward(net, made.inputs), result)  # the network itself has not changed


@pytest.mark.parametrize("sorted_already", [False, True])
def test_a_result_stays_as_it_is_whatever_runs_later(sorted_already):
    net = bw.Network.layered(8, 3, 4) if sorted_already else network(1).network
    inputs = np.linspace(-1, 1, len(net.inputs))
    early, late = bw.backward(net, inputs), bw.backward(net, inputs)
    handed_out = early.weight_gradient, early.bias_gradient, early.S
    copies = [each.copy() for each in handed_out]
    for factor in (2.0, 3.0, 4.0):
        bw.backward(net, inputs * factor)  # each in the arrays of the one before
    del early
    for factor in (5.0, 6.0):
        bw.backward(net, inputs * factor)
    for array, copy in zip(handed_out, copies, strict=True):
        np.testing.assert_array_equal(array, copy)
    np.testing.assert_array_equal(late.weight_gradient, copies[0])  # asked for only now


def test_nan_goes_through_unless_it_is_looked_for():
    net = bw.Network([0, 1], [2, 2], [1.0, 0.5])
    assert np.isnan(bw.backward(net, [np.nan, 1.0]).value)
    with pytest.raises(bw.errors.NonFiniteError, match=r"value of node 0 \(leaf, level 0\) is nan"):
        bw.backward(net, [np.nan, 1.0], check_finite=True)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (([1.0],), r"shape \[1\], and the network has 2 nodes that nothing feeds"),
        (([[1.0, 2.0]],), r"shape \[1, 2\]"),
        ((["a", "b"],), "not made of numbers"),
        ((), "takes one array"),
        (([1.0, 2.0], [3.0]), "takes one array.* was given 2"),
    ],
)
def test_inputs_that_do_not_fit(inputs, words):
    with pytest.raises(bw.errors.ArgumentError, match=words):
        bw.backward(bw.Network([0, 1], [2, 2], 1.0), *inputs)


@pytest.mark.long
def test_ten_million_edges_and_a_million_nodes():
    net = bw.Network.random(1_000_000, 10, seed=3)
    inputs = np.random.default_rng(0).standard_normal(len(net.inputs))
    result = bw.backward(net, inputs)
    expected = oracle(
        net.source, net.target, net.weight, net.bias, np.array(net.operation), net.output, inputs
    )
    assert net.num_edges == result.ledger.messages == expected.edges >= 9_900_000
    for name in FOUND:
        ours, theirs = np.asarray(getattr(result, name)), np.asarray(getattr(expected, name))
        # Nearly all within 1e-12 of themselves; a sum that cancels, of the largest only.
        beyond = np.abs(ours - theirs) > 1e-12 * np.abs(theirs)
        assert np.mean(beyond) < 1e-3, name
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-14 * np.abs(theirs).max())
