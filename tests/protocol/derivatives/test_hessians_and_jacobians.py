"""Hessians, their products and Jacobians, against HIPS/autograd and closed forms."""

import autograd
import autograd.numpy as anp
import numpy as np
import optree
import pytest

import backwave as bw

from .functions import CLOSE, FUNCTIONS, close, mlp, products, random, x

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
        with pytest.raises(
            bw.errors.GuardError, match=r"test_hessians_and_jacobians\.py:\d+.*branched"
        ):
            bw.forward(network, -np.ones(3), *further)
