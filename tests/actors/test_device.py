"""A partition on a device, where there is none: with arrays that stand in for CuPy's.

They do not mix with NumPy's and never become such by themselves, so a value that a worker forgets
to bring to the device, or back, is an error here too. Real ones are tested in ``tests/whole``.
"""

import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import backwave as bw
from backwave.actors import worker
from backwave.actors.device import Host, device
from backwave.actors.worker import Worker
from backwave.protocol.arrays import settle
from backwave.protocol.errors import ClusterError

from ..amount import amount
from ..networks import EXAMPLES, assert_same_bits, example, mapping, programs
from ..protocol.rules.standin import DeviceArray


class StandIn:
    name = "gpu"

    def put(self, value):
        return value if type(value) in (bool, int, float, complex) else DeviceArray(value)

    def get(self, value):
        assert type(value) is DeviceArray, f"a value on a device is {type(value).__name__}"
        return settle(value.get())

    def finish(self):
        pass


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setattr(worker, "device", lambda kind: Host() if kind == "cpu" else StandIn())


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("gpus", [1, 2])
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples(path, gpus):
    graph, args = example(path)
    the_plan = bw.plan(graph, 2, gpus=gpus)
    assert the_plan.devices.count("gpu") == gpus
    result = bw.run_locally(the_plan, *args)
    assert sorted(share.device for share in result.workers).count("gpu") == gpus
    assert_same_bits(result, bw.backward(graph, *args))


@pytest.mark.usefixtures("stand_in")
@settings(max_examples=amount(5, 50), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(programs(), st.integers(0, 2**32), st.integers(1, 2))
def test_random_networks(program, seed, gpus):
    graph = program.graph()
    the_plan = bw.plan(graph, 3, partitioner=[*mapping(graph, 3, seed)[:-1], 2], gpus=gpus)
    reference = bw.backward(graph, *program.args)
    assert_same_bits(bw.run_locally(the_plan, *program.args), reference)


@pytest.mark.parametrize("make", [device, Worker])
def test_a_gpu_without_cupy_is_one_clear_error(monkeypatch, make):
    monkeypatch.setitem(sys.modules, "cupy", None)  # as if it were not installed
    with pytest.raises(ClusterError, match=r"CuPy cannot be imported.*backwave\[gpu\].*--gpus"):
        make("gpu")
