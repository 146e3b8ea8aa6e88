"""Runs over a real local Ray cluster."""

import socket

import numpy as np
import pytest

import backwave as bw
from backwave.actors import ray_join
from backwave.protocol.message import SUMS
from backwave.scheduler.run import Passing, Run, drive

from ..networks import assert_same_bits, bits
from .conftest import SMALL, function_of, traced

GRANULARITIES = [("partition", 1), ("partition", 2), ("partition", 4), ("layer", 2), ("node", 2)]
SCHEDULES = ["eager", "level"]
RUNS = [
    (name, *dial, schedule) for name in SMALL for dial in GRANULARITIES for schedule in SCHEDULES
]
RUNS += [
    (name, "partition", 2, "eager") for name in ("convnet", "fluid", "gaussian_process", "lstm")
]


def is_long(name, granularity, *_):
    """Eleven to thirty-six processes; of rosenbrock a worker a node has eleven too."""
    return granularity != "partition" and name != "rosenbrock"


RUNS = [pytest.param(*run, marks=[pytest.mark.long] * is_long(*run)) for run in RUNS]


@pytest.mark.parametrize(("name", "granularity", "workers", "schedule"), RUNS)
def test_examples_give_the_same_bits_in_every_granularity(
    cluster, name, granularity, workers, schedule
):
    graph, args = traced(name)
    reference = bw.backward(graph, *args)
    the_plan = bw.plan(graph, workers, granularity, schedule=schedule)
    result = cluster.run(the_plan, *args)
    assert_same_bits(result, reference)
    assert result.ledger.messages == graph.num_edges
    assert result.ledger.cross_messages == the_plan.cut_edges
    assert len(result.workers) == the_plan.partitions
    assert sum(share.stages for share in result.workers) == len(the_plan.stages)


def test_a_pass_with_other_values_reuses_the_loaded_workers(cluster):
    graph = bw.trace(lambda w, x: np.sum(np.tanh(x @ w)), np.ones((3, 2)), np.ones((4, 3)))
    for seed in range(3):
        random = np.random.default_rng(seed)
        args = random.normal(size=(3, 2)), random.normal(size=(4, 3))
        result = cluster.backward(graph, *args)
        w_gradient = args[1].T @ (1 - np.tanh(args[1] @ args[0]) ** 2)
        np.testing.assert_allclose(result.grads[0], w_gradient, rtol=1e-12)


def test_a_gradient_and_its_hessian_take_turns_on_the_same_workers(cluster):
    graph, (x,) = traced("rosenbrock")
    direction = np.linspace(-1, 1, x.size)
    reference = bw.hvp(function_of("rosenbrock"))
    for step in range(2):
        moved = x + step * 0.01
        assert_same_bits(cluster.backward(graph, moved), bw.backward(graph, moved))
        product = cluster.hvp(graph, moved, direction).grads
        assert product.tobytes() == reference(moved, direction).tobytes()


def test_values_that_are_computed_again_are_counted_by_their_workers(cluster):
    def block(x):
        return np.sin(np.tanh(np.exp(x)))

    def loss(x):
        for _ in range(4):
            x = bw.checkpoint(block)(x)
        return np.sum(x)

    x = np.linspace(-1, 1, 5)
    graph = bw.trace(loss, x)
    result = cluster.backward(graph, x)
    assert_same_bits(result, bw.backward(graph, x))
    assert 6 <= result.ledger.recomputed <= 8  # of each block exp and tanh, but for one that leaves


def test_a_look_for_nan_is_quiet_where_there_is_none(cluster):
    graph, args = traced("digits_mlp")
    result = cluster.backward(graph, *args, check_finite=True)
    assert_same_bits(result, bw.backward(graph, *args))


def test_a_mapping_of_the_users_own_may_go_back_and_forth(cluster):
    graph, args = traced("digits_mlp")
    random = np.random.default_rng(7)
    mapping = [int(place) for place in random.integers(0, 3, len(graph.nodes))]
    the_plan = bw.plan(graph, 3, partitioner=mapping)
    assert_same_bits(cluster.run(the_plan, *args), bw.backward(graph, *args))


@pytest.mark.parametrize("several", [False, True], ids=["an array", "several outputs"])
def test_a_wave_from_an_S_that_is_given_has_the_same_bits(cluster, several):
    def f(w, x):
        y = np.tanh(x @ w)
        return {"y": y, "sum": np.sum(y**2)} if several else y

    random = np.random.default_rng(3)
    w, x, S = random.normal(size=(3, 2)), random.normal(size=(4, 3)), random.normal(size=(4, 2))
    S = {"y": S, "sum": -0.7} if several else S
    graph = bw.trace(f, w, x)
    result = cluster.backward(graph, w, x, S=S)
    assert_same_bits(result, bw.backward(graph, w, x, S=S))
    pulled = bw.vjp(f, w, x)[1](S)
    for ours, theirs in zip(result.grads, pulled, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)


def test_without_an_S_several_outputs_are_refused_and_the_workers_left_alone(cluster):
    graph = bw.trace(lambda x: (np.sum(x), np.sum(x * x)), np.ones(3))
    plain = bw.trace(lambda x: np.sum(x), np.ones(3))
    cluster.backward(plain, np.ones(3))
    engine = cluster._engine
    with pytest.raises(bw.errors.NotScalarError, match="has 2 outputs, and this needs one"):
        cluster.backward(graph, np.ones(3))
    with pytest.raises(bw.errors.ArgumentError, match="S"):
        cluster.backward(graph, np.ones(3), S=1.0)
    assert cluster._engine is engine


@pytest.mark.parametrize("in_flight", [1, 2, None])
def test_several_passes_at_once_have_the_bits_of_each_on_its_own(cluster, in_flight):
    graph, (x,) = traced("rosenbrock")
    first = cluster.backward(graph, x)
    inputs = [x + step * 0.01 for step in range(4)]
    numbers = range(cluster._number + 1, cluster._number + 1 + len(inputs))
    passes = [
        Passing(number, graph.bind((each,), None))
        for number, each in zip(numbers, inputs, strict=True)
    ]
    engine = cluster._engine
    run = Run(first.plan, passes, incarnations=engine.incarnations, in_flight=in_flight)
    drive(run, engine)
    cluster._number = numbers[-1]
    for number, each in zip(numbers, inputs, strict=True):
        reference = bw.backward(graph, each)
        sums = {
            key: value
            for frame, messages in run.outcome(number).frames
            if frame.kind == SUMS
            for key, value in messages
        }
        assert {u: bits(S) for u, S in sums.items()} == {u: bits(reference.S[u]) for u in sums}
        assert len(sums) == 1
    assert_same_bits(cluster.backward(graph, x), bw.backward(graph, x))


def test_S_of_an_earlier_pass_is_refused_not_mixed_up(cluster):
    graph = bw.trace(lambda x: np.sum(np.exp(x * 2)), np.ones(3))
    first = cluster.backward(graph, np.ones(3))
    cluster.backward(graph, np.zeros(3))
    inner = graph.edges[-1].target
    with pytest.raises(bw.errors.ProtocolError, match="read S before the next pass"):
        first.S[inner]


def test_S_off_the_network_is_a_key_error(cluster):
    graph = bw.trace(lambda x, y: np.sum(x * y), np.ones(3), np.ones(3), argnums=0)
    result = cluster.backward(graph, np.ones(3), np.ones(3))
    with pytest.raises(KeyError, match="has no S"):
        result.S[graph.leaves[1].node]


def test_an_error_inside_a_worker_arrives_as_it_was_raised(cluster):
    graph = bw.trace(lambda x: np.sum(np.log(x)), np.ones(3))
    with (
        pytest.raises(bw.errors.NonFiniteError, match=r"test_cluster\.py:\d+.*log"),
        np.errstate(all="ignore"),
    ):
        cluster.backward(graph, np.array([1.0, 0.0, 2.0]), check_finite=True)
    assert cluster.backward(graph, np.ones(3)).value == 0  # and the workers are still of use


def test_a_replay_that_would_branch_otherwise_is_refused_on_workers(cluster):
    graph = bw.trace(lambda x: x * 2 if x > 0 else x * 3, 1.0)
    with pytest.raises(bw.errors.GuardError, match="branched"):
        cluster.backward(graph, -1.0)


def test_more_actors_than_allowed_is_one_clear_error(cluster):
    def chain(x):
        for _ in range(100):
            x = np.tanh(x)
        return x

    graph = bw.trace(chain, 1.0)
    cluster.backward(graph, 1.0)
    workers = list(cluster._pool["cpu"])
    with pytest.raises(bw.errors.ClusterError, match=r"101 Ray actors.*--max-actors"):
        cluster.backward(graph, 1.0, granularity="node")
    assert cluster._pool["cpu"] == workers  # they were not stopped for that


def test_a_gpu_where_there_is_none_says_what_was_asked_and_found(cluster):
    import ray

    if ray.cluster_resources().get("GPU"):
        pytest.skip("there is a GPU")
    with (
        pytest.raises(bw.errors.ClusterError, match=r"2 workers on GPUs .* found 0 GPUs on 1 mach"),
        bw.Cluster(gpus=2),
    ):
        pass
    assert ray.is_initialized()  # a Ray that was there before is left alone


def test_a_plan_for_gpus_needs_a_cluster_with_gpus(cluster):
    graph = bw.trace(lambda x: np.sum(np.tanh(x)), np.ones(3))
    with pytest.raises(bw.errors.ClusterError, match=r"1 partitions on GPUs.*gpus=0"):
        cluster.run(bw.plan(graph, 2, gpus=1), np.ones(3))


def test_a_mapping_that_has_changed_is_followed_anew(cluster):
    graph = bw.trace(lambda x: np.sum(np.tanh(x)), np.ones(3))
    mapping = [0] * len(graph.nodes)
    assert cluster.backward(graph, np.ones(3), partitioner=mapping).ledger.cut_edges == 0
    mapping[-1] = 1
    assert cluster.backward(graph, np.ones(3), partitioner=mapping).ledger.cut_edges == 1


def test_a_wait_that_is_too_long_says_what_was_waited_for(cluster):
    def slow(x):
        for _ in range(20):
            x = np.tanh(x @ x)
        return np.sum(x)

    args = np.eye(600)
    graph = bw.trace(slow, args)
    the_plan = bw.plan(graph, 1)
    cluster.run(the_plan, args)
    engine = cluster._engine
    deadline = engine._deadline
    engine._deadline = 0.001
    try:
        with pytest.raises(bw.errors.ClusterError, match=r"waited 0.001 s for stage 0 \(forward"):
            cluster.run(the_plan, args)
    finally:
        engine._deadline = deadline


def test_a_dead_worker_is_named_and_the_run_does_not_hang():
    import ray

    graph = bw.trace(lambda x: np.sum(np.tanh(x)), np.ones(3))
    with bw.Cluster(workers=1, deadline=60) as own:
        own.backward(graph, np.ones(3))
        before = own._engine.incarnations
        ray.kill(own._pool["cpu"][0])
        with pytest.raises(bw.errors.ClusterError, match=r"died.*stage 0"):
            own.backward(graph, np.ones(3))
        # The next run starts a new worker in its place, and takes nothing from the old one.
        assert own.backward(graph, np.ones(3)).ledger.messages == graph.num_edges
        assert own._engine.incarnations > before


def test_an_address_where_something_else_listens_is_no_cluster(monkeypatch):
    monkeypatch.setattr(ray_join, "JOIN_SECONDS", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(bw.errors.ClusterError, match="none answered within 2 s; give the addr"):
            ray_join._require_ray_at(address)


def test_a_closed_cluster_refuses_to_run():
    graph = bw.trace(np.tanh, 1.0)
    with pytest.raises(bw.errors.ClusterError, match="closed"):
        bw.Cluster().backward(graph, 1.0)
