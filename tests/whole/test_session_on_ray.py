"""Sessions on Ray: the bits of this process, data alone from the driver, and what happens when a
worker dies."""

import numpy as np
import optree
import pytest
import ray

import backwave as bw
from backwave.protocol.errors import ArgumentError, ClusterError, NonFiniteError

from ..copies import case, contiguous, reference, stacked
from ..networks import bits, mapping
from .conftest import traced

SCHEDULES = ["eager", "wave", "level", "gpipe", "1f1b"]


def same(ours, theirs):
    a, b = optree.tree_leaves(ours), optree.tree_leaves(theirs)
    return [bits(x) for x in a] == [bits(y) for y in b]


def layers(params, x, y):
    for w in params["w"]:
        x = np.tanh(x @ w + params["b"])
    return np.mean((x - y) ** 2)


def setting(copies, rows=3):
    random = np.random.default_rng(3)
    params = {"w": [random.normal(size=(4, 4)) for _ in range(5)], "b": random.normal(size=4)}
    x, y = random.normal(size=(2, copies, rows, 4))
    return bw.trace(layers, params, x[0], y[0], argnums=0), params, x, y


@pytest.mark.long
def test_fifty_steps_of_a_transformer_block_give_the_parameters_of_this_process(cluster):
    graph, (params, *data) = traced("transformer_block")
    adam = bw.optimizers.adam(1e-3)
    sent = sum(each.nbytes for each in data)
    with cluster.session(graph, params) as there, bw.session(graph, params) as here:
        for _ in range(50):
            ours, theirs = there.backward(*data), here.backward(*data)
            assert bits(ours.value) == bits(theirs.value)
            assert sent < ours.ledger.caller_bytes < sent + 2000
            there.update(adam)
            here.update(adam)
        assert same(there.params(), here.params())
    assert theirs.value < 0.1 * bw.backward(graph, params, *data).value


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_training_gives_the_bits_of_this_process(cluster, schedule):
    graph, params, x, y = setting(4)
    options = {"micro_batches": 4, "schedule": schedule}
    momentum = bw.optimizers.momentum(lambda step: 0.1 / step)
    with (
        cluster.session(graph, params, **options) as there,
        bw.session(graph, params, micro_batches=4) as here,
    ):
        for _ in range(3):
            ours, theirs = (each.backward(x, y, grads=True) for each in (there, here))
            assert same((ours.value, ours.grads), (theirs.value, theirs.grads))
            there.update(momentum)
            here.update(momentum)
        assert same(there.params(), here.params())
        v = theirs.grads
        assert same(there.hvp(v, x, y).grads, here.hvp(v, x, y).grads)
    # The bias lives with worker 0 and is used by both: it crosses once a step.
    assert (ours.ledger.parameter_frames, ours.ledger.parameter_bytes) == (1, 32)
    assert ours.ledger.messages == 4 * graph.num_edges


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_random_networks_give_the_bits_of_copies_one_after_the_other(cluster, seed):
    drawn = case(seed)
    graph, copies = drawn.graph, drawn.copies
    expected = reference(graph, drawn.args, S=drawn.S)
    params, argnums = drawn.kept
    schedule = SCHEDULES[seed % len(SCHEDULES)]
    place = contiguous if schedule in ("gpipe", "1f1b") else mapping
    with cluster.session(
        graph,
        params,
        argnums=argnums,
        schedule=schedule,
        micro_batches=copies,
        partitioner=place(graph, 2, seed),
    ) as session:
        result = session.backward(*stacked(drawn.data), S=drawn.S, grads=True)
    assert same(result.grads, drawn.as_kept(expected.grads))
    assert same(result.value, expected.value)
    assert result.ledger.messages == copies * graph.num_edges


def test_s_elsewhere_is_fetched_where_it_was_kept(cluster):
    graph, params, x, y = setting(3)
    with cluster.session(graph, params, micro_batches=3) as session:
        result = session.backward(x, y, keep_S=True)
        for k in range(3):
            one = bw.backward(graph, params, x[k], y[k], S=np.float64(1 / 3))
            for u in one.S:
                assert bits(result.S[u][k]) == bits(one.S[u])
        assert session.backward(x, y).S is None


def test_another_network_over_the_same_parameters(cluster):
    graph, params, x, y = setting(2)
    shorter, _, less, fewer = setting(2, rows=2)
    with cluster.session(graph, params, micro_batches=2, schedule="1f1b") as session:
        session.backward(x, y)
        session.update(bw.optimizers.sgd(0.1))
        now = session.params()
        result = session.backward(less, fewer, graph=shorter, grads=True)
        with bw.session(shorter, now, micro_batches=2) as here:
            assert same(result.grads, here.backward(less, fewer, grads=True).grads)


def test_passes_of_others_may_come_between(cluster):
    graph, params, x, y = setting(2)
    alone = bw.trace(lambda w: np.sum(np.tanh(w)), np.ones(3))
    with cluster.session(graph, params, micro_batches=2) as session:
        first = session.backward(x, y, grads=True)
        assert same(cluster.backward(alone, np.ones(3)).grads, bw.backward(alone, np.ones(3)).grads)
        with cluster.session(graph, params, micro_batches=2) as other:
            assert same(other.backward(x, y, grads=True).grads, first.grads)
        assert same(session.backward(x, y, grads=True).grads, first.grads)


def test_an_error_in_a_step_leaves_the_session_as_it_was(cluster):
    graph, params, x, y = setting(2)
    with cluster.session(graph, params, micro_batches=2) as session:
        before = session.backward(x, y, grads=True).grads
        bad = np.where(np.arange(x.size).reshape(x.shape) == x.size - 1, np.inf, x)
        with pytest.raises(NonFiniteError):
            session.backward(bad, y, check_finite=True)
        with pytest.raises(ArgumentError, match="needs the sums of a step"):
            session.update(bw.optimizers.sgd(0.1))
        assert same(session.params(), params)
        assert same(session.backward(x, y, grads=True).grads, before)


def test_an_optimizer_that_fails_on_one_worker_changes_nothing_on_any(cluster):
    graph, params, x, y = setting(1)

    def fails(param, S, state, step):
        if param.shape == (4,):
            raise RuntimeError("no")
        return param - S, None

    with cluster.session(graph, params) as session:
        session.backward(x[0], y[0])
        with pytest.raises(ArgumentError, match=r"failed at args\[0\]\['b'\] in step 1.*no"):
            session.update(fails)
        assert same(session.params(), params)
        session.update(bw.optimizers.sgd(0.5))
        assert not same(session.params(), params)


def test_a_dead_worker_ends_a_session_with_one_clear_error():
    graph, params, x, y = setting(2)
    with bw.Cluster(workers=2, deadline=60) as own:
        session = own.session(graph, params, micro_batches=2)
        session.backward(x, y)
        ray.kill(own._pool["cpu"][1])
        with pytest.raises(ClusterError, match="worker died"):
            session.backward(x, y)
        with pytest.raises(ClusterError, match="its parameters with them: begin a new session"):
            session.params()
        session.close()
        with own.session(graph, params, micro_batches=2) as again:
            again.backward(x, y)
