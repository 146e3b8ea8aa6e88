"""When nodes fire: eager counts the cuts on the worst path, level takes a round a level."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import backwave as bw
from backwave.protocol.errors import PlanError
from backwave.protocol.outline import COMPUTED
from backwave.protocol.parts import CONSTANT, LEAF
from backwave.scheduler import loops
from backwave.scheduler.partition import by_width
from backwave.scheduler.placed import Placed
from backwave.scheduler.schedule import (
    SCHEDULES,
    eager_rounds,
    level_rounds,
    schedule_named,
    wave_rounds,
)

from ..networks import mapping, networks_of_any_outputs
from ..protocol.scalar.drawn import drawn


def placed(graph, partition):
    """Return what schedules take; of constants, which live everywhere, any number will do."""
    return Placed(graph.outline(), np.maximum(partition, 0), max(partition) + 1)


def mapped(graph, workers, seed):
    """Return a random partition of a graph's nodes."""
    return bw.plan(graph, workers, partitioner=mapping(graph, workers, seed)).partition


def worst_paths(graph, partition):
    """The most cuts on any path to each firing, by the definition: forward and backward."""

    def cut(z, u):
        return int(graph.nodes[z].primitive != CONSTANT and partition[z] != partition[u])

    @cache
    def forward(u):
        return max((forward(z) + cut(z, u) for z in graph.nodes[u].inputs), default=0)

    @cache
    def backward(z):
        above = [edge.target for edge in graph.edges if edge.source == z]
        return max((backward(u) + cut(z, u) for u in above), default=start)

    start = max(map(forward, graph.outputs))
    return forward, backward


@given(networks_of_any_outputs(), st.integers(1, 4), st.integers(0, 2**32))
def test_eager_rounds_are_the_cuts_on_the_worst_path(network, workers, seed):
    graph, _ = network
    partition = mapped(graph, workers, seed)
    forward, backward = eager_rounds(placed(graph, partition))
    worst_forward, worst_backward = worst_paths(graph, partition)
    for node in graph.nodes:
        if node.inputs:
            assert forward[node.id] == worst_forward(node.id)
        if graph.on_network[node.id]:
            assert backward[node.id] == worst_backward(node.id)


@given(networks_of_any_outputs(), st.integers(1, 4), st.integers(0, 2**32))
def test_an_eager_leaf_is_there_in_time_and_not_earlier_than_it_must(network, workers, seed):
    graph, _ = network
    partition = mapped(graph, workers, seed)
    forward, _ = eager_rounds(placed(graph, partition))
    for leaf in graph.leaves:
        z = leaf.node
        slack = [
            forward[node.id] - forward[z] - (partition[z] != partition[node.id])
            for node in graph.nodes
            if z in node.inputs
        ]
        assert min(slack, default=0) == 0
        assert slack or forward[z] == 0


@given(networks_of_any_outputs())
def test_level_rounds_go_up_the_levels_and_down_again(network):
    graph, _ = network
    forward, backward = level_rounds(placed(graph, [0] * len(graph.nodes)))
    for u, level in enumerate(graph.levels):
        assert forward[u] == level
        assert all(forward[z] < forward[u] for z in graph.nodes[u].inputs)
    assert all(backward[u] >= max(graph.levels) for u in graph.outputs)
    for edge in graph.edges:
        down = graph.levels[edge.target] - graph.levels[edge.source]
        assert backward[edge.source] - backward[edge.target] == down


@given(networks_of_any_outputs(), st.integers(1, 4), st.integers(0, 2**32))
def test_a_wave_of_tensors_goes_level_by_level_without_a_barrier(network, workers, seed):
    graph, _ = network
    here = placed(graph, mapped(graph, workers, seed))
    for ours, theirs in zip(wave_rounds(here), level_rounds(here), strict=True):
        assert np.array_equal(ours, theirs)


@given(drawn, st.integers(1, 4))
def test_a_wave_of_scalars_fires_first_in_each_level_what_others_wait_for(made, workers):
    outline = made.network.outline()
    partition = by_width(outline, workers)
    forward, backward = wave_rounds(Placed(outline, partition, workers))
    source, level = outline.source, outline.level
    target = np.repeat(np.arange(outline.nodes), np.diff(outline.first))
    cut = partition[source] != partition[target]
    awaited = np.isin(np.arange(outline.nodes), source[cut])
    computed = outline.kind == COMPUTED
    assert np.array_equal(forward[computed], (2 * level + 1 - awaited)[computed])
    # Nodes fire after what they take, by a round where it comes from elsewhere.
    assert np.all(forward[source] + cut <= forward[target])
    carries = outline.carries > 0
    assert np.all((backward[target] + cut)[carries] <= backward[source][carries])


@given(networks_of_any_outputs(), st.integers(1, 4), st.integers(0, 2**32))
def test_compiled_loops_over_large_networks_find_what_plain_ones_do(network, workers, seed):
    graph, _ = network
    partition = mapped(graph, workers, seed)
    plain = eager_rounds(placed(graph, partition))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loops, "LARGE", 0)
        compiled = eager_rounds(placed(graph, partition))
    for ours, theirs in zip(compiled, plain, strict=True):
        assert np.array_equal(ours, theirs)


def test_rounds_by_hand():
    """Two workers: the square root of the chain is cut, and the leaf waits for its own use."""
    graph = bw.trace(lambda x, y: (x * 2.0) * y, 1.0, 1.0)
    x, y, two, low, top = range(5)
    assert [graph.nodes[u].primitive for u in (x, y, low, top)] == [LEAF, LEAF] + ["multiply"] * 2
    partition = [0, 1, -1, 0, 1]
    forward, backward = eager_rounds(placed(graph, partition))
    assert (forward[x], forward[low], forward[y], forward[top]) == (0, 0, 1, 1)
    assert (backward[top], backward[y], backward[low], backward[x]) == (1, 1, 2, 2)
    assert graph.constants == {two: 2.0}


def test_schedules_go_by_name():
    assert list(SCHEDULES) == ["level", "wave", "eager", "gpipe", "1f1b"]
    assert [name for name, schedule in SCHEDULES.items() if schedule.barrier] == ["level"]
    assert [name for name, schedule in SCHEDULES.items() if schedule.pipeline] == ["gpipe", "1f1b"]
    assert all(schedule_named(name) is schedule for name, schedule in SCHEDULES.items())
    for unknown in ("lazy", ["eager"], 3):
        with pytest.raises(PlanError, match=r"no schedule .*; choose level, wave, eager, gpipe, 1"):
            schedule_named(unknown)


def test_a_schedule_of_ones_own_needs_no_name():
    own = replace(SCHEDULES["eager"], name="my own")
    assert schedule_named(own) is own
    graph = bw.trace(lambda x: np.sum(np.tanh(x) * x), np.ones(3))
    assert bw.plan(graph, 2, schedule=own).schedule is own
