"""The Hessian as an operator of SciPy, in this process and over workers."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse.linalg import eigsh

import backwave as bw

from .functions import close, random, rosenbrock, x


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
