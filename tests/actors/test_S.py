"""S that is given at the outputs: a wave from any S, here and over workers, as autograd has it."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad as autograd_grad
from hypothesis import given, note, settings
from hypothesis import strategies as st

import backwave as bw
from backwave.actors.local import LocalEngine
from backwave.protocol.errors import ArgumentError, NotScalarError

from ..amount import amount
from ..networks import assert_same_bits, mapping, networks_of_any_outputs, seeds
from ..protocol.derivatives.peers import last_nodes, programs, shapes

SCHEDULES = st.sampled_from(["eager", "wave", "level"])


@settings(max_examples=amount(60, 500))
@given(shapes, programs, st.integers(1, 3), st.integers(1, 4), SCHEDULES, st.integers(0, 2**32 - 1))
def test_a_wave_from_any_S_is_a_vjp_of_autograds(shapes, program, count, workers, schedule, seed):
    """Of one output that is an array, and of several."""
    random = np.random.default_rng(seed)
    leaves = [random.uniform(-1, 1, shape) for shape in shapes]
    run = last_nodes(program, count)
    note(f"leaves {shapes}, seed {seed}, the last {count} of {program}")

    def ours(leaves):
        values = run(np, leaves)
        return values[0] if len(values) == 1 else values

    def theirs(leaves):
        return sum(anp.sum(s * value) for s, value in zip(S, run(anp, leaves), strict=True))

    with np.errstate(all="ignore"):
        values = run(np, leaves)
        S = [random.normal(size=np.shape(value)) for value in values]
        given_S = S[0] if len(S) == 1 else S
        expected = autograd_grad(theirs)(leaves)
        graph = bw.trace(ours, leaves, argnums=0)
        result = bw.backward(graph, leaves, S=given_S)
        the_plan = bw.plan(
            graph, workers, partitioner=mapping(graph, workers, seed), schedule=schedule
        )
        there = bw.run_locally(the_plan, leaves, S=given_S)
    found = [result.value] if len(values) == 1 else result.value
    for value, other in zip(found, values, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-12, atol=1e-12)
    for gradient, other in zip(result.grads, expected, strict=True):
        error = np.linalg.norm(np.ravel(gradient - other))
        assert error <= 1e-10 * max(1.0, np.linalg.norm(np.ravel(other)))
    assert result.ledger.messages == graph.num_edges
    assert_same_bits(there, result)


@settings(max_examples=amount(30, 300))
@given(networks_of_any_outputs(), st.integers(1, 4), SCHEDULES, st.integers(0, 2**32 - 1))
def test_any_S_gives_the_same_bits_over_workers(drawn, workers, schedule, seed):
    """Outputs may be leaves, one below another, or single precision."""
    graph, args = drawn
    S = seeds(graph, seed)
    reference = bw.backward(graph, *args, S=S)
    partitioner = mapping(graph, workers, seed)
    the_plan = bw.plan(graph, workers, partitioner=partitioner, schedule=schedule)
    assert_same_bits(bw.run_locally(the_plan, *args, S=S), reference)


def test_one_is_the_S_of_the_article():
    x = np.linspace(-1, 1, 5)
    graph = bw.trace(lambda x: np.sum(np.tanh(x) ** 2), x)
    reference = bw.backward(graph, x)
    for S in (1, 1.0, np.float64(1), np.array(1.0), True):
        assert_same_bits(bw.backward(graph, x, S=S), reference)
        assert_same_bits(bw.run_locally(bw.plan(graph, 2), x, S=S), reference)
    assert bw.backward(graph, x, S=2.0).S[graph.output] == 2.0


def test_S_has_the_structure_of_the_value():
    x = np.linspace(0.5, 2, 4)

    def f(x):
        return {"squares": x**2, "rest": [np.sum(x), x]}

    graph = bw.trace(f, x)
    S = {"squares": np.arange(4.0), "rest": [3.0, np.ones(4)]}
    expected = 2 * x * np.arange(4.0) + 3.0 + 1.0
    for run in (bw.backward, lambda graph, *args, S: bw.run_locally(bw.plan(graph, 3), *args, S=S)):
        result = run(graph, x, S=S)
        np.testing.assert_allclose(result.grads[0], expected, rtol=1e-15)
        np.testing.assert_array_equal(result.value["squares"], x**2)
        # x is an output and below two others: what it was given, and what they sent.
        np.testing.assert_allclose(result.S[graph.leaves[0].node], expected, rtol=1e-15)


def test_S_that_is_given_is_left_alone():
    x, S = np.linspace(-1, 1, 3), np.ones(3)
    graph = bw.trace(lambda x: x * 1.0, x)
    (gradient,) = bw.backward(graph, x, S=S).grads
    gradient += 7.0
    np.testing.assert_array_equal(S, np.ones(3))


MISTAKES = {
    "another shape": (np.ones(2), r"shape \(2,\)"),
    "a list": ([1.0, 2.0, 3.0], "structure"),
    "text": ("abc", "dtype"),
    "complex": (1j * np.ones(3), "complex"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_S_that_does_not_fit_is_refused_before_anything_starts(monkeypatch, mistake):
    monkeypatch.setattr(LocalEngine, "do", lambda *_: pytest.fail("something has started"))
    S, match = MISTAKES[mistake]
    graph = bw.trace(np.tanh, np.ones(3))
    with pytest.raises(ArgumentError, match=match):
        bw.backward(graph, np.ones(3), S=S)
    with pytest.raises(ArgumentError, match=match):
        bw.run_locally(bw.plan(graph, 2), np.ones(3), S=S)


def test_without_an_S_the_value_must_be_one_number():
    graph = bw.trace(np.tanh, np.ones(3))
    for run in (bw.backward, lambda graph, x: bw.run_locally(bw.plan(graph, 2), x)):
        with pytest.raises(NotScalarError, match=r"shape \(3,\)"):
            run(graph, np.ones(3))
