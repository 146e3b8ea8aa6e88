"""Scalar networks over real Ray workers."""

from dataclasses import replace

import numpy as np
import pytest

import backwave as bw

from ..protocol.scalar.drawn import assert_close, assert_same_bits, network


def of_tanh(*args, **options):
    """Return a network of one operation: here and on each worker it is compiled anew."""
    made = network(*args, **options)
    return replace(made, activation=np.full(len(made.bias), "tanh"))


@pytest.fixture(scope="module")
def reference():
    made = of_tanh(11, nodes=300, edges=2500, given=20)
    return made, bw.backward(made.network, made.inputs)


@pytest.mark.parametrize("partitioner", ["levels", "width"])
@pytest.mark.parametrize("schedule", ["eager", "wave", "level"])
def test_two_workers_give_the_bits_of_one_place(cluster, reference, partitioner, schedule):
    made, expected = reference
    net = made.network
    result = cluster.backward(net, made.inputs, partitioner=partitioner, schedule=schedule)
    assert_same_bits(result, expected)
    assert result.ledger.messages == net.num_edges
    assert result.ledger.cross_messages == result.ledger.cut_edges > 0
    assert {span.worker for span in result.timeline} == {0, 1}


def test_the_combiner_sends_one_value_a_sender_and_node(cluster, reference):
    made, expected = reference
    result = cluster.backward(made.network, made.inputs, combiner=True)
    assert_close(result, expected)
    ledger = result.ledger
    assert ledger.combined > 0
    assert ledger.cross_messages + ledger.combined == ledger.cut_edges
    assert ledger.payload_bytes == 8 * ledger.cross_messages


@pytest.mark.long
def test_a_worker_a_layer(cluster):
    made = of_tanh(32, nodes=8, edges=6, given=4)  # few layers: each actor compiles for itself
    result = cluster.backward(made.network, made.inputs, granularity="layer", schedule="eager")
    assert len(result.workers) == 3
    assert result.ledger.frames == 2
    assert_same_bits(result, bw.backward(made.network, made.inputs))


def test_pass_after_pass_and_back_to_a_graph(cluster, reference):
    made, _ = reference
    net = made.network
    graph = bw.trace(lambda x: np.sum(np.tanh(x) ** 2), np.ones(4))
    for factor in (1.0, 0.5):
        inputs = made.inputs * factor
        assert_same_bits(cluster.backward(net, inputs), bw.backward(net, inputs))
        np.testing.assert_array_equal(
            cluster.backward(graph, np.ones(4)).grads, bw.backward(graph, np.ones(4)).grads
        )


def test_an_error_of_the_callers_leaves_the_workers_alone(cluster, reference):
    made, expected = reference
    with pytest.raises(bw.errors.ArgumentError, match="nodes that nothing feeds"):
        cluster.backward(made.network, made.inputs[1:])
    assert_same_bits(cluster.backward(made.network, made.inputs), expected)


def test_a_nan_is_found_where_it_lives(cluster):
    net = bw.Network([0, 0, 1], [1, 1, 2], [1e308, -1e308, 1.0])  # infinity less infinity
    with pytest.raises(bw.errors.NonFiniteError, match=r"value of node 1 \(tanh, level 1\) is nan"):
        cluster.backward(net, [10.0], partitioner="levels", check_finite=True)


@pytest.mark.long
def test_ten_million_edges_on_two_workers(cluster):
    net = bw.Network.random(1_000_000, 10, seed=1)
    assert net.num_edges >= 9_900_000
    inputs = np.random.default_rng(0).standard_normal(len(net.inputs))
    expected = bw.backward(net, inputs)
    for options in ({"partitioner": "levels"}, {"partitioner": "width"}):
        result = cluster.backward(net, inputs, **options)
        assert result.ledger.messages == net.num_edges
        assert_same_bits(result, expected)
