"""Scalar networks over workers in this process: the same bits, however they are cut."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import backwave as bw
from backwave.actors.execute import execute
from backwave.actors.local import LocalEngine
from backwave.protocol.errors import LedgerError, ProtocolError
from backwave.protocol.message import BACKWARD, Address, Frame, Header
from backwave.scheduler.run import Passing

from ..protocol.scalar.drawn import (
    assert_close,
    assert_same_bits,
    drawn,
    end_to_end,
    loop,
    network,
)
from ..scheduler.test_plan_of_scalars import plans


def passed(engine, inputs, number=0):
    """Run a pass on an engine."""
    args = (inputs,)
    passing = Passing(number, engine.plan.graph.bind(args, None))
    return execute(engine.plan, engine, passing, args=args)


@given(drawn, plans)
def test_any_plan_gives_the_bits_of_one_place(made, options):
    net = made.network
    reference = bw.backward(net, made.inputs)
    the_plan = bw.plan(net, **options)
    result = bw.run_locally(the_plan, made.inputs)
    if options["combiner"]:  # which sums in another order
        assert_close(result, reference)
    else:
        assert_same_bits(result, reference)
    ledger = result.ledger
    assert ledger.messages == ledger.edges == net.num_edges
    assert ledger.sums == reference.ledger.sums
    assert ledger.waves == reference.ledger.waves == net.num_levels
    assert ledger.cross_messages + ledger.combined == ledger.cut_edges == the_plan.cut_edges
    assert ledger.payload_bytes == 8 * ledger.cross_messages
    assert options["combiner"] or ledger.combined == 0


@pytest.mark.parametrize("granularity", ["node", "layer"])
@pytest.mark.parametrize("schedule", ["eager", "wave", "level"])
def test_a_worker_a_node_or_a_layer(granularity, schedule):
    for seed in range(5):
        made = network(seed)
        net = made.network
        the_plan = bw.plan(net, granularity=granularity, schedule=schedule)
        assert_same_bits(bw.run_locally(the_plan, made.inputs), bw.backward(net, made.inputs))


def test_any_mapping_of_ones_own():
    for seed in range(10):
        made = network(seed)
        net = made.network
        mapping = np.random.default_rng(seed).integers(0, 4, net.nodes)
        the_plan = bw.plan(net, 4, partitioner=mapping)
        assert_same_bits(bw.run_locally(the_plan, made.inputs), bw.backward(net, made.inputs))


def test_the_change_of_view_and_traced_graphs_are_cut_like_any_network():
    made = network(1)
    net = made.network
    view = net.weights_as_nodes()
    fed = np.setdiff1d(np.arange(net.nodes), net.inputs)
    inputs = end_to_end([made.inputs, net.weight, net.bias[fed]])
    run, args = loop(np)
    traced = bw.Network.from_graph(bw.trace(run, *args))
    for each, given_values in ((view, inputs), (traced, end_to_end(args))):
        reference = bw.backward(each, given_values)
        for options in ({}, {"partitioner": "levels"}, {"granularity": "layer"}):
            the_plan = bw.plan(each, 3, **options)
            result = bw.run_locally(the_plan, given_values)
            assert_same_bits(result, reference)
            combined = bw.run_locally(bw.plan(each, 3, combiner=True), given_values)
            assert_close(combined, reference)


def test_constants_are_where_they_are_used_and_cross_nothing():
    def run(x):  # of the operations of loop, so that it runs compiled already
        x = x[0]
        for i in range(4):
            x = np.tanh(x * 1.5) + 0.25 * i
        return np.where(x > 0.0, x, x**2)

    traced = bw.Network.from_graph(bw.trace(run, np.array([0.3])))
    the_plan = bw.plan(traced, 2, partitioner="levels")
    result = bw.run_locally(the_plan, [0.3])
    assert_same_bits(result, bw.backward(traced, [0.3]))
    assert result.ledger.forward_bytes == 8  # one value goes up: not 1.5, which both sides use


def test_a_second_pass_starts_anew():
    made = network(5)
    the_plan = bw.plan(made.network, 3)
    engine = LocalEngine(the_plan, "run")
    for number in range(3):
        inputs = made.inputs * (number + 1)
        result = passed(engine, inputs, number)
        assert_same_bits(result, bw.backward(made.network, inputs))


def test_what_workers_had_is_refused_after_another_pass():
    made = network(5)
    the_plan = bw.plan(made.network, 3)
    engine = LocalEngine(the_plan, "run")
    first = passed(engine, made.inputs, 0)
    passed(engine, made.inputs, 1)
    with pytest.raises(ProtocolError, match="has run pass 1 since pass 0"):
        _ = first.S


class Tampering(LocalEngine):
    """An engine that changes the first frame of messages that it carries."""

    def __init__(self, the_plan, change):
        super().__init__(the_plan, "run")
        self.change = change

    def fire(self, worker, command, frames):
        changed = []
        for frame in frames:
            if self.change and Header.decode(frame.header).kind == BACKWARD:
                frames_now, self.change = self.change(frame), None
                changed += frames_now
            else:
                changed.append(frame)
        return super().fire(worker, command, changed)


def _with_block(frame, block):
    header = Header.decode(frame.header)
    address = Address(*(getattr(header, name) for name in Address._fields))
    return [Frame.of(header.kind, [(0, block)], address)]


def _short(frame):
    return _with_block(frame, frame.arrays[0][1:])


def _of_another_pass(frame):
    return [Frame(replace(Header.decode(frame.header), number=7).encode(), frame.arrays)]


def _of_another_incarnation(frame):
    return [Frame(replace(Header.decode(frame.header), incarnation=2).encode(), frame.arrays)]


def _as_float32(frame):
    return _with_block(frame, frame.arrays[0].astype("f4"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: [], "did not receive the backward frame of"),
        (_short, r"a block from worker .* as float64\[\d+\], and the plan has float64\["),
        (_of_another_pass, "a frame that is not planned"),
        (_of_another_incarnation, "after 2 restarts, and it has been restarted 0 times"),
        (_as_float32, r"as float32\["),
    ],
    ids=["lost", "short", "old", "restarted", "float32"],
)
def test_a_frame_that_is_not_as_planned_is_refused(change, words):
    made = network(2)
    the_plan = bw.plan(made.network, 2)
    assert the_plan.between("backward")
    with pytest.raises(ProtocolError, match=words):
        passed(Tampering(the_plan, change), made.inputs)


def test_a_frame_that_comes_twice_is_dropped_and_counted():
    made = network(2)
    the_plan = bw.plan(made.network, 2)
    engine = Tampering(the_plan, lambda frame: [frame, frame])
    result = passed(engine, made.inputs)
    first = min(the_plan.between("backward"), key=lambda frame: frame.received_by)
    assert result.ledger.retransmissions == first.messages
    assert_same_bits(result, bw.backward(made.network, made.inputs))


def test_a_ledger_that_lacks_a_message_fails_the_run(monkeypatch):
    from backwave.protocol.scalar.blocks import Blocks

    made = network(2)
    counted = Blocks.counted

    def short(self):
        counts = counted(self)
        counts.messages = max(counts.messages - 1, 0)
        return counts

    monkeypatch.setattr(Blocks, "counted", short)
    with pytest.raises(LedgerError, match="messages = edges"):
        bw.run_locally(bw.plan(made.network, 2), made.inputs)


def test_check_finite_names_the_node_wherever_it_lives():
    # 0 -> 1 (identity, times 1e200) -> 2 (square) -> 3, and 0 -> 4 (tanh) -> 3: the operations of
    # the article's network, which are compiled already.
    net = bw.Network(
        [0, 1, 2, 0, 4], [1, 2, 3, 4, 3], [1e200, 1.0, 1.0, 1.0, 1.0], output=3,
        activation=["identity", "identity", "square", "identity", "tanh"],
    )  # fmt: skip
    for options in ({"partitioner": "levels"}, {"granularity": "layer"}):
        the_plan = bw.plan(net, 2, **options)
        with pytest.raises(bw.errors.NonFiniteError, match=r"value of node 2 \(square, level 2\)"):
            bw.run_locally(the_plan, [1.0], check_finite=True)
        assert np.isinf(bw.run_locally(the_plan, [1.0]).value)


# S that is given at the output.


@given(drawn, st.integers(1, 4), st.booleans())
def test_S_at_the_output_of_a_scalar_network_scales_all(made, workers, combiner):
    net = made.network
    one = bw.backward(net, made.inputs)
    twice = bw.backward(net, made.inputs, S=2.0)  # which changes no digit
    assert twice.value == one.value
    for name in ("S", "weight_gradient", "bias_gradient", "grads"):
        np.testing.assert_array_equal(getattr(twice, name), 2.0 * getattr(one, name), err_msg=name)
    other = bw.backward(net, made.inputs, S=-0.3)
    for name in ("S", "weight_gradient", "bias_gradient", "grads"):
        theirs = -0.3 * getattr(one, name)
        scale = np.abs(theirs).max(initial=1e-300)
        np.testing.assert_allclose(getattr(other, name), theirs, rtol=1e-11, atol=1e-12 * scale)
    the_plan = bw.plan(net, workers, combiner=combiner)
    there = bw.run_locally(the_plan, made.inputs, S=-0.3)
    (assert_close if combiner else assert_same_bits)(there, other)


@pytest.mark.parametrize("S", [[1.0, 2.0], np.ones(1), "one", 1j], ids=repr)
def test_S_at_the_output_of_a_scalar_network_is_one_number(S):
    made = network(1)
    with pytest.raises(bw.errors.ArgumentError, match=r"S (is|has)"):
        bw.backward(made.network, made.inputs, S=S)
    with pytest.raises(bw.errors.ArgumentError, match=r"S (is|has)"):
        bw.run_locally(bw.plan(made.network, 2), made.inputs, S=S)
