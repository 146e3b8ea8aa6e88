"""Networks from SciPy's matrices and NetworkX's graphs, against linear algebra and autograd."""

import autograd
import autograd.numpy as anp
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import backwave as bw
from backwave.protocol.errors import (
    ArgumentError,
    CycleError,
    IndependentOutputError,
    UnknownPrimitiveError,
)

from ...amount import amount

FORMATS = ("coo", "csr", "csc", "bsr", "lil", "dok")


@st.composite
def matrices(draw):
    """Draw an acyclic matrix in COO, any node on any row; several entries at a place, some 0."""
    nodes = draw(st.integers(2, 9))
    pairs = st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1))
    drawn = draw(st.lists(pairs.filter(lambda pair: pair[0] != pair[1]), max_size=25))
    drawn.append((nodes - 1, draw(st.integers(0, nodes - 2))))
    number = np.array(draw(st.permutations(range(nodes))))
    ends = number[np.sort(np.array(drawn), axis=1)]
    weights = draw(st.lists(st.sampled_from([0.0, 0.5, -1.25, 2.0]), min_size=len(ends)))
    entries = np.array(weights[: len(ends)])
    return sparse.coo_array((entries, (ends[:, 1], ends[:, 0])), (nodes, nodes)), int(number[-1])


def assert_is_the_matrix(network, matrix, output):
    """Values and S are those of a linear system: values = M values + inputs, S = Sᵀ M + e_f."""
    given = np.zeros(network.nodes)
    inputs = np.random.default_rng(0).standard_normal(len(network.inputs))
    given[network.inputs] = inputs
    system = np.eye(network.nodes) - matrix.toarray()
    result = bw.backward(network, inputs)
    values = np.linalg.solve(system, given)
    S = np.linalg.solve(system.T, np.eye(network.nodes)[output])
    assert result.value == pytest.approx(values[output], rel=1e-12, abs=1e-12)
    np.testing.assert_allclose(result.S, S, rtol=1e-12, atol=1e-12)
    expected = S[network.target] * values[network.source]
    np.testing.assert_allclose(result.weight_gradient, expected, rtol=1e-12, atol=1e-12)


@given(matrices(), st.sampled_from(FORMATS), st.booleans())
def test_matrices(drawn, form, old):
    edges, output = drawn
    matrix = edges.asformat(form)
    if old:
        matrix = getattr(sparse, f"{form}_matrix")(matrix)
    before = matrix.copy()
    network = bw.Network.from_scipy(matrix, activation="identity", output=output)
    assert network.nodes == edges.shape[0]
    if form == "coo":
        assert np.array_equal(network.target, edges.coords[0])
        assert np.array_equal(network.source, edges.coords[1])
    if form in ("coo", "csr", "csc", "bsr"):
        assert np.array_equal(network.weight, matrix.data.ravel())
    assert_is_the_matrix(network, edges, output)
    assert matrix.nnz == before.nnz == network.edges
    assert np.array_equal(matrix.toarray(), before.toarray())


def test_rows_with_two_entries_at_one_place():
    data, columns, ends = [1.0, 0.0, 3.0, 0.5], [0, 0, 0, 1], [0, 0, 3, 4]
    by_row = sparse.csr_array((data, columns, ends), shape=(3, 3))
    for matrix in (by_row, sparse.csc_array((data, [1, 1, 1, 2], [0, 3, 4, 4]), shape=(3, 3))):
        network = bw.Network.from_scipy(matrix)
        assert network.weight.tolist() == data
        assert network.source.tolist() == columns
        assert network.target.tolist() == [1, 1, 1, 2]
        assert matrix.nnz == network.num_edges == 4


def test_diagonals_are_taken_without_what_pads_them():
    matrix = sparse.dia_array(([[1.0, 0.0, 3.0, 9.0]], [-1]), shape=(4, 4))
    network = bw.Network.from_scipy(matrix, activation="identity")
    assert network.source.tolist() == [0, 2]
    assert network.target.tolist() == [1, 3]
    assert_is_the_matrix(network, matrix, 3)


def test_a_matrix_has_the_nodes_that_no_edge_names():
    matrix = sparse.coo_array(([1.0], ([1], [0])), shape=(4, 4))
    with pytest.raises(IndependentOutputError, match="node 3, cannot be reached"):
        bw.Network.from_scipy(matrix)
    network = bw.Network.from_scipy(matrix, output=1, bias=[0, 0.5, 0, 0], activation="identity")
    assert network.nodes == 4
    assert bw.backward(network, [0.25, 9, 9]).value == 0.75


@pytest.mark.parametrize("dtype", [np.float32, np.int8, bool, np.uint64])
def test_weights_of_other_numbers(dtype):
    matrix = sparse.csr_array(np.array([[0, 0], [1, 0]], dtype))
    network = bw.Network.from_scipy(matrix, activation="identity")
    assert bw.backward(network, [0.5]).value == 0.5


@pytest.mark.parametrize(
    ("matrix", "options", "error", "message"),
    [
        (np.eye(3), {}, ArgumentError, "SciPy sparse matrix is needed, not ndarray"),
        (None, {}, ArgumentError, "not NoneType"),
        (sparse.coo_array((2, 3)), {}, ArgumentError, r"shape \[2, 3\]; give a square"),
        (sparse.coo_array((3,)), {}, ArgumentError, r"shape \[3\]; give a square"),
        (sparse.eye_array(3, dtype=complex), {}, ArgumentError, "the matrix is complex128"),
        (sparse.coo_array((3, 3)), {}, ArgumentError, "the network has no edge"),
        (sparse.eye_array(3), {}, CycleError, "edge 0 leads from node 0 to itself"),
        (sparse.coo_array(np.diag([1.0, np.nan], -1)), {}, ArgumentError, "of edge 1 is nan"),
        (sparse.coo_array([[0, 1], [1, 0]]), {}, CycleError, "cycle: 1 -> 0 -> 1"),
        (sparse.coo_array([[0, 0], [1, 0]]), {"bias": [1.0]}, ArgumentError, "1 biases and 2"),
        (sparse.coo_array([[0, 0], [1, 0]]), {"bias": np.ones(3)}, ArgumentError, "3 biases"),
        (sparse.coo_array([[0, 0], [1, 0]]), {"output": 2}, ArgumentError, "output is node 2"),
    ],
)
def test_matrices_that_are_no_network(matrix, options, error, message):
    with pytest.raises(error, match=message):
        bw.Network.from_scipy(matrix, **options)


FUNCTIONS = {
    "identity": lambda z: z,
    "relu": lambda z: anp.where(z > 0, z, 0.0 * z),
    "sin": anp.sin,
    "tanh": anp.tanh,
}


@st.composite
def graphs(draw):
    """Draw a graph of nodes called by letters, in an order that is not topological."""
    kind = draw(st.sampled_from([nx.DiGraph, nx.MultiDiGraph]))
    nodes = draw(st.permutations("abcdefg"))
    graph = kind()
    graph.add_nodes_from(draw(st.permutations(nodes)))
    pairs = st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda p: p[0] < p[1])
    for source, target in [*draw(st.lists(pairs, max_size=15)), (0, 6)]:
        attributes = draw(st.fixed_dictionaries({}, optional={"weight": st.floats(-2, 2)}))
        graph.add_edge(nodes[source], nodes[target], **attributes)
    for node in nodes:
        if draw(st.booleans()):
            graph.nodes[node]["bias"] = draw(st.sampled_from([1, 0.5, np.float32(-0.25)]))
    # All of them in every graph: another set would be compiled anew.
    for node, name in zip(draw(st.permutations(nodes)), FUNCTIONS, strict=False):
        graph.nodes[node]["activation"] = name
    return graph, nodes[6]


def walk(graph, output, bias, activation):
    """The network as NetworkX has it: a function of its weights, and those."""
    edges = list(graph.edges(data="weight", default=1))
    place = {node: [] for node in graph}
    for k, (_, target, _) in enumerate(edges):
        place[target].append(k)

    def f(weights):
        values = {}
        for node in nx.topological_sort(graph):
            total = graph.nodes[node].get("bias", bias)
            for e in place[node]:
                total = total + weights[e] * values[edges[e][0]]
            function = FUNCTIONS[graph.nodes[node].get("activation", activation)]
            values[node] = function(total) if place[node] else inputs[node]
        return values[output]

    inputs = {node: 0.1 * (k + 1) for k, node in enumerate(graph) if not place[node]}
    return f, np.array([weight for _, _, weight in edges], float), list(inputs.values())


@settings(max_examples=amount(10, 40))
@given(graphs(), st.sampled_from([0.0, 0.75]), st.sampled_from(sorted(FUNCTIONS)))
def test_graphs(drawn, bias, activation):
    graph, output = drawn
    f, weights, inputs = walk(graph, output, bias, activation)
    network = bw.Network.from_networkx(graph, bias=bias, activation=activation, output=output)
    assert network.edges == graph.number_of_edges()
    assert np.array_equal(network.weight, weights)
    names = list(graph)
    ends = [(names[z], names[u]) for z, u in zip(network.source, network.target, strict=True)]
    assert ends == [edge[:2] for edge in graph.edges]
    result = bw.backward(network, inputs)
    assert result.value == pytest.approx(f(weights), rel=1e-12)
    expected = autograd.grad(f)(weights)
    np.testing.assert_allclose(result.weight_gradient, expected, rtol=1e-10, atol=1e-14)


def test_the_weight_is_the_attribute_that_is_named():
    graph = nx.DiGraph([("z", "u", {"weight": 2.0, "capacity": 3}), ("u", "f", {"weight": 5.0})])
    assert bw.Network.from_networkx(graph).weight.tolist() == [2, 5]
    assert bw.Network.from_networkx(graph, weight="capacity").weight.tolist() == [3, 1]
    assert bw.Network.from_networkx(graph, weight=None).weight.tolist() == [1, 1]
    # As NetworkX counts: the weight of a path.
    assert nx.path_weight(graph, ["z", "u", "f"], "weight") == 7


def chain(*edges, **nodes):
    graph = nx.MultiDiGraph(edges)
    for node, attributes in nodes.items():
        graph.nodes[node].update(attributes)
    return graph


@pytest.mark.parametrize(
    ("graph", "options", "error", "message"),
    [
        (nx.Graph([(0, 1)]), {}, ArgumentError, "is a Graph, whose edges lead both ways"),
        (nx.MultiGraph([(0, 1)]), {}, ArgumentError, "is a MultiGraph, whose"),
        ([(0, 1)], {}, ArgumentError, "a NetworkX graph is needed, not list"),
        (nx.DiGraph(), {}, ArgumentError, "the network has no edge"),
        (chain(("a", "b"), ("b", "c"), ("c", "a")), {}, CycleError, "'b' -> 'c' -> 'a' -> 'b'"),
        (chain(("a", "b"), ("b", "b")), {}, CycleError, "'b' -> 'b'"),
        (chain(("a", "b")), {"output": "c"}, ArgumentError, "the output is 'c', no node"),
        (chain(("a", "b")), {"output": ["b"]}, ArgumentError, r"the output is \['b'\], no node"),
        (chain(("a", "b")), {"output": "a"}, IndependentOutputError, "node 0, cannot be reached"),
        (
            chain(("a", "b", {"weight": "heavy"})), {}, ArgumentError,
            "the weight of the edge from 'a' to 'b' is 'heavy', no number",
        ),
        (chain(("a", "b", {"weight": 1j})), {}, ArgumentError, "is 1j, no number"),
        (chain(("a", "b", {"weight": None})), {}, ArgumentError, "is None, no number"),
        (
            chain(("a", "b", {"weight": 10**400})), {}, ArgumentError,
            "the weight of the edge from 'a' to 'b' is past the range of float64",
        ),
        (chain(("a", "b", {"weight": np.inf})), {}, ArgumentError, "weight of edge 0 is inf"),
        (chain(("a", "b"), b={"bias": "1"}), {}, ArgumentError, "bias of node 'b' is '1'"),
        (chain(("a", "b"), b={"activation": "no"}), {}, UnknownPrimitiveError, "operation 'no'"),
    ],
)  # fmt: skip
def test_graphs_that_are_no_network(graph, options, error, message):
    with pytest.raises(error, match=message):
        bw.Network.from_networkx(graph, **options)
