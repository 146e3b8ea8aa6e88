"""The article's change of view: parameters on leaves, and the same gradients."""

import numpy as np
import pytest
from hypothesis import given

import backwave as bw

from .drawn import drawn, network


@given(drawn)
def test_weights_on_edges_and_on_leaves_have_the_same_gradients_to_the_bit(made):
    net = made.network
    view = net.weights_as_nodes()
    fed = np.setdiff1d(np.arange(net.nodes), net.inputs)
    on_edges = bw.backward(net, made.inputs)
    on_leaves = bw.backward(view, np.concatenate([made.inputs, net.weight, net.bias[fed]]))
    given_nodes, edges = len(net.inputs), net.edges
    assert on_leaves.value == on_edges.value
    parts = [
        (on_leaves.S[: net.nodes], on_edges.S),
        (on_leaves.grads[:given_nodes], on_edges.grads),
        (on_leaves.grads[given_nodes : given_nodes + edges], on_edges.weight_gradient),
        (on_leaves.grads[given_nodes + edges :], on_edges.bias_gradient[fed]),
    ]
    for ours, theirs in parts:
        np.testing.assert_array_equal(ours, theirs)
    live = on_edges.ledger.edges
    biases = np.count_nonzero(np.isin(fed, np.flatnonzero(on_edges.S)))
    # An edge becomes three: from z and from w to their product, and from that to u.
    assert 3 * live + biases <= on_leaves.ledger.messages <= 3 * live + len(fed)


def test_the_size_of_the_new_view():
    net = bw.Network([0, 1, 2], [2, 2, 3], [0.5, -0.5, 2.0], bias=[0, 0, 0.1, 0.2])
    view = net.weights_as_nodes()
    assert view.nodes == 4 + 3 + 2 + 3  # the nodes, a leaf a weight, a leaf a bias, a product
    assert view.num_edges == 3 * 3 + 2
    assert len(view.inputs) == 2 + 3 + 2


def test_a_network_has_that_view_once():
    view = network(0).network.weights_as_nodes()
    with pytest.raises(bw.errors.ArgumentError, match="has its parameters on leaves already"):
        view.weights_as_nodes()
