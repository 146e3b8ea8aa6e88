"""The gradient as a network: what is in it, what it gives, and what it does not allocate."""

import tracemalloc

import autograd
import autograd.numpy as anp
import numpy as np
import optree
import pytest

import backwave as bw

from ...networks import EXAMPLES, bits, example
from .functions import close, random, rosenbrock, x


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_the_network_of_the_gradient_gives_the_gradient_of_every_example(path, tmp_path):
    graph, args = example(path)
    network = bw.gradient_network(graph)
    ours, theirs = bw.forward(network, *args), bw.backward(graph, *args).grads
    assert optree.tree_structure(ours) == optree.tree_structure(theirs)
    for one, other in zip(optree.tree_leaves(ours), optree.tree_leaves(theirs), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12 * (1 + np.max(np.abs(other))))


def test_networks_are_saved_and_read_and_differentiated_again(tmp_path):
    v = random.normal(size=4)
    graph = bw.trace(rosenbrock, x, argnums=0)
    H = autograd.hessian(lambda x: anp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))(x)
    bw.gradient_network(graph).save(tmp_path / "gradient")
    network = bw.Graph.load(tmp_path / "gradient")
    close(bw.forward(network, x), bw.grad(rosenbrock)(x))
    bw.hvp_network(graph).save(tmp_path / "product")
    network = bw.Graph.load(tmp_path / "product")
    result = bw.backward(network, x, v)
    close(result.value, bw.grad(rosenbrock)(x) @ v)
    close(result.grads, H @ v)
    # The network that was read can be taken further: ∇⟨∇⟨∇f, v⟩, w⟩.
    third = bw.backward(bw.hvp_network(network), x, v, v).grads
    theirs = bw.grad(lambda x: np.sum(bw.hvp(rosenbrock)(x, v) * v))(x)
    close(third, theirs)
    graph.save(tmp_path / "graph")
    read = bw.Graph.load(tmp_path / "graph")
    close(bw.backward(read, x).hessian @ v, H @ v)
    close(bw.forward(bw.gradient_network(read), x), bw.grad(rosenbrock)(x))
    assert bits(bw.backward(bw.hvp_network(read), x, v).grads) == bits(result.grads)


def test_a_network_that_was_read_gives_its_gradients_in_the_order_of_argnums(tmp_path):
    a, b = np.arange(2.0), np.arange(3.0)
    graph = bw.trace(lambda a, b: np.sum(a**2) + np.sum(b**3), a, b, argnums=(1, 0))
    graph.save(tmp_path / "graph")
    read = bw.Graph.load(tmp_path / "graph")
    close(bw.forward(bw.gradient_network(read), a, b), (3 * b**2, 2 * a))
    close(bw.backward(read, a, b).hessian @ np.ones(5), np.concatenate([6 * b, [2, 2]]))


def test_nothing_of_the_models_size_is_allocated():
    w, data = bw.Shape((20_000, 10_000)), bw.Shape((512, 20_000))
    tracemalloc.start()
    try:
        graph = bw.trace(lambda w, x: np.mean(np.tanh(x @ w) ** 2), w, data, argnums=0)
        network = bw.gradient_network(bw.hvp_network(graph))
        assert network.nodes[network.outputs[0]].shape == (20_000, 10_000)
        assert bw.gradient_network(graph).num_edges > 0
        assert tracemalloc.get_traced_memory()[1] < 2e6
    finally:
        tracemalloc.stop()


def test_a_leaf_on_which_nothing_depends_has_the_gradient_zero_without_its_size():
    graph = bw.trace(lambda a, b: np.sum(a**2), bw.Shape(3), bw.Shape((30_000, 30_000)))
    tracemalloc.start()
    try:
        network = bw.gradient_network(graph)
        assert network.nodes[network.outputs[1]].shape == (30_000, 30_000)
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()
    small = bw.trace(lambda a, b: np.sum(a**2), x, x)
    close(bw.forward(bw.gradient_network(small), x, x), (2 * x, np.zeros(4)))


def test_a_shared_expression_is_one_node():
    def f(x):
        return np.sum(np.exp(x) * np.sin(x)) + np.sum(np.exp(x) ** 2)

    network = bw.gradient_network(bw.trace(f, x))
    made = [node.primitive for node in network.nodes]
    assert (made.count("exp"), made.count("sin"), made.count("cos")) == (1, 1, 1)
    close(bw.forward(network, x)[0], np.exp(x) * (np.sin(x) + np.cos(x)) + 2 * np.exp(2 * x))


def test_forward_is_the_value_of_a_network():
    def f(t):
        return {"sum": np.sum(t["x"]), "pair": (t["x"] * 2, t["n"] + 1)}

    tree = {"x": x, "n": np.arange(3)}
    ours = bw.forward(bw.trace(f, tree), tree)
    assert set(ours) == {"sum", "pair"}
    close(ours, f(tree))
    assert type(bw.forward(bw.trace(lambda x: [x], x), x)) is list
