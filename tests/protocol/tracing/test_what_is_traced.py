"""What a trace makes: nodes, edges and levels by hand, lines, dtypes, and no arrays."""

import autograd
import autograd.numpy
import numpy as np

import backwave as bw

from ...lines import line_of

X = np.array([0.5, -1.0, 2.0])


def counts(f, *args, **options):
    graph = bw.trace(f, *args, **options)
    return graph.num_nodes, graph.num_edges, graph.num_levels


def test_v_e_and_levels_of_small_networks():
    assert counts(lambda z: z, 1.0) == (1, 0, 1)
    assert counts(lambda z: z * z, 1.0) == (2, 2, 2)
    assert counts(lambda a, b: a * b, 1.0, 2.0) == (3, 2, 2)
    assert counts(lambda a, b: a * b, 1.0, 2.0, argnums=0) == (2, 1, 2)
    assert counts(lambda z: 3.0 * z + 1.0, 1.0) == (3, 2, 3)
    # A diamond, with an edge that skips a level: z, exp, sin, their product, plus z.
    assert counts(lambda z: np.exp(z) * np.sin(z) + z, 1.0) == (5, 6, 4)
    # What does not lead to the output, or not to a leaf that varies, is not counted.
    assert counts(lambda z: (np.exp(z), z * 2.0)[1], 1.0) == (2, 1, 2)
    assert counts(lambda z: z * np.floor(z), 1.0) == (2, 1, 2)
    assert counts(lambda z, n: z * (n + 1), 1.0, 2) == (2, 1, 2)
    # One node that m others use has m messages to sum.
    graph = bw.trace(lambda z: sum([np.sin(z * k) for k in range(1, 6)]), 1.0)
    ledger = bw.backward(graph, 1.0).ledger
    # 1 leaf, 5 products, 5 sines, 5 additions (the first is to Python's 0).
    assert (ledger.nodes, ledger.edges) == (16, 5 + 5 + 5 + 4)
    assert ledger.messages == ledger.multiplies == 19
    assert ledger.sums == 4
    assert ledger.work == 38


def test_levels_are_longest_paths():
    graph = bw.trace(lambda z: np.exp(np.sin(z)) + z, 1.0)
    level = {node.primitive: graph.levels[node.id] for node in graph.nodes}
    assert level == {"leaf": 0, "sin": 1, "exp": 2, "add": 3}


def test_a_layer_of_a_perceptron():
    def loss(w, b, x):
        return np.sum(np.tanh(x @ w + b) ** 2)

    # Leaves w and b; matmul, add, tanh, power, sum. x is data.
    w, b, x = np.ones((3, 2)), np.ones(2), np.ones((4, 3))
    assert counts(loss, w, b, x, argnums=(0, 1)) == (7, 6, 6)
    assert counts(loss, w, b, x) == (8, 7, 6)
    shapes = bw.Shape((3, 2)), bw.Shape(2), bw.Shape((4, 3))
    assert counts(loss, *shapes, argnums=(0, 1)) == (7, 6, 6)


def test_each_node_has_its_line():
    def f(x):
        y = np.sin(x)
        z = y * 2.0
        return np.sum(z)

    graph = bw.trace(f, X)
    lines = {node.primitive: node.line for node in graph.nodes if node.inputs}
    assert lines == {
        "sin": line_of(f, 1),
        "multiply": line_of(f, 2),
        "sum": line_of(f, 3),
    }


# Dtypes.


def test_python_numbers_leave_float32_as_it_is():
    def f(np, x):
        y = 2 * x + 1.0 - x / 3 + x**2 - 0.5 * np.maximum(x, 0.0)
        return np.mean(np.where(y > 0, y, 0.1 * y)) + True * np.sum(x) * 2

    x = X.astype(np.float32)
    assert f(np, x).dtype == np.float32
    for argument in (x, bw.Shape(3, np.float32)):
        graph = bw.trace(lambda x: f(np, x), argument)
        computed = [node for node in graph.nodes if node.inputs and node.dtype.kind == "f"]
        assert {node.dtype for node in computed} == {np.dtype(np.float32)}
    found = bw.grad(lambda x: f(np, x))(x)
    assert found.dtype == np.float32
    exact = autograd.grad(lambda x: f(autograd.numpy, x))(X)
    np.testing.assert_allclose(found, exact, rtol=1e-5)


def test_a_float64_array_makes_float32_wider_as_in_numpy():
    x = X.astype(np.float32)
    graph = bw.trace(lambda x: np.sum(x * np.float64(2.0)), x)
    assert graph.nodes[graph.output].dtype == np.sum(x * np.float64(2.0)).dtype == np.float64
    assert bw.grad(lambda x: np.sum(x * np.float64(2.0)))(x).dtype == np.float32


def test_an_abstract_trace_allocates_nothing():
    # A petabyte.
    shape = bw.Shape((2**24, 2**23))

    def f(w, x):
        return np.mean(np.tanh(w @ x) ** 2)

    graph = bw.trace(f, shape, bw.Shape(2**23))
    assert (graph.num_nodes, graph.num_edges) == (6, 5)
    assert graph.work(2).flops == 2 * 2**47


def test_zeros_of_both_signs_are_two_constants():
    def f(x):
        return np.stack([x * 0.0, x * -0.0, x * 0.0])

    value, back = bw.vjp(f, 2.0)
    assert np.signbit(value).tolist() == [False, True, False]
    assert not np.signbit(back(np.array([1.0, 0.0, 0.0]))[0])
