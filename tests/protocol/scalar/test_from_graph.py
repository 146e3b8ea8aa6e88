"""Traced scalar graphs as networks, held to the graph itself and to HIPS/autograd."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

import backwave as bw

from .drawn import end_to_end, loop


def chain(np):
    def run(x, w):
        for _ in range(50):
            x = np.tanh(x * w)
        return x

    return run, (0.9, 1.1)


def dot(np):
    def run(w, x):
        total = 0.0
        for i in range(w.shape[0]):
            total = total + w[i, 1] * x[i] - np.exp(-w[i, 0])
        return total**2 / (1.0 + total * total)

    return run, (np.linspace(-1, 1, 10).reshape(5, 2), np.linspace(0.2, 3, 5))


def branches(np):
    def run(x):
        y = np.where(x > 0.0, np.log(1.0 + x * x), -x)
        return np.maximum(y, 2.0 * x) + np.sqrt(y) + np.arctan2(y, x) + np.abs(x - 3.0)

    return run, (1.7,)


def recurrence(np):
    def run(w, u, b, x):
        h = 0.0
        for t in range(6):
            z = 1.0 / (1.0 + np.exp(-(w * x[t] + u * h)))
            h = (1.0 - z) * h + z * np.tanh(b + x[t])
        return h * h

    return run, (0.4, -0.7, 0.1, np.linspace(-1, 1, 6))


# Each is compiled anew, which takes seconds.
LONG = [pytest.param(program, marks=pytest.mark.long) for program in (chain, dot, branches)]
LONG += [pytest.param(recurrence, marks=pytest.mark.long)]


@pytest.mark.parametrize("program", [loop, *LONG], ids=lambda program: program.__name__)
def test_a_network_gives_what_its_graph_gives(program):
    run, args = program(np)
    graph = bw.trace(run, *args)
    net = bw.Network.from_graph(graph)
    reference = bw.backward(graph, *args)
    result = bw.backward(net, end_to_end(args))
    np.testing.assert_allclose(result.value, reference.value, rtol=1e-14)
    np.testing.assert_allclose(result.grads, end_to_end(reference.grads), rtol=1e-12, atol=1e-15)
    assert net.num_edges == graph.num_edges == result.ledger.messages
    assert net.num_levels == graph.num_levels
    assert net.inputs_without_gradient == graph.inputs_without_gradient
    theirs, _ = program(anp)
    oracle = autograd.grad(theirs, argnum=tuple(range(len(args))))(*args)
    np.testing.assert_allclose(result.grads, end_to_end(oracle), rtol=1e-10, atol=1e-14)


def test_it_runs_again_with_other_values():
    run, args = loop(np)
    net = bw.Network.from_graph(bw.trace(run, *args))
    others = tuple(each * 0.3 + 0.1 for each in args)
    result = bw.backward(net, end_to_end(others))
    reference = bw.backward(bw.trace(run, *others), *others)
    np.testing.assert_allclose(result.grads, end_to_end(reference.grads), rtol=1e-12)


def test_what_is_not_differentiated_gets_no_message():
    run, args = loop(np)
    graph = bw.trace(run, *args, argnums=1)
    net = bw.Network.from_graph(graph)
    result = bw.backward(net, end_to_end(args))
    w, x = np.split(result.grads, 2)
    assert not w.any()
    np.testing.assert_allclose(x, bw.backward(graph, *args).grads, rtol=1e-12)
    assert result.ledger.messages == graph.num_edges < bw.trace(run, *args).num_edges


def test_operations_that_do_not_compile_run_on_arrays():
    from scipy.special import gammaln

    def run(x):
        return gammaln(2.0 + x * x) * x

    graph = bw.trace(run, 0.8)
    net = bw.Network.from_graph(graph)
    np.testing.assert_allclose(
        bw.backward(net, [0.8]).grads, bw.backward(graph, 0.8).grads, rtol=1e-13
    )


def test_the_words_of_operations_and_names():
    net = bw.Network.from_graph(bw.trace(lambda x: np.sin(x) * 2.0, 0.5))
    assert sorted(net.operation) == ["leaf", "leaf", "multiply", "sin"]
    assert repr(net) == "<network: V=3 E=2 levels=3>"


@pytest.mark.parametrize(
    ("run", "args", "words"),
    [
        (lambda x: np.sum(np.sin(x)), (np.ones(3),), r"py:\d+: .* is an array of shape \(3,\)"),
        (lambda x: np.sin(x[0]) + x[1] if x[0] > 0 else x[1], (np.ones(2),), "branched on"),
        (lambda x: np.sin(x), (np.float32(0.5),), "float32, and the nodes of a network are"),
        (lambda x: np.sin(x)[None][0], (0.5,), "shape|takes an entry"),
        (lambda x, i: x[i] * 2.0, (np.ones(3), np.int64(1)), "takes an entry of|whole numbers"),
    ],
)
def test_what_is_no_scalar_graph_is_refused_with_the_line(run, args, words):
    graph = bw.trace(run, *args)
    with pytest.raises(bw.errors.ArgumentError, match=words):
        bw.Network.from_graph(graph)


@pytest.mark.long
def test_a_million_nodes_of_a_plain_loop():
    def loop(x, w):
        for _ in range(500_000):
            x = np.tanh(x * w)
        return x

    graph = bw.trace(loop, 0.9, 1.01)
    net = bw.Network.from_graph(graph)
    assert net.num_edges == graph.num_edges == 1_500_000
    result = bw.backward(net, [0.9, 1.01])
    x, dx, dw = 0.9, 1.0, 0.0
    for _ in range(500_000):  # the same by forward mode
        y = np.tanh(x * 1.01)
        slope = 1 - y * y
        dx, dw = slope * 1.01 * dx, slope * (1.01 * dw + x)
        x = y
    np.testing.assert_allclose([result.value, *result.grads], [x, dx, dw], rtol=1e-9, atol=1e-300)
