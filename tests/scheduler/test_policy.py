"""When nodes fire: eager counts the cuts on the worst path, level takes a round a level."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

import backwave as bw
from backwave.protocol.errors import PlanError
from backwave.protocol.graph import LEAF
from backwave.scheduler.partition import EVERYWHERE, by_mapping
from backwave.scheduler.policy import POLICIES, eager_rounds, level_rounds, policy_named

from ..networks import mapping, networks


def worst_paths(graph, partition):
    """The most cuts on any path to each firing, by the definition: forward and backward."""

    def cut(z, u):
        return int(EVERYWHERE != partition[z] != partition[u])

    @cache
    def forward(u):
        return max((forward(z) + cut(z, u) for z in graph.nodes[u].inputs), default=0)

    @cache
    def backward(z):
        above = [edge.target for edge in graph.edges if edge.source == z]
        return max((backward(u) + cut(z, u) for u in above), default=forward(graph.output))

    return forward, backward


@given(networks(), st.integers(1, 4), st.integers(0, 2**32))
def test_eager_rounds_are_the_cuts_on_the_worst_path(network, workers, seed):
    graph, _ = network
    partition = by_mapping(graph, mapping(graph, workers, seed), workers)
    forward, backward = eager_rounds(graph, partition)
    worst_forward, worst_backward = worst_paths(graph, partition)
    for node in graph.nodes:
        if node.inputs:
            assert forward[node.id] == worst_forward(node.id)
        if graph.on_network[node.id]:
            assert backward[node.id] == worst_backward(node.id)


@given(networks(), st.integers(1, 4), st.integers(0, 2**32))
def test_an_eager_leaf_is_there_in_time_and_not_earlier_than_it_must(network, workers, seed):
    graph, _ = network
    partition = by_mapping(graph, mapping(graph, workers, seed), workers)
    forward, _ = eager_rounds(graph, partition)
    for leaf in graph.leaves:
        z = leaf.node
        slack = [
            forward[node.id] - forward[z] - (partition[z] != partition[node.id])
            for node in graph.nodes
            if z in node.inputs
        ]
        assert min(slack, default=0) == 0
        assert slack or forward[z] == 0


@given(networks())
def test_level_rounds_go_up_the_levels_and_down_again(network):
    graph, _ = network
    forward, backward = level_rounds(graph, [0] * len(graph.nodes))
    for u, level in enumerate(graph.levels):
        assert forward[u] == level
        assert all(forward[z] < forward[u] for z in graph.nodes[u].inputs)
    assert backward[graph.output] >= forward[graph.output]
    for edge in graph.edges:
        down = graph.levels[edge.target] - graph.levels[edge.source]
        assert backward[edge.source] - backward[edge.target] == down


def test_rounds_by_hand():
    """Two workers: the square root of the chain is cut, and the leaf waits for its own use."""
    graph = bw.trace(lambda x, y: (x * 2.0) * y, 1.0, 1.0)
    x, y, two, low, top = range(5)
    assert [graph.nodes[u].primitive for u in (x, y, low, top)] == [LEAF, LEAF] + ["multiply"] * 2
    partition = [0, 1, EVERYWHERE, 0, 1]
    forward, backward = eager_rounds(graph, partition)
    assert (forward[x], forward[low], forward[y], forward[top]) == (0, 0, 1, 1)
    assert (backward[top], backward[y], backward[low], backward[x]) == (1, 1, 2, 2)
    assert graph.constants == {two: 2.0}


def test_policies_go_by_name():
    assert {name: policy.barrier for name, policy in POLICIES.items()} == {
        "level": True,
        "wave": False,
        "eager": False,
    }
    assert all(policy_named(name) is policy for name, policy in POLICIES.items())
    with pytest.raises(PlanError, match="no policy 'lazy'; choose level, wave, eager"):
        policy_named("lazy")
