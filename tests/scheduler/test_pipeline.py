"""Pipelines: known orders and figures on chains, the bits of one place, and what is refused."""

import re
from collections import Counter
from functools import cache
from itertools import pairwise
from random import Random

import numpy as np
import optree
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import backwave as bw
from backwave.protocol.errors import PlanError
from backwave.protocol.message import BACKWARD, CALLER, FORWARD
from backwave.protocol.parts import CONSTANT, LEAF
from backwave.scheduler.order import Firing
from backwave.scheduler.waits import require_possible

from ..amount import amount
from ..networks import assert_same_bits, bits, mapping, networks_of_any_outputs, programs, seeds

PIPELINES = ("gpipe", "1f1b")
RANKS, MICRO_BATCHES = range(1, 7), range(1, 13)

# Chains of equal layers, one to a worker.


@cache
def chain(layers):
    """Return the network of layers tanh(w·x), and a mapping of one layer to a worker."""

    def function(weights, x):
        for w in weights:
            x = np.tanh(w * x)
        return x

    graph = bw.trace(function, [1.0] * layers, 0.5)
    computed = [node.id for node in graph.nodes if node.inputs]
    assert len(computed) == 2 * layers
    return graph, {u: turn // 2 for turn, u in enumerate(computed)}


@cache
def chain_plan(schedule, layers):
    graph, layer = chain(layers)
    return bw.plan(graph, layers, partitioner=layer, schedule=schedule)


def orders(schedule, p, m):
    """Return what each worker of a chain does, in order: ``F`` or ``B``, and of which pass."""
    the_plan = chain_plan(schedule, p)
    found = the_plan.schedule.order(the_plan.flow, range(m), None)
    kind = {"forward": "F", "backward": "B"}
    names = [kind[stage.name] for stage in the_plan.stages]
    for worker, some in enumerate(found):
        assert all(the_plan.stages[firing.stage].partition == worker for firing in some)
    return [[f"{names[firing.stage]}{firing.number}" for firing in some] for some in found]


def senders(worker, action, p):
    """Return what an action in a chain needs of other workers, by the definition of a chain."""
    below, above = (worker - 1, action), (worker + 1, action)
    if action.startswith("F"):
        return [below] if worker > 0 else []
    return [above] if worker < p - 1 else []


def play(found, cost):
    """Return when each action begins and ends, where each begins as soon as it can."""
    p = len(found)
    ends, begins = {}, {}
    at, free = [0] * p, [0] * p
    while len(ends) < sum(map(len, found)):
        before = len(ends)
        for worker, some in enumerate(found):
            while at[worker] < len(some):
                action = some[at[worker]]
                needs = senders(worker, action, p)
                if not all(each in ends for each in needs):
                    break
                begins[worker, action] = max([free[worker], *(ends[each] for each in needs)])
                free[worker] = ends[worker, action] = begins[worker, action] + cost[action[0]]
                at[worker] += 1
        assert len(ends) > before, "nobody can go on"
    return begins, ends


def most_open(some):
    """Return how many passes a worker has sent forward and not yet back, at most."""
    now = most = 0
    for action in some:
        now += 1 if action.startswith("F") else -1
        most = max(most, now)
    return most


@pytest.mark.parametrize("schedule", PIPELINES)
@pytest.mark.parametrize(("forward", "backward"), [(1, 2), (1, 1), (3, 2)])
def test_a_chain_of_equal_layers_is_idle_as_long_as_the_figures_say(schedule, forward, backward):
    """Of each worker (p - 1)(F + B), so that all take (m + p - 1)(F + B)."""
    cost = {"F": forward, "B": backward}
    both = forward + backward
    for p in RANKS:
        for m in MICRO_BATCHES:
            found = orders(schedule, p, m)
            assert all(
                sorted(some) == sorted(f"{kind}{n}" for kind in "FB" for n in range(m))
                for some in found
            )
            begins, ends = play(found, cost)
            assert max(ends.values()) == (m + p - 1) * both
            for worker, some in enumerate(found):
                now = idle = 0
                for action in some:
                    idle += begins[worker, action] - now
                    now = ends[worker, action]
                idle += max(ends.values()) - now
                assert idle == (p - 1) * both


def test_a_rank_of_1f1b_holds_what_is_left_to_climb_and_of_gpipe_all_passes():
    for p in RANKS:
        for m in MICRO_BATCHES:
            assert [most_open(some) for some in orders("gpipe", p, m)] == [m] * p
            found = [most_open(some) for some in orders("1f1b", p, m)]
            assert found == [min(m, p - rank) for rank in range(p)]


def test_orders_by_hand():
    """The figures of the papers: GPipe's 2c, and PipeDream-Flush's of 4 stages."""
    assert orders("gpipe", 2, 3) == [["F0", "F1", "F2", "B0", "B1", "B2"]] * 2
    assert [" ".join(some) for some in orders("1f1b", 4, 6)] == [
        "F0 F1 F2 F3 B0 F4 B1 F5 B2 B3 B4 B5",
        "F0 F1 F2 B0 F3 B1 F4 B2 F5 B3 B4 B5",
        "F0 F1 B0 F2 B1 F3 B2 F4 B3 F5 B4 B5",
        "F0 B0 F1 B1 F2 B2 F3 B3 F4 B4 F5 B5",
    ]
    assert orders("1f1b", 3, 1) == orders("gpipe", 3, 1) == [["F0", "B0"]] * 3


def test_what_crosses_in_a_chain_is_one_value_up_and_one_message_down():
    for schedule in PIPELINES:
        for p in RANKS:
            the_plan = chain_plan(schedule, p)
            assert len(the_plan.stages) == 2 * p
            between = [
                frame for frame in the_plan.frames if CALLER not in (frame.sender, frame.receiver)
            ]
            found = Counter((frame.kind, frame.sender, frame.receiver) for frame in between)
            up = {(FORWARD, worker, worker + 1): 1 for worker in range(p - 1)}
            down = {(BACKWARD, worker + 1, worker): 1 for worker in range(p - 1)}
            assert found == up | down
            assert all(frame.messages == 1 for frame in between)


def test_orders_are_those_of_torch():
    """Its 1F1B wants as many passes as stages, and numbers those of its last stage from 1."""
    pytest.importorskip("torch")
    from torch.distributed.pipelining._schedule_visualizer import get_schedule_ops

    for name, schedule in (("GPipe", "gpipe"), ("1F1B", "1f1b")):
        for p in RANKS:
            for m in MICRO_BATCHES:
                if name == "1F1B" and m < p:
                    continue
                theirs = get_schedule_ops(name, p, m, 1)
                for worker, mine in enumerate(orders(schedule, p, m)):
                    actions = [each for each in theirs[worker] if each is not None]
                    assert {each.stage_index for each in actions} == {worker}
                    found = [
                        (each.computation_type.value, each.microbatch_index)
                        for each in actions
                        if each.computation_type.value in "FB"
                    ]
                    if name == "1F1B" and worker == p - 1:
                        found = [(kind, n - (kind == "F")) for kind, n in found]
                    assert [f"{kind}{n}" for kind, n in found] == mine, (name, p, m, worker)


# Acyclic partitions of any form.


def needs(graph, partition, parameters=()):
    """Return for each partition those from which it needs values in a pass."""
    found = {p: set() for p in partition if p >= 0}
    for node in graph.nodes:
        for z in node.inputs:
            if graph.nodes[z].primitive == CONSTANT or z in parameters:
                continue
            if partition[z] != partition[node.id]:
                found[partition[node.id]].add(partition[z])
    return found


def longest_paths(needed):
    """Return how long a path leads to each; None if there is a circle."""
    found = {}

    def length(of, path):
        if of in path:
            return None
        if of not in found:
            below = [length(each, (*path, of)) for each in needed[of]]
            found[of] = None if None in below else max((1 + each for each in below), default=0)
        return found[of]

    paths = {of: length(of, ()) for of in needed}
    return None if None in paths.values() else paths


def assert_a_pipeline(the_plan):
    """Hold the rounds of a plan to the longest paths between its workers; return those."""
    graph, partition = the_plan.graph, the_plan.partition
    ranks = longest_paths(needs(graph, partition, the_plan.parameters))
    assert ranks is not None
    top = 2 * max(ranks.values()) + 1
    late = {
        edge.source
        for edge in graph.edges
        if edge.source in the_plan.parameters
        and partition[edge.source] != partition[edge.target]
        and ranks[partition[edge.source]] >= ranks[partition[edge.target]]
    }
    stages = Counter()
    for stage in the_plan.stages:
        rank = ranks[stage.partition]
        if stage.leaves or stage.forward:
            assert (stage.round, stage.backward) == (rank, ())
            stages[stage.partition, "forward"] += 1
        elif stage.round == top + 1:
            assert set(stage.backward) <= late
            stages[stage.partition, "late"] += 1
        else:
            assert stage.round == top - rank
            assert not late & set(stage.backward)
            stages[stage.partition, "backward"] += 1
    assert set(stages.values()) <= {1}
    assert {p for p, kind in stages if kind == "late"} == {partition[u] for u in late}
    return ranks


@st.composite
def acyclic(draw, graph, workers, parameters=None):
    """Draw a mapping in which workers need each other one way; numbers of workers are shuffled.

    Leaves are left out, or live no later than where they are used; parameters live anywhere.
    """
    random = Random(draw(st.integers(0, 2**32), label="mapping"))
    turn = random.sample(range(workers), workers)
    place, users = {}, {}
    for node in graph.nodes:
        for z in node.inputs:
            users.setdefault(z, []).append(node.id)
        if node.inputs:
            low = max(place.get(z, 0) for z in node.inputs)
            place[node.id] = random.choice([low, random.randrange(low, workers)])
    found = [place.get(node.id) for node in graph.nodes]
    for node in graph.nodes:
        if node.primitive == LEAF and random.random() < 0.5:
            high = min((place[u] for u in users.get(node.id, ())), default=workers - 1)
            anywhere = parameters is not None and node.id in parameters
            found[node.id] = random.randrange(workers if anywhere else high + 1)
    return [None if each is None else turn[each] for each in found]


@settings(max_examples=amount(25, 250))
@given(networks_of_any_outputs(), st.integers(1, 5), st.sampled_from(PIPELINES), st.data())
def test_ranks_are_longest_paths_and_a_pass_gives_the_bits_of_one_place(
    network, workers, schedule, data
):
    graph, args = network
    partitioner = data.draw(acyclic(graph, workers))
    the_plan = bw.plan(graph, workers, partitioner=partitioner, schedule=schedule)
    for u, given_to in enumerate(partitioner):
        assert given_to is None or the_plan.partition[u] == given_to
    assert_a_pipeline(the_plan)
    for m in (1, 2, 5):
        order = the_plan.schedule.order(the_plan.flow, range(m), None)
        require_possible(the_plan, order, range(m))
        assert sorted(firing for some in order for firing in some) == [
            Firing(n, stage.number) for n in range(m) for stage in the_plan.stages
        ]
    S = seeds(graph, 3)
    assert_same_bits(bw.run_locally(the_plan, *args, S=S), bw.backward(graph, *args, S=S))


def copy_of(args, number):
    """Return arguments like these."""
    return optree.tree_map(lambda a: np.asarray(a * (1 - 0.3 * number), a.dtype), args)


def assert_a_session_sums_copies(graph, args, argnums, m, **options):
    """Hold the gradients of a session to those of single passes, summed in copy order."""
    data = [k for k in range(len(args)) if k not in argnums]
    copies = [
        tuple(a if k in argnums else copy_of(a, number) for k, a in enumerate(args))
        for number in range(m)
    ]
    params = tuple(args[k] for k in argnums)
    given_to = [[copy[k] for copy in copies] if m > 1 else args[k] for k in data]
    options = {"argnums": argnums, "micro_batches": m, "combine": "sum", **options}
    with bw.session(graph, params, **options) as session:
        result = session.backward(*given_to, grads=True)
        again = session.backward(*given_to, grads=True)
    each = [bw.backward(graph, *copy) for copy in copies]
    expected = optree.tree_map(lambda *some: sum(some[1:], start=some[0]), *[r.grads for r in each])
    for found in (result, again):
        ours, theirs = optree.tree_leaves(found.grads), optree.tree_leaves(expected)
        assert [bits(a) for a in ours] == [bits(a) for a in theirs]
        assert [bits(a) for a in found.values] == [bits(r.value) for r in each]
    return result


@settings(max_examples=amount(25, 250))
@given(programs(), st.integers(1, 4), st.sampled_from(PIPELINES), st.integers(1, 4), st.data())
def test_sessions_in_any_acyclic_partition_give_the_bits_of_single_passes(
    program, workers, schedule, m, data
):
    count = len(program.args)
    argnums = tuple(sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1))))
    graph = program.graph(argnums)
    assume(graph.on_network[graph.output])
    stay = {leaf.node for leaf in graph.leaves if leaf.argument in argnums}
    partitioner = data.draw(acyclic(graph, workers, stay))
    options = {"workers": workers, "partitioner": partitioner, "schedule": schedule}
    result = assert_a_session_sums_copies(graph, program.args, argnums, m, **options)
    ranks = assert_a_pipeline(result.plan)
    p = 1 + max(ranks.values())
    order = result.plan.schedule.order(result.plan.flow, range(m), None)
    kinds = {s.number: "F" if s.round < p else "B" for s in result.plan.stages if s.round < 2 * p}
    for worker, some in enumerate(order):
        fires = [kinds[firing.stage] for firing in some if firing.stage in kinds]
        if set(fires) == {"F", "B"}:  # else it has nothing to hold
            bound = m if schedule == "gpipe" else min(m, p - ranks[worker])
            assert most_open(fires) <= bound


def branches(params, x):
    """A stem, a long branch and a short one, which join."""
    stem = np.tanh(params["stem"] * x)
    left = np.sin(np.cos(params["left"][0] * stem) * params["left"][1])
    right = np.exp(params["right"] * stem)
    return np.sum(left * right)


BRANCH_OF = {"tanh": 0, "cos": 1, "sin": 2, "exp": 3, "sum": 4}
BRANCHES = {"stem": np.array(0.3), "left": [np.array(0.5), np.array(-0.7)], "right": np.array(1.1)}
X = np.linspace(-1, 1, 3)


@cache
def branched(order=(0, 1, 2, 3, 4)):
    """Return the network of two branches, and its mapping to five workers, who stand so."""
    graph = bw.trace(branches, BRANCHES, X, argnums=0)
    above, found = {}, {}
    for node in graph.nodes[::-1]:  # products live with what they are made for
        if node.inputs:
            found[node.id] = BRANCH_OF.get(node.primitive, above.get(node.id))
            above.update(dict.fromkeys(node.inputs, found[node.id]))
    return graph, {u: order[worker] for u, worker in found.items()}


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (3, 0, 4, 1, 2)])
@pytest.mark.parametrize("schedule", PIPELINES)
def test_two_branches_by_hand(schedule, order):
    graph, partitioner = branched(order)
    the_plan = bw.plan(graph, 5, partitioner=partitioner, schedule=schedule)
    ranks = assert_a_pipeline(the_plan)
    stem, first, second, short, join = order
    assert ranks == {stem: 0, first: 1, second: 2, short: 1, join: 3}
    if schedule == "1f1b":
        fired = the_plan.schedule.order(the_plan.flow, range(7), None)
        names = {stage.number: "FB"["backward" in stage.name] for stage in the_plan.stages}
        for worker, some in enumerate(fired):
            assert most_open([names[f.stage] for f in some]) == 4 - ranks[worker]
    assert_same_bits(bw.run_locally(the_plan, BRANCHES, X), bw.backward(graph, BRANCHES, X))
    with bw.session(
        graph, BRANCHES, workers=5, partitioner=partitioner, schedule=schedule, micro_batches=7
    ) as session:
        assert session.plan.cut_edges == 5
        found = session.backward(np.stack([X * n for n in range(7)]), grads=True).grads
    one = [bw.backward(graph, BRANCHES, X * n, S=1 / 7).grads for n in range(7)]
    expected = optree.tree_map(lambda *some: sum(some[1:], start=some[0]), *one)
    ours, theirs = optree.tree_leaves(found), optree.tree_leaves(expected)
    assert [bits(a) for a in ours] == [bits(a) for a in theirs]


# Leaves that several ranks use.


def tied(params, x):
    """The first layer and the last have one weight; x is read at every layer."""
    h = np.tanh(params["tied"] * x)
    h = np.tanh(params["own"] * h + x)
    return np.sum(np.sin(params["tied"] * h) * x)


TIED = {"own": np.array([0.3, -0.2, 0.5]), "tied": np.array([1.5, 0.5, -0.7])}


@cache
def tied_weights():
    """Return the network and a mapping of its layers to three workers; leaves are left out."""
    graph = bw.trace(tied, TIED, X, argnums=0)
    bounds = [node.id for node in graph.nodes if node.primitive == "tanh"]
    found = {n.id: sum(bound < n.id for bound in bounds) for n in graph.nodes if n.inputs}
    leaves = {leaf.path: leaf.node for leaf in graph.leaves}
    own, shared, x = leaves["args[0]['own']"], leaves["args[0]['tied']"], leaves["args[1]"]
    return graph, found, own, shared, x


@pytest.mark.parametrize("schedule", PIPELINES)
@pytest.mark.parametrize("by", ["ids", "names"])
def test_leaves_that_are_left_out_live_with_the_lowest_rank_that_uses_them(schedule, by):
    graph, found, own, shared, x = tied_weights()
    if by == "names":
        found = {graph.nodes[u].name: worker for u, worker in found.items()}
    the_plan = bw.plan(graph, 3, partitioner=found, schedule=schedule)
    assert [the_plan.partition[u] for u in (own, shared, x)] == [1, 0, 0]
    assert assert_a_pipeline(the_plan) == {0: 0, 1: 1, 2: 2}
    assert len(the_plan.stages) == 6
    # A value goes once to each worker that needs it, from where its leaf lives.
    values = {
        (frame.sender, frame.receiver): sorted(frame.keys) for frame in the_plan.between(FORWARD)
    }
    assert {ends: {x, shared} & set(keys) for ends, keys in values.items()} == {
        (0, 1): {x},
        (0, 2): {x, shared},
        (1, 2): set(),
    }
    assert_same_bits(bw.run_locally(the_plan, TIED, X), bw.backward(graph, TIED, X))
    assert_a_session_sums_copies(
        graph, (TIED, X), (0,), 4, workers=3, partitioner=found, schedule=schedule
    )


@pytest.mark.parametrize("schedule", PIPELINES)
@pytest.mark.parametrize("home", [0, 1, 2])
def test_a_parameter_may_live_at_any_rank_and_sums_last_where_a_lower_one_uses_it(schedule, home):
    graph, found, _, shared, _ = tied_weights()
    options = {"workers": 3, "partitioner": {**found, shared: home}, "schedule": schedule}
    result = assert_a_session_sums_copies(graph, (TIED, X), (0,), 5, **options)
    assert result.plan.partition[shared] == home
    assert assert_a_pipeline(result.plan) == {0: 0, 1: 1, 2: 2}
    late = [stage for stage in result.plan.stages if stage.round > 5]
    assert [(s.partition, s.round, s.backward) for s in late] == [(home, 6, (shared,))] * (home > 0)
    order = result.plan.schedule.order(result.plan.flow, range(5), None)
    if late:  # of all passes at the end: nobody waits for it
        assert order[home][-5:] == tuple(Firing(n, late[0].number) for n in range(5))
    require_possible(result.plan, order, range(5))


def test_a_parameter_at_a_high_rank_moves_with_the_steps():
    """Its updates reach the lower rank: three steps are those of one place, in every bit."""
    graph, found, _, shared, _ = tied_weights()
    data = np.stack([X, 2 * X, X - 1])
    ends = []
    for options in (
        {"workers": 1},
        {"workers": 3, "partitioner": {**found, shared: 2}, "schedule": "1f1b"},
        {"workers": 3, "partitioner": {**found, shared: 2}, "schedule": "gpipe"},
    ):
        with bw.session(graph, TIED, micro_batches=3, **options) as session:
            for _ in range(3):
                session.backward(data)
                session.update(bw.optimizers.adam(0.1))
            ends.append([bits(each) for each in optree.tree_leaves(session.params())])
    assert ends[0] == ends[1] == ends[2]


def test_in_a_plan_whose_leaves_do_not_stay_a_high_home_of_a_low_leaf_is_a_circle():
    graph, found, _, shared, x = tied_weights()
    for leaf in (shared, x):
        with pytest.raises(PlanError, match="here worker 0 needs values of worker 2, which needs"):
            bw.plan(graph, 3, partitioner={**found, leaf: 2}, schedule="gpipe")


@pytest.mark.parametrize("schedule", PIPELINES)
@pytest.mark.parametrize("granularity", ["node", "layer", "partition"])
def test_the_partitioners_there_are_make_pipelines(schedule, granularity):
    graph, _, _, _, _ = tied_weights()
    the_plan = bw.plan(graph, 3, granularity, schedule=schedule)
    assert_a_pipeline(the_plan)
    assert_same_bits(bw.run_locally(the_plan, TIED, X), bw.backward(graph, TIED, X))
    options = {"workers": 3, "granularity": granularity, "schedule": schedule}
    assert_a_pipeline(assert_a_session_sums_copies(graph, (TIED, X), (0,), 3, **options).plan)


@cache
def uneven():
    """Return a network, and its mapping: worker 0 has nothing, 2 and 3 a parameter each, and 4,
    the highest, fires forward alone.
    """

    def function(w, v, x):
        h = np.tanh(w * x)
        return np.sum(h * v), np.argmax(h)

    graph = bw.trace(function, *UNEVEN, argnums=(0, 1))
    place = {"args[0]": 2, "args[1]": 3, "argmax": 4}
    return graph, {
        node.id: next((place[k] for k in (node.name, node.primitive) if k in place), 1)
        for node in graph.nodes
        if node.inputs or node.name in place
    }


UNEVEN = np.array(0.5), np.array(2.0), X


@pytest.mark.parametrize("schedule", PIPELINES)
@pytest.mark.parametrize("m", [1, 3])
def test_workers_that_do_not_fire_both_ways(schedule, m):
    graph, partitioner = uneven()
    given_to = [X, 2 * X, X - 1][:m]
    S = np.float64(0.5), np.int64(0)
    options = {"argnums": (0, 1), "workers": 5, "partitioner": partitioner, "schedule": schedule}
    options |= {"micro_batches": m, "combine": "sum"}
    with bw.session(graph, UNEVEN[:2], **options) as session:
        result = session.backward(np.stack(given_to) if m > 1 else X, S=S, grads=True)
    each = [bw.backward(graph, *UNEVEN[:2], x, S=S) for x in given_to]
    for k, found in enumerate(result.grads):
        assert bits(found) == bits(sum((r.grads[k] for r in each[1:]), start=each[0].grads[k]))
    assert [value[1] for value in result.values] == [r.value[1] for r in each]
    assert {s.partition for s in result.plan.stages} == {1, 2, 3, 4}


def test_ranks_are_counted_where_the_highest_fires_forward_alone():
    """The lower of two ranks holds two passes at most; sums that nobody waits for come last."""
    graph, partitioner = uneven()
    options = {"argnums": (0, 1), "workers": 5, "partitioner": partitioner, "schedule": "1f1b"}
    with bw.session(graph, UNEVEN[:2], micro_batches=4, **options) as session:
        the_plan = session.plan
    (forward,) = [s for s in the_plan.stages if s.partition == 1 and s.forward]
    order = the_plan.schedule.order(the_plan.flow, range(4), None)
    names = ["F" if f.stage == forward.number else "B" for f in order[1]]
    assert most_open(names) <= 2
    for parameter, worker in ((0, 2), (1, 3)):
        (late,) = [stage.number for stage in the_plan.stages if parameter in stage.backward]
        assert order[worker] == tuple(Firing(n, late) for n in range(4))


# Circles.


CIRCLE = re.compile(
    r"a pipeline's workers must need each other one way, and here worker (\d+) needs values of "
    r"worker (\d+)((?:, which needs values of worker \d+)+); use partitioner 'levels', a mapping "
    r"without a circle, or schedule 'eager'"
)


def circle_of(error):
    """Return the workers that an error names, each of which needs the next."""
    match = CIRCLE.fullmatch(str(error))
    assert match, error
    first, second, rest = match.groups()
    return [int(each) for each in (first, second, *re.findall(r"\d+", rest))]


@pytest.mark.parametrize("schedule", PIPELINES)
def test_a_circle_is_refused_with_the_workers_in_it(schedule):
    def function(x):
        return np.exp(np.cos(np.sin(np.tanh(x))))

    graph = bw.trace(function, 0.5)
    for partitioner, said in (
        ([None, 0, 1, 0, 0], "worker 0 needs values of worker 1, which needs values of worker 0"),
        ([None, 2, 2, 1, 2], "worker 1 needs values of worker 2, which needs values of worker 1"),
        (
            [None, 0, 1, 2, 0],
            "worker 0 needs values of worker 2, which needs values of worker 1, which needs "
            "values of worker 0",
        ),
        # What only leads to a circle, or comes of one, is not named.
        ([None, 0, 2, 1, 2], "worker 1 needs values of worker 2, which needs values of worker 1"),
        ([None, 1, 2, 1, 0], "worker 1 needs values of worker 2, which needs values of worker 1"),
    ):
        with pytest.raises(PlanError) as refused:
            bw.plan(graph, 3, partitioner=partitioner, schedule=schedule)
        assert str(refused.value) == (
            f"a pipeline's workers must need each other one way, and here {said}; use partitioner "
            f"'levels', a mapping without a circle, or schedule 'eager'"
        )
        circle_of(refused.value)
        bw.plan(graph, 3, partitioner=partitioner)  # as it says, 'eager' can
        with pytest.raises(PlanError, match="one way"):
            bw.session(graph, 0.5, workers=3, partitioner=partitioner, schedule=schedule)


@settings(max_examples=amount(60, 600))
@given(networks_of_any_outputs(), st.integers(2, 5), st.integers(0, 2**32))
def test_partitions_are_refused_if_and_only_if_there_is_a_circle(network, workers, seed):
    graph, _ = network
    partitioner = mapping(graph, workers, seed)
    fixed = [-1 if each is None else each for each in partitioner]
    left_out = {u for u, each in enumerate(partitioner) if each is None}
    needed = needs(graph, fixed, left_out)
    try:
        the_plan = bw.plan(graph, workers, partitioner=partitioner, schedule="1f1b")
    except PlanError as refused:
        circle = circle_of(refused)
        assert circle[0] == circle[-1]
        assert len(set(circle)) == len(circle) - 1 >= 2
        assert all(b in needed[a] for a, b in pairwise(circle))
    else:
        assert longest_paths(needed) is not None
        assert_a_pipeline(the_plan)
