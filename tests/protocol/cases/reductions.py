"""Cases of reductions."""

from .base import called, case, complexes, distinct, flat, real, truths

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
