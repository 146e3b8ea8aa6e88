"""One worker, given frames that the plan does not have."""

import re
from dataclasses import replace

import numpy as np
import pytest

import backwave as bw
from backwave.actors.assignment import assignments
from backwave.actors.worker import Worker
from backwave.protocol.errors import ProtocolError, WireError
from backwave.protocol.graph import shipped
from backwave.protocol.message import BACKWARD, CALLER, FORWARD, SUMS, Address, Frame, Header
from backwave.protocol.residents import PassOptions
from backwave.scheduler.order import Firing

RUN = "this run"
W, X = np.linspace(0.1, 0.9, 5), np.linspace(-1, 1, 5)


def loss(w, x):
    a = np.tanh(w)
    b = a * x
    return np.sum(b * a)


GRADIENT = 2 * X * np.tanh(W) / np.cosh(W) ** 2


def fire(worker, stage, *frames, number=1, first=None):
    """Let a worker fire in a pass, which is the only one that is open unless another is first."""
    return worker.fire(
        RUN, Firing(number, stage), number if first is None else first, PassOptions(), *frames
    )


class Setting:
    """Worker 0 has the leaves and tanh, worker 1 what is above. Both stand before a stage."""

    incarnations = (0, 0)

    def __init__(self):
        graph = bw.trace(loss, W, X, argnums=0)
        mapping = {node.id: int(graph.levels[node.id] >= 2) for node in graph.nodes}
        self.plan = bw.plan(graph, 2, partitioner=mapping)
        assert [(stage.partition, stage.name) for stage in self.plan.stages] == [
            (0, "forward"),
            (1, "forward+backward"),
            (0, "backward"),
        ]
        self.lower, self.upper = map(self.loaded, (0, 1))
        w, x = (leaf.node for leaf in graph.leaves)
        self.given = Frame.of(FORWARD, [(w, W), (x, X)], Address(RUN, 1, CALLER, receiver=0))
        self.S = Frame.of(
            SUMS, [(graph.output, np.float64(1))], Address(RUN, 1, CALLER, receiver=1)
        )
        _, self.up = fire(self.lower, 0, self.given)
        self.report, *down = fire(self.upper, 1, self.up, self.S)
        (self.back,) = (frame for frame in down if frame.open()[0].kind == BACKWARD)
        crossing = self.report.counts.cross_messages
        assert len(self.back.arrays) == crossing == self.plan.cut_edges == 2

    def loaded(self, partition, worker=None, run=RUN):
        """Load a part of the plan into a new worker, or this one; return it."""
        worker = worker or Worker(threads=None)
        assignment = assignments(self.plan, run, self.incarnations)[partition]
        whole = self.plan.graph.whole(elsewhere=False)
        worker.load(self.plan.parts[partition], whole, assignment)
        return worker

    def finish(self, *frames):
        """Fire the lower worker's last stage."""
        return fire(self.lower, 2, *frames)

    def another(self, frame=None, **fields):
        """Return a frame of the same messages with other fields in its header."""
        frame = frame or self.back
        return Frame(replace(Header.decode(frame.header), **fields).encode(), frame.arrays)


@pytest.fixture
def setting():
    return Setting()


def require_gradient(sums):
    header, ((_, S),) = sums.open()
    assert (header.kind, header.sender, header.receiver) == (SUMS, 0, CALLER)
    np.testing.assert_allclose(S, GRADIENT, rtol=1e-12)


PLACE = r"worker 0, stage 2 \(backward\)"
PLANNED = "the backward frame of 2 messages from worker 1, stage 1"


def test_the_planned_frame_is_taken(setting):
    report, sums = setting.finish(setting.back)
    require_gradient(sums)
    counts = report.counts
    assert (counts.messages, counts.multiplies, counts.sums, counts.receivers) == (3, 1, 1, 2)
    assert (report.stage, report.worker, counts.retransmissions) == (2, 0, 0)
    assert report.start <= report.end
    assert [span.kind for span in report.spans] == ["receive", "compute", "send"]


def test_what_a_stage_sends_is_counted_where_it_is_sent(setting):
    counts = setting.report.counts
    assert (counts.frames, counts.payload_bytes) == (1, 80)
    assert (counts.forward_frames, counts.forward_bytes) == (0, 0)
    assert counts.header_bytes == len(setting.back.header)


def test_a_frame_too_few_is_named(setting):
    with pytest.raises(ProtocolError, match=f"^{PLACE} did not receive {PLANNED}$"):
        setting.finish()


def test_a_frame_of_leaf_values_that_is_missing_is_named(setting):
    message = "did not receive the forward frame of 2 messages from the caller, stage -1"
    with pytest.raises(ProtocolError, match=rf"worker 0, stage 0 \(forward\) {message}"):
        fire(setting.lower, 0, number=2)


STRANGE = {
    "kind": FORWARD,
    "run": "another run",
    "number": 7,
    "stage": 5,
    "sender": 9,
    "receiver": 8,
}
NAMED = {
    "kind": "a forward frame of 2 messages from worker 1",
    "run": "in pass 1 of run another run",
    "number": "in pass 7 of run this run",
    "stage": "from worker 1, stage 5",
    "sender": "from worker 9, stage 1",
    "receiver": "to worker 8",
}


@pytest.mark.parametrize("field", STRANGE)
@pytest.mark.parametrize("beside", [True, False], ids=["beside the planned one", "alone"])
def test_a_frame_that_is_not_planned_is_refused_and_named(setting, field, beside):
    strange = setting.another(**{field: STRANGE[field]})
    frames = [setting.back, strange] if beside else [strange]
    with pytest.raises(ProtocolError) as caught:
        setting.finish(*frames)
    text = str(caught.value)
    assert re.match(f"{PLACE}, in pass 1 of run this run, received a frame that is not plan", text)
    assert NAMED[field] in text


def test_a_frame_of_another_stage_is_a_frame_too_many(setting):
    with pytest.raises(ProtocolError, match=r"not planned: a forward frame .* from the caller"):
        setting.finish(setting.back, setting.given)


def test_a_frame_with_other_messages_is_refused(setting):
    keys = Header.decode(setting.back.header).keys
    both = list(zip(keys, setting.back.arrays, strict=True))
    for messages in (both[:-1], both[::-1], [*both, (0, W)], [(99, W), both[1]]):
        frame = Frame.of(BACKWARD, messages, Address(RUN, 1, 1, 1, 0))
        with pytest.raises(ProtocolError, match=f"{PLACE} received {PLANNED} with other messages"):
            setting.finish(frame)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda frame: Frame(frame.header[:-3], frame.arrays), "the header is damaged"),
        (lambda frame: Frame(b"", frame.arrays), "the header is damaged"),
        (lambda frame: Frame(frame.header, frame.arrays[:1]), "1 arrays and its header says 2"),
        (lambda frame: Frame(frame.header, (W[:2], W)), "the header says"),
        (lambda frame: Frame(frame.header, (W.astype("f4"), W)), "the header says"),
        (lambda frame: Frame(frame.header, (None, W)), "NoneType, and no array"),
    ],
)
def test_a_damaged_frame_is_refused_and_its_place_named(setting, damage, complaint):
    with pytest.raises(WireError, match=f"{PLACE} received frame 1 of 1 damaged: .*{complaint}"):
        setting.finish(damage(setting.back))
    with pytest.raises(WireError, match="received frame 2 of 2 damaged"):
        setting.finish(setting.back, damage(setting.back))


def test_a_backward_frame_that_comes_twice_is_dropped_and_counted(setting):
    report, sums = setting.finish(setting.back, setting.back)
    require_gradient(sums)
    assert (report.counts.messages, report.counts.retransmissions) == (3, 2)


def test_a_second_copy_is_dropped_whatever_it_holds(setting):
    other = Frame(setting.back.header, tuple(10 * value for value in setting.back.arrays))
    report, sums = setting.finish(setting.back, other, other)
    require_gradient(sums)
    assert (report.counts.messages, report.counts.retransmissions) == (3, 4)


def test_a_forward_frame_that_comes_twice_is_dropped_and_counted(setting):
    other = Frame(setting.up.header, tuple(10 * value for value in setting.up.arrays))

    def of(number, *frames):
        return [setting.another(frame, number=number) for frame in (*frames, setting.S)]

    report, *sent = fire(setting.upper, 1, *of(2, setting.up, setting.up), number=2)
    assert report.counts.retransmissions == len(setting.up.arrays) == 2
    again, *same = fire(setting.upper, 1, *of(3, setting.up, other), number=3)
    assert again.counts.retransmissions == 2
    for before, after in zip(sent, same, strict=True):
        assert [S.tobytes() for S in before.arrays] == [S.tobytes() for S in after.arrays]


def test_a_new_pass_begins_with_nothing_of_the_old(setting):
    setting.finish(setting.back)
    with pytest.raises(ProtocolError, match="in pass 2 of run this run, received a frame that"):
        fire(setting.lower, 2, setting.back, number=2)


def test_sums_are_of_the_last_pass_only(setting):
    setting.finish(setting.back)
    w = setting.plan.graph.leaves[0].node
    require_gradient(setting.lower.find(RUN, 1, [w]))
    with pytest.raises(ProtocolError, match="worker 0 has run pass 1 since pass 0"):
        setting.lower.find(RUN, 0, [w])


def test_a_worker_without_a_partition_says_so():
    worker = Worker(threads=None)
    assert worker.ready() == "cpu"
    with pytest.raises(ProtocolError, match="before it was given a partition"):
        fire(worker, 0)
    with pytest.raises(ProtocolError, match="before it was given a partition"):
        worker.find(RUN, 0, [0])


def test_a_stage_of_another_worker_is_refused(setting):
    with pytest.raises(ProtocolError, match="worker 0 was asked for stage 1, which is not its own"):
        fire(setting.lower, 1)


FITTING = {"shape": W[:2], "dtype": W.astype("f4")}
FOUND = {"shape": r"float64\[2\]", "dtype": r"float32\[5\]"}


@pytest.mark.parametrize("what", FITTING)
def test_a_message_that_does_not_fit_its_node_is_refused(setting, what):
    """The frame is sound, and its header says what is in it: but it is no message to this node."""
    header, ((first, value), (second, _)) = setting.back.open()
    messages = [(first, value), (second, FITTING[what])]
    frame = Frame.of(BACKWARD, messages, Address(RUN, 1, 1, 1, 0))
    assert Header.decode(frame.header).keys == header.keys
    graph = setting.plan.graph
    name = graph.nodes[graph.edges[second].source].name
    with pytest.raises(
        ProtocolError,
        match=rf"^{PLACE} received the message to {name} from worker 1, stage 1, as {FOUND[what]}, "
        r"and the node is float64\[5\]$",
    ):
        setting.finish(frame)
    report, sums = setting.finish(setting.back)  # nothing of that frame was taken
    require_gradient(sums)
    assert report.counts.messages == 3


@pytest.mark.parametrize("what", FITTING)
def test_a_value_that_does_not_fit_its_node_is_refused(setting, what):
    w, x = (leaf.node for leaf in setting.plan.graph.leaves)
    frame = Frame.of(FORWARD, [(w, FITTING[what]), (x, X)], Address(RUN, 2, CALLER, receiver=0))
    with pytest.raises(
        ProtocolError,
        match=r"received the value of args\[0\] from the caller, stage -1, "
        rf"as {FOUND[what]}, and the node",
    ):
        fire(setting.lower, 0, frame, number=2)


def test_a_stage_fires_once_a_pass(setting):
    setting.finish(setting.back)
    with pytest.raises(ProtocolError, match=rf"^{PLACE} was asked to fire a second time in pass 1"):
        setting.finish(setting.back)
    with pytest.raises(ProtocolError, match=r"stage 0 \(forward\) was asked to fire a second time"):
        fire(setting.lower, 0, setting.given)
    # The next pass is another matter.
    _, up = fire(setting.lower, 0, setting.another(setting.given, number=2), number=2)
    assert [value.tobytes() for value in up.arrays] == [v.tobytes() for v in setting.up.arrays]


# Incarnations: how often each worker has been started anew.


class Restarted(Setting):
    """Worker 1 has been started anew three times, and worker 0 once."""

    incarnations = (1, 3)


def test_a_frame_of_an_earlier_incarnation_of_its_sender_is_refused_naming_both():
    setting = Restarted()
    assert Header.decode(setting.back.header).incarnation == setting.report.incarnation == 3
    for earlier in (0, 2, 4):
        with pytest.raises(
            ProtocolError,
            match=rf"^{PLACE} received a frame from worker 1 as it was after {earlier} restarts, "
            r"and it has been restarted 3 times: the run that sent it is over$",
        ):
            setting.finish(setting.another(incarnation=earlier))
    _, sums = setting.finish(setting.back)  # nothing of those was taken
    require_gradient(sums)


def test_a_frame_going_up_is_held_to_the_incarnation_of_its_sender_too():
    setting = Restarted()
    assert Header.decode(setting.up.header).incarnation == 1
    old, S = (setting.another(frame, number=2) for frame in (setting.up, setting.S))
    old = setting.another(old, incarnation=0)
    with pytest.raises(ProtocolError, match=r"from worker 0 as it was after 0 .* 1 times"):
        fire(setting.upper, 1, old, S, number=2)


def test_the_caller_is_never_started_anew():
    setting = Restarted()
    assert Header.decode(setting.given.header).incarnation == 0
    given = setting.another(setting.given, number=2, incarnation=1)
    with pytest.raises(ProtocolError, match=r"from the caller as it was after 1 .* 0 times"):
        fire(setting.lower, 0, given, number=2)


def test_a_worker_decodes_a_network_once(monkeypatch):
    decoded = []
    read = shipped.read
    monkeypatch.setattr(shipped, "read", lambda data: decoded.append(data) or read(data))
    setting = Setting()
    assert len(decoded) == 2  # one a worker
    setting.loaded(0, setting.lower, "another run")
    assert len(decoded) == 2
    other = bw.plan(bw.trace(lambda w, x: np.sum(w * x), W, X, argnums=0), 1)
    for again in range(3):  # two networks take turns
        (assignment,) = assignments(other, "a third run")
        setting.lower.load(other.parts[0], other.graph.whole(elsewhere=False), assignment)
        assert len(decoded) == 3, again
        setting.loaded(0, setting.lower)
    assert len(decoded) == 3
    _, up = fire(setting.lower, 0, setting.given)
    assert [value.tobytes() for value in up.arrays] == [v.tobytes() for v in setting.up.arrays]
