"""Every primitive: its messages against independent oracles, on every kind of argument."""

from contextlib import contextmanager
from functools import wraps

import autograd
import autograd.numpy
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import special

import backwave as bw
from backwave.protocol.node import fit
from backwave.protocol.rules import TABLE
from backwave.protocol.tracing.trace import record
from backwave.scripts.functions import GPUS_LACK

from ...amount import amount
from .cases import CASES, DRAWN, FLAT, Case
from .cases.base import real
from .standin import DeviceArray

# What autograd has no rule for; finite differences are the oracle there.
NOT_IN_AUTOGRAD = {"astype", "broadcast_to", "cbrt", "positive", "scatter"}


# Not what other tests have defined, as users do.
OURS = {name: each for name, each in TABLE.items() if ":" not in name}


def of_each_primitive(cases):
    """Turn a check of a case into a test a primitive, of all its cases.

    There are two thousand cases, most of which take less time than to begin a test.
    """
    of = {}
    for case in cases:
        of.setdefault(case.primitive, []).append(case)

    def decorate(check):
        @pytest.mark.parametrize("name", of)
        @wraps(check)
        def test(name):
            for case in of[name]:
                try:
                    check(case)
                except BaseException as error:
                    error.add_note(f"of the case {case}")
                    raise

        del test.__wrapped__  # by which pytest would find the argument of the check
        return test

    return decorate


each_case = of_each_primitive(CASES)
every_case = of_each_primitive(CASES + FLAT)


def test_every_primitive_has_a_case():
    assert {each.primitive for each in CASES + FLAT} == set(OURS)


# (a) Gradients.


def slope(f, arrays, direction, step=1e-3):
    """The derivative of f along a direction, by central differences of order 6."""

    def at(t):
        return f(*(a + t * step * d for a, d in zip(arrays, direction, strict=True)))

    return (45.0 * (at(1) - at(-1)) - 9.0 * (at(2) - at(-2)) + (at(3) - at(-3))) / (60.0 * step)


def inner(gradients, direction):
    """The slope that gradients give along a direction (S is ∂f/∂x - i·∂f/∂y)."""
    return sum(np.real(np.sum(g * d)) for g, d in zip(gradients, direction, strict=True))


def gradient(case):
    places = tuple(range(len(case.floats)))
    return bw.grad(case.loss(np), argnums=places)(*case.floats)


@each_case
def test_gradient_against_finite_differences(case):
    direction = case.direction()
    ours = inner(gradient(case), direction)
    theirs = slope(case.loss(np), case.floats, direction)
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)


@of_each_primitive([case for case in CASES if case.peer and case.primitive not in NOT_IN_AUTOGRAD])
def test_gradient_against_autograd(case):
    places = tuple(range(len(case.floats)))
    ours = gradient(case)
    theirs = autograd.grad(case.loss(autograd.numpy), argnum=places)(*case.floats)
    for mine, other, value in zip(ours, theirs, case.floats, strict=True):
        assert mine.shape == np.shape(value)
        assert mine.dtype == value.dtype
        np.testing.assert_allclose(mine, other, rtol=1e-11, atol=1e-12)


def first_order(loss, direction):
    """The slope of ``loss`` along a direction, as a function that can be differentiated again."""

    def slope(*floats):
        gradients = bw.grad(loss, argnums=tuple(range(len(floats))))(*floats)
        return inner(gradients, direction)

    return slope


@pytest.mark.long  # the drawn cases below go to second order for every rule
@each_case
def test_second_order_against_finite_differences_of_the_first(case):
    places = tuple(range(len(case.floats)))
    first = first_order(case.loss(np), case.direction())
    direction = case.direction()
    ours = inner(bw.grad(first, argnums=places)(*case.floats), direction)
    theirs = slope(first, case.floats, direction)
    assert ours == pytest.approx(theirs, rel=1e-8, abs=1e-8)


# No gradient.


@of_each_primitive(FLAT)
def test_no_message_passes_through_a_flat_primitive(case):
    def loss(x, *arrays):
        return np.sum(case.numpy(*arrays) * 1.0) + np.sum(x * x)

    x = real(4)
    graph = bw.trace(loss, x, *case.arrays)
    result = bw.backward(graph, x, *case.arrays)
    np.testing.assert_array_equal(result.grads[0], 2.0 * x)
    for found, array in zip(result.grads[1:], case.arrays, strict=True):
        if np.asarray(array).dtype.kind == "f":
            np.testing.assert_array_equal(found, np.zeros(np.shape(array)))
        else:
            assert found is None
    assert result.value == loss(x, *case.arrays)
    assert not any(graph.nodes[u].primitive == case.primitive for u in result.S)


# (b) Device arrays.


def on_device(value):
    """A value as a worker with a device has it: Python numbers stay what they are."""
    return value if type(value) in (bool, int, float, complex) else DeviceArray(value)


def same_bits(device, host):
    assert type(device) is DeviceArray
    ours, theirs = device.get(), np.asarray(host)
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    if ours.shape == () and ours.dtype.kind == "c":
        # NumPy itself rounds a complex scalar and a complex array of one entry differently.
        np.testing.assert_allclose(ours, theirs, rtol=1e-14)
    else:
        assert ours.tobytes() == theirs.tobytes()


@contextmanager
def gpus_may_lack(what, name, inputs, lacking):
    """Take the TypeError of a rule that is listed as one that CuPy has not, and note it."""
    try:
        yield
    except TypeError:
        if not any(name in names for names in GPUS_LACK.values()):
            raise
        whole = what == "values" and any(np.iscomplexobj(value) for value in inputs)
        lacking.add((f"complex {what}" if whole else what, name))


def require_the_same_bits_on_a_device(case):
    """Compare bits, and return what of the case CuPy lacks."""
    random = np.random.default_rng(1)
    lacking = set()
    with np.errstate(all="ignore"):
        graph, values, *_ = record(case.numpy, case.arrays)
        found = [node for node in graph.nodes if node.inputs]
        assert case.primitive in {node.primitive for node in found}
        for node in found:
            primitive = TABLE[node.primitive]
            z = [values[i] for i in node.inputs]
            there = [on_device(value) for value in z]
            if not any(isinstance(value, DeviceArray) for value in there):
                continue
            u = primitive.forward(*z, **node.attributes)
            u_there = None
            with gpus_may_lack("values", node.primitive, z, lacking):
                u_there = primitive.forward(*there, **node.attributes)
            if u_there is None:
                continue
            same_bits(u_there, u)
            for position, value in enumerate(z):
                rule = primitive.message(position)
                if rule is None or np.asarray(value).dtype.kind not in "fc":
                    continue
                S = random.normal(size=node.shape).astype(node.dtype)[()]
                here = rule(S, values[node.id], *z, **node.attributes)
                message = None
                with gpus_may_lack("messages", node.primitive, z, lacking):
                    message = rule(DeviceArray(S), u_there, *there, **node.attributes)
                if message is None:
                    continue
                same_bits(message, here)
                shape, dtype = np.shape(value), np.asarray(value).dtype
                same_bits(fit(message, shape, dtype), fit(here, shape, dtype))
    return lacking


@every_case
def test_the_same_bits_on_a_device(case):
    require_the_same_bits_on_a_device(case)


def test_what_gpus_lack_is_listed():
    names = {name for names in GPUS_LACK.values() for name in names}
    cases = [each for each in CASES + FLAT if each.primitive in names]
    found = set.union(*map(require_the_same_bits_on_a_device, cases))
    values = {name for what, name in found if what == "values"}
    found -= {("complex values", name) for name in values}
    assert found == {(what, name) for what, names in GPUS_LACK.items() for name in names}


def test_the_stand_in_has_no_more_than_cupy():
    x = DeviceArray(np.full((2, 2), 0.5))
    with pytest.raises(TypeError, match=r"no implementation found for 'numpy\.unstack'"):
        np.unstack(x)
    with pytest.raises(TypeError, match="unexpected keyword argument 'where'"):
        np.sum(x, where=True)
    with pytest.raises(TypeError, match="'hyp2f1'"):
        special.hyp2f1(1.0, 1.0, 2.0, x)
    with pytest.raises(TypeError, match="'_zeta'"):
        special.zeta(2.0, x)
    with pytest.raises(TypeError, match="complex"):
        special.erf(x * 1j)
    with pytest.raises(TypeError, match="does not reach"):
        np.maximum.accumulate(x)
    with pytest.raises(TypeError, match="wrong arguments"):
        np.add(x, x, where=True)
    with pytest.raises(TypeError, match="does not add complex128"):
        x.__array_namespace__().add.at(x * 1j, 0, 1.0)
    with pytest.raises(AttributeError, match="astype"):
        np.where(True, x, 0.0)
    with pytest.raises(ValueError, match="M, K"):
        np.linalg.solve(DeviceArray(np.ones((3, 2, 2))), x)
    with pytest.raises(ValueError, match="axes"):
        np.lib.stride_tricks.sliding_window_view(x, (1, 2), axis=(1, 0))
    assert special.erf(x).get()[0, 0] == special.erf(0.5)


def test_the_stand_in_is_as_strict_as_a_device():
    x = DeviceArray(np.arange(3.0))
    index = DeviceArray(np.array([0, 0]))
    with pytest.raises(TypeError, match="implicit conversion"):
        np.asarray(x)
    with pytest.raises(TypeError, match="does not mix"):
        x + np.ones(3)
    with pytest.raises(TypeError, match="does not mix"):
        np.ones(3) * x
    with pytest.raises(TypeError, match="does not mix"):
        np.stack([x, np.ones(3)])
    with pytest.raises(TypeError, match="does not reach"):
        np.add.at(x, index, 1.0)
    with pytest.raises(TypeError, match="implicit transfer"):
        bool(x[0])
    x.__array_namespace__().add.at(x, index, 2.0)
    np.testing.assert_array_equal(x.get(), [4.0, 1.0, 2.0])
    assert type(np.sum(x)) is type(x[0] * np.float64(2.0)) is DeviceArray
    x += 1.0
    np.testing.assert_array_equal(x.get(), [5.0, 2.0, 3.0])


# (d) Shapes and dtypes without arrays.


def variants(case):
    """The case's arrays, and the same as float32 and as integers."""
    yield case.arrays
    single = {"f": np.float32, "c": np.complex64}
    yield tuple(
        np.asarray(a).astype(single.get(np.asarray(a).dtype.kind, np.asarray(a).dtype))[()]
        for a in case.arrays
    )
    if any(np.iscomplexobj(a) for a in case.arrays):
        return
    yield tuple(
        (np.abs(a) * 2 + 1).astype(np.int32)[()] if np.asarray(a).dtype.kind == "f" else a
        for a in case.arrays
    )


def description(graph):
    return [(n.primitive, n.inputs, n.attributes, n.shape, n.dtype) for n in graph.nodes]


def require_the_shapes_of_the_trace_with_values(case):
    for arrays in variants(case):
        shapes = [bw.Shape(np.shape(a), np.asarray(a).dtype) for a in arrays]
        if not case.abstract:
            with pytest.raises(bw.errors.ShapeError, match="mask"):
                bw.trace(case.numpy, *shapes)
            continue
        with np.errstate(all="ignore"):
            try:
                expected = case.numpy(*arrays)
            except TypeError:  # NumPy has no such operation on integers
                for given_arguments in (arrays, shapes):
                    with pytest.raises(bw.errors.ShapeError):
                        bw.trace(case.numpy, *given_arguments)
                continue
            except ValueError:  # or it has, but not for these values
                with pytest.raises(bw.errors.ShapeError):
                    bw.trace(case.numpy, *arrays)
                continue
            with_values = bw.trace(case.numpy, *arrays)
        graph = bw.trace(case.numpy, *shapes)
        assert description(graph) == description(with_values)
        output = graph.nodes[graph.output]
        assert output.shape == np.shape(expected)
        assert output.dtype == np.asarray(expected).dtype


@every_case
def test_abstract_trace_has_the_shapes_of_the_trace_with_values(case):
    require_the_shapes_of_the_trace_with_values(case)


def require_float32_stays_float32(case):
    arrays = list(variants(case))[1]
    lower = Case(case.primitive, case.f, arrays)
    with np.errstate(all="ignore"):
        found = gradient(lower)
    for ours, exact, array in zip(found, gradient(case), lower.floats, strict=True):
        assert ours.dtype == array.dtype
        np.testing.assert_allclose(ours, exact, rtol=2e-4, atol=2e-4)


@each_case
def test_float32_stays_float32(case):
    require_float32_stays_float32(case)


# (e) All of it, over shapes, dtypes, axes and options that Hypothesis draws.


def differentiable(primitive):
    return any(rule is not None for rule in primitive.messages)


def test_every_differentiable_primitive_is_drawn():
    assert {name for name, each in OURS.items() if differentiable(each)} <= set(DRAWN)


@pytest.mark.parametrize("name", sorted(DRAWN))
@settings(max_examples=amount(3, 50), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_drawn(name, data):
    case = data.draw(st.one_of(DRAWN[name]))
    if differentiable(TABLE[name]) and case.floats:

        def f(*floats):
            return case.numpy(*case.merged(floats))

        with np.errstate(all="ignore"):
            bw.check_grads(f, order=2)(*case.floats)
            require_float32_stays_float32(case)
    require_the_same_bits_on_a_device(case)
    require_the_shapes_of_the_trace_with_values(case)


# Known traps.


def test_where_keeps_a_nan_on_the_side_not_chosen_away():
    def safe_log(x):
        return np.sum(np.where(x > 0, np.log(np.where(x > 0, x, 1.0)), 0.0))

    np.testing.assert_array_equal(bw.grad(safe_log)(np.array([-1.0, 0.0, 2.0])), [0.0, 0.0, 0.5])
    # A NaN in the value not chosen, and a NaN and an infinity in the S that comes from above.
    x = np.array([np.nan, 3.0])
    chosen = bw.grad(lambda x: np.sum(np.where(np.isnan(x), 1.0, x) ** 2))(x)
    np.testing.assert_array_equal(chosen, [0.0, 6.0])
    _, back = bw.vjp(lambda a, b: np.where(np.array([True, False]), a, b), np.ones(2), np.ones(2))
    left, right = back(np.array([np.nan, np.inf]))
    np.testing.assert_array_equal(left, [np.nan, 0.0])
    np.testing.assert_array_equal(right, [0.0, np.inf])


def test_ties_share_the_message_evenly():
    a, b = np.array([1.0, 2.0, 5.0]), np.array([1.0, 3.0, 4.0])
    for function, right in ((np.maximum, [0.5, 1.0, 0.0]), (np.minimum, [0.5, 0.0, 1.0])):
        found = bw.grad(lambda a, b, f=function: np.sum(f(a, b)), argnums=(0, 1))(a, b)
        np.testing.assert_array_equal(found[1], right)
        np.testing.assert_array_equal(found[0], 1.0 - np.array(right))
    x = np.array([[3.0, 3.0, 1.0, 3.0], [0.0, 0.0, 0.0, 0.0]])
    for function, sign in ((np.max, 1.0), (np.min, -1.0)):
        rows = bw.grad(lambda x, f=function, s=sign: np.sum(f(s * x, axis=1)))(x)
        np.testing.assert_allclose(sign * rows, [[1 / 3, 1 / 3, 0, 1 / 3], [0.25] * 4], rtol=1e-15)
    assert bw.grad(np.max)(np.full((2, 4), 7.0)).tolist() == [[0.125] * 4] * 2
    np.testing.assert_array_equal(
        bw.grad(lambda x: np.sum(np.clip(x, 0.0, 1.0)))(np.array([0.0, 0.3, 2.0])), [0.5, 1.0, 0.0]
    )
    assert bw.grad(lambda x: np.maximum(x, x))(2.0) == 1.0


def test_powers_at_zero():
    zeros = np.zeros(2)
    for exponent, slope_at_zero in ((0, 0.0), (0.0, 0.0), (1, 1.0), (2, 0.0), (3.0, 0.0)):
        by_constant = bw.grad(lambda x, e=exponent: np.sum(x**e))(zeros)
        np.testing.assert_array_equal(by_constant, [slope_at_zero] * 2)
        by_array = bw.grad(lambda x, e: np.sum(x**e), argnums=(0, 1))(
            zeros, np.full(2, float(exponent))
        )
        np.testing.assert_array_equal(by_array[0], [slope_at_zero] * 2)
        np.testing.assert_array_equal(by_array[1], [0.0, 0.0])
    assert bw.grad(lambda x: 0.0**x)(2.0) == 0.0
    assert bw.grad(lambda x: 2.0**x)(0.0) == pytest.approx(np.log(2.0), rel=1e-15)
    # In the gradient network too: the second derivative of x² at 0 is 2, of x¹ and x⁰ is 0.
    for exponent, curvature in ((0, 0.0), (1, 0.0), (2, 2.0), (3, 0.0)):
        second = bw.grad(lambda x, e=exponent: bw.grad(lambda y: y**e + y * y)(x))(0.0)
        assert second == 2.0 + curvature


def test_prod_with_zeros():
    x = np.array([[2.0, 3.0, 4.0], [2.0, 0.0, 4.0], [0.0, 0.0, 4.0]])
    found = bw.grad(lambda x: np.sum(np.prod(x, axis=1)))(x)
    np.testing.assert_array_equal(found, [[12, 8, 6], [0, 8, 0], [0, 0, 0]])
    np.testing.assert_array_equal(bw.grad(np.prod)(np.array([0.0, 5.0])), [5.0, 0.0])
    second = bw.grad(lambda x: bw.grad(np.prod)(x)[0])(np.array([0.0, 0.0, 7.0]))
    np.testing.assert_array_equal(second, [0.0, 7.0, 0.0])


def test_repeated_indices_add_up():
    x = np.array([1.0, 2.0, 3.0])
    index = np.array([2, 0, 2, 2])
    weights = np.array([1.0, 10.0, 100.0, 1000.0])
    np.testing.assert_array_equal(
        bw.grad(lambda x, i: np.sum(weights * x[i]))(x, index), [10.0, 0.0, 1101.0]
    )


def test_remainder_steps_where_numpy_does():
    # 1 / 0.1 rounds to 10, but 1 % 0.1 is 1 - 9 * 0.1.
    assert np.remainder(1.0, 0.1) > 0.09
    assert bw.grad(lambda b: np.remainder(1.0, b))(0.1) == -9.0


def test_empty_arrays():
    empty = np.zeros((0, 3))
    for f in (
        lambda x: np.sum(np.tanh(x)),
        lambda x: np.prod(x),
        lambda x: np.sum(x @ np.ones((3, 2))),
        lambda x: np.sum(np.concatenate([x, np.ones((2, 3))]) ** 2),
        lambda x: np.sum(x[:, 1]),
        lambda x: np.sum(np.max(x, axis=1)),
        lambda x: np.sum(np.mean(x, axis=1)),
    ):
        found = bw.grad(f)(empty)
        assert found.shape == (0, 3)
        assert found.dtype == np.float64


def test_an_extremum_of_nothing_is_refused_with_and_without_values():
    for argument in (np.zeros((0, 3)), bw.Shape((0, 3))):
        with pytest.raises(bw.errors.ShapeError, match=r"test_rules\.py:\d+"):
            bw.trace(lambda x: np.max(x, axis=0), argument)


def test_arrays_without_axes():
    x = np.array(0.3)
    found = bw.grad(lambda x: np.sum(np.reshape(np.exp(x), (1, 1)) * np.ones((2, 3))))(x)
    assert np.shape(found) == ()
    assert found == pytest.approx(6 * np.exp(0.3), rel=1e-15)
    assert bw.grad(lambda x: np.prod(x) + np.max(x) + np.mean(x) + np.sum(x))(x) == 4.0
    assert bw.grad(lambda x: np.var(x) + x)(x) == 1.0


def test_absolute_of_a_complex_number_at_zero_and_beside_it():
    np.testing.assert_allclose(
        bw.grad(lambda z: np.sum(np.abs(z)))(np.array([0j, 3 + 4j])), [0.0, 0.6 - 0.8j], rtol=1e-15
    )


# Indexing, against NumPy.


@st.composite
def indexings(draw):
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    joint = tuple(draw(st.lists(st.integers(0, 3), max_size=2)))
    index = []
    axis = 0
    kinds = st.sampled_from(["integer", "slice", "array", "array", "newaxis", "ellipsis"])
    while axis < len(shape):
        kind = draw(kinds)
        length = shape[axis]
        if kind == "ellipsis":
            if Ellipsis not in [item for item in index if not isinstance(item, np.ndarray)]:
                index.append(Ellipsis)
                axis += draw(st.integers(0, len(shape) - axis))
            continue
        if kind == "newaxis":
            index.append(None)
            if len(index) > 7:
                break
            continue
        if kind == "integer":
            index.append(draw(st.integers(-length, length - 1)))
        elif kind == "slice":
            bound = st.none() | st.integers(-length - 1, length + 1)
            step = draw(st.none() | st.integers(-3, 3).filter(bool))
            index.append(slice(draw(bound), draw(bound), step))
        else:
            ones = draw(st.lists(st.booleans(), min_size=len(joint), max_size=len(joint)))
            lengths = tuple(1 if one else n for one, n in zip(ones, joint, strict=True))
            entries = st.integers(-length, length - 1)
            size = int(np.prod(lengths))
            flat_entries = draw(st.lists(entries, min_size=size, max_size=size))
            index.append(np.array(flat_entries, dtype=np.int64).reshape(lengths))
        axis += 1
    return shape, tuple(index)


@settings(max_examples=amount(40, 400))
@given(indexings())
def test_any_index_has_numpys_shape_and_its_transpose(drawn):
    shape, index = drawn
    x = np.random.default_rng(0).normal(size=shape)
    expected = x[index]
    graph = bw.trace(lambda x: x[index], x)
    assert graph.nodes[graph.output].shape == expected.shape
    abstract = bw.trace(lambda x: x[index], bw.Shape(shape))
    assert description(abstract) == description(graph)
    weights = np.random.default_rng(1).normal(size=expected.shape)
    value, back = bw.vjp(lambda x: x[index], x)
    np.testing.assert_array_equal(value, expected)
    transposed = np.zeros(shape)
    np.add.at(transposed, index, weights)
    np.testing.assert_array_equal(back(weights)[0], transposed)
