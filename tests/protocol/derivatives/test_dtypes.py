"""Derivatives of complex and single numbers, and of arrays without axes or entries."""

import numpy as np
import pytest

import backwave as bw

from .functions import ARGUMENT, close, random, rosenbrock, x

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
