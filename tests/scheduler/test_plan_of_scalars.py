"""Plans of scalar networks, held to counts made from the edge list alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import backwave as bw
from backwave.protocol.message import CALLER
from backwave.scheduler.partition import by_levels, by_width

from ..protocol.scalar.drawn import drawn, network

plans = st.fixed_dictionaries(
    {
        "workers": st.integers(1, 5),
        "partitioner": st.sampled_from(["levels", "width"]),
        "schedule": st.sampled_from(["eager", "wave", "level"]),
        "combiner": st.booleans(),
    }
)


def on_paths(made):
    """Which edges lie on a path to the output, found by going back from it."""
    reached = {made.output}
    while True:
        more = set(made.source[np.isin(made.target, list(reached))].tolist()) - reached
        if not more:
            return np.isin(made.target, list(reached))
        reached |= more


@given(drawn, plans)
def test_cut_edges_and_messages_are_those_of_the_edge_list(made, options):
    the_plan = bw.plan(made.network, **options)
    home = np.asarray(the_plan.partition)
    live = on_paths(made)
    source, target = made.source[live], made.target[live]
    cut = home[source] != home[target]
    assert the_plan.cut_edges == np.count_nonzero(cut)
    pairs = set(zip(home[target[cut]].tolist(), source[cut].tolist(), strict=True))
    crossing = sum(frame.messages for frame in the_plan.between("backward"))
    assert crossing == (len(pairs) if options["combiner"] else the_plan.cut_edges)
    everything_cut = home[made.source] != home[made.target]
    values = {
        (z, place)
        for z, place in zip(
            made.source[everything_cut].tolist(),
            home[made.target[everything_cut]].tolist(),
            strict=True,
        )
    }
    assert sum(frame.messages for frame in the_plan.between("forward")) == len(values)


@given(drawn, plans)
def test_frames_go_to_later_stages_and_every_node_fires_once_each_way(made, options):
    made_network = made.network
    the_plan = bw.plan(made_network, **options)
    for frame in the_plan.frames:
        if CALLER not in (frame.sent_by, frame.received_by):
            assert frame.sent_by < frame.received_by
            assert the_plan.stages[frame.sent_by].partition == frame.sender
            assert the_plan.stages[frame.received_by].partition == frame.receiver
    pieces = [part.piece for part in the_plan.parts]
    for place, piece in enumerate(pieces):
        stages = [stage for stage in the_plan.stages if stage.partition == place]
        up = [b for stage in stages for b in (*stage.leaves, *stage.forward)]
        down = [b for stage in stages for b in stage.backward]
        assert up == list(range(len(piece.kind)))
        assert down == list(range(len(piece.wave)))
        assert (
            sorted(piece.numbers)
            == np.flatnonzero(np.asarray(the_plan.partition) == place).tolist()
        )
    edges = np.concatenate([piece.edges for piece in pieces])
    assert np.array_equal(np.sort(edges), np.arange(made_network.edges))


def test_a_level_cut_across_has_its_work_in_equal_parts():
    net = bw.Network.layered(64, 5, 4, seed=0)
    outline = net.outline()
    partition, level = by_width(outline, 4), outline.level
    for each in range(1, 6):
        assert np.bincount(partition[level == each], minlength=4).tolist() == [16] * 4
    assert np.all(np.diff(partition[level == 3]) >= 0)  # neighbours stay together


def test_neighbours_stay_together_whatever_they_do():
    # Every third node of the middle layer leads nowhere, and they differ in what they do.
    width = 60
    below, middle = np.arange(width), np.arange(width, 2 * width)
    used = middle[middle % 3 > 0]
    top = 2 * width
    net = bw.Network(
        np.concatenate([below, used]),
        np.concatenate([middle, np.full(len(used), top)]),
        1.0,
        activation=np.resize(["tanh", "sin", "relu", "identity"], top + 1),
    )
    partition = np.asarray(bw.plan(net, 3).partition)
    assert np.array_equal(partition[below], np.repeat([0, 1, 2], 20))
    assert np.array_equal(partition[middle], partition[below])


def test_groups_of_levels_have_about_the_same_edges():
    net = bw.Network.layered(50, 12, 6, seed=1)
    outline = net.outline()
    partition, level = by_levels(outline, 3), outline.level
    edges = np.bincount(partition[level > 0], weights=np.diff(outline.first)[level > 0])
    assert len(edges) == 3
    assert edges.max() < 1.3 * edges.min()


def test_leaves_live_with_the_lowest_node_that_they_feed():
    # 0 and 1 are given; 1 is used only at the top.
    net = bw.Network([0, 2, 3, 1], [2, 3, 4, 4], 1.0)
    the_plan = bw.plan(net, granularity="layer")
    assert the_plan.partition[0] == the_plan.partition[2] == 0
    assert the_plan.partition[1] == the_plan.partition[4] == 2


def test_the_defaults_cut_levels_across_and_wait_for_what_is_needed():
    net = network(0).network
    assert bw.plan(net).schedule.name == "wave"
    assert bw.plan(net, partitioner="levels").schedule.name == "eager"
    assert bw.plan(net, granularity="layer").schedule.name == "eager"


def test_a_mapping_of_ones_own_is_by_node_number():
    made = network(3)
    net = made.network
    mapping = np.arange(net.nodes) % 3
    assert np.array_equal(bw.plan(net, 3, partitioner=mapping).partition, mapping)
    assert np.array_equal(bw.plan(net, 3, partitioner=lambda u: u % 3).partition, mapping)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workers": 0}, "at least one is needed"),
        ({"partitioner": "best"}, "choose 'levels' or 'width'"),
        ({"schedule": "lazy"}, "no schedule 'lazy'"),
        ({"granularity": "neuron"}, "no granularity 'neuron'"),
        ({"partitioner": [0, 1]}, r"has shape \[2\], and the network 40 nodes"),
        ({"partitioner": np.full(40, 2)}, "node 0 into partition .*2.*partitions 0 to 1"),
        ({"partitioner": np.zeros(40)}, "node 0 into partition"),
        ({"partitioner": {0: 1}}, "as an array"),
        ({"partitioner": np.zeros(40, int), "granularity": "node"}, "needs granularity"),
        ({"gpus": 3}, "gpus=3, and there are 2 partitions"),
    ],
)  # fmt: skip
def test_impossible_plans_are_refused(options, words):
    with pytest.raises(bw.errors.PlanError, match=words):
        bw.plan(network(0).network, **{"workers": 2, **options})


def test_an_actor_a_node_of_a_large_network_is_refused_at_once():
    net = bw.Network(np.arange(20_000), np.arange(1, 20_001), 1.0)
    with pytest.raises(bw.errors.PlanError, match="makes 20,001 partitions"):
        bw.plan(net, granularity="node")


def test_a_graph_of_tensors_has_no_width():
    graph = bw.trace(lambda x: np.sum(x * x), np.ones(3))
    with pytest.raises(bw.errors.PlanError, match="'width' cuts the levels of"):
        bw.plan(graph, 2, partitioner="width")
