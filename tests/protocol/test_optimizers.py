"""The optimizers, beside closed forms, the formulas of their papers, and PyTorch's figures."""

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import backwave as bw
from backwave.protocol.errors import ArgumentError
from backwave.protocol.optimizers import adam, adamw, momentum, sgd

from .rules.standin import DeviceArray

ALL = (sgd, momentum, adam, adamw)
NAMES = [make.__name__ for make in ALL]


def walk(optimizer, param, gradients):
    """The parameter after each step, and the last state."""
    state, seen = None, []
    for step, S in enumerate(gradients, 1):
        param, state = optimizer(param, S, state, step)
        seen.append(param)
    return seen, state


def last(optimizer, param, gradients):
    return walk(optimizer, param, gradients)[0][-1]


def arrays_of(state):
    if state is None:
        return []
    return [each for part in state for each in arrays_of(part)] if type(state) is tuple else [state]


def halving(step):
    return 0.5**step


# Closed forms.


def test_sgd_by_hand():
    param, S = np.array([1.0, -2.0, 0.25]), np.array([0.5, 1.0, -4.0])
    assert last(sgd(0.5), param, [S]).tolist() == [0.75, -2.5, 2.25]
    assert last(sgd(0.5), param, [S, -S, S, S]).tolist() == [0.5, -3.0, 4.25]
    assert sgd(0.5)(param, S, None, 1)[1] is None


def test_momentum_by_hand():
    param, S = np.array([1.0, -2.0]), np.array([4.0, -8.0])
    seen, v = walk(momentum(0.25, beta=0.5), param, [S, 0 * S, -S])
    assert v.tolist() == [-3.0, 6.0]  # 4, then half of it, then half of that less 4
    assert [p.tolist() for p in seen] == [[0.0, 0.0], [-0.5, 1.0], [0.25, -0.5]]


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("n", [1, 2, 30])
def test_momentum_along_a_steady_slope_is_a_geometric_series(beta, n):
    param, S, rate = np.array([1.0, -2.0]), np.array([0.3, -0.7]), 0.1
    there, v = walk(momentum(rate, beta), param, [S] * n)
    np.testing.assert_allclose(v, S * (1 - beta**n) / (1 - beta), rtol=1e-13)
    way = (n - beta * (1 - beta**n) / (1 - beta)) / (1 - beta)
    np.testing.assert_allclose(there[-1], param - rate * way * S, rtol=1e-13)


def test_the_first_step_of_adam_is_the_rate_whatever_the_slope():
    S = np.array([1e-3, -1e-2, 0.1, -1.0, 1e3, -1e6])
    moved = last(adam(0.01), np.zeros(6), [S])
    np.testing.assert_allclose(moved, -0.01 * np.sign(S), rtol=1.1e-5)
    np.testing.assert_allclose(moved, -0.01 * S / (np.abs(S) + 1e-8), rtol=1e-13)


def test_eps_bounds_a_step_of_adam_from_a_tiny_slope():
    S = np.array([0.0, 1e-8, -3e-8])
    moved = last(adam(0.01), np.zeros(3), [S])
    np.testing.assert_allclose(moved, [0.0, -0.005, 0.0075], rtol=1e-13)


@pytest.mark.parametrize("n", [1, 5, 100])
def test_adam_along_a_steady_slope_takes_equal_steps(n):
    # The means of a constant are the constant, if what they began with is divided out again.
    param, S = np.array([1.5, -2.5, 3.0]), np.array([0.3, -7.0, 2e-8])
    there = last(adam(0.01, beta1=0.8, beta2=0.99), param, [S] * n)
    np.testing.assert_allclose(there, param - n * 0.01 * S / (np.abs(S) + 1e-8), rtol=1e-12)


@pytest.mark.parametrize("n", [1, 5, 100])
def test_adamw_decays_geometrically_towards_where_both_balance(n):
    param, S, rate, decay = np.array([1.0, -2.0, 3.0]), np.array([0.3, -7.0, 0.0]), 0.01, 0.5
    a, c = 1 - rate * decay, rate * S / (np.abs(S) + 1e-8)
    there = last(adamw(rate, weight_decay=decay), param, [S] * n)
    np.testing.assert_allclose(there, a**n * param - c * (1 - a**n) / (1 - a), rtol=1e-12)


def algorithm(param, gradients, rate, beta1, beta2, eps, weight_decay):
    """Algorithm 2 of arXiv 1711.05101, line by line, on one number; without decay it is Adam."""
    m = v = 0.0
    for t, g in enumerate(gradients, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        a = rate(t) if callable(rate) else rate
        param = param - (a * m_hat / (math.sqrt(v_hat) + eps) + a * weight_decay * param)
    return param


@pytest.mark.parametrize("rate", [0.01, halving], ids=["number", "schedule"])
@pytest.mark.parametrize("settings", [(0.9, 0.999, 1e-8), (0.5, 0.9, 0.1), (0.0, 0.0, 1e-3)])
@pytest.mark.parametrize("weight_decay", [None, 0.3])
def test_adam_and_adamw_are_their_papers(rate, settings, weight_decay):
    random = np.random.default_rng(1)
    param, gradients = random.normal(size=4), random.normal(size=(5, 4))
    if weight_decay is None:
        ours = last(adam(rate, *settings), param, gradients)
    else:
        ours = last(adamw(rate, *settings, weight_decay), param, gradients)
    theirs = [
        algorithm(p, column.tolist(), rate, *settings, weight_decay or 0.0)
        for p, column in zip(param.tolist(), gradients.T, strict=True)
    ]
    np.testing.assert_allclose(ours, theirs, rtol=1e-13)


def test_adamw_without_decay_is_adam():
    random = np.random.default_rng(2)
    param, gradients = random.normal(size=4), random.normal(size=(5, 4))
    ours = last(adamw(0.1, weight_decay=0.0), param, gradients)
    assert ours.tolist() == last(adam(0.1), param, gradients).tolist()


# PyTorch's figures.

START = [1.0, -2.0, 0.5]
GRADIENTS = [[0.5, -1.25, 2.0], [-0.75, 0.25, 1.0], [1.5, -0.125, -3.0], [0.0625, 2.5, -0.5]]
COMPLEX_START = [1.0 + 2.0j, -0.5 - 1.0j]
COMPLEX_GRADIENTS = [
    [0.5 - 1.25j, 2.0 + 0.25j], [-0.75 + 0.5j, 1.0 - 3.0j], [1.5 - 0.125j, -2.5j],
]  # fmt: skip

FIGURES = [
    (sgd(0.1),
     [0.8687499999999999, -2.1375, 0.55],
     [0.8749999999999999 + 1.9125j, -0.7999999999999999 - 1.525j]),
    (momentum(0.1),
     [0.74005, -1.864125, 0.16119999999999998],
     [0.857 + 1.74375j, -1.232 - 1.75225j]),
    (adam(0.1),
     [0.841025568092146, -1.8380840393025928, 0.329338945828184],
     [0.8798629246627537 + 1.832927319678785j, -0.7652757184879544 - 1.05020324604914j]),
    (adamw(0.1, weight_decay=0.05),
     [0.8226450349223885, -1.8006130704611087, 0.32179506941831837],
     [0.8658114487366796 + 1.8042473725929458j, -0.7563495661764843 - 1.0359326453704498j]),
]  # fmt: skip
"""What ``torch_steps`` gives with torch 2.13.0 (CPU) from START and from COMPLEX_START, in double
precision, for ``torch_peer`` of each: ``print(torch_steps(...)[-1].tolist())``."""


TOLERANCES = {"float64": 1e-13, "float32": 2e-6, "complex128": 1e-13, "complex64": 2e-6}


def torch_peer(torch, optimizer):
    """PyTorch's optimizer of the same settings, as a function of its parameter."""
    if isinstance(optimizer, adam):
        make = torch.optim.AdamW if isinstance(optimizer, adamw) else torch.optim.Adam
        more = {"betas": (optimizer.beta1, optimizer.beta2), "eps": optimizer.eps}
        if isinstance(optimizer, adamw):
            more["weight_decay"] = optimizer.weight_decay
    else:
        make, more = torch.optim.SGD, {"momentum": getattr(optimizer, "beta", 0.0)}
    return lambda param: make([param], lr=optimizer.rate, **more)


def torch_steps(torch, make, start, gradients):
    """PyTorch's parameter after each step; its gradient is ∂f/∂x + i·∂f/∂y, the conjugate of S."""
    param = torch.tensor(np.array(start))
    optimizer, seen = make(param), []
    for S in gradients:
        param.grad = torch.tensor(np.conjugate(S))
        optimizer.step()
        seen.append(param.numpy().copy())
    return seen


@pytest.mark.parametrize(("optimizer", "real", "complexes"), FIGURES, ids=NAMES)
def test_the_figures_are_pytorchs(optimizer, real, complexes):
    ours = last(optimizer, np.array(START), np.array(GRADIENTS))
    np.testing.assert_allclose(ours, real, rtol=1e-14)
    ours = last(optimizer, np.array(COMPLEX_START), np.array(COMPLEX_GRADIENTS))
    np.testing.assert_allclose(ours.real, np.real(complexes), rtol=1e-14)
    np.testing.assert_allclose(ours.imag, np.imag(complexes), rtol=1e-14)


@pytest.mark.parametrize(
    "optimizer",
    [sgd(0.05), momentum(0.05), momentum(0.05, 0.5), adam(0.05), adam(0.05, 0.5, 0.9, 0.01),
     adamw(0.05), adamw(0.05, 0.5, 0.9, 0.01, 0.3)],
    ids=str,
)  # fmt: skip
def test_pytorch_takes_the_same_steps(optimizer):
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(3)
    for shape in ((3, 4), ()):
        drawn = random.normal(size=(21, *shape)) + 1j * random.normal(size=(21, *shape))
        for dtype, tolerance in TOLERANCES.items():
            start, *gradients = (drawn if "complex" in dtype else drawn.real).astype(dtype)
            ours = walk(optimizer, start, gradients)[0]
            theirs = torch_steps(torch, torch_peer(torch, optimizer), start, gradients)
            for mine, peer in zip(ours, theirs, strict=True):
                assert mine.dtype == peer.dtype == dtype
                np.testing.assert_allclose(mine, peer, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("optimizer", "real", "complexes"), FIGURES, ids=NAMES)
def test_the_figures_can_be_made_again(optimizer, real, complexes):
    torch = pytest.importorskip("torch")
    peer = torch_peer(torch, optimizer)
    for start, gradients, known in (
        (START, GRADIENTS, real),
        (COMPLEX_START, COMPLEX_GRADIENTS, complexes),
    ):
        made = torch_steps(torch, peer, start, gradients)[-1]
        np.testing.assert_allclose(made, known, rtol=1e-14)


# Complex parameters.


@pytest.mark.parametrize(
    "optimizer", [sgd(0.02), momentum(0.002), adam(0.05), adamw(0.05)], ids=str
)
def test_a_function_of_complex_numbers_goes_down(optimizer):
    random = np.random.default_rng(4)
    A, b, z = (random.normal(size=shape) + 1j * random.normal(size=shape)
               for shape in ((5, 3), 5, 3))  # fmt: skip

    def f(z):
        return np.sum(np.abs(A @ z - b) ** 2)

    best = f(np.linalg.lstsq(A, b)[0])
    state, values = None, [f(z)]
    for step in range(1, 101):
        z, state = optimizer(z, bw.grad(f)(z), state, step)
        values.append(f(z))
    assert values[0] > values[1] > values[2] > values[3]
    assert values[-1] - best < 0.02 * (values[0] - best)


@pytest.mark.parametrize("optimizer", [sgd(0.1), momentum(0.1), adam(0.1), adamw(0.1)], ids=str)
def test_the_parts_of_a_complex_parameter_are_moved_like_real_ones(optimizer):
    random = np.random.default_rng(5)
    x, y = random.normal(size=(2, 4))
    of_x, of_y = random.normal(size=(2, 6, 4))
    ours = last(optimizer, x + 1j * y, of_x - 1j * of_y)
    np.testing.assert_allclose(ours.real, last(optimizer, x, of_x), rtol=1e-14)
    np.testing.assert_allclose(ours.imag, last(optimizer, y, of_y), rtol=1e-14)


# Schedules.


@pytest.mark.parametrize("make", ALL)
def test_the_rate_is_asked_for_once_a_step_with_its_number(make):
    asked = []

    def rate(step):
        asked.append(step)
        return 0.1

    random = np.random.default_rng(6)
    param, gradients = random.normal(size=3), random.normal(size=(4, 3))
    ours = last(make(rate), param, gradients)
    assert asked == [1, 2, 3, 4]
    assert all(type(step) is int for step in asked)
    assert ours.tolist() == last(make(0.1), param, gradients).tolist()


def test_a_schedule_acts_at_its_step():
    param, S = np.array([1.0, 2.0]), np.array([1.0, -4.0])
    assert last(sgd(halving), param, [S] * 3).tolist() == [1.0 - 0.875, 2.0 + 3.5]
    # The velocities are 1, 1.5, 1.75 times S: a rate that changes does not change them.
    way = 1 / 2 + 1.5 / 4 + 1.75 / 8
    assert last(momentum(halving, 0.5), param, [S] * 3).tolist() == [1.0 - way, 2.0 + 4 * way]
    there = last(adam(halving), param, [S] * 3)
    np.testing.assert_allclose(there, [1.0 - 0.875, 2.0 + 0.875], rtol=1e-7)


@pytest.mark.parametrize(
    "number",
    [1, Fraction(1, 4), np.float32(0.25), np.float64(0.25), np.int64(2), np.array(0.5)],
    ids=repr,
)
@pytest.mark.parametrize("make", ALL)
def test_any_real_number_is_a_rate_and_turns_nothing_to_double(make, number):
    param = S = np.ones(2, np.float32)
    known = make(float(number))
    assert make(number) == known
    assert type(make(number).rate) is float
    for rate in (number, lambda step: number):
        ours, state = make(rate)(param, S, None, 1)
        assert ours.tolist() == known(param, S, None, 1)[0].tolist()
        assert {each.dtype.name for each in [ours, *arrays_of(state)]} == {"float32"}


# What is promised of all.


@pytest.mark.parametrize(
    "optimizer", [sgd(0.1), momentum(0.1), adam(0.1, eps=1e-3), adamw(0.1, eps=1e-3)], ids=NAMES
)
@given(
    array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    st.sampled_from("CF"),
    st.integers(0, 2**32),
)
def test_shape_and_dtype_are_kept_and_nothing_given_is_changed(optimizer, shape, order, seed):
    random = np.random.default_rng(seed)
    for dtype in ("float16", "float32", "float64", "complex64", "complex128"):
        param, *gradients = (read_only(random, shape, dtype, order) for _ in range(4))
        state = None
        of_state = param.real.dtype if isinstance(optimizer, adam) else param.dtype
        for step, S in enumerate(gradients, 1):
            given = [param, S, *arrays_of(state)]
            before = [each.tobytes() for each in given]
            new, new_state = optimizer(param, S, state, step)
            made = [new, *arrays_of(new_state)]
            assert [each.shape for each in made] == [shape] * len(made)
            assert [each.dtype for each in made] == [dtype, *[of_state] * (len(made) - 1)]
            assert [each.tobytes() for each in given] == before
            assert not any(np.shares_memory(each, other) for each in made for other in given)
            again, _ = optimizer(param, S, state, step)
            assert again.tobytes() == new.tobytes()
            param, state = new, new_state


def read_only(random, shape, dtype, order):
    drawn = random.normal(size=shape) + 1j * random.normal(size=shape)
    array = np.asarray((drawn if "complex" in dtype else drawn.real).astype(dtype, order=order))
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.complex64, np.complex128])
def test_a_single_number_is_a_parameter_too(make, kind):
    values = [kind(1.5), kind(-0.5), kind(2.0), kind(0.25)]
    ours, state = walk(make(0.1), values[0], values[1:])
    assert all(type(each) is kind for each in ours)
    assert all(each.shape == () for each in arrays_of(state))
    zero_d = last(make(0.1), np.array(values[0]), [np.array(each) for each in values[1:]])
    in_array = last(make(0.1), np.array(values[:1]), [np.array([each]) for each in values[1:]])
    assert zero_d.dtype == kind
    assert ours[-1] == zero_d
    np.testing.assert_allclose(ours[-1], in_array[0], rtol=1e-6)


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.parametrize("shape", [(2, 3), ()], ids=str)
def test_on_a_device_all_stays_there(make, dtype, shape):
    random = np.random.default_rng(7)
    unit = 1 + 1j if "complex" in dtype else 1
    param, *gradients = (unit * random.normal(size=(4, *shape))).astype(dtype)
    here, state = walk(make(0.1), param, gradients)
    there, device_state = walk(make(0.1), DeviceArray(param), [DeviceArray(S) for S in gradients])
    for known, each in zip(
        [*here, *arrays_of(state)], [*there, *arrays_of(device_state)], strict=True
    ):
        assert type(each) is DeviceArray
        assert each.get().tobytes() == known.tobytes()


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("rate", [0.125, halving], ids=["number", "schedule"])
def test_an_optimizer_goes_through_pickle_and_is_compared_by_its_settings(make, rate):
    optimizer = make(rate)
    again = pickle.loads(pickle.dumps(optimizer))
    assert again == optimizer
    assert hash(again) == hash(optimizer)
    assert make(0.5) != optimizer
    assert all(other(rate) != optimizer for other in ALL if other is not make)
    param = np.ones(3)
    ours, theirs = (walk(each, param, [param, -param])[0][-1] for each in (optimizer, again))
    assert ours.tobytes() == theirs.tobytes()


def test_an_optimizer_is_shown_as_the_call_that_makes_it_and_cannot_be_changed():
    assert repr(sgd(1)) == "sgd(rate=1.0)"
    assert repr(momentum(0.1)) == "momentum(rate=0.1, beta=0.9)"
    assert repr(adam(0.1)) == "adam(rate=0.1, beta1=0.9, beta2=0.999, eps=1e-08)"
    assert repr(adamw(0.1)) == (
        "adamw(rate=0.1, beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.01)"
    )
    assert all(eval(repr(make(0.1))) == make(0.1) for make in ALL)
    with pytest.raises(AttributeError):
        sgd(0.1).rate = 0.2


# Refusals.

NO_NUMBERS = ["0.1", None, True, 1j, [0.1], np.ones(1), math.nan, math.inf, 10**400]


@pytest.mark.parametrize("value", [*NO_NUMBERS, -0.1], ids=lambda x: repr(x)[:12])
@pytest.mark.parametrize("make", ALL)
def test_a_rate_that_is_none_is_refused(make, value):
    with pytest.raises(ArgumentError, match=rf"bw.{make.__name__}: rate=.*from 0 up, or a func"):
        make(value)
    with pytest.raises(ArgumentError, match=rf"bw.{make.__name__}: the rate at step 3 is .*from 0"):
        walk(make(lambda step: value if step == 3 else 0.1), np.ones(2), [np.ones(2)] * 4)


@pytest.mark.parametrize(
    ("make", "name", "bad", "good"),
    [
        (momentum, "beta", [1, 1.5, -0.1], [0, 0.999]),
        *((make, name, [1, 1.5, -0.1], [0, 0.999])
          for make in (adam, adamw) for name in ("beta1", "beta2")),
        (adam, "eps", [0, -1e-8, 1e-400], [1, 5e-324]),
        (adamw, "eps", [0, -1e-8, 1e-400], [1, 5e-324]),
        (adamw, "weight_decay", [-0.01], [0, 2]),
    ],
)  # fmt: skip
def test_a_setting_out_of_its_range_is_refused_by_name(make, name, bad, good):
    for value in (*bad, *NO_NUMBERS, lambda step: 0.5):
        with pytest.raises(ArgumentError, match=rf"^bw.{make.__name__}: {name}=.*: give a"):
            make(0.1, **{name: value})
    for value in good:
        there, _ = make(0.1, **{name: value})(np.ones(2), np.ones(2), None, 1)
        assert np.all(np.isfinite(there))


@pytest.mark.parametrize("step", [0, -1, 1.0, True, None, "1"], ids=repr)
@pytest.mark.parametrize("make", ALL)
def test_steps_are_counted_from_one(make, step):
    with pytest.raises(ArgumentError, match=rf"bw.{make.__name__}: step={step!r}: .*from 1 up"):
        make(0.1)(np.ones(2), np.ones(2), None, step)


@pytest.mark.parametrize(
    ("param", "S", "message"),
    [
        (np.ones(3), np.ones(2), r"S is float64\[2\], and the parameter float64\[3\]"),
        (np.ones(3), np.float64(1.0), r"S is float64\[\], and the parameter float64\[3\]"),
        (np.ones(2, "f4"), np.ones(2), r"S is float64\[2\], and the parameter float32\[2\]"),
        (np.ones(2), np.ones(2, "c16"), r"S is complex128\[2\], and the parameter float64\[2\]"),
        (np.ones(2, int), np.ones(2), r"the parameter is int64; give an array of floats"),
        (np.ones(2), np.ones(2, bool), r"S is bool; give an array of floats"),
        (1.0, np.float64(1.0), r"the parameter is float; give an array of floats"),
        ([1.0], np.ones(1), r"the parameter is list; give an array of floats"),
        (np.ones(2), None, r"S is NoneType; give an array of floats"),
    ],
)
@pytest.mark.parametrize("make", ALL)
def test_an_S_that_does_not_fit_is_refused(make, param, S, message):
    with pytest.raises(ArgumentError, match=rf"^bw.{make.__name__}: {message}"):
        make(0.1)(param, S, None, 1)


@pytest.mark.parametrize("make", [adam, adamw])
def test_adam_refuses_a_state_that_is_not_of_its_step(make):
    one = np.ones(2)
    _, state = make(0.1)(one, one, None, 1)
    with pytest.raises(ArgumentError, match="at step 2 there is no state: give None at step 1"):
        make(0.1)(one, one, None, 2)
    with pytest.raises(ArgumentError, match="at step 1 there is a state: give None at step 1"):
        make(0.1)(one, one, state, 1)


@pytest.mark.parametrize("make", [adam, adamw])
def test_adam_refuses_an_eps_that_single_or_half_precision_takes_for_zero(make):
    half, single = np.zeros(2, np.float16), np.zeros(2, np.complex64)
    with pytest.raises(ArgumentError, match=r"eps=1e-08 is 0 in float16.*give more"):
        make(0.1)(half, half, None, 1)
    with pytest.raises(ArgumentError, match=r"eps=1e-50 is 0 in complex64.*give more"):
        make(0.1, eps=1e-50)(single, single, None, 1)
    assert make(0.1, eps=1e-7)(half, half, None, 1)[0].tolist() == [0.0, 0.0]
