"""What a program says of its own network: where no message passes, and what to forget."""

import tracemalloc
from dataclasses import dataclass

import numpy as np
import optree
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backwave as bw

from ...amount import amount
from ...networks import assert_same_bits, bits, mapping, programs

x = np.linspace(0.2, 1.7, 5)


# stop_gradient


def test_no_message_passes_a_stop():
    graph = bw.trace(lambda x: np.sum(bw.stop_gradient(np.sin(x)) * x), x, argnums=0)
    result = bw.backward(graph, x)
    np.testing.assert_allclose(result.grads, np.sin(x), rtol=1e-15)
    # x, multiply and sum; the sine and its stop are off the network, and no edge leads there.
    assert (graph.num_nodes, graph.num_edges) == (3, 2)
    stops = {node.id for node in graph.nodes if node.primitive == "stop_gradient"}
    assert len(stops) == 1
    assert not any(stops & {edge.source, edge.target} for edge in graph.edges)
    assert result.ledger.inputs_without_gradient == 1


def test_a_stop_takes_a_pytree():
    @dataclass
    class State:
        value: np.ndarray
        label: str

    def f(t):
        still = bw.stop_gradient({"s": State(t["a"], "text"), "n": 3, "list": [t["b"], t["a"]]})
        assert (still["s"].label, still["n"]) == ("text", 3)
        return np.sum(t["a"] * still["s"].value) + np.sum(still["list"][0] * t["b"] * 2)

    tree = {"a": x, "b": 2 * x}
    gradient = bw.grad(f)(tree)
    np.testing.assert_allclose(gradient["a"], x, rtol=1e-15)
    np.testing.assert_allclose(gradient["b"], 4 * x, rtol=1e-15)
    assert f(tree) == pytest.approx(np.sum(x * x) + 8 * np.sum(x * x))


def test_arrays_pass_a_stop_untouched():
    assert bw.stop_gradient(x) is x
    assert bw.stop_gradient(2.0) == 2.0
    assert bw.stop_gradient([x, None])[0] is x


def test_where_everything_is_stopped_nothing_can_be_sent():
    with pytest.raises(bw.errors.IndependentOutputError):
        bw.grad(lambda x: np.sum(bw.stop_gradient(x) ** 2))(x)
    np.testing.assert_array_equal(bw.hvp(lambda x: np.sum(bw.stop_gradient(x) ** 2))(x, x), 0)


def test_a_stop_holds_in_every_order_and_mode():
    def f(x):
        return np.sum(bw.stop_gradient(x**2) * x**3)

    np.testing.assert_allclose(bw.grad(f)(x), x**2 * 3 * x**2, rtol=1e-14)
    # What was stopped moves with x in the gradient: it is stopped there too.
    np.testing.assert_allclose(bw.hvp(f)(x, np.ones(5)), x**2 * 6 * x, rtol=1e-14)
    np.testing.assert_allclose(bw.jvp(f, (x,), (x,))[1], np.sum(3 * x**5), rtol=1e-14)
    graph = bw.trace(f, bw.Shape(5))
    assert bw.backward(graph, x).value == pytest.approx(np.sum(x**5))


# checkpoint


def block(x):
    return np.sin(np.exp(x) * 0.3) * x


def stack(blocks, wrap=lambda f: f):
    def f(x):
        for _ in range(blocks):
            x = wrap(block)(x)
        return np.sum(x**2)

    return f


INNER = 3  # exp, multiply and sin; the last multiply is what the block returns


@pytest.mark.parametrize("blocks", [1, 2, 7])
def test_what_is_inside_is_computed_twice_and_counted(blocks):
    plain = bw.trace(stack(blocks), x)
    marked = bw.trace(stack(blocks, bw.checkpoint), x)
    assert len(marked.recomputed) == blocks
    theirs, ours = bw.backward(plain, x), bw.backward(marked, x)
    assert_same_bits(ours, theirs)
    assert ours.ledger.recomputed == INNER * blocks
    assert theirs.ledger.recomputed == 0
    assert bits(bw.grad(stack(blocks, bw.checkpoint))(x)) == bits(bw.grad(stack(blocks))(x))
    assert ours.ledger.messages == plain.num_edges
    assert bw.backward(marked, x).ledger.recomputed == INNER * blocks  # and again


def test_a_checkpoint_inside_another_is_part_of_it():
    def outer(x):
        return np.cos(bw.checkpoint(block)(np.sin(x)))  # sin, three, the block's result; cos stays

    graph = bw.trace(lambda x: np.sum(bw.checkpoint(outer)(x)), x)
    assert len(graph.recomputed) == 1
    result = bw.backward(graph, x)
    assert result.ledger.recomputed == 1 + INNER + 1
    assert_same_bits(
        result, bw.backward(bw.trace(lambda x: np.sum(np.cos(block(np.sin(x)))), x), x)
    )


def test_values_that_are_used_outside_are_kept():
    seen = []

    def f(x):
        y = np.exp(x)
        seen.append(y)
        return np.sin(y) * x

    def marked(x):
        result = bw.checkpoint(f)(x)
        return np.sum(result) + np.sum(seen.pop() ** 2)

    graph = bw.trace(marked, x)
    result = bw.backward(graph, x)
    assert result.ledger.recomputed == 1  # sin alone: exp goes out by the side door
    gradient = np.cos(np.exp(x)) * np.exp(x) * x + np.sin(np.exp(x)) + 2 * np.exp(2 * x)
    np.testing.assert_allclose(result.grads[0], gradient, rtol=1e-13)
    np.testing.assert_allclose(bw.grad(marked)(x), gradient, rtol=1e-13)
    seen.clear()


def test_results_of_every_form_and_further_arguments():
    def f(t, power, *, scale):
        y = np.exp(t["x"]) * scale
        return {"y": y**power, "text": "kept"}

    def whole(t):
        found = bw.checkpoint(f)(t, 3, scale=0.5)
        assert found["text"] == "kept"
        return np.sum(found["y"])

    ours = bw.grad(whole)({"x": x})["x"]
    np.testing.assert_allclose(ours, 3 * np.exp(3 * x) / 8, rtol=1e-13)
    assert bw.checkpoint(f)({"x": x}, 3, scale=0.5)["text"] == "kept"
    assert bw.checkpoint(block).__name__ == "block"


def test_what_is_left_inside_without_messages_is_no_harm():
    def f(x):
        mask = np.cos(x) > 0.5  # on no path of messages, and needed by one
        return np.where(mask, x * x, np.sin(x))

    graph = bw.trace(lambda x: np.sum(bw.checkpoint(f)(x) * x), x)
    theirs = bw.trace(lambda x: np.sum(f(x) * x), x)
    ours = bw.backward(graph, x)
    assert_same_bits(ours, bw.backward(theirs, x))
    assert ours.ledger.recomputed == 4  # cos, greater, multiply, sin


def test_branches_inside_are_guarded():
    def f(x):
        return np.exp(x) * 2 if np.sum(x) > 0 else np.sin(x)

    graph = bw.trace(lambda x: np.sum(bw.checkpoint(f)(x)), x)
    np.testing.assert_allclose(bw.backward(graph, x).grads[0], 2 * np.exp(x), rtol=1e-15)
    with pytest.raises(bw.errors.GuardError):
        bw.backward(graph, -x)


def test_an_error_inside_is_the_programs_own():
    def f(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        bw.grad(bw.checkpoint(f))(x)


def test_a_pass_through_checkpoints_that_looks_for_infinities():
    graph = bw.trace(lambda x: np.sum(bw.checkpoint(lambda x: np.log(x) * 2)(x)), x)
    assert bw.find_nonfinite(graph, x) is None
    assert bw.find_nonfinite(graph, 0 * x).node.primitive == "log"


# Memory.

SIZE = 20_000


def deep(wrap, blocks=25, steps=8):
    def steps_of(x):
        for _ in range(steps):
            x = np.sin(x) * 0.9
        return x

    def f(x):
        for _ in range(blocks):
            x = wrap(steps_of)(x)
        return np.sum(x)

    return f


def peak(run):
    tracemalloc.start()
    try:
        found = run()
        return tracemalloc.get_traced_memory()[1], found
    finally:
        tracemalloc.stop()


def test_a_gradient_through_checkpoints_takes_a_fraction_of_the_memory():
    at = np.linspace(-1, 1, SIZE)
    before, theirs = peak(lambda: bw.grad(deep(lambda f: f))(at))
    after, ours = peak(lambda: bw.grad(deep(bw.checkpoint))(at))
    assert bits(ours) == bits(theirs)
    arrays = SIZE * 8
    assert before > 25 * 8 * 2 * arrays  # every value of every step
    assert after < (25 + 4 * 8) * arrays + 1e6  # one a block, and those of the block at hand
    assert peak(lambda: bw.vjp(deep(bw.checkpoint), at)[1](1.0))[0] < before / 4


# Over workers, in files, in higher order.


@pytest.mark.parametrize("schedule", ["eager", "level"])
@pytest.mark.parametrize(
    ("granularity", "workers"), [("partition", 1), ("partition", 3), ("layer", 1), ("node", 1)]
)
def test_workers_forget_too_and_give_the_same_bits(granularity, workers, schedule):
    graph = bw.trace(stack(4, bw.checkpoint), x)
    reference = bw.backward(graph, x)
    plan = bw.plan(graph, workers, granularity, schedule=schedule)
    result = bw.run_locally(plan, x)
    assert_same_bits(result, reference)
    # What is sent elsewhere is kept.
    assert result.ledger.recomputed <= reference.ledger.recomputed == 4 * INNER
    if granularity == "partition":
        assert result.ledger.recomputed > 0
    if workers == 1 and granularity == "partition":
        assert result.ledger.recomputed == 4 * INNER


@given(programs(max_steps=10), st.integers(1, 4), st.integers(0, 2**32), st.integers(0, 9))
@settings(max_examples=amount(6, 60))
def test_random_checkpoints_in_random_partitions_give_the_same_bits(program, workers, seed, first):
    """Some stretch of a random program is a checkpoint; any of its values may be used after it."""

    def marked(*args):
        values = list(args)
        first_step = min(first, len(program.steps) - 1)
        steps, program_steps = program.steps, program.steps[first_step:]
        from ...networks import OPERATIONS

        def run(chosen):
            for name, operands, detail in chosen:
                values.append(OPERATIONS[name](detail, *(values[i] for i in operands)))
            return values[-1]

        run(steps[:first_step])
        bw.checkpoint(lambda *_: run(program_steps[:5]))(*values)
        run(program_steps[5:])
        return sum(np.sum(values[i]) for i in program.outputs)

    graph, plain = bw.trace(marked, *program.args), program.graph()
    reference = bw.backward(plain, *program.args)
    ours = bw.backward(graph, *program.args)
    assert [bits(g) for g in ours.grads] == [bits(g) for g in reference.grads]
    plan = bw.plan(graph, workers, partitioner=mapping(graph, workers, seed))
    assert_same_bits(bw.run_locally(plan, *program.args), ours)
    product = bw.hvp_network(graph)
    if product.on_network[product.output]:
        v = program.args[0] if len(program.args) == 1 else program.args
        one = bw.backward(product, *program.args, v)
        other = bw.backward(bw.hvp_network(plain), *program.args, v)
        close = {"rtol": 1e-6, "atol": 1e-6}
        for a, b in zip(*map(optree.tree_leaves, (one.grads, other.grads)), strict=True):
            np.testing.assert_allclose(a, b, **close)


def test_a_file_keeps_checkpoints(tmp_path):
    graph = bw.trace(stack(3, bw.checkpoint), x)
    graph.save(tmp_path / "graph")
    read = bw.Graph.load(tmp_path / "graph")
    assert read.recomputed == graph.recomputed
    result = bw.backward(read, x)
    assert result.ledger.recomputed == 3 * INNER
    assert_same_bits(result, bw.backward(graph, x))


@pytest.mark.parametrize("blocks", [1, 4])
def test_in_higher_order_checkpoints_change_nothing(blocks):
    marked, plain = stack(blocks, bw.checkpoint), stack(blocks)
    v = np.cos(x)
    t = 1e-6
    numeric = (bw.grad(plain)(x + t * v) - bw.grad(plain)(x - t * v)) / (2 * t)
    np.testing.assert_allclose(bw.hvp(marked)(x, v), numeric, rtol=1e-6, atol=1e-6)
    assert bits(bw.hvp(marked)(x, v)) == bits(bw.hvp(plain)(x, v))
    assert bits(bw.hessian(marked)(x)) == bits(bw.hessian(plain)(x))
    assert bits(bw.jacobian(bw.checkpoint(block))(x)) == bits(bw.jacobian(block)(x))
    ours, theirs = (bw.jvp(f, (x,), (v,)) for f in (marked, plain))
    assert [bits(each) for each in ours] == [bits(each) for each in theirs]
    # Of a wave within a program what is computed again is another node: sums round otherwise.
    nested = bw.grad(lambda x: np.sum(bw.grad(marked)(x) * v))(x)
    np.testing.assert_allclose(nested, numeric, rtol=1e-6, atol=1e-6)
    back = bw.vjp(bw.checkpoint(block), x)[1]
    assert bits(back(v)[0]) == bits(bw.vjp(block, x)[1](v)[0]) == bits(back(v)[0])
    graph = bw.trace(marked, x)
    result = bw.backward(graph, x).hessian @ v
    np.testing.assert_allclose(result, numeric, rtol=1e-6, atol=1e-6)


def test_a_stop_holds_in_a_gradient_of_a_gradient():
    def f(x):
        return np.sum(bw.stop_gradient(x**2) * x**3)

    nested = bw.grad(lambda x: np.sum(bw.grad(f)(x)))(x)
    np.testing.assert_allclose(nested, x**2 * 6 * x, rtol=1e-14)


def test_a_checkpointed_gradient_inside_a_program():
    """A gradient step that is itself a checkpoint: its waves are recorded, forgotten, recalled."""

    def step(x):
        return x - 0.1 * bw.grad(lambda x: np.sum(np.sin(x) ** 2))(x)

    def f(x, wrap):
        for _ in range(3):
            x = wrap(step)(x)
        return np.sum(x**2)

    ours = bw.grad(lambda x: f(x, bw.checkpoint))(x)
    assert bits(ours) == bits(bw.grad(lambda x: f(x, lambda g: g))(x))
