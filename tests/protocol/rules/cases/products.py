"""Cases of products of matrices and vectors, and of convolution."""

import numpy as np
from hypothesis import strategies as st

from backwave.scipy import signal

from .base import broadcasting, case, complexes, drawn, real

MATRICES = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3, 4)),
    ((1, 3), (3, 1)),
    ((4, 2, 3), (3,)),
    ((3,), (4, 3, 2)),
    ((4, 2, 3), (3, 2)),
    ((2, 3), (4, 3, 2)),
    ((4, 2, 3), (4, 3, 2)),
    ((1, 2, 3), (4, 3, 2)),
    ((5, 1, 2, 3), (4, 3, 2)),
    ((2, 3, 2, 3), (3, 3, 2)),
    ((2, 0), (0, 3)),
    ((4, 2, 0), (0, 3)),
]
for a, b in MATRICES:
    case("matmul", lambda np, w, z: np.matmul(w, z), real(*a), real(*b))
case("matmul", lambda np, w, z: w @ z, complexes(2, 3), complexes(3, 2))
case("matmul", lambda np, w, z: w @ z, complexes(4, 2, 3), complexes(3, 2))
case("matmul", lambda np, w, z: np.dot(w, z), real(2, 3), real(3))
case("matmul", lambda np, w, z: np.inner(w, z), real(3), real(3))
case("matmul", lambda np, w: w @ w.T, real(2, 3))
case("matmul", lambda np, w, z: np.vdot(w, z), real(2, 3), real(3, 2), peer=False)
case("matmul", lambda np, w, z: np.vdot(w, z), complexes(3), complexes(3), peer=False)
case("matmul", lambda np, w, z: np.linalg.matmul(w, z), real(2, 3), real(3, 2), peer=False)


@st.composite
def stacks(draw, rows, columns):
    """Draw the shapes of two stacks of vectors or matrices that multiply."""
    left, right = draw(broadcasting(max_dims=3, min_side=1))
    m, n, p = (draw(st.integers(1, 3)) for _ in range(3))
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    domain = draw(st.sampled_from([real, real, complexes]))
    return (
        domain(*left, *((m,) if rows else ()), n, random=random),
        domain(*right, n, *((p,) if columns else ()), random=random),
    )


drawn("matmul")(
    stacks(rows=True, columns=True).map(lambda operands: (lambda np, w, z: w @ z, operands))
)

VECTORS = {"vecdot": (False, False), "matvec": (True, False), "vecmat": (False, True)}
for name, (rows, columns) in VECTORS.items():
    if not hasattr(np, name):
        continue
    product = lambda np, a, b, name=name: getattr(np, name)(a, b)  # noqa: E731
    row, column = (2,) if rows else (), (4,) if columns else ()
    for left, right in [((), ()), ((5,), ()), ((), (5,)), ((5,), (5,)), ((2, 1), (5,))]:
        case(name, product, real(*left, *row, 3), real(*right, 3, *column), peer=False)
    case(name, product, complexes(2, *row, 3), complexes(3, *column), peer=False)
    case(name, product, real(2, *row, 3), complexes(3, *column), peer=False)
    case(name, product, real(*row, 0), real(0, *column), peer=False)
    drawn(name)(
        stacks(rows, columns).map(lambda operands, f=product: (f, operands, {"peer": False}))
    )
case(
    "vecdot",
    lambda np, a, b: np.linalg.vecdot(a, b, axis=0),
    real(3, 2),
    real(3, 2),
    peer=False,
)


def _cross(**options):
    return lambda np, a, b: np.cross(a, b, **options)


for a, b in [((3,), (3,)), ((4, 3), (3,)), ((2, 1, 3), (4, 3)), ((0, 3), (3,))]:
    case("cross", _cross(), real(*a), real(*b), peer=False)
case("cross", _cross(), complexes(2, 3), complexes(3), peer=False)
case("cross", _cross(axis=0), real(3, 2), real(3, 2), peer=False)
case("cross", _cross(axisa=0, axisb=1, axisc=0), real(3, 2), real(2, 3), peer=False)
case("cross", lambda np, a, b: np.linalg.cross(a, b), real(2, 3), real(2, 3), peer=False)


@st.composite
def crosses(draw):
    """Draw stacks of vectors, their entries along any axis."""
    left, right = draw(broadcasting(max_dims=2, min_side=1))
    axes = [draw(st.integers(-len(shape) - 1, len(shape))) for shape in (left, right)]
    count = max(len(left), len(right)) + 1
    options = {"axisa": axes[0], "axisb": axes[1], "axisc": draw(st.integers(-count, count - 1))}
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    vectors = [
        np.moveaxis(real(*shape, 3, random=random), -1, axis)
        for shape, axis in zip((left, right), axes, strict=True)
    ]
    return _cross(**options), vectors, {"peer": False}


drawn("cross")(crosses())

case("multiply", lambda np, p, x: np.polyval(p, x), real(4), real(3), peer=False)
case("multiply", lambda np, p, x: np.polyval(p, x), real(3), real(), peer=False)
case("multiply", lambda np, x: np.polyval([1.0, -2.0, 0.5], x), real(2, 3), peer=False)
case("power", lambda np, x: np.vander(x), real(3), peer=False)
case("power", lambda np, x: np.vander(x, 4, increasing=True), real(3), peer=False)

# Convolution. SciPy's functions are not NumPy's: they are called by themselves.


def _signal(name, **options):
    return lambda np, a, b: getattr(signal, name)(a, b, **options)


for a, b in [((5,), (3,)), ((2,), (4,)), ((1,), (3,)), ((4,), (4,))]:
    for mode in ("full", "same", "valid"):
        for name in ("convolve", "correlate"):
            case(
                "convolve",
                lambda np, a, b, n=name, m=mode: getattr(np, n)(a, b, m),
                real(*a),
                real(*b),
                peer=False,
            )
case(
    "convolve", lambda np, a, b: np.correlate(a, b, "same"), complexes(4), complexes(3), peer=False
)
for method in ("direct", "fft"):
    for mode in ("full", "same", "valid"):
        options = {"mode": mode, "method": method}
        case("convolve", _signal("convolve", **options), real(3, 4), real(2, 3), peer=False)
        case("convolve", _signal("correlate", **options), real(2, 2), real(3, 4), peer=False)
    for mode in ("full", "valid"):
        channels = {"axes": ([2, 3], [2, 3]), "dot_axes": ([1], [1]), "mode": mode}
        many = _signal("convolve", method=method, **channels)
        case("convolve", many, real(2, 3, 3, 4), real(2, 3, 2, 2), peer=False)
    case(
        "convolve", _signal("convolve", method=method), complexes(3, 2), complexes(2, 2), peer=False
    )
    case("convolve", _signal("convolve", method=method), complexes(3, 2), real(2, 2), peer=False)
    case("convolve", _signal("convolve", method=method), real(2, 2, 2), real(2, 1, 2), peer=False)
case("convolve", _signal("fftconvolve", axes=1), real(2, 4), real(1, 3), peer=False)
for boundary in ("fill", "wrap", "symm"):
    options = {"mode": "same", "boundary": boundary}
    case("convolve", _signal("convolve2d", **options), real(3, 4), real(2, 3), peer=False)
    case("convolve", _signal("correlate2d", **options), real(3, 4), real(2, 2), peer=False)
case("convolve", _signal("convolve2d", fillvalue=1.5), real(3, 3), real(2, 2), peer=False)


@st.composite
def convolutions(draw):
    """Draw two arrays, how they are convolved, and which axes are multiplied and summed."""
    count = draw(st.integers(1, 2))
    side = st.integers(1, 4)
    left = [draw(side) for _ in range(count)]
    right = [draw(side) for _ in range(count)]
    mode = draw(st.sampled_from(["full", "same", "valid"]))
    if mode == "valid":
        left, right = map(list, zip(*map(sorted, zip(left, right, strict=True)), strict=True))
        if draw(st.booleans()):
            left, right = right, left
    options = {"mode": mode, "method": draw(st.sampled_from(["auto", "direct", "fft"]))}
    name = draw(st.sampled_from(["convolve", "correlate", "with axes"]))
    if name == "with axes":
        name = "convolve"
        joined, one, other = (draw(st.integers(0, 1)) for _ in range(3))
        dots = [draw(st.integers(1, 2)) for _ in range(joined)]
        left = [*(draw(st.integers(1, 2)) for _ in range(one)), *dots, *left]
        right = [*(draw(st.integers(1, 2)) for _ in range(other)), *dots, *right]
        options["axes"] = [range(len(z) - count, len(z)) for z in (left, right)]
        options["dot_axes"] = [range(n, n + joined) for n in (one, other)]
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    domains = [draw(st.sampled_from([real, real, complexes])) for _ in range(2)]
    operands = [
        domain(*shape, random=random) for domain, shape in zip(domains, (left, right), strict=True)
    ]
    return _signal(name, **options), operands, {"peer": False}


drawn("convolve")(convolutions())
