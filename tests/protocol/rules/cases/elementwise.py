"""Cases of the primitives that act entry by entry."""

import operator

import numpy as np
from hypothesis import strategies as st

from backwave.protocol.rules.primitive import apply

from .base import (
    PAIRS,
    SHAPES,
    _draw,
    above_one,
    arrays,
    broadcasting,
    called,
    case,
    complexes,
    dividends,
    divisors,
    drawn,
    flat,
    integers,
    positive,
    real,
    shapes,
    truths,
    unit,
)


def within(low, high):
    """Return a domain: a function that draws arrays with entries between two numbers."""
    return lambda *shape, random=_draw: random.uniform(low, high, shape)[()]


def on_grid(offset):
    return lambda *shape, random=_draw: np.round(random.uniform(-2.0, 2.0, shape), 1)[()] + offset


@st.composite
def uses(draw, f, *domains, **options):
    """Draw arrays that broadcast together, one from each domain."""
    pairs = zip(domains, draw(broadcasting(len(domains))), strict=True)
    return f, [draw(arrays(*pair)) for pair in pairs], options


UNARY = {
    real: "negative positive square absolute fabs exp exp2 expm1 sin cos arctan sinh cosh tanh"
    " arcsinh deg2rad rad2deg radians degrees conjugate",
    positive: "reciprocal log log2 log10 log1p sqrt cbrt",
    unit: "tan arcsin arccos arctanh",
    above_one: "arccosh",
    complexes: "absolute conjugate real imag exp sin square reciprocal negative",
}
for domain, names in UNARY.items():
    for name in names.split():
        for shape in SHAPES:
            case(name, called(name), domain(*shape))
        drawn(name)(uses(called(name), domain))
case("negative", lambda np, x: -x, real(3))
case("positive", lambda np, x: +x, real(3))
case("absolute", lambda np, x: abs(x), real(3))

BINARY = {
    (real, real): "add subtract multiply maximum minimum fmax fmin logaddexp logaddexp2 arctan2"
    " hypot",
    (real, positive): "divide",
    (positive, real): "power float_power",
    (dividends, divisors): "remainder fmod",
}
for (left, right), names in BINARY.items():
    for name in names.split():
        options = {"peer": name not in ("float_power", "fmod")}
        for a, b in PAIRS:
            case(name, called(name), left(*a), right(*b), **options)
        case(name, lambda np, x, name=name: getattr(np, name)(x, 0.7), left(2, 3), **options)
        case(name, lambda np, x, name=name: getattr(np, name)(1.3, x), right(2, 3), **options)
        kinked = name in ("maximum", "minimum", "fmax", "fmin")  # where two entries are the same
        domains = (on_grid(0.0), on_grid(0.05)) if kinked else (left, right)
        drawn(name)(uses(called(name), *domains, **options))
for name, symbol in {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "power": operator.pow,
    "remainder": operator.mod,
}.items():
    case(name, lambda np, a, b, symbol=symbol: symbol(a, b), dividends(2, 3), divisors(3))
    case(name, lambda np, a, symbol=symbol: symbol(a, 2), dividends(3))
    case(name, lambda np, a, symbol=symbol: symbol(2.5, a), divisors(3))
for name, differentiated in {"copysign": 0, "nextafter": 0, "heaviside": 1}.items():
    for a, b in PAIRS:
        case(name, called(name), real(*a), real(*b), peer=False)
    f = lambda np, x, n=name: getattr(np, n)(x, 0.7)  # noqa: E731
    g = lambda np, x, n=name: getattr(np, n)(-1.3, x)  # noqa: E731
    case(name, g if differentiated else f, real(2, 3), peer=False)
    drawn(name)(uses(called(name), real, real, peer=False))
case("heaviside", lambda np, x: np.heaviside(np.array([0.0, -1.0, 0.0]), x), real(3), peer=False)
for a, b in PAIRS:
    case("ldexp", called("ldexp"), real(*a), integers(*b), peer=False)
drawn("ldexp")(uses(called("ldexp"), real, integers, peer=False))
case("ldexp", lambda np, x: np.ldexp(x, 3), real(3), peer=False)
case("multiply", lambda np, x: x * x, real(3))  # both inputs are one node
case("power", lambda np, x: x**3, real(2, 2))  # a negative base
case("power", lambda np, x: x**2, real(3))
case("power", lambda np, x: x**1, real(3))
case("power", lambda np, x: x**-1, real(3))
case("power", lambda np, x: x**0.5, positive(3))
case("multiply", lambda np, a, b: a * b, complexes(2, 3), complexes(3))
case("multiply", lambda np, a, b: a * b, complexes(2, 3), real(3))
case("divide", lambda np, a, b: a / b, complexes(3), complexes(3))
case("where", lambda np, c, a, b: np.where(c, a, b), truths(3), real(3), real(3))
case("where", lambda np, c, a, b: np.where(c, a, b), truths(2, 1), real(3), real(), peer=False)
drawn("where")(uses(lambda np, c, a, b: np.where(c, a, b), truths, real, real, peer=False))
drawn("real", "imag")(uses(lambda np, z: np.real(z) * np.imag(z), complexes, peer=False))
drawn("astype")(uses(lambda np, x: np.real(x.astype(complex) * (2 + 1j)), real, peer=False))
case("where", lambda np, c, a: np.where(c, a, 0.0), truths(2, 3), real(2, 3))
case("where", lambda np, c, a: np.where(c, 1, a), truths(3), real(2, 3))
case("where", lambda np, a: np.where(a > 0, a, 0.1 * a), real(2, 3))
case("where", lambda np, a, b: np.where(a < b, a * b, b), real(), real())
case("astype", lambda np, x: np.real(x.astype(complex) * (2.0 + 1.0j)), real(3))

for name in [
    "sign",
    "floor",
    "ceil",
    "trunc",
    "rint",
    "isnan",
    "isinf",
    "isfinite",
    "signbit",
    "logical_not",
    "spacing",
]:
    for shape in SHAPES:
        flat(name, called(name), real(*shape))
for name in [
    "floor_divide",
    "equal",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
]:
    for a, b in PAIRS:
        flat(name, called(name), real(*a), positive(*b))
    flat(name, lambda np, x, name=name: getattr(np, name)(x, 0.5), real(3))
for name, symbol in {
    "bitwise_and": operator.and_,
    "bitwise_or": operator.or_,
    "bitwise_xor": operator.xor,
}.items():
    for a, b in PAIRS:
        flat(name, called(name), integers(*a), integers(*b))
        flat(name, lambda np, a, b, symbol=symbol: symbol(a > 0, b > 0), real(*a), real(*b))
    flat(name, lambda np, a, symbol=symbol: symbol(a, 3), integers(3))
for name in ("gcd", "lcm", "left_shift", "right_shift"):
    for a, b in PAIRS:
        flat(name, called(name), integers(*a), abs(integers(*b)))
flat("left_shift", lambda np, a: (a << 2) + (1 << abs(a)), integers(3))
flat("right_shift", lambda np, a: (a >> 1) + (64 >> abs(a)), integers(3))
flat("bitwise_count", called("bitwise_count"), integers(2, 3))
flat("invert", called("invert"), integers(2, 3))
flat("invert", lambda np, x: ~(x > 0), real(2, 3))
flat("astype", lambda np, x: x.astype(np.int32), real(2, 3))


# Functions that are no ufuncs.

case("sinc", lambda np, x: np.sinc(x), real(2, 3))
case("sinc", lambda np, x: np.sinc(x), np.array([0.0, 1e-9, 0.5, 1.0, 7.3]), peer=False)
case("sinc", lambda np, x: apply("sinc", x, order=3), within(-9.0, 9.0)(5), peer=False)
drawn("sinc")(uses(called("sinc"), real))
drawn("nan_to_num")(uses(called("nan_to_num"), real))
case("i0", lambda np, x: np.i0(x), real(3), peer=False)
case("nan_to_num", lambda np, x: np.nan_to_num(x), real(2, 3))
case(
    "nan_to_num",
    lambda np, x: np.nan_to_num(x, nan=1.0, posinf=2, neginf=-2.0),
    real(3),
    peer=False,
)


@st.composite
def unwrapped(draw):
    shape = draw(shapes(min_dims=1))
    options = {"axis": draw(st.integers(-len(shape), len(shape) - 1))}
    if draw(st.booleans()):
        options["period"] = draw(st.sampled_from([3, 5.5]))
    return lambda np, x: np.unwrap(x, **options), [draw(arrays(real, shape))], {"peer": False}


drawn("unwrap")(unwrapped())
case("unwrap", lambda np, x: np.unwrap(x), within(-9.0, 9.0)(2, 5), peer=False)
case("unwrap", lambda np, x: np.unwrap(x, axis=0, period=3), within(-9.0, 9.0)(5, 2), peer=False)
case("arctan2", lambda np, z: np.angle(z), complexes(3), peer=False)
case("arctan2", lambda np, z: np.angle(z, deg=True), complexes(3), peer=False)
case("real", lambda np, z: z.real * z.imag, complexes(3), peer=False)
case("absolute", lambda np, z: np.sign(z), complexes(3), peer=False)
case("where", lambda np, x: np.select([x > 0.5, x > 0], [x, x * x], 1.0), real(6), peer=False)
case(
    "where",
    lambda np, x: np.piecewise(x, [x < 0, x > 1], [np.exp, 2.0, np.sin]),
    real(6),
    peer=False,
)
case("trunc", lambda np, x: np.modf(x)[0], real(3), peer=False)
case("ldexp", lambda np, x: np.frexp(x)[0], real(3), peer=False)
case(
    "floor_divide",
    lambda np, a, b: np.multiply(*divmod(a, b)),
    dividends(2, 3),
    divisors(3),
    peer=False,
)
case("remainder", lambda np, b: np.divmod(2.25, b)[1], divisors(3), peer=False)
case("subtract", lambda np, a, b: np.subtract.outer(a, b), real(2, 1), real(3), peer=False)
case("broadcast_to", lambda np, x: np.full_like(x, 2.0) * x + np.ones_like(x), real(2, 3))
POINTS = np.array([-1.5, -0.5, 0.4, 1.6])
case("where", lambda np, x, fp: np.interp(x, POINTS, fp), real(2, 3), real(4), peer=False)
case(
    "where",
    lambda np, x, xp, fp: np.interp(x, xp, fp, left=0.5),
    real(5),
    POINTS,
    real(4),
    peer=False,
)
case("where", lambda np, x, fp: np.interp(x, POINTS, fp, period=4.0), real(5), real(4), peer=False)
flat("round", lambda np, x: np.round(x, 1), real(2, 3))
flat("round", lambda np, x: x.round(), real())
flat("trunc", lambda np, x: np.fix(x), real(3))
flat("frexp_exponent", lambda np, x: np.frexp(x)[1], real(2, 3))
flat("equal", lambda np, x: np.isposinf(x) | np.isneginf(x), real(3))
flat("equal", lambda np, x: np.isclose(x, 0.5), real(3))
flat("isnan", lambda np, x: np.isclose(x, np.array([0.5, np.nan, 1.0]), equal_nan=True), real(3))
flat("all", lambda np, x: np.allclose(x, 0.5), real(3))
flat("copysign", lambda np, x: np.angle(x), real(3))
