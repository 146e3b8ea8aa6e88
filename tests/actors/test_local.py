"""Workers in this process give the bits of a run in one place, however the nodes are spread."""

import cProfile
import pickle
import pstats
from functools import cache
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backwave as bw
from backwave.actors.execute import execute
from backwave.actors.local import LocalEngine
from backwave.protocol.message import Frame
from backwave.scheduler.run import Passing

from ..amount import amount
from ..networks import EXAMPLES, LONG, assert_same_bits, bits, example, mapping, programs

DIALS = [("node", 1), ("layer", 1), ("partition", 1), ("partition", 2), ("partition", 4)]
SCHEDULES = ("eager", "level")
ANY = st.sampled_from(["eager", "wave", "level"])
CASES = [
    (path, *dial, schedule)
    for path in EXAMPLES
    for dial in DIALS
    for schedule in SCHEDULES
    # Of the long ones, a worker a node under one schedule, a worker a layer under the other.
    if path.stem not in LONG or (dial[0], schedule) not in (("node", "level"), ("layer", "eager"))
]
QUICK = ("partition", 2, "eager")


def is_long(path, *rest):
    return path.stem in LONG and rest != QUICK


def titled(path, granularity, workers, schedule):
    return f"{path.stem}-{granularity}-{workers}-{schedule}"


@cache
def run_here(path):
    graph, args = example(path)
    return graph, args, bw.backward(graph, *args)


@pytest.mark.parametrize(
    ("path", "granularity", "workers", "schedule"),
    [
        pytest.param(*case, id=titled(*case), marks=[pytest.mark.long] * is_long(*case))
        for case in CASES
    ],
)
def test_examples_give_the_same_bits_and_counts(path, granularity, workers, schedule):
    graph, args, reference = run_here(path)
    the_plan = bw.plan(graph, workers, granularity, schedule=schedule)
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

    def fire(self, worker, command, frames):
        report, *sent = super().fire(worker, command, frames)
        return report, *map(self._carry, sent)


def by_file(frame):
    return Frame.from_bytes(frame.to_bytes())


def by_pickle(frame):
    return pickle.loads(pickle.dumps(frame, protocol=5))


def carried(the_plan, args, carry, S=None):
    return passed(Carried(the_plan, "run", carry), args, S)


def passed(engine, args, S=None):
    """Run a pass on an engine."""
    passing = Passing(0, engine.plan.graph.bind(args, S))
    return execute(engine.plan, engine, passing, args=args)


@given(programs(), st.integers(1, 4), ANY, st.integers(0, 2**32))
@settings(max_examples=amount(15, 150))
def test_random_networks_in_random_partitions_give_the_same_bits(program, workers, schedule, seed):
    graph = program.graph()
    reference = bw.backward(graph, *program.args)
    partitioner = mapping(graph, workers, seed)
    the_plan = bw.plan(graph, workers, partitioner=partitioner, schedule=schedule)
    assert_same_bits(bw.run_locally(the_plan, *program.args), reference)
    assert_same_bits(carried(the_plan, program.args, by_file), reference)
    assert_same_bits(carried(the_plan, program.args, by_pickle), reference)


@given(programs(max_steps=6), st.sampled_from(DIALS), ANY)
@settings(max_examples=amount(5, 50))
def test_random_networks_in_every_granularity_give_the_same_bits(program, dial, schedule):
    granularity, workers = dial
    graph = program.graph(argnums=0)
    if graph.on_network[graph.output]:
        the_plan = bw.plan(graph, workers, granularity, schedule=schedule)
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


@given(programs(max_steps=20), st.data())
@settings(max_examples=amount(15, 150))
def test_values_that_are_computed_again_give_the_same_bits_in_every_partition(program, data):
    """Groups of nodes forget their values: however they lie across the partitions."""
    seed = data.draw(st.integers(0, 2**32), label="groups")
    graph = checkpointed(program.graph(), seed)
    if not graph.on_network[graph.output]:
        return
    plain = bw.backward(program.graph(), *program.args)
    reference = bw.backward(graph, *program.args)
    assert_same_bits(reference, plain)
    schedule = data.draw(ANY, label="schedule")
    granularity = data.draw(st.sampled_from(["partition", "node", "layer"]), label="granularity")
    partitioner = mapping(graph, 3, seed) if granularity == "partition" else "levels"
    the_plan = bw.plan(graph, 3, granularity, partitioner, schedule)
    result = carried(the_plan, program.args, by_file)
    assert_same_bits(result, plain)
    # What goes elsewhere is kept, so that the parts never compute more again than the whole.
    assert result.ledger.recomputed <= reference.ledger.recomputed
    one_place = bw.run_locally(bw.plan(graph, 1, schedule=schedule), *program.args)
    assert one_place.ledger.recomputed == reference.ledger.recomputed
    assert_same_bits(one_place, plain)


def checkpointed(graph, seed):
    """Return the graph with some of its nodes in groups, each a run of nodes with gaps."""
    random = Random(seed)
    inner = [node.id for node in graph.nodes if node.inputs]
    groups = []
    while inner:
        run, inner = inner[: random.randint(1, 8)], inner[8:]
        groups.append(tuple(u for u in run if random.random() < 0.8))
    graph.recomputed = groups
    return graph


def test_what_is_computed_again_is_counted_on_its_worker():
    def block(x):
        return np.sin(np.tanh(np.exp(x)))

    x = np.linspace(-1, 1, 5)
    graph = bw.trace(lambda x: np.sum(bw.checkpoint(block)(bw.checkpoint(block)(x))), x)
    assert bw.backward(graph, x).ledger.recomputed == 4  # of each block, exp and tanh
    the_plan = bw.plan(graph, 2)
    result = bw.run_locally(the_plan, x)
    assert result.ledger.cut_edges == 1
    # Where the cut goes through a block, the value that crosses it is kept.
    forward = [frame for frame in the_plan.between("forward") for u in frame.keys]
    crossing = {u for frame in forward for u in frame.keys}
    inside = {graph.nodes[u].primitive for u in crossing} & {"exp", "tanh"}
    assert result.ledger.recomputed == 4 - len(inside)
    np.testing.assert_allclose(
        result.grads[0], bw.grad(lambda x: np.sum(block(block(x))))(x), rtol=1e-14
    )


@pytest.mark.parametrize("granularity", ["node", "layer", "partition"])
def test_a_look_for_nan_reaches_across_partitions(granularity):
    def f(x):
        return np.sum(np.exp(np.tanh(x)) * np.sqrt(x))

    graph = bw.trace(f, np.ones(3))
    the_plan = bw.plan(graph, 3, granularity)
    fine = bw.run_locally(the_plan, np.ones(3), check_finite=True)
    assert bits(fine.value) == bits(f(np.ones(3)))
    with (
        np.errstate(all="ignore"),
        pytest.raises(bw.errors.NonFiniteError, match=r"test_local.py:\d+: NaN arose in the value"),
    ):
        bw.run_locally(the_plan, np.array([1.0, -1.0, 2.0]), check_finite=True)
    with (
        np.errstate(all="ignore"),
        pytest.raises(
            bw.errors.NonFiniteError, match=r"infinity arose in the message to args\[0\] of sq"
        ),
    ):
        bw.run_locally(the_plan, np.array([1.0, 0.0, 2.0]), check_finite=True)


def test_several_outputs_without_an_S_are_refused_before_anything_starts(monkeypatch):
    monkeypatch.setattr(LocalEngine, "do", lambda *_: pytest.fail("something has started"))
    graph = bw.trace(lambda x: (np.sum(x), np.sum(x * x)), np.ones(3))
    with pytest.raises(bw.errors.NotScalarError, match="has 2 outputs, and this needs one"):
        bw.run_locally(bw.plan(graph), np.ones(3))


def test_workers_in_one_process_share_one_network():
    graph = bw.trace(lambda x: np.sum(np.tanh(x) * 2), np.ones(3))
    workers = LocalEngine(bw.plan(graph, 3, "node"), "run").workers
    held = [worker._loaded["run"].residents.wires for worker in workers]
    assert len({id(wires) for wires in held}) == 1 < len(workers)
    assert held[0] is not graph  # what workers hold is what the file form says


def test_what_a_plan_costs_grows_with_the_network_and_no_faster():
    """Counted in calls, not in time: twice the network, twice the calls, a worker a node."""

    def calls(length, granularity):
        def chain(x):
            for _ in range(length):
                x = np.tanh(x)
            return x

        graph = bw.trace(chain, 0.5)
        counted = cProfile.Profile()
        counted.runcall(lambda: bw.run_locally(bw.plan(graph, 1, granularity), 0.5))
        return pstats.Stats(counted).total_calls

    for granularity in ("node", "layer"):
        assert calls(400, granularity) < 2.2 * calls(200, granularity)


def test_S_at_all_nodes_is_asked_of_each_worker_once(monkeypatch):
    graph = bw.trace(lambda x: np.sum(np.exp(np.tanh(x)) * x), np.ones(3))
    asked = []
    ask = LocalEngine.ask
    monkeypatch.setattr(LocalEngine, "ask", lambda *call: asked.append(call[1:]) or ask(*call))
    result = bw.run_locally(bw.plan(graph, 3), np.ones(3))
    inner = next(u for u in result.S if graph.nodes[u].primitive == "exp")
    reference = bw.backward(graph, np.ones(3)).S
    assert bits(result.S[inner]) == bits(reference[inner])
    assert [nodes for _, _, nodes in asked] == [[inner]]
    assert {u: bits(S) for u, S in result.S.items()} == {u: bits(reference[u]) for u in reference}
    assert len(list(result.S.values())) == graph.num_nodes
    workers = [worker for worker, _, _ in asked[1:]]
    assert len(workers) == len(set(workers)) <= 3
    fetched = [u for _, _, nodes in asked for u in nodes]
    assert len(fetched) == len(set(fetched))
