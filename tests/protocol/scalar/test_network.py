"""Cycles as NetworkX finds them, and what is refused before it can do harm."""

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import backwave as bw
from backwave.protocol.scalar.make import checks

ARGUMENT, CYCLE = bw.errors.ArgumentError, bw.errors.CycleError


pairs = st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda pair: pair[0] != pair[1])


def steps_named(error):
    """The steps of the cycle that an error names, but for those that it leaves out."""
    named = str(error).split("cycle: ")[1].split(";")[0].split(" -> ")
    assert named[0] == named[-1]
    return [(int(a), int(b)) for a, b in pairwise(named) if "more" not in a + b]


@given(st.lists(pairs, min_size=1, max_size=20))
def test_there_is_a_cycle_where_networkx_has_one(edges):
    source, target = zip(*edges, strict=True)
    if nx.is_directed_acyclic_graph(nx.DiGraph(edges)):
        assert bw.Network(source, target, 1.0, output=target[0]).edges == len(edges)
        return
    with pytest.raises(CYCLE) as caught:
        bw.Network(source, target, 1.0, output=target[0])
    steps = steps_named(caught.value)
    assert set(steps) <= set(edges)
    assert len({a for a, _ in steps}) == len(steps)  # no node twice


def test_a_long_cycle_is_named_by_its_ends():
    nodes = np.random.default_rng(0).permutation(1000)
    edges = set(zip(nodes.tolist(), np.roll(nodes, -1).tolist(), strict=True))
    with pytest.raises(CYCLE, match=r"\(990 more\)") as caught:
        bw.Network(nodes, np.roll(nodes, -1), 1.0)
    assert len(str(caught.value)) < 250
    steps = steps_named(caught.value)
    assert len(steps) == 5 + 4
    assert set(steps) <= edges


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ([0, 0], [1, -3], "edge 1 is dangling: it leads to node -3"),
        ([0, 7], [1, 1], "edge 1 is dangling: it comes from node 7, and there are nodes 0 to 1"),
        (np.array([2**32 - 1], "u4"), np.array([0], "u4"), "node 4294967295 is named"),
        ([0], [2**64], "numbered by integers"),
        ([False], [True], "source is bool"),
        ([0], [1.0], r"target is float64; give whole numbers \(.astype"),
        ([0.0, np.nan], [1, 1], "source is float64, and nodes are numbered by integers"),
    ],
)
def test_ends_that_are_no_nodes(source, target, words):
    with pytest.raises(ARGUMENT, match=words):
        bw.Network(source, target, 1.0, bias=[0.0, 0.0])


@pytest.mark.parametrize("output", [np.True_, 1.0, "1", (1,), 2, -3])
def test_outputs_that_are_no_node(output):
    with pytest.raises(ARGUMENT, match=r"is no node|nodes 0 to 1"):
        bw.Network([0], [1], 1.0, output=output)


def test_what_it_is_made_of_is_copied():
    source, target = np.array([0, 1]), np.array([1, 2])
    weight, bias = np.array([0.5, 2.0]), np.zeros(3)
    net = bw.Network(source, target, weight, bias=bias, activation="identity")
    for array in (source, target):
        array[:] = 2
    for array in (weight, bias):
        array[:] = np.nan
    assert bw.backward(net, [3.0]).value == 3.0
    assert (net.source.tolist(), net.target.tolist()) == ([0, 1], [1, 2])


# Neither nodes nor edges of [0], [1] are moved; those of [2, 0], [1, 2] are.
@pytest.mark.parametrize(
    ("source", "target"),
    [pytest.param([0], [1]), ([2, 0], [1, 2])],
)
@pytest.mark.parametrize("name", ["weight", "bias", "inputs"])
def test_what_it_gives_back_is_no_way_into_it(source, target, name):
    net = bw.Network(source, target, 1.0, output=1)
    before = getattr(net, name).copy()
    array = getattr(net, name)
    if array.flags.writeable:
        array[:] = 7
    np.testing.assert_array_equal(getattr(net, name), before)


@pytest.mark.parametrize(
    ("weight", "options", "words"),
    [
        pytest.param([10**400], {}, "weight"),
        pytest.param([1.0], {"bias": 10**400}, "bias"),
        pytest.param(np.array([1.0 + 1.0j]), {}, "weight"),
        pytest.param([1.0], {"activation": None}, "activation"),
        pytest.param([1.0], {"activation": 3}, "activation"),
    ],
)
def test_parameters_of_a_wrong_kind(weight, options, words):
    with pytest.raises(ARGUMENT, match=words):
        bw.Network([0], [1], weight, **options)


def test_a_list_of_lists_of_nodes():
    with pytest.raises(ARGUMENT, match="source"):
        bw.Network([[0], [0, 1]], [1, 2], 1.0)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"weight": [1.0, 2.0]}, "2 weights"),
        ({"bias": [0.0] * 3}, "3 biases"),
    ],
)
def test_other_parameters_of_a_wrong_number(parameters, words):
    with pytest.raises(ARGUMENT, match=words):
        bw.Network([0], [1], 1.0).with_parameters(**parameters)


# What is not right yet.


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_a_list_of_lists_of_parameters(name):
    ragged = {"weight": 1.0, "bias": 0.0, name: [[1.0], [1.0, 2.0]]}
    with pytest.raises(ARGUMENT, match=name):
        bw.Network([0, 1], [2, 2], **ragged)


@pytest.mark.parametrize(
    "name",
    [
        *("inv", "det", "slogdet", "cofactor", "cholesky", "qr", "eigvals", "svdvals", "expm"),
        *("imag", "wofz"),
    ],
)
def test_functions_of_matrices_and_complex_ones_are_no_activations(name):
    with pytest.raises(bw.errors.UnknownPrimitiveError, match=name):
        bw.Network([0], [1], 1.0, activation=name)


@pytest.mark.parametrize("changes", [{"weight": 5.0}, {"weight": []}, {"bias": 1.0}])
def test_a_network_without_parameters_takes_no_others(changes):
    graph = bw.trace(lambda x: np.sin(x) * x, 0.3)
    for net in (bw.Network.from_graph(graph), bw.Network([0], [1], 1.0).weights_as_nodes()):
        with pytest.raises(ARGUMENT, match=next(iter(changes))):
            net.with_parameters(**changes)


@pytest.mark.parametrize("options", [{"bias": np.zeros(6)}, {"activation": ["tanh"] * 6}])
def test_more_nodes_than_there_can_be_on_their_own(monkeypatch, options):
    monkeypatch.setattr(checks, "MOST_NODES", 5)
    with pytest.raises(ARGUMENT, match="there can be 5 nodes"):
        bw.Network([0], [1], 1.0, output=1, **options)
