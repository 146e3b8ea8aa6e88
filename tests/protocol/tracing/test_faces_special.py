"""Special functions and distributions: values against SciPy, tails, traps and refusals."""

import numpy as np
import pytest
import scipy.special
import scipy.stats

import backwave as bw
import backwave.scipy.special
import backwave.scipy.stats
from backwave.protocol.tracing.trace import record

ours = backwave.scipy.special
stats = backwave.scipy.stats


def traced(f, *arrays):
    """The value that f's network computes, and f's own without a network."""
    graph, values, *_ = record(f, arrays)
    with_nodes, plain = values[graph.outputs[0]], f(*arrays)
    np.testing.assert_array_equal(with_nodes, plain)
    assert np.asarray(with_nodes).dtype == np.asarray(plain).dtype
    return with_nodes


def slope(f, x, step=1e-4):
    return (8 * (f(x + step) - f(x - step)) - (f(x + 2 * step) - f(x - 2 * step))) / (12 * step)


# Sums along axes.

ROWS = np.array([[0.3, -1.2, 700.0], [1e3, 999.0, -1e3], [-np.inf, -np.inf, -np.inf]])
ROWS_2 = np.array([[0.0, -40.0], [-np.inf, 2.0], [np.inf, 1.0]])


@pytest.mark.parametrize("rows", [ROWS, ROWS_2, ROWS[:2, :0], ROWS[:0]])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 1, -1, (0, 1)])
def test_logsumexp_is_scipys(rows, axis, keepdims):
    options = {"axis": axis, "keepdims": keepdims}
    if rows.size:
        with np.errstate(all="ignore"):
            expected = scipy.special.logsumexp(rows, **options)
    else:
        expected = np.full(np.sum(rows, **options).shape, -np.inf)
    found = traced(lambda x: ours.logsumexp(x, **options), rows)
    np.testing.assert_allclose(found, expected, rtol=1e-15)
    assert np.shape(found) == np.shape(expected)


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_with_weights_and_sign_is_scipys(axis, keepdims):
    a = np.array([[0.3, -1.2, 900.0], [1e3, -999.0, 3.0]])
    b = np.array([[2.0, -1.0, 0.0], [0.0, -1.0, -0.5]])
    options = {"axis": axis, "keepdims": keepdims}
    expected = scipy.special.logsumexp(a, b=b, return_sign=True, **options)
    total, sign = expected
    found = traced(lambda a, b: ours.logsumexp(a, b=b, return_sign=True, **options)[0], a, b)
    np.testing.assert_allclose(found, total, rtol=1e-15)
    found = traced(lambda a, b: ours.logsumexp(a, b=b, return_sign=True, **options)[1], a, b)
    np.testing.assert_array_equal(found, sign)
    expected = scipy.special.logsumexp(a, b=b**2, **options)
    found = traced(lambda a, b: ours.logsumexp(a, b=b**2, **options), a, b)
    np.testing.assert_allclose(found, expected, rtol=1e-15)
    total, sign = ours.logsumexp(a, return_sign=True)
    assert (total, sign) == (1000.0, 1.0)


def test_logsumexp_where_nothing_has_a_weight():
    nothing = np.full(3, -np.inf)
    np.testing.assert_array_equal(bw.grad(ours.logsumexp)(nothing), np.zeros(3))
    found = bw.grad(ours.logsumexp)(np.array([-np.inf, 0.0, 0.0]))
    np.testing.assert_allclose(found, [0.0, 0.5, 0.5], rtol=1e-15)
    both = bw.grad(np.logaddexp, argnums=(0, 1))(-np.inf, -np.inf)
    assert both == (0.0, 0.0)


@pytest.mark.parametrize("axis", [None, 0, (0, 1)])
def test_softmax_is_scipys(axis):
    rows = np.array([[0.3, -1.2, 700.0], [1e3, 999.0, -np.inf]])
    for name in ("softmax", "log_softmax"):
        expected = getattr(scipy.special, name)(rows, axis=axis)
        found = traced(lambda x, name=name: getattr(ours, name)(x, axis=axis), rows)
        np.testing.assert_allclose(found, expected, rtol=1e-15)


# The other functions that NumPy's protocols do not reach.

X = np.array([0.2, 0.9, 2.5, 7.0])


@pytest.mark.parametrize(
    ("f", "theirs"),
    [
        (lambda x: ours.polygamma(0, x), lambda x: scipy.special.polygamma(0, x)),
        (lambda x: ours.polygamma(3, x), lambda x: scipy.special.polygamma(3, x)),
        (
            lambda x: ours.polygamma(np.arange(4), x),
            lambda x: scipy.special.polygamma(np.arange(4), x),
        ),
        (lambda x: ours.zeta(2.5, x), lambda x: scipy.special.zeta(2.5, x)),
        (lambda x: ours.multigammaln(x + 2, 4), lambda x: scipy.special.multigammaln(x + 2, 4)),
        (ours.softplus, lambda x: np.log1p(np.exp(x))),
        (lambda x: ours.logsumexp([x, x]), lambda x: scipy.special.logsumexp([x, x])),
        (lambda x: ours.comb(x + 3, x), lambda x: scipy.special.comb(x + 3, x)),
        (
            lambda x: ours.comb(x, 2, repetition=True),
            lambda x: scipy.special.comb(x, 2, repetition=True),
        ),
        (lambda x: ours.perm(x, 2), lambda x: scipy.special.perm(x, 2)),
        (lambda x: ours.factorial(x), lambda x: scipy.special.factorial(x)),
        (ours.lambertw, scipy.special.lambertw),
        (scipy.special.lambertw, scipy.special.lambertw),
        (lambda x: sum(scipy.special.sici(x)), lambda x: sum(scipy.special.sici(x))),
        (lambda x: sum(scipy.special.airy(x)), lambda x: sum(scipy.special.airy(x))),
    ],
)
def test_values_are_scipys(f, theirs):
    np.testing.assert_allclose(traced(f, X), theirs(X), rtol=1e-14)


@pytest.mark.parametrize("name", sorted({*ours.__all__} - {"zeta"}))
def test_every_name_is_scipys(name):
    theirs = getattr(scipy.special, name, None)
    mine = getattr(ours, name)
    assert mine is theirs or not isinstance(theirs, np.ufunc)


# Parameters: whole or not, they have no rule, and say so where one is needed.


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("jv", (1.5,)),
        ("yv", (0.5,)),
        ("iv", (2.5,)),
        ("ive", (0.5,)),
        ("kv", (1.5,)),
        ("kve", (0.3,)),
        ("hyp0f1", (1.5,)),
        ("hyp1f1", (0.5, 2.5)),
        ("hyp2f1", (0.5, 1.5, 2.5)),
        ("hyperu", (1.5, 0.5)),
        ("gammainc", (2.5,)),
        ("gammaincc", (0.5,)),
        ("gammaincinv", (1.5,)),
        ("gammainccinv", (2.5,)),
        ("betainc", (2.5, 0.5)),
        ("betaincc", (2.5, 1.5)),
        ("betaincinv", (0.5, 1.5)),
        ("betainccinv", (2.5, 1.5)),
        ("stdtr", (3.5,)),
        ("stdtrit", (3.5,)),
    ],
)
def test_parameters_of_functions(name, parameters):
    function = getattr(scipy.special, name)
    assert getattr(ours, name) is function
    found = bw.grad(lambda x: function(*parameters, x))(0.4)
    assert found == pytest.approx(slope(lambda x: function(*parameters, x), 0.4), rel=1e-9)
    with pytest.raises(bw.errors.ShapeError, match=rf"test_faces_special\.py:\d+.*{name}.*no rule"):
        bw.grad(lambda p: function(p, *parameters[1:], 0.4))(parameters[0])


@pytest.mark.parametrize("name", ["gamma", "loggamma", "rgamma"])
def test_gamma_of_complex_numbers(name):
    f = getattr(scipy.special, name)
    z = np.array([0.3 + 1j, -1.5 - 0.4j, 2.5 + 0j])
    found = bw.grad(lambda z: np.sum(np.real(f(z))))(z)
    np.testing.assert_allclose(found, slope(f, z), rtol=1e-9)
    with pytest.raises(bw.errors.ShapeError, match="complex"):
        bw.grad(lambda z: np.sum(np.real(scipy.special.psi(z))))(z)


@pytest.mark.parametrize("name", ["erf", "psi", "jv", "erfinv", "logit"])
@pytest.mark.parametrize("dtype", ["f4", "f2", "i4", "?"])
def test_dtypes_without_values_are_scipys(name, dtype):
    function = getattr(scipy.special, name)
    parameters = (1,) if name == "jv" else ()
    with np.errstate(all="ignore"):
        expected = function(*parameters, np.ones(2, dtype)).dtype
    graph = bw.trace(lambda x: function(*parameters, x), bw.Shape((2,), np.dtype(dtype)))
    assert graph.nodes[graph.outputs[0]].dtype == expected


# Derivatives where formulas cancel or overflow.


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (scipy.special.log_ndtr, -1e8, 1e8),
        (scipy.special.log_ndtr, 50.0, 0.0),
        (scipy.special.log_expit, -800.0, 1.0),
        (scipy.special.expit, 40.0, np.exp(-40.0)),
        (scipy.special.exprel, 0.0, 0.5),
        (scipy.special.exprel, 1e-9, 0.5 + 1e-9 / 3),
        (scipy.special.spence, 1.0, -1.0),
        (scipy.special.ellipk, 0.0, np.pi / 8),
        (scipy.special.ellipe, 1e-12, -np.pi / 8),
        (scipy.special.ellipkm1, 1e-12, -0.5e12),
        (scipy.special.rgamma, -2.0, 2.0),
        (lambda p: scipy.special.boxcox(2.0, p), 0.0, np.log(2.0) ** 2 / 2),
        (lambda p: scipy.special.inv_boxcox(2.0, p), 0.0, -2.0 * np.exp(2.0)),
        (lambda x: scipy.special.xlogy(0.0, x), 0.0, 0.0),
        (np.sinc, 0.0, 0.0),
        (np.sinc, 1e-9, -1e-9 * np.pi**2 / 3),
        (lambda x: np.hypot(x, 0.0), 0.0, 0.0),
        (lambda x: np.arctan2(x, 0.0), 0.0, 0.0),
    ],
)
def test_derivatives_at_the_traps(f, x, expected):
    assert bw.grad(f)(x) == pytest.approx(expected, rel=1e-11, abs=1e-300)


def test_sinc_curves_at_zero():
    second = bw.grad(bw.grad(np.sinc))
    assert second(0.0) == pytest.approx(-(np.pi**2) / 3, rel=1e-14)
    fourth = bw.grad(bw.grad(second))
    assert fourth(0.0) == pytest.approx(np.pi**4 / 5, rel=1e-14)
    assert bw.grad(bw.grad(scipy.special.log_ndtr))(60.0) == 0.0


# Distributions.

REALS = np.array([-30.0, -3.0, -0.2, 0.0, 1.3, 9.0, 35.0])
ABOVE = np.array([-1.0, 0.2, 1.3, 9.0, 40.0])
WITHIN = np.array([-0.5, 0.1, 0.7, 0.999, 1.5])
COUNTS = np.array([-1, 0, 1, 2, 5])
CONTINUOUS = {
    "norm": ((), REALS),
    "laplace": ((), REALS),
    "logistic": ((), REALS),
    "cauchy": ((), REALS),
    "t": ((3.5,), REALS),
    "uniform": ((), WITHIN),
    "gumbel_r": ((), np.array([-2.0, 0.3, 4.0])),
    "expon": ((), ABOVE),
    "halfnorm": ((), ABOVE),
    "weibull_min": ((1.7,), ABOVE),
    "pareto": ((2.5,), ABOVE),
    "lognorm": ((0.6,), ABOVE),
    "gamma": ((2.5,), ABOVE),
    "chi2": ((3.0,), ABOVE),
    "invgamma": ((1.5,), ABOVE),
    "beta": ((2.5, 1.5), WITHIN),
}
DISCRETE = {
    "poisson": (2.5,),
    "bernoulli": (0.3,),
    "geom": (0.3,),
    "binom": (4, 0.3),
    "nbinom": (2.5, 0.4),
}
Q = np.array([1e-12, 0.2, 0.5, 0.9])


@pytest.mark.parametrize("ends", [(), (0.5, 2.0)])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_distributions_are_scipys(name, ends):
    shapes, x = CONTINUOUS[name]
    mine, theirs = getattr(stats, name), getattr(scipy.stats, name)
    for method in ("logpdf", "pdf", "cdf", "sf", "logcdf", "logsf", "ppf", "isf"):
        given, atol = (Q, 1e-15) if method in ("ppf", "isf") else (x, 1e-300)
        with np.errstate(all="ignore"):
            expected = getattr(theirs, method)(given, *shapes, *ends)
            found = traced(lambda y, m=method: getattr(mine, m)(y, *shapes, *ends), given)
        np.testing.assert_allclose(found, expected, rtol=2e-13, atol=atol, err_msg=method)


NO_SHAPE_RULE = ("gamma", "chi2", "invgamma", "beta", "t")  # but for their densities


@pytest.mark.parametrize("method", ["logpdf", "pdf", "logcdf", "sf", "ppf"])
@pytest.mark.parametrize("name", sorted({*CONTINUOUS} - {"uniform"}))
def test_slopes_of_distributions(name, method):
    f = getattr(getattr(stats, name), method)
    shapes, _ = CONTINUOUS[name]
    x = 1.9 if name == "pareto" and method != "ppf" else 0.6
    arguments = (x, *shapes, 0.1, 0.8)
    places = list(range(len(arguments)))
    if name in NO_SHAPE_RULE and method not in ("logpdf", "pdf"):
        places = [0, *places[-2:]]
    for place in places:

        def one(v, place=place):
            return f(*arguments[:place], v, *arguments[place + 1 :])

        expected = slope(one, arguments[place])
        assert bw.grad(one)(arguments[place]) == pytest.approx(expected, rel=1e-8)


def test_slopes_of_the_uniform_distribution():
    for method, expected in (("pdf", (0.0, -0.25)), ("cdf", (0.5, -0.3)), ("ppf", (2.0, 0.6))):
        f = getattr(stats.uniform, method)
        found = bw.grad(lambda x, scale, f=f: f(x, 0.0, scale) + 0.0 * x, argnums=(0, 1))(0.6, 2.0)
        np.testing.assert_allclose(
            found, [expected[0], expected[1] * (0.5 if method == "cdf" else 1)]
        )


@pytest.mark.parametrize("name", DISCRETE)
def test_discrete_distributions_are_scipys(name):
    shapes = DISCRETE[name]
    mine, theirs = getattr(stats, name), getattr(scipy.stats, name)
    for method in ("logpmf", "pmf"):
        for loc in (0, 1):
            k = np.array([*COUNTS, 0.5])
            expected = getattr(theirs, method)(k, *shapes, loc=loc)
            p = shapes[-1]
            found = traced(
                lambda p, m=method, k=k, loc=loc: getattr(mine, m)(k, *shapes[:-1], p, loc=loc), p
            )
            np.testing.assert_allclose(found, expected, rtol=1e-13)
    at = lambda p: mine.logpmf(1, *shapes[:-1], p)  # noqa: E731
    assert bw.grad(at)(shapes[-1]) == pytest.approx(slope(at, shapes[-1]), rel=1e-9)


def test_poisson_probabilities():
    k = np.array([-1.0, 0.0, 2.5, 7.0])
    for method in ("cdf", "sf"):
        found = traced(lambda mu, m=method: getattr(stats.poisson, m)(k, mu), 2.5)
        np.testing.assert_allclose(found, getattr(scipy.stats.poisson, method)(k, 2.5), rtol=1e-13)
        f = lambda mu, m=method: getattr(stats.poisson, m)(3, mu)  # noqa: E731
        assert bw.grad(f)(2.5) == pytest.approx(slope(f, 2.5), rel=1e-9)


def test_distributions_of_vectors():
    random = np.random.default_rng(0)
    alpha, x = np.array([0.7, 1.5, 3.0]), random.dirichlet(np.ones(3), 4).T
    for given in (x, x[:-1]):
        found = traced(stats.dirichlet.logpdf, given, alpha)
        np.testing.assert_allclose(found, scipy.stats.dirichlet.logpdf(given, alpha), rtol=1e-13)
    root = random.normal(size=(3, 3))
    cov, mean, y = root @ root.T + np.eye(3), random.normal(size=3), random.normal(size=(5, 3))
    for given, middle, spread in (
        (y, mean, cov),
        (y[0], mean, cov),
        (y, 0.5 * mean, 2.0 * np.ones(3)),
        (y, mean, np.array([1.0, 2.0, 3.0])),
        (y[:, 0], None, np.eye(1)),
    ):
        found = traced(
            lambda x, m=middle, c=spread: stats.multivariate_normal.logpdf(x, m, c), given
        )
        expected = scipy.stats.multivariate_normal.logpdf(given, middle, spread)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert np.shape(found) == np.shape(expected)


@pytest.mark.parametrize("x", [-1e4, -40.0, -9.0, 9.0, 30.0])
def test_the_normal_distribution_far_out(x):
    logcdf = bw.grad(stats.norm.logcdf, argnums=(0, 1, 2))(x, 0.5, 2.0)
    y = (x - 0.5) / 2.0
    with np.errstate(under="ignore", over="ignore"):
        ratio = np.sqrt(2 / np.pi) / scipy.special.erfcx(-y / np.sqrt(2))
    np.testing.assert_allclose(logcdf, [ratio / 2, -ratio / 2, -ratio * y / 2], rtol=1e-12)
    logsf = bw.grad(stats.norm.logsf)(-x, -0.5, 2.0)
    assert logsf == pytest.approx(-ratio / 2, rel=1e-14)
    if x > -1e3:
        density = scipy.stats.norm.pdf(x, 0.5, 2.0)
        assert bw.grad(stats.norm.cdf)(x, 0.5, 2.0) == pytest.approx(density, rel=1e-13)


def test_few_nodes():
    def nodes(f, *arrays):
        return [node.primitive for node in bw.trace(f, *arrays).nodes if node.inputs]

    x = np.ones(3)
    assert nodes(stats.norm.logcdf, x) == ["log_ndtr"]
    assert nodes(lambda x: ours.logsumexp(x, axis=0), x) == ["logsumexp"]
    assert nodes(scipy.special.expm1, x) == ["expm1"]


def test_parameters_that_a_distribution_has_not():
    with pytest.raises(bw.errors.ArgumentError, match="the parameters a, loc, scale"):
        stats.gamma.pdf(1.0)
    with pytest.raises(bw.errors.ArgumentError, match="the parameters loc, scale"):
        stats.norm.pdf(1.0, mu=2.0)
    with pytest.raises(bw.errors.ArgumentError, match="test_faces_special"):
        stats.norm.pdf(1.0, 2.0, 3.0, 4.0)
    assert isinstance(stats.norm.pdf(np.ones(2), scale=2.0), np.ndarray)


# NumPy's own functions that act entry by entry: values with all their options.

LINE = np.array([-1.5, 0.0, 0.3, 2.7, 4.5])
PLANE = LINE + 1j * LINE[::-1]
ODD = np.array([np.nan, np.inf, -np.inf, 1.0, -0.0])
AT, OF = np.array([-1.0, 0.0, 2.0]), np.array([1.0, 3.0, 2.0])
INTEGERS = np.array([7, -3, 0, 12])


@pytest.mark.parametrize(
    ("f", "array"),
    [
        (lambda x: divmod(x, 0.7)[0] + divmod(3.0, x + 5)[1], LINE),
        (lambda x: np.divmod(x, 5)[0] * 10 + np.divmod(17, x * x + 1)[1], INTEGERS),
        (lambda x: np.modf(x)[0] + 10 * np.modf(x)[1], LINE),
        (lambda x: np.modf(x)[1], ODD),
        (lambda x: np.modf(x)[0], INTEGERS),
        (lambda x: np.frexp(x)[0] + 10 * np.frexp(x)[1], LINE),
        (np.sign, LINE),
        (np.sign, PLANE),
        (lambda x: np.subtract.outer(x, x), LINE),
        (lambda x: np.maximum.outer(x, INTEGERS), LINE),
        (lambda x: x.real - 2 * x.imag, LINE),
        (lambda x: x.real - 2 * x.imag + x.conj(), PLANE),
        (np.angle, LINE),
        (lambda x: np.angle(x, deg=True), PLANE),
        (lambda x: np.real_if_close(x + 1e-20j), LINE),
        (lambda x: np.real_if_close(x), PLANE),
        (lambda x: np.isreal(x) | ~np.iscomplex(x), PLANE),
        (np.isposinf, ODD),
        (np.isneginf, ODD),
        (lambda x: np.isclose(x, ODD + 1e-9), ODD),
        (lambda x: np.isclose(x, ODD, equal_nan=True), ODD),
        (lambda x: np.isclose(x, 0.3001, rtol=1e-2, atol=0.0), LINE),
        (lambda x: np.round(x, 1) + x.round(), LINE),
        (lambda x: np.round(x, -1), INTEGERS),
        (np.fix, LINE),
        (np.nan_to_num, ODD),
        (lambda x: np.nan_to_num(x, nan=7, posinf=1.5, neginf=np.float64(-2.0)), ODD),
        (lambda x: np.unwrap(x * 4), LINE),
        (lambda x: np.unwrap(x, period=5, axis=0), INTEGERS),
        (lambda x: np.unwrap(x * 4, discont=4.0), LINE),
        (np.sinc, LINE),
        (lambda x: np.select([x > 1, x > 0], [x, 2 * x], -1.0), LINE),
        (lambda x: np.select([x > 1, np.arange(5) > 2], [1, 2]), LINE),
        (lambda x: np.piecewise(x, [x < 0, x > 1], [np.exp, lambda x: 3 * x, 7.0]), LINE),
        (lambda x: np.piecewise(x, x < 0, [lambda x, a: a - x, lambda x, a: a * x], 2.0), LINE),
        (lambda x: np.piecewise(x, [x < 5, x > 0], [1, 2]), INTEGERS),
        (lambda x: np.interp(x, AT, OF), LINE),
        (lambda x: np.interp(x, AT, OF, left=-5.0, right=9), LINE),
        (lambda x: np.interp(x, AT[::-1], OF, period=2.5), LINE),
        (lambda x: np.interp(x, AT, OF * 1j), LINE),
        (lambda x: np.interp(x, [0.5], [2.0], left=1.0), LINE),
        (lambda x: np.interp(2, [1, 2, 3], x[:3]), LINE.astype("f4")),
        (lambda x: np.zeros_like(x) + np.ones_like(x, dtype="f4") + np.full_like(x, 3), LINE),
        (lambda x: np.full_like(x, 2.5, shape=(2, 4)) + np.full_like(x, 3.7), INTEGERS),
        (lambda x: (x << 1) + (1 << x % 4) - (x >> 1), INTEGERS),
        (lambda x: np.gcd(x, 6) + np.lcm(x, 4) + np.bitwise_count(x), INTEGERS),
        (lambda x: np.heaviside(x, 0.5) + np.copysign(x, -1) + np.ldexp(x, 2), LINE),
        (lambda x: np.fmod(x, 0.7) + np.fmax(x, ODD) + np.fmin(ODD, x), LINE),
        (lambda x: np.float_power(x, 2), LINE.astype("f4")),
        (lambda x: np.nextafter(x, 1.0) + np.spacing(x), LINE),
    ],
)
def test_values_are_numpys(f, array):
    with np.errstate(all="ignore"):
        graph, values, *_ = record(f, (array,))
        expected = f(array)
    found = values[graph.outputs[0]]
    np.testing.assert_allclose(found, expected, rtol=1e-15, atol=1e-15)
    assert np.shape(found) == np.shape(expected)
    assert np.asarray(found).dtype == np.asarray(expected).dtype


def test_one_may_branch_on_what_is_close():
    def f(x):
        return np.sum(x * x) if np.allclose(x, 1.0) else np.sum(x)

    assert bw.grad(f)(np.ones(2)).tolist() == [2.0, 2.0]
    assert bw.grad(f)(np.zeros(2)).tolist() == [1.0, 1.0]


def test_what_is_refused_is_named():
    for f, match in (
        (lambda x: np.nan_to_num(x, nan=x), "np.nan_to_num's nan must be a number"),
        (lambda x: np.round(x, 1, out=np.ones(5)), "np.round with out="),
        (lambda x: np.interp(x, AT, OF[1:]), "as many values as points"),
        (lambda x: np.select([x > 0], [x, x]), "as many choices as conditions"),
        (lambda x: np.piecewise(x, [x > 0], [1, 2, 3]), "with 1 conditions"),
        (lambda x: ours.comb(x, 2, exact=True), "comb with exact="),
        (np.isnat, "no rule for np.isnat"),
    ):
        with pytest.raises(bw.errors.BackwaveError, match=match) as caught:
            bw.trace(f, LINE)
        assert "test_faces_special.py:" in str(caught.value)


def test_constants_of_a_shape_hold_one_number():
    graph = bw.trace(lambda x: np.zeros_like(x) + x * np.ones_like(x), bw.Shape((1000, 1000)))
    assert all(np.size(value) == 1 for value in graph.constants.values())


def test_ties_and_nans_beside_each_other():
    a, b = np.array([np.nan, 1.0, 2.0, 3.0]), np.array([1.0, np.nan, 2.0, 5.0])
    for function, expected in ((np.fmax, [0.0, 1.0, 0.5, 0.0]), (np.fmin, [0.0, 1.0, 0.5, 1.0])):
        found = bw.grad(lambda a, b, f=function: np.sum(f(a, b)), argnums=(0, 1))(a, b)
        np.testing.assert_array_equal(found[0], expected)
        np.testing.assert_array_equal(found[1], 1.0 - np.array(expected))


def test_a_square_sends_few_messages():
    graph = bw.trace(bw.grad(lambda x: np.sum(x**2)), np.ones(3))
    assert sum(node.primitive == "power" for node in graph.nodes) <= 1


WHOLE = {
    "bernoulli": (0.3,), "binom": (7, 0.3), "geom": (0.3,), "nbinom": (4, 0.3), "poisson": (2.3,),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_at_most_and_beyond(name):
    k = np.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.7, 7.0, 40.0, np.nan])
    *fixed, p = WHOLE[name]
    ours, theirs = getattr(stats, name), getattr(scipy.stats, name)
    for method in ("pmf", "cdf", "sf"):
        found = traced(lambda p, m=method: getattr(ours, m)(k, *fixed, p), p)
        np.testing.assert_allclose(found, getattr(theirs, method)(k, *fixed, p), rtol=1e-12)
        bw.check_grads(lambda p, m=method: getattr(ours, m)(k[:7], *fixed, p))(p)
    assert traced(lambda p: ours.pmf(np.inf, *fixed, p), p) == 0.0
    with pytest.raises(bw.errors.TraceError, match="quantiles"):
        bw.trace(lambda p: ours.ppf(0.5, *fixed, p), p)


@pytest.mark.parametrize("name", ["expon", "uniform", "halfnorm", "pareto", "t", "gamma"])
def test_a_nan_and_a_quantile_beyond_one_stay_nan(name):
    ours, theirs = getattr(stats, name), getattr(scipy.stats, name)
    shapes = {"pareto": (2.5,), "gamma": (1.7,), "t": (3.5,)}.get(name, ())
    for method in ("pdf", "logpdf", "cdf", "sf"):
        assert np.isnan(traced(lambda x, m=method: getattr(ours, m)(x, *shapes), np.nan))
    q = np.array([-0.5, 0.0, 0.25, 0.75, 1.0, 1.5, np.nan])
    for method in ("ppf", "isf"):
        with np.errstate(divide="ignore"):
            found = traced(lambda q, m=method: getattr(ours, m)(q, *shapes), q)
        np.testing.assert_allclose(found, getattr(theirs, method)(q, *shapes), rtol=1e-12)


def test_normal_vectors_of_one_entry():
    for x in (np.float64(0.3), np.array([0.1, 0.2, 0.5]), np.array([[0.1], [0.2]])):
        found = traced(lambda x: stats.multivariate_normal.logpdf(x, 0.5, 2.0), x)
        expected = scipy.stats.multivariate_normal.logpdf(x, 0.5, 2.0)
        np.testing.assert_allclose(found, expected, rtol=1e-13)
        assert np.shape(found) == np.shape(expected)
    with pytest.raises(bw.errors.ShapeError, match="2 entries"):
        bw.trace(lambda x: stats.multivariate_normal.logpdf(x, np.zeros(2)), np.ones(3))


def test_the_slope_of_boxcox_at_infinity_comes_back():
    # SciPy's hyp1f1 never returns from an infinity.
    x = np.array([1.0, np.inf, 1e5])
    bw.vjp(lambda x: bw.scipy.special.boxcox(x, 2.0), x)[1](np.ones(3))
    z = np.array([-40.0, -1.0, -1e-9, 0.0, 0.5, 1.0, 3.0])
    (found,) = bw.vjp(bw.scipy.special.exprel, z)[1](np.ones(7))
    np.testing.assert_allclose(found, 0.5 * scipy.special.hyp1f1(2.0, 3.0, z), rtol=1e-13)
