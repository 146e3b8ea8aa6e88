"""Networks made up: their structure by NetworkX and SciPy, their laws by closed forms."""

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import sparse, stats
from scipy.sparse.csgraph import breadth_first_order

import backwave as bw
from backwave.protocol.errors import ArgumentError, UnknownPrimitiveError
from backwave.protocol.scalar.make import generators
from backwave.scripts.load import load_target

from ...amount import amount

LAWS = ("uniform", "poisson", "power")


def levels(network):
    return np.repeat(network.piece.level, np.diff(network.piece.start))


def assert_in_order(network):
    """In firing order as it was made, with every node on a path from an input to the output."""
    piece, source, target = network.piece, network.source, network.target
    assert piece.numbers is None
    assert piece.edges is None
    assert network.output == network.nodes - 1
    assert (network.num_nodes, network.num_edges) == (network.nodes, len(source))
    assert np.all(np.diff(target) >= 0)
    reverse = sparse.coo_array((np.ones(len(source)), (target, source)), [network.nodes] * 2)
    reached = breadth_first_order(reverse, network.output, return_predecessors=False)
    assert len(reached) == network.nodes
    graph = nx.MultiDiGraph(zip(source.tolist(), target.tolist(), strict=True))
    expected = np.empty(network.nodes, int)
    for level, nodes in enumerate(nx.topological_generations(graph)):
        expected[nodes] = level
    assert np.array_equal(levels(network), expected)
    assert np.all(np.diff(expected) >= 0)
    assert network.num_levels == 1 + nx.dag_longest_path_length(nx.DiGraph(graph), weight=None)
    assert np.array_equal(network.inputs, np.setdiff1d(np.arange(network.nodes), target))


def assert_as_if_given(network):
    """What the generators say of levels, kinds and reach is what is found in bare arrays."""
    names = [name if name != "leaf" else "tanh" for name in network.operation]
    found = bw.Network(network.source, network.target, network.weight, activation=names)
    for what in ("start", "kind", "level", "live", "wave", "inputs", "source", "weight", "leaves"):
        assert np.array_equal(getattr(found.piece, what), getattr(network.piece, what)), what
    assert found.operation == network.operation
    inputs = np.linspace(-1, 1, len(network.inputs))
    ours, theirs = bw.backward(network, inputs), bw.backward(found, inputs)
    assert ours.value == theirs.value
    assert np.array_equal(ours.weight_gradient, theirs.weight_gradient)


@st.composite
def layers(draw):
    width, depth = draw(st.integers(1, 9)), draw(st.integers(1, 5))
    reach = draw(st.none() | st.integers(0, (width - 1) // 2))
    degree = draw(st.integers(1, width if reach is None else 2 * reach + 1))
    seed = draw(st.integers(0, 2**64))
    return (width, depth, degree), {"reach": reach, "seed": seed}


@settings(max_examples=amount(10, 60))
@given(layers(), st.sampled_from([1, 7, 2**20]))
def test_layers(drawn, batch):
    (width, depth, degree), options = drawn
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generators, "BATCH", batch)
        network = bw.Network.layered(width, depth, degree, **options)
    assert_in_order(network)
    assert_as_if_given(network)
    assert network.nodes == width * (depth + 1) + 1
    assert network.edges == width * depth * degree + width
    assert np.array_equal(levels(network), np.repeat(np.arange(depth + 2), width)[: network.nodes])
    top, source, target = network.target == network.output, network.source, network.target
    assert np.array_equal(source[top], np.arange(width * depth, width * (depth + 1)))
    assert np.all(network.weight[top] == 1)
    assert network.operation == ["leaf"] * width + ["tanh"] * (width * depth) + ["identity"]
    source, target = source[~top], target[~top]
    assert np.all(np.bincount(target)[width:] == degree)
    assert np.all(target // width == source // width + 1)
    if options["reach"] is not None:
        apart = (source - target) % width
        assert np.all(np.minimum(apart, width - apart) <= options["reach"])


@st.composite
def shapes(draw):
    nodes = draw(st.integers(2, 60))
    law = draw(st.sampled_from(LAWS))
    most = min(nodes - 1, 8)
    degree = draw(st.integers(1, most) if law == "uniform" else st.floats(1, most))
    inputs = draw(st.none() | st.integers(1, nodes - 1))
    return (nodes, degree), {"inputs": inputs, "law": law, "seed": draw(st.integers(0, 2**64))}


@settings(max_examples=amount(10, 60))
@given(shapes())
@example(((2, 1), {"inputs": None, "law": "uniform", "seed": 0}))
@example(((60, 1), {"inputs": 1, "law": "uniform", "seed": 0}))  # a chain: no other is possible
@example(((60, 1), {"inputs": 59, "law": "poisson", "seed": 0}))  # fewer edges than nodes
@example(((60, 59), {"inputs": 1, "law": "uniform", "seed": 0}))
def test_random(drawn):
    (nodes, degree), options = drawn
    network = bw.Network.random(nodes, degree, **options)
    assert_in_order(network)
    assert_as_if_given(network)
    assert network.nodes == nodes
    inputs = options["inputs"] or min(max(int(np.ceil(degree)), nodes // 100), nodes - 1)
    assert len(network.inputs) == inputs
    degrees = np.sort(np.bincount(network.target)[inputs:])
    if options["law"] == "uniform":
        # The k-th above the inputs has k + inputs nodes before it.
        expected = np.minimum(degree, np.arange(inputs, nodes))
        if expected.sum() >= nodes - 1:
            assert np.array_equal(degrees, expected)
        else:
            assert np.all(degrees >= expected)
    if degrees.sum() == nodes - 1:  # just enough for each node to feed one other
        assert np.all(np.bincount(network.source) == 1)


def farthest(drawn, distribution):
    """The distance between a law and what was drawn, in units of what chance allows.

    It is past 3 in one of thirty million cases (Dvoretzky, Kiefer and Wolfowitz).
    """
    values, counts = np.unique(drawn, return_counts=True)
    found = np.cumsum(counts) / len(drawn)
    return np.max(np.abs(found - distribution(values))) * np.sqrt(len(drawn))


def poisson_law(k, degree):
    return stats.poisson.cdf(k - 1, degree - 1)


def power_law(k, degree):
    """1 + (degree - 1)·x, x of density 2(1 + x)^-3, rounded to either side by chance."""
    m = degree - 1
    above = m / (1 + np.maximum(k - 1, 0) / m) - m / (1 + k / m)
    return 1 - above


@pytest.mark.parametrize(("law", "closed"), [("poisson", poisson_law), ("power", power_law)])
@pytest.mark.parametrize("degree", [2.5, 10])
def test_laws_of_degrees(law, closed, degree):
    network = bw.Network.random(50_000, degree, inputs=5_000, law=law, seed=1)
    degrees = np.bincount(network.target)[5_000:]
    assert farthest(degrees, lambda k: closed(k, degree)) < 3
    assert degrees.mean() == pytest.approx(degree, rel=0.03)
    if law == "power":
        assert degrees.max() > 30 * degree
    weights = network.weight * np.sqrt(degrees)[network.target - 5_000]
    assert stats.kstest(weights, "norm").pvalue > 1e-6


def test_the_laws_differ():
    degrees = {law: np.bincount(bw.Network.random(5_000, 5, law=law).target).max() for law in LAWS}
    assert degrees["uniform"] == 5 < degrees["poisson"] < 25 < degrees["power"]


def test_edges_of_layers_come_from_all_places_alike():
    network = bw.Network.layered(20_000, 1, 4, seed=2)
    source = network.source[:80_000]
    assert farthest(source, lambda z: (z + 1) / 20_000) < 3
    network = bw.Network.layered(20_000, 3, 4, seed=2, reach=50)
    fourth = (network.source - network.target)[: 3 * 80_000].reshape(-1, 4)[:, 1:]
    apart = (fourth + 50) % 20_000
    assert farthest(apart.ravel(), lambda z: (z + 1) / 101) < 3
    weight = network.weight[: 3 * 80_000]
    assert stats.kstest(weight * 2, "norm").pvalue > 1e-6


def test_edges_of_random_networks_skip_levels_and_gather_nowhere():
    network = bw.Network.random(20_000, 5)
    rise = levels(network)[network.target] - levels(network)[network.source]
    assert rise.min() == 1
    assert np.mean(rise > 1) > 0.5
    assert np.bincount(network.target)[network.output] == 5
    feeds = np.bincount(network.source, minlength=network.nodes)[:-1]
    assert feeds.min() == 1
    # A node z of n feeds as many as come after it: 1 and 4 ln(n/z), but for how numbers move.
    assert feeds.max() < 5 * np.log(network.nodes)


def test_values_and_S_keep_their_size():
    network = bw.Network.layered(400, 60, 10, activation="identity", seed=3)
    result = bw.backward(network, np.random.default_rng(0).standard_normal(400))
    assert 0.3 < np.std(result.S[:400]) < 3
    assert 0.3 < abs(result.value) / np.sqrt(400) < 3


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: bw.Network.layered(30, 4, 3, seed=seed),
        lambda seed: bw.Network.layered(30, 4, 3, seed=seed, reach=4),
        *(lambda seed, law=law: bw.Network.random(300, 3, law=law, seed=seed) for law in LAWS),
    ],
)
def test_a_seed_gives_one_network(make):
    first, again, other = make(5), make(5), make(6)
    assert np.array_equal(first.source, again.source)
    assert np.array_equal(first.weight, again.weight)
    assert not np.array_equal(first.source, other.source)
    assert not np.array_equal(first.weight, other.weight)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bw.Network.layered(0, 1, 1), "width=0; give a whole number, 1 or more"),
        (lambda: bw.Network.layered(3, -1, 1), "depth=-1; give"),
        (lambda: bw.Network.layered(3, 1, 0), "degree=0; give"),
        (lambda: bw.Network.layered(3.0, 1, 1), "width=3.0; give a whole number"),
        (lambda: bw.Network.layered("3", 1, 1), "width='3'; give"),
        (lambda: bw.Network.layered(3, True, 1), "depth=True; give"),
        (lambda: bw.Network.layered(3, 1, 4), "degree=4, and there are 3 nodes .* smaller degree$"),
        (lambda: bw.Network.layered(9, 1, 4, reach=1), "there are 3 nodes .* or a wider reach"),
        (lambda: bw.Network.layered(4, 1, 1, reach=2), "5 nearest nodes, and a layer has 4"),
        (lambda: bw.Network.layered(4, 1, 1, reach=-1), "reach=-1; give a whole number, 0 or"),
        (lambda: bw.Network.layered(4, 1, 1, seed=-1), "seed=-1; give"),
        (lambda: bw.Network.layered(10**6, 10**3, 10**3), "edges need some .* of memory"),
        (lambda: bw.Network.layered(2**16, 2**16, 1), "and there can be 2,147,483,647"),
        (lambda: bw.Network.random(1, 1), "nodes=1; give a whole number, 2 or more"),
        (lambda: bw.Network.random(9, 9), "of 9 nodes the last has 8 before it"),
        (lambda: bw.Network.random(9, 10**400, law="power"), "of 9 nodes the last has 8"),
        (lambda: bw.Network.random(9, 2.5), "degree=2.5; give a whole number"),
        (lambda: bw.Network.random(9, 0.5, law="poisson"), "degree=0.5; give a number, 1 or"),
        (lambda: bw.Network.random(9, np.nan, law="power"), "degree=nan; give a number"),
        (lambda: bw.Network.random(9, np.inf, law="power"), "degree=inf; give a number"),
        (lambda: bw.Network.random(9, "2", law="power"), "degree='2'; give a number"),
        (lambda: bw.Network.random(9, np.complex64(2), law="power"), "degree=.*; give a number"),
        (lambda: bw.Network.random(9, 2, inputs=9), "inputs=9, and of 9 nodes one at least"),
        (lambda: bw.Network.random(9, 2, inputs=0), "inputs=0; give"),
        (lambda: bw.Network.random(9, 2, law="zipf"), "no degree law 'zipf'; choose uniform, poi"),
        (lambda: bw.Network.random(2 * 10**9, 100), "edges need some .* of memory"),
        (lambda: bw.Network.random(10**30, 2), "and there can be 2,147,483,647"),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_unknown_activations():
    for make in (lambda a: bw.Network.layered(3, 1, 1, activation=a),
                 lambda a: bw.Network.random(9, 2, activation=a)):  # fmt: skip
        with pytest.raises(UnknownPrimitiveError, match="no scalar operation 'tan h'"):
            make("tan h")
        assert set(make("relu").operation[3:-1]) == {"relu"}


def test_the_article():
    target = load_target(str(Path(__file__).parents[3] / "examples" / "article.py"))
    weights, inputs = target.args
    graph = bw.trace(target.function, *target.args)
    expected = bw.backward(graph, *target.args)
    network = bw.Network.article()
    result = bw.backward(network, inputs)
    assert result.value == pytest.approx(float(expected.value), rel=1e-14)
    by_weight, by_input = expected.grads
    np.testing.assert_allclose(result.grads, by_input, rtol=1e-13)
    hidden = [node.id for node in graph.nodes if node.primitive == "tanh"]
    loss = graph.nodes[graph.output]
    minus_one = graph.nodes[loss.inputs[0]]
    assert (loss.primitive, minus_one.primitive) == ("square", "subtract")
    S = [float(expected.S[u]) for u in (*hidden, minus_one.inputs[0], loss.id)]
    np.testing.assert_allclose(result.S[3:], S, rtol=1e-13)
    names = ["w1", "w2", "tied", "w3", "w4", "tied", "w5", "w6", "w7", "w8", "skip"]
    assert network.weight[:11].tolist() == [weights[name] for name in names]
    found = {}
    for name, gradient in zip(names, result.weight_gradient, strict=False):
        found[name] = found.get(name, 0.0) + gradient
    assert found == pytest.approx({name: float(g) for name, g in by_weight.items()}, rel=1e-13)
    assert result.weight_gradient[2] != 0 != result.weight_gradient[5]
    assert_in_order(network)
