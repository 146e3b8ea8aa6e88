"""The rule of one node, and the article's protocol written out beside it."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

import backwave as bw
from backwave.protocol import errors
from backwave.protocol.blas import one_blas_thread
from backwave.protocol.node import Nodes, fit
from backwave.protocol.rules import TABLE, Primitive
from backwave.protocol.wave import wave_order

from ..amount import amount

# Floats whose sum depends on the order: of 24 orders these give several sums.
ROUNDING = (1.0, 1e16, -1e16, 0.1)


def fan(x):
    """One leaf that four nodes use, each with its own derivative."""
    a, b, c, d = (x * k for k in ROUNDING)
    return ((a + b) + c) + d


def ready(f, *args):
    """A graph, and its nodes with values and with S at the output."""
    graph = bw.trace(f, *args)
    nodes = Nodes(graph.instructions)
    for leaf, value in zip(graph.leaves, args, strict=True):
        nodes.put(leaf.node, value)
    nodes.fire(nodes.instructions.forward)
    nodes.define(graph.output, np.float64(1.0))
    return graph, nodes


def edges_to(graph, z):
    return [number for number, edge in enumerate(graph.edges) if edge.source == z]


def counted(nodes):
    counts = nodes.counts
    return counts.messages, counts.sums, counts.receivers, counts.retransmissions


def in_edge_order(messages):
    total = messages[0]
    for message in messages[1:]:
        total = total + message
    return total


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
def test_sums_in_edge_order_whatever_the_order_of_arrival(order):
    graph = bw.trace(fan, np.float64(1.0))
    arriving = [np.float64(k) for k in ROUNDING]
    in_order_of_arrival = {sum(arriving[i] for i in p) for p in itertools.permutations(range(4))}
    assert len(in_order_of_arrival) > 1
    nodes = Nodes(graph.instructions)
    edges = edges_to(graph, 0)
    assert len(edges) == 4
    for turn in order:
        nodes.receive(edges[turn], arriving[turn])
    assert nodes.S[0] == in_edge_order(arriving)
    assert counted(nodes) == (4, 3, 1, 0)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
def test_arrays_are_summed_in_edge_order_and_left_as_they_are(order):
    graph = bw.trace(lambda x: np.sum(fan(x)), np.ones(3))
    arriving = [np.array([k, -k, 0.1 * k]) for k in ROUNDING]
    before = [message.copy() for message in arriving]
    nodes = Nodes(graph.instructions)
    edges = edges_to(graph, 0)
    for turn in order:
        nodes.receive(edges[turn], arriving[turn])
    expected = in_edge_order(before)
    assert nodes.S[0].tobytes() == expected.tobytes()
    for message, unchanged in zip(arriving, before, strict=True):
        np.testing.assert_array_equal(message, unchanged)


@given(st.lists(st.integers(0, 3), min_size=0, max_size=8), st.permutations(range(4)))
def test_a_message_that_comes_again_is_dropped_and_counted(again, order):
    graph = bw.trace(fan, np.float64(1.0))
    nodes = Nodes(graph.instructions)
    edges = edges_to(graph, 0)
    seen = set()
    duplicates = 0
    for turn in [*again, *order]:
        duplicates += turn in seen
        # A second message on an edge must not be looked at: this one would spoil the sum.
        nodes.receive(edges[turn], np.float64(np.nan if turn in seen else ROUNDING[turn]))
        seen.add(turn)
    assert nodes.S[0] == in_edge_order(ROUNDING)
    assert counted(nodes) == (4, 3, 1, duplicates)


def test_a_node_does_not_send_before_its_sum_is_complete():
    # One sine that two nodes use.
    graph, nodes = ready(lambda x: (lambda y: y * np.exp(y))(np.sin(x)), np.float64(0.5))
    sine = next(node.id for node in graph.nodes if node.primitive == "sin")
    first, second = edges_to(graph, sine)
    with pytest.raises(
        errors.ProtocolError, match=rf"sin:{sine} cannot fire: 2 messages are missing"
    ):
        list(nodes.send(sine))
    nodes.receive(second, np.float64(1.0))
    with pytest.raises(errors.ProtocolError, match=rf"sin:{sine} cannot fire: 1 messages"):
        list(nodes.send(sine))
    nodes.receive(first, np.float64(2.0))
    ((edge, message),) = nodes.send(sine)
    assert graph.edges[edge] == (0, sine, 0)
    assert message == pytest.approx(3.0 * math.cos(0.5), rel=1e-15)


def test_the_output_does_not_send_before_its_S_is_defined():
    graph = bw.trace(lambda x: x * x, np.float64(3.0))
    nodes = Nodes(graph.instructions)
    nodes.put(0, np.float64(3.0))
    nodes.fire(nodes.instructions.forward)
    with pytest.raises(
        errors.ProtocolError, match=r"output multiply:1 cannot fire: its S is not defined"
    ):
        list(nodes.send(graph.output))


def test_each_edge_is_sent_over_once():
    graph, nodes = ready(lambda x, y: x * x * y + y, np.float64(3.0), np.float64(5.0))
    sent = []
    for u in wave_order(graph):
        for edge, message in nodes.send(u):
            assert graph.edges[edge].target == u
            sent.append(edge)
            nodes.receive(edge, message)
    assert sent == list(range(graph.num_edges))
    assert nodes.counts.multiplies == nodes.counts.messages == graph.num_edges
    assert (nodes.S[0], nodes.S[1]) == (30.0, 10.0)


# Undoing broadcasting.


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ((2, 3), (3,)),
        ((2, 3), (1, 3)),
        ((2, 3), (2, 1)),
        ((2, 3), ()),
        ((4, 2, 3), (2, 1)),
        ((4, 1, 3), (1, 1, 1)),
        ((0, 3), (3,)),
        ((0, 3), (1, 3)),
        ((2, 3), (2, 3)),
    ],
)
def test_where_u_broadcast_z_the_messages_are_summed(wide, narrow):
    message = np.random.default_rng(0).normal(size=wide)
    expected = np.zeros(narrow)
    for place in np.ndindex(wide):
        kept = place[len(wide) - len(narrow) :]
        here = tuple(0 if n == 1 else i for i, n in zip(kept, narrow, strict=True))
        expected[here] += message[place]
    found = fit(message, narrow, np.dtype(np.float64))
    assert np.shape(found) == narrow
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15)


def test_a_message_comes_to_rest_in_the_dtype_and_layout_of_its_node():
    message = np.arange(24.0).reshape(2, 3, 4)[:, ::2, :].T
    found = fit(message, message.shape, np.dtype(np.float32))
    assert found.dtype == np.float32
    assert found.flags.c_contiguous or found.flags.f_contiguous
    np.testing.assert_array_equal(found, message)
    assert type(fit(np.array(2.0), (), np.dtype(np.float64))) is np.float64
    np.testing.assert_array_equal(fit(np.array([1 + 2j]), (1,), np.dtype(np.float64)), [1.0])


# The article's protocol, literally.

UNARY = {
    "tanh": (math.tanh, lambda z: 1.0 - math.tanh(z) ** 2),
    "sin": (math.sin, math.cos),
    "cos": (math.cos, lambda z: -math.sin(z)),
    "arctan": (math.atan, lambda z: 1.0 / (1.0 + z * z)),
    "negative": (lambda z: -z, lambda z: -1.0),
}
BINARY = {
    "add": (lambda a, b: a + b, lambda a, b: (1.0, 1.0)),
    "subtract": (lambda a, b: a - b, lambda a, b: (1.0, -1.0)),
    "multiply": (lambda a, b: a * b, lambda a, b: (b, a)),
}


def literal_protocol(steps, leaves):
    """S at every node of a network of numbers, as the article says it, with dicts alone."""
    value = dict(enumerate(leaves))
    inputs, derivative = {}, {}
    for name, *below in steps:
        u = len(value)
        arguments = [value[z] for z in below]
        inputs[u] = below
        if name in UNARY:
            function, slope = UNARY[name]
            value[u], derivative[u] = function(*arguments), [slope(*arguments)]
        else:
            function, slopes = BINARY[name]
            value[u], derivative[u] = function(*arguments), list(slopes(*arguments))
    output = len(value) - 1
    received = {z: [] for z in value}
    S = {}
    # "Messages are passed in one wave backwards from higher number layers to lower."
    for u in reversed(range(len(value))):
        if u == output:
            S[u] = 1.0
        elif received[u]:
            S[u] = math.fsum(received[u])
        else:
            continue  # it does not lead to the output
        for z, partial in zip(inputs.get(u, ()), derivative.get(u, ()), strict=True):
            received[z].append(S[u] * partial)
    return value, S, sum(map(len, received.values()))


@st.composite
def networks(draw):
    """Leaves and steps; each step names a function and the earlier nodes that it takes."""
    leaves = draw(st.integers(1, 4))
    steps = []
    for u in range(leaves, leaves + draw(st.integers(1, 20))):
        name = draw(st.sampled_from([*UNARY, *BINARY]))
        below = st.integers(0, u - 1)
        steps.append((name, *(draw(below) for _ in range(1 if name in UNARY else 2))))
    return leaves, steps


@settings(max_examples=amount(30, 300))
@given(networks(), st.integers(0, 2**32 - 1))
def test_S_is_the_articles_at_every_node(network, seed):
    count, steps = network
    leaves = np.random.default_rng(seed).uniform(-1.5, 1.5, count).tolist()

    def program(*z):
        nodes = list(z)
        for name, *below in steps:
            nodes.append(getattr(np, name)(*(nodes[i] for i in below)))
        return nodes[-1]

    value, S, messages = literal_protocol(steps, leaves)
    graph = bw.trace(program, *leaves)
    result = bw.backward(graph, *leaves)
    # The trace keeps the leaves and what the output needs, in the order of the program.
    needed = {len(value) - 1}
    for u in reversed(range(count, len(value))):
        if u in needed:
            needed.update(steps[u - count][1:])
    kept = sorted(needed | set(range(count)))
    assert len(graph.nodes) == len(kept)
    assert result.ledger.messages == messages
    assert result.ledger.nodes == len(S)
    assert result.value == pytest.approx(value[len(value) - 1], rel=1e-12, abs=1e-12)
    assert {kept[u] for u in result.S} == set(S)
    for u, found in result.S.items():
        assert found == pytest.approx(S[kept[u]], rel=1e-11, abs=1e-11)
    for leaf, found in enumerate(result.grads):
        assert found == pytest.approx(S.get(leaf, 0.0), rel=1e-11, abs=1e-11)


# A rule that returns nonsense.


@pytest.mark.parametrize(
    ("message", "complaint"),
    [(None, "NoneType"), ("text", "str"), (np.ones(7), r"\(7,\)"), (np.array(["a"] * 3), "'a'")],
    ids=["None", "text", "another shape", "another kind"],
)
@pytest.mark.parametrize("run", [bw.backward, bw.run_locally, bw.find_nonfinite])
def test_a_rule_that_returns_nonsense_is_named_with_the_users_line(
    monkeypatch, run, message, complaint
):
    """Of three ways to send: all nodes in one loop, between workers, and looking for NaN."""
    rule = Primitive(
        f"{__name__}:odd", np.exp, (lambda S, u, z: message,), lambda z: z, lambda u, z: 0
    )
    monkeypatch.setitem(TABLE, rule.name, rule)

    def f(x):
        return np.sum(x.record(rule, (x,), {}))

    x = np.ones(3)
    graph = bw.trace(f, x)
    line = f.__code__.co_firstlineno + 1
    match = rf"test_node\.py:{line}: sending back through \S+:odd:1 failed: .*{complaint}"
    with pytest.raises(errors.ShapeError, match=match):
        run(bw.plan(graph, 2) if run is bw.run_locally else graph, x)


# BLAS.


def blas_threads():
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


def test_blas_has_its_threads_again_afterwards():
    before = blas_threads()
    with one_blas_thread():
        with one_blas_thread():
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {1}
    assert blas_threads() == before
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        raise ZeroDivisionError
    assert blas_threads() == before
