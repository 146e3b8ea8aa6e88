"""A session on a device, where there is none: what is copied from and to the host in a step."""

import numpy as np
import pytest

import backwave as bw
from backwave.actors import worker
from backwave.actors.device import Host

from .test_device import StandIn

OPTIMIZERS = [
    bw.optimizers.sgd(0.1),
    bw.optimizers.momentum(0.1),
    bw.optimizers.adam(0.01),
    bw.optimizers.adamw(0.01),
]


class Counting(StandIn):
    """The stand-in, which counts what is copied, by the bytes."""

    def __init__(self):
        self.put_bytes, self.got_bytes = [], []

    def put(self, value):
        self.put_bytes.append(getattr(value, "nbytes", 0))
        return super().put(value)

    def get(self, value):
        self.got_bytes.append(int(np.prod(value.shape)) * value.dtype.itemsize)
        return super().get(value)

    def forget(self):
        self.put_bytes.clear()
        self.got_bytes.clear()


@pytest.fixture
def devices(monkeypatch):
    made = []

    def device(kind):
        made.append(Counting() if kind == "gpu" else Host())
        return made[-1]

    monkeypatch.setattr(worker, "device", device)
    return made


def loss(params, x, y):
    for w, b in params:
        x = np.tanh(x @ w + b)
    return np.mean((x - y) ** 2)


def setting(copies):
    random = np.random.default_rng(5)
    params = [(random.normal(size=(4, 4)), random.normal(size=4)) for _ in range(4)]
    data = random.normal(size=(2, copies, 3, 4))
    return bw.trace(loss, params, data[0, 0], data[1, 0], argnums=0), params, data


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("copies", [1, 3])
def test_a_step_copies_data_to_the_device_and_the_loss_back_and_nothing_else(
    devices, copies, optimizer
):
    graph, params, data = setting(copies)
    given = data[:, 0] if copies == 1 else data
    options = {"micro_batches": copies, "schedule": "1f1b"}
    with (
        bw.session(graph, params, gpus=1, **options) as there,
        bw.session(graph, params, **options) as here,
    ):
        (device,) = (each for each in devices if isinstance(each, Counting))
        for _ in range(3):
            device.forget()
            result = there.backward(*given)
            there.update(optimizer)
            one = data[0, 0].nbytes
            # Of each copy x, y and S, which is one number.
            assert sorted(device.put_bytes) == sorted([one, one, 8] * copies)
            assert device.got_bytes == [8] * copies
            assert result.value == here.backward(*given).value
            here.update(optimizer)
        for ours, theirs in zip(there.params(), here.params(), strict=True):
            for a, b in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("gpus", [1, 2])
@pytest.mark.parametrize("schedule", ["eager", "gpipe", "1f1b"])
def test_two_workers_some_of_which_have_a_device(devices, gpus, schedule):
    graph, params, data = setting(4)
    options = {"micro_batches": 4, "schedule": schedule, "workers": 2}
    with (
        bw.session(graph, params, gpus=gpus, **options) as there,
        bw.session(graph, params, **options) as here,
    ):
        for made in (there, here):
            made.backward(*data)
            made.update(bw.optimizers.adam(0.01))
        ours, theirs = (made.backward(*data, grads=True) for made in (there, here))
        direction = theirs.grads
        products = [made.hvp(direction, *data).grads for made in (there, here)]
        for a, b in zip([*ours.grads, *products[0]], [*theirs.grads, *products[1]], strict=True):
            for x, y in zip(a, b, strict=True):
                np.testing.assert_array_equal(x, y)
    assert sum(isinstance(each, Counting) for each in devices) == gpus
