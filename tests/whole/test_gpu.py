"""On a real GPU, where there is one: the same network, its arrays CuPy's."""

import numpy as np
import optree
import pytest

import backwave as bw
from backwave.actors.device import device
from backwave.protocol.node import fit
from backwave.protocol.rules import TABLE
from backwave.protocol.tracing.trace import record
from backwave.scripts.functions import GPUS_LACK
from backwave.scripts.load import load_target

from ..protocol.rules.cases import CASES, FLAT
from ..protocol.scalar.drawn import assert_close as assert_network_close
from ..protocol.scalar.drawn import network
from .conftest import EXAMPLES, ROOT, function_of, traced

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module", autouse=True)
def _needs_a_gpu():
    try:
        device("gpu")
    except bw.errors.ClusterError as error:
        pytest.skip(str(error))


def assert_close(result, reference):
    """A device rounds in its own way: agreement is to rounding, not to the bit."""
    np.testing.assert_allclose(result.value, reference.value, rtol=1e-10)
    for ours, theirs in zip(
        optree.tree_leaves(result.grads), optree.tree_leaves(reference.grads), strict=True
    ):
        scale = np.max(np.absolute(theirs))
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12 * max(scale, 1.0))


@pytest.mark.parametrize("gpus", [1, 2])
@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_in_this_process(name, gpus):
    target = load_target(str(ROOT / "examples" / f"{name}.py"))
    graph = bw.trace(target.function, *target.args, argnums=0)
    result = bw.run_locally(bw.plan(graph, 2, gpus=gpus), *target.args)
    assert result.ledger.messages == graph.num_edges
    assert_close(result, bw.backward(graph, *target.args))


def test_two_actors_share_a_gpu():
    target = load_target(str(ROOT / "examples" / "digits_mlp.py"))
    graph = bw.trace(target.function, *target.args, argnums=0)
    with bw.Cluster(workers=2, gpus=2) as cluster:
        result = cluster.backward(graph, *target.args)
        assert [share.device for share in result.workers] == ["gpu", "gpu"]
        assert_close(result, bw.backward(graph, *target.args))


@pytest.mark.parametrize("name", ["article", "digits_mlp", "rosenbrock", "tensor_factors"])
def test_a_hessian_product_on_a_gpu(name):
    graph, args = traced(name)
    random = np.random.default_rng(0)
    v = optree.tree_map(
        lambda leaf: random.normal(size=np.shape(leaf)).astype(np.asarray(leaf).dtype)[()],
        args[0],
        namespace="backwave",
    )
    with bw.Cluster(workers=2, gpus=2) as cluster:
        result = cluster.hvp(graph, *args, v)
    assert [share.device for share in result.workers] == ["gpu", "gpu"]
    ours = optree.tree_leaves(result.grads, namespace="backwave")
    theirs = optree.tree_leaves(bw.hvp(function_of(name))(*args, v), namespace="backwave")
    for mine, other in zip(ours, theirs, strict=True):
        assert_near(mine, other)


# Every rule.

LIBRARY_CHOOSES = {"eig", "eigh", "qr", "svd", "eigvals", "argpartition"}
"""Of their values the order, the signs or the phases are the library's own choice."""


def assert_near(ours, theirs):
    """Agreement to rounding, of the dtype and beside the largest entry."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    if ours.dtype.kind not in "fc":
        np.testing.assert_array_equal(ours, theirs)
        return
    finite = np.absolute(theirs[np.isfinite(theirs)])
    scale = max(np.max(finite, initial=0.0), 1.0)
    np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10 * scale)


def require_near_on_a_gpu(gpu, case):
    """Hold what each rule of a case gives on the GPU to what it gives on the CPU."""
    random = np.random.default_rng(1)
    graph, values, *_ = record(case.numpy, case.arrays)
    for node in graph.nodes:
        z = [values[i] for i in node.inputs]
        there = [gpu.put(value) for value in z]
        if all(mine is other for mine, other in zip(z, there, strict=True)):
            continue  # Python numbers, or nothing: no rule of it runs on a GPU
        primitive = TABLE[node.primitive]
        u = primitive.forward(*z, **node.attributes)
        try:
            value = gpu.get(primitive.forward(*there, **node.attributes))
        except TypeError:
            listed = {*GPUS_LACK["values"]}
            if any(np.iscomplexobj(each) for each in z):
                listed |= {*GPUS_LACK["complex values"]}
            assert node.primitive in listed
            continue
        if node.primitive in LIBRARY_CHOOSES:
            assert (np.shape(value), value.dtype) == (np.shape(u), u.dtype)
        else:
            assert_near(value, u)
        for place, input_value in enumerate(z):
            rule = primitive.message(place)
            kind = np.asarray(input_value).dtype.kind
            if rule is None or kind not in "fc" or node.primitive == "eigvals":
                continue
            S = random.normal(size=node.shape).astype(node.dtype)[()]
            shape, dtype = np.shape(input_value), np.asarray(input_value).dtype
            here = fit(rule(S, u, *z, **node.attributes), shape, dtype)
            try:
                # u as NumPy has it, so that messages know the same signs and phases.
                message = rule(gpu.put(S), gpu.put(u), *there, **node.attributes)
            except TypeError:
                assert node.primitive in GPUS_LACK["messages"]
                continue
            assert_near(gpu.get(fit(message, shape, dtype)), here)


def test_every_rule_on_a_gpu():
    gpu = device("gpu")
    troubles = []
    with np.errstate(all="ignore"):
        for case in CASES + FLAT:
            try:
                require_near_on_a_gpu(gpu, case)
            except Exception as error:  # all of them in one report
                troubles.append(f"{case}: {type(error).__name__}: {error}")
    assert not troubles, "\n\n".join(troubles)


@pytest.mark.parametrize("combiner", [False, True])
@pytest.mark.parametrize("partitioner", ["levels", "width"])
def test_a_scalar_network_on_a_gpu(partitioner, combiner):
    made = network(4, nodes=200, edges=1500, given=20)
    net = made.network
    reference = bw.backward(net, made.inputs)
    for gpus in (1, 2):
        the_plan = bw.plan(net, 2, partitioner=partitioner, combiner=combiner, gpus=gpus)
        result = bw.run_locally(the_plan, made.inputs)
        assert [share.device for share in result.workers].count("gpu") == gpus
        assert result.ledger.messages == net.num_edges
        assert_network_close(result, reference, rtol=1e-9)


def test_a_traced_scalar_graph_on_a_gpu():
    def loop(w, x):
        total = 0.0
        for i in range(8):
            total = np.tanh(total + w[i] * x[i]) / (1.0 + w[i] * w[i])
        return np.where(total > 0.0, total, total**3) + np.maximum(total, 0.1)

    args = np.linspace(-1, 1, 8), np.linspace(0.5, 2, 8)
    net = bw.Network.from_graph(bw.trace(loop, *args))
    inputs = np.concatenate(args)
    result = bw.run_locally(bw.plan(net, 1, gpus=1), inputs)
    assert_network_close(result, bw.backward(net, inputs), rtol=1e-9)
