"""What a session takes: parameters, data of copies, settings; and what it refuses by name."""

from dataclasses import dataclass

import numpy as np
import optree
import pytest

import backwave as bw
from backwave.actors.local import LocalEngine
from backwave.protocol.errors import (
    ArgumentError,
    BackwaveError,
    ClusterError,
    IndependentOutputError,
    PlanError,
)
from backwave.scheduler.order import Firing, in_turn
from backwave.scheduler.rounds import eager_rounds

from ..copies import (
    assert_same_tree,
    batches,
    loss,
    ran,
    reference,
    residents,
    scalar_network,
    stacked,
    traced,
    weights,
)

PIPELINES = ("gpipe", "1f1b")
SCHEDULES = ("level", "wave", "eager", *PIPELINES)


# Data: leading axes, lists, pytrees.


def of_dict(params, data, index, scale):
    return np.sum(np.tanh(data["x"] @ params)[index] * data["pair"][1]) * scale + np.sum(
        data["pair"][0]
    )


def dict_copies(copies):
    numbers = np.random.default_rng(5)
    return [
        (
            {
                "x": numbers.normal(size=(3, 3)),
                "pair": (numbers.normal(size=2), numbers.normal(size=3)),
            },
            numbers.integers(0, 3, 4),
            float(numbers.normal()),
        )
        for _ in range(copies)
    ]


@pytest.mark.parametrize("copies", [1, 2, 3, 4])
def test_a_list_of_copies_and_a_leading_axis_give_the_same(copies):
    """Three ways: arrays with an axis, a list of whole arguments, a list at each leaf."""
    # The first argument has three leaves, the second four entries, the arrays three rows: a number
    # of copies that is one of these must not be mistaken.
    params, data = weights()["tied"], dict_copies(copies)
    graph = bw.trace(of_dict, params, *data[0], argnums=0)
    expected = reference(graph, [(params, *some) for some in data])
    in_lists = [list(column) for column in zip(*data, strict=True)]
    at_leaves = (
        {
            "x": [some[0]["x"] for some in data],
            "pair": ([some[0]["pair"][0] for some in data], [some[0]["pair"][1] for some in data]),
        },
        tuple(in_lists[1]),
        np.array(in_lists[2]),
    )
    with bw.session(graph, params, micro_batches=copies, workers=2) as session:
        for given in (stacked(data), in_lists, at_leaves):
            result = session.backward(*given, grads=True)
            assert_same_tree(result.value, expected.value)
            assert_same_tree(result.grads, expected.grads)


def test_data_may_be_a_list_of_as_many_arrays_as_there_are_copies():
    """An argument that is a list of two, and two copies: the structure of the trace goes first."""

    def f(w, pair):
        return np.sum(w * pair[0]) + 2.0 * np.sum(w * pair[1])

    w, first, second = np.ones(2), np.array([1.0, 2.0]), np.array([3.0, 5.0])
    graph = bw.trace(f, w, [first, second], argnums=0)
    copies = [[first, second], [10 * first, 10 * second]]
    expected = reference(graph, [(w, pair) for pair in copies])
    with bw.session(graph, w, micro_batches=2) as session:
        whole = [np.stack([first, 10 * first]), np.stack([second, 10 * second])]
        for given in (copies, whole, tuple(copies)):
            result = session.backward(given, grads=True)
            assert_same_tree(result.grads, expected.grads)


MISTAKES_IN_DATA = {
    "one argument too few": (lambda x, y: (x,), r"takes 2 .*args\[1\], args\[2\].* 1 were given"),
    "one argument too many": (lambda x, y: (x, y, y), r"takes 2 .* and 3 were given"),
    "no argument": (lambda x, y: (), r"takes 2 .* and 0 were given"),
    "another number of copies": (
        lambda x, y: (x[:2], y),
        r"args\[1\] has shape \(2, 4, 3\).*\(4, 3\).*micro_batches=3",
    ),
    "no leading axis": (lambda x, y: (x[0], y), r"args\[1\] has shape \(4, 3\).*micro_batches=3"),
    "the axis elsewhere": (
        lambda x, y: (np.moveaxis(x, 0, 1), y),
        r"args\[1\] has shape \(4, 3, 3\)",
    ),
    "another length behind it": (lambda x, y: (x, y[:, :2]), r"args\[2\] has shape \(3, 2\)"),
    "a list of two": (lambda x, y: (list(x[:2]), y), r"args\[1\].*list of 3"),
    "a list with a short one": (lambda x, y: ([x[0], x[1], x[2][:2]], y), r"args\[1\].*\[2, 3\]"),
    "a list with a tree": (lambda x, y: ([x[0], x[1], (x[2],)], y), r"args\[1\].*structure"),
    "another structure": (lambda x, y: ({"x": x}, y), r"args\[1\].*structure.*'x'"),
    "None": (lambda x, y: (x, None), r"args\[2\].*structure"),
    "another dtype": (lambda x, y: (x.astype(np.float32), y), r"args\[1\] is float32.*float64"),
    "integers": (lambda x, y: (x, np.ones((3, 4), int)), r"args\[2\] is int64"),
    "text": (lambda x, y: ("abc", y), r"args\[1\]"),
    "a shape": (lambda x, y: (bw.Shape((3, 4, 3)), y), r"args\[1\] is a bw\.Shape"),
}


@pytest.mark.parametrize("mistake", MISTAKES_IN_DATA)
def test_data_that_does_not_fit_is_refused_before_anything_starts(monkeypatch, mistake):
    change, match = MISTAKES_IN_DATA[mistake]
    params, data = weights(), batches(3)
    with bw.session(traced(), params, micro_batches=3) as session:
        with monkeypatch.context() as patch:
            patch.setattr(LocalEngine, "do", lambda *_: pytest.fail("something has started"))
            with pytest.raises(ArgumentError, match=match):
                session.backward(*change(*stacked(data)))
        assert_same_tree(
            session.backward(*stacked(data), grads=True).grads, ran(params, data).grads
        )


MISTAKES_IN_PARAMETERS = {
    "another structure": ({"w": np.ones(3)}, r"args\[0\] has the structure .*'w'"),
    "another key": (
        {"layers": weights()["layers"], "out": weights()["out"], "tide": weights()["tied"]},
        r"args\[0\] has the structure .*'tide'",
    ),
    "a layer less": ({**weights(), "layers": weights()["layers"][:2]}, r"args\[0\].*structure"),
    "another shape": ({**weights(), "tied": np.ones((2, 3))}, r"args\[0\]\['tied'\].*\[2, 3\]"),
    "another dtype": (
        {**weights(), "tied": np.ones((3, 3), np.float32)},
        r"args\[0\]\['tied'\] is float32",
    ),
    "a shape": ({**weights(), "tied": bw.Shape((3, 3))}, r"args\[0\]\['tied'\] is a bw\.Shape"),
    "text": ({**weights(), "tied": "abc"}, r"args\[0\]\['tied'\]"),
    "nothing": (None, r"args\[0\].*structure"),
}


@pytest.mark.parametrize("mistake", MISTAKES_IN_PARAMETERS)
def test_parameters_that_do_not_fit_are_refused(mistake):
    params, match = MISTAKES_IN_PARAMETERS[mistake]
    with pytest.raises(ArgumentError, match=match):
        bw.session(traced(), params)


def test_arguments_of_a_graph_from_a_file_are_held_to_their_names(tmp_path):
    """A file holds no structure, but the path of each leaf: two that change places are refused."""
    params, data = {"a": np.ones((2, 2)), "b": 2 * np.ones((2, 2))}, {"x": np.eye(2), "y": 0.5}
    graph = bw.trace(
        lambda p, d: np.sum(np.sin(p["a"] @ d["x"]) * p["b"]) * d["y"], params, data, argnums=0
    )
    graph.save(tmp_path / "graph.msgpack")
    loaded = bw.Graph.load(tmp_path / "graph.msgpack")
    pair = [data, {"x": 2 * data["x"], "y": 0.25}]
    expected = reference(graph, [(params, some) for some in pair])
    v = {"a": np.eye(2), "b": np.ones((2, 2))}
    with (
        bw.session(loaded, params, micro_batches=2) as session,
        bw.session(graph, params, micro_batches=2) as other,
    ):
        whole = stacked([(some,) for some in pair])[0]
        for given in (pair, whole):
            assert_same_tree(session.backward(given, grads=True).grads, expected.grads)
            assert_same_tree(session.hvp(v, given).grads, other.hvp(v, given).grads)
        for renamed in (
            [{"u": some["x"], "v": some["y"]} for some in pair],
            {"u": whole["x"], "v": whole["y"]},
            [pair[0], (pair[0]["x"], 0.5)],
        ):
            with pytest.raises(ArgumentError, match=r"args\[1\]"):
                session.backward(renamed)
    with pytest.raises(ArgumentError, match=r"args\[0\]"):
        bw.session(loaded, {"b": params["a"], "c": params["b"]})


@dataclass
class Weights:
    a: object
    kind: str
    b: object


def test_parameters_and_data_may_be_dataclasses():
    params = Weights(np.ones((2, 2)), "plain", np.arange(2.0))
    data = [Weights(np.full((2, 2), k), "plain", np.ones(2)) for k in (1.0, 2.0)]

    def f(params, data):
        return np.sum(np.sin(data.a @ params.a) * params.b) + np.sum(data.b)

    graph = bw.trace(f, params, data[0], argnums=0)
    expected = reference_of_dataclasses(graph, params, data)
    with bw.session(graph, params, micro_batches=2, workers=2) as session:
        found = session.backward(data, grads=True).grads
        assert type(found) is Weights
        assert found.kind == "plain"
        np.testing.assert_array_equal(found.a, expected[0])
        np.testing.assert_array_equal(found.b, expected[1])
        whole = Weights(np.stack([each.a for each in data]), "plain", np.ones((2, 2)))
        np.testing.assert_array_equal(session.backward(whole, grads=True).grads.a, expected[0])
        session.update(bw.optimizers.sgd(1.0))
        np.testing.assert_array_equal(session.params().b, params.b - expected[1])


def reference_of_dataclasses(graph, params, data):
    each = [bw.backward(graph, params, some, S=0.5).grads for some in data]
    return each[0].a + each[1].a, each[0].b + each[1].b


# Which arguments are parameters.


def of_three(x, w, b):
    return np.sum(np.tanh(x @ w + b) ** 2)


def test_argnums_say_which_arguments_stay():
    x, w, b = batches(1)[0][0], weights()["tied"], weights()["layers"][0]
    data = [some[0] for some in batches(2)]
    last = bw.trace(of_three, x, w, b, argnums=2)
    both = bw.trace(of_three, x, w, b, argnums=(1, 2))
    all_three = bw.trace(of_three, x, w, b)
    grads = [bw.backward(all_three, some, w, b, S=0.5).grads for some in data]
    of_w, of_b = (grads[0][k] + grads[1][k] for k in (1, 2))

    def run(graph, params, argnums, *given):
        with bw.session(graph, params, argnums=argnums, micro_batches=2, workers=2) as session:
            found = session.backward(*given, grads=True).grads
            assert_same_tree(session.params(), params)
            return found

    X, W = np.stack(data), np.stack([w, w])
    assert_same_tree(run(last, b, 2, X, W), of_b)
    assert_same_tree(run(last, b, -1, X, W), of_b)
    assert_same_tree(run(last, (b,), (2,), X, W), (of_b,))
    assert_same_tree(run(last, (w, b), (1, 2), X), (None, of_b))
    assert_same_tree(run(last, (b, w), (2, 1), X), (of_b, None))
    assert_same_tree(run(both, (w, b), (1, 2), X), (of_w, of_b))
    assert_same_tree(run(both, (b, w), (-1, 1), X), (of_b, of_w))
    assert_same_tree(run(both, [w, b], (1, 2), X), [of_w, of_b])
    one = bw.backward(all_three, data[0], w, b)
    with bw.session(all_three, (data[0], w, b), argnums=None, workers=2) as session:
        result = session.backward(grads=True)  # without data
        assert_same_tree(result.grads, one.grads)
        assert_same_tree(result.value, one.value)
    with bw.session(
        all_three, (data[0], w, b), argnums=None, micro_batches=3, combine="sum"
    ) as session:
        result = session.backward(grads=True)
        assert_same_tree(result.grads, optree.tree_map(lambda S: S + S + S, one.grads))


@pytest.mark.parametrize(
    ("argnums", "params", "match"),
    [
        (3, 0, "only 3 arguments"),
        (-4, 0, "only 3 arguments"),
        ((1, 1), (0, 0), "twice"),
        ((1, -2), (0, 0), "twice"),
        ("1", 0, "argnums='1'"),
        (1.0, 0, "argnums=1.0"),
        (True, 0, "argnums=True"),
        ([1], 0, r"argnums=\[1\]"),
        ((), (), "differentiated.*argnums"),
        (0, np.ones((4, 3)), r"args\[1\] is differentiated.*argnums=0"),
        (2, np.ones(3), r"args\[1\] is differentiated.*argnums=2"),
        ((0, 2), (0, 0), r"args\[1\] is differentiated"),
        ((1, 2), np.ones((3, 3)), "tuple of so many"),
        ((1, 2), (np.ones((3, 3)),), "tuple of so many"),
        (None, (np.ones((4, 3)), np.ones((3, 3))), "tuple of so many"),
    ],
)
def test_argnums_that_do_not_fit_are_refused(argnums, params, match):
    graph = bw.trace(of_three, np.ones((4, 3)), np.ones((3, 3)), np.ones(3), argnums=1)
    with pytest.raises(ArgumentError, match=match):
        bw.session(graph, params, argnums=argnums)


def test_only_a_graph_has_sessions():
    for wrong, match in (
        (scalar_network(), "Network, and a graph is needed"),
        (loss, "function, and a graph is needed"),
        (None, "NoneType"),
        ([1], "list"),
    ):
        with pytest.raises(ArgumentError, match=match):
            bw.session(wrong, np.ones(3))
    still = bw.trace(lambda w, x: np.sum(x), np.ones(2), np.ones(2), argnums=0)
    with pytest.raises(IndependentOutputError):
        bw.session(still, np.ones(2))


# Settings that make no sense, and a session that is over.

MISTAKES_IN_SETTINGS = {
    "no copies": ({"micro_batches": 0}, ArgumentError, "micro_batches=0"),
    "half a copy": ({"micro_batches": 1.5}, ArgumentError, "micro_batches=1.5"),
    "a truth value": ({"micro_batches": True}, ArgumentError, "micro_batches=True"),
    "none in flight": ({"in_flight": 0}, ArgumentError, "in_flight=0"),
    "another way": ({"combine": "max"}, ArgumentError, "combine='max'.*'mean' or 'sum'"),
    "chunks": ({"chunks": 2}, PlanError, "chunks=2"),
    "no chunks": ({"chunks": 0}, ArgumentError, "chunks=0"),
    "no workers": ({"workers": 0}, PlanError, "workers=0"),
    "another schedule": ({"schedule": "zb-h7"}, PlanError, "no schedule 'zb-h7'.*gpipe.*1f1b"),
    "another granularity": ({"granularity": "atom"}, PlanError, "no granularity 'atom'"),
    "another partitioner": ({"partitioner": "luck"}, PlanError, "no partitioner 'luck'"),
    "a GPU too many": ({"gpus": 2}, PlanError, "gpus=2"),
    "a worker too far": (
        {"partitioner": lambda node: 2, "workers": 2},
        PlanError,
        "partition 2.*0 to 1",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES_IN_SETTINGS)
def test_settings_that_make_no_sense_are_refused(mistake):
    options, error, match = MISTAKES_IN_SETTINGS[mistake]
    with pytest.raises(error, match=match):
        bw.session(traced(), weights(), **options)


def chain(params, x):
    for w in params:
        x = np.tanh(x @ w)
    return np.sum(x)


def chain_of(layers):
    params = [np.eye(3) * 0.5 for _ in range(layers)]
    return params, bw.trace(chain, params, np.ones((3, 3)), argnums=0)


@pytest.mark.parametrize("schedule", PIPELINES)
def test_a_pipeline_whose_workers_need_each_other_in_a_circle_is_refused(schedule):
    params, graph = chain_of(4)
    computed = [node.id for node in graph.nodes if node.inputs]
    lives = {u: (0, 2, 1, 2, 0, 0, 0, 0, 0)[k] for k, u in enumerate(computed)}
    with pytest.raises(PlanError, match=r"worker 0 needs values of worker 2, .*worker 0"):
        bw.session(graph, params, workers=3, partitioner=lives, schedule=schedule, micro_batches=2)
    with bw.session(graph, params, workers=3, partitioner=lives, micro_batches=2) as session:
        session.backward(np.ones((2, 3, 3)))  # which eager can do


@pytest.mark.parametrize(
    ("schedule", "workers", "in_flight", "fits"),
    [
        ("gpipe", 3, 3, False),
        ("gpipe", 1, 3, False),
        ("gpipe", 3, 4, True),
        ("1f1b", 3, 2, False),
        ("1f1b", 3, 3, True),
        ("1f1b", 1, 1, True),
        ("eager", 3, 1, True),
        ("wave", 3, 1, True),
        ("level", 3, 1, True),
    ],
)
def test_too_few_passes_in_flight_are_refused_before_anything_runs(
    monkeypatch, schedule, workers, in_flight, fits
):
    params, graph = chain_of(3)
    options = dict(workers=workers, schedule=schedule, micro_batches=4, in_flight=in_flight)
    if fits:
        with bw.session(graph, params, **options) as session:
            x = np.random.default_rng(0).normal(size=(4, 3, 3))
            expected = reference(graph, [(params, some) for some in x])
            assert_same_tree(session.backward(x, grads=True).grads, expected.grads)
        return
    monkeypatch.setattr(LocalEngine, "do", lambda *_: pytest.fail("something has started"))
    with pytest.raises(
        PlanError, match=rf"'{schedule}' would never end: .* waits for .* on worker 0"
    ):
        bw.session(graph, params, **options)


def in_an_order(change):
    """A schedule of the user's own, whose order is wrong."""
    return bw.Schedule(
        "mine", eager_rounds, lambda flow, passes, _: change(in_turn(flow, passes, None))
    )


ORDERS = {
    "lacks a firing": lambda order: (order[0][:-1], *order[1:]),
    "has one twice": lambda order: ((*order[0], order[0][-1]), *order[1:]),
    "is empty": lambda order: tuple(() for _ in order),
    "lacks a worker": lambda order: order[:1],
    "has a stage that is not there": lambda order: ((*order[0], Firing(0, 99)), *order[1:]),
    "has a copy that is not there": lambda order: (
        (*order[0], *(Firing(9, stage) for n, stage in order[0] if n == 0)),
        *order[1:],
    ),
    "is backwards": lambda order: tuple(some[::-1] for some in order),
}


@pytest.mark.parametrize("how", ORDERS)
def test_an_order_of_the_users_own_that_cannot_be_run_is_refused_before_anything_runs(how):
    params, graph = chain_of(3)
    with pytest.raises(PlanError, match="'mine'"):
        bw.session(graph, params, workers=2, micro_batches=3, schedule=in_an_order(ORDERS[how]))


def test_an_order_of_the_users_own():
    params, graph = chain_of(3)
    x = np.random.default_rng(0).normal(size=(3, 3, 3))
    schedule = in_an_order(lambda order: [list(some) for some in order])
    with bw.session(graph, params, workers=2, micro_batches=3, schedule=schedule) as session:
        expected = reference(graph, [(params, some) for some in x])
        assert_same_tree(session.backward(x, grads=True).grads, expected.grads)


def test_a_session_that_is_closed_is_refused():
    graph, params, data = traced(), weights(), stacked(batches(2))
    with bw.session(graph, params, micro_batches=2, workers=2) as session:
        assert session.graph is graph
        assert session.plan.partitions == 2
        session.backward(*data, keep_S=True)
    for call in (
        lambda: session.backward(*data),
        session.gradients,
        session.params,
        lambda: session.update(bw.optimizers.sgd(0.1)),
        lambda: session.hvp(params, *data),
    ):
        with pytest.raises(ClusterError, match="closed"):
            call()
    session.close()  # a second time
    assert residents(session) == []
    assert not any(worker._parameters for worker in session._crew._workers)


def test_S_that_was_not_read_before_the_end_says_so():
    graph = traced()
    with bw.session(graph, weights()) as session:
        read = session.backward(*batches(1)[0], keep_S=True)
        S = dict(read.S.items())
    assert_same_tree(dict(read.S.items()), S)  # what was read is there
    with bw.session(graph, weights()) as session:
        late = session.backward(*batches(1)[0], keep_S=True)
    with pytest.raises(BackwaveError, match=r"closed|session|is over"):
        late.S[graph.output]


def test_a_session_is_closed_after_an_error_too():
    with pytest.raises(ZeroDivisionError), bw.session(traced(), weights()) as session:
        raise ZeroDivisionError
    with pytest.raises(ClusterError, match="closed"):
        session.params()
