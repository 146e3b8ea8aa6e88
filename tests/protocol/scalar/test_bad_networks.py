"""What a network is made of: it is given back as it was, and what cannot be one says why."""

from itertools import pairwise
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given

import backwave as bw
from backwave.protocol.scalar.make import memory
from backwave.protocol.scalar.make.order import by_target

from .drawn import drawn


@given(drawn)
def test_a_network_gives_back_what_it_was_made_of(made):
    for dtype in (np.int64, np.int32, np.uint32, np.int16, np.uint64):
        net = bw.Network(
            made.source.astype(dtype), made.target.astype(dtype), made.weight, bias=made.bias,
            activation=made.activation, output=made.output,
        )  # fmt: skip
        np.testing.assert_array_equal(net.source, made.source)
        np.testing.assert_array_equal(net.target, made.target)
        np.testing.assert_array_equal(net.weight, made.weight)
        np.testing.assert_array_equal(net.bias, made.bias)
    fed = np.isin(np.arange(net.nodes), made.target)
    assert net.operation == np.where(fed, made.activation, "leaf").tolist()
    np.testing.assert_array_equal(net.inputs, np.flatnonzero(~fed))
    assert net.output == made.output


@given(drawn)
def test_sizes_are_those_of_networkx(made):
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(range(len(made.bias)))
    graph.add_edges_from(zip(made.source.tolist(), made.target.tolist(), strict=True))
    below = nx.ancestors(graph, made.output) | {made.output}
    inside = graph.subgraph(below)
    net = made.network
    assert net.num_nodes == len(below)
    assert net.num_edges == inside.number_of_edges()
    # On paths to the output every level has a node, up to that of the output.
    assert net.num_levels == 1 + nx.dag_longest_path_length(nx.DiGraph(inside))


def refused(error, words, *args, **options):
    with pytest.raises(error, match=words):
        bw.Network(*args, **options)


ARGUMENT, CYCLE = bw.errors.ArgumentError, bw.errors.CycleError


@pytest.mark.parametrize(
    ("source", "target", "weight", "options", "words"),
    [
        ([0, -1], [1, 1], 1.0, {}, "edge 1 is dangling: it comes from node -1"),
        ([0, 1], [1, 5], 1.0, {"bias": np.zeros(3)}, "edge 1 is dangling: it leads to node 5"),
        ([0], [1, 2], 1.0, {}, "1 sources and 2 targets"),
        ([], [], 1.0, {}, "no edge"),
        ([[0]], [[1]], 1.0, {}, "2 axes"),
        ([0.0], [1.0], 1.0, {}, "whole numbers"),
        ([0.5], [1.0], 1.0, {}, "numbered by integers"),
        (["a"], ["b"], 1.0, {}, "numbered by integers"),
        ([0, 1], [1, 2], [1.0], {}, "1 weights and 2 edges"),
        ([0, 1], [1, 2], [1.0, np.nan], {}, "weight of edge 1 is nan"),
        ([0, 1], [1, 2], [np.inf, 1.0], {}, "weight of edge 0 is inf"),
        ([0], [1], np.nan, {}, "weight of edge 0 is nan"),
        ([0], [1], "heavy", {}, "not made of numbers"),
        ([0], [1], 1.0, {"bias": [0.0, np.inf]}, "bias of node 1 is inf"),
        ([0], [1], 1.0, {"bias": np.zeros((2, 2))}, "2 axes"),
        ([0], [1], 1.0, {"bias": np.zeros(2), "activation": ["tanh"] * 3}, "2 biases and 3 activ"),
        ([0], [1], 1.0, {"output": 2}, "nodes 0 to 1"),
        ([0], [1], 1.0, {"output": True}, "is no node"),
        ([0], [1], 1.0, {"output": "top"}, "is no node"),
        ([0], [2**31], 1.0, {}, "there can be 2,147,483,647 nodes"),
        (np.array([0], "u8"), np.array([2**63], "u8"), 1.0, {}, "names node 9223372036854775808"),
    ],
)  # fmt: skip
def test_what_is_no_network_is_refused_by_name(source, target, weight, options, words):
    refused(ARGUMENT, words, source, target, weight, **options)


def test_a_self_loop_and_cycles_are_named():
    refused(CYCLE, "edge 1 leads from node 2 to itself", [0, 2], [2, 2], 1.0)
    source, target = [0, 1, 2, 3, 4], [1, 2, 3, 1, 0]
    with pytest.raises(CYCLE, match="cycle: ") as caught:
        bw.Network(source, target, 1.0)
    named = str(caught.value).split("cycle: ")[1].split(";")[0].split(" -> ")
    edges = set(zip(source, target, strict=True))
    steps = [(int(a), int(b)) for a, b in pairwise(named)]
    assert set(steps) <= edges
    assert named[0] == named[-1]
    assert len(steps) == 3


def test_a_cycle_of_a_million_nodes_is_found_and_shortened():
    nodes = np.random.default_rng(0).permutation(1_000_000)
    refused(CYCLE, r"\(\d+ more\)", nodes, np.roll(nodes, -1), 1.0, output=0)


@pytest.mark.parametrize("size", [100_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_a_chain_of_many_nodes_in_any_order(size):
    nodes = np.random.default_rng(0).permutation(size)
    net = bw.Network(nodes[:-1], nodes[1:], 1.0, activation="identity", output=nodes[-1])
    assert net.num_levels == size
    result = bw.backward(net, [2.0])
    assert (result.value, result.ledger.messages) == (2.0, size - 1)
    assert (result.S == 1.0).all()


def test_an_output_that_nothing_leads_to():
    refused(bw.errors.IndependentOutputError, "node 0, cannot be reached", [0], [1], 1.0, output=0)


@pytest.mark.parametrize(
    ("activation", "words"),
    [
        ("tangent", "no scalar operation 'tangent'; choose identity, relu"),
        ("add", "takes 2 inputs"),
        ("floor", "derivative is 0"),
        (["tanh", "nothing"], "no scalar operation 'nothing'"),
    ],
)
def test_activations_that_are_none(activation, words):
    refused(bw.errors.UnknownPrimitiveError, words, [0], [1], 1.0, activation=activation)


def test_too_little_memory_is_said_before_work_starts(monkeypatch):
    free = SimpleNamespace(available=100)
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: free)
    refused(ARGUMENT, "1 edges need some .* and .* are free", [0], [1], 1.0)


def test_edges_are_kept_in_the_order_given_to_each_target():
    inputs, edges = by_target(np.array([2, 1, 2, 1]), 3)
    assert inputs.tolist() == [0, 0, 2, 4]
    assert edges.tolist() == [1, 3, 0, 2]
    assert edges.dtype == np.int32
    assert by_target(np.array([1, 1, 2]), 3).edges is None


def test_parameters_are_changed_in_a_network_of_its_own():
    net = bw.Network([2, 0], [1, 2], [0.5, 2.0], activation="identity", output=1)
    other = net.with_parameters(weight=[1.0, 3.0], bias=0.5)
    assert (net.weight.tolist(), other.weight.tolist()) == ([0.5, 2.0], [1.0, 3.0])
    assert bw.backward(other, [1.0]).value == (3.0 + 0.5) * 1.0 + 0.5
    assert bw.backward(net, [1.0]).value == 1.0
    with pytest.raises(ARGUMENT, match="weight of edge 1 is nan"):
        net.with_parameters(weight=[1.0, np.nan])
