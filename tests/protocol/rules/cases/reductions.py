"""Cases of reductions."""

import numpy
from hypothesis import strategies as st

from .base import called, case, complexes, distinct, drawn, flat, positive, real, shapes, truths

for axis in (None, 0, 1, -1, (0, 2), (1,), (), (2, 1, 0)):
    for keepdims in (False, True):
        for name in ("sum", "mean", "prod", "max", "min", "var", "std"):
            options = {"axis": axis, "keepdims": keepdims}
            reduced = lambda np, x, name=name, options=options: getattr(np, name)(x, **options)  # noqa: E731
            if name != "std" or axis != ():
                case(name, reduced, distinct(2, 3, 2))
            if name not in ("std",) and axis in (None, 0, (0, 2)):
                case(name, reduced, real(1, 2, 1))
for name in ("sum", "mean", "prod", "max", "min", "var"):
    case(name, called(name), real())
for name in ("sum", "prod"):
    case(name, called(name), real(0, 3))
    case(name, lambda np, x, name=name: getattr(np, name)(x, axis=0), real(0, 3))
    case(name, lambda np, x, name=name: getattr(np, name)(x, axis=0), real(2, 0))
for name in ("var", "std"):
    case(name, lambda np, x, name=name: getattr(np, name)(x, axis=1, ddof=1), real(2, 4))
    case(name, lambda np, x, name=name: getattr(np, name)(x, axis=0), complexes(4, 2))
case("sum", lambda np, x: x.sum(axis=0), real(2, 3))
case("mean", lambda np, x: x.mean(keepdims=True), real(2, 3))
case("max", lambda np, x: x.max(), distinct(2, 3))

for name in ("any", "all"):
    for axis in (None, 0, (0, 1)):
        flat(name, lambda np, x, n=name, axis=axis: getattr(np, n)(x, axis=axis), truths(2, 3))
    flat(name, lambda np, x, n=name: getattr(np, n)(x > 0, axis=1, keepdims=True), real(2, 3))
for name in ("argmax", "argmin"):
    for axis in (None, 0, -1):
        for keepdims in (False, True):
            options = {"axis": axis, "keepdims": keepdims}
            flat(name, lambda np, x, n=name, o=options: getattr(np, n)(x, **o), real(2, 3))

# Many entries, zeros, and axes that do not lie side by side, for the product of the others.
case("prod", called("prod"), numpy.array([1.5, 0.0, -0.5, 2.0]), peer=False)
ZERO_ROWS = numpy.array([[0.0, 2.0], [0.0, 0.0], [3.0, 1.0]])
case("prod", lambda np, x: np.prod(x, axis=0), ZERO_ROWS, peer=False)
case("prod", called("prod"), positive(17))
case("prod", lambda np, x: np.prod(x, axis=(0, 2)), real(2, 3, 2))
case("prod", lambda np, x: np.prod(x, axis=1), complexes(2, 3), peer=False)
case("prod", lambda np, x: x.prod(), real(3))
case("max", lambda np, x: np.max(x, axis=0), complexes(3, 2), peer=False)
case("var", lambda np, x: np.var(x, axis=0, ddof=1), complexes(3, 2), peer=False)

# where= and initial=.
MASK = numpy.array([[True, False, True], [False, True, True]])
for name in ("sum", "prod", "mean", "var", "std"):
    used = {"mean": "sum", "var": "sum", "std": "sum"}.get(name, name)
    for axis in (None, 0, 1, (0, 1)):
        case(
            used,
            lambda np, x, m, n=name, axis=axis: getattr(np, n)(x, axis=axis, where=m),
            real(2, 3) if name != "std" or axis != 0 else numpy.vstack([real(3), 3.0 + real(3)]),
            MASK if name != "std" or axis != 0 else numpy.ones((2, 3), bool),
            peer=False,
        )
for name in ("sum", "prod", "max", "min"):
    case(
        name,
        lambda np, x, a, n=name: getattr(np, n)(x, axis=1, initial=a, keepdims=True),
        distinct(2, 3),
        numpy.float64(0.1),
        peer=False,
    )
    case(
        name,
        lambda np, x, m, n=name: getattr(np, n)(x, initial=0.3, where=m),
        distinct(2, 3),
        MASK[0],
        peer=False,
    )
case("sum", lambda np, x, m: np.var(x, axis=0, mean=m), real(3, 2), real(1, 2), peer=False)
case("sum", lambda np, x, m: np.std(x, mean=m), real(3), real(1), peer=False)

# Entries that are not a number.
HOLES = numpy.array([[0.5, numpy.nan, -1.5], [2.0, 1.0, numpy.nan], [-0.7, 1.3, 0.9]])
for name, used in {
    "nansum": "sum",
    "nanprod": "prod",
    "nanmean": "sum",
    "nanmax": "max",
    "nanmin": "min",
    "nanvar": "sum",
    "nanstd": "sum",
}.items():
    for axis in (None, 0, 1):
        case(
            used,
            lambda np, x, n=name, axis=axis: getattr(np, n)(
                np.where(np.isnan(HOLES), np.nan, x), axis=axis
            ),
            distinct(3, 3),
            peer=False,
        )
case("max", lambda np, x: np.ptp(x, axis=0), distinct(3, 2), peer=False)
case("logsumexp", lambda np, x: np.logaddexp.reduce(x), real(3, 2), peer=False)
case("logsumexp", lambda np, x: np.logaddexp2.reduce(x, 1, initial=0.5), real(3, 2), peer=False)
case("norm", lambda np, x: np.hypot.reduce(x, 1), real(3, 2), peer=False)

# Statistics.
ROWS = numpy.array([3, 0, 1, 0])
for used, f in [
    ("sum", lambda np, x, w: np.average(x, axis=1, weights=w)),
    ("matmul", lambda np, x, w: np.cov(x, aweights=np.exp(w))),
    ("matmul", lambda np, x, w: np.cov(x[0], w, bias=True)),
    ("matmul", lambda np, x, w: np.corrcoef(x, w)),
    ("scatter", lambda np, x, w: np.bincount(ROWS, weights=w)),
]:
    case(used, f, real(3, 4), positive(4), peer=False)
case("matmul", lambda np, x: np.cov(x), complexes(2, 4), peer=False)
case("matmul", lambda np, x: np.corrcoef(x), complexes(2, 4), peer=False)
for options in ({}, {"axis": 0}, {"axis": (0, 1), "keepdims": True}, {"axis": (0, 2)}):
    for shape in ((3, 2, 2), (2, 4, 3)):
        for f in [
            lambda np, x, o=options: np.median(x, **o),
            lambda np, x, o=options: np.quantile(x, [0.2, 0.7], **o),
            lambda np, x, o=options: np.percentile(x, 33.0, method="hazen", **o),
        ]:
            case("take_along_axis", f, distinct(*shape), peer=False)
case("take_along_axis", lambda np, x: np.nanmedian(x, axis=0), distinct(4, 2), peer=False)
case(
    "take_along_axis",
    lambda np, x, q: np.quantile(x, q, axis=0),
    distinct(5, 2),
    numpy.array([0.3, 0.6]),
    peer=False,
)


@st.composite
def reducings(draw, name):
    """Draw an array, and a reduction of some of its axes."""
    least = 2 if name in ("std", "var") else 1
    shape = draw(shapes(min_side=least, max_dims=3))
    axes = draw(st.lists(st.integers(0, max(len(shape) - 1, 0)), unique=True, max_size=len(shape)))
    axis = draw(st.sampled_from([None, tuple(axes)])) if shape else None
    if name == "std" and (axis == () or not shape):
        shape, axis = (3,), None
    options = {"axis": axis, "keepdims": draw(st.booleans())}
    if name in ("std", "var"):
        options["ddof"] = draw(st.sampled_from([0, 1, 0.5])) if shape and axis != () else 0
    random = numpy.random.default_rng(draw(st.integers(0, 2**16)))
    domain = draw(st.sampled_from([distinct, complexes])) if name != "max" else distinct
    if name == "min" or (domain is complexes and name == "std"):
        domain = distinct
    x = domain(*shape, random=random)
    return lambda np, x: getattr(np, name)(x, **options), (x,), {"peer": False}


for name in ("sum", "mean", "prod", "max", "min", "var", "std"):
    drawn(name)(reducings(name))
