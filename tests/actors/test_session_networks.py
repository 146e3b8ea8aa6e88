"""Other networks over the parameters of a session: products with the Hessian, other lengths."""

import numpy as np
import optree
import pytest

import backwave as bw
from backwave.actors.session import KEPT_NETWORKS
from backwave.protocol.errors import (
    ArgumentError,
    IndependentOutputError,
    NotScalarError,
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
    flat,
    loss,
    of_indices,
    ran,
    reference,
    require_closed_forms,
    scalar_network,
    shorter,
    stacked,
    traced,
    weights,
)
from ..networks import mapping

# Products with the Hessian.


def directions(params, seed=11):
    numbers = np.random.default_rng(seed)
    return optree.tree_map(
        lambda w: numbers.normal(size=np.shape(w)).astype(np.asarray(w).dtype)[()], params
    )


def summed_hvp(f, params, data, v, combine="mean", argnums=0):
    """The sum over copies of products that know of no session."""
    each = [bw.hvp(f, argnums=argnums)(params, *some, v) for some in data]
    total = each[0]
    for other in each[1:]:
        total = optree.tree_map(lambda a, b: a + b, total, other)
    share = len(data) if combine == "mean" else 1
    return optree.tree_map(lambda a: a / share, total)


@pytest.mark.parametrize(
    ("combine", "schedule"),
    [*(("mean", schedule) for schedule in SCHEDULES), ("sum", "eager")],
)
def test_hvp_is_the_sum_of_the_products_of_the_copies(schedule, combine):
    params, data = weights(), batches(3)
    v = directions(params)
    expected = summed_hvp(loss, params, data, v, combine)
    with bw.session(
        traced(), params, micro_batches=3, workers=3, schedule=schedule, combine=combine
    ) as session:
        grads = session.backward(*stacked(data), grads=True).grads
        for _ in range(2):
            result = session.hvp(v, *stacked(data))
            close(result.grads, expected, 1e-12)
            slope = flat(grads) @ flat(v)
            np.testing.assert_allclose(result.value, slope, rtol=1e-12)
            assert result.ledger.messages == 3 * result.plan.graph.num_edges
            assert_same_tree(session.gradients(), grads)
        other = directions(params, 12)
        close(
            session.hvp(other, *stacked(data)).grads,
            summed_hvp(loss, params, data, other, combine),
            1e-12,
        )
        assert_same_tree(session.params(), params)
        assert_same_tree(session.gradients(), grads)
        session.update(bw.optimizers.sgd(0.1))  # by the sums of backward, not of hvp
        moved = optree.tree_map(lambda w, S: w - 0.1 * S, params, grads)
        assert_same_tree(session.params(), moved)
        close(
            session.hvp(v, *stacked(data)).grads,
            summed_hvp(loss, moved, data, v, combine),
            1e-12,
        )


def product(drawn, v):
    """The mean over copies of products that know of no session."""
    network = bw.hvp_network(drawn.graph)
    total, *others = (bw.backward(network, *args, v).grads for args in drawn.args)
    for other in others:
        total = optree.tree_map(lambda a, b: a + b, total, other)
    return optree.tree_map(lambda a: a / drawn.copies, total)


@pytest.mark.parametrize("seed", range(2000, 2000 + amount(3, 100)))
def test_hvp_over_random_networks(seed):
    drawn = case(seed, copies=seed % 4 + 1)
    drawn = drawn if drawn.S is None else shorter(drawn)
    params, argnums = drawn.kept
    v = directions(drawn.params, seed)
    kinds = [drawn.graph.nodes[u].dtype for u in range(len(drawn.graph.nodes))]
    near = 1e-5 if np.float32 in kinds else 1e-12
    for schedule in SCHEDULES:
        where = contiguous if schedule in PIPELINES else mapping
        with bw.session(
            drawn.graph,
            params,
            argnums=argnums,
            workers=3,
            schedule=schedule,
            micro_batches=drawn.copies,
            partitioner=where(drawn.graph, 3, seed),
        ) as session:
            try:
                expected = product(drawn, v)
            except IndependentOutputError:  # a linear function
                with pytest.raises(IndependentOutputError):
                    session.hvp(drawn.as_kept(v), *stacked(drawn.data))
                continue
            result = session.hvp(drawn.as_kept(v), *stacked(drawn.data))
            expected = drawn.as_kept(expected)
            for a, b in zip(*map(optree.tree_leaves, (result.grads, expected)), strict=True):
                assert np.linalg.norm(np.ravel(a - b)) <= near * max(np.linalg.norm(np.ravel(b)), 1)
            require_closed_forms(result, bw.hvp_network(drawn.graph), drawn.copies, shared=True)


def test_hvp_agrees_with_finite_differences_of_gradients():
    params, data = weights(), batches(2)
    v, graph, eps = directions(params), traced(), 1e-5
    up, down = (
        ran(optree.tree_map(lambda w, d, e=e: w + e * d, params, v), data, graph).grads
        for e in (eps, -eps)
    )
    slope = optree.tree_map(lambda a, b: (a - b) / (2 * eps), up, down)
    with bw.session(graph, params, micro_batches=2, workers=2) as session:
        found = session.hvp(v, *stacked(data)).grads  # without any backward before
        with pytest.raises(ArgumentError, match="run backward"):
            session.gradients()
    np.testing.assert_allclose(flat(found), flat(slope), rtol=1e-6, atol=1e-8)


def test_hvp_knows_leaves_that_do_not_vary_or_are_not_used():
    params = {
        "table": np.arange(12.0).reshape(4, 3) / 5,
        "rows": np.array([3, 0, 3]),
        "mask": np.array([True, False, True]),
        "unused": np.ones(2),
        "linear": np.ones(3),
    }

    def f(params, x):
        return of_indices(params, x) + np.sum(params["linear"] * x)

    x = np.array([1, 2, 3])
    graph = bw.trace(f, params, x)
    v = {"table": np.ones((4, 3)), "unused": np.ones(2), "linear": np.ones(3)}
    of_table = {name: params[name] for name in ("table", "rows", "mask")}
    (product,) = (
        bw.hvp(lambda table: of_indices({**of_table, "table": table}, x))(params["table"], w)
        for w in [v["table"]]
    )
    for beside in ({"rows": None, "mask": None}, {"rows": params["rows"], "mask": "anything"}):
        with bw.session(graph, params, workers=2) as session:
            found = session.hvp({**v, **beside}, x).grads
            close(found["table"], product, 1e-12)
            assert not np.any(found["unused"])
            assert found["unused"].shape == (2,)
            assert not np.any(found["linear"])
            assert found["rows"] is None
            assert found["mask"] is None


def test_hvp_of_several_arguments_in_any_order():
    def f(x, w, b):
        return np.sum(np.tanh(x @ w + b) ** 2)

    x, (w, b) = batches(2)[0][0], (weights()["tied"], weights()["layers"][0])
    data = [(some[0],) for some in batches(2)]
    v_w, v_b = directions(w), directions(b, 5)
    graph = bw.trace(f, x, w, b, argnums=(2, 1))
    each = [bw.hvp(f, argnums=(1, 2))(some, w, b, (v_w, v_b)) for (some,) in data]
    of_w, of_b = ((a + c) / 2 for a, c in zip(*each, strict=True))
    for argnums, params, v, expected in (
        ((2, 1), (b, w), (v_b, v_w), (of_b, of_w)),
        ((1, 2), (w, b), (v_w, v_b), (of_w, of_b)),
        ((-1, -2), [b, w], [v_b, v_w], [of_b, of_w]),
    ):
        with bw.session(graph, params, argnums=argnums, micro_batches=2, workers=2) as session:
            close(session.hvp(v, *stacked(data)).grads, expected, 1e-12)


def complex_loss(params, x):
    z = params["w"] @ x + params["shift"] * np.conj(x)
    return np.sum(np.real(z) ** 2 + np.imag(z * z)) + np.real(params["scale"] ** 2)


def test_hvp_of_complex_parameters():
    numbers = np.random.default_rng(4)

    def normal(*shape):
        return numbers.normal(size=shape) + 1j * numbers.normal(size=shape)

    params, v = (
        {"w": normal(3, 3), "shift": normal(3), "scale": complex(normal())} for _ in range(2)
    )
    data = [(normal(3),) for _ in range(3)]
    graph = bw.trace(complex_loss, params, data[0][0], argnums=0)
    with bw.session(graph, params, micro_batches=3, workers=3, schedule="1f1b") as session:
        found = session.hvp(v, *stacked(data)).grads
        close(found, summed_hvp(complex_loss, params, data, v), 1e-12)
    up, down = (
        ran(optree.tree_map(lambda w, d, e=e: w + e * d, params, v), data, graph).grads
        for e in (1e-5, -1e-5)
    )
    np.testing.assert_allclose(flat(found), (flat(up) - flat(down)) / 2e-5, rtol=1e-6)


MISTAKES_IN_V = {
    "another structure": ({"tied": np.ones((3, 3))}, "v has the structure"),
    "None": (None, "v has the structure"),
    "another shape": ({**weights(), "tied": np.ones(3)}, r"v for args\[0\]\['tied'\] has shape"),
    "complex": ({**weights(), "tied": 1j * np.ones((3, 3))}, r"\['tied'\] is complex"),
    "text": ({**weights(), "tied": "abc"}, r"\['tied'\]"),
}


@pytest.mark.parametrize("mistake", MISTAKES_IN_V)
def test_a_direction_that_does_not_fit_is_refused(mistake):
    v, match = MISTAKES_IN_V[mistake]
    with bw.session(traced(), weights(), micro_batches=2) as session:
        grads = session.backward(*stacked(batches(2)), grads=True).grads
        with pytest.raises(ArgumentError, match=match):
            session.hvp(v, *stacked(batches(2)))
        with pytest.raises(ArgumentError, match=r"takes 2 .* 1 were given"):
            session.hvp(weights(), stacked(batches(2))[0])
        assert_same_tree(session.gradients(), grads)


def test_hvp_of_a_linear_network_or_of_one_with_many_outputs_is_refused():
    w, x = np.ones(3), np.arange(3.0)
    with bw.session(bw.trace(lambda w, x: np.sum(w * x), w, x, argnums=0), w) as session:
        grads = session.backward(x, grads=True).grads
        with pytest.raises(IndependentOutputError):
            session.hvp(w, x)
        assert_same_tree(session.gradients(), grads)
    with (
        bw.session(bw.trace(lambda w, x: w * x, w, x, argnums=0), w) as session,
        pytest.raises(NotScalarError),
    ):
        session.hvp(w, x)


def test_hvp_follows_a_mapping_that_is_a_function():
    """The network of the product has more nodes than the function of the user has seen."""
    graph, params, data = traced(), weights(), batches(2)
    half = (len(graph.nodes) + 1) // 2
    with bw.session(
        graph, params, micro_batches=2, workers=2, partitioner=lambda node: node.id // half
    ) as session:
        v = directions(params)
        close(session.hvp(v, *stacked(data)).grads, summed_hvp(loss, params, data, v), 1e-12)


# Other networks over the same parameters.


def unrolled(params, steps):
    h = params["start"]
    for x in steps:
        h = np.tanh(params["w"] @ h + x)
    return np.sum(h**2)


def of_length(length):
    params = {"start": np.ones(3), "w": weights()["tied"]}
    return params, bw.trace(unrolled, params, [np.ones(3)] * length, argnums=0)


def sequences(length, copies=2):
    x = np.random.default_rng(length).normal(size=(copies, length, 3))
    return [([*each],) for each in x]


@pytest.mark.parametrize(
    ("granularity", "schedule"),
    [*(("partition", schedule) for schedule in SCHEDULES), ("layer", "1f1b"), ("node", "eager")],
)
def test_networks_of_other_lengths_run_over_the_same_parameters(schedule, granularity):
    params, graph = of_length(3)
    others = {length: of_length(length)[1] for length in (1, 3, 6)}
    rate, now = bw.optimizers.sgd(0.125), params
    with bw.session(
        graph,
        params,
        workers=3,
        schedule=schedule,
        micro_batches=2,
        granularity=granularity,
    ) as session:
        for length in (3, 6, 1):
            data = sequences(length)
            given = {} if length == 3 else {"graph": others[length]}
            for updated in (True, False):
                result = session.backward(*stacked(data), **given, grads=True)
                expected = reference(others[length], [(now, *some) for some in data])
                assert_same_tree(result.grads, expected.grads)
                assert_same_tree(result.value, expected.value)
                assert_same_tree(session.gradients(), expected.grads)
                require_closed_forms(result, others[length], 2, shared=updated)
            session.update(rate)
            now = optree.tree_map(lambda w, S: w - 0.125 * S, now, expected.grads)
            assert_same_tree(session.params(), now)


@pytest.mark.parametrize("seed", range(3000, 3000 + amount(3, 100)))
def test_random_networks_over_the_same_parameters(seed):
    drawn = case(seed, copies=seed % 4 + 1)
    other = shorter(drawn)
    params, argnums = drawn.kept
    for schedule in SCHEDULES:
        where = contiguous if schedule in PIPELINES else mapping
        with bw.session(
            drawn.graph,
            params,
            argnums=argnums,
            workers=3,
            schedule=schedule,
            micro_batches=drawn.copies,
            partitioner=where(drawn.graph, 3, seed),
        ) as session:
            for turn, some in enumerate((drawn, other, drawn, other)):
                graph = {} if some is drawn else {"graph": other.graph}
                result = session.backward(*stacked(some.data), S=some.S, grads=True, **graph)
                expected = reference(some.graph, some.args, S=some.S)
                assert_same_tree(result.grads, drawn.as_kept(expected.grads))
                assert_same_tree(result.value, expected.value)
                require_closed_forms(result, some.graph, drawn.copies, shared=turn < 2)


def test_a_short_last_batch_and_an_evaluation_of_another_kind():
    params, data, short = weights(), batches(2), batches(2, rows=1)

    def predictions(params, x):
        return {"mean": np.mean(np.tanh(x @ params["tied"])), "bias": params["out"][1] * 1.0}

    other = bw.trace(predictions, params, data[0][0], argnums=0)
    small = traced(params, rows=1)
    with bw.session(traced(), params, micro_batches=2, workers=2) as session:
        first = session.backward(*stacked(data), grads=True)
        result = session.backward(*stacked(short), graph=small, grads=True)
        assert_same_tree(result.grads, ran(params, short, small).grads)
        S = {"mean": 1.0, "bias": 2.0}
        x = [some[:1] for some in data]
        result = session.backward(*stacked(x), graph=other, S=S, grads=True)
        expected = reference(other, [(params, *some) for some in x], S=S)
        assert_same_tree(result.grads, expected.grads)
        assert_same_tree(result.value, expected.value)
        assert not np.any(result.grads["layers"][1])  # which it does not use
        again = session.backward(*stacked(data), grads=True)
        assert_same_tree(again.grads, first.grads)
        assert again.ledger.parameter_frames == 0


def _trace(params, f=unrolled, **options):
    return bw.trace(f, params, [np.ones(len(params["start"]))] * 2, **{"argnums": 0, **options})


def other_shape():
    return _trace({"start": np.ones(4), "w": np.ones((4, 4))})


def renamed():
    def f(params, steps):
        return unrolled({"start": params["start"], "w": params["v"]}, steps)

    return _trace({"start": np.ones(3), "v": np.ones((3, 3))}, f)


def single():
    return _trace({"start": np.ones(3, np.float32), "w": np.ones((3, 3), np.float32)})


def fewer():
    return _trace({"start": np.ones(3)}, lambda params, steps: np.sum(params["start"] * steps[0]))


def more():
    return _trace({"start": np.ones(3), "w": np.ones((3, 3)), "z": np.ones(2)})


def elsewhere():
    return _trace({"start": np.ones(3), "w": np.ones((3, 3))}, argnums=(0, 1))


OTHER_NETWORKS = {
    "another shape": (other_shape, r"\['start'\] float64 \[4\]"),
    "another name": (renamed, "other parameters"),
    "single precision": (single, "float32"),
    "one leaf less": (fewer, "other parameters"),
    "one leaf more": (more, "other parameters"),
    "differentiated elsewhere": (elsewhere, r"args\[1\].*differentiated"),
    "a function": (lambda: unrolled, "a graph is needed"),
    "a number": (lambda: 3, "a graph is needed"),
    "a list": (lambda: [1], "a graph is needed"),
    "a scalar network": (scalar_network, "Network, and a graph is needed"),
}


@pytest.mark.parametrize("mistake", OTHER_NETWORKS)
def test_a_network_with_other_parameters_is_refused(mistake):
    make, match = OTHER_NETWORKS[mistake]
    params, graph = of_length(2)
    data = sequences(2)
    with bw.session(graph, params, micro_batches=2) as session:
        with pytest.raises(ArgumentError, match=match):
            session.backward(*stacked(data), graph=make())
        expected = reference(graph, [(params, *some) for some in data])
        assert_same_tree(session.backward(*stacked(data), grads=True).grads, expected.grads)


def test_of_many_networks_the_last_are_kept_and_that_of_the_last_step():
    w = np.full((2, 2), 0.5)

    def of_rows(rows):
        return bw.trace(lambda w, x: np.sum(np.sin(x @ w) ** 2), w, np.ones((rows, 2)), argnums=0)

    graphs = [of_rows(rows) for rows in range(1, 30)]
    with bw.session(graphs[0], w, workers=2) as session:
        for rows, graph in enumerate(graphs, 1):
            result = session.backward(np.ones((rows, 2)), graph=graph, grads=True)
            assert_same_tree(result.grads, bw.backward(graph, w, np.ones((rows, 2))).grads)
            assert len(session._loaded) <= KEPT_NETWORKS
            assert len(session._crew._workers[0]._loaded) <= KEPT_NETWORKS
        session.hvp(w, np.ones((1, 2)))  # for which one more is loaded
        assert_same_tree(session.gradients(), result.grads)
        first = session.backward(np.ones((1, 2)), grads=True)
        assert_same_tree(first.grads, bw.backward(graphs[0], w, np.ones((1, 2))).grads)
