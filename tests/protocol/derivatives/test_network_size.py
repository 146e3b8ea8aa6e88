"""The gradient is a network of a constant times the size, and so is the product with a Hessian.

What is counted is counted twice, once by the library and once here by hand: the size of networks
whose gradient can be written on paper, and the operations of products of known matrices.
"""

import tracemalloc

import numpy as np
import pytest

import backwave as bw
from backwave.protocol.derivatives.cost import gradient_cost, hvp_cost, operations, size

from ...networks import EXAMPLES, LONG, example

LARGEST_SIZE = 8
LARGEST_COST = 6


def chain(steps):
    """Scalar nodes, one below the other: every step is two of them."""

    def f(x):
        for _ in range(steps):
            x = np.sin(x) * 0.5
        return x

    return bw.trace(f, 0.3)


def layered(depth, width, abstract=False):
    def f(layers, x):
        for w in layers:
            x = np.tanh(x @ w)
        return np.sum(x**2)

    make = bw.Shape if abstract else np.ones
    return bw.trace(f, [make((width, width))] * depth, make((8, width)), argnums=0)


def dense(width):
    """A layer of scalar nodes, each of which sees all of the layer below: E is far above V."""

    def f(w):
        x = [np.sin(each) for each in w]
        total = x[0] * x[0]
        for i, one in enumerate(x):
            for other in x[i + 1 :]:
                total = total + one * other
        return total

    return bw.trace(f, [0.1 * (i + 1) for i in range(width)])


def raw_size(graph):
    """All nodes and all inputs, also those on no path to a leaf that is differentiated."""
    return len(graph.nodes) + sum(len(node.inputs) for node in graph.nodes)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.long] * (path.stem in LONG))
        for path in EXAMPLES
    ],
)
def test_on_every_example_the_gradient_is_a_network_of_a_constant_times_the_size(path):
    graph, _ = example(path)
    network = bw.gradient_network(graph)
    assert network.num_nodes + network.num_edges <= LARGEST_SIZE * size(graph)
    assert raw_size(network) <= LARGEST_SIZE * raw_size(graph)
    gradient = gradient_cost(graph)
    assert gradient == operations(network)
    assert 0 < hvp_cost(graph) <= LARGEST_COST * gradient
    assert gradient <= LARGEST_COST * operations(graph)


@pytest.mark.parametrize(
    ("make", "small", "large"),
    [
        (chain, 10, 3000),
        pytest.param(chain, 10, 10_000, marks=pytest.mark.long),
        (lambda n: layered(n, 3), 10, 1000),
        pytest.param(lambda n: layered(n, 3), 10, 10_000, marks=pytest.mark.long),
        (lambda n: layered(4, n, abstract=True), 32, 32_000),
    ],
    ids=["chain", "chain, 1,000-fold", "depth of layers", "depth, 1,000-fold", "width of layers"],
)
def test_the_size_of_the_gradient_grows_as_the_network_does(make, small, large):
    ratios = [size(bw.gradient_network(graph)) / size(graph) for graph in map(make, (small, large))]
    assert max(ratios) <= LARGEST_SIZE
    assert ratios[1] == pytest.approx(ratios[0], rel=0.1)


@pytest.mark.parametrize(
    ("make", "small", "large"),
    [
        (chain, 10, 1000),
        pytest.param(chain, 10, 10_000, marks=pytest.mark.long),
        (lambda n: layered(n, 3), 10, 200),
        pytest.param(lambda n: layered(n, 3), 10, 10_000, marks=pytest.mark.long),
        (lambda n: layered(4, n, abstract=True), 32, 32_000),
    ],
    ids=["chain", "chain, 1,000-fold", "depth of layers", "depth, 1,000-fold", "width of layers"],
)
def test_the_cost_of_a_hessian_product_is_a_constant_times_that_of_a_gradient(make, small, large):
    ratios = [hvp_cost(graph) / gradient_cost(graph) for graph in map(make, (small, large))]
    assert max(ratios) <= LARGEST_COST
    assert ratios[1] == pytest.approx(ratios[0], rel=0.1)


@pytest.mark.parametrize("width", [4, 40])
def test_where_everything_is_joined_to_everything_the_ratios_hold_too(width):
    graph = dense(width)
    assert size(bw.gradient_network(graph)) <= LARGEST_SIZE * size(graph)
    assert hvp_cost(graph) <= LARGEST_COST * gradient_cost(graph)


def test_the_gradient_grows_node_for_node_with_the_network():
    """Node for node: a step x -> sin(x)·c adds sin and multiply, and to the gradient the same
    and cos, S·c and that times cos: what one writes on paper, and nothing besides."""
    for steps in (10, 100, 1000):
        graph = chain(steps)
        network = bw.gradient_network(graph)
        made = [node.primitive for node in network.nodes if node.inputs]
        assert made.count("cos") == steps
        # The last sin and the last product serve no message.
        assert made.count("sin") == steps - 1
        assert made.count("multiply") <= 3 * steps


def test_operations_are_those_of_products_of_known_shapes():
    n, d, k = 50, 30, 20
    graph = bw.trace(lambda w, x: np.sum(x @ w), bw.Shape((d, k)), bw.Shape((n, d)), argnums=0)
    product = 2 * n * d * k
    assert operations(graph) == pytest.approx(product, rel=0.02)
    # Its gradient is xᵀ·S alone: the product of the forward sweep is needed by nobody.
    assert gradient_cost(graph) == pytest.approx(product, rel=0.05)


def test_a_gradient_of_layers_takes_three_products_a_layer_and_a_hessian_product_nine():
    """Forward x·w, messages S·wᵀ and xᵀ·S: three products of one size; by hand."""
    depth, width, batch = 6, 400, 8
    graph = layered(depth, width, abstract=True)
    product = 2 * batch * width * width
    # The first layer sends no message to the data.
    assert gradient_cost(graph) == pytest.approx((3 * depth - 1) * product, rel=0.05)
    assert hvp_cost(graph) <= 3 * gradient_cost(graph)


def test_nothing_of_the_arrays_is_allocated():
    graph = layered(4, 20_000, abstract=True)  # 3.2 GB a layer
    tracemalloc.start()
    try:
        assert hvp_cost(graph) > gradient_cost(graph) > operations(graph) > 1e10
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


def test_a_scalar_of_a_scalar_counts_by_hand():
    graph = bw.trace(lambda x: x * x, 3.0)
    assert (graph.num_nodes, graph.num_edges, size(graph)) == (2, 2, 4)
    network = bw.gradient_network(graph)  # x + x, both messages being 1·x
    assert [node.primitive for node in network.nodes if node.inputs] == ["add"]
    assert (size(network), gradient_cost(graph)) == (4, 1)
