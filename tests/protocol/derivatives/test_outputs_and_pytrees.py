"""Derivatives of several outputs, and of every kind of pytree; whose arrays they are."""

from collections import namedtuple
from dataclasses import dataclass

import autograd
import autograd.numpy as anp
import numpy as np
import optree

import backwave as bw

from .functions import CLOSE, close, random, x

# Several outputs.


def test_outputs_that_are_an_input_or_one_node_twice():
    def f(x):
        y = np.sin(x)
        return x, y, y, np.cos(y) * x, 7.0

    v, S = random.normal(size=(2, 4))
    value, back = bw.vjp(f, x)
    close(value, (x, np.sin(x), np.sin(x), np.cos(np.sin(x)) * x, 7.0))
    (pulled,) = back((S, S, 2 * S, 3 * S, 1.0))
    last = np.cos(np.sin(x)) - x * np.sin(np.sin(x)) * np.cos(x)
    close(pulled, S + 3 * S * np.cos(x) + 3 * S * last)
    slope = bw.jvp(f, (x,), (v,))[1]
    close(slope, (v, v * np.cos(x), v * np.cos(x), v * last, 0.0))
    rows = bw.jacobian(f)(x)
    close(
        rows,
        (np.eye(4), np.diag(np.cos(x)), np.diag(np.cos(x)), np.diag(last), np.zeros(4)),
    )


def test_values_that_are_returned_can_be_changed_without_harm():
    kept = x.copy()
    value, back = bw.vjp(lambda x: (x, x * x), x)
    value[0][:] = 0
    value[1][:] = 0
    close(back((np.ones(4), np.ones(4)))[0], 1 + 2 * kept)
    close(x, kept)
    a, b = bw.forward(bw.trace(lambda x: (x, x), x), x)
    a[:] = 0
    close(b, kept)
    close(x, kept)


def test_a_gradient_network_of_equal_gradients_has_one_node_twice():
    graph = bw.trace(lambda a, b: np.sum(np.exp(a + b)), x, x)
    network = bw.gradient_network(graph)
    assert network.outputs[0] == network.outputs[1]
    close(bw.forward(network, x, x), (np.exp(2 * x), np.exp(2 * x)))
    v = random.normal(size=8)
    H = np.kron(np.ones((2, 2)), np.diag(np.exp(2 * x)))
    close(bw.backward(graph, x, x).hessian @ v, H @ v)
    close(bw.hessian(lambda a, b: np.sum(np.exp(a + b)), (0, 1))(x, x)[0][1], H[:4, 4:])


# Pytrees.

Pair = namedtuple("Pair", ["left", "right"])


@dataclass
class Layer:
    weight: np.ndarray
    activation: str
    steps: int
    bias: np.ndarray


def tree_value(np, tree):
    layer = tree["layers"][0]
    y = np.tanh(tree["pair"].left @ layer.weight + layer.bias) * layer.steps
    return np.sum(y**2) * np.sum(tree["pair"].right ** 3) + np.sum(tree["layers"][1] ** 2)


def a_tree(make, integers=True):
    return {
        "pair": Pair(make(2), make(())),
        "layers": [Layer(make((2, 2)), "tanh", 3 if integers else None, make(2)), make(1)],
        "nothing": {},
    }


def test_every_kind_of_pytree():
    tree = a_tree(lambda shape: random.normal(size=shape))
    v = a_tree(lambda shape: random.normal(size=shape), integers=False)

    def f(tree):
        return tree_value(np, tree)

    leaves, structure = optree.tree_flatten(tree, namespace="backwave")  # known by now or not
    bw.grad(f, None)(tree)
    leaves, structure = optree.tree_flatten(tree, namespace="backwave")
    varying = [i for i, leaf in enumerate(leaves) if not isinstance(leaf, int)]
    sizes = [np.size(leaves[i]) for i in varying]

    def flat(x):
        parts = anp.split(x, np.cumsum(sizes)[:-1])
        given = list(leaves)
        for place, part in zip(varying, parts, strict=True):
            given[place] = anp.reshape(part, np.shape(leaves[place]))
        return tree_value(anp, optree.tree_unflatten(structure, given))

    def end_to_end(tree):
        found = optree.tree_leaves(tree, namespace="backwave")
        return np.concatenate([np.ravel(each) for each in found])

    at = np.concatenate([np.ravel(leaves[i]) for i in varying])
    H = autograd.hessian(flat)(at)
    ours = bw.hvp(f, None)(tree, v)
    assert type(ours["pair"]) is Pair
    assert type(ours["layers"][0]) is Layer
    assert (ours["layers"][0].activation, ours["layers"][0].steps) == ("tanh", None)
    np.testing.assert_allclose(end_to_end(ours), H @ end_to_end(v), **CLOSE)
    # Whatever stands in v where an integer is: it is left alone.
    close(
        bw.hvp(f, None)(tree, a_tree(lambda s: np.ones(s))),
        bw.hvp(f, None)(tree, a_tree(lambda s: np.ones(s), integers=False)),
    )

    value, slope = bw.jvp(f, (tree,), (v,))
    np.testing.assert_allclose(value, flat(at), **CLOSE)
    np.testing.assert_allclose(slope, autograd.grad(flat)(at) @ end_to_end(v), **CLOSE)

    block = bw.hessian(f, None)(tree)[0]["layers"][0].weight[0]["pair"].left
    assert block.shape == (2, 2, 2)
    order = optree.tree_leaves(a_tree(lambda s: np.full(s, 1.0), False), namespace="backwave")
    assert [np.shape(each) for each in order] == [(2, 2), (2,), (1,), (2,), ()]
    np.testing.assert_allclose(block, H[:4, 7:9].reshape(2, 2, 2), **CLOSE)

    graph = bw.trace(f, tree)
    np.testing.assert_allclose(
        bw.backward(graph, tree).hessian @ end_to_end(v), H @ end_to_end(v), **CLOSE
    )
    there = bw.run_locally(bw.plan(graph, 3), tree)
    np.testing.assert_allclose(there.hessian @ end_to_end(v), H @ end_to_end(v), **CLOSE)
    gradient = bw.forward(bw.gradient_network(graph), tree)[0]
    close(gradient["layers"][0].weight, bw.grad(f, None)(tree)[0]["layers"][0].weight)
    assert gradient["layers"][0].activation == "tanh"


def test_jacobians_of_a_tree_by_a_tree():
    p = {"a": x[:2], "b": x[2:3]}
    found = bw.jacobian(lambda p: [p["a"] * p["b"], {"s": np.sum(p["a"])}])(p)
    close(found[0]["a"], np.eye(2) * x[2])
    close(found[0]["b"], x[:2, None])
    close(found[1]["s"]["a"], np.ones(2))
    close(found[1]["s"]["b"], np.zeros(1))


def test_has_aux_everywhere():
    def f(x):
        y = np.sin(x)
        return np.sum(y**2), {"y": y, "text": "yes", "n": 3, "x": [x]}

    def aux_is_right(aux):
        close(aux["y"], np.sin(x))
        assert (aux["text"], aux["n"]) == ("yes", 3)
        assert type(aux["y"]) is np.ndarray

    v = np.ones(4)
    gradient, aux = bw.grad(f, has_aux=True)(x)
    close(gradient, np.sin(2 * x))
    aux_is_right(aux)
    (value, aux), gradient = bw.value_and_grad(f, has_aux=True)(x)
    close((value, gradient), (np.sum(np.sin(x) ** 2), np.sin(2 * x)))
    aux_is_right(aux)
    value, back, aux = bw.vjp(f, x, has_aux=True)
    close(back(2.0)[0], 2 * np.sin(2 * x))
    aux_is_right(aux)
    value, slope, aux = bw.jvp(f, (x,), (v,), has_aux=True)
    close(slope, np.sum(np.sin(2 * x)))
    aux_is_right(aux)
    product, aux = bw.hvp(f, has_aux=True)(x, v)
    close(product, 2 * np.cos(2 * x))
    aux_is_right(aux)
    matrix, aux = bw.hessian(f, has_aux=True)(x)
    close(matrix, np.diag(2 * np.cos(2 * x)))
    aux_is_right(aux)
    row, aux = bw.jacobian(f, has_aux=True)(x)
    close(row, np.sin(2 * x))
    aux_is_right(aux)
