"""Bytes of values: when each is let go, by brute force and by hand; how many copies are held."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backwave as bw
from backwave.protocol.memory import Memory, last_uses

from ..amount import amount
from ..copies import (
    PIPELINES,
    SCHEDULES,
    assert_same_tree,
    batches,
    case,
    contiguous,
    reference,
    residents,
    stacked,
    traced,
    weights,
)
from ..networks import mapping


def test_memory_counts_what_is_held_and_its_peak():
    memory = Memory()
    for size in (8, 16, 4):
        memory.hold(size)
    memory.free(16)
    memory.hold(10)
    assert (memory.now, memory.peak) == (22, 28)
    memory.begin()
    assert (memory.now, memory.peak) == (22, 22)
    memory.free(22)
    memory.hold(5)
    assert (memory.now, memory.peak) == (5, 22)


nodes = st.lists(st.integers(0, 8), max_size=4)


@settings(max_examples=amount(40, 1000))
@given(st.lists(nodes, max_size=12), st.sets(st.integers(0, 8), max_size=3))
def test_each_value_goes_after_its_last_use(uses, stay):
    moments = [((k % 3, k), some) for k, some in enumerate(uses)]
    found = last_uses(iter(moments), stay)
    gone = [z for some in found.values() for z in some]
    assert len(gone) == len(set(gone))
    for z in range(9):
        used = [moment for moment, some in moments if z in some]
        if z in stay or not used:
            assert z not in gone
        else:
            assert z in found[used[-1]]


# The peak of one pass, beside one that is found by brute force.


def brute_peak(plan, worker):
    """The most bytes that a worker holds in one pass: of each value, from when it comes until the
    last firing that has anything to do with it."""
    graph, lives = plan.graph, plan.partition
    stays = {u for u, node in enumerate(graph.nodes) if node.primitive == "constant"}
    stays |= set(plan.parameters)
    inputs = [[z for z in node.inputs if z not in stays] for node in graph.nodes]
    came, used, now = {}, {}, 0

    def use(*some):
        for z in some:
            used[z] = now

    for stage in plan.stages:
        if stage.partition != worker:
            continue
        for frame in (plan.frames[number] for number in stage.receives):
            if frame.kind == "forward":
                for z in frame.keys:
                    now += 1
                    came[z] = now
        for u in stage.forward:
            assert lives[u] == worker
            now += 1
            came[u] = now
            use(u, *inputs[u])
        now += 1
        for frame in (plan.frames[number] for number in stage.sends):
            if frame.kind == "forward":
                use(*(z for z in frame.keys if z not in stays))
        for u in stage.backward:
            now += 1
            if any(graph.on_network[z] for z in graph.nodes[u].inputs):
                use(u, *inputs[u])
    size = {
        z: np.dtype(graph.nodes[z].dtype).itemsize * int(np.prod(graph.nodes[z].shape))
        for z in came
    }
    last = {z: used.get(z, now) for z in came}  # what is not used is held to the end
    return max(
        (sum(size[z] for z in came if came[z] <= t <= last[z]) for t in range(now + 1)), default=0
    )


@pytest.mark.parametrize("seed", range(amount(5, 100)))
def test_peaks_of_one_copy_are_those_of_brute_force(seed):
    drawn = case(seed + 500, copies=1)
    params, argnums = drawn.kept
    for schedule in SCHEDULES:
        where = contiguous if schedule in PIPELINES else mapping
        with bw.session(
            drawn.graph,
            params,
            argnums=argnums,
            workers=3,
            schedule=schedule,
            partitioner=where(drawn.graph, 3, seed),
        ) as session:
            for _ in range(2):
                result = session.backward(*drawn.data[0], S=drawn.S)
                for share in result.workers:
                    assert share.peak_bytes == brute_peak(result.plan, share.worker)
            require_nothing_left(session)


def require_nothing_left(session):
    for each in residents(session):
        assert each.residents.memory.now == 0
        assert not each.passes


def test_peaks_by_hand():
    """Of one product: x, x@w and its tanh until the wave is back; parameters do not count."""
    n = 6
    w, x = np.eye(n), np.ones((n, n))
    graph = bw.trace(lambda w, x: np.sum(np.tanh(x @ w)), w, x, argnums=0)
    with bw.session(graph, w) as session:
        assert session.backward(x).workers[0].peak_bytes == 3 * 8 * n * n + 8


def test_values_that_no_message_needs_go_in_the_forward_sweep():
    """Sines of data alone carry no messages: of a chain of them two are there at once."""
    n = 100
    w, x = np.ones(n), np.ones(n)

    def f(w, x):
        for _ in range(10):
            x = np.sin(x)
        return np.sum(w * x)

    graph = bw.trace(f, w, x, argnums=0)
    with bw.session(graph, w) as session:
        # At the end the last sine, the product and the sum.
        assert session.backward(x).workers[0].peak_bytes == 2 * 8 * n + 8


def test_a_checkpoint_lowers_the_peak():
    n, layers = 50, 6
    params, x = [np.eye(n)] * layers, np.ones((n, n))

    def block(h, w):
        for _ in range(4):
            h = np.tanh(np.sin(h))
        return h @ w

    def f(block):
        def run(params, x):
            for w in params:
                x = block(x, w)
            return np.sum(x)

        return run

    peaks, grads = [], []
    for each in (block, bw.checkpoint(block)):
        graph = bw.trace(f(each), params, x, argnums=0)
        with bw.session(graph, params, micro_batches=2, combine="sum") as session:
            result = session.backward(np.stack([x, 2 * x]), grads=True)
            peaks.append(result.workers[0].peak_bytes)
            grads.append(result.grads)
            require_nothing_left(session)
    assert_same_tree(*grads)
    # Each block has nine values; of the first one, which is of data alone, only the last two stay.
    size = 8 * n * n
    assert peaks[0] == ((layers - 1) * 9 + 2) * size + 8
    # With checkpoints what goes into each block stays, and all of one block comes anew.
    assert peaks[1] <= (layers + 10) * size


# How many copies a worker holds.

LAYERS, WIDTH = 4, 5
ACTIVATIONS = 8 * WIDTH * WIDTH


def chain(params, x):
    for w in params:
        x = np.tanh(x @ w)
    return np.sum(x)


def chained(schedule, copies, in_flight=None, layers=LAYERS):
    """A step of a chain of equal layers, one a worker: the workers' peaks in bytes."""
    params = [np.eye(WIDTH)] * layers
    graph = bw.trace(chain, params, np.ones((WIDTH, WIDTH)), argnums=0)
    of_layer, layer = {}, -1
    for node in graph.nodes:
        if node.inputs:
            layer += node.primitive == "matmul"
            of_layer[node.id] = layer
    lives = [of_layer.get(node.id) for node in graph.nodes]
    x = np.random.default_rng(0).normal(size=(copies, WIDTH, WIDTH))
    with bw.session(
        graph,
        params,
        workers=layers,
        schedule=schedule,
        micro_batches=copies,
        partitioner=lives,
        in_flight=in_flight,
    ) as session:
        result = session.backward(x if copies > 1 else x[0], grads=True)
        require_nothing_left(session)
        args = [(params, each) for each in x]
        assert_same_tree(result.grads, reference(graph, args).grads)
        return [share.peak_bytes for share in result.workers]


def held(copies_by_rank):
    """What each rank holds of so many copies: what came, product, tanh; the last one a sum, too."""
    *lower, top = copies_by_rank
    return [k * 3 * ACTIVATIONS for k in lower] + [top * (3 * ACTIVATIONS + 8)]


@pytest.mark.parametrize("copies", [1, 3, 4, 8])
def test_gpipe_holds_all_copies_and_1f1b_as_many_as_there_are_ranks_above(copies):
    ranks = range(LAYERS)
    assert chained("gpipe", copies) == held([copies for _ in ranks])
    assert chained("1f1b", copies) == held([min(copies, LAYERS - r) for r in ranks])
    assert chained("level", copies) == held([1 for _ in ranks])


@pytest.mark.parametrize("layers", [1, 2, 6])
def test_the_same_for_other_numbers_of_ranks(layers):
    assert chained("gpipe", 4, layers=layers) == held([4] * layers)
    ranks = [min(4, layers - r) for r in range(layers)]
    assert chained("1f1b", 4, layers=layers) == held(ranks)


@pytest.mark.parametrize("schedule", ["eager", "wave"])
def test_passes_in_flight_bound_what_is_held(schedule):
    assert chained(schedule, 6, in_flight=1) == held([1] * LAYERS)
    for in_flight in (2, 3):
        found = chained(schedule, 6, in_flight=in_flight)
        assert all(a <= b for a, b in zip(found, held([in_flight] * LAYERS), strict=True))
    free = chained(schedule, 8)
    assert all(a <= b for a, b in zip(free, held([LAYERS] * LAYERS), strict=True))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_no_value_is_left_after_a_step(schedule):
    """Nor after a product with the Hessian, another network, S that was kept, or a failure."""
    graph, data, short = traced(), batches(2), batches(2, rows=2)
    with bw.session(graph, weights(), micro_batches=2, workers=3, schedule=schedule) as session:
        session.backward(*stacked(data))
        require_nothing_left(session)
        session.hvp(weights(), *stacked(data))
        require_nothing_left(session)
        session.backward(*stacked(short), graph=traced(rows=2))
        require_nothing_left(session)
        session.backward(*stacked(data), record=True, check_finite=True)
        require_nothing_left(session)
        kept = session.backward(*stacked(data), keep_S=True)
        assert len(kept.S) == graph.num_nodes
        broken = [(np.full_like(x, np.nan), y) for x, y in data]
        with pytest.raises(bw.errors.NonFiniteError):
            session.backward(*stacked(broken), check_finite=True)
        plain = session.backward(*stacked(data))
        require_nothing_left(session)
        assert [share.peak_bytes for share in plain.workers] == [
            share.peak_bytes for share in kept.workers
        ]
