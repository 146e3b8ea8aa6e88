"""Workers in this process give the bits of a run in one place, however the nodes are spread."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backwave as bw
from backwave.actors.execute import execute, new_run
from backwave.actors.local import LocalEngine
from backwave.protocol.message import Frame

from ..networks import EXAMPLES, SHORT_EXAMPLES, assert_same_bits, example, mapping, programs

DIALS = [("node", 1), ("layer", 1), ("partition", 1), ("partition", 2), ("partition", 4)]
CASES = [
    (path, granularity, workers)
    for granularity, workers in DIALS
    for path in (EXAMPLES if granularity == "partition" else SHORT_EXAMPLES)
]


@pytest.mark.parametrize("policy", ["eager", "level"])
@pytest.mark.parametrize(
    ("path", "granularity", "workers"), CASES, ids=[f"{p.stem}-{g}-{w}" for p, g, w in CASES]
)
def test_examples_give_the_same_bits_and_counts(path, granularity, workers, policy):
    graph, args = example(path)
    reference = bw.backward(graph, *args)
    the_plan = bw.plan(graph, workers, granularity, policy=policy)
    result = bw.run_locally(the_plan, *args)
    assert_same_bits(result, reference)
    ledger = result.ledger
    assert ledger.messages == ledger.edges == graph.num_edges
    assert ledger.cross_messages == ledger.cut_edges == the_plan.cut_edges
    assert ledger.retransmissions == 0
    for count in ("nodes", "sums", "multiplies", "receivers", "waves", "inputs_without_gradient"):
        assert getattr(ledger, count) == getattr(reference.ledger, count)
    if workers == 1 and granularity == "partition":
        assert (ledger.frames, ledger.forward_frames, ledger.header_bytes) == (0, 0, 0)


class Carried(LocalEngine):
    """Workers in this process whose frames travel as they do between processes."""

    def __init__(self, plan, run, carry):
        super().__init__(plan, run)
        self._carry = carry

    def give(self, frame):
        return self._carry(frame)

    def fire(self, stage, number, check_finite, frames):
        report, sent = super().fire(stage, number, check_finite, frames)
        return report, [self._carry(frame) for frame in sent]


def by_file(frame):
    return Frame.from_bytes(frame.to_bytes())


def by_pickle(frame):
    return pickle.loads(pickle.dumps(frame, protocol=5))


def carried(the_plan, args, carry):
    run = new_run()
    return execute(the_plan, Carried(the_plan, run, carry), args, run=run, number=0)


@given(programs(), st.integers(1, 4), st.integers(0, 2**32))
@settings(max_examples=150)
def test_random_networks_in_random_partitions_give_the_same_bits(program, workers, seed):
    graph = program.graph()
    reference = bw.backward(graph, *program.args)
    the_plan = bw.plan(graph, workers, partitioner=mapping(graph, workers, seed))
    assert_same_bits(bw.run_locally(the_plan, *program.args), reference)
    assert_same_bits(carried(the_plan, program.args, by_file), reference)
    assert_same_bits(carried(the_plan, program.args, by_pickle), reference)


@given(programs(max_steps=6), st.sampled_from(DIALS), st.sampled_from(["eager", "level"]))
@settings(max_examples=50)
def test_random_networks_in_every_granularity_give_the_same_bits(program, dial, policy):
    granularity, workers = dial
    graph = program.graph(argnums=0)
    if graph.on_network[graph.output]:
        the_plan = bw.plan(graph, workers, granularity, policy=policy)
        reference = bw.backward(graph, *program.args)
        assert_same_bits(carried(the_plan, program.args, by_file), reference)


def test_the_gradient_is_right_and_not_only_the_same():
    w = np.linspace(-1, 1, 7)
    graph = bw.trace(lambda w: np.sum(np.tanh(w) ** 3), w)
    (gradient,) = bw.run_locally(bw.plan(graph, 3), w).grads
    np.testing.assert_allclose(gradient, 3 * np.tanh(w) ** 2 / np.cosh(w) ** 2, rtol=1e-12)


@pytest.mark.parametrize("scalar", [2, 0.1, True, np.float64(0.1), np.float32(0.1), 2**70])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_scalar_decides_the_dtype_on_a_worker_as_it_does_here(scalar, dtype):
    """Python's own leave float32 as it is; np.float64, which is a Python float too, does not."""
    x = np.linspace(-1, 1, 5).astype(dtype)
    graph = bw.trace(lambda x: np.sum(np.tanh(x) * scalar), x)
    reference = bw.backward(graph, x)
    assert reference.value.dtype == np.sum(x * scalar).dtype
    assert_same_bits(carried(bw.plan(graph, 2), (x,), by_file), reference)


def test_gradients_that_came_in_frames_can_be_changed_in_place():
    graph = bw.trace(lambda x, y: np.sum(x) + np.sum(y * 2), np.ones(3), np.ones(3))
    x, y = carried(bw.plan(graph, 2), (np.ones(3), np.ones(3)), by_file).grads
    x -= 1
    assert (x.tolist(), y.tolist()) == ([0, 0, 0], [2, 2, 2])


def test_S_at_a_node_outside_the_network_is_refused():
    graph = bw.trace(lambda x: np.sum(x * np.array([1.0, 2.0])), np.ones(2))
    result = bw.run_locally(bw.plan(graph, 2), np.ones(2))
    (constant,) = graph.constants
    assert len(result.S) == graph.num_nodes == 3
    for node in (constant, graph.nodes[constant], -1, 99):
        with pytest.raises(KeyError, match="has no S"):
            result.S[node]
