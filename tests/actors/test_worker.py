"""One worker, given frames that the plan does not have."""

import numpy as np
import pytest

import backwave as bw
from backwave.actors.worker import Worker, assignments
from backwave.protocol import graph_file
from backwave.protocol.errors import ProtocolError, WireError
from backwave.protocol.message import BACKWARD, CALLER, FORWARD, Frame

RUN = "this run"


def loss(w):
    a = np.tanh(w)
    b = a * a
    return np.sum(b * a)


@pytest.fixture
def setting():
    """The lower worker of two, after its forward stage; what comes back to it; its last stage."""
    w = np.linspace(0.1, 0.9, 5)
    graph = bw.trace(loss, w)
    mapping = {node.id: int(graph.levels[node.id] >= 2) for node in graph.nodes}
    the_plan = bw.plan(graph, 2, partitioner=mapping)
    workers = []
    for assignment in assignments(the_plan, RUN):
        worker = Worker(threads=None)
        worker.load(graph_file.to_bytes(graph), assignment)
        workers.append(worker)
    leaf = graph.leaves[0].node
    given = Frame.of(FORWARD, [(leaf, w)], run=RUN, number=1, stage=CALLER, receiver=0)
    _, up = workers[0].fire(0, 1, False, given)
    report, *down = workers[1].fire(1, 1, False, up)
    back = next(frame for frame in down if frame.open()[0].kind == BACKWARD)
    assert report.cross_messages == the_plan.cut_edges == 3
    return workers[0], back, w


def test_the_planned_frame_is_taken(setting):
    worker, back, w = setting
    report, sums = worker.fire(2, 1, False, back)
    ((_, S),) = sums.open()[1]
    np.testing.assert_allclose(S, 3 * np.tanh(w) ** 2 / np.cosh(w) ** 2, rtol=1e-12)
    assert report.messages == 4
    assert report.retransmissions == 0


def test_a_missing_frame_is_named(setting):
    worker, _, _ = setting
    with pytest.raises(
        ProtocolError,
        match=r"worker 0, stage 2 \(backward\) did not receive the backward frame of 3 messages "
        r"from worker 1, stage 1",
    ):
        worker.fire(2, 1, False)


def test_a_frame_that_comes_twice_is_dropped_and_counted(setting):
    worker, back, w = setting
    report, sums = worker.fire(2, 1, False, back, back)
    assert report.retransmissions == 3
    assert report.messages == 4
    ((_, S),) = sums.open()[1]
    np.testing.assert_allclose(S, 3 * np.tanh(w) ** 2 / np.cosh(w) ** 2, rtol=1e-12)


@pytest.mark.parametrize(
    "change",
    [{"run": "another"}, {"number": 7}, {"stage": 5}, {"sender": 9}],
    ids=lambda change: next(iter(change)),
)
def test_a_frame_that_is_not_planned_is_refused(setting, change):
    worker, back, _ = setting
    fields = {"run": RUN, "number": 1, "stage": 1, "sender": 1, "receiver": 0} | change
    strange = Frame.of(BACKWARD, back.open()[1], **fields)
    with pytest.raises(ProtocolError, match="received a frame that is not planned"):
        worker.fire(2, 1, False, back, strange)


def test_a_frame_with_other_messages_is_refused(setting):
    worker, back, _ = setting
    fewer = Frame.of(
        BACKWARD, back.open()[1][:-1], run=RUN, number=1, stage=1, sender=1, receiver=0
    )
    with pytest.raises(ProtocolError, match="with other messages than planned"):
        worker.fire(2, 1, False, fewer)


def test_a_damaged_header_is_refused(setting):
    worker, back, _ = setting
    with pytest.raises(WireError):
        worker.fire(2, 1, False, Frame(back.header[:-3], back.arrays))


def test_an_idle_worker_says_so():
    with pytest.raises(ProtocolError, match="before it was given a partition"):
        Worker(threads=None).fire(0, 0, False)
