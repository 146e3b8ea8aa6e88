"""Plans run in this process: the same bits as the reference, whatever the partition."""

from pathlib import Path

import numpy as np
import optree
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backwave as bw
from backwave.scripts.load import load_target

from ..networks import networks

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


def assert_same_bits(result, reference):
    pairs = [(result.value, reference.value)]
    pairs += zip(optree.tree_leaves(result.grads), optree.tree_leaves(reference.grads), strict=True)
    pairs += [(result.S[u], S) for u, S in reference.S.items()]
    for ours, theirs in pairs:
        assert np.shape(ours) == np.shape(theirs)
        assert np.asarray(ours).tobytes() == np.asarray(theirs).tobytes()


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("policy", ["eager", "level"])
@pytest.mark.parametrize("granularity", ["node", "layer", "partition"])
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples(path, granularity, policy, workers):
    target = load_target(str(path))
    graph = bw.trace(target.function, *target.args, argnums=0)
    the_plan = bw.plan(graph, workers, granularity, policy=policy)
    result = bw.run_locally(the_plan, *target.args)
    assert_same_bits(result, bw.backward(graph, *target.args))
    assert result.ledger.messages == result.ledger.edges == graph.num_edges
    assert result.ledger.cross_messages == the_plan.cut_edges


@settings(max_examples=200)
@given(networks(), st.data(), st.sampled_from(["eager", "level"]))
def test_any_mapping_of_any_network(network, data, policy):
    graph, args = network
    mapping = data.draw(
        st.lists(st.integers(0, 3), min_size=len(graph.nodes), max_size=len(graph.nodes))
    )
    the_plan = bw.plan(graph, 4, partitioner=mapping, policy=policy)
    assert_same_bits(bw.run_locally(the_plan, *args), bw.backward(graph, *args))


def test_the_gradient_is_right_and_not_only_the_same():
    def loss(w):
        return np.sum(np.tanh(w) ** 3)

    w = np.linspace(-1, 1, 7)
    graph = bw.trace(loss, w)
    (gradient,) = bw.run_locally(bw.plan(graph, 3), w).grads
    np.testing.assert_allclose(gradient, 3 * np.tanh(w) ** 2 / np.cosh(w) ** 2, rtol=1e-12)


def test_asking_for_a_gpu_where_cupy_is_missing_is_one_clear_error():
    try:
        import cupy  # noqa: F401
    except ImportError:
        graph = bw.trace(lambda x: np.sum(np.tanh(x)), np.ones(3))
        with pytest.raises(bw.errors.ClusterError, match=r"CuPy cannot be imported.*backwave\[gpu"):
            bw.run_locally(bw.plan(graph, 1, gpus=1), np.ones(3))
    else:
        pytest.skip("CuPy is here")
