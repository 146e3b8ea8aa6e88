"""Sessions in this process: copies over parameters that stay, beside one after the other."""

from random import Random

import numpy as np
import optree
import pytest

import backwave as bw
from backwave.actors.worker import Worker
from backwave.protocol.errors import (
    ArgumentError,
    BackwaveError,
    GuardError,
    NonFiniteError,
    NotScalarError,
    ProtocolError,
)

from ..amount import amount
from ..copies import (
    PIPELINES,
    SCHEDULES,
    assert_same_tree,
    batches,
    case,
    close,
    contiguous,
    crossings,
    loss,
    ran,
    reference,
    require_closed_forms,
    residents,
    spoil,
    stacked,
    traced,
    trained,
    weights,
)
from ..networks import bits, mapping

# The bits of copies that run one after the other, in every schedule.


def compare(drawn, schedule, references, steps):
    """Hold steps of a session, with a random partition, to the reference."""
    random = Random(f"{drawn.seed} {schedule}")
    workers, combine = random.randint(1, 4), random.choice(["mean", "sum"])
    where = contiguous if schedule in PIPELINES else mapping
    in_flight = [None, drawn.copies] if schedule in PIPELINES else [None, 1, 2, drawn.copies]
    params, argnums = drawn.kept
    expected = references[combine]
    with bw.session(
        drawn.graph,
        params,
        argnums=argnums,
        workers=workers,
        schedule=schedule,
        micro_batches=drawn.copies,
        combine=combine,
        partitioner=where(drawn.graph, workers, random.randrange(2**32)),
        in_flight=random.choice(in_flight),
    ) as session:
        for step in range(steps):
            result = session.backward(*stacked(drawn.data), S=drawn.S, grads=True)
            assert_same_tree(result.grads, drawn.as_kept(expected.grads), "gradients")
            assert_same_tree(result.value, expected.value, "value")
            for ours, theirs in zip(result.values, expected.each, strict=True):
                assert_same_tree(ours, theirs.value, "the value of a copy")
            require_closed_forms(result, drawn.graph, drawn.copies, shared=step == 0)
        assert_same_tree(session.gradients(), drawn.as_kept(expected.grads), "gradients()")
        assert_same_tree(session.params(), optree.tree_map(np.asarray, params), "params()")


def both(drawn):
    """The references of a case, by how copies are put together."""
    return {
        combine: reference(drawn.graph, drawn.args, S=drawn.S, combine=combine)
        for combine in ("mean", "sum")
    }


@pytest.mark.parametrize("seed", range(1000, 1000 + amount(6, 80)))
def test_copies_of_random_networks_have_the_bits_of_one_after_the_other(seed):
    drawn = case(seed, copies=seed % 8 + 1)
    references = both(drawn)
    for schedule in SCHEDULES:
        compare(drawn, schedule, references, amount(1, 2))


@pytest.mark.long
def test_200_random_graphs_with_1_to_8_copies_in_every_schedule():
    for seed in range(200):
        drawn = case(seed, copies=seed % 8 + 1)
        references = both(drawn)
        for schedule in SCHEDULES:
            try:
                compare(drawn, schedule, references, 2)
            except BaseException:
                print(f"seed {seed}, schedule {schedule}: {drawn!r}")
                raise


# Sums are those of the last step, and of no other.


def test_gradients_are_those_of_the_last_backward_and_never_add_up():
    params, first, second = weights(), batches(3, seed=1), batches(3, seed=2)
    with bw.session(traced(), params, micro_batches=3, workers=2) as session:
        for data in (first, first, second, first):
            result = session.backward(*stacked(data))
            assert result.grads is None
            assert result.S is None
            assert_same_tree(session.gradients(), ran(params, data).grads)
            assert_same_tree(session.gradients(), ran(params, data).grads)


def test_gradients_and_updates_need_a_step():
    params, data = weights(), stacked(batches(2))
    sgd = bw.optimizers.sgd(0.5)
    with bw.session(traced(), params, micro_batches=2) as session:
        for call in (session.gradients, lambda: session.update(sgd)):
            with pytest.raises(ArgumentError, match="run backward"):
                call()
        assert_same_tree(session.params(), params)
        session.backward(*data)
        session.update(sgd)
        once = session.params()
        for call in (session.gradients, lambda: session.update(sgd)):  # these were used
            with pytest.raises(ArgumentError, match="run backward"):
                call()
        assert_same_tree(session.params(), once)
        session.backward(*data)
        session.update(sgd)
        assert bits(session.params()["tied"]) != bits(once["tied"])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_step_that_fails_changes_nothing_and_the_session_goes_on(schedule):
    params, data = weights(), batches(3)
    broken = [data[0], (np.full((4, 3), np.inf), data[1][1]), data[2]]
    expected = ran(params, data)
    with bw.session(traced(), params, micro_batches=3, workers=3, schedule=schedule) as session:
        session.backward(*stacked(data))
        for bad in (broken, [broken[1]] * 3):
            with pytest.raises(NonFiniteError, match=r"args\[1\]"):
                session.backward(*stacked(bad), check_finite=True)
            with pytest.raises(ArgumentError, match="run backward"):
                session.update(bw.optimizers.sgd(1.0))
            with pytest.raises(ArgumentError, match="run backward"):
                session.gradients()
        assert_same_tree(session.params(), params)
        result = session.backward(*stacked(data), grads=True, check_finite=True)
        assert_same_tree(result.grads, expected.grads)
        assert_same_tree(result.value, expected.value)
        require_closed_forms(result, session.graph, 3, shared=False)
        assert all(each.residents.memory.now == 0 for each in residents(session))
        session.update(bw.optimizers.sgd(1.0))
        assert_same_tree(
            session.params(), optree.tree_map(lambda w, S: w - S, params, expected.grads)
        )


def test_a_step_that_is_interrupted_leaves_the_session_of_use(monkeypatch):
    params, data = weights(), batches(3)
    fired = iter(range(100))
    fire = Worker.fire

    def interrupted(worker, *args):
        if next(fired) == 7:
            raise KeyboardInterrupt
        return fire(worker, *args)

    with bw.session(traced(), params, micro_batches=3, workers=3, schedule="1f1b") as session:
        with monkeypatch.context() as patch:
            patch.setattr(Worker, "fire", interrupted)
            with pytest.raises(KeyboardInterrupt):
                session.backward(*stacked(data))
        with pytest.raises(ArgumentError, match="run backward"):
            session.gradients()
        result = session.backward(*stacked(data), grads=True)
        assert_same_tree(result.grads, ran(params, data).grads)
        require_closed_forms(result, session.graph, 3, shared=True)
        assert all(each.residents.memory.now == 0 for each in residents(session))


def test_a_parameter_that_is_not_finite_is_named_and_can_be_replaced():
    params, data = weights(), batches(2)
    with bw.session(traced(), params, micro_batches=2, workers=2) as session:
        session.backward(*stacked(data))
        session.update(lambda w, S, state, step: (w * np.nan, None))
        with pytest.raises(NonFiniteError, match=r"args\[0\]"):
            session.backward(*stacked(data), check_finite=True)
        session.backward(*stacked(data))
        session.update(lambda w, S, state, step: (np.ones_like(w), None))
        ones = optree.tree_map(np.ones_like, params)
        assert_same_tree(session.backward(*stacked(data), grads=True).grads, ran(ones, data).grads)


def test_a_parameter_on_which_the_program_branched_is_guarded():
    def f(w, x):
        return np.sum(w * x) if w[0] > 0 else np.sum(w - x)

    w, x = np.ones(2), np.arange(2.0)
    with bw.session(bw.trace(f, w, x, argnums=0), w, workers=2) as session:
        session.backward(x)
        session.update(lambda w, S, state, step: (-w, state))
        with pytest.raises(GuardError, match="branched"):
            session.backward(x)
        assert_same_tree(session.params(), -w)


# S at every node.


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("copies", [1, 3])
def test_S_that_is_kept_has_the_bits_of_each_copy(schedule, copies):
    graph, params, data = traced(), weights(), batches(copies)
    expected = ran(params, data, graph)
    with bw.session(graph, params, micro_batches=copies, workers=3, schedule=schedule) as session:
        result = session.backward(*stacked(data), keep_S=True)
        assert sorted(result.S) == sorted(expected.each[0].S)
        assert len(result.S) == graph.num_nodes
        for u, S in result.S.items():
            each = [S] if copies == 1 else S
            for ours, theirs in zip(each, expected.each, strict=True):
                assert bits(ours) == bits(theirs.S[u])
            assert bits(result.S[graph.nodes[u]]) == bits(S)
        unknown = next(leaf.node for leaf in graph.leaves if not leaf.differentiated)
        with pytest.raises(KeyError, match="no S"):
            result.S[unknown]
        assert session.backward(*stacked(data)).S is None


def test_S_must_be_read_before_the_next_step():
    graph, data = traced(), stacked(batches(2))
    with bw.session(graph, weights(), micro_batches=2) as session:
        result = session.backward(*data, keep_S=True)
        session.hvp(weights(), *data)  # which is another network
        assert result.S[graph.output].tolist() == [0.5, 0.5]
        session.backward(*data, keep_S=True)
        with pytest.raises(ProtocolError, match="before the next pass"):
            result.S[graph.leaves[0].node]
        assert all(each.residents.memory.now == 0 for each in residents(session))


# S at the outputs, and how copies are put together.


def of_outputs(params, x):
    h = np.tanh(x @ params["w"])
    return {"rows": np.sum(h, axis=1), "total": np.sum(h**2), "w": params["w"]}


@pytest.mark.parametrize("combine", ["mean", "sum"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_any_S_at_several_outputs(combine, schedule):
    """One of them is a parameter itself."""
    params, data = {"w": weights()["tied"]}, [some[:1] for some in batches(3)]
    graph = bw.trace(of_outputs, params, data[0][0], argnums=0)
    numbers = np.random.default_rng(2)
    S = {"rows": numbers.normal(size=4), "total": 0.75, "w": numbers.normal(size=(3, 3))}
    given = optree.tree_map(np.copy, S)
    expected = reference(graph, [(params, *some) for some in data], S=S, combine=combine)
    with bw.session(
        graph, params, micro_batches=3, workers=2, combine=combine, schedule=schedule
    ) as session:
        result = session.backward(*stacked(data), S=S, grads=True)
        assert_same_tree(result.grads, expected.grads)
        assert_same_tree(result.value, expected.value)
        # By hand, too.
        share = 1 / 3 if combine == "mean" else 1.0
        hs = [np.tanh(x @ params["w"]) for (x,) in data]
        by_hand = sum(
            x.T @ ((S["rows"][:, None] + 2 * 0.75 * h) * (1 - h**2)) + S["w"]
            for (x,), h in zip(data, hs, strict=True)
        )
        np.testing.assert_allclose(result.grads["w"], share * by_hand, rtol=1e-12)
        np.testing.assert_allclose(
            result.value["rows"], share * sum(h.sum(axis=1) for h in hs), rtol=1e-14
        )
        with pytest.raises(NotScalarError):
            session.backward(*stacked(data))
        for wrong, match in (
            ({"rows": S["rows"], "total": 0.75}, "structure"),
            ({**S, "rows": np.ones(3)}, r"shape \(3,\)"),
            ({**S, "rows": np.ones((3, 4))}, r"shape \(3, 4\)"),
            ({**S, "total": 1j}, "complex"),
        ):
            with pytest.raises(ArgumentError, match=match):
                session.backward(*stacked(data), S=wrong)
        spoil([each for each in optree.tree_leaves(result.value) if each.flags.writeable])
        assert_same_tree(optree.tree_map(np.asarray, S), given)
        again = session.backward(*stacked(data), S=S, grads=True)
        assert_same_tree(again.grads, expected.grads)


def test_mean_and_sum_differ_by_the_number_of_copies():
    params, data = weights(), batches(4)
    found = {}
    for combine in ("mean", "sum"):
        with bw.session(traced(), params, micro_batches=4, combine=combine) as session:
            found[combine] = session.backward(*stacked(data), grads=True)
    each = [loss(params, *some) for some in data]
    np.testing.assert_allclose(found["sum"].value, sum(each), rtol=1e-14)
    np.testing.assert_allclose(found["mean"].value, sum(each) / 4, rtol=1e-14)
    # A quarter is exact.
    assert_same_tree(optree.tree_map(lambda S: 4 * S, found["mean"].grads), found["sum"].grads)


# Other kinds of numbers.


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_single_precision_stays_single(schedule):
    params, data = weights(dtype=np.float32), batches(3, dtype=np.float32)
    graph = traced(params, dtype=np.float32)
    with bw.session(graph, params, micro_batches=3, workers=3, schedule=schedule) as session:
        steps = [data] * 3
        for after in trained(graph, params, steps, bw.optimizers.adam(0.01)):
            result = session.backward(*stacked(data))
            assert result.value.dtype == np.float32
            session.update(bw.optimizers.adam(0.01))
            assert_same_tree(session.params(), after)
        assert {leaf.dtype for leaf in optree.tree_leaves(session.params())} == {
            np.dtype(np.float32)
        }


def complex_loss(params, x):
    z = params["w"] @ x + params["shift"] * np.conj(x)
    return np.sum(np.real(z) ** 2 + np.imag(z * z)) + np.real(params["scale"] * params["scale"])


def test_complex_parameters():
    numbers = np.random.default_rng(4)

    def normal(*shape):
        return numbers.normal(size=shape) + 1j * numbers.normal(size=shape)

    params = {"w": normal(3, 3), "shift": normal(3), "scale": complex(normal())}
    data = [(normal(3),) for _ in range(3)]
    graph = bw.trace(complex_loss, params, data[0][0], argnums=0)
    expected = reference(graph, [(params, *some) for some in data])
    with bw.session(graph, params, micro_batches=3, workers=3, schedule="1f1b") as session:
        result = session.backward(*stacked(data), grads=True)
        assert_same_tree(result.grads, expected.grads)
        for _ in range(3):
            session.backward(*stacked(data))
            session.update(bw.optimizers.adam(0.01))
        *_, after = trained(graph, params, [data] * 3, bw.optimizers.adam(0.01))
        assert_same_tree(session.params(), after)
        # Downhill: the step against the conjugate.
        before = session.backward(*stacked(data)).value
        session.update(bw.optimizers.sgd(1e-3))
        assert session.backward(*stacked(data)).value < before


# The dial of granularity, and sums before they are sent.


@pytest.mark.parametrize(
    ("granularity", "schedule"),
    [("node", "eager"), ("node", "1f1b"), *(("layer", schedule) for schedule in SCHEDULES)],
)
def test_a_worker_for_each_node_or_layer(granularity, schedule):
    graph, params, data = traced(), weights(), batches(3)
    expected = ran(params, data, graph)
    with bw.session(
        graph, params, granularity=granularity, schedule=schedule, micro_batches=3
    ) as session:
        for step in range(2):
            result = session.backward(*stacked(data), grads=True)
            assert_same_tree(result.grads, expected.grads)
            require_closed_forms(result, graph, 3, shared=step == 0)
        assert result.plan.partitions > 5
        session.update(bw.optimizers.sgd(0.5))
        assert_same_tree(
            session.params(), optree.tree_map(lambda w, S: w - 0.5 * S, params, expected.grads)
        )


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_combiner_rounds_otherwise_and_counts_what_it_spared(schedule):
    graph, params, data = traced(), weights(), batches(3)
    expected = ran(params, data, graph)
    tied = next(leaf.node for leaf in graph.leaves if "tied" in leaf.path)
    lives = {node.id: 0 for node in graph.nodes}
    lives |= {node.id: 1 for node in graph.nodes if node.inputs}
    lives[tied] = 0
    with bw.session(
        graph,
        params,
        micro_batches=3,
        workers=2,
        schedule=schedule,
        combiner=True,
        partitioner=lives,
    ) as session:
        result = session.backward(*stacked(data), grads=True)
        close(result.grads, expected.grads, 1e-13)
        # The tied parameter gets three messages a copy from worker 1, which go as one.
        assert result.ledger.combined == 3 * 2
        require_closed_forms(result, graph, 3, shared=True)
        session.update(bw.optimizers.sgd(0.5))
        again = session.backward(*stacked(data), grads=True, keep_S=True)
        moved = optree.tree_map(lambda w, S: w - 0.5 * S, params, result.grads)
        close(again.grads, ran(moved, data, graph).grads, 1e-13)
        for copy in range(3):
            close(again.S[tied][copy], ran(moved, data, graph).each[copy].S[tied], 1e-13)


@pytest.mark.parametrize("seed", range(amount(3, 40)))
def test_a_combiner_over_random_networks(seed):
    drawn = case(seed + 50, copies=3)
    params, argnums = drawn.kept
    expected = reference(drawn.graph, drawn.args, S=drawn.S)
    largest = max(np.max(np.abs(leaf), initial=1.0) for leaf in optree.tree_leaves(expected.grads))
    for schedule in SCHEDULES:
        where = contiguous if schedule in PIPELINES else mapping
        with bw.session(
            drawn.graph,
            params,
            argnums=argnums,
            micro_batches=3,
            workers=3,
            schedule=schedule,
            combiner=True,
            partitioner=where(drawn.graph, 3, seed),
        ) as session:
            result = session.backward(*stacked(drawn.data), S=drawn.S, grads=True)
            require_closed_forms(result, drawn.graph, 3, shared=True)
            ours = optree.tree_leaves(result.grads)
            for a, b in zip(ours, optree.tree_leaves(expected.grads), strict=True):
                eps = 1e-13 if a.dtype == np.float64 else 1e-5
                assert np.max(np.abs(a - b), initial=0.0) <= eps * largest


def test_a_combiner_over_many_workers_and_one_each_agree():
    """Where no worker has two messages for one node, there is nothing to combine."""
    graph, params, data = traced(), weights(), batches(2)
    with bw.session(graph, params, micro_batches=2, granularity="node", combiner=True) as session:
        result = session.backward(*stacked(data), grads=True)
        assert result.ledger.combined == 0
        assert_same_tree(result.grads, ran(params, data, graph).grads)


# What moves, and what is told of it.


def test_steps_send_data_and_no_parameters():
    w, x = np.ones((300, 300)), np.ones((4, 5, 300))
    graph = bw.trace(lambda w, x: np.sum(np.tanh(x @ w)), w, x[0], argnums=0)
    with bw.session(graph, w, micro_batches=4, workers=2) as session:
        first = session.backward(x)
        second = session.backward(x)
        # Each copy: the data, S, and the value.
        payload = 4 * (x[0].nbytes + 8 + 8)
        for result in (first, second):
            assert result.ledger.caller_frames == 4 * 3
            assert payload < result.ledger.caller_bytes < payload + 12 * 400
            assert result.ledger.parameter_bytes in (0, w.nbytes)
        fetched = session.backward(x, grads=True).ledger
        assert fetched.caller_frames == 4 * 3 + 1
        assert fetched.caller_bytes >= second.ledger.caller_bytes + w.nbytes


def test_a_parameter_of_several_partitions_crosses_once_a_step_and_not_if_it_has_not_changed():
    params, data = weights(), batches(5)
    graph = traced()
    lives = {node.id: k // 3 % 3 for k, node in enumerate(n for n in graph.nodes if n.inputs)}
    lives |= {leaf.node: 0 for leaf in graph.leaves}
    with bw.session(graph, params, micro_batches=5, workers=3, partitioner=lives) as session:
        expected = crossings(session.plan)
        assert expected[0] == 2  # from worker 0 to the two others
        seen = []
        for step in range(4):
            seen.append(session.backward(*stacked(data)).ledger.parameter_frames)
            if step == 2:
                with pytest.raises(ArgumentError):
                    session.update(lambda w, S, state, step: None)
                seen.append(session.backward(*stacked(data)).ledger.parameter_frames)
            if step in (1, 2):
                session.update(bw.optimizers.sgd(0.1))
        assert seen == [2, 0, 2, 0, 2]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_timeline_says_which_copy(schedule):
    graph, params, data = traced(), weights(), batches(3)
    with bw.session(graph, params, micro_batches=3, workers=2, schedule=schedule) as session:
        for step in range(2):
            result = session.backward(*stacked(data))
            computing = [span for span in result.timeline if span.kind == "compute"]
            assert {span.details["pass"] for span in computing} == {0, 1, 2}
            assert {span.worker for span in computing} == {0, 1}
            starts = [span.start for span in result.timeline]
            assert starts == sorted(starts)
            assert [share.worker for share in result.workers] == [0, 1]
            stages = [stage.partition for stage in result.plan.stages]
            shares = [stage.partition for stage in result.plan.sharing] if step == 0 else []
            for share in result.workers:
                mine = 3 * stages.count(share.worker) + shares.count(share.worker)
                assert share.stages == mine


def test_values_that_are_computed_again():
    """A checkpoint forgets, in each copy, and gives the same bits."""

    def f(params, x):
        @bw.checkpoint
        def block(h, b):
            return np.tanh(np.sin(h @ params["tied"]) + b)

        h = x
        for b in params["layers"]:
            h = block(h, b)
        return np.sum(h)

    params = {"tied": weights()["tied"], "layers": weights()["layers"]}
    data = [some[:1] for some in batches(3)]
    graph = bw.trace(f, params, data[0][0], argnums=0)
    expected = reference(graph, [(params, *some) for some in data])
    for schedule in SCHEDULES:
        with bw.session(graph, params, micro_batches=3, workers=2, schedule=schedule) as session:
            result = session.backward(*stacked(data), grads=True)
            assert_same_tree(result.grads, expected.grads)
            assert result.ledger.recomputed > 0
            assert all(loaded.residents.memory.now == 0 for loaded in residents(session))


NONSENSE = [object(), {}, "", b"x", np.array(["a"]), np.array(None), [[1], [2, 3]]]


@pytest.mark.parametrize("wrong", NONSENSE, ids=lambda wrong: type(wrong).__name__)
def test_every_error_of_a_session_is_one_of_backwaves(wrong):
    """Whatever is given, a mistake is told by name."""
    data = stacked(batches(2))
    with bw.session(traced(), weights(), micro_batches=2) as session:
        for call in (
            lambda: session.backward(wrong, wrong),
            lambda: session.backward(*data, S=wrong),
            lambda: session.hvp(wrong, *data),
            lambda: session.backward(*data, graph=wrong),
            lambda: session.update(wrong),
            lambda: bw.session(traced(), wrong),
        ):
            with pytest.raises(BackwaveError):
                call()
