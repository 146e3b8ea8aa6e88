"""Several passes open at once on the same workers: each gives the bits of a pass on its own."""

import weakref
from random import Random

import numpy as np
import optree
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backwave as bw
from backwave.actors.execute import execute
from backwave.actors.local import LocalEngine
from backwave.protocol.errors import ProtocolError
from backwave.protocol.ledger import Counts
from backwave.protocol.message import CALLER, FORWARD
from backwave.protocol.residents import PassOptions
from backwave.protocol.scalar.kernels.fused_blocks import FusedBlocks
from backwave.protocol.scalar.piece import BIASES, S_OF_NODES, WEIGHTS
from backwave.scheduler.events import Fetch, Fetched, Fire, Fired, Give
from backwave.scheduler.order import Firing
from backwave.scheduler.run import Passing

from ..amount import amount
from ..networks import bits, mapping, networks_of_any_outputs, seeds
from ..protocol.scalar.drawn import drawn, network
from ..scheduler.test_plan_of_scalars import plans

PASSES = 3


class Interleaved:
    """Passes of one plan whose stages fire in any order that each of them allows.

    Attributes:
        engine: the workers.
        frames: for each pass what came back to the caller, by kind.
        counts: for each pass what moved.

    """

    def __init__(self, the_plan, bounds, seed, first=0):
        self.plan, self.engine = the_plan, LocalEngine(the_plan, "run")
        self.frames = [{} for _ in bounds]
        self.counts = [Counts() for _ in bounds]
        for number, bound in enumerate(bounds):
            for frame in the_plan.frames:
                if frame.sender == CALLER:
                    self.engine.do(Give(number, frame, bound.pack(frame)))
        turns = [number for number in range(len(bounds)) for _ in the_plan.stages]
        Random(seed).shuffle(turns)
        stages = [iter(the_plan.stages) for _ in bounds]
        for number in turns:
            self._fire(number, next(stages[number]), first)
        for event in self.engine.wait(0):
            if isinstance(event, Fetched):
                self.frames[event.number].setdefault(event.frame.kind, []).append(event)
            else:
                assert isinstance(event, Fired), event
                self.counts[event.firing.number] += event.report.counts

    def _fire(self, number, stage, first):
        self.engine.do(Fire(Firing(number, stage.number), first, PassOptions()))
        for frame in (self.plan.frames[sent] for sent in stage.sends):
            if frame.receiver == CALLER:
                self.engine.do(Fetch(number, frame))

    def values(self, number):
        """Return the messages of values that a pass brought to the caller."""
        return [message for event in self.frames[number][FORWARD] for message in event.messages]

    def require_counts(self, number, ledger):
        for name in ("messages", "sums", "multiplies", "receivers", "levels"):
            assert getattr(self.counts[number], name) == getattr(ledger, name), name


@settings(max_examples=amount(20, 200))
@given(networks_of_any_outputs(), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_passes_of_a_graph_that_take_turns(drawn, workers, seed):
    graph, args = drawn
    the_plan = bw.plan(graph, workers, partitioner=mapping(graph, workers, seed))
    given_to = [
        (tuple(np.asarray(a * (1 - 0.3 * n), a.dtype) for a in args), seeds(graph, seed + n))
        for n in range(PASSES)
    ]
    passes = Interleaved(the_plan, [graph.bind(values, S) for values, S in given_to], seed)
    for number, (values, S) in enumerate(given_to):
        reference = bw.backward(graph, *values, S=S)
        for worker in range(the_plan.partitions):
            here = [u for u in the_plan.nodes_of(worker) if graph.on_network[u]]
            if not here:
                continue
            found = passes.engine.ask(worker, number, here)
            assert {u: bits(S) for u, S in found} == {u: bits(reference.S[u]) for u in here}
        passes.require_counts(number, reference.ledger)
        outputs = dict(passes.values(number))
        expected = optree.tree_leaves(bw.forward(graph, *values))
        for u, theirs in zip(graph.outputs, expected, strict=True):
            assert bits(outputs.get(u, theirs)) == bits(theirs)  # constants do not travel


@given(drawn, plans, st.integers(0, 2**32 - 1))
def test_passes_of_a_scalar_network_that_take_turns(made, options, seed):
    net = made.network
    the_plan = bw.plan(net, **{**options, "combiner": False})
    given_to = [(made.inputs * (1 - 0.3 * n), 1.0 + n) for n in range(PASSES)]
    passes = Interleaved(the_plan, [net.bind((values,), S) for values, S in given_to], seed)
    for number, (values, S) in enumerate(given_to):
        reference = bw.backward(net, values, S=S)
        for worker, part in enumerate(the_plan.parts):
            piece = part.piece
            if not piece.nodes:
                continue
            found = dict(passes.engine.ask(worker, number, [S_OF_NODES, WEIGHTS, BIASES]))
            assert bits(found[S_OF_NODES]) == bits(reference.S[piece.numbers])
            assert bits(found[WEIGHTS]) == bits(reference.weight_gradient[piece.edges])
            assert bits(found[BIASES] + 0.0) == bits(reference.bias_gradient[piece.numbers] + 0.0)
        passes.require_counts(number, reference.ledger)
        ((_, value),) = passes.values(number)
        assert value.tolist() == [reference.value]


# Closing passes.


def graph_and_plan():
    graph = bw.trace(lambda x: np.sum(np.tanh(np.exp(x)) * x), np.ones(3))
    return graph, bw.plan(graph, 2)


def run(engine, number, args):
    passing = Passing(number, engine.plan.graph.bind(args, None))
    return execute(engine.plan, engine, passing, args=args)


def test_a_pass_is_closed_where_a_worker_hears_that_it_is_over():
    graph, the_plan = graph_and_plan()
    x = np.linspace(-1, 1, 3)
    passes = Interleaved(the_plan, [graph.bind((x,), None), graph.bind((2 * x,), None)], 0)
    worker = passes.engine.workers[0]
    here = [u for u in the_plan.nodes_of(0) if graph.on_network[u]]
    closed, kept = (weakref.ref(worker._loaded["run"].passes[number].nodes) for number in (0, 1))
    stage = next(stage for stage in the_plan.stages if stage.partition == 0)
    again = Interleaved(the_plan, [graph.bind((x,), None)], 0)  # for a frame of its own run
    with pytest.raises(ProtocolError, match="did not receive"):
        worker.fire("run", Firing(2, stage.number), 1, PassOptions())
    assert again.counts[0].messages == graph.num_edges
    with pytest.raises(ProtocolError, match="worker 0 has run pass 2 since pass 0; read S before"):
        worker.find("run", 0, here)
    assert closed() is None  # and its arrays are gone with it
    assert kept() is not None
    reference = bw.backward(graph, 2 * x).S
    for u, S in worker.find("run", 1, here).open()[1]:
        assert bits(S) == bits(reference[u])


def test_a_scalar_network_makes_new_arrays_only_for_passes_that_are_open_at_once(monkeypatch):
    made_new = []
    another = FusedBlocks.another
    monkeypatch.setattr(FusedBlocks, "another", lambda self: made_new.append(self) or another(self))
    made = network(5)
    net = made.network
    the_plan = bw.plan(net, 2)
    engine = LocalEngine(the_plan, "run")
    for number in range(4):  # one after the other: each in the arrays of the one before
        result = run(engine, number, (made.inputs * number,))
        np.testing.assert_array_equal(result.S, bw.backward(net, made.inputs * number).S)
    assert not made_new
    bounds = [net.bind((made.inputs * n,), None) for n in range(PASSES)]
    passes = Interleaved(the_plan, bounds, 3)
    assert len(made_new) == (PASSES - 1) * the_plan.partitions
    made_new.clear()
    for number in range(PASSES, PASSES + 4):
        result = run(passes.engine, number, (made.inputs,))
        np.testing.assert_array_equal(result.S, bw.backward(net, made.inputs).S)
    assert not made_new


def test_a_pass_in_arrays_that_were_used_before_gives_the_bits_of_one_in_new_ones():
    made = network(7)
    net = made.network
    engine = LocalEngine(bw.plan(net, 3), "run")
    for number, factor in enumerate([np.inf, 1.0, np.nan, -2.0, 1.0]):
        with np.errstate(all="ignore"):
            result = run(engine, number, (made.inputs * factor,))
            reference = bw.backward(made.network, made.inputs * factor)
        for name in ("value", "S", "weight_gradient", "bias_gradient", "grads"):
            ours, theirs = getattr(result, name), getattr(reference, name)
            np.testing.assert_array_equal(ours, theirs, err_msg=name)
