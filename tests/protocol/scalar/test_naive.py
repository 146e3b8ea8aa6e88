"""The naive algorithm against a dense inverse, against the wave of messages, and its work."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import backwave as bw
from backwave.protocol.errors import ArgumentError, LedgerError
from backwave.protocol.scalar import columns
from backwave.protocol.scalar import naive as module
from backwave.protocol.scalar.naive import naive_work

from ...amount import amount

FUNCTIONS = {
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "sin": (np.sin, np.cos),
}
NAMES = list(FUNCTIONS)


class Dense:
    """The same network by linear algebra: local derivatives as a matrix L, all columns at once.

    ∂u_l/∂u_j for all pairs is the inverse of I - L: the sum over paths of any length.
    """

    def __init__(self, nodes, source, target, weight, bias, activation, inputs, output):
        fed = np.bincount(target, minlength=nodes) > 0
        values = np.zeros(nodes)
        values[~fed] = inputs
        local, paths = np.zeros((nodes, nodes)), np.eye(nodes)
        self.level = np.zeros(nodes, int)
        for _ in range(nodes):  # as often as the longest path may need
            before = np.bincount(target, weight * values[source], nodes) + bias
            for u in np.flatnonzero(fed):
                values[u] = FUNCTIONS[activation[u]][0](before[u])
                self.level[u] = 1 + self.level[source[target == u]].max()
        for z, u, w in zip(source, target, weight, strict=True):
            local[u, z] += FUNCTIONS[activation[u]][1](before[u]) * w
            paths[u, z] += 1
        self.value = values[output]
        self.S = np.linalg.inv(np.eye(nodes) - local)[output]
        self.on = np.linalg.matrix_power(np.minimum(paths, 1), nodes)[output] > 0
        edges = self.level[target[self.on[target]]]
        # For each column, the edges whose heads are at a higher level.
        self.work = sum(int(np.sum(edges > self.level[j])) for j in np.flatnonzero(self.on))
        self.size = int(self.on.sum()), len(edges)


@st.composite
def networks(draw):
    """Arguments of Dense: any node may feed any later one, several times, under any numbers."""
    nodes = draw(st.integers(2, 9))
    pairs = st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1))
    drawn = draw(st.lists(pairs.filter(lambda pair: pair[0] != pair[1]), max_size=25))
    drawn.append((nodes - 1, draw(st.integers(0, nodes - 2))))
    number = np.array(draw(st.permutations(range(nodes))))
    ends = np.sort(np.array(drawn), axis=1)
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    source, target = number[ends[:, 0]], number[ends[:, 1]]
    return (
        nodes,
        source,
        target,
        random.uniform(-1.5, 1.5, len(ends)),
        random.uniform(-1, 1, nodes),
        np.array(NAMES)[np.arange(nodes) % len(NAMES)],
        random.uniform(-1, 1, nodes - len(np.unique(target))),
        int(number[-1]),
    )


def network_of(nodes, source, target, weight, bias, activation, inputs, output):
    return bw.Network(source, target, weight, bias=bias, activation=activation, output=output)


# Twice the same edge, one that skips a level, and a node (3) without a path to the output.
BY_HAND = (
    5,
    np.array([0, 0, 1, 0, 1, 2]),
    np.array([1, 1, 2, 2, 3, 4]),
    np.array([0.5, -0.25, 2.0, 0.75, 3.0, 1.5]),
    np.array([9.0, 0.1, 0.2, 0.3, 0.4]),
    np.array(["tanh", "sin", "sin", "tanh", "sin"]),
    np.array([0.6]),
    4,
)


@pytest.mark.long  # its operations are compiled for it alone
@settings(max_examples=amount(5, 50))
@example(BY_HAND)
@given(networks())
def test_every_column_is_that_of_the_inverse(drawn):
    network = network_of(*drawn)
    dense = Dense(*drawn)
    result = bw.naive(network, drawn[6])
    np.testing.assert_allclose(result.S, dense.S, rtol=1e-10, atol=1e-12)
    assert result.value == pytest.approx(dense.value, rel=1e-12)
    assert np.all(result.S[~dense.on] == 0)
    assert (network.num_nodes, network.num_edges) == dense.size
    assert result.work == naive_work(network) == dense.work
    S = bw.backward(network, drawn[6]).S
    np.testing.assert_allclose(result.S, S, rtol=1e-10, atol=1e-12)


def test_by_hand():
    network = network_of(*BY_HAND)
    assert (network.num_nodes, network.num_edges) == (4, 5)
    # Columns of nodes 0, 1, 2 and 4 visit all edges; the two into 2 and the one into 4; that; none.
    assert bw.naive(network, [0.6]).work == 5 + 3 + 1


def test_a_chain_takes_half_of_its_length_squared():
    network = bw.Network(np.arange(500), np.arange(1, 501), 0.99)
    result = bw.naive(network, [0.3])
    assert result.work == 500 * 501 // 2
    value, S = 0.3, [1.0]
    for _ in range(500):
        value = np.tanh(0.99 * value)
        S.append(S[-1] * 0.99 * (1 - value**2))
    assert result.value == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(result.S, S[-1] / np.array(S), rtol=1e-9)


def layered(width, depth):
    """Full layers of one width, and the output above them."""
    random = np.random.default_rng(0)
    below, above = np.indices((width, width)).reshape(2, -1)
    layer = np.repeat(np.arange(depth), width * width) * width
    top = np.arange(depth * width, (depth + 1) * width)
    source = np.concatenate([layer + np.tile(below, depth), top])
    target = np.concatenate([layer + width + np.tile(above, depth), np.full(width, top[-1] + 1)])
    weight = random.standard_normal(len(source)) / np.sqrt(width)
    activation = np.array(NAMES)[np.arange(top[-1] + 2) % len(NAMES)]
    network = bw.Network(source, target, weight, activation=activation)
    return network, random.standard_normal(width)


def test_work_grows_with_nodes_times_edges_and_the_waves_with_their_sum():
    sizes = []
    for depth in (8, 16, 32, 64):
        network, inputs = layered(6, depth)
        size, product = network.size, network.num_nodes * network.num_edges
        naive, wave = bw.naive(network, inputs), bw.backward(network, inputs)
        np.testing.assert_allclose(naive.S, wave.S, rtol=1e-9, atol=1e-15)
        sizes.append((size, wave.ledger.work, product, naive.work))
    size, work, product, naive_works = np.log(sizes).T
    assert np.polyfit(size, work, 1)[0] == pytest.approx(1, abs=0.01)
    assert np.polyfit(product, naive_works, 1)[0] == pytest.approx(1, abs=0.01)
    assert np.polyfit(size, naive_works, 1)[0] == pytest.approx(2, abs=0.05)


def test_long_work_is_done_in_batches_with_the_same_bits(monkeypatch):
    network, inputs = layered(6, 16)
    whole = bw.naive(network, inputs)
    monkeypatch.setattr(module, "BATCH", 1000)
    parts = bw.naive(network, inputs)
    assert whole.work == parts.work > 20 * 1000
    assert np.array_equal(whole.S, parts.S)


def test_work_that_is_not_what_it_must_be_is_an_error(monkeypatch):
    network, inputs = layered(6, 2)  # 6 · (36 + 36 + 6) + 6 · (36 + 6) + 6 · 6 = 756
    loop = columns.columns
    monkeypatch.setattr(columns, "columns", lambda *arguments: loop(*arguments) - 1)
    with pytest.raises(LedgerError, match="755 edges were visited, and 756 were to be"):
        bw.naive(network, inputs)


def program(np_, x, y, z):
    a = np_.tanh(x * y)
    b = np_.exp(a) + z * 2.0  # 2.0 carries no derivative
    c = np_.where(b > 0, b * a, a)  # nor does the condition
    return np_.sin(c) + b / y + x**2


def test_primitives():
    x = 0.3, 0.4, 0.5
    graph = bw.trace(lambda *args: program(np, *args), *x)
    network = bw.Network.from_graph(graph)
    result = bw.naive(network, x)
    gradient = [autograd.grad(lambda *a: program(anp, *a), k)(*x) for k in range(3)]
    np.testing.assert_allclose(result.S[network.inputs], gradient, rtol=1e-12)
    # Every node against the engine for tensors.
    S = bw.backward(graph, *x).S
    np.testing.assert_allclose(
        np.sort(result.S[result.S != 0]), np.sort([float(s) for s in S.values()]), rtol=1e-12
    )
    levels = graph.levels
    edges = [levels[u] for _, u, _ in graph.edges]
    assert result.work == naive_work(network) == sum(
        sum(level > levels[j] for level in edges) for j in S
    )  # fmt: skip


def test_plain_sums_where_weights_are_nodes():
    network, inputs = layered(3, 4)
    other = network.weights_as_nodes()
    given = np.concatenate([inputs, network.weight, np.zeros(len(other.inputs) - 3 - 39)])
    result, wave = bw.naive(other, given), bw.backward(network, inputs)
    assert result.value == pytest.approx(wave.value, rel=1e-12)
    expected = np.concatenate(
        [wave.grads, wave.weight_gradient, wave.bias_gradient[np.bincount(network.target) > 0]]
    )
    np.testing.assert_allclose(result.S[other.inputs], expected, rtol=1e-10, atol=1e-15)
    assert result.work == naive_work(other)


@pytest.mark.parametrize(
    ("network", "inputs", "message"),
    [
        (None, [1.0], "a bw.Network is needed"),
        (BY_HAND, [1.0, 2.0], "has 1 nodes that nothing feeds"),
        (BY_HAND, ["one"], "not made of numbers"),
    ],
)
def test_mistakes(network, inputs, message):
    made = network_of(*network) if network else network
    with pytest.raises(ArgumentError, match=message):
        bw.naive(made, inputs)
