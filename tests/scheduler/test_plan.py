"""Plans: what they promise on random networks in random partitions, and a few by hand."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backwave as bw
from backwave.protocol.arrays import nbytes
from backwave.protocol.errors import IndependentOutputError, LedgerError, NotScalarError, PlanError
from backwave.protocol.ledger import Counts
from backwave.protocol.message import BACKWARD, CALLER, FORWARD, SUMS
from backwave.protocol.parts import CONSTANT, LEAF
from backwave.scheduler.placed import Placed

from ..amount import amount
from ..networks import EXAMPLES, example, mapping, networks, networks_of_any_outputs

SCHEDULES = ("eager", "wave", "level")


@st.composite
def plans(draw, schedules=SCHEDULES):
    """Draw a plan of a random network in random partitions."""
    graph, _ = draw(networks_of_any_outputs())
    workers = draw(st.integers(1, 4), label="workers")
    partitioner = mapping(graph, workers, draw(st.integers(0, 2**32), label="mapping"))
    schedule = draw(st.sampled_from(schedules))
    return bw.plan(graph, workers, partitioner=partitioner, schedule=schedule)


def firings(the_plan):
    """Where in the order of the whole pass each node fires: forward (or is given), backward."""
    forward, backward = {}, {}
    step = 0
    for stage in the_plan.stages:
        for nodes, when in (
            (stage.leaves, forward),
            (stage.forward, forward),
            (stage.backward, backward),
        ):
            for u in nodes:
                assert u not in when, f"node {u} fires twice"
                when[u] = step
                step += 1
    return forward, backward


def stage_of(the_plan, kind):
    return {u: stage.number for stage in the_plan.stages for u in getattr(stage, kind)}


@given(plans())
def test_every_node_fires_once_where_it_lives(the_plan):
    graph = the_plan.graph
    forward, backward = firings(the_plan)
    assert sorted(forward) == [n.id for n in graph.nodes if n.primitive != CONSTANT]
    assert sorted(backward) == [u for u, here in enumerate(graph.on_network) if here]
    leaves = [u for stage in the_plan.stages for u in stage.leaves]
    assert sorted(leaves) == [n.id for n in graph.nodes if n.primitive == LEAF]
    for number, stage in enumerate(the_plan.stages):
        assert stage.number == number
        fired = (*stage.leaves, *stage.forward, *stage.backward)
        assert {the_plan.partition[u] for u in fired} == {stage.partition}
        assert stage.name in ("forward", "backward", "forward+backward")


@given(plans())
def test_nodes_fire_after_what_they_need(the_plan):
    graph = the_plan.graph
    forward, backward = firings(the_plan)
    for node in graph.nodes:
        for z in node.inputs:
            assert graph.nodes[z].primitive == CONSTANT or forward[z] < forward[node.id]
    for edge in graph.edges:
        assert backward[edge.target] < backward[edge.source]
    for u, step in backward.items():
        assert forward[u] < step
        assert all(forward.get(z, -1) < step for z in graph.nodes[u].inputs)


@given(plans())
def test_every_cut_edge_is_in_one_backward_frame_that_comes_in_time(the_plan):
    graph, home = the_plan.graph, the_plan.partition
    sent = Counter(key for frame in the_plan.between(BACKWARD) for key in frame.keys)
    cut = [number for number, (z, u, _) in enumerate(graph.edges) if home[z] != home[u]]
    assert sent == Counter(cut)
    assert the_plan.cut_edges == len(cut)
    fires = stage_of(the_plan, "backward")
    for frame in the_plan.between(BACKWARD):
        assert list(frame.keys) == sorted(frame.keys)
        assert frame.payload_bytes == sum(
            size(graph, graph.edges[key].source) for key in frame.keys
        )
        for key in frame.keys:
            z, u, _ = graph.edges[key]
            assert (frame.sender, frame.receiver) == (home[u], home[z])
            assert frame.sent_by == fires[u]
            assert frame.received_by <= fires[z]


@given(plans())
def test_a_value_goes_once_to_each_partition_that_needs_it(the_plan):
    graph, home = the_plan.graph, the_plan.partition
    needed = {
        (z, home[node.id])
        for node in graph.nodes
        for z in node.inputs
        if home[z] != home[node.id] and graph.nodes[z].primitive != CONSTANT
    }
    frames = the_plan.between(FORWARD)
    sent = Counter((key, frame.receiver) for frame in frames for key in frame.keys)
    assert sent == Counter(needed)
    fires = stage_of(the_plan, "leaves") | stage_of(the_plan, "forward")
    arrives = {(key, f.receiver): f.received_by for f in frames for key in f.keys}
    for node in graph.nodes:
        for z in node.inputs:
            if (z, home[node.id]) in arrives:
                assert arrives[z, home[node.id]] <= fires[node.id]
    for frame in frames:
        assert frame.payload_bytes == sum(size(graph, z) for z in frame.keys)
        assert all(frame.sent_by == fires[z] for z in frame.keys)
        assert all(home[z] == frame.sender for z in frame.keys)


@given(plans())
def test_the_caller_gives_leaves_and_S_and_gets_the_value_and_the_gradients(the_plan):
    graph = the_plan.graph
    from_caller = [frame for frame in the_plan.frames if frame.sender == CALLER]
    leaves = Counter(key for f in from_caller if f.kind == FORWARD for key in f.keys)
    assert leaves == Counter(leaf.node for leaf in graph.leaves)
    # S at the outputs comes as a value like any other, to where they live.
    S = [frame for frame in from_caller if frame.kind != FORWARD]
    assert {frame.kind for frame in S} == {SUMS}
    seeded = {u: frame for frame in S for u in frame.keys}
    assert sum(len(frame.keys) for frame in S) == len(seeded)
    assert seeded.keys() == {u for u in graph.outputs if graph.on_network[u]}
    for u, frame in seeded.items():
        assert frame.receiver == the_plan.partition[u]
        # S is added last, so that it may come when the output fires.
        assert frame.received_by == stage_of(the_plan, "backward")[u]
    assert all(f.payload_bytes == sum(size(graph, u) for u in f.keys) for f in from_caller)
    to_caller = [frame for frame in the_plan.frames if frame.receiver == CALLER]
    asked = [leaf.node for leaf in graph.leaves if graph.on_network[leaf.node]]
    values = Counter(key for f in to_caller if f.kind == FORWARD for key in f.keys)
    sums = Counter(key for f in to_caller if f.kind == SUMS for key in f.keys)
    known = {u for u in graph.outputs if graph.nodes[u].primitive != CONSTANT}
    assert values == Counter(known)
    assert sums == Counter(asked)


@given(plans())
def test_frames_come_from_earlier_stages_and_constants_never_cross(the_plan):
    graph, stages = the_plan.graph, the_plan.stages
    for number, frame in enumerate(the_plan.frames):
        assert frame.number == number
        assert frame.keys
        if frame.sender != CALLER:
            assert number in stages[frame.sent_by].sends
            assert stages[frame.sent_by].partition == frame.sender
        if frame.receiver != CALLER:
            assert number in stages[frame.received_by].receives
            assert stages[frame.received_by].partition == frame.receiver
            assert frame.sent_by < frame.received_by
            assert frame.sender != frame.receiver
        if frame.kind == FORWARD:
            assert all(graph.nodes[u].primitive != CONSTANT for u in frame.keys)
    for kind in ("receives", "sends"):
        numbers = Counter(number for stage in stages for number in getattr(stage, kind))
        assert set(numbers.values()) <= {1}
    for node, place in zip(graph.nodes, the_plan.partition, strict=True):
        assert (place == -1) == (node.primitive == CONSTANT)


@given(plans(schedules=["eager"]))
def test_an_eager_stage_is_as_long_as_it_can_be(the_plan):
    """All its firings have the same number of cuts on their worst path, and no other has them."""
    home = np.maximum(the_plan.partition, 0)
    placed = Placed(the_plan.graph.outline(), home, the_plan.partitions)
    forward, backward = the_plan.schedule.rounds(placed)
    for stage in the_plan.stages:
        rounds = {forward[u] for u in (*stage.leaves, *stage.forward)}
        rounds |= {backward[u] for u in stage.backward}
        assert rounds == {stage.round}
    places = [(stage.round, stage.partition) for stage in the_plan.stages]
    assert places == sorted(set(places))


@given(plans(schedules=["level"]))
def test_the_level_schedule_has_one_round_a_level(the_plan):
    graph = the_plan.graph
    assert the_plan.schedule.barrier
    up, down = {}, {}
    for stage in the_plan.stages:
        for rounds, nodes in (
            (up, (*stage.leaves, *stage.forward)),
            (down, stage.backward),
        ):
            for u in nodes:
                rounds.setdefault(stage.round, set()).add(graph.levels[u])
    for rounds in (up, down):
        assert all(len(levels) == 1 for levels in rounds.values())
        levels = [level for each in rounds.values() for level in each]
        assert len(set(levels)) == len(levels)
    assert len(down) == graph.num_levels


def size(graph, u):
    return nbytes(graph.nodes[u].shape, graph.nodes[u].dtype)


@pytest.mark.parametrize("schedule", ["eager", "level"])
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_one_worker_sends_nothing_to_another(path, schedule):
    graph, _ = example(path)
    the_plan = bw.plan(graph, 1, schedule=schedule)
    assert the_plan.partitions == 1
    assert the_plan.between(FORWARD) == the_plan.between(BACKWARD) == []
    assert the_plan.cut_edges == 0
    assert schedule == "level" or len(the_plan.stages) == 1


def test_eager_two_workers_take_three_calls():
    """Up, the turn, and down: the turn at the output is one stage, forward and backward."""

    def loss(w):
        for _ in range(6):
            w = np.tanh(w * 2)
        return np.sum(w)

    graph = bw.trace(loss, np.ones(4))
    the_plan = bw.plan(graph, 2)
    assert [(stage.partition, stage.name) for stage in the_plan.stages] == [
        (0, "forward"),
        (1, "forward+backward"),
        (0, "backward"),
    ]
    assert len(bw.plan(graph, 2, schedule="level").stages) > 3


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
    placed = {node.id: int(node.shape == (50, 50)) for node in graph.nodes}
    assert bw.plan(graph, 2, partitioner=placed).devices == ("cpu", "cpu")
    assert bw.plan(graph, 2, partitioner=placed, gpus=1).devices == ("cpu", "gpu")
    assert bw.plan(graph, 2, partitioner=placed, gpus=2).devices == ("gpu", "gpu")


SMALL = bw.trace(lambda x: np.sum(np.tanh(x)), np.ones(3))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"workers": 0}, "workers=0, and at least one is needed"),
        ({"workers": -3}, "workers=-3"),
        ({"granularity": "atom"}, "no granularity 'atom'; choose node, layer, partition"),
        ({"schedule": "lazy"}, "no schedule 'lazy'; choose level, wave, eager"),
        ({"partitioner": "magic"}, "no partitioner 'magic'; choose 'levels', or give a mapping"),
        ({"partitioner": 7}, "partitioner=7 is no mapping"),
        ({"granularity": "node", "partitioner": "magic"}, "no partitioner 'magic'"),
        ({"gpus": 3}, "gpus=3, and there are 2 partitions to put on them"),
        ({"gpus": -1}, "gpus=-1"),
        ({"partitioner": [0, 1, 2]}, r"node 2 \(sum:2\) into partition 2; .* 0 to 1"),
        ({"partitioner": {0: 0}}, r"node 1 \(tanh:1\) into partition None"),
        ({"partitioner": [0, 0, 0], "granularity": "node"}, "needs granularity 'partition'"),
    ],
)
def test_a_plan_that_cannot_be_made_says_why(options, complaint):
    with pytest.raises(PlanError, match=complaint):
        bw.plan(SMALL, **options)


def test_an_output_without_a_gradient_cannot_be_planned():
    with pytest.raises(IndependentOutputError):
        bw.plan(bw.trace(lambda x, y: np.sum(y), np.ones(3), np.ones(2), argnums=0))


@pytest.mark.parametrize("f", [np.tanh, lambda x: (np.sum(x), np.sum(x * x))])
def test_an_output_that_is_not_one_number_can_be_planned_and_runs_with_an_S_of_its_own(f):
    x = np.linspace(-1, 1, 3)
    graph = bw.trace(f, x)
    the_plan = bw.plan(graph, 2)
    with pytest.raises(NotScalarError):
        bw.run_locally(the_plan, x)
    value, back = bw.vjp(f, x)
    result = bw.run_locally(the_plan, x, S=value)
    np.testing.assert_array_equal(result.grads[0], back(value)[0])


COUNTS = {
    "frames": "frames",
    "cross_messages": "cross messages",
    "payload_bytes": "payload bytes",
    "forward_frames": "forward frames",
    "forward_bytes": "forward bytes",
    "parameter_frames": "parameter frames",
    "parameter_bytes": "parameter bytes",
    "copy_sums": "copy sums",
    "caller_frames": "caller frames",
    "caller_bytes": "caller bytes",
    "waves": "waves",
}


@settings(max_examples=amount(5, 20))
@given(networks(max_steps=5), st.sampled_from(SCHEDULES))
def test_a_run_is_held_to_its_plan(network, schedule):
    graph, args = network
    the_plan = bw.plan(graph, 2, schedule=schedule)
    ledger = bw.run_locally(the_plan, *args).ledger
    beside = Counts(caller_bytes=ledger.caller_bytes - the_plan.traffic.caller_bytes)
    the_plan.hold(ledger, beside)
    for count, name in COUNTS.items():
        planned = getattr(ledger, count)
        more = {"levels": ledger.levels | {-1}} if count == "waves" else {count: planned + 1}
        other = replace(ledger, **more)
        with pytest.raises(LedgerError, match=f"{name}: {planned + 1} counted, {planned} planned"):
            the_plan.hold(other, beside)
