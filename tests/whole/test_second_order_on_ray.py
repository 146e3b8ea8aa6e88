"""Second derivatives and users' primitives over a real local Ray cluster."""

import importlib
import sys

import numpy as np
import optree
import pytest
from scipy.sparse.linalg import eigsh

import backwave as bw
from backwave.protocol.rules import TABLE

from ..networks import assert_same_bits
from .conftest import function_of, traced

NAMES = ["article", "digits_mlp", "rosenbrock", "tensor_factors"]


@pytest.fixture(params=[1, 2, 4])
def workers(cluster, request):
    before = cluster.workers
    cluster.workers = request.param
    yield cluster
    cluster.workers = before


def like(tree, seed=0):
    random = np.random.default_rng(seed)
    return optree.tree_map(
        lambda leaf: random.normal(size=np.shape(leaf)).astype(np.asarray(leaf).dtype),
        tree,
        namespace="backwave",
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_hessian_product_is_one_more_wave_with_the_same_bits(workers, name):
    graph, args = traced(name)
    v = like(args[0])
    result = workers.hvp(graph, *args, v)
    ours = optree.tree_leaves(result.grads, namespace="backwave")
    theirs = optree.tree_leaves(bw.hvp(function_of(name))(*args, v), namespace="backwave")
    assert [np.asarray(a).tobytes() for a in ours] == [np.asarray(b).tobytes() for b in theirs]
    network = bw.hvp_network(graph)
    assert result.plan.graph is network
    assert result.plan.partitions == workers.workers
    ledger = result.ledger
    assert ledger.messages == ledger.edges == network.num_edges
    assert ledger.cross_messages == ledger.cut_edges == result.plan.cut_edges
    assert_same_bits(result, bw.backward(network, *args, v))


@pytest.mark.parametrize(
    ("granularity", "schedule"),
    [
        pytest.param("layer", "eager", marks=pytest.mark.long),  # as many processes as levels
        ("partition", "level"),
    ],
)
def test_other_granularities_and_schedules(cluster, granularity, schedule):
    graph = bw.trace(
        lambda w, x: np.sum(np.tanh(x @ w) ** 2), np.ones((3, 2)), np.ones((4, 3)), argnums=0
    )
    args = like((np.ones((3, 2)), np.ones((4, 3))))
    v = like(np.ones((3, 2)), 1)
    result = cluster.hvp(graph, *args, v, granularity=granularity, schedule=schedule)
    assert_same_bits(result, bw.backward(bw.hvp_network(graph), *args, v))


def test_scipy_drives_the_hessian_of_a_pass_on_the_cluster(workers):
    random = np.random.default_rng(1)
    w, x = random.normal(size=(4, 2)), random.normal(size=(6, 4))

    def loss(w, x):
        return np.sum(np.tanh(x @ w) ** 2)

    graph = bw.trace(loss, w, x, argnums=0)
    result = workers.backward(graph, w, x)
    H = bw.hessian(loss)(w, x).reshape(8, 8)
    t = 1e-6
    numeric = [
        (bw.grad(loss)(w + t * e, x) - bw.grad(loss)(w - t * e, x)).ravel() / (2 * t)
        for e in np.eye(8).reshape(8, 4, 2)
    ]
    np.testing.assert_allclose(H, numeric, atol=1e-7)
    found = eigsh(result.hessian, k=2, which="LA", return_eigenvectors=False, v0=np.ones(8))
    np.testing.assert_allclose(found, np.linalg.eigvalsh(H)[-2:], rtol=1e-9)
    # The gradient's plan is still loaded, or is loaded again.
    assert_same_bits(workers.backward(graph, w, x), bw.backward(graph, w, x))


def test_arguments_in_the_order_of_argnums(cluster):
    a, b = np.arange(2.0), np.arange(1.0, 4.0)
    graph = bw.trace(lambda a, b: np.sum(a**3) + np.sum(b**2) * np.sum(a), a, b, argnums=(1, 0))
    result = cluster.hvp(graph, a, b, (b, a))
    reference = bw.hvp(lambda a, b: np.sum(a**3) + np.sum(b**2) * np.sum(a), (1, 0))(a, b, (b, a))
    closed = (2 * b * np.sum(a) + 2 * b * np.sum(a), 6 * a * a + 2 * b @ b)
    for ours, theirs, known in zip(result.grads, reference, closed, strict=True):
        assert ours.tobytes() == theirs.tobytes()
        np.testing.assert_allclose(ours, known)
    operator = cluster.backward(graph, a, b).hessian
    np.testing.assert_allclose(operator @ np.concatenate([b, a]), np.concatenate(closed))


def test_mistakes_are_clear(cluster):
    x = np.ones(3)
    graph = bw.trace(lambda x: np.sum(x**2), x)
    with pytest.raises(bw.errors.ArgumentError, match="takes 1 arguments and then v"):
        cluster.hvp(graph, x)
    with pytest.raises(bw.errors.ArgumentError, match=r"v for args\[0\] has shape \(4,\)"):
        cluster.hvp(graph, x, np.ones(4))
    with pytest.raises(bw.errors.IndependentOutputError):
        cluster.hvp(bw.trace(np.sum, x), x, x)
    np.testing.assert_array_equal(cluster.backward(bw.trace(np.sum, x), x).hessian @ x, np.zeros(3))
    branching = bw.trace(lambda x: np.sum(x**2) if x[0] > 0 else np.sum(x), x)
    with pytest.raises(bw.errors.GuardError):
        cluster.hvp(branching, -x, x)


# Users' primitives.

MODULE = """
import numpy as np
import backwave as bw
from scipy import special


@bw.primitive(shape=lambda z: z)
def log_gamma(z):
    return special.gammaln(z)


@log_gamma.message
def _(S, u, z):
    return S * digamma(z)


@bw.primitive(shape=lambda z: z)
def digamma(z):
    return special.psi(z)


@digamma.message
def _(S, u, z):
    return S * trigamma(z)


@bw.primitive(shape=lambda z: z)
def trigamma(z):
    return special.polygamma(1, z)


trigamma.message(None)


def loss(x):
    return np.sum(log_gamma(np.exp(x)) ** 2)
"""


@pytest.fixture
def loss(tmp_path, monkeypatch, request):
    name = f"travels_to_ray_{request.node.name.split('[')[0][-20:]}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module(name).loss
    sys.modules.pop(name, None)
    for key in [key for key in TABLE if key.startswith(name)]:
        del TABLE[key]


def test_a_primitive_in_a_folder_of_the_users_travels_to_the_workers(cluster, loss):
    x = np.linspace(0.1, 0.9, 4)
    graph = bw.trace(loss, x)
    result = cluster.backward(graph, x)
    assert_same_bits(result, bw.backward(graph, x))
    t = 1e-6
    numeric = [(loss(x + t * e) - loss(x - t * e)) / (2 * t) for e in np.eye(4)]
    np.testing.assert_allclose(result.grads[0], numeric, rtol=1e-7)
    product = cluster.hvp(graph, x, np.ones(4))
    assert product.grads.tobytes() == bw.hvp(loss)(x, np.ones(4)).tobytes()
    gradient = bw.grad(loss)
    numeric = (gradient(x + t) - gradient(x - t)) / (2 * t)
    np.testing.assert_allclose(product.grads, numeric, rtol=1e-6)


def test_a_primitive_that_workers_cannot_import_is_refused_before_anything_is_sent(cluster):
    @bw.primitive
    def local(z):
        return z * 2.0

    local.message(lambda S, u, z: S * 2.0)
    graph = bw.trace(lambda x: np.sum(local(x)), np.ones(3))
    with pytest.raises(bw.errors.UnknownPrimitiveError, match="inside a function"):
        cluster.backward(graph, np.ones(3))
    plain = bw.trace(lambda x: np.sum(x * 2.0), np.ones(3))
    assert cluster.backward(plain, np.ones(3)).value == 6  # and the workers are still of use


def test_a_checkpoint_on_workers_gives_the_same_bits(workers):
    def block(x):
        return np.sin(np.exp(x) * 0.3) * x

    def f(x):
        for _ in range(5):
            x = bw.checkpoint(block)(x)
        return np.sum(x**2)

    x = np.linspace(0.1, 0.9, 4)
    graph = bw.trace(f, x)
    result = workers.backward(graph, x)
    assert_same_bits(result, bw.backward(graph, x))
    assert 0 < result.ledger.recomputed <= bw.backward(graph, x).ledger.recomputed == 15
