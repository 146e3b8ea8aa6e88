"""Messages kept for pictures: their norms and thumbnails, in a pass that has the same bits."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import backwave as bw
from backwave.protocol.errors import ArgumentError
from backwave.protocol.record import recorded

from ..amount import amount
from ..copies import (
    SCHEDULES,
    assert_same_tree,
    batches,
    case,
    ran,
    reference,
    scalar_network,
    stacked,
    traced,
    weights,
)
from ..networks import assert_same_bits, bits, mapping, networks


def by_hand(message):
    """The means of the blocks of a message, entry by entry."""
    message = np.asarray(message)
    rows = [np.ravel(row) for row in np.reshape(message, (-1, message.shape[-1]))]
    down, right = bounds(len(rows)), bounds(message.shape[-1])
    return [
        [
            sum(complex(rows[i][j]) for i in range(a, b) for j in range(c, d)) / ((b - a) * (d - c))
            for c, d in right
        ]
        for a, b in down
    ]


def bounds(length):
    """Sixteen runs of nearly the same length, or one each."""
    runs = min(length, 16)
    ends = [k * length // runs for k in range(runs + 1)]
    lengths = [b - a for a, b in pairwise(ends)]
    assert max(lengths) - min(lengths) <= 1
    assert sum(lengths) == length
    return list(pairwise(ends))


@settings(max_examples=amount(25, 400))
@given(
    array_shapes(min_dims=1, max_dims=4, max_side=40),
    st.sampled_from(["f2", "f4", "f8", "c8", "c16"]),
    st.sampled_from("CF"),
    st.integers(0, 2**32 - 1),
)
def test_a_thumbnail_has_the_means_of_at_most_16_by_16_blocks(shape, dtype, order, seed):
    numbers = np.random.default_rng(seed)
    shape = shape[: max(1, 4 - sum(n > 20 for n in shape))]
    message = numbers.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        message = message + 1j * numbers.normal(size=shape)
    message = np.asarray(message.astype(dtype), order=order)
    before = bits(message)
    found = recorded(3, message)
    assert found.edge == 3
    assert found.copy == 0
    assert type(found.norm) is float
    wide = message.astype("c16" if message.dtype.kind == "c" else "f8")
    np.testing.assert_allclose(found.norm, np.linalg.norm(wide.ravel()), rtol=1e-14)
    rows = int(np.prod(shape[:-1], dtype=int))
    assert found.thumbnail.shape == (min(rows, 16), min(shape[-1], 16))
    assert found.thumbnail.dtype == ("c16" if message.dtype.kind == "c" else "f8")
    np.testing.assert_allclose(found.thumbnail, by_hand(wide), rtol=1e-12, atol=1e-14)
    assert bits(message) == before


def test_a_small_message_is_its_own_thumbnail_and_never_the_same_memory():
    for message in (np.arange(12.0).reshape(3, 4), np.ones(5), np.ones((16, 16))):
        thumbnail = recorded(0, message).thumbnail
        np.testing.assert_array_equal(thumbnail, np.atleast_2d(message))
        assert not np.shares_memory(thumbnail, message)


def test_blocks_by_hand():
    message = np.arange(32.0 * 48.0).reshape(32, 48)
    thumbnail = recorded(0, message).thumbnail
    assert thumbnail.shape == (16, 16)
    assert thumbnail[0, 0] == np.mean([0, 1, 2, 48, 49, 50])
    assert thumbnail[15, 15] == np.mean(message[30:, 45:])
    # The mean of equal blocks is that of the whole.
    np.testing.assert_allclose(np.mean(thumbnail), np.mean(message))
    # The last axis goes to the right, all others downwards.
    assert recorded(0, np.ones((2, 3, 4))).thumbnail.shape == (6, 4)
    assert recorded(0, np.ones(100)).thumbnail.shape == (1, 16)
    assert recorded(0, np.ones((100, 1))).thumbnail.shape == (16, 1)
    steps = np.repeat([0.0, 1.0], [9, 8])  # 17 = 15 runs of one, and one of two
    assert recorded(0, steps).thumbnail.tolist() == [[0.0] * 9 + [1.0] * 7]


@pytest.mark.parametrize("number", [np.float64(-2.5), np.float32(0.1), np.complex128(3 + 4j)])
def test_a_number_is_kept_whole(number):
    found = recorded(7, number)
    assert found.thumbnail == number
    assert np.shape(found.thumbnail) == ()
    np.testing.assert_allclose(found.norm, abs(complex(number)), rtol=1e-15)


def test_an_empty_message_has_an_empty_thumbnail():
    for shape in ((0,), (0, 3), (3, 0)):
        found = recorded(0, np.ones(shape))
        assert found.norm == 0.0
        assert found.thumbnail.shape == (0, 0)


def test_numbers_that_are_not_finite_are_recorded_without_a_warning():
    """A warning would be an error of the user's own run, where warnings are errors."""
    for broken in ([np.inf, -np.inf], [np.nan, 1.0], [np.inf, np.inf], [1.7e308, 1.7e308]):
        found = recorded(0, np.array(broken * 20))
        assert found.thumbnail.shape == (1, 16)
        assert not np.isfinite(found.norm)


def test_norms_are_in_double_precision():
    message = np.full(4, 3e30, np.float32)  # whose squares single precision cannot hold
    np.testing.assert_allclose(recorded(0, message).norm, 6e30, rtol=1e-6)
    half = np.full(100, 200.0, np.float16)
    assert recorded(0, half).norm == 2000.0
    assert recorded(0, half).thumbnail.tolist() == [[200.0] * 16]


# In a pass.


def records(messages):
    return [(m.copy, m.edge, m.norm, bits(m.thumbnail)) for m in messages]


def held_to_S(graph, messages, S):
    """Hold what was recorded to S: the only message that a node receives is its S."""
    assert [m.edge for m in messages] == list(range(graph.num_edges))
    receives = [0] * len(graph.nodes)
    for edge in graph.edges:
        receives[edge.source] += 1
    for m in messages:
        z = graph.edges[m.edge].source
        node = graph.nodes[z]
        assert np.size(m.thumbnail) <= 256
        if receives[z] == 1 and z not in graph.outputs:
            again = recorded(m.edge, S[z])
            assert m.norm == again.norm
            np.testing.assert_allclose(m.norm, np.linalg.norm(np.ravel(S[z])), rtol=1e-6)
            assert bits(m.thumbnail) == bits(again.thumbnail)
        if not node.shape:
            assert np.shape(m.thumbnail) == ()


@settings(max_examples=amount(10, 200))
@given(
    networks(),
    st.integers(1, 4),
    st.sampled_from(["eager", "wave", "level"]),
    st.integers(0, 2**32 - 1),
)
def test_recording_changes_no_bit_here_and_over_workers(drawn, workers, schedule, seed):
    graph, args = drawn
    plain = bw.backward(graph, *args)
    assert list(plain.messages) == []
    result = bw.backward(graph, *args, record=True)
    assert_same_bits(result, plain)
    assert result.ledger == plain.ledger
    held_to_S(graph, result.messages, result.S)
    the_plan = bw.plan(graph, workers, partitioner=mapping(graph, workers, seed), schedule=schedule)
    there = bw.run_locally(the_plan, *args, record=True)
    assert_same_bits(there, plain)
    assert records(there.messages) == records(result.messages)
    assert list(bw.run_locally(the_plan, *args).messages) == []


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_session_records_each_message_of_each_copy(schedule):
    graph, params, data = traced(), weights(), batches(3)
    expected = ran(params, data, graph)
    alone = [bw.backward(graph, params, *some, S=1 / 3, record=True).messages for some in data]
    with bw.session(graph, params, micro_batches=3, workers=3, schedule=schedule) as session:
        for _ in range(2):
            result = session.backward(*stacked(data), grads=True, record=True)
            assert_same_tree(result.grads, expected.grads)
            assert_same_tree(result.value, expected.value)
            assert len(result.messages) == result.ledger.messages == 3 * graph.num_edges
            assert [m.copy for m in result.messages] == [
                copy for copy in range(3) for _ in range(graph.num_edges)
            ]
            assert records(result.messages) == [
                (copy, *rest)
                for copy, messages in enumerate(alone)
                for _, *rest in records(messages)
            ]
        assert list(session.backward(*stacked(data)).messages) == []


@pytest.mark.parametrize("seed", range(amount(3, 30)))
def test_a_session_over_random_networks_records_each_message(seed):
    drawn = case(seed + 300, copies=2)
    params, argnums = drawn.kept
    expected = reference(drawn.graph, drawn.args, S=drawn.S)
    for combiner in (False, True):
        with bw.session(
            drawn.graph,
            params,
            argnums=argnums,
            micro_batches=2,
            workers=3,
            partitioner=mapping(drawn.graph, 3, seed),
            combiner=combiner,
        ) as session:
            result = session.backward(
                *stacked(drawn.data), S=drawn.S, grads=True, record=True, keep_S=True
            )
            each = [[m for m in result.messages if m.copy == copy] for copy in range(2)]
            for copy, messages in enumerate(each):
                assert [m.edge for m in messages] == list(range(drawn.graph.num_edges))
                if not combiner:
                    held_to_S(drawn.graph, messages, expected.each[copy].S)
            if not combiner:
                assert_same_tree(result.grads, drawn.as_kept(expected.grads))


def test_a_scalar_network_has_too_many_messages_to_record():
    network = scalar_network()
    x = np.array([1.5])
    with pytest.raises(ArgumentError, match="record"):
        bw.backward(network, x, record=True)
    with pytest.raises(ArgumentError, match="record"):
        bw.run_locally(bw.plan(network, 1), x, record=True)
