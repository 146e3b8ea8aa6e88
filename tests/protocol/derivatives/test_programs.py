"""Whole programs, the examples, against HIPS/autograd: the same file, with its NumPy for ``np``."""

import importlib.util
from types import SimpleNamespace

import autograd
import autograd.numpy as anp
import autograd.scipy.special
import numpy as np
import optree
import pytest

import backwave as bw
from backwave.scripts.load import load_target

from ...networks import EXAMPLES

RTOL = 1e-10


class Logaddexp:
    """``np.logaddexp`` for autograd, with the ``reduce`` that it lacks."""

    def __call__(self, a, b):
        return anp.logaddexp(a, b)

    def reduce(self, a, axis=0, keepdims=False):
        return autograd.scipy.special.logsumexp(a, axis=axis, keepdims=keepdims)


def take_along_axis(a, indices, axis):
    """``np.take_along_axis``, whose gradient autograd lacks."""
    grid = list(np.ogrid[tuple(map(slice, indices.shape))])
    grid[axis] = indices
    return a[tuple(grid)]


def pad(a, width, mode="constant"):
    """``np.pad``, whose mode autograd must be told."""
    return anp.pad(a, width, mode)


HERE = {"logaddexp": Logaddexp(), "take_along_axis": take_along_axis, "pad": pad}
AUTOGRAD_NUMPY = SimpleNamespace(**{**vars(anp), **HERE})


def theirs(path):
    """The loss of a file whose ``np`` is autograd's; its module-level constants are NumPy's."""
    spec = importlib.util.spec_from_file_location(f"autograd_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.np = AUTOGRAD_NUMPY
    return module.loss


def by_leaves(loss, args):
    """The loss as a function of the leaves of its first argument: autograd knows no named tuples.

    Each leaf becomes an array of floats: autograd is particular about ints and Python floats.
    """
    leaves, structure = optree.tree_flatten(args[0])
    leaves = [np.asarray(leaf, dtype=float) for leaf in leaves]
    return leaves, lambda leaves: loss(optree.tree_unflatten(structure, leaves), *args[1:])


def assert_equal_to_rounding(ours, theirs):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    scale = np.max(np.abs(theirs), initial=0.0)
    np.testing.assert_allclose(ours, theirs, rtol=RTOL, atol=1e-12 * scale)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_value_and_gradient_are_those_of_autograd(path):
    target = load_target(str(path))
    leaves, function = by_leaves(theirs(path), target.args)
    expected_value, expected = autograd.value_and_grad(function)(leaves)

    value, gradient = bw.value_and_grad(target.function)(*target.args)
    assert_equal_to_rounding(value, expected_value)
    assert_equal_to_rounding(value, target.function(*target.args))
    assert optree.tree_structure(gradient) == optree.tree_structure(target.args[0])
    for ours, other in zip(optree.tree_leaves(gradient), expected, strict=True):
        assert_equal_to_rounding(ours, other)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_one_message_goes_along_each_edge(path):
    target = load_target(str(path))
    graph = bw.trace(target.function, *target.args, argnums=0)
    result = bw.backward(graph, *target.args)
    assert result.ledger.messages == result.ledger.edges == graph.num_edges > 0
    gradient = bw.grad(target.function)(*target.args)  # on as many threads as BLAS likes
    for one, other in zip(
        optree.tree_leaves(result.grads), optree.tree_leaves(gradient), strict=True
    ):
        assert_equal_to_rounding(one, other)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_autograd_agrees_with_finite_differences(path):
    """The oracle is asked as well: a program that is not smooth would prove little."""
    target = load_target(str(path))
    leaves, function = by_leaves(theirs(path), target.args)
    random = np.random.default_rng(0)
    direction = [random.normal(size=leaf.shape) for leaf in leaves]
    length = np.sqrt(sum(np.sum(d**2) for d in direction))

    def along(step):
        moved = [x + step / length * d for x, d in zip(leaves, direction, strict=True)]
        _, plain = by_leaves(target.function, target.args)
        return plain(moved)

    h = 2e-5
    # Fourth order, so that a long step, and little rounding, will do.
    slope = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
    pairs = zip(autograd.grad(function)(leaves), direction, strict=True)
    exact = sum(np.sum(g * d) for g, d in pairs) / length
    assert abs(slope - exact) <= 1e-6 * max(abs(exact), 1e-3 * abs(along(0.0)))


@pytest.mark.parametrize(("size", "sequence", "width"), [(3, 5, 8), (1, 7, 16), (2, 2, 4)])
def test_a_transformer_of_any_size_to_second_order(size, sequence, width):
    (path,) = (path for path in EXAMPLES if path.stem == "transformer_block")
    target = load_target(str(path))
    file = target.function.__globals__
    random = np.random.default_rng(4)
    params = file["parameters"](random, width)
    # The norms and biases do something here.
    params = {name: p + 0.1 * random.normal(size=p.shape) for name, p in params.items()}
    args = params, *file["batch"](random, size, sequence, width)
    direction = {name: random.normal(size=p.shape) for name, p in params.items()}

    their_gradient = autograd.grad(theirs(path))

    def along(params):
        gradient = their_gradient(params, *args[1:])
        return sum(anp.sum(gradient[name] * direction[name]) for name in params)

    gradient, product = their_gradient(*args), autograd.grad(along)(params)
    our_gradient = bw.grad(target.function)(*args)
    our_product = bw.hvp(target.function)(*args, direction)
    for name in params:
        assert_equal_to_rounding(our_gradient[name], gradient[name])
        assert_equal_to_rounding(our_product[name], product[name])
