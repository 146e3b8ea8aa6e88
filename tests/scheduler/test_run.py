"""The state machine of a run, event by event, with no worker and no engine."""

from dataclasses import dataclass, replace
from functools import cache
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import backwave as bw
from backwave.protocol.errors import BackwaveError, ClusterError, PlanError, ProtocolError
from backwave.scheduler.events import Died, Failed, Fetch, Fetched, Fire, Fired, Give, Late, Report
from backwave.scheduler.order import Firing
from backwave.scheduler.run import Passing, Run
from backwave.scheduler.schedule import SCHEDULES, Schedule


class Nothing:
    """What a pass is given, for a run that nobody looks into."""

    def pack(self, frame):
        return [(key, np.float64(key)) for key in frame.keys]


def function(w, x):
    for i in range(4):
        x = np.tanh(x @ w) + x * float(i)
    return np.sum(x * x)


@cache
def graph():
    return bw.trace(function, np.eye(3), np.ones((2, 3)))


@cache
def plan(schedule="eager", workers=3, granularity="partition"):
    if granularity == "scattered":
        mapping = np.random.default_rng(workers).integers(0, workers, len(graph().nodes))
        return bw.plan(graph(), workers, partitioner=mapping, schedule=schedule)
    return bw.plan(graph(), workers, granularity, schedule=schedule)


SCHEDULED = [
    (name, granularity)
    for name, schedule in SCHEDULES.items()
    for granularity in ("partition", "scattered")
    if granularity == "partition" or not schedule.pipeline  # whose workers form no circle
]


def started(the_plan, passes=(0,), **options):
    run = Run(the_plan, [Passing(number, Nothing()) for number in passes], **options)
    return run, run.start()


def report(the_plan, firing, incarnation=0):
    stage = the_plan.stages[firing.stage]
    return Report(stage.number, stage.partition, 0, 1, incarnation)


def answer(the_plan, command):
    """What an engine reports of a command that went well."""
    if isinstance(command, Fire):
        return Fired(command.firing, report(the_plan, command.firing))
    return Fetched(command.number, command.frame, [])


def asks(commands):
    return [command for command in commands if not isinstance(command, Give)]


def test_all_that_can_be_asked_for_is_asked_for_at_once():
    for schedule in ("eager", "wave"):
        the_plan = plan(schedule)
        run, commands = started(the_plan, passes=(4, 5))
        fired = [command.firing for command in commands if isinstance(command, Fire)]
        assert sorted(fired) == [(n, stage.number) for n in (4, 5) for stage in the_plan.stages]
        assert run.awaits == len(asks(commands))


def test_no_firing_is_asked_for_before_what_it_receives():
    for schedule, granularity in SCHEDULED:
        the_plan = plan(schedule, granularity=granularity)
        run, commands = started(the_plan, passes=(0, 1))
        sent = set()
        while commands:
            command = commands.pop(0)
            if isinstance(command, Give):
                sent.add((command.number, command.frame.number))
            elif isinstance(command, Fetch):
                assert (command.number, command.frame.number) in sent
            else:
                number, stage = command.firing
                assert {(number, f) for f in the_plan.stages[stage].receives} <= sent
                sent.update((number, f) for f in the_plan.stages[stage].sends)
            if not isinstance(command, Give):
                commands += run.on(answer(the_plan, command))
        assert run.ended


def test_a_worker_fires_in_the_order_of_its_schedule():
    the_plan = plan("wave", granularity="scattered")
    _, commands = started(the_plan, passes=(0, 1, 2))
    fired = [command.firing for command in commands if isinstance(command, Fire)]
    for worker, order in enumerate(the_plan.schedule.order(the_plan.flow, [0, 1, 2], None)):
        assert [f for f in fired if the_plan.stages[f.stage].partition == worker] == list(order)


def test_a_barrier_lets_nobody_into_a_round_before_the_last_is_over():
    the_plan = plan("level")
    run, commands = started(the_plan)
    waiting = asks(commands)
    done = set()
    while waiting:
        rounds = {the_plan.stages[c.firing.stage].round for c in waiting if isinstance(c, Fire)}
        assert len(rounds) <= 1
        before = {s.number for s in the_plan.stages if s.round < min(rounds, default=0)}
        assert before <= done
        command = waiting.pop()
        if isinstance(command, Fire):
            done.add(command.firing.stage)
        waiting += asks(run.on(answer(the_plan, command)))
    assert run.ended
    assert len(done) == len(the_plan.stages)


@pytest.mark.parametrize("in_flight", [1, 2, 3])
def test_no_more_passes_are_open_than_may_be_in_flight(in_flight):
    the_plan = plan()
    run, commands = started(the_plan, passes=range(5), in_flight=in_flight)
    waiting, most = asks(commands), 0
    while waiting:
        most = max(most, len({getattr(c, "firing", (c[0],))[0] for c in waiting}))
        waiting.sort(key=lambda c: getattr(c, "firing", (c[0],))[0])
        waiting += asks(run.on(answer(the_plan, waiting.pop(0))))
    assert run.ended
    assert most == in_flight


def test_what_has_come_is_handed_out_by_pass():
    the_plan = plan()
    run, commands = started(the_plan, passes=(7, 8))
    for command in reversed(asks(commands)):
        run.on(answer(the_plan, command))
    for number in (7, 8):
        outcome = run.outcome(number)
        assert [each.stage for each in outcome.reports] == list(range(len(the_plan.stages)))
        assert [f.number for f, _ in outcome.frames] == [
            f.number for f in the_plan.frames if f.receiver == -1
        ]


def test_what_comes_twice_counts_once():
    the_plan = plan()
    run, commands = started(the_plan)
    for command in asks(commands):
        assert not run.ended
        run.on(answer(the_plan, command))
        run.on(answer(the_plan, command))
    assert run.ended
    run.outcome(0)


def failed_with(run, kind, match):
    assert run.ended
    with pytest.raises(kind, match=match):
        run.outcome(0)
    assert run.on(Late(1.0)) == []  # nothing more is to be done


def test_a_dead_worker_is_named_with_what_it_owes():
    run, _ = started(plan())
    run.on(Died(1, 0, "it ran out of memory"))
    owed = r"a worker died while the run waited for stage \d+ \(.*round \d+\) of worker 1: it ran"
    failed_with(run, ClusterError, owed)


def test_the_death_of_an_earlier_incarnation_is_nothing_to_a_run():
    the_plan = plan()
    run, commands = started(the_plan, incarnations=(2, 2, 2))
    run.on(Died(0, 1, "long ago"))
    assert not run.ended
    for command in asks(commands):
        event = answer(the_plan, command)
        run.on(event)  # of an earlier incarnation, too
        if isinstance(event, Fired):
            assert not run.ended
            run.on(Fired(event.firing, report(the_plan, event.firing, incarnation=2)))
    assert run.ended
    run.outcome(0)


def test_a_worker_that_dies_when_all_it_owed_has_come_is_nothing_to_a_run():
    the_plan = plan()
    run, commands = started(the_plan)
    asked = asks(commands)
    first, last = asked[:-1], asked[-1]
    for command in first:
        run.on(answer(the_plan, command))
    owes = the_plan.stages[last.firing.stage if isinstance(last, Fire) else last.frame.sent_by]
    run.on(Died((owes.partition + 1) % 3, 0, "a fire"))
    assert not run.ended
    run.on(Died(owes.partition, 0, "a flood"))
    failed_with(run, ClusterError, f"worker {owes.partition}.*a flood")


def test_nothing_for_too_long_names_what_waits_for_nothing_else():
    the_plan = plan()
    run, _ = started(the_plan)
    first = the_plan.stages[0]
    run.on(Late(0.5))
    failed_with(
        run,
        ClusterError,
        rf"waited 0\.5 s for stage 0 \({first.name}.* of worker {first.partition} and \d+ more; "
        r"see `ray status`, or raise the deadline",
    )


def test_what_a_worker_refuses_is_raised_as_it_raised_it():
    run, _ = started(plan())
    error = ProtocolError("worker 1, stage 2, received a frame that is not planned")
    run.on(Failed(Firing(0, 2), error))
    run.on(Failed(Firing(0, 3), ValueError("what followed from it")))
    assert run.ended
    with pytest.raises(ProtocolError) as caught:
        run.outcome(0)
    assert caught.value is error


def test_a_report_of_what_was_not_asked_for_is_refused():
    the_plan = plan("level")
    run, _ = started(the_plan)
    later = Firing(0, the_plan.stages[-1].number)
    run.on(Fired(later, report(the_plan, later)))
    failed_with(run, ProtocolError, "reported stage .* of pass 0, which was not asked for")
    run, _ = started(the_plan)
    run.on(Fetched(0, the_plan.frames[0], []))
    failed_with(run, ProtocolError, "fetched frame 0 of pass 0, which was not asked for")


def backwards(flow, passes, in_flight):
    """Each worker begins with what comes last."""
    some = [[s.number for s in flow.stages if s.partition == p] for p in range(flow.partitions)]
    return tuple(tuple(Firing(n, s) for n in passes for s in reversed(mine)) for mine in some)


@pytest.mark.parametrize("passes", [(0,), (0, 1)])
def test_a_schedule_whose_order_cannot_go_on_is_refused_before_it_starts(passes):
    stuck = Schedule("backwards", SCHEDULES["eager"].rounds, backwards)
    with pytest.raises(
        PlanError, match=r"the schedule 'backwards' must give the stages of a pass in their turn"
    ):
        started(replace(plan(), schedule=stuck), passes)


def test_an_order_that_is_given_and_cannot_go_on_is_refused_and_not_waited_for():
    the_plan = plan()
    run, commands = started(the_plan, order=backwards(the_plan.flow, [0], None))
    assert asks(commands) == []
    failed_with(run, PlanError, "the schedule 'eager' cannot go on")


# Any order in which an engine may report, with deaths, delays and duplicates.


@dataclass
class Seen:
    """How a run ended, and what had happened to it."""

    run: Run
    harm: list


def open_at_once(schedule, passes):
    """How many passes a schedule cannot do without: of a pipeline, those that are climbing.

    GPipe lets all up before one comes down; 1F1B one for each of the three workers.
    """
    return {"gpipe": passes, "1f1b": min(passes, 3)}.get(schedule, 1)


def happening(seed):
    """Drive a run by events in an order drawn at random; something may go wrong on the way."""
    random = Random(seed)
    schedule, granularity = random.choice(SCHEDULED)
    the_plan = plan(schedule, 3, granularity)
    passes = list(range(random.randint(1, 4)))
    in_flight = random.choice([None, 1, 2])
    harm_at = random.choice([None, None, random.uniform(0, 1)])
    if in_flight is not None and in_flight < open_at_once(schedule, len(passes)):
        with pytest.raises(PlanError, match="would never end"):
            started(the_plan, passes, in_flight=in_flight)
        return None, passes
    run, commands = started(the_plan, passes, in_flight=in_flight)
    pending, past, harm = asks(commands), [], []
    total = len(passes) * (len(the_plan.stages) + len([f for f in the_plan.frames
                                                       if f.receiver == -1]))  # fmt: skip
    for step in range(4 * total + 10):
        if run.ended:
            break
        assert pending, "the run waits for what cannot come"
        assert 1 <= run.awaits <= len(pending)
        if harm_at is not None and not harm and step >= harm_at * total:
            event = _harm(random, run, the_plan, pending)
            run.on(event)
            harm_at = None
            if run.ended or not isinstance(event, Died):
                harm.append(event)
            else:  # a worker that owes nothing, or of an earlier incarnation
                assert event.incarnation or not _owes(run, the_plan, event.worker, pending)
            continue
        if past and random.random() < 0.2:  # it comes again
            assert run.on(random.choice(past)) == []
        event = answer(the_plan, pending.pop(random.randrange(len(pending))))
        past.append(event)
        pending += asks(run.on(event))
    return Seen(run, harm), passes


def _owes(run, the_plan, worker, pending):
    stages = [c.firing.stage if isinstance(c, Fire) else c.frame.sent_by for c in pending]
    return any(the_plan.stages[stage].partition == worker for stage in stages)


def _harm(random, run, the_plan, pending):
    command = random.choice(pending)
    stage = command.firing.stage if isinstance(command, Fire) else command.frame.sent_by
    number = command.firing.number if isinstance(command, Fire) else command.number
    kind = random.choice(["died", "late", "refused", "stranger"])
    if kind == "died":
        return Died(random.randrange(3), random.choice([0, 0, 1]), "gone")
    if kind == "late":
        return Late(3.0)
    if kind == "refused":
        return Failed(Firing(number, stage), ProtocolError("refused"))
    return Fired(Firing(99, 0), report(the_plan, Firing(99, 0)))


def ends_well_or_in_one_named_error(seed):
    seen, passes = happening(seed)
    if seen is None:
        return PlanError
    assert seen.run.ended, "the run never ended"
    if not seen.harm:
        for number in passes:
            seen.run.outcome(number)
        return None
    with pytest.raises(BackwaveError) as caught:
        seen.run.outcome(passes[0])
    kinds = {Died: ClusterError, Late: ClusterError, Failed: ProtocolError, Fired: ProtocolError}
    assert type(caught.value) is kinds[type(seen.harm[0])]
    return type(seen.harm[0])


@given(st.integers(0, 2**32))
def test_a_run_ends_in_its_result_or_in_one_named_error(seed):
    ends_well_or_in_one_named_error(seed)


@pytest.mark.long
def test_ten_thousand_runs_end_in_their_result_or_in_one_named_error():
    ends = [ends_well_or_in_one_named_error(seed) for seed in range(10_000)]
    assert {None, PlanError, Died, Late, Failed, Fired} == set(ends)
