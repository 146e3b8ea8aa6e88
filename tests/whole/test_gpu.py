"""On a real GPU, where there is one: the same network, its arrays CuPy's."""

import numpy as np
import optree
import pytest

import backwave as bw
from backwave.actors.device import device
from backwave.scripts.load import load_target

from .conftest import EXAMPLES, ROOT

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
