"""Polynomials, functions along axes and spaced numbers: values and slopes are NumPy's."""

import numpy as np
import pytest

import backwave as bw

P = np.array([2.0, -0.5, 1.5, 0.75])
T = np.array([0.0, 0.3, 0.5, 0.9, 1.1, 1.6])
Y = np.array([1.0, 0.2, -0.4, 0.6, 0.1, 0.8])
W = np.array([1.0, 0.5, 2.0, 1.0, 0.7, 1.2])
M = np.array([[0.3, 1.2, -0.7], [0.9, -0.2, 0.4]])


def agrees(f, *arrays):
    """Value, shape and dtype are those of plain NumPy; slopes those of finite differences."""
    expected = f(*arrays)
    found = bw.vjp(f, *arrays)[0]
    for ours, theirs in zip(*map(as_tuple, (found, expected)), strict=True):
        assert ours.dtype == np.asarray(theirs).dtype
        assert ours.shape == np.shape(theirs)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    bw.check_grads(f, tolerance=1e-5)(*arrays)
    shapes = bw.trace(f, *(bw.Shape(a.shape, a.dtype) for a in arrays))
    with_values = bw.trace(f, *arrays)
    for u, v in zip(shapes.nodes, with_values.nodes, strict=True):
        assert (u.primitive, u.inputs, u.shape, u.dtype) == (
            v.primitive,
            v.inputs,
            v.shape,
            v.dtype,
        )


def as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


@pytest.mark.parametrize(
    "f",
    [
        np.polyder,
        lambda p: np.polyder(p, 2),
        np.polyint,
        lambda p: np.polyint(p, 2, [1.0, 3.0]),
        lambda p: np.polyint(p, 3, 0.5),
        lambda p: np.polyadd(p, [1.0, 2.0]),
        lambda p: np.polysub(1.0, p),
        lambda p: np.polymul(p, p[:2]),
        np.poly,
        lambda p: np.polyval(np.polyder(p), 0.3),
    ],
)
def test_polynomials(f):
    agrees(f, P)


def test_the_roots_are_those_of_the_polynomial():
    found = bw.vjp(np.roots, P)[0]
    np.testing.assert_allclose(np.sort_complex(found), np.sort_complex(np.roots(P)), rtol=1e-12)
    bw.check_grads(np.roots)(P)


@pytest.mark.parametrize(
    "f",
    [
        lambda t, y: np.polyfit(t, y, 2),
        lambda t, y: np.polyfit(t, y, 1, w=W),
        lambda t, y: np.polyfit(t, y, 1, cov=True),
        lambda t, y: np.polyfit(t, y, 1, cov="unscaled"),
        lambda t, y: np.polyfit(t, np.stack([y, y * y], axis=1), 2),
        lambda t, y: np.polyfit(T, y, 2),
        lambda t, y: np.polyfit(t, Y, 2, full=True)[:2],
    ],
)
def test_a_fit(f):
    agrees(f, T, Y)


@pytest.mark.parametrize(
    "f",
    [
        lambda m: np.apply_along_axis(np.sum, 0, m),
        lambda m: np.apply_along_axis(lambda r: np.outer(r, r)[:2], 1, m),
        lambda m: np.apply_along_axis(lambda r, k, b=0.0: r[:k] + b, -1, m, 2, b=3.0),
        lambda m: np.apply_over_axes(np.sum, m, [0, 1]),
        lambda m: np.apply_over_axes(np.prod, m, -1),
    ],
)
def test_a_function_along_axes(f):
    agrees(f, M)


@pytest.mark.parametrize(
    "f",
    [
        lambda a, b: np.linspace(a, b, 4),
        lambda a, b: np.linspace(a, b, 4, endpoint=False, retstep=True),
        lambda a, b: np.linspace(a, b, 3, axis=-1),
        lambda a, b: np.linspace(0, b, 1),
        lambda a, b: np.linspace(a, b, 0),
        lambda a, b: np.logspace(a, b, 3, base=2.0),
        lambda a, b: np.geomspace(np.exp(a), np.exp(b), 4),
    ],
)
def test_spaced_numbers(f):
    agrees(f, M[0], M[1])
    agrees(f, np.float64(0.5), np.float64(1.5))


def test_single_precision_stays():
    assert bw.vjp(lambda x: np.linspace(x, 1.0, 3), np.float32(0.5))[0].dtype == np.float32
    assert bw.vjp(lambda x: np.logspace(0, x, 3), np.float32(0.5))[0].dtype == np.float32


@pytest.mark.parametrize(
    ("f", "match"),
    [
        (lambda p: np.polyder(p, -1), "not be negative"),
        (lambda p: np.polyint(p, 2, [1.0, 2.0, 3.0]), "3 constants"),
        (lambda p: np.polymul(p[None], p), "one axis"),
        (lambda p: np.polyfit(p, p[:2], 1), "np.polyfit"),
        (lambda p: np.apply_along_axis(np.sum, 1, p), "axis 1 is out of bounds"),
        (lambda p: np.linspace(p, 1.0, 2.5), "whole number"),
        (lambda p: np.linspace(p, 1.0, -1), "whole number"),
    ],
)
def test_what_is_wrong_is_said(f, match):
    with pytest.raises(bw.errors.BackwaveError, match=rf"test_faces_polynomials.py:\d+: .*{match}"):
        bw.trace(f, P)


def test_what_arrays_have():
    agrees(lambda m: m.mT @ m, M)
    agrees(lambda m: m.flat[1:4] * m.nbytes / m.itemsize, M)
    assert bw.vjp(lambda m: round(m[0, 0], 1) + m[0, 1], M)[0] == 0.3 + 1.2
    with pytest.raises(bw.errors.TraceError, match=r"np\.round"):
        bw.trace(round, M)
    with pytest.raises(AttributeError, match=r"polynomials.py:\d+: .*'bogus'"):
        bw.trace(lambda m: m.bogus, M)
    assert bw.vjp(lambda m: np.array_equal(m, M), M)[0]
    assert not bw.vjp(lambda m: np.array_equal(m, M[0]), M)[0]
