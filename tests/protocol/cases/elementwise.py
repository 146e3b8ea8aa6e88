"""Cases of the primitives that act entry by entry."""

import operator

from .base import (
    PAIRS,
    SHAPES,
    above_one,
    called,
    case,
    complexes,
    dividends,
    divisors,
    flat,
    integers,
    positive,
    real,
    truths,
    unit,
)

UNARY = {
    real: "negative positive square absolute fabs exp exp2 expm1 cbrt sin cos arctan sinh cosh tanh"
    " arcsinh deg2rad rad2deg radians degrees conjugate real imag",
    positive: "reciprocal log log2 log10 log1p sqrt",
    unit: "tan arcsin arccos arctanh",
    above_one: "arccosh",
    complexes: "absolute conjugate real imag exp sin square reciprocal negative",
}
for domain, names in UNARY.items():
    for name in names.split():
        for shape in SHAPES:
            case(name, called(name), domain(*shape))
case("negative", lambda np, x: -x, real(3))
case("positive", lambda np, x: +x, real(3))
case("absolute", lambda np, x: abs(x), real(3))

BINARY = {
    (real, real): "add subtract multiply maximum minimum logaddexp logaddexp2 arctan2 hypot",
    (real, positive): "divide",
    (positive, real): "power",
    (dividends, divisors): "remainder",
}
for (left, right), names in BINARY.items():
    for name in names.split():
        for a, b in PAIRS:
            case(name, called(name), left(*a), right(*b))
        case(name, lambda np, x, name=name: getattr(np, name)(x, 0.7), left(2, 3))
        case(name, lambda np, x, name=name: getattr(np, name)(1.3, x), right(2, 3))
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
case("multiply", lambda np, x: x * x, real(3))  # both inputs are one node
case("power", lambda np, x: x**3, real(2, 2))  # a negative base
case("power", lambda np, x: x**-1, real(3))
case("power", lambda np, x: x**0.5, positive(3))
case("multiply", lambda np, a, b: a * b, complexes(2, 3), complexes(3))
case("multiply", lambda np, a, b: a * b, complexes(2, 3), real(3))
case("divide", lambda np, a, b: a / b, complexes(3), complexes(3))
case("where", lambda np, c, a, b: np.where(c, a, b), truths(3), real(3), real(3))
case("where", lambda np, c, a, b: np.where(c, a, b), truths(2, 1), real(3), real(), peer=False)
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
flat("invert", called("invert"), integers(2, 3))
flat("invert", lambda np, x: ~(x > 0), real(2, 3))
flat("astype", lambda np, x: x.astype(np.int32), real(2, 3))
