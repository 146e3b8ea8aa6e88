"""What the caller of a derivative may get wrong: one clear error each."""

import numpy as np
import pytest

import backwave as bw

from .functions import x

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
