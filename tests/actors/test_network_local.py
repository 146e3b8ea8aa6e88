"""Scalar networks over workers in this process: the same bits, however they are cut."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

import backwave as bw
from backwave.actors.execute_network import execute_network
from backwave.actors.local import LocalEngine
from backwave.protocol.errors import LedgerError, ProtocolError
from backwave.protocol.message import BACKWARD, Frame, Header

from ..protocol.network.drawn import assert_close, assert_same_bits, drawn, network
from ..scheduler.test_network_plan import plans


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
@pytest.mark.parametrize("policy", ["eager", "wave", "level"])
def test_a_worker_a_node_or_a_layer(granularity, policy):
    for seed in range(5):
        made = network(seed)
        net = made.network
        the_plan = bw.plan(net, granularity=granularity, policy=policy)
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
    inputs = np.concatenate([made.inputs, net.weight, net.bias[fed]])

    def loop(w, x):
        total = 0.0
        for i in range(len(w)):
            total = np.tanh(total * w[i] + x[i] * 2.0)
        return np.where(total > 0.0, total, total**2)

    args = np.linspace(-1, 1, 6), np.linspace(0.5, 2, 6)
    traced = bw.Network.from_graph(bw.trace(loop, *args))
    for each, given_values in ((view, inputs), (traced, np.concatenate(args))):
        reference = bw.backward(each, given_values)
        for options in ({}, {"partitioner": "levels"}, {"granularity": "layer"}):
            the_plan = bw.plan(each, 3, **options)
            result = bw.run_locally(the_plan, given_values)
            assert_same_bits(result, reference)
            combined = bw.run_locally(bw.plan(each, 3, combiner=True), given_values)
            assert_close(combined, reference)


def test_constants_are_where_they_are_used_and_cross_nothing():
    def loop(x):
        for i in range(4):
            x = np.sin(x * 1.5) + 0.25 * i
        return x

    traced = bw.Network.from_graph(bw.trace(loop, 0.3))
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
        result = execute_network(the_plan, engine, (inputs,), run="run", number=number)
        assert_same_bits(result, bw.backward(made.network, inputs))


def test_what_workers_had_is_refused_after_another_pass():
    made = network(5)
    the_plan = bw.plan(made.network, 3)
    engine = LocalEngine(the_plan, "run")
    first = execute_network(the_plan, engine, (made.inputs,), run="run", number=0)
    execute_network(the_plan, engine, (made.inputs,), run="run", number=1)
    with pytest.raises(ProtocolError, match="has run pass 1 since pass 0"):
        _ = first.S


class Tampering(LocalEngine):
    """An engine that changes the first frame of messages that it carries."""

    def __init__(self, the_plan, change):
        super().__init__(the_plan, "run")
        self.change = change

    def fire(self, stage, number, check_finite, frames):
        changed = []
        for frame in frames:
            if self.change and Header.decode(frame.header).kind == BACKWARD:
                frames_now, self.change = self.change(frame), None
                changed += frames_now
            else:
                changed.append(frame)
        return super().fire(stage, number, check_finite, changed)


def _short(frame):
    header = Header.decode(frame.header)
    block = frame.arrays[0][1:]
    return [Frame.of(
        header.kind, [(0, block)], run=header.run, number=header.number, stage=header.stage,
        sender=header.sender, receiver=header.receiver,
    )]  # fmt: skip


def _of_another_pass(frame):
    return [Frame(replace(Header.decode(frame.header), number=7).encode(), frame.arrays)]


def _as_float32(frame):
    header = Header.decode(frame.header)
    return [Frame.of(
        header.kind, [(0, frame.arrays[0].astype("f4"))], run=header.run, number=header.number,
        stage=header.stage, sender=header.sender, receiver=header.receiver,
    )]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: [], "did not receive the backward frame of"),
        (_short, r"a block from worker .* as float64\[\d+\], and the plan has float64\["),
        (_of_another_pass, "a frame that is not planned"),
        (_as_float32, r"as float32\["),
    ],
    ids=["lost", "short", "old", "float32"],
)
def test_a_frame_that_is_not_as_planned_is_refused(change, words):
    made = network(2)
    the_plan = bw.plan(made.network, 2)
    assert the_plan.between("backward")
    with pytest.raises(ProtocolError, match=words):
        execute_network(the_plan, Tampering(the_plan, change), (made.inputs,), run="run", number=0)


def test_a_frame_that_comes_twice_is_dropped_and_counted():
    made = network(2)
    the_plan = bw.plan(made.network, 2)
    engine = Tampering(the_plan, lambda frame: [frame, frame])
    result = execute_network(the_plan, engine, (made.inputs,), run="run", number=0)
    first = min(the_plan.between("backward"), key=lambda frame: frame.received_by)
    assert result.ledger.retransmissions == first.messages
    assert_same_bits(result, bw.backward(made.network, made.inputs))


def test_a_ledger_that_lacks_a_message_fails_the_run(monkeypatch):
    from backwave.protocol.network.blocks import Blocks

    made = network(2)
    counts = Blocks.counts

    def short(self):
        found = counts(self)
        return {**found, "messages": max(found["messages"] - 1, 0)}

    monkeypatch.setattr(Blocks, "counts", short)
    with pytest.raises(LedgerError, match="messages = edges"):
        bw.run_locally(bw.plan(made.network, 2), made.inputs)


def test_check_finite_names_the_node_wherever_it_lives():
    # 0 -> 1 (identity, times 1e200) -> 2 (square) -> 3
    net = bw.Network(
        [0, 1, 2], [1, 2, 3], [1e200, 1.0, 1.0], activation=["identity", "identity", "square",
        "identity"],
    )  # fmt: skip
    for options in ({"partitioner": "levels"}, {"granularity": "layer"}):
        the_plan = bw.plan(net, 2, **options)
        with pytest.raises(bw.errors.NonFiniteError, match=r"value of node 2 \(square, level 2\)"):
            bw.run_locally(the_plan, [1.0], check_finite=True)
        assert np.isinf(bw.run_locally(the_plan, [1.0]).value)
