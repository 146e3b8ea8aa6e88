"""Hessians, their products, Jacobians and forward mode, against HIPS/autograd and closed forms."""

import tracemalloc
from collections import namedtuple
from dataclasses import dataclass

import autograd
import autograd.numpy as anp
import numpy as np
import optree
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.sparse.linalg import eigsh

import backwave as bw

from ..networks import EXAMPLES, assert_same_bits, bits, example, programs

CLOSE = {"rtol": 1e-10, "atol": 1e-12}
ARGUMENT = bw.errors.ArgumentError
random = np.random.default_rng(3)
START = random.bit_generator.state


@pytest.fixture(autouse=True)
def _the_same_numbers():
    """Whichever tests ran before."""
    random.bit_generator.state = START


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def mlp(np, w, v, x):
    return np.sum(np.tanh(np.tanh(x @ w) @ v) ** 2) + np.sum(np.exp(w[0] * 0.1)) * np.sum(v)


def pieces(np, x):
    y = np.where(x > 0.5, x**3, np.sin(x))
    return np.sum(y) * np.prod(x[:2]) + np.max(x) ** 2 * np.mean(x)


def products(np, x):
    return np.sum(np.outer(x, np.exp(x)) @ np.sin(x)) / (1 + np.sum(x**2))


x = np.array([0.3, -0.7, 1.2, 0.9])
SCALAR = {"pieces": pieces, "products": products}
FUNCTIONS = [pytest.param(lambda np, x, f=f: f(np, x), id=name) for name, f in SCALAR.items()]


def close(ours, theirs):
    ours, theirs = (optree.tree_leaves(tree, namespace="backwave") for tree in (ours, theirs))
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert np.shape(one) == np.shape(other)
        np.testing.assert_allclose(one, other, **CLOSE)


# Against autograd.


@pytest.mark.parametrize("f", FUNCTIONS)
def test_hessian_and_products_are_those_of_autograd(f):
    v = random.normal(size=4)
    theirs = autograd.hessian(lambda x: f(anp, x))(x)
    close(bw.hessian(lambda x: f(np, x))(x), theirs)
    close(bw.hvp(lambda x: f(np, x))(x, v), theirs @ v)
    close(
        bw.hvp(lambda x: f(np, x))(x, v),
        autograd.hessian_vector_product(lambda x: f(anp, x))(x, v),
    )
    close(bw.jacobian(bw.grad(lambda x: f(np, x)))(x), theirs)


@pytest.mark.parametrize("shape", [(1, 4), (40, 4)], ids=["by columns", "by rows"])
def test_jacobians_are_those_of_autograd(shape):
    matrix = random.normal(size=shape)

    def f(np, x):
        return np.sin(matrix @ x) * x[0]

    close(bw.jacobian(lambda x: f(np, x))(x), autograd.jacobian(lambda x: f(anp, x))(x))


def test_a_jacobian_of_matrices_has_the_shape_of_the_value_and_then_of_the_argument():
    w = random.normal(size=(3, 2))

    def f(np, w):
        return np.tanh(w.T @ w) @ w.T

    ours = bw.jacobian(lambda w: f(np, w))(w)
    assert ours.shape == (2, 3, 3, 2)
    close(ours, autograd.jacobian(lambda w: f(anp, w))(w))


def test_hessian_over_several_arguments():
    w, v, data = (random.normal(size=s) for s in [(3, 2), (2, 2), (5, 3)])
    ours = bw.hessian(lambda *a: mlp(np, *a), argnums=(0, 1))(w, v, data)
    for i, row in enumerate(ours):
        for j, block in enumerate(row):
            inner = autograd.grad(lambda *a: mlp(anp, *a), i)
            close(block, autograd.jacobian(inner, j)(w, v, data))


@pytest.mark.parametrize("argnums", [0, 1, -1, (0,), (1,), (0, 1), (1, 0), (2, 0), (-1, 0)])
def test_every_choice_of_arguments_in_every_order(argnums):
    """The gradient stands in the order of argnums, and so do v, the product and the blocks."""
    args = tuple(random.normal(size=n) for n in (2, 3, 4))
    directions = tuple(random.normal(size=n) for n in (2, 3, 4))

    def f(np, a, b, c):
        return np.sum(a**3) * np.sum(np.sin(b)) * np.sum(c**2) + np.sum(a) * np.prod(b)

    def block(i, j):
        return autograd.jacobian(autograd.grad(lambda *a: f(anp, *a), i), j)(*args)

    chosen = [n % 3 for n in (argnums if isinstance(argnums, tuple) else (argnums,))]
    theirs = [sum(block(i, j) @ directions[j] for j in chosen) for i in chosen]
    theirs = tuple(theirs) if isinstance(argnums, tuple) else theirs[0]
    v = tuple(directions[i] for i in chosen)
    v = v if isinstance(argnums, tuple) else v[0]
    ours = bw.hvp(lambda *a: f(np, *a), argnums)(*args, v)
    assert optree.tree_structure(ours) == optree.tree_structure(theirs)
    close(ours, theirs)

    blocks = bw.hessian(lambda *a: f(np, *a), argnums)(*args)
    if isinstance(argnums, tuple):
        close(blocks, tuple(tuple(block(i, j) for j in chosen) for i in chosen))
    else:
        close(blocks, block(chosen[0], chosen[0]))

    graph = bw.trace(lambda *a: f(np, *a), *args, argnums=argnums)
    gradient = bw.forward(bw.gradient_network(graph), *args)
    reference = bw.backward(graph, *args)
    assert optree.tree_structure(gradient) == optree.tree_structure(reference.grads)
    close(gradient, reference.grads)

    long = np.concatenate([directions[i] for i in chosen])
    flat = np.concatenate([np.ravel(each) for each in optree.tree_leaves(theirs)])
    np.testing.assert_allclose(reference.hessian @ long, flat, **CLOSE)
    there = bw.run_locally(bw.plan(graph, 2), *args)
    np.testing.assert_allclose(there.hessian @ long, flat, **CLOSE)


# Closed forms.


def test_a_quadratic_form():
    a = random.normal(size=(5, 5))
    at, v = random.normal(size=(2, 5))

    def f(x):
        return x @ a @ x

    close(bw.hessian(f)(at), a + a.T)
    close(bw.hvp(f)(at, v), (a + a.T) @ v)
    close(bw.grad(f)(at), (a + a.T) @ at)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(x),
        lambda x: 3.0,
        lambda x: x[0] * 2 - x[1] / 4 + 1,
        lambda x: np.sum(bw.stop_gradient(x) * x),
        lambda x: np.sum(np.sign(x)),
        lambda x: np.sum(np.abs(x)),
    ],
)
def test_the_hessian_of_what_has_no_curvature_is_zero(f):
    v = random.normal(size=4)
    close(bw.hvp(f)(x, v), np.zeros(4))
    close(bw.hessian(f)(x), np.zeros((4, 4)))
    assert bw.hvp(f)(x.astype("f4"), v).dtype == np.float32


@pytest.mark.parametrize("argnums", [None, 0, (0,), (0, 1), (1, 0)])
def test_a_product_without_curvature_has_the_structure_of_any_other(argnums):
    one, two = np.ones(2), {"a": np.ones(3)}
    trees = {0: one, (0,): (one,), (0, 1): (one, two), (1, 0): (two, one), None: (one, two)}
    v = trees[argnums]
    ours = bw.hvp(lambda a, b: np.sum(a) + np.sum(b["a"]), argnums)(one, two, v)
    curved = bw.hvp(lambda a, b: np.sum(a**2) + np.sum(b["a"] ** 2), argnums)(one, two, v)
    assert optree.tree_structure(ours) == optree.tree_structure(curved)
    close(ours, optree.tree_map(np.zeros_like, v))
    close(curved, optree.tree_map(lambda each: 2 * each, v))


def test_all_of_one_argument_is_bare():
    close(bw.hvp(np.sum, None)(x, x), np.zeros(4))
    close(bw.hvp(lambda x: np.sum(x**3), None)(x, x), 6 * x * x)


def test_jvp_and_vjp_are_each_others_transpose_and_closed_forms():
    v, S = random.normal(size=(2, 4))
    value, slope = bw.jvp(np.tanh, (x,), (v,))
    close(value, np.tanh(x))
    close(slope, v / np.cosh(x) ** 2)
    value, back = bw.vjp(np.tanh, x)
    close(back(S)[0], S / np.cosh(x) ** 2)
    close(back(2 * S)[0], 2 * S / np.cosh(x) ** 2)  # as often as one likes


def test_jvp_of_several_arguments_and_outputs():
    a, b, da, db = (random.normal(size=3) for _ in range(4))
    value, slope = bw.jvp(lambda a, b: {"p": a * b, "s": np.sum(a**2)}, (a, b), (da, db))
    close(value, {"p": a * b, "s": np.sum(a**2)})
    close(slope, {"p": a * db + da * b, "s": 2 * a @ da})
    # As lists too, and with integers, which do not vary.
    close(bw.jvp(lambda a, n: a**n, [a, 3], [da, None])[1], 3 * a**2 * da)
    close(bw.jvp(lambda a, n: a**n, [a, 3], [da, 0])[1], 3 * a**2 * da)


def test_keyword_arguments_are_not_differentiated():
    def f(x, *, power, scale=1.0):
        return scale * np.sum(x**power)

    close(bw.hvp(f)(x, np.ones(4), power=3), 6 * x)
    close(bw.hessian(f)(x, power=2, scale=5.0), 10 * np.eye(4))
    close(bw.jacobian(lambda x, *, n: x**n)(x, n=2), np.diag(2 * x))
    close(bw.grad(f)(x, power=2), 2 * x)


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


# Complex numbers: S is ∂f/∂x - i·∂f/∂y.


def test_complex_arguments_against_finite_differences_of_the_real_parts():
    z = random.normal(size=3) + 1j * random.normal(size=3)
    v = random.normal(size=3) + 1j * random.normal(size=3)

    def f(z):
        return np.sum(np.abs(z) ** 2 * np.real(z)) + np.real(np.sum(z**3))

    t = 1e-5
    slope = bw.jvp(f, (z,), (v,))[1]
    assert slope.dtype == np.float64
    np.testing.assert_allclose(slope, (f(z + t * v) - f(z - t * v)) / (2 * t), rtol=1e-8)
    (S,) = bw.vjp(f, z)[1](1.0)
    np.testing.assert_allclose(np.real(np.sum(S * v)), slope, rtol=1e-10)
    gradient = bw.grad(f)
    numeric = (gradient(z + t * v) - gradient(z - t * v)) / (2 * t)
    np.testing.assert_allclose(bw.hvp(f)(z, v), numeric, rtol=1e-8)


def test_holomorphic_functions():
    z = random.normal(size=3) + 1j * random.normal(size=3)
    v = random.normal(size=3) + 1j * random.normal(size=3)
    close(
        bw.jacobian(lambda z: np.exp(z) * z[0])(z),
        np.diag(np.exp(z) * z[0]) + np.outer(np.exp(z), [1, 0, 0]),
    )
    close(bw.jvp(lambda z: z**3, (z,), (v,))[1], 3 * z**2 * v)
    close(bw.hessian(lambda z: np.sum(z**3))(z), np.diag(6 * z))
    tall = random.normal(size=(40, 3)) * (1 + 2j)
    close(bw.jacobian(lambda z: tall @ z)(z), tall)


def test_the_hessian_of_a_real_function_of_complex_arguments_is_refused():
    z = np.ones(2) * 1j

    def f(z):
        return np.sum(np.abs(z) ** 2)

    with pytest.raises(ARGUMENT, match=r"complex args\[0\].*bw\.hvp"):
        bw.hessian(f)(z)
    with pytest.raises(ARGUMENT, match="complex"):
        _ = bw.backward(bw.trace(f, z), z).hessian


# Dtypes, and arrays without axes or entries.


def test_single_precision_is_kept():
    single = x.astype(np.float32)
    for found in (
        bw.hvp(rosenbrock)(single, x),
        bw.hessian(rosenbrock)(single),
        bw.jacobian(lambda x: np.sin(x) * 2)(single),
        bw.jacobian(lambda x: np.sin(np.outer(x, np.ones(30, "f4"))))(single),
        *bw.jvp(np.tanh, (single,), (x,)),
        bw.vjp(np.tanh, single)[1](x)[0],
        bw.backward(bw.trace(rosenbrock, single), single).hessian @ single,
        bw.forward(bw.gradient_network(bw.trace(rosenbrock, single)), single)[0],
    ):
        assert found.dtype == np.float32
    np.testing.assert_allclose(
        bw.hvp(rosenbrock)(single, x), bw.hessian(rosenbrock)(x) @ x, rtol=1e-4
    )


def test_directions_of_another_dtype_are_taken():
    close(bw.hvp(lambda x: np.sum(x**3))(x, np.array([1, 0, 0, 2])), 6 * x * [1, 0, 0, 2])
    close(bw.hvp(lambda x: x**3)(2.0, 1), 12.0)
    close(bw.jvp(lambda x: x**3, (2.0,), (True,))[1], 12.0)


def test_numbers_and_empty_arrays():
    close(bw.hessian(lambda x: x**4)(2.0), 48.0)
    close(bw.jacobian(np.sin)(0.5), np.cos(0.5))
    close(bw.hvp(lambda a, b: a * b, (0, 1))(2.0, 3.0, (1.0, 10.0)), (10.0, 1.0))
    empty = np.zeros((0, 3))
    assert bw.hessian(lambda x: np.sum(x**2))(empty).shape == (0, 3, 0, 3)
    assert bw.hvp(lambda x: np.sum(x**2))(empty, empty).shape == (0, 3)
    assert bw.jacobian(np.sin)(empty).shape == (0, 3, 0, 3)
    assert bw.jvp(np.sin, (empty,), (empty,))[1].shape == (0, 3)
    assert bw.jacobian(lambda x: np.outer(x, np.zeros(0)))(x).shape == (4, 0, 4)
    assert bw.jacobian(lambda x, y: x[:, None] * y)(np.zeros(0), np.ones(30)).shape == (0, 30, 0)
    tree = {"a": np.zeros(0), "b": np.ones(2)}
    H = bw.hessian(lambda t: np.sum(t["a"]) + np.sum(t["b"] ** 2))(tree)
    assert H["a"]["b"].shape == (0, 2)
    close(H["b"]["b"], 2 * np.eye(2))


# Of higher order.


def test_third_and_fourth_derivatives():
    v, w, s = random.normal(size=(3, 4))

    def f(x):
        return np.sum(np.exp(x) * x)

    third, fourth = np.exp(x) * (x + 3), np.exp(x) * (x + 4)
    hv = bw.hvp(f)
    close(bw.grad(lambda x: np.sum(hv(x, v) * w))(x), third * v * w)
    close(bw.hvp(lambda x: np.sum(hv(x, v) * w))(x, s), fourth * v * w * s)
    close(bw.jacobian(lambda x: hv(x, v))(x), np.diag(third * v))
    close(bw.jvp(lambda x: hv(x, v), (x,), (w,))[1], third * v * w)
    # H·v is linear in v.
    close(bw.grad(lambda v: np.sum(hv(x, v) * w))(v), np.exp(x) * (x + 2) * w)
    cube = np.zeros((4, 4, 4))
    cube[range(4), range(4), range(4)] = third
    close(bw.jacobian(bw.jacobian(bw.jacobian(f)))(x), cube)
    close(bw.jacobian(bw.hessian(f))(x), cube)
    close(bw.hessian(bw.grad(lambda x: x**5))(2.0), 60 * 4.0)
    close(bw.grad(bw.grad(bw.grad(bw.grad(np.sin))))(0.4), np.sin(0.4))


def test_the_third_derivative_of_a_coupled_function_is_that_of_autograd():
    v = random.normal(size=4)
    ours = bw.hessian(lambda x: np.sum(bw.hvp(lambda x: products(np, x))(x, v)))(x)
    inner = autograd.hessian_vector_product(lambda x: products(anp, x))
    close(ours, autograd.hessian(lambda x: anp.sum(inner(x, v)))(x))


def test_forward_over_forward_and_reverse_over_forward():
    def slope(x):
        return bw.jvp(lambda x: products(np, x), (x,), (np.ones(4),))[1]

    H = autograd.hessian(lambda x: products(anp, x))(x)
    close(bw.grad(slope)(x), H @ np.ones(4))
    close(bw.jvp(slope, (x,), (x,))[1], np.ones(4) @ H @ x)
    close(bw.vjp(slope, x)[1](2.0)[0], 2 * H @ np.ones(4))


# Branches.


def test_each_branch_has_its_own_curvature():
    def f(x):
        return x**3 if x > 0 else x**2

    close(bw.hvp(f)(2.0, 1.0), 12.0)
    close(bw.hvp(f)(-2.0, 1.0), 2.0)
    close(bw.hessian(f)(-2.0), 2.0)
    close(bw.grad(lambda x: bw.hvp(f)(x, 1.0))(2.0), 6.0)


def test_guards_are_kept_in_the_network_of_the_gradient():
    graph = bw.trace(lambda x: np.sum(x**3) if np.sum(x) > 0 else np.sum(x), np.ones(3))
    for network, further in ((bw.gradient_network(graph), ()), (bw.hvp_network(graph), (x[:3],))):
        bw.forward(network, np.ones(3), *further)
        with pytest.raises(bw.errors.GuardError, match=r"test_second_order\.py:\d+.*branched"):
            bw.forward(network, -np.ones(3), *further)


# The networks themselves.


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


# The Hessian as an operator of SciPy.


def in_place(graph, *args):
    return bw.backward(graph, *args)


def over(workers, granularity="partition"):
    return lambda graph, *args: bw.run_locally(bw.plan(graph, workers, granularity), *args)


RUNS = pytest.mark.parametrize(
    "run", [in_place, over(2), over(4), over(1, "node")], ids=["here", "2", "4", "nodes"]
)


@RUNS
def test_scipy_finds_the_extreme_eigenvalues(run):
    at = random.normal(size=12)
    H = autograd.hessian(lambda x: anp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))(
        at
    )
    operator = run(bw.trace(rosenbrock, at), at).hessian
    assert (operator.shape, operator.dtype) == ((12, 12), np.float64)
    found = eigsh(operator, k=3, return_eigenvectors=False, v0=np.ones(12))
    np.testing.assert_allclose(found, np.linalg.eigvalsh(H)[-3:], rtol=1e-8)
    np.testing.assert_allclose(operator @ np.eye(12), H, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(operator.T @ np.eye(12)[0], H[0], rtol=1e-9, atol=1e-9)


@RUNS
@pytest.mark.parametrize("method", ["Newton-CG", "trust-ncg"])
def test_scipy_minimises_rosenbrock(method, run):
    start = np.array([1.3, 0.7, 0.8])
    graph = bw.trace(rosenbrock, start, argnums=0)
    passes = {}

    def at(x):
        if x.tobytes() not in passes:
            passes[x.tobytes()] = run(graph, x.copy())
        return passes[x.tobytes()]

    # trust-ncg takes no operators, but products.
    curvature = {
        "Newton-CG": {"hess": lambda x: at(x).hessian},
        "trust-ncg": {"hessp": lambda x, v: at(x).hessian @ v},
    }
    found = minimize(
        lambda x: at(x).value, start, jac=lambda x: at(x).grads, method=method, **curvature[method]
    )
    assert found.success
    np.testing.assert_allclose(found.x, 1, rtol=1e-3)


def test_an_operator_stays_where_its_pass_was():
    graph = bw.trace(lambda x: np.sum(x**4), x)
    first = bw.backward(graph, x).hessian
    bw.backward(graph, 2 * x)
    close(first @ np.ones(4), 12 * x**2)
    close(first @ np.ones(4), 12 * x**2)


def test_an_operator_of_mixed_precision_and_of_a_part_that_is_flat():
    a, b = np.ones(2, "f4"), np.full(3, 2.0)
    operator = bw.backward(bw.trace(lambda a, b: np.sum(a) + np.sum(b**3), a, b), a, b).hessian
    assert operator.dtype == np.float64
    close(operator @ np.ones(5), np.array([0.0, 0, 12, 12, 12]))


def test_the_operator_of_a_linear_function_is_zero():
    graph = bw.trace(lambda x: np.sum(x) * 2, x)
    for result in (bw.backward(graph, x), bw.run_locally(bw.plan(graph, 2), x)):
        close(result.hessian @ np.ones(4), np.zeros(4))


# Random networks.


def smooth_numeric(gradient, args, v, t=1e-6):
    up = gradient(*(np.asarray(a + t * d, a.dtype) for a, d in zip(args, v, strict=True)))
    down = gradient(*(np.asarray(a - t * d, a.dtype) for a, d in zip(args, v, strict=True)))
    return [(a - b) / (2 * t) for a, b in zip(up, down, strict=True)]


def paired(left, right):
    return float(sum(np.sum(np.asarray(a) * b) for a, b in zip(left, right, strict=True)))


@given(programs(max_steps=8), st.integers(0, 2**32))
@settings(max_examples=60)
def test_the_hessian_of_a_random_network_is_symmetric_and_that_of_finite_differences(program, seed):
    single = any(name == "single" for name, _, _ in program.steps)
    numbers = np.random.default_rng(seed)
    u, v = ([numbers.normal(size=a.shape) for a in program.args] for _ in range(2))
    argnums = tuple(range(len(program.args)))
    product = bw.hvp(program, argnums)
    Hu, Hv = product(*program.args, tuple(u)), product(*program.args, tuple(v))
    scale = 1 + sum(float(np.sum(np.abs(each))) for each in (*Hu, *Hv))
    assert abs(paired(u, Hv) - paired(v, Hu)) <= (1e-3 if single else 1e-9) * scale
    if single:
        return
    branches = {"maximum", "where", "max"}  # near a kink a difference sees both sides
    if branches & {name for name, _, _ in program.steps}:
        return
    graph = program.graph()
    if not graph.on_network[graph.output]:
        return
    gradient = bw.grad(program, argnums)
    for one, other in zip(Hv, smooth_numeric(gradient, program.args, v), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6 * scale)


@given(programs(max_steps=6), st.integers(1, 4))
@settings(max_examples=40)
def test_a_product_over_workers_has_the_same_bits_and_counts(program, workers):
    graph = program.graph()
    network = bw.hvp_network(graph)
    if not network.on_network[network.output]:
        return
    v = tuple(np.cos(np.arange(a.size, dtype=a.dtype)).reshape(a.shape) for a in program.args)
    v = v[0] if len(v) == 1 else v
    result = bw.run_locally(bw.plan(network, workers), *program.args, v)
    assert_same_bits(result, bw.backward(network, *program.args, v))
    argnums = tuple(range(len(program.args))) if len(program.args) > 1 else 0
    ours = optree.tree_leaves(bw.hvp(program, argnums)(*program.args, v))
    assert [bits(each) for each in ours] == [
        bits(each) for each in optree.tree_leaves(result.grads)
    ]
    assert result.ledger.messages == network.num_edges


@given(programs(max_steps=6))
@settings(max_examples=40)
def test_forward_mode_is_the_transpose_of_reverse_on_random_networks(program):
    numbers = np.random.default_rng(0)
    v = tuple(numbers.normal(size=a.shape) for a in program.args)
    slope = bw.jvp(program, program.args, v)[1]
    (pulled) = bw.vjp(program, *program.args)[1](np.ones((), np.asarray(slope).dtype))
    scale = 1 + sum(float(np.sum(np.abs(each))) for each in pulled)
    single = any(name == "single" for name, _, _ in program.steps)
    assert abs(paired(pulled, v) - slope) <= (1e-4 if single else 1e-10) * scale


# What the caller may get wrong: one clear error each.

TREE = {"a": x, "b": x}


def of_tree(t):
    return np.sum(t["a"] ** 2 * t["b"])


def of_two(x, y):
    return np.sum(x**2 * y)


def cubes(x):
    return np.sum(x**3)


MISTAKES = {
    "no v": (lambda: bw.hvp(cubes)(x), r"arguments of f and then v.*given 1"),
    "no v after two": (lambda: bw.hvp(of_two)(x, x), r"'y' without v"),
    "v too long": (lambda: bw.hvp(cubes)(x, np.ones(5)), r"v for args\[0\] has shape \(5,\)"),
    "v a list": (lambda: bw.hvp(cubes)(x, [1.0, 2.0, 3.0, 4.0]), r"v has the structure \[\*"),
    "v None": (lambda: bw.hvp(cubes)(x, None), "v has the structure None"),
    "v text": (lambda: bw.hvp(cubes)(x, "abcd"), r"v for args\[0\] is of dtype"),
    "v complex": (lambda: bw.hvp(cubes)(x, 1j * x), "is complex"),
    "v a Shape": (lambda: bw.hvp(cubes)(x, bw.Shape(4)), "dtype object"),
    "other keys": (lambda: bw.hvp(of_tree)(TREE, {"a": x, "c": x}), r"'c'.*'b'"),
    "a key too few": (lambda: bw.hvp(of_tree)(TREE, {"a": x}), "v has the structure"),
    "no tuple of one": (lambda: bw.hvp(of_two, (0,))(x, x, x), r"has \(\*,\)"),
    "argnums too large": (lambda: bw.hvp(cubes, 1)(x, x), "there are only 1"),
    "argnums negative": (lambda: bw.hessian(cubes, -2)(x), "there are only 1"),
    "argnums a list": (lambda: bw.jacobian(cubes, [0])(x), "a tuple of ints"),
    "argnums a bool": (lambda: bw.hessian(cubes, True)(x), "a tuple of ints"),
    "argnums twice": (lambda: bw.grad(of_two, (0, -2))(x, x), "twice"),
    "argnums none": (lambda: bw.hessian(cubes, ())(x), "nothing is differentiated"),
    "argnums none of hvp": (lambda: bw.hvp(cubes, ())(x, ()), "nothing is differentiated"),
    "f no function": (lambda: bw.hessian(3)(x), "a function is needed"),
    "integers": (lambda: bw.hvp(cubes)(np.arange(3), x[:3]), "needs floating point"),
    "text": (lambda: bw.jacobian(cubes)("abc"), "not an array or a number"),
    "shapes": (lambda: bw.hvp(cubes)(bw.Shape(4), x), "needs arrays"),
    "jvp of arrays": (lambda: bw.jvp(cubes, x, x), "two tuples"),
    "tangents too few": (lambda: bw.jvp(of_two, (x, x), (x,)), "2 arguments and 1 tangents"),
    "tangents None": (lambda: bw.jvp(of_two, (x, x), (x, None)), r"\(\*, None\)"),
    "tangent too short": (lambda: bw.jvp(cubes, (x,), (x[1:],)), r"shape \(3,\)"),
    "tangent of other keys": (lambda: bw.jvp(of_tree, (TREE,), ({"a": x, "c": x},)), "'c'"),
    "tangent text": (lambda: bw.jvp(np.sin, (1.0,), ("a",)), "dtype <U1"),
    "tangent complex": (lambda: bw.jvp(np.sin, (x,), (1j * x,)), "is complex"),
    "S too long": (lambda: bw.vjp(np.sin, x)[1](np.ones(5)), r"S at the output has shape \(5,\)"),
    "S None": (lambda: bw.vjp(np.sin, x)[1](None), "S has the structure None"),
    "S text": (lambda: bw.vjp(np.sin, 1.0)[1]("a"), "dtype <U1"),
    "S complex": (lambda: bw.vjp(np.sin, x)[1](1j * x), "is complex"),
    "S of other keys": (
        lambda: bw.vjp(lambda x: {"a": x, "b": x * 2}, x)[1]({"a": x, "c": x}), r"'c'.*'b'"
    ),
    "no graph": (lambda: bw.gradient_network(cubes), r"bw\.trace"),
    "no graph to run": (lambda: bw.forward(cubes, x), r"bw\.trace"),
    "no graph of a product": (lambda: bw.hvp_network(cubes), r"bw\.trace"),
    "no graph to go back": (lambda: bw.backward(cubes, x), r"bw\.trace"),
    "other shapes": (lambda: bw.forward(bw.trace(np.sin, x), x[1:]), "trace it again"),
    "shapes to run": (lambda: bw.forward(bw.trace(np.sin, x), bw.Shape(4)), "bw.Shape"),
    "operator of nothing": (
        lambda: bw.backward(bw.trace(cubes, x, argnums=()), x).hessian, "not depend"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("call", "match"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_clear_error(call, match):
    with pytest.raises(bw.errors.BackwaveError, match=match):
        call()


@pytest.mark.parametrize(
    "returned",
    [None, "text", {}, [x, "text"], object()],
    ids=["none", "text", "dict", "list", "object"],
)
@pytest.mark.parametrize(
    "run",
    [
        lambda f: bw.grad(f)(x),
        lambda f: bw.hvp(f)(x, x),
        lambda f: bw.hessian(f)(x),
        lambda f: bw.jacobian(f)(x),
        lambda f: bw.jvp(f, (x,), (x,)),
        lambda f: bw.vjp(f, x),
    ],
    ids=["grad", "hvp", "hessian", "jacobian", "jvp", "vjp"],
)
def test_a_value_that_is_no_array_is_refused_by_name(run, returned):
    def myfunction(x):
        return returned

    with pytest.raises(bw.errors.TraceError, match="myfunction returned"):
        run(myfunction)


@pytest.mark.parametrize("returned", [3.0, (3.0,), (3.0, 1, 2), [3.0, 1]], ids=str)
@pytest.mark.parametrize(
    "run",
    [
        lambda f: bw.grad(f, has_aux=True)(x),
        lambda f: bw.value_and_grad(f, has_aux=True)(x),
        lambda f: bw.jvp(f, (x,), (x,), has_aux=True),
        lambda f: bw.vjp(f, x, has_aux=True),
        lambda f: bw.hvp(f, has_aux=True)(x, x),
        lambda f: bw.hessian(f, has_aux=True)(x),
        lambda f: bw.jacobian(f, has_aux=True)(x),
    ],
    ids=["grad", "value_and_grad", "jvp", "vjp", "hvp", "hessian", "jacobian"],
)
def test_has_aux_without_a_pair_is_refused(run, returned):
    with pytest.raises(bw.errors.TraceError, match="must return a pair"):
        run(lambda x: returned)


@pytest.mark.parametrize("run", [bw.hvp, bw.hessian], ids=["hvp", "hessian"])
def test_a_value_that_is_not_one_number_has_no_hessian(run):
    further = (x,) if run is bw.hvp else ()
    for f in (np.sin, lambda x: (np.sum(x), np.sum(x)), lambda x: 3):
        with pytest.raises(bw.errors.NotScalarError):
            run(f)(x, *further)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_times_a_python_number_keeps_its_dtype(dtype):
    v = np.linspace(0.5, 1.5, 6).astype(dtype).reshape(2, 3)
    for f in (
        lambda x: 1.0 * np.prod(x),
        lambda x: np.tensordot(x, x) * 1.0,
        lambda x: 1.0 * np.linalg.norm(x) + 0.0,
    ):
        found = bw.hvp(f)(v, v)
        assert found.dtype == dtype
        exact = bw.hvp(f)(v.astype(float), v.astype(float))
        np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-6)
