"""Cases of running sums, products and extrema, differences and integrals."""

import numpy
from hypothesis import strategies as st

from backwave.protocol.rules.primitive import apply

from .base import called, case, complexes, distinct, drawn, positive, real, shapes

ZEROS = numpy.array([[1.5, 0.0, -0.5, 2.0], [0.0, 0.0, 1.2, 0.7], [0.3, 1.1, -2.0, 0.0]])
for name in ("cumsum", "cumprod"):
    for shape in ((), (1,), (5,), (2, 3), (0, 3), (3, 0)):
        case(name, called(name), real(*shape), peer=False)
    for axis in (0, 1, -1):
        case(name, lambda np, x, n=name, axis=axis: getattr(np, n)(x, axis), ZEROS, peer=False)
        case(
            name,
            lambda np, x, n=name, axis=axis: getattr(np, n)(x, axis=axis),
            complexes(2, 3, 2),
            peer=False,
        )
    case(name, lambda np, x, n=name: getattr(x, n)(axis=0), real(3, 2), peer=False)
case("cumsum", lambda np, x: np.cumsum(x, axis=1), real(2, 3))
case("cumsum", lambda np, x: np.cumulative_sum(x, include_initial=True), real(3), peer=False)
case(
    "cumprod",
    lambda np, x: np.cumulative_prod(x, axis=1, include_initial=True),
    real(2, 3),
    peer=False,
)
case(
    "cumsum",
    lambda np, x: np.nancumsum(np.where(x > 1.9, np.nan, x)),
    numpy.array([1.0, 2.0, -0.5]),
    peer=False,
)
case("cumsum", lambda np, x: np.add.accumulate(x), real(3, 2), peer=False)
case("cumprod", lambda np, x: np.multiply.accumulate(x, 1), real(3, 2), peer=False)
for reverse in (False, True):
    case(
        "cumsum",
        lambda np, x, r=reverse: apply("cumsum", x, axis=1, reverse=r),
        real(2, 4),
        peer=False,
    )
    for exclusive in (False, True):
        for x in (ZEROS, real(3, 1), real(3, 0), real(7, 5)):
            case(
                "cumprod",
                lambda np, x, r=reverse, e=exclusive: apply(
                    "cumprod", x, axis=1, reverse=r, exclusive=e
                ),
                x,
                peer=False,
            )
    for lagged in (False, True):
        for n in (0, 1, 2, 3, 4, 7, 8):
            case(
                "linear_recurrence",
                lambda np, x, z, r=reverse, lag=lagged: apply(
                    "linear_recurrence", x, z, axis=0, reverse=r, lagged=lag
                ),
                real(n, 2),
                real(n, 2),
                peer=False,
            )
        case(
            "linear_recurrence",
            lambda np, x, z, r=reverse, lag=lagged: apply(
                "linear_recurrence", x, z, axis=1, reverse=r, lagged=lag
            ),
            complexes(2, 5),
            real(2, 5),
            peer=False,
        )
for name in ("maximum", "minimum"):
    for shape in ((1,), (7,), (4, 3), (0, 3)):
        case(
            f"{name}.accumulate",
            lambda np, x, n=name: getattr(np, n).accumulate(x),
            distinct(*shape),
            peer=False,
        )
    case(
        f"{name}.accumulate",
        lambda np, x, n=name: getattr(np, n).accumulate(x, axis=1),
        distinct(2, 6),
        peer=False,
    )


@st.composite
def runnings(draw, name, domain):
    """Draw an array and an axis to run along."""
    shape = draw(shapes(min_dims=1, max_side=5))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    random = numpy.random.default_rng(draw(st.integers(0, 2**16)))
    x = domain(*shape, random=random)
    if "accumulate" in name:
        ufunc = name.partition(".")[0]
        return lambda np, x: getattr(np, ufunc).accumulate(x, axis=axis), (x,), {"peer": False}
    if draw(st.booleans()) and "prod" in name and x.size:
        x = x * (random.uniform(size=shape) > 0.3)
    return lambda np, x: getattr(np, name)(x, axis=axis), (x,), {"peer": False}


for domain in (real, complexes):
    drawn("cumsum")(runnings("cumsum", domain))
    drawn("cumprod")(runnings("cumprod", domain))
drawn("maximum.accumulate")(runnings("maximum.accumulate", distinct))
drawn("minimum.accumulate")(runnings("minimum.accumulate", distinct))


@st.composite
def recurrences(draw):
    """Draw the terms and the factors of a linear recurrence."""
    shape = draw(shapes(min_dims=1, max_side=6))
    random = numpy.random.default_rng(draw(st.integers(0, 2**16)))
    options = {
        "axis": draw(st.integers(0, len(shape) - 1)),
        "reverse": draw(st.booleans()),
        "lagged": draw(st.booleans()),
    }
    pair = real(*shape, random=random), real(*shape, random=random)
    return lambda np, x, z: apply("linear_recurrence", x, z, **options), pair, {"peer": False}


drawn("linear_recurrence")(recurrences())

# The other methods of ufuncs.
case("subtract", lambda np, a, b: np.subtract.outer(a, b), real(3), real(2), peer=False)
case("multiply", lambda np, a, b: np.multiply.outer(a, b), real(2, 3), real(2), peer=False)
case("add", lambda np, a: np.add.outer(a, 1.5), real(3), peer=False)
case("power", lambda np, a: np.power.outer(2.0, a), real(3), peer=False)
for indices in ([0, 2, 3], [1, 4], [3, 0, 0, 2], [4]):
    case(
        "scatter",
        lambda np, x, i=indices: np.add.reduceat(x, i),
        real(5),
        peer=False,
    )
case("scatter", lambda np, x: np.add.reduceat(x, [0, 1, 3], axis=1), real(2, 4), peer=False)

# Differences and integrals.
for axis in (0, 1, -1):
    for n in (1, 2):
        case("subtract", lambda np, x, a=axis, n=n: np.diff(x, n, axis=a), real(3, 4))
case(
    "subtract",
    lambda np, x, a: np.diff(x, prepend=a, append=0.5),
    real(2, 3),
    real(2, 2),
    peer=False,
)
case(
    "subtract", lambda np, x: np.ediff1d(x, to_end=[1.0, 2.0], to_begin=3.0), real(2, 2), peer=False
)
case("add", lambda np, y: np.trapezoid(y, dx=0.3), real(2, 5), peer=False)
case("add", lambda np, y, x: np.trapezoid(y, x, axis=0), real(4, 2), real(4), peer=False)
case("add", lambda np, y, x: np.trapezoid(y, x), real(2, 4), real(2, 4), peer=False)
case("concatenate", lambda np, f: np.gradient(f), real(5), peer=False)
case(
    "concatenate", lambda np, f, h: np.gradient(f, h, edge_order=2), real(5), positive(), peer=False
)
case(
    "concatenate",
    lambda np, f, x: np.gradient(f, np.cumsum(x), axis=0, edge_order=2),
    real(4, 2),
    positive(4),
    peer=False,
)
case("concatenate", lambda np, f: sum(np.gradient(f, 0.5, [0.0, 1.0, 3.0])), real(2, 3), peer=False)
