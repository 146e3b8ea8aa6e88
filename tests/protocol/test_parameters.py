"""Parameters where they live: sums in copy order, whichever comes first; updates of all or none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backwave.protocol.errors import ArgumentError, ProtocolError
from backwave.protocol.parameters import CopySums, Parameters, Update

from ..amount import amount
from ..networks import bits

NAMES = {0: "first", 1: "second", 2: "third"}


def in_copy_order(each):
    total = each[0]
    for S in each[1:]:
        total = total + S
    return total


def drawn_sums(numbers, copies, shape, dtype):
    # Of very different sizes, so that another order would round otherwise.
    size = 10.0 ** numbers.integers(-8, 8, copies)
    each = [np.asarray(x * numbers.normal(size=shape)) for x in size]
    if np.dtype(dtype).kind == "c":
        each = [a + 1j * np.asarray(numbers.normal(size=shape)) for a in each]
    return [a.astype(dtype)[()] for a in each]


@settings(max_examples=amount(30, 500))
@given(
    st.integers(1, 8),
    st.lists(st.sampled_from([(), (3,), (2, 3), (0,)]), min_size=1, max_size=3),
    st.sampled_from(["f8", "f4", "c16"]),
    st.integers(0, 2**32 - 1),
)
def test_sums_over_copies_have_the_bits_of_copy_order_in_any_order(copies, shapes, dtype, seed):
    numbers = np.random.default_rng(seed)
    given_S = {node: drawn_sums(numbers, copies, shape, dtype) for node, shape in enumerate(shapes)}
    before = {node: [bits(S) for S in each] for node, each in given_S.items()}
    arrivals = [(node, copy) for node in given_S for copy in range(copies)]
    numbers.shuffle(arrivals)
    sums, counted = CopySums(), 0
    for node, copy in arrivals:
        sums.add(node, copy, given_S[node][copy])
        if numbers.random() < 0.3:
            counted += sums.counted()
    whole = sums.whole(copies)
    assert sorted(whole) == sorted(given_S)
    for node, each in given_S.items():
        assert bits(whole[node]) == bits(in_copy_order(each))
        assert [bits(S) for S in each] == before[node]  # what was given is left alone
    assert counted + sums.counted() == (copies - 1) * len(given_S)
    assert sums.counted() == 0


def test_the_order_of_copies_matters_to_the_bits():
    """Or the property above would hold of anything."""
    each = [np.array([1.0]), np.array([1e16]), np.array([-1e16])]
    sums = CopySums()
    for copy in (2, 1, 0):
        sums.add(5, copy, each[copy])
    assert sums.whole(3)[5][0] == (1.0 + 1e16) - 1e16 != (-1e16 + 1e16) + 1.0


@pytest.mark.parametrize("missing", range(4))
def test_sums_that_lack_a_copy_are_refused(missing):
    sums = CopySums()
    for copy in range(4):
        sums.add(1, copy, np.ones(2))
        if copy != missing:
            sums.add(0, copy, np.ones(2))
    with pytest.raises(ProtocolError, match=f"sum of {missing} of 4 copies"):
        sums.whole(4)
    sums.add(0, missing, np.ones(2))
    assert sums.whole(4)[0].tolist() == [4.0, 4.0]
    with pytest.raises(ProtocolError, match="sum of 4 of 5 copies"):
        sums.whole(5)


def test_sums_of_no_node_are_none():
    assert CopySums().whole(3) == {}


# Parameters.


def kept(*values):
    parameters = Parameters()
    for key, value in enumerate(values):
        parameters.keep(key, value)
    return parameters


def updating(optimizer, keys=None, number=1):
    keys = {10: 0, 11: 1, 12: 2} if keys is None else keys
    return Update(optimizer, copies=1, number=number, keys=keys, names=NAMES)


def halve(w, S, state, step):
    return w / 2 - S, step


def state_of(parameters):
    return {key: bits(value) for key, value in parameters.values.items()}


def ones():
    return np.ones(3), np.full((2, 2), 2.0), np.float64(4.0)


SUMS = {10: np.full(3, 0.25), 12: np.float64(0.5)}


def test_what_is_kept_is_a_copy():
    for order in "CF":
        given_array = np.asarray(np.arange(6.0).reshape(2, 3), order=order)
        parameters = kept(given_array)
        given_array[...] = 7.0
        assert parameters.values[0].tolist() == [[0, 1, 2], [3, 4, 5]]
        assert parameters.values[0].flags.f_contiguous == (order == "F")
    strided = np.arange(8.0)[::2]
    parameters = kept(strided)
    assert parameters.values[0].flags.c_contiguous
    assert parameters.values[0].tolist() == [0, 2, 4, 6]


def test_an_update_moves_each_parameter_by_its_own_sum_and_counts_its_own_steps():
    parameters = kept(*ones())
    seen = []

    def optimizer(w, S, state, step):
        seen.append((np.shape(w), np.array(S).tolist(), state, step))
        return halve(w, S, state, step)

    parameters.update(updating(optimizer), SUMS)
    parameters.settled()
    parameters.update(updating(optimizer, {11: 1, 12: 2}), SUMS)
    parameters.settled()
    parameters.update(updating(optimizer), SUMS)
    zeros = [[0.0, 0.0], [0.0, 0.0]]
    assert seen == [
        ((3,), [0.25] * 3, None, 1),
        ((2, 2), zeros, None, 1),
        ((), 0.5, None, 1),
        ((2, 2), zeros, 1, 2),
        ((), 0.5, 1, 2),
        ((3,), [0.25] * 3, 1, 2),
        ((2, 2), zeros, 2, 3),
        ((), 0.5, 2, 3),
    ]
    assert parameters.values[0].tolist() == [-0.125] * 3
    assert parameters.values[1].tolist() == [[0.25, 0.25], [0.25, 0.25]]
    assert parameters.values[2] == -0.375
    assert type(parameters.values[2]) is np.float64


def test_a_parameter_that_lives_elsewhere_is_left_to_others():
    parameters = kept(np.ones(3))
    parameters.update(updating(halve), {10: np.zeros(3), 11: np.zeros(2)})
    assert list(parameters.values) == [0]
    assert parameters.values[0].tolist() == [0.5] * 3


def test_an_update_can_be_undone_until_it_is_settled():
    parameters = kept(*ones())
    first = state_of(parameters)
    parameters.undo(1)  # nothing to undo
    assert state_of(parameters) == first
    parameters.update(updating(halve), SUMS)
    second = state_of(parameters)
    assert second != first
    parameters.undo(1)
    assert state_of(parameters) == first
    parameters.undo(1)
    assert state_of(parameters) == first
    steps = []
    parameters.update(updating(lambda w, S, state, step: (steps.append(step) or w, state)), SUMS)
    assert steps == [1, 1, 1]  # the step that was undone is not counted, nor is its state there
    parameters.settled()
    parameters.undo(1)
    assert state_of(parameters) == first


def test_only_the_update_of_a_number_is_undone():
    parameters = kept(*ones())
    parameters.update(updating(halve, number=3), SUMS)
    third = state_of(parameters)
    parameters.undo(4)  # which was made elsewhere, and not here
    assert state_of(parameters) == third
    parameters.update(updating(halve, number=4), SUMS)
    parameters.undo(3)  # too late
    assert state_of(parameters) != third
    parameters.undo(4)
    assert state_of(parameters) == third
    parameters.undo(3)
    assert state_of(parameters) == third


@pytest.mark.parametrize("turn", range(3))
def test_an_update_that_fails_at_one_changes_none(turn):
    parameters = kept(*ones())
    parameters.update(updating(halve), SUMS)
    before, states = state_of(parameters), []
    calls = iter(range(3))

    def failing(w, S, state, step):
        if next(calls) == turn:
            raise RuntimeError("out of luck")
        return halve(w, S, state, step)

    with pytest.raises(ArgumentError, match=rf"{NAMES[turn]} in step 2.*out of luck") as caught:
        parameters.update(updating(failing, number=2), SUMS)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert state_of(parameters) == before
    parameters.undo(2)  # which has not been made
    assert state_of(parameters) == before

    def looking(w, S, state, step):
        states.append((state, step))
        return w, state

    parameters.update(updating(looking), SUMS)
    assert states == [(1, 2)] * 3


def test_an_error_of_an_optimizer_that_is_backwaves_is_passed_on():
    def failing(w, S, state, step):
        raise ArgumentError("eps is 0")

    with pytest.raises(ArgumentError, match=r"^eps is 0$"):
        kept(*ones()).update(updating(failing), SUMS)


def test_an_optimizer_gets_views_that_cannot_be_written():
    parameters, sums = kept(*ones()), {10: np.full(3, 0.25)}

    def writing(w, S, state, step):
        assert not (isinstance(w, np.ndarray) and w.flags.writeable)
        assert not (isinstance(S, np.ndarray) and S.flags.writeable)
        S -= w
        return w, state

    with pytest.raises(ArgumentError, match=r"first in step 1.*return a new array instead"):
        parameters.update(updating(writing), sums)
    assert sums[10].flags.writeable  # only the view cannot
    assert sums[10].tolist() == [0.25] * 3


def test_what_an_optimizer_keeps_is_not_the_parameter():
    """Neither what it returned and holds on to, nor a state that is the very same array."""
    buffer = np.empty(3)

    def with_buffer(w, S, state, step):
        buffer[:] = w - S
        return buffer, None

    def with_state(w, S, state, step):
        if state is not None:
            state *= 0.0
        new = w - S
        return new, new

    for optimizer in (with_buffer, with_state):
        parameters = kept(np.ones(3))
        for expected in (0.75, 0.5):
            parameters.update(updating(optimizer), SUMS)
            buffer[:] = 7.0
            assert parameters.values[0].tolist() == [expected] * 3


RETURNED = {
    "the parameter itself": lambda w, S: w,
    "S itself": lambda w, S: S,
    "a view": lambda w, S: (w - S)[:],
    "a transposed view of Fortran order": lambda w, S: (w - S).T.copy().T,
    "a strided view": lambda w, S: np.repeat(w - S, 2)[::2] if np.ndim(w) == 1 else w - S,
    "what cannot be written": lambda w, S: np.broadcast_to(np.float64(1.0), np.shape(w)),
}


@pytest.mark.parametrize("what", RETURNED)
def test_what_an_optimizer_returns_becomes_an_array_of_its_own(what):
    first, S = np.arange(3.0), np.full(3, 0.25)
    parameters = kept(first)
    expected = np.array(RETURNED[what](first, S))
    parameters.update(updating(lambda w, S, state, step: (RETURNED[what](w, S), None)), {10: S})
    found = parameters.values[0]
    assert found.tolist() == expected.tolist()
    assert found.flags.writeable
    assert found.base is None
    S[...] = 7.0
    first[...] = 7.0
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (lambda w: None, "NoneType for first.*pair"),
        (lambda w: w, "ndarray for first.*pair"),
        (lambda w: (w,), "tuple for first.*pair"),
        (lambda w: (w, None, None), "tuple for first.*pair"),
        (lambda w: [w, None], "list for first.*pair"),
        (lambda w: (w[:2], None), r"float64\[2\] for first, which is float64\[3\]"),
        (lambda w: (w.astype("f4"), None), r"float32\[3\] for first.*keep shape and dtype"),
        (lambda w: (w.tolist(), None), r"list for first, which is float64\[3\]"),
        (lambda w: (2.0, None), r"float for first"),
    ],
)
def test_an_answer_that_is_no_parameter_and_state_is_refused(answer, match):
    parameters = kept(*ones())
    before = state_of(parameters)
    with pytest.raises(ArgumentError, match=match):
        parameters.update(updating(lambda w, S, state, step: answer(w)), SUMS)
    assert state_of(parameters) == before
