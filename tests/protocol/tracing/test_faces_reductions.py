"""Reductions, running sums and statistics: the values of their options are NumPy's own."""

import warnings

import numpy as np
import pytest

import backwave as bw

X = np.array([[3.0, -1.0, 2.5, 0.5], [1.0, 4.0, -2.0, 0.25], [0.75, 2.0, 5.0, -3.0]])
I = np.array([[3, -1, 2, 5], [1, 4, -2, 0], [7, 2, 5, -3]])  # noqa: E741
Z = X + 1j * X[::-1]
B = X > 0.6
N = np.where(X > 3.5, np.nan, X)
ALL_NAN = np.where(np.arange(4) == 2, np.nan, X)
M = np.array([[True, False, True, True], [False, True, True, False], [True, True, False, True]])
W = np.array([0.5, 2.0, 1.0, 0.25])


def same_as_numpy(f, *arrays, abstract=True):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected = f(*arrays)
        found = value_of(f, arrays)
        graph = bw.trace(f, *arrays)
    output = graph.nodes[graph.output]
    assert output.shape == np.shape(expected)
    assert output.dtype == np.asarray(expected).dtype
    tolerance = 1e-5 if output.dtype in (np.float32, np.complex64) else 1e-13
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=0.1 * tolerance)
    if abstract:
        shapes = [bw.Shape(np.shape(a), np.asarray(a).dtype) for a in arrays]
        there = bw.trace(f, *shapes)
        end = there.nodes[there.output]
        assert (end.shape, end.dtype) == (output.shape, output.dtype)


def value_of(f, arrays):
    return bw.vjp(f, *arrays)[0]


REDUCTIONS = {
    f"{name} {label}": (lambda x, n=name, o=options: getattr(np, n)(x, **o))
    for name in ("sum", "prod", "mean", "max", "min", "any", "all", "var", "std")
    for label, options in {
        "plain": {},
        "axis": {"axis": -1},
        "axes": {"axis": (1, 0)},
        "keepdims": {"axis": 0, "keepdims": True},
        "no axes": {"axis": ()},
    }.items()
}


@pytest.mark.parametrize("x", [X, I, Z, B, X.astype("f4"), X[:, :1]], ids=str)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reduction(name, x):
    if x.dtype.kind == "b" and name.startswith(("var", "std")):
        pytest.skip("NumPy cannot subtract truths")
    same_as_numpy(REDUCTIONS[name], x)


OPTIONS = {
    "sum where": lambda x: np.sum(x, axis=1, where=M),
    "sum where broadcast": lambda x: np.sum(x, where=M[0]),
    "sum where false": lambda x: np.sum(x, axis=0, where=False),
    "sum where true": lambda x: np.sum(x, where=True),
    "sum initial": lambda x: np.sum(x, axis=0, initial=2),
    "sum all options": lambda x: np.sum(x, 1, None, None, True, 3, M),
    "sum dtype": lambda x: np.sum(x, dtype=np.complex64),
    "prod where": lambda x: np.prod(x, axis=1, where=M, initial=2),
    "prod dtype": lambda x: np.prod(x, axis=1, dtype=np.complex128),
    "max where": lambda x: np.max(x, axis=1, where=M, initial=-7),
    "min where": lambda x: np.min(x, axis=1, where=M, initial=1),
    "max initial": lambda x: np.max(x, initial=9),
    "max of nothing": lambda x: np.max(x[:0], axis=0, initial=3),
    "min of nothing": lambda x: np.min(x[:, :0], initial=3, keepdims=True),
    "mean where": lambda x: np.mean(x, axis=0, where=M),
    "mean where nothing": lambda x: np.mean(x, axis=0, where=False),
    "mean dtype": lambda x: np.mean(x, dtype=np.complex64),
    "var where": lambda x: np.var(x, axis=1, where=M, keepdims=True),
    "var where ddof": lambda x: np.var(x, axis=1, where=M, ddof=2),
    "var correction": lambda x: np.var(x, axis=1, correction=1),
    "std where": lambda x: np.std(x, axis=1, where=M),
    "var mean": lambda x: np.var(x, axis=0, mean=np.mean(x, axis=0, keepdims=True)),
    "std mean ddof": lambda x: np.std(x, mean=np.mean(x, keepdims=True), ddof=1),
    "var no freedom": lambda x: np.var(x, axis=0, ddof=3),
    "any where": lambda x: np.any(x > 3, axis=0, where=M),
    "all where": lambda x: np.all(x > 0, axis=0, where=M),
    "method sum": lambda x: x.sum(0, where=M),
    "method max": lambda x: x.max(initial=9),
    "method std": lambda x: x.std(1, ddof=1),
    "add.reduce": lambda x: np.add.reduce(x, initial=2),
    "multiply.reduce": lambda x: np.multiply.reduce(x, axis=None, keepdims=True),
    "maximum.reduce": lambda x: np.maximum.reduce(x, 1),
    "minimum.reduce": lambda x: np.minimum.reduce(x, initial=0.0, where=M),
    "logical_or.reduce": lambda x: np.logical_or.reduce(x > 3),
    "logical_and.reduce": lambda x: np.logical_and.reduce(x > -3, axis=(0, 1)),
    "count_nonzero": lambda x: np.count_nonzero(x, axis=0),
    "count_nonzero of all": lambda x: np.count_nonzero(x - 1),
    "ptp": lambda x: np.ptp(x, axis=1, keepdims=True),
    "cumsum": lambda x: np.cumsum(x),
    "cumsum axis": lambda x: np.cumsum(x, axis=0, dtype=np.complex64),
    "cumprod": lambda x: np.cumprod(x, axis=-1),
    "method cumprod": lambda x: x.cumprod(),
    "cumulative_sum": lambda x: np.cumulative_sum(x, axis=1, include_initial=True),
    "cumulative_prod": lambda x: np.cumulative_prod(x[0], include_initial=True),
    "nancumprod": lambda x: np.nancumprod(x, axis=0),
    "add.accumulate": lambda x: np.add.accumulate(x),
    "multiply.accumulate": lambda x: np.multiply.accumulate(x, axis=1),
    "maximum.accumulate": lambda x: np.maximum.accumulate(x, axis=1),
    "minimum.accumulate": lambda x: np.minimum.accumulate(x),
    "add.outer": lambda x: np.add.outer(x, x[0]),
    "outer with plain": lambda x: np.subtract.outer(W, x),
    "less.outer": lambda x: np.less.outer(x[0], x[1]),
    "reduceat": lambda x: np.add.reduceat(x, [2, 0, 3, 3, 1], axis=1),
    "reduceat rows": lambda x: np.add.reduceat(x, np.array([0, 2])),
    "diff": lambda x: np.diff(x),
    "diff twice": lambda x: np.diff(x, n=2, axis=0),
    "diff none": lambda x: np.diff(x, n=0),
    "diff ends": lambda x: np.diff(x, axis=0, prepend=1, append=x[:2]),
    "ediff1d": lambda x: np.ediff1d(x, to_begin=np.array([1, 2], np.int8), to_end=x[0]),
    "average": lambda x: np.average(x, axis=1),
    "average weights": lambda x: np.average(x, axis=1, weights=W, keepdims=True),
    "average full weights": lambda x: np.average(x, weights=np.abs(X)),
    "average axes": lambda x: np.average(x, axis=(1, 0), weights=np.abs(X).T),
    "average returned": lambda x: np.average(x, axis=0, weights=W[:3], returned=True)[1] + 0 * x[0],
    "average count": lambda x: np.average(x, axis=0, returned=True)[1] + 0 * x[0],
    "cov": lambda x: np.cov(x),
    "cov columns": lambda x: np.cov(x, rowvar=False, bias=True),
    "cov vector": lambda x: np.cov(x[0]),
    "cov two": lambda x: np.cov(x, x[::-1] * x[0], ddof=0),
    "cov fweights": lambda x: np.cov(x, fweights=[1, 2, 3, 1]),
    "cov aweights": lambda x: np.cov(x, aweights=W),
    "cov weights": lambda x: np.cov(x, aweights=W, fweights=[1, 2, 3, 1], bias=True),
    "corrcoef": lambda x: np.corrcoef(x),
    "corrcoef two": lambda x: np.corrcoef(x[0], x[1]),
    "corrcoef vector": lambda x: np.corrcoef(x[0]),
    "trapezoid": lambda x: np.trapezoid(x, dx=0.5, axis=0),
    "trapezoid x": lambda x: np.trapezoid(x, x=np.array([0.0, 0.5, 2.0]), axis=0),
    "gradient": lambda x: np.gradient(x, axis=0),
    "gradient spacing": lambda x: np.gradient(x, 0.5, 2.0)[1],
    "gradient places": lambda x: np.gradient(x, [0.0, 0.5, 2.0, 2.5], axis=-1, edge_order=2),
    "gradient even places": lambda x: np.gradient(x, [0.0, 0.5, 1.0, 1.5], axis=1),
    "gradient edges": lambda x: np.gradient(x, 2, axis=1, edge_order=2),
}


@pytest.mark.parametrize("x", [X, I, Z, X.astype("f4")], ids=lambda x: str(x.dtype))
@pytest.mark.parametrize("name", OPTIONS)
def test_options(name, x):
    if x.dtype.kind == "c":
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                OPTIONS[name](x)
        except TypeError:
            pytest.skip("NumPy has none of complex numbers")
    same_as_numpy(OPTIONS[name], x)


NAN_REDUCTIONS = "nansum nanprod nanmean nanmax nanmin nanvar nanstd nanmedian".split()  # noqa: SIM905
NAN = {
    f"{name} {axis} {keepdims}": (
        lambda x, n=name, o={"axis": axis, "keepdims": keepdims}: getattr(np, n)(x, **o)
    )
    for name in (
        ["nansum", "nanprod", "nanmean", "nanmax", "nanmin", "nanvar", "nanstd", "nanmedian"]
    )
    for axis in (None, 0, 1, (0, 1))
    for keepdims in (False, True)
}
NAN |= {
    "nanvar ddof": lambda x: np.nanvar(x, axis=0, ddof=2),
    "nanstd where": lambda x: np.nanstd(x, axis=0, where=M),
    "nanmean where": lambda x: np.nanmean(x, axis=0, where=M),
    "nansum where": lambda x: np.nansum(x, axis=0, where=M, initial=2.0),
    "nanmax where": lambda x: np.nanmax(x, axis=0, where=M, initial=-1.0),
    "nanargmax": lambda x: np.nanargmax(x[:, :2], axis=0),
    "nanargmin": lambda x: np.nanargmin(x),
    "nancumsum": lambda x: np.nancumsum(x, axis=0),
    "nancumprod": lambda x: np.nancumprod(x),
    "nanquantile": lambda x: np.nanquantile(x, [0.3, 0.8], axis=1),
    "nanpercentile": lambda x: np.nanpercentile(x, 30, axis=0, keepdims=True),
    "nanquantile lower": lambda x: np.nanquantile(x, 0.6, axis=1, method="lower"),
    "nanquantile nearest": lambda x: np.nanquantile(x, 0.6, axis=1, method="nearest"),
    "nanquantile midpoint": lambda x: np.nanquantile(x, [0.6], axis=1, method="midpoint"),
    "median": lambda x: np.median(x, axis=1),
    "quantile": lambda x: np.quantile(x, [0.1, 0.9], axis=0),
}


@pytest.mark.parametrize("x", [N, ALL_NAN, X, I], ids=["some", "a column", "none", "integers"])
@pytest.mark.parametrize("name", NAN)
def test_entries_that_are_not_a_number(name, x):
    same_as_numpy(NAN[name], x)


METHODS = [
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "linear",
    "median_unbiased",
    "normal_unbiased",
    "lower",
    "higher",
    "midpoint",
    "nearest",
]


@pytest.mark.parametrize("x", [X, I, X.astype("f4")], ids=lambda x: str(x.dtype))
@pytest.mark.parametrize("method", METHODS)
def test_quantile(method, x):
    for q in (0.3, 0, 1.0, [0.0, 0.25, 0.7, 1.0], np.array(0.4)):
        for options in ({}, {"axis": 1}, {"axis": (1, 0), "keepdims": True}, {"axis": 0}):
            same_as_numpy(lambda x, q=q, o=options: np.quantile(x, q, method=method, **o), x)
    same_as_numpy(lambda x: np.percentile(x, [10, 99.0], axis=1, method=method), x)
    same_as_numpy(lambda x: np.percentile(x, 35, axis=0, method=method), x)


def test_median():
    for x in (X, I, X[:, :3], X.astype("f4"), X[0]):
        same_as_numpy(lambda x: np.median(x), x)
        same_as_numpy(lambda x: np.median(x, axis=-1, keepdims=True), x)
    found = bw.grad(lambda x: np.sum(np.median(x, axis=1)))(X)
    np.testing.assert_array_equal(found, [[0, 0, 0.5, 0.5], [0.5, 0, 0, 0.5], [0.5, 0.5, 0, 0]])


def test_a_quantile_that_is_differentiated():
    x = np.array([1.0, 7.0, 3.0])
    assert bw.grad(lambda q: np.quantile(x, q))(0.25) == 4.0
    assert bw.grad(lambda q: np.quantile(x, q))(0.75) == 8.0


def test_the_sorted_places_of_a_quantile_are_no_constants():
    graph = bw.trace(lambda x: np.median(x), np.array([1.0, 2.0, 9.0]))
    result = bw.backward(graph, np.array([5.0, 4.0, 1.0]))
    assert result.value == 4.0
    np.testing.assert_array_equal(result.grads[0], [0.0, 1.0, 0.0])


def test_bincount():
    i = np.array([3, 0, 3, 1])
    w = np.array([0.5, 1.0, 2.0, -1.0])
    np.testing.assert_array_equal(value_of(lambda i: np.bincount(i), (i,)), np.bincount(i))
    for f in (
        lambda w: np.bincount(i, w),
        lambda w: np.bincount(i, weights=w, minlength=6),
        lambda w: np.bincount(i[:0], weights=w[:0], minlength=2) + w[:2],
    ):
        np.testing.assert_array_equal(value_of(f, (w,)), f(w))
    c = np.arange(1.0, 5.0)
    np.testing.assert_array_equal(bw.grad(lambda w: np.sum(c * np.bincount(i, w)))(w), c[i])
    graph = bw.trace(lambda i, w: np.sum(np.bincount(i, w) ** 2), i, w)
    np.testing.assert_array_equal(bw.backward(graph, i, w).grads[1], [5.0, 2.0, 5.0, -2.0])
    with pytest.raises(bw.errors.GuardError):
        bw.backward(graph, i + 1, w)


@pytest.mark.parametrize(
    ("f", "advice"),
    [
        (lambda x: np.add.at(x, 0, 1.0), r"bw\.at\(x\)\[i\]\.add\(v\)"),
        (lambda x: np.multiply.at(x, 0, 1.0), "in place"),
        (lambda x: np.histogram(x), "no derivative"),
        (lambda x: np.sum(x, out=np.zeros(())), "out="),
        (lambda x: np.max(x, where=M), "initial="),
        (lambda x: np.sum(x, where=np.ones(4)), "truths"),
        (lambda x: np.sum(x, where=np.ones(3, bool)), "does not broadcast"),
        (lambda x: np.quantile(x, 0.5, weights=X), "weights="),
        (lambda x: np.quantile(x, 1.5), "from 0 to 1"),
        (lambda x: np.quantile(x, 0.5, method="best"), "best"),
        (lambda x: np.median(x[:0]), "length 0"),
        (lambda x: np.median(x * 1j), "complex"),
        (lambda x: np.add.reduceat(x, [5]), "of an axis of 3"),
        (lambda x: np.gradient(x, edge_order=3), "edge_order"),
        (lambda x: np.gradient(x[:1]), "2 entries"),
        (lambda x: np.gradient(x, 1.0, 2.0, 3.0), "3 spacings"),
        (lambda x: np.average(x, weights=W), "weights of shape"),
        (lambda x: np.cumulative_sum(x), "axis="),
        (lambda x: np.bincount(x[0]), "whole numbers"),
        (lambda x: np.cov(x, aweights=W[:3]), "4 samples"),
    ],
)
def test_what_cannot_be_traced_is_said(f, advice):
    with pytest.raises(bw.errors.BackwaveError, match=advice) as caught:
        bw.trace(f, X)
    assert "test_faces_reductions.py:" in str(caught.value)


def test_the_message_of_a_product_is_linear_in_its_length():
    x = np.linspace(0.99, 1.01, 100_000)
    x[500] = 0.0
    found = bw.grad(lambda x: np.prod(x[:1000]))(x)
    rest = np.delete(x[:1000], 500)
    assert found[500] == pytest.approx(np.prod(rest), rel=1e-12)
    assert np.count_nonzero(found) == 1
    assert np.all(np.isfinite(bw.grad(lambda x: np.sum(np.log1p(np.cumprod(x))))(x)))


def test_running_products_with_zeros_to_the_third_order():
    x = np.array([0.0, 2.0, 0.0, 3.0])
    first = bw.grad(lambda x: np.sum(np.cumprod(x)))
    np.testing.assert_array_equal(first(x), [3.0, 0.0, 0.0, 0.0])
    second = bw.grad(lambda x: first(x)[0])  # 1 + x1 + x1·x2 + x1·x2·x3
    np.testing.assert_array_equal(second(x), [0.0, 1.0, 8.0, 0.0])
    third = bw.grad(lambda x: second(x)[2])  # x1 + x1·x3
    np.testing.assert_array_equal(third(x), [0.0, 4.0, 0.0, 2.0])


def test_ties_of_a_running_maximum_share_evenly():
    x = np.array([1.0, 3.0, 3.0, 2.0, 3.0])
    weights = np.array([1.0, 1.0, 2.0, 4.0, 3.0])
    found = bw.grad(lambda x: np.sum(weights * np.maximum.accumulate(x)))(x)
    np.testing.assert_allclose(found, [1.0, 5.0, 4.0, 0.0, 1.0], rtol=1e-15)


def test_reductions_of_other_ufuncs():
    same = [
        lambda x: np.logaddexp.reduce(x),
        lambda x: np.logaddexp.reduce(x, axis=1, keepdims=True, initial=0.5),
        lambda x: np.logaddexp.reduce(x, axis=1, where=M),
        lambda x: np.logaddexp2.reduce(x, axis=1),
        lambda x: np.hypot.reduce(x, axis=1, keepdims=True),
    ]
    for f in same:
        same_as_numpy(f, X)


def test_what_a_reduction_cannot_take_is_said():
    for f, match in (
        (lambda x: np.sum(x, axis=1.0), "not a whole number"),
        (lambda x: np.std(x, ddof=1, correction=1), "not both"),
        (lambda x: np.nanvar(x, ddof=1, correction=1), "not both"),
        (lambda x: np.modf(x * 1j), "complex128"),
        (lambda x: np.vecdot(2.0, x), "an axis is missing"),
        (lambda x: np.matvec(x[0], x[0]), "an axis is missing"),
    ):
        with pytest.raises(bw.errors.BackwaveError, match=rf"reductions.py:\d+: .*{match}"):
            bw.trace(f, X)


def test_an_angle_from_a_truth():
    x = np.array([0.5, -2.0])
    f = lambda x: np.arctan2(np.array([True, False]), x)  # noqa: E731
    same_as_numpy(f, x)
    bw.check_grads(f)(x)
