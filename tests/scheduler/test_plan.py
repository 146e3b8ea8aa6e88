"""Partitions and plans: what they promise, on random networks and by hand."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import backwave as bw
from backwave.protocol.graph import CONSTANT
from backwave.protocol.message import BACKWARD, CALLER, FORWARD
from backwave.scheduler.partition import balanced_cuts, by_layer, by_levels, by_node

from ..networks import networks


@given(st.lists(st.integers(1, 50), min_size=1, max_size=9), st.integers(1, 6))
def test_cuts_are_as_balanced_as_can_be(weights, groups):
    bounds = balanced_cuts(weights, groups)
    groups = min(groups, len(weights))
    assert bounds[0] == 0
    assert bounds[-1] == len(weights)
    assert len(bounds) == groups + 1
    assert all(a < b for a, b in pairwise(bounds))

    def heaviest(bounds):
        return max(sum(weights[a:b]) for a, b in pairwise(bounds))

    best = min(
        heaviest([0, *cuts, len(weights)])
        for cuts in combinations(range(1, len(weights)), groups - 1)
    )
    assert heaviest(bounds) == best


@given(networks(), st.data(), st.sampled_from(["eager", "level"]))
def test_what_a_plan_promises(network, data, policy):
    graph, _ = network
    mapping = data.draw(
        st.lists(st.integers(0, 2), min_size=len(graph.nodes), max_size=len(graph.nodes))
    )
    the_plan = bw.plan(graph, 3, partitioner=mapping, policy=policy)
    stages, frames, home = the_plan.stages, the_plan.frames, the_plan.partition

    # Every node fires forward once, every node of the network once backward, where it lives.
    forward = [u for stage in stages for u in (*stage.leaves, *stage.forward)]
    assert sorted(forward) == [n.id for n in graph.nodes if n.primitive != CONSTANT]
    backward = [u for stage in stages for u in stage.backward]
    assert sorted(backward) == [u for u, here in enumerate(graph.on_network) if here]
    for stage in stages:
        fired = (*stage.leaves, *stage.forward, *stage.backward)
        assert {home[u] for u in fired} == {stage.partition}

    # Every cut edge is in one frame; frames go to stages that come later.
    crossing = [k for frame in frames if frame.kind == BACKWARD for k in frame.keys]
    cut = [k for k, (z, u, _) in enumerate(graph.edges) if home[z] != home[u]]
    assert sorted(crossing) == cut
    assert the_plan.cut_edges == len(cut)
    for frame in frames:
        if CALLER not in (frame.sent_by, frame.received_by):
            assert frame.sent_by < frame.received_by
            assert home[_node(graph, frame)] != frame.sender or frame.kind == FORWARD

    # Inputs are there before they are used.
    fired_in = {u: stage.number for stage in stages for u in (*stage.leaves, *stage.forward)}
    arrives = {
        (u, frame.receiver): frame.received_by
        for frame in frames
        if frame.kind == FORWARD and frame.receiver != CALLER
        for u in frame.keys
    }
    for node in graph.nodes:
        for z in node.inputs:
            if graph.nodes[z].primitive == CONSTANT:
                continue
            there = fired_in[z] if home[z] == home[node.id] else arrives[z, home[node.id]]
            assert there <= fired_in[node.id]


def _node(graph, frame):
    return graph.edges[frame.keys[0]].source if frame.kind == BACKWARD else frame.keys[0]


@given(networks())
def test_granularities(network):
    graph, _ = network
    nodes = [node for node in graph.nodes if node.primitive != CONSTANT]
    assert sorted(by_node(graph)[node.id] for node in nodes) == list(range(len(nodes)))
    layers = by_layer(graph)
    computing = [node for node in nodes if node.inputs]
    for a, b in combinations(computing, 2):
        same_level = graph.levels[a.id] == graph.levels[b.id]
        assert (layers[a.id] == layers[b.id]) == same_level
    groups = by_levels(graph, 3)
    for a, b in combinations(computing, 2):
        if graph.levels[a.id] <= graph.levels[b.id]:
            assert groups[a.id] <= groups[b.id]


def test_eager_two_workers_take_three_calls():
    """Up, the turn, and down: the turn at the output is one stage, forward and backward."""

    def loss(w):
        for _ in range(6):
            w = np.tanh(w * 2)
        return np.sum(w)

    graph = bw.trace(loss, np.ones(4))
    the_plan = bw.plan(graph, 2)
    assert [(s.partition, s.name) for s in the_plan.stages] == [
        (0, "forward"),
        (1, "forward+backward"),
        (0, "backward"),
    ]
    assert len(bw.plan(graph, 2, policy="level").stages) > 3


def test_a_leaf_lives_with_the_node_that_it_feeds():
    def loss(w1, w2, x):
        return np.sum(np.tanh(np.tanh(x @ w1) @ w2))

    args = np.ones((3, 4)), np.ones((4, 2)), np.ones((5, 3))
    graph = bw.trace(loss, *args, argnums=(0, 1))
    the_plan = bw.plan(graph, 2)
    w1, w2, _ = (leaf.node for leaf in graph.leaves)
    products = [node.id for node in graph.nodes if node.primitive == "matmul"]
    assert [the_plan.partition[w] for w in (w1, w2)] == [the_plan.partition[u] for u in products]


def test_gpus_go_where_the_tensor_work_is():
    def loss(w):
        s = np.tanh(np.sum(w))
        for _ in range(5):
            s = np.tanh(s * 2)
        return s + np.sum(w @ w @ w)

    graph = bw.trace(loss, np.eye(50))
    mapping = {node.id: int(node.shape == (50, 50)) for node in graph.nodes}
    assert bw.plan(graph, 2, partitioner=mapping, gpus=1).devices == ("cpu", "gpu")


SMALL = bw.trace(lambda x: np.sum(np.tanh(x)), np.ones(3))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"workers": 0}, "at least one"),
        ({"granularity": "atom"}, "no granularity 'atom'; choose node, layer, partition"),
        ({"policy": "lazy"}, "no policy 'lazy'; choose level or eager"),
        ({"partitioner": "magic"}, "no partitioner 'magic'"),
        ({"gpus": 9}, "gpus=9"),
        ({"gpus": -1}, "gpus=-1"),
        ({"partitioner": [0]}, "has 1 entries, and the network 3 nodes"),
        ({"partitioner": [0, 1, 2]}, r"node 2 \(sum:2\) into partition 2; .* 0 to 1"),
        ({"partitioner": {0: 0}}, "into partition None"),
        ({"partitioner": lambda node: "a"}, "into partition 'a'"),
        ({"partitioner": [0, 0, 0], "granularity": "node"}, "needs granularity 'partition'"),
    ],
)
def test_a_plan_that_cannot_be_made_says_why(options, complaint):
    with pytest.raises(bw.errors.PlanError, match=complaint):
        bw.plan(SMALL, **options)


def test_an_output_that_is_no_number_cannot_be_planned():
    with pytest.raises(bw.errors.NotScalarError):
        bw.plan(bw.trace(np.tanh, np.ones(3)))


def test_the_ledger_is_held_to_the_plan():
    the_plan = bw.plan(SMALL, 2)
    ledger = bw.run_locally(the_plan, np.ones(3)).ledger
    ledger.frames += 1
    with pytest.raises(bw.errors.LedgerError, match="frames: 2 counted, 1 planned"):
        the_plan.hold(ledger)


@pytest.mark.parametrize(
    ("count", "identity"),
    [
        ("messages", "messages = edges: 3 against 2"),
        ("multiplies", "multiplies = edges"),
        ("sums", "sums = edges - receivers"),
        ("receivers", "receivers = nodes - 1"),
        ("cross_messages", "cross messages = cut edges: 2 against 1"),
    ],
)
def test_a_ledger_that_does_not_balance_says_where(count, identity):
    ledger = bw.run_locally(bw.plan(SMALL, 2), np.ones(3)).ledger
    ledger.check()
    setattr(ledger, count, getattr(ledger, count) + 1)
    with pytest.raises(bw.errors.LedgerError, match=identity):
        ledger.check()
