"""Updates where parameters live: training, all or none, and memory that nobody shares."""

from random import Random

import numpy as np
import optree
import pytest

import backwave as bw
from backwave.protocol.errors import (
    ArgumentError,
)

from ..copies import (
    assert_same_tree,
    batches,
    of_indices,
    ran,
    reference,
    spoil,
    stacked,
    traced,
    trained,
    weights,
)
from ..networks import bits

PIPELINES = ("gpipe", "1f1b")
SCHEDULES = ("level", "wave", "eager", *PIPELINES)


# Training.

RATES = {
    "sgd": bw.optimizers.sgd(0.1),
    "a rate that falls": bw.optimizers.sgd(lambda step: 0.2 / step),
    "momentum": bw.optimizers.momentum(0.05, beta=0.8),
    "adam": bw.optimizers.adam(0.02),
    "adamw": bw.optimizers.adamw(0.02, weight_decay=0.1),
}


@pytest.mark.parametrize("name", RATES)
def test_twenty_steps_have_the_bits_of_a_plain_loop(name):
    random = Random(name)
    graph, params = traced(), weights()
    steps = [batches(2, seed=step) for step in range(20)]
    schedule = random.choice(SCHEDULES)
    with bw.session(graph, params, micro_batches=2, workers=3, schedule=schedule) as session:
        for data in steps:
            session.backward(*stacked(data))
            session.update(RATES[name])
        *_, after = trained(graph, params, steps, RATES[name])
        assert_same_tree(session.params(), after)
    assert not np.array_equal(after["tied"], params["tied"])


def test_sgd_on_least_squares_has_its_closed_form():
    """The error shrinks by (I - rate·H) in each step, and the mean of the copies is the whole."""
    numbers = np.random.default_rng(3)
    X, y, w = numbers.normal(size=(12, 3)), numbers.normal(size=12), numbers.normal(size=3)
    graph = bw.trace(lambda w, X, y: 0.5 * np.mean((X @ w - y) ** 2), w, X[:3], y[:3], argnums=0)
    H, best = X.T @ X / 12, np.linalg.lstsq(X, y, rcond=None)[0]
    with bw.session(graph, w, micro_batches=4, schedule="1f1b", workers=2) as session:
        for _ in range(20):
            value = session.backward(X.reshape(4, 3, 3), y.reshape(4, 3)).value
            session.update(bw.optimizers.sgd(0.3))
        after = best + np.linalg.matrix_power(np.eye(3) - 0.3 * H, 20) @ (w - best)
        np.testing.assert_allclose(session.params(), after, rtol=1e-12)
    before = best + np.linalg.matrix_power(np.eye(3) - 0.3 * H, 19) @ (w - best)
    np.testing.assert_allclose(value, 0.5 * np.mean((X @ before - y) ** 2), rtol=1e-12)


def test_frozen_leaves_stay_and_count_no_steps():
    params, data = weights(), stacked(batches(2))
    seen = []

    def optimizer(w, S, state, step):
        seen.append((w.shape, step, state))
        return w - 0.1 * S, step

    frozen = {"layers": [True, False, False], "out": (np.True_, False), "tied": False}
    with bw.session(traced(), params, micro_batches=2, workers=2) as session:
        for tree in (frozen, frozen, None, optree.tree_map(lambda _: True, params)):
            before = session.params()
            session.backward(*data)
            session.update(optimizer, frozen=tree)
            after = session.params()
            held = optree.tree_leaves(tree) if tree else [False] * 6
            changed = [
                bits(a) != bits(b)
                for a, b in zip(*map(optree.tree_leaves, (before, after)), strict=True)
            ]
            assert changed == [not each for each in held]
    assert len(seen) == 4 + 4 + 6
    ours = {(3,): [], (): [], (3, 3): []}
    for shape, step, state in seen:
        ours[shape].append(step)
        assert state == (None if step == 1 else step - 1)
    assert ours == {(3,): [1, 1, 2, 2, 1, 3, 3, 1], (): [1, 2, 3], (3, 3): [1, 2, 3]}


MISTAKES_IN_FROZEN = {
    "another structure": ({"tied": True}, "frozen has the structure"),
    "one truth value for all": (True, "frozen has the structure"),
    "a number": ({**optree.tree_map(lambda _: False, weights()), "tied": 1}, r"\['tied'\] is 1"),
    "an array": (
        {**optree.tree_map(lambda _: False, weights()), "tied": np.zeros((3, 3), bool)},
        r"\['tied'\]",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES_IN_FROZEN)
def test_what_is_frozen_is_a_tree_of_truth_values(mistake):
    frozen, match = MISTAKES_IN_FROZEN[mistake]
    params = weights()
    with bw.session(traced(), params) as session:
        session.backward(*batches(1)[0])
        with pytest.raises(ArgumentError, match=match):
            session.update(bw.optimizers.sgd(1.0), frozen=frozen)
        assert_same_tree(session.params(), params)
        session.update(bw.optimizers.sgd(1.0))  # the sums are still there


def test_leaves_that_do_not_vary_stay_as_they_are():
    """Integers and masks among the parameters: kept like the others, and never differentiated."""
    params = {
        "table": np.arange(12.0).reshape(4, 3) / 5,
        "rows": np.array([3, 0, 3]),
        "mask": np.array([True, False, True]),
    }
    x = np.array([1, 2, 3])
    graph = bw.trace(of_indices, params, x)  # all arrays of floats are differentiated
    expected = bw.backward(graph, params, x).grads[0]
    for partition in (None, [k % 3 for k in range(len(graph.nodes))]):
        with bw.session(graph, params, workers=3, partitioner=partition) as session:
            grads = session.backward(x, grads=True).grads
            assert grads["rows"] is None
            assert grads["mask"] is None
            assert bits(grads["table"]) == bits(expected["table"])
            for frozen in (
                None,
                {"table": False, "rows": False, "mask": True},
                {"table": False, "rows": None, "mask": None},
            ):
                session.backward(x)
                session.update(bw.optimizers.sgd(0.25), frozen=frozen)
            after = session.params()
            assert_same_tree(after["rows"], params["rows"])
            assert_same_tree(after["mask"], params["mask"])
            assert bits(after["table"]) != bits(params["table"])


def of_some(params, x):
    return np.sum(np.tanh(x @ params["used"])) + 0.0 * np.sum(
        np.where(params["compared"] > 0, x[0], 2.0)
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_parameters_that_the_output_does_not_depend_on_have_S_0(schedule):
    numbers = np.random.default_rng(0)
    params = {
        "used": numbers.normal(size=(3, 3)),
        "unused": numbers.normal(size=2),
        "compared": numbers.normal(size=3),
        "number": 2.5,
    }
    graph = bw.trace(of_some, params, np.ones((2, 3)), argnums=0)
    x = numbers.normal(size=(3, 2, 3))
    expected = reference(graph, [(params, some) for some in x])
    seen = {}

    def optimizer(w, S, state, step):
        seen[w.shape] = np.array(S)
        return w * np.float64(0.5), None

    partition = [2 if leaf else None for leaf in [True] * 4]
    lives = dict(zip([leaf.node for leaf in graph.leaves[:4]], partition, strict=True))
    rest = {node.id: 0 for node in graph.nodes if node.id not in lives}
    with bw.session(
        graph,
        params,
        workers=3,
        micro_batches=3,
        schedule=schedule,
        partitioner={**rest, **lives},
    ) as session:
        result = session.backward(x, grads=True)
        assert_same_tree(result.grads, expected.grads)
        for name in ("unused", "compared", "number"):
            assert not np.any(result.grads[name])
        assert result.ledger.copy_sums == 2
        session.update(optimizer)
        assert len(seen) == 4
        assert [bool(np.any(seen[shape])) for shape in ((3, 3), (2,), (3,), ())] == [1, 0, 0, 0]
        assert_same_tree(session.params(), optree.tree_map(lambda w: w * np.float64(0.5), params))


# An update changes all parameters or none.


def spread(graph, workers=3):
    """A mapping of each parameter to another worker, in turn; all else is on worker 0."""
    lives = {leaf.node: k % workers for k, leaf in enumerate(graph.leaves) if leaf.argument == 0}
    return [lives.get(node.id, 0) for node in graph.nodes]


@pytest.mark.parametrize("turn", range(6))
@pytest.mark.parametrize("how", ["raises", "returns nonsense"])
def test_an_optimizer_that_fails_at_one_leaf_changes_none(turn, how):
    graph, params, data = traced(), weights(), stacked(batches(2))
    adam = bw.optimizers.adam(0.1)

    def failing():
        calls = iter(range(100))

        def optimizer(w, S, state, step):
            if next(calls) != turn:
                return adam(w, S, state, step)
            if how == "raises":
                raise ZeroDivisionError("half a step")
            return w[..., None], state

        return optimizer

    with bw.session(
        graph, params, micro_batches=2, workers=3, partitioner=spread(graph)
    ) as session:
        plain = trained(graph, params, [batches(2)] * 2, adam)
        for after in plain:
            before = session.params()
            session.backward(*data)
            grads = session.gradients()
            for _ in range(2):
                with pytest.raises(ArgumentError, match=r"args\[0\]") as caught:
                    session.update(failing())
                assert_same_tree(session.params(), before)
            if how == "raises":
                assert "half a step" in str(caught.value)
                assert isinstance(caught.value.__cause__, ZeroDivisionError)
            assert_same_tree(session.gradients(), grads)
            session.update(adam)  # its sums are there still, and no step was counted
            assert_same_tree(session.params(), after)


def test_a_failure_takes_back_one_update_only_also_where_a_worker_has_not_fired_since():
    """A parameter that nothing uses lives alone, on a worker with nothing to do in a pass."""
    params = {"used": np.ones(2), "unused": np.ones(3)}
    graph = bw.trace(lambda p, x: np.sum(p["used"] * x), params, np.ones(2), argnums=0)
    lives = {leaf.node: home for leaf, home in zip(graph.leaves, (2, 1, 0), strict=True)}
    lives |= {node.id: 0 for node in graph.nodes if node.id not in lives}
    with bw.session(graph, params, workers=3, partitioner=lives) as session:
        session.backward(np.ones(2))
        session.update(lambda w, S, state, step: (0.5 * w, None))
        once = session.params()
        session.backward(np.ones(2))

        def failing(w, S, state, step):
            return (0.5 * w if w.shape == (3,) else None), None

        with pytest.raises(ArgumentError, match=r"\['used'\]"):
            session.update(failing)
        assert_same_tree(session.params(), once)


def test_the_same_where_the_worker_has_no_part_in_another_network():
    """The worker of b updates after that of a, which fails."""
    params = {"a": np.ones(2), "b": np.ones(3)}
    both = bw.trace(lambda p, x: np.sum(p["a"] * x) + np.sum(p["b"]), params, 2.0, argnums=0)
    one = bw.trace(lambda p, x: np.sum(p["a"] * x), params, 2.0, argnums=0)
    lives = {leaf.node: home for leaf, home in zip(both.leaves, (1, 2, 0), strict=True)}
    lives |= {node.id: 0 for node in both.nodes if node.id not in lives}
    with bw.session(both, params, workers=3, partitioner=lives) as session:
        session.backward(2.0)
        session.update(lambda w, S, state, step: (0.5 * w, None))
        once = session.params()
        session.backward(2.0, graph=one)

        def failing(w, S, state, step):
            if w.shape == (2,):
                raise RuntimeError
            return 0.5 * w, None

        with pytest.raises(ArgumentError, match=r"\['a'\]"):
            session.update(failing)
        assert_same_tree(session.params(), once)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_update_that_is_interrupted_changes_none(interruption):
    graph, params, data = traced(), weights(), stacked(batches(2))

    def interrupted(w, S, state, step):
        if w.shape == (3, 3):
            raise interruption
        return w - S, None

    with bw.session(
        graph, params, micro_batches=2, workers=3, partitioner=spread(graph)
    ) as session:
        session.backward(*data)
        with pytest.raises(interruption):
            session.update(interrupted)
        assert_same_tree(session.params(), params)


def write_param(w, S, state, step):
    w -= 0.1 * S
    return w, state


def write_S(w, S, state, step):
    S *= 0.1
    return w - S, state


MISTAKES_OF_OPTIMIZERS = {
    "writes to the parameter": (write_param, "return a new array"),
    "writes to S": (write_S, "return a new array"),
    "another shape": (lambda w, S, state, step: (w[None], None), r"float64\[1, 3.*keep shape"),
    "broadcast": (lambda w, S, state, step: (w + np.ones((2, *w.shape)), None), "keep shape"),
    "single precision": (
        lambda w, S, state, step: (w.astype(np.float32), None),
        "float32.*keep shape and dtype",
    ),
    "complex": (lambda w, S, state, step: (w + 0j, None), "complex128"),
    "a list": (lambda w, S, state, step: (list(np.atleast_1d(w)), None), "list for"),
    "nothing": (lambda w, S, state, step: None, "NoneType.*pair"),
    "only the parameter": (lambda w, S, state, step: w - S, "ndarray.*pair"),
    "three": (lambda w, S, state, step: (w, state, step), "tuple.*pair"),
    "a list of two": (lambda w, S, state, step: [w, state], "list.*pair"),
    "takes two arguments": (lambda w, S: (w, None), "positional argument"),
}


@pytest.mark.parametrize("mistake", MISTAKES_OF_OPTIMIZERS)
def test_mistakes_of_an_optimizer_name_the_parameter_and_change_nothing(mistake):
    optimizer, match = MISTAKES_OF_OPTIMIZERS[mistake]
    params, data = weights(), stacked(batches(2))
    with bw.session(traced(), params, micro_batches=2, workers=2) as session:
        grads = session.backward(*data, grads=True).grads
        with pytest.raises(ArgumentError, match=match) as caught:
            session.update(optimizer)
        assert "args[0]" in str(caught.value)
        assert_same_tree(session.params(), params)
        assert_same_tree(session.gradients(), grads)


@pytest.mark.parametrize("mistake", [None, 0.1, "sgd", bw.optimizers])
def test_an_optimizer_is_a_function(mistake):
    with bw.session(traced(), weights()) as session:
        session.backward(*batches(1)[0])
        with pytest.raises(ArgumentError, match="no optimizer"):
            session.update(mistake)


# What the user has, and what the session has, share no memory.


def test_arrays_of_the_user_and_of_the_session_are_apart():
    given, params = weights(), weights()
    data = stacked(batches(2))
    expected = ran(params, batches(2))
    with bw.session(traced(), given, micro_batches=2, workers=2) as session:
        session.backward(*data)
        session.update(bw.optimizers.sgd(1.0))
        assert_same_tree(given, params)
        after = optree.tree_map(lambda w, S: w - S, params, expected.grads)
        assert_same_tree(session.params(), after)
        spoil(given)
        spoil(session.params())
        assert_same_tree(session.params(), after)
        grads = session.backward(*data, grads=True).grads
        copy = optree.tree_map(np.copy, grads)
        spoil(grads)
        spoil(session.gradients())
        assert_same_tree(session.gradients(), optree.tree_map(lambda a: a[()], copy))
        session.update(bw.optimizers.sgd(1.0))
        assert_same_tree(session.params(), optree.tree_map(lambda w, S: w - S, after, copy))


@pytest.mark.parametrize("copies", [1, 2])
def test_S_that_was_kept_and_the_sums_are_apart(copies):
    params, data = weights(), stacked(batches(copies))
    graph = traced()
    with bw.session(graph, params, micro_batches=copies) as session:
        result = session.backward(*data, keep_S=True)
        grads = session.gradients()
        for leaf in graph.leaves:
            if leaf.differentiated and graph.nodes[leaf.node].shape:
                result.S[leaf.node][...] = 777.0
        assert_same_tree(session.gradients(), grads)


def test_values_that_are_views_of_a_parameter_and_the_parameter_are_apart():
    def f(w, x):
        return w.T, np.reshape(w, -1), w, np.sum(w * x)

    w, x = np.arange(4.0).reshape(2, 2), np.ones((2, 2))
    graph = bw.trace(f, w, x, argnums=0)
    S = np.ones((2, 2)), np.ones(4), np.ones((2, 2)), 1.0
    with bw.session(graph, w) as session:
        value = session.backward(x, S=S).value
        spoil([each for each in value if isinstance(each, np.ndarray) and each.flags.writeable])
        assert_same_tree(session.params(), np.arange(4.0).reshape(2, 2))
        assert_same_tree(w, np.arange(4.0).reshape(2, 2))


def test_an_optimizer_may_use_its_own_buffer_again():
    """What it returned is the session's from then on."""
    buffer = np.empty(3)

    def optimizer(w, S, state, step):
        np.subtract(w, S, out=buffer)
        return buffer, None

    w, x = np.ones(3), np.full(3, 0.25)
    with bw.session(bw.trace(lambda w, x: np.sum(w * x), w, x, argnums=0), w) as session:
        session.backward(x)
        session.update(optimizer)
        buffer[:] = 777.0
        assert_same_tree(session.params(), np.full(3, 0.75))


def test_two_sessions_over_one_graph_do_not_know_each_other():
    graph, data = traced(), stacked(batches(2))
    with (
        bw.session(graph, weights(0), micro_batches=2) as one,
        bw.session(graph, weights(7), micro_batches=2, workers=2) as other,
    ):
        first, second = one.backward(*data, grads=True), other.backward(*data, grads=True)
        assert_same_tree(one.gradients(), first.grads)
        assert_same_tree(first.grads, ran(weights(0), batches(2)).grads)
        assert_same_tree(second.grads, ran(weights(7), batches(2)).grads)
        one.update(bw.optimizers.sgd(0.5))
        assert_same_tree(other.params(), weights(7))
