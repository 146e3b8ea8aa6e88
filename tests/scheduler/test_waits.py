"""Orders of firings that could never be run to their end are refused, and those alone."""

import cProfile
import pstats
import re
from collections import Counter
from functools import cache
from math import prod
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import backwave as bw
from backwave.actors.local import LocalEngine
from backwave.protocol.errors import PlanError
from backwave.protocol.message import CALLER
from backwave.scheduler.order import Firing, as_they_come, in_turn
from backwave.scheduler.rounds import Rounds, eager_rounds, level_rounds
from backwave.scheduler.run import Passing, Run
from backwave.scheduler.schedule import SCHEDULES, Schedule
from backwave.scheduler.waits import require_possible

from ..amount import amount
from ..networks import assert_same_bits, bits, mapping, networks_of_any_outputs, seeds
from .test_run import Nothing


@pytest.fixture(autouse=True)
def _nobody_hangs(monkeypatch):
    """Fail where an engine waits for what nobody was asked for: it would for ever."""
    wait = LocalEngine.wait

    def watched(self, events):
        happened = wait(self, events)
        assert happened, "the run waits, and nothing is to come"
        return happened

    monkeypatch.setattr(LocalEngine, "wait", watched)


# By brute force.


class Play:
    """An order of firings, played by the definition from every state that can be reached.

    A state is how far each worker has come in its firings. A worker may do its next one when all
    that sends to it has been done, with a barrier all earlier rounds of its pass, too; and one that
    opens a pass, when those before are open or over, and fewer than ``in_flight`` are open.
    """

    def __init__(self, the_plan, order, in_flight=None):
        stages = the_plan.stages
        self.order = order
        self.total = Counter(firing.number for some in order for firing in some)
        self.in_flight = in_flight or len(self.total)
        self.before = {
            stage.number: {the_plan.frames[frame].sent_by for frame in stage.receives} - {CALLER}
            for stage in stages
        }
        if the_plan.schedule.barrier:
            for stage in stages:
                earlier = {other.number for other in stages if other.round < stage.round}
                self.before[stage.number] |= earlier
        self.known = {}

    def look(self, state):
        """Return what has been done, and the passes that are open."""
        if state not in self.known:
            done = {f for some, k in zip(self.order, state, strict=True) for f in some[:k]}
            begun = Counter(firing.number for firing in done)
            open_now = {number for number in begun if begun[number] < self.total[number]}
            self.known[state] = done, open_now, self.total.keys() - begun.keys()
        return self.known[state]

    def lacks(self, state, firing):
        """Return the firings that must come before this one, and have not been done."""
        before = {Firing(firing.number, sender) for sender in self.before[firing.stage]}
        return before - self.look(state)[0]

    def shut(self, state, firing):
        """Whether the pass of a firing has not begun, and may not begin."""
        _, open_now, unopened = self.look(state)
        if firing.number not in unopened:
            return False
        return firing.number > min(unopened) or len(open_now) >= self.in_flight

    def upcoming(self, state, worker):
        some, k = self.order[worker], state[worker]
        return some[k] if k < len(some) else None

    def after(self, state):
        """Return the states that one firing leads to."""
        found = []
        for worker in range(len(self.order)):
            firing = self.upcoming(state, worker)
            if firing is None or self.shut(state, firing) or self.lacks(state, firing):
                continue
            found.append((*state[:worker], state[worker] + 1, *state[worker + 1 :]))
        return found

    @property
    def begin(self):
        return (0,) * len(self.order)

    @property
    def end(self):
        return tuple(map(len, self.order))

    def stuck(self):
        """Return the state in which nobody can go on; None if all comes to its end."""
        seen, rest, found = set(), [self.begin], set()
        while rest:
            state = rest.pop()
            if state in seen:
                continue
            seen.add(state)
            after = self.after(state)
            rest += after
            if not after:
                found.add(state)
        (state,) = found  # it does not matter who goes first
        return None if state == self.end else state


def shuffled(order, random, swaps=None):
    """Return an order in which passes overtake one another, a worker at a time.

    Each worker does the stages of a pass in turn. Without ``swaps`` all is mixed.
    """
    found = []
    for some in order:
        mine = list(some)
        if swaps is None:
            queues = {}
            for firing in mine:
                queues.setdefault(firing.number, []).append(firing)
            turns = [firing.number for firing in mine]
            random.shuffle(turns)
            queues = {number: iter(queue) for number, queue in queues.items()}
            mine = [next(queues[number]) for number in turns]
        for _ in range(swaps or 0):
            k = random.randrange(len(mine)) if mine else 0
            if k and mine[k - 1].number != mine[k].number:
                mine[k - 1], mine[k] = mine[k], mine[k - 1]
        found.append(tuple(mine))
    return tuple(found)


def any_order(the_plan, m, random):
    """Return an order of so many passes, perhaps impossible, and how many may be in flight."""
    order = random.choice([in_turn, as_they_come])(the_plan.flow, range(m), None)
    order = shuffled(order, random, random.choice([None, 1, 2, 3, 6]))
    return order, random.choice([None, *range(1, m + 1)])


FIRING = r"((?:forward|backward|forward\+backward) of pass \d+ on worker \d+)"
WAIT = re.compile(rf"{FIRING} waits for {FIRING}(?: \((.*?)\))?(?:, which comes after {FIRING})?")


def assert_true(error, the_plan, play):
    """Hold an error to what is the case: it names firings each of which waits for the next."""
    state = play.stuck()
    assert state is not None
    begin = f"the schedule {the_plan.schedule.name!r} would never end: "
    said = str(error).removeprefix(begin).removesuffix(": a cycle")
    assert str(error) == f"{begin}{said}: a cycle"
    firings = {}
    for some in play.order:
        for firing in some:
            stage = the_plan.stages[firing.stage]
            title = f"{stage.name} of pass {firing.number} on worker {stage.partition}"
            assert title not in firings, "name no stages alike in this test"
            firings[title] = firing
    done, open_now, unopened = play.look(state)
    begins, follows = [], []
    for wait in said.split("; "):
        match = WAIT.fullmatch(wait)
        assert match, wait
        one, needed = firings[match[1]], firings[match[2]]
        why, comes = match[3], firings[match[4] or match[2]]
        # It is next on its worker and cannot be done, for the reason that is given.
        assert one == play.upcoming(state, the_plan.stages[one.stage].partition)
        assert needed not in done
        if why is None:
            assert needed in play.lacks(state, one)
        elif "at most" in why:
            assert why == f"at most {play.in_flight} passes are open at once"
            assert play.shut(state, one)
            assert needed.number in open_now
            assert len(open_now) == play.in_flight
        else:
            assert play.shut(state, one)
            assert needed.number == min(unopened) < one.number
        # What is waited for comes next on its worker, or after what does.
        assert comes == play.upcoming(state, the_plan.stages[needed.stage].partition)
        assert (match[4] is None) == (comes == needed)
        begins.append(one)
        follows.append(comes)
    assert follows == [*begins[1:], begins[0]]
    assert len(set(begins)) == len(begins)


@cache
def small(workers):
    """Return a plan of a chain: each worker fires forward and back, and the last both at once."""

    def function(x):
        for _ in range(workers):
            x = np.tanh(x)
        return x

    return bw.plan(bw.trace(function, 0.5), workers, "layer", schedule="eager")


def passes_of(order):
    return sorted({firing.number for some in order for firing in some})


def refusal(the_plan, order, in_flight=None):
    """Return the error with which an order is refused, or None."""
    try:
        require_possible(the_plan, order, passes_of(order), in_flight)
    except PlanError as error:
        return error
    return None


@settings(max_examples=amount(120, 2000))
@given(st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**32))
def test_orders_of_a_chain_are_refused_if_and_only_if_they_get_stuck(workers, m, seed):
    random = Random(seed)
    the_plan = small(workers)
    order, in_flight = any_order(the_plan, m, random)
    play = Play(the_plan, order, in_flight)
    refused = refusal(the_plan, order, in_flight)
    assert (refused is None) == (play.stuck() is None)
    if refused is not None:
        assert_true(refused, the_plan, play)


@settings(max_examples=amount(60, 800))
@given(
    networks_of_any_outputs(max_steps=6),
    st.integers(2, 3),
    st.sampled_from([eager_rounds, level_rounds]),
    st.integers(1, 3),
    st.integers(0, 2**32),
)
def test_orders_of_any_plan_are_refused_if_and_only_if_they_get_stuck(
    network, workers, rounds, m, seed
):
    graph, _ = network
    random = Random(seed)
    schedule = Schedule("mine", rounds, as_they_come)
    partitioner = mapping(graph, workers, seed)
    the_plan = bw.plan(graph, workers, partitioner=partitioner, schedule=schedule)
    order, in_flight = any_order(the_plan, m, random)
    play = Play(the_plan, order, in_flight)
    assume(prod(play.end) < 4000)
    assert (refusal(the_plan, order, in_flight) is None) == (play.stuck() is None)


def loose(graph, random):
    """Return rounds with gaps: each node's at least one after those of its inputs."""
    up = [0] * len(graph.nodes)
    for node in graph.nodes:
        if node.inputs:
            up[node.id] = max(up[z] for z in node.inputs) + random.choice([1, 1, 2, 3])
    down = [max(up)] * len(graph.nodes)
    for z, u, _ in graph.edges:  # in the order of the wave
        down[z] = max(down[z], down[u] + random.choice([1, 1, 2, 3]))
    return lambda placed: Rounds(np.array(up), np.array(down))


@settings(max_examples=amount(80, 800))
@given(st.booleans(), st.integers(2, 3), st.integers(2, 3), st.integers(0, 2**32))
def test_orders_with_barriers_are_refused_if_and_only_if_they_get_stuck(even, workers, m, seed):
    graph, *_ = two_branches()
    random = Random(seed)
    partitioner = mapping(graph, workers, seed)
    rounds = level_rounds if even else loose(graph, random)
    schedule = Schedule("mine", rounds, in_turn, barrier=True)
    the_plan = bw.plan(graph, workers, partitioner=partitioner, schedule=schedule)
    order, in_flight = any_order(the_plan, m, random)
    play = Play(the_plan, order, in_flight)
    assume(prod(play.end) < 4000)
    assert (refusal(the_plan, order, in_flight) is None) == (play.stuck() is None)


def test_a_sentence_by_hand():
    """Two workers, two passes: each has the other's first firing last."""
    the_plan = small(2)
    low, high, back = range(3)
    assert [(s.name, s.partition) for s in the_plan.stages] == [
        ("forward", 0),
        ("forward+backward", 1),
        ("backward", 0),
    ]
    order = (
        (Firing(0, low), Firing(0, back), Firing(1, low), Firing(1, back)),
        (Firing(1, high), Firing(0, high)),
    )
    error = refusal(the_plan, order)
    assert str(error) == (
        "the schedule 'eager' would never end: backward of pass 0 on worker 0 waits for "
        "forward+backward of pass 0 on worker 1, which comes after forward+backward of pass 1 on "
        "worker 1; forward+backward of pass 1 on worker 1 waits for forward of pass 1 on worker 0, "
        "which comes after backward of pass 0 on worker 0: a cycle"
    )
    assert_true(error, the_plan, Play(the_plan, order))


def test_a_pass_that_waits_for_an_earlier_one_to_be_opened_says_so():
    the_plan = small(2)
    low, high, back = range(3)
    order = (
        (Firing(1, low), Firing(0, low), Firing(1, back), Firing(0, back)),
        (Firing(1, high), Firing(0, high)),
    )
    assert_true(refusal(the_plan, order), the_plan, Play(the_plan, order))


# How many passes are open at once.


def layers(count):
    """Return the network of so many layers, its parameters, and the mapping of a layer a worker."""

    def function(weights, x):
        for w in weights:
            x = np.tanh(w * x)
        return x

    params = [np.float64(0.5 + k / 4) for k in range(count)]
    graph = bw.trace(function, params, 0.5, argnums=0)
    computed = [node.id for node in graph.nodes if node.inputs]
    return graph, params, {u: turn // 2 for turn, u in enumerate(computed)}


def gradients(graph, params, xs):
    """Return S at the parameters: the sum over the copies, in copy order."""
    each = [bw.backward(graph, params, x).grads for x in xs]
    return [sum(some[1:], start=some[0]) for some in zip(*each, strict=True)]


@pytest.mark.parametrize("schedule", list(SCHEDULES))
@pytest.mark.parametrize("workers", [1, 3])
def test_sessions_run_to_the_end_or_are_refused_however_many_may_be_in_flight(schedule, workers):
    graph, params, partitioner = layers(workers)
    for m in (1, 2, 4, 5):
        xs = np.linspace(-1, 1, m) if m > 1 else np.float64(-1.0)
        expected = [bits(S) for S in gradients(graph, params, np.atleast_1d(xs))]
        # The passes that the lowest rank holds.
        needed = {"gpipe": m, "1f1b": min(m, workers)}.get(schedule, 1)
        for in_flight in [*range(1, m + 1), None]:
            options = {"workers": workers, "partitioner": partitioner, "schedule": schedule}
            options |= {"micro_batches": m, "in_flight": in_flight, "combine": "sum"}
            if in_flight is not None and in_flight < needed:
                with pytest.raises(PlanError, match=f"'{schedule}' would never end: .*: a cycle"):
                    bw.session(graph, params, **options)
                continue
            with bw.session(graph, params, **options) as session:
                found = session.backward(xs, grads=True).grads
                assert [bits(S) for S in found] == expected


def test_too_few_in_flight_for_gpipe_is_refused_before_anything_starts(monkeypatch):
    monkeypatch.setattr(LocalEngine, "__init__", lambda *_: pytest.fail("workers were started"))
    graph, params, _ = layers(3)
    with pytest.raises(PlanError) as refused:
        bw.session(graph, params, workers=3, schedule="gpipe", micro_batches=4, in_flight=2)
    assert str(refused.value) == (
        "the schedule 'gpipe' would never end: forward of pass 2 on worker 0 waits for backward of "
        "pass 0 on worker 0 (at most 2 passes are open at once), which comes after forward of pass "
        "2 on worker 0: a cycle"
    )


@settings(max_examples=amount(30, 600))
@given(
    networks_of_any_outputs(),
    st.integers(1, 5),
    st.sampled_from(["eager", "wave"]),
    st.integers(2, 6),
    st.integers(0, 2**32),
)
def test_what_comes_as_it_comes_is_always_possible(network, workers, schedule, m, seed):
    graph, _ = network
    the_plan = bw.plan(graph, workers, partitioner=mapping(graph, workers, seed), schedule=schedule)
    for in_flight in [None, *range(1, m + 2)]:
        order = the_plan.schedule.order(the_plan.flow, range(3, 3 + m), in_flight)
        require_possible(the_plan, order, passes_of(order), in_flight)
        for some in order:
            for number in range(3, 3 + m):  # the stages of a pass stay in turn
                stages = [firing.stage for firing in some if firing.number == number]
                assert stages == sorted(stages)
        assert sorted(firing for some in order for firing in some) == [
            Firing(number, stage.number) for number in range(3, 3 + m) for stage in the_plan.stages
        ]
        play = Play(the_plan, order, in_flight or the_plan.partitions)
        if sum(play.end) > 60 or in_flight not in (None, 1, 2):
            continue
        state = play.begin
        while after := play.after(state):
            state = Random(sum(state)).choice(after)
        assert state == play.end


# Schedules of one's own.


def mine(order, rounds=eager_rounds, **options):
    return Schedule("mine", rounds, order, **options)


def test_a_schedule_of_ones_own_plans_and_runs():
    graph, params, partitioner = layers(3)
    asked = []

    def order(flow, passes, in_flight):
        asked.append((len(passes), in_flight))
        return in_turn(flow, passes, in_flight)

    schedule = mine(order)
    the_plan = bw.plan(graph, 3, partitioner=partitioner, schedule=schedule)
    assert the_plan.schedule is schedule
    assert repr(the_plan).split(", ")[1] == "mine"
    result = bw.run_locally(the_plan, params, 0.5)
    assert [bits(S) for S in result.grads] == [bits(S) for S in gradients(graph, params, [0.5])]
    xs = np.linspace(-1, 1, 4)
    options = {"workers": 3, "partitioner": partitioner, "micro_batches": 4, "combine": "sum"}
    with bw.session(graph, params, schedule=schedule, in_flight=3, **options) as session:
        found = session.backward(xs, grads=True)
    assert [bits(S) for S in found.grads] == [bits(S) for S in gradients(graph, params, xs)]
    assert asked == [(1, None), (4, 3)]


@settings(max_examples=amount(40, 400))
@given(st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**32))
def test_orders_of_ones_own_run_to_the_end_or_are_refused(workers, m, seed):
    graph, params, partitioner = layers(workers)
    the_plan = bw.plan(graph, workers, partitioner=partitioner)  # its stages are numbered alike
    order, in_flight = any_order(the_plan, m, Random(seed))
    options = {"workers": workers, "partitioner": partitioner, "schedule": mine(lambda *_: order)}
    options |= {"micro_batches": m, "in_flight": in_flight, "combine": "sum"}
    if Play(the_plan, order, in_flight).stuck() is not None:
        with pytest.raises(PlanError, match=r"'mine' would never end: .*: a cycle"):
            bw.session(graph, params, **options)
        return
    xs = np.linspace(-1, 1, m) if m > 1 else np.float64(-1.0)
    with bw.session(graph, params, **options) as session:
        for _ in range(2):
            result = session.backward(xs, grads=True)
            expected = gradients(graph, params, np.atleast_1d(xs))
            assert [bits(S) for S in result.grads] == [bits(S) for S in expected]


def test_a_deadlock_of_ones_own_is_refused_before_anything_fires(monkeypatch):
    monkeypatch.setattr(LocalEngine, "do", lambda *_: pytest.fail("something was done"))
    graph, params, partitioner = layers(2)

    def backwards(flow, passes, in_flight):
        first, second = in_turn(flow, passes, in_flight)
        return first, second[::-1]

    schedule = mine(backwards)
    options = {"partitioner": partitioner, "schedule": schedule}
    with pytest.raises(PlanError, match=r"'mine' would never end: .* waits for .*: a cycle"):
        bw.session(graph, params, workers=2, micro_batches=2, **options)
    the_plan = bw.plan(graph, 2, **options)
    with pytest.raises(PlanError, match=r"'mine' would never end: .* waits for .*: a cycle"):
        Run(the_plan, [Passing(number, Nothing()) for number in (5, 6)])

    def back_first(flow, passes, in_flight):
        return tuple(some[::-1] for some in in_turn(flow, passes, in_flight))

    the_plan = bw.plan(graph, 2, partitioner=partitioner, schedule=mine(back_first))
    with pytest.raises(PlanError, match="the schedule 'mine'"):
        bw.run_locally(the_plan, params, 0.5)  # one pass, too


OWN_ROUNDS = {
    "all at once, also what is elsewhere": (lambda up, down: (0 * up, 0 * down), "before what it"),
    "upside down": (lambda up, down: (up.max() - up, down), "before what it needs"),
    "back before there": (lambda up, down: (up + 10 * down.max(), down), "before what it needs"),
    "no whole numbers": (lambda up, down: (1.0 * up, down), "whole numbers from 0"),
    "negative": (lambda up, down: (up - 9, down), "whole numbers from 0"),
    "too few": (lambda up, down: (up[:-1], down), "whole numbers from 0"),
    "a list": (lambda up, down: (up.tolist(), down), "whole numbers from 0"),
}


@pytest.mark.parametrize("how", OWN_ROUNDS)
def test_rounds_of_ones_own_that_nobody_can_keep_are_refused(how):
    graph, _, partitioner = layers(2)
    change, said = OWN_ROUNDS[how]
    schedule = mine(in_turn, lambda placed: Rounds(*change(*eager_rounds(placed))))
    with pytest.raises(PlanError, match=f"the schedule 'mine' .*{said}"):
        bw.plan(graph, 2, partitioner=partitioner, schedule=schedule)


@settings(max_examples=amount(20, 400))
@given(networks_of_any_outputs(max_steps=6), st.integers(1, 3), st.integers(0, 2**32))
def test_rounds_that_can_be_kept_are_not_refused(network, workers, seed):
    graph, args = network
    S, options = seeds(graph, 3), {"partitioner": mapping(graph, workers, seed)}
    for rounds in (eager_rounds, level_rounds):

        def slower(placed, rounds=rounds):
            return Rounds(*(3 * each + 1 for each in rounds(placed)))

        the_plan = bw.plan(graph, workers, schedule=mine(in_turn, slower), **options)
        assert_same_bits(bw.run_locally(the_plan, *args, S=S), bw.backward(graph, *args, S=S))


def deep(count):
    def function(w, x):
        for _ in range(count):
            x = np.tanh(w * x)
        return x

    return function


def wide(count):
    def function(w, x):
        return sum([np.tanh(w * x) * float(k) for k in range(count)])

    return function


@pytest.mark.parametrize("schedule", ["eager", "level"])
@pytest.mark.parametrize("form", [deep, wide])
def test_what_a_look_at_an_order_costs_grows_with_the_network_and_no_faster(form, schedule):
    """Counted in calls, not in time: twice the network, twice the calls."""

    def calls(count):
        graph = bw.trace(form(count), 0.5, 0.5, argnums=0)
        the_plan = bw.plan(graph, 1, "node", schedule=schedule)
        counted = cProfile.Profile()
        order = counted.runcall(the_plan.schedule.order, the_plan.flow, range(2), None)
        counted.runcall(require_possible, the_plan, order, range(2))
        return pstats.Stats(counted).total_calls

    assert calls(160) < 2.1 * calls(80)


# What is wrong with an order beside that.


def two_branches():
    """Return the network of two branches on two workers, which join on the first; and the rest."""

    def function(weights, x):
        one, other = weights
        return np.tanh(np.tanh(one * x)) + np.sin(np.sin(other * x))

    params = [np.float64(0.3), np.float64(0.7)]
    graph = bw.trace(function, params, 0.5, argnums=0)
    products = [node.id for node in graph.nodes if node.primitive == "multiply"]
    partitioner = {n.id: int(n.primitive == "sin") for n in graph.nodes if n.inputs}
    return graph, params, partitioner | {products[1]: 1}


def test_a_deadlock_by_barriers_is_refused():
    """What is received would allow it, but a round of one pass waits for one of the other."""
    graph, params, partitioner = two_branches()
    calls = []

    def crossed(flow, passes, in_flight):
        calls.append(passes)
        one, other = passes
        first, second = ([s for s in flow.stages if s.partition == p] for p in range(2))
        given = [s for s in first if s.round == 0]
        up = [s for s in second if s.name == "forward"]
        down = [s for s in second if s not in up]

        def fired(*turns):
            return tuple(Firing(number, s.number) for number, some in turns for s in some)

        rest = first[len(given) :]
        return (
            fired((one, given), (other, given), (one, rest), (other, rest)),
            fired((other, up), (one, up), (one, down), (other, down)),
        )

    options = {"workers": 2, "partitioner": partitioner, "micro_batches": 2}
    xs = np.array([0.5, -1.0])
    with bw.session(graph, params, schedule=mine(crossed, level_rounds), **options) as session:
        session.backward(xs)
    schedule = mine(crossed, level_rounds, barrier=True)
    with (
        pytest.raises(PlanError, match=r"'mine' would never end: .*: a cycle"),
        bw.session(graph, params, schedule=schedule, **options) as session,
    ):
        session.backward(xs)


def test_a_barrier_after_a_round_of_one_firing_is_looked_at():
    """Worker 1 needs x alone, which is round 0; round 1 is worker 0's, which has it last."""
    graph = bw.trace(lambda x: np.sin(x) * np.cos(x), 0.5)
    assert [node.primitive for node in graph.nodes] == ["leaf", "sin", "cos", "multiply"]

    def rounds(placed):
        return Rounds(np.array([0, 1, 2, 3]), np.array([7, 6, 5, 4]))

    def crossed(flow, passes, in_flight):
        one, other = passes
        (x, sin, multiply, *back), (cos, *down) = (
            [stage.number for stage in flow.stages if stage.partition == p] for p in range(2)
        )
        first = [(one, x), (other, x), (other, sin), (other, multiply), (one, sin), (one, multiply)]
        first += [(number, stage) for number in passes for stage in back]
        second = [(number, stage) for stage in (cos, *down) for number in passes]
        return tuple(tuple(Firing(*each) for each in some) for some in (first, second))

    for barrier in (False, True):
        schedule = mine(crossed, rounds, barrier=barrier)
        the_plan = bw.plan(graph, 2, partitioner=[0, 0, 1, 0], schedule=schedule)
        order = crossed(the_plan.flow, (0, 1), None)
        assert (Play(the_plan, order).stuck() is not None) == barrier
        assert (refusal(the_plan, order) is not None) == barrier


@settings(max_examples=amount(40, 600))
@given(networks_of_any_outputs(max_steps=6), st.integers(1, 3), st.integers(0, 2**32))
def test_stages_of_a_pass_out_of_turn_are_refused_or_give_the_same_bits(network, workers, seed):
    """Values come with the first stage that uses them, and go with the last."""
    graph, args = network
    random = Random(seed)

    def out_of_turn(flow, passes, in_flight):
        """Any order in which what sends comes first."""
        rest, done, found = list(flow.stages), {CALLER}, [[] for _ in range(flow.partitions)]
        while rest:
            ready = [s for s in rest if {flow.frames[f].sent_by for f in s.receives} <= done]
            stage = random.choice(ready)
            rest.remove(stage)
            done.add(stage.number)
            found[stage.partition].append(Firing(passes[0], stage.number))
        return tuple(map(tuple, found))

    options = {"partitioner": mapping(graph, workers, seed), "schedule": mine(out_of_turn)}
    the_plan = bw.plan(graph, workers, **options)
    S = seeds(graph, 1)
    try:
        result = bw.run_locally(the_plan, *args, S=S)
    except PlanError:
        return
    assert_same_bits(result, bw.backward(graph, *args, S=S))


def without_the_first(order):
    return order[0], order[1][1:]


def without_the_last(order):
    return order[0][:-1], order[1]


def with_one_twice(order):
    return order[0], (*order[1], order[1][0])


def with_a_stranger(order):
    return order[0], (*order[1], Firing(order[1][0].number, 99))


def by_one_worker(order):
    return order[:1]


def by_each_other(order):
    return order[::-1]


def of_one_pass(order):
    first = min(firing.number for some in order for firing in some)
    return tuple(tuple(f for f in some if f.number == first) for some in order)


def of_one_more(order):
    return tuple((*some, *(Firing(f.number + 100, f.stage) for f in some)) for some in order)


WRONG = [
    without_the_first,
    without_the_last,
    with_one_twice,
    with_a_stranger,
    by_one_worker,
    by_each_other,
    of_one_pass,
    of_one_more,
]


@pytest.mark.parametrize("wrong", WRONG)
def test_an_order_that_is_not_whole_is_refused_before_anything_fires(wrong, monkeypatch):
    monkeypatch.setattr(LocalEngine, "do", lambda *_: pytest.fail("something was done"))
    graph, params, partitioner = layers(2)
    schedule = mine(lambda *given: wrong(in_turn(*given)))
    options = {"partitioner": partitioner, "schedule": schedule}
    with (
        pytest.raises(PlanError, match="the schedule 'mine'"),
        bw.session(graph, params, workers=2, micro_batches=2, **options) as session,
    ):
        session.backward(np.array([0.5, 1.0]))
    if wrong is not of_one_pass:
        with pytest.raises(PlanError, match="the schedule 'mine'"):
            bw.run_locally(bw.plan(graph, 2, **options), params, 0.5)
