"""A combiner: of all messages from a partition to one node, their sum crosses, and nothing else."""

from functools import cache, reduce
from operator import iadd
from random import Random

import numpy as np
import optree
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import backwave as bw
from backwave.protocol.arrays import nbytes, settle
from backwave.protocol.errors import NonFiniteError
from backwave.protocol.message import BACKWARD
from backwave.protocol.node import fit

from ..amount import amount
from ..networks import (
    EXAMPLES,
    Program,
    assert_same_bits,
    bits,
    example,
    mapping,
    networks_of_any_outputs,
    programs,
    seeds,
)
from ..scheduler.test_pipeline import acyclic
from .test_local import by_file, by_pickle, carried, checkpointed

SCHEDULES = ["eager", "wave", "level"]


@st.composite
def plans(draw, graph):
    """Draw a plan with a combiner: random partitions under any schedule that takes them."""
    workers = draw(st.integers(1, 4), label="workers")
    schedule = draw(st.sampled_from([*SCHEDULES, "gpipe", "1f1b"]), label="schedule")
    if schedule in SCHEDULES:
        partitioner = mapping(graph, workers, draw(st.integers(0, 2**32), label="mapping"))
    else:
        partitioner = draw(acyclic(graph, workers))
    options = {"partitioner": partitioner, "schedule": schedule}
    return bw.plan(graph, workers, **options, combiner=True)


# In which order sums are made.


def summed(graph, partition, z, messages):
    """Return the sum of messages by edge, as is promised: the node's own partition's one by one,
    those of each other as one, summed before, in the turn of the first of them.
    """
    groups = {}
    for number in sorted(messages):
        sender = partition[graph.edges[number].target]
        key = number if sender == partition[z] else ("all of", sender)
        groups.setdefault(key, []).append(messages[number])
    return total([total(group) for group in groups.values()])


def total(terms):
    """Add up from the left, in place from the second addition on, as arrays keep their layout."""
    if len(terms) == 1:
        return terms[0]
    return reduce(iadd, terms[2:], terms[0] + terms[1])


def by_hand(graph, partition, args, S=None):
    """Return S at every node: the rules of the table, node by node, and sums as is promised."""
    bound = graph.bind(args, S)
    values = {**graph.constants, **bound.values}
    for node in graph.nodes:
        if node.inputs:
            rule = graph.primitive(node.id).forward
            values[node.id] = settle(rule(*(values[z] for z in node.inputs), **node.attributes))
    sums, come = {}, {u: {} for u in range(len(graph.nodes))}
    for u in range(len(graph.nodes) - 1, -1, -1):
        if not graph.on_network[u]:
            continue
        node = graph.nodes[u]
        terms = [summed(graph, partition, u, come[u])] if come[u] else []
        if u in bound.S:
            terms.append(bound.S[u])
        sums[u] = total(terms)
        inputs = [values[z] for z in node.inputs]
        for number, (z, target, position) in enumerate(graph.edges):
            if target == u:
                rule = graph.primitive(u).message(position)
                message = rule(sums[u], values[u], *inputs, **node.attributes)
                come[z][number] = fit(message, graph.nodes[z].shape, graph.nodes[z].dtype)
    return sums


@settings(max_examples=amount(35, 600))
@given(networks_of_any_outputs(max_steps=16), st.data())
def test_each_sum_is_made_in_the_order_that_is_promised(network, data):
    graph, args = network
    the_plan = data.draw(plans(graph))
    S = seeds(graph, 5)
    result = bw.run_locally(the_plan, *args, S=S)
    found, expected = dict(result.S.items()), by_hand(graph, the_plan.partition, args, S)
    assert found.keys() == expected.keys()
    for u, theirs in expected.items():
        assert bits(found[u]) == bits(theirs), f"S at node {u}"


def terms(*factors):
    """Return the network of the sum of products of x with these, and the nodes of the products."""

    def function(x):
        products = [x * factor for factor in factors]
        return reduce(lambda a, b: a + b, products)

    graph = bw.trace(function, 1.0)
    return graph, [node.id for node in graph.nodes if node.primitive == "multiply"]


BIG = 1e16  # to which 1 can be added in vain
E, D, C, B, A = BIG, 1.0, 1.0, -BIG, 3.0


@pytest.mark.parametrize(
    ("owners", "expected"),
    [
        # The wave comes from the last product: A, B, C, D, E. Who is 0 lives with x.
        ((0, 0, 0, 0, 0), (((A + B) + C) + D) + E),
        ((1, 1, 1, 1, 1), (((A + B) + C) + D) + E),
        ((0, 1, 1, 0, 0), ((A + B) + (C + D)) + E),
        ((1, 0, 0, 1, 0), ((A + (B + E)) + C) + D),
        ((1, 2, 2, 1, 1), ((A + B) + E) + (C + D)),
        ((0, 2, 1, 2, 1), ((A + C) + (B + D)) + E),
        ((2, 1, 1, 2, 0), ((A + (B + E)) + (C + D))),
    ],
)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_sums_by_hand(owners, expected, schedule):
    graph, products = terms(E, D, C, B, A)
    partitioner = {node.id: 3 for node in graph.nodes if node.inputs}
    partitioner |= dict(zip(products, owners, strict=True)) | {graph.leaves[0].node: 0}
    options = {"partitioner": partitioner, "schedule": schedule}
    result = bw.run_locally(bw.plan(graph, 4, **options, combiner=True), 1.0)
    assert bits(result.grads[0]) == bits(np.float64(expected))
    plain = bw.run_locally(bw.plan(graph, 4, **options), 1.0)
    assert bits(plain.grads[0]) == bits(np.float64((((A + B) + C) + D) + E))


def test_sums_by_hand_are_not_all_the_same():
    one_by_one = (((A + B) + C) + D) + E
    assert len({one_by_one, ((A + B) + (C + D)) + E, ((A + (B + E)) + C) + D}) == 3


@settings(max_examples=amount(40, 400))
@given(st.lists(st.integers(0, 3), min_size=2, max_size=14), st.integers(0, 2**32))
def test_messages_of_all_sizes_to_one_node(owners, seed):
    numbers = np.random.default_rng(seed)
    factors = numbers.normal(size=len(owners)) * 10.0 ** numbers.integers(-9, 9, len(owners))
    graph, products = terms(*factors)
    partitioner = {node.id: 0 for node in graph.nodes if node.inputs}
    partitioner |= dict(zip(products, owners, strict=True)) | {graph.leaves[0].node: 0}
    result = bw.run_locally(bw.plan(graph, 4, partitioner=partitioner, combiner=True), 1.0)
    groups = {}
    for k in range(len(owners) - 1, -1, -1):
        groups.setdefault(("own", k) if owners[k] == 0 else owners[k], []).append(factors[k])
    expected = total([total(group) for group in groups.values()])
    assert bits(result.grads[0]) == bits(np.float64(expected))
    # To x from each other worker, and to each product from the sum that it is in.
    others = [owner for owner in owners if owner]
    assert result.ledger.cross_messages == len(set(others)) + len(others)


# Beside a run without.


def assert_close(result, reference):
    """Hold a result to one that sums message by message."""
    ours, theirs = (optree.tree_leaves(each.value) for each in (result, reference))
    assert [bits(each) for each in ours] == [bits(each) for each in theirs]
    found, expected = dict(result.S.items()), dict(reference.S.items())
    assert found.keys() == expected.keys()
    pairs = [(found[u], expected[u]) for u in expected]
    pairs += list(
        zip(optree.tree_leaves(result.grads), optree.tree_leaves(reference.grads), strict=True)
    )
    for mine, other in pairs:
        assert (mine.shape, mine.dtype) == (other.shape, other.dtype)
        if other.size:
            np.testing.assert_allclose(mine, other, rtol=0, atol=1e-13 * np.max(np.abs(other)))


@settings(max_examples=amount(35, 600))
@given(networks_of_any_outputs(max_steps=16), st.data())
def test_values_are_those_of_a_run_without_and_gradients_close(network, data):
    graph, args = network
    assume(all(node.dtype != np.float32 for node in graph.nodes))
    the_plan = data.draw(plans(graph))
    S = seeds(graph, 7)
    result = bw.run_locally(the_plan, *args, S=S)
    assert_close(result, bw.backward(graph, *args, S=S))
    assert_crossing(the_plan, result.ledger)


def whole_numbers(seed):
    """Return a program of sums and whole factors, of arrays of small whole numbers."""
    random, numbers = Random(seed), np.random.default_rng(seed)
    shapes = random.choice([[(), ()], [(3,), (3,)], [(2, 3), (3,)], [(2, 3), (2, 1), ()]])
    args = tuple(np.asarray(numbers.integers(-9, 9, shape), float) for shape in shapes)
    steps = []
    for k in range(len(args), len(args) + random.randint(2, 14)):
        name = random.choice(["add", "add", "scaled", "negative"])
        operands = tuple(random.randrange(max(0, k - 4), k) for _ in range(1 + (name == "add")))
        steps.append((name, operands, random.choice([2, -3, 5])))
    values = len(args) + len(steps)
    return Program(steps, sorted({values - 1, *random.choices(range(values), k=2)}), args)


@settings(max_examples=amount(40, 400))
@given(st.integers(0, 2**32), st.data())
def test_whole_numbers_are_summed_exactly_in_any_order(seed, data):
    program = whole_numbers(seed)
    graph = program.graph()
    the_plan = data.draw(plans(graph))
    assert_same_bits(bw.run_locally(the_plan, *program.args), bw.backward(graph, *program.args))


@settings(max_examples=amount(15, 150))
@given(programs(), st.sampled_from(["node", "layer"]), st.sampled_from(SCHEDULES))
def test_a_worker_a_node_or_a_level(program, granularity, schedule):
    graph = program.graph()
    the_plan = bw.plan(graph, 1, granularity, schedule=schedule, combiner=True)
    result = bw.run_locally(the_plan, *program.args)
    assert_crossing(the_plan, result.ledger)
    expected = by_hand(graph, the_plan.partition, program.args)
    assert {u: bits(S) for u, S in result.S.items()} == {u: bits(S) for u, S in expected.items()}
    one = bw.run_locally(bw.plan(graph, 1, schedule=schedule, combiner=True), *program.args)
    assert_same_bits(one, bw.backward(graph, *program.args))
    assert one.ledger.combined == one.ledger.cross_messages == 0


@settings(max_examples=amount(15, 150))
@given(programs(max_steps=16), st.data())
def test_sums_travel_as_messages_do(program, data):
    graph = program.graph()
    the_plan = data.draw(plans(graph))
    here = bw.run_locally(the_plan, *program.args)
    for carry in (by_file, by_pickle):
        there = carried(the_plan, program.args, carry)
        assert_same_bits(there, here)
        assert_crossing(the_plan, there.ledger)


# What crosses.


def assert_crossing(the_plan, ledger):
    """Hold what crosses to what follows from the network and the partition alone."""
    graph, partition = the_plan.graph, the_plan.partition
    first, cut = {}, 0
    for number, (z, u, _) in enumerate(graph.edges):
        if partition[z] != partition[u]:
            cut += 1
            first.setdefault((partition[u], z), number)
    nodes = graph.nodes
    sizes = {key: nbytes(nodes[key[1]].shape, nodes[key[1]].dtype) for key in first}
    crossing = the_plan.between(BACKWARD)
    sent = [
        ((frame.sender, graph.edges[number].source), number)
        for frame in crossing
        for number in frame.keys
    ]
    assert len(sent) == len(first)
    assert dict(sent) == first  # each named by the first of its edges
    for frame in crossing:
        assert frame.messages == len(frame.keys)
        assert {partition[graph.edges[number].source] for number in frame.keys} == {frame.receiver}
        size = sum(sizes[frame.sender, graph.edges[number].source] for number in frame.keys)
        assert frame.payload_bytes == size
        assert the_plan.stages[frame.sent_by].partition == frame.sender
    # A sum goes when the last of its messages has been sent, and not later.
    stage_of = {u: stage.number for stage in the_plan.stages for u in stage.backward}
    for frame in crossing:
        for number in frame.keys:
            z = graph.edges[number].source
            last = max(
                stage_of[u] for y, u, _ in graph.edges if y == z and partition[u] == frame.sender
            )
            assert frame.sent_by == last
    assert the_plan.cut_edges == cut
    assert ledger.cut_edges == cut
    assert ledger.cross_messages == len(first)
    assert ledger.combined == cut - len(first)
    assert ledger.frames == len(crossing)
    assert ledger.payload_bytes == sum(sizes.values())
    assert ledger.messages == ledger.multiplies == ledger.edges == graph.num_edges
    assert ledger.sums == ledger.edges - ledger.receivers
    assert ledger.receivers == ledger.nodes - ledger.outputs
    assert ledger.retransmissions == 0


def test_the_ledger_by_hand():
    """x sends to three on worker 1 and one on worker 2, which all send back."""
    graph, products = terms(2.0, 3.0, 4.0, 5.0)
    partitioner = {node.id: 0 for node in graph.nodes if node.inputs}
    partitioner |= dict(zip(products, (1, 1, 2, 1), strict=True))
    partitioner |= {graph.leaves[0].node: 0}
    # Four edges from x's products to x, and four from sums here to products there.
    for combiner, cross, combined in ((False, 8, 0), (True, 6, 2)):
        the_plan = bw.plan(graph, 3, partitioner=partitioner, combiner=combiner)
        ledger = bw.run_locally(the_plan, 1.5).ledger
        assert (ledger.cut_edges, ledger.cross_messages, ledger.combined) == (8, cross, combined)
        assert ledger.payload_bytes == 8 * cross
        assert ledger.sums == 3


@cache
def traced(name):
    (path,) = (path for path in EXAMPLES if path.stem == name)
    return example(path)


def in_two(name):
    """Return a mapping to two workers: weights, which live on the first, are used on both; or a
    norm, which three products share, is on the first.
    """
    graph, _ = traced(name)
    leaves = {leaf.path: leaf.node for leaf in graph.leaves}
    # Each step of time has one such product, and the block one.
    name, step = {"lstm": ("gates", 17), "rnn": ("recur", 17)}.get(name, ("query", 1))
    weight = leaves[f"args[0]['{name}']"]
    begins = [node.id for node in graph.nodes if weight in node.inputs][step - 1]
    return [int(node.id >= begins) for node in graph.nodes]


LSTM = 37 * 48 + 48 + 12 * 25 + 25  # numbers in the weights, which steps 17 to 32 use
LSTM_READ = 4 * 37 + 4 * 12 + 1  # what step 17 reads, the memory, the surprise so far
RNN = 17 * (16 * 16 + 16) + 16 * 7 * 16  # of steps 17 to 33; the embedding is read a step before
RNN_ONCE = 16 * 7 + 7 + 16  # the output's weights, what step 17 reads
BLOCK = 4 * 256 * 256 + 2 * 256 * 1024 + 3 * 256 + 1024  # weights that are used once
NORM = 32 * 256


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("lstm", 16 * LSTM + LSTM_READ, LSTM + LSTM_READ),
        # Memory 16 goes to step 17, and all 16 to the output.
        ("rnn", RNN + RNN_ONCE + 17 * 16, 16 * 16 + 16 + 7 * 16 + RNN_ONCE + 16 * 16),
        ("transformer_block", BLOCK + 3 * NORM, BLOCK + NORM),
    ],
)
def test_examples_send_less(name, before, after):
    graph, args = traced(name)
    partitioner = in_two(name)
    plain = bw.run_locally(bw.plan(graph, 2, partitioner=partitioner), *args)
    the_plan = bw.plan(graph, 2, partitioner=partitioner, combiner=True)
    result = bw.run_locally(the_plan, *args)
    assert_close(result, plain)
    assert_crossing(the_plan, result.ledger)
    sent = plain.ledger.payload_bytes, result.ledger.payload_bytes
    assert sent == (8 * before, 8 * after)


# What else a pass may do.


@settings(max_examples=amount(25, 250))
@given(programs(max_steps=20), st.data())
def test_values_that_are_computed_again_change_no_sum(program, data):
    graph = checkpointed(program.graph(), data.draw(st.integers(0, 2**32), label="groups"))
    assume(graph.on_network[graph.output])
    the_plan = data.draw(plans(graph))
    result = bw.run_locally(the_plan, *program.args)
    expected = by_hand(graph, the_plan.partition, program.args)
    assert {u: bits(S) for u, S in result.S.items()} == {u: bits(S) for u, S in expected.items()}
    assert_crossing(the_plan, result.ledger)
    options = {"partitioner": parts_of(the_plan), "schedule": the_plan.schedule}
    plain = bw.run_locally(bw.plan(graph, the_plan.partitions, **options), *program.args)
    assert result.ledger.recomputed == plain.ledger.recomputed


def parts_of(the_plan):
    """Return the mapping of a plan, which leaves nothing out."""
    return list(map(int, the_plan.partition))


def test_a_users_checkpoint():
    def block(w, x):
        return np.tanh(w * np.sin(w * x))

    def function(w, x):
        for _ in range(4):
            x = bw.checkpoint(block)(w, x)
        return np.sum(x)

    args = np.array([0.5, -1.5, 2.0]), np.array([0.3, 0.2, -0.1])
    graph = bw.trace(function, *args, argnums=0)
    begins = [node.id for node in graph.nodes if node.primitive == "tanh"][1]
    partitioner = [int(node.id > begins) for node in graph.nodes]
    options = {"partitioner": partitioner}
    plain = bw.run_locally(bw.plan(graph, 2, **options), *args)
    the_plan = bw.plan(graph, 2, **options, combiner=True)
    result = bw.run_locally(the_plan, *args)
    assert result.ledger.recomputed == plain.ledger.recomputed == 4 * 3
    assert_close(result, plain)
    assert_crossing(the_plan, result.ledger)
    assert plain.ledger.cross_messages - result.ledger.cross_messages == 3  # two blocks' w, twice
    expected = sum(
        bw.backward(
            bw.trace(lambda *w: twice(block, w, args[1]), *[args[0]] * 4), *[args[0]] * 4
        ).grads
    )
    np.testing.assert_allclose(result.grads, expected, rtol=1e-14)


def twice(block, weights, x):
    for w in weights:
        x = block(w, x)
    return np.sum(x)


@pytest.mark.parametrize("schedule", [*SCHEDULES, "gpipe", "1f1b"])
def test_a_look_for_nan_finds_the_same_and_changes_nothing(schedule):
    def function(w, x):
        y = np.exp(w * x) + np.sqrt(w * x)
        return np.sum(np.tanh(w * y))

    x = np.ones(3)
    graph = bw.trace(function, x, x, argnums=0)
    # The root and what it is of on worker 1, with the sums that cross; the rest above.
    partitioner = {n.id: 2 for n in graph.nodes if n.inputs}
    products = [n.id for n in graph.nodes if n.primitive == "multiply"]
    partitioner |= {n.id: 1 for n in graph.nodes if n.primitive in ("exp", "sqrt")}
    partitioner |= {products[0]: 1, products[1]: 1, graph.leaves[0].node: 0}
    options = {"partitioner": partitioner, "schedule": schedule}
    plain, combined = (bw.plan(graph, 3, **options, combiner=c) for c in (False, True))
    fine = bw.run_locally(combined, x, x, check_finite=True)
    assert_same_bits(fine, bw.run_locally(combined, x, x))
    assert_close(fine, bw.run_locally(plain, x, x))
    assert fine.ledger.combined == 1
    for w in ([1.0, -1.0, 2.0], [1.0, 0.0, 2.0], [1.0, 1e4, 2.0], [1.0, np.nan, 0.0]):
        said = []
        for the_plan in (plain, combined):
            with (
                np.errstate(all="ignore"),
                pytest.raises(NonFiniteError, match=" arose in the ") as found,
            ):
                bw.run_locally(the_plan, np.array(w), x, check_finite=True)
            said.append(str(found.value))
        assert said[0] == said[1]


@settings(max_examples=amount(15, 150))
@given(programs(max_steps=16), st.data())
def test_each_message_is_recorded_before_it_is_summed(program, data):
    graph = program.graph()
    the_plan = data.draw(plans(graph))
    result = bw.run_locally(the_plan, *program.args, record=True)
    assert [each.edge for each in result.messages] == list(range(graph.num_edges))
    assert_same_bits(result, bw.run_locally(the_plan, *program.args))
