"""Where nodes live: cuts as balanced as can be, and mappings that say what is wrong with them."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import backwave as bw
from backwave.protocol.errors import PlanError
from backwave.protocol.parts import CONSTANT, LEAF
from backwave.scheduler.partition import balanced_cuts, by_layer, by_levels, by_node, costs

from ..networks import networks

EVERYWHERE = -1


def spread(graph, way, *options):
    """Return the partition that a way of spreading nodes gives each, as a plan has it."""
    return graph.as_numbered(way(graph.outline(), *options))


def mapped(graph, mapping, workers):
    return bw.plan(graph, workers, partitioner=mapping).partition


def heaviest(weights, bounds):
    return max(sum(weights[a:b]) for a, b in pairwise(bounds))


def lightest(weights, groups):
    """The least weight that the heaviest of so many contiguous groups can have: by trying all."""
    inner = range(1, len(weights))
    return min(
        heaviest(weights, [0, *cuts, len(weights)]) for cuts in combinations(inner, groups - 1)
    )


@given(st.lists(st.integers(0, 50), min_size=1, max_size=9), st.integers(1, 10))
def test_cuts_are_as_balanced_as_can_be(weights, groups):
    bounds = balanced_cuts(weights, groups)
    groups = min(groups, len(weights))
    assert bounds[0] == 0
    assert bounds[-1] == len(weights)
    assert len(bounds) == groups + 1
    assert all(a < b for a, b in pairwise(bounds))
    assert heaviest(weights, bounds) == lightest(weights, groups)


def test_cuts_by_hand():
    assert balanced_cuts([1, 1, 1, 1, 4], 2) == [0, 4, 5]
    assert balanced_cuts([9, 1, 1], 3) == [0, 1, 2, 3]
    assert balanced_cuts([3, 3], 5) == [0, 1, 2]


def require_constants_everywhere(graph, partition):
    for node, place in zip(graph.nodes, partition, strict=True):
        assert (place == EVERYWHERE) == (node.primitive == CONSTANT)


def require_leaves_at_home(graph, partition):
    """Each leaf must live with the lowest node that it feeds."""
    for leaf in graph.leaves:
        fed = [n for n in graph.nodes if leaf.node in n.inputs]
        if fed:
            lowest = min(graph.levels[n.id] for n in fed)
            homes = {partition[n.id] for n in fed if graph.levels[n.id] == lowest}
            assert partition[leaf.node] in homes


@given(networks())
def test_by_node_gives_every_node_a_partition_of_its_own(network):
    graph, _ = network
    partition = spread(graph, by_node)
    require_constants_everywhere(graph, partition)
    own = [place for place in partition if place != EVERYWHERE]
    assert own == list(range(len(own)))


@given(networks())
def test_by_layer_gives_every_level_a_partition_of_its_own(network):
    graph, _ = network
    partition = spread(graph, by_layer)
    require_constants_everywhere(graph, partition)
    require_leaves_at_home(graph, partition)
    computing = [node for node in graph.nodes if node.inputs]
    levels = sorted({graph.levels[node.id] for node in computing})
    for node in computing:
        assert partition[node.id] == levels.index(graph.levels[node.id])


@given(networks(), st.integers(1, 4))
def test_by_levels_gives_contiguous_groups_of_levels_balanced_by_work(network, workers):
    graph, _ = network
    partition = spread(graph, by_levels, workers)
    require_constants_everywhere(graph, partition)
    require_leaves_at_home(graph, partition)
    computing = [node for node in graph.nodes if node.inputs]
    levels = sorted({graph.levels[node.id] for node in computing})
    of_level = {level: set() for level in levels}
    work = dict.fromkeys(levels, 0)
    for node in computing:
        of_level[graph.levels[node.id]].add(partition[node.id])
        work[graph.levels[node.id]] += int(costs(graph.outline())[node.id])
    assert all(len(places) == 1 for places in of_level.values())
    groups = [of_level[level].pop() for level in levels]
    assert groups == sorted(groups)
    assert sorted(set(groups)) == list(range(min(workers, len(levels))))
    bounds = [0, *(i for i in range(1, len(levels)) if groups[i] != groups[i - 1]), len(levels)]
    weights = [work[level] for level in levels]
    assert heaviest(weights, bounds) == lightest(weights, len(bounds) - 1)


@pytest.mark.parametrize("way", [(by_node,), (by_layer,), (by_levels, 3)])
def test_a_network_that_is_one_leaf(way):
    assert spread(bw.trace(lambda x: x, 1.0), *way) == (0,)


def test_a_leaf_that_feeds_nothing_lives_somewhere():
    graph = bw.trace(lambda x, unused: np.sum(np.tanh(x)), np.ones(3), 1.0)
    unused = graph.leaves[1].node
    for partition in (
        spread(graph, by_layer),
        spread(graph, by_levels, 2),
        mapped(graph, {3: 1, 2: 1}, 2),
    ):
        assert partition[unused] == 0


@pytest.fixture
def graph():
    """Nodes 0 and 1 are leaves, 2 the constant 2.0, 3 a product, 4 its tanh, 5 the output."""

    def loss(w, x):
        return np.tanh(w * 2.0) * x

    traced = bw.trace(loss, 1.0, 2.0)
    primitives = [node.primitive for node in traced.nodes]
    assert primitives == [LEAF, LEAF, CONSTANT, "multiply", "tanh", "multiply"]
    return traced


@pytest.mark.parametrize(
    "mapping",
    [
        [0, 1, 7, 0, 0, 1],
        (0, 1, None, 0, 0, 1),
        [None, None, None, 0, 0, 1],
        np.array([0, 1, 7, 0, 0, 1]),
        {3: 0, 4: 0, 5: 1},
        {"args[0]": 0, "args[1]": np.int64(1), "multiply:3": 0, "tanh:4": 0, 5: 1},
        {0: 0, "args[0]": 1, 2: 9, 3: 0, 4: 0, 5: 1},  # an id comes before a name
        lambda node: int(node.id in (1, 5)),
        lambda node: None if node.primitive == LEAF else int(node.name == "multiply:5"),
    ],
)
def test_a_mapping_may_be_written_in_many_ways(graph, mapping):
    partition = mapped(graph, mapping, 2)
    assert partition == (0, 1, EVERYWHERE, 0, 0, 1)
    assert all(type(place) is int for place in partition)


NODE = r"node 4 \(tanh:4\) into partition "


@pytest.mark.parametrize(
    ("mapping", "complaint"),
    [
        ([0], "has 1 entries, and the network 6 nodes"),
        (np.zeros(7, int), "has 7 entries, and the network 6 nodes"),
        ([0, 0, 0, 0, 2, 0], NODE + "2; there are partitions 0 to 1"),
        ([0, 0, 0, 0, -1, 0], NODE + "-1"),
        ([0, 0, 0, 0, None, 0], NODE + "None"),
        ([0, 0, 0, 0, True, 0], NODE + "True"),
        ([0, 0, 0, 0, 1.0, 0], NODE + r"1\.0"),
        ([5, 0, 0, 0, 0, 0], r"node 0 \(args\[0\]\) into partition 5"),
        ({3: 0, 5: 0}, NODE + "None"),
        ({3: 0, 4: "1", 5: 0}, NODE + "'1'"),
        ({3: 0, 4: 0, 5: 0, 6: 0}, "names node 6, and the network has no such node"),
        ({3: 0, 4: 0, 5: 0, "tanh:9": 0}, "names node 'tanh:9'"),
        (lambda node: node.id, r"node 3 \(multiply:3\) into partition 3"),
    ],
)
def test_a_mapping_that_does_not_fit_says_why(graph, mapping, complaint):
    if callable(mapping):
        whole = mapping
        mapping = lambda node: whole(node) if node.inputs else None  # noqa: E731
    with pytest.raises(PlanError, match=complaint):
        mapped(graph, mapping, 2)
