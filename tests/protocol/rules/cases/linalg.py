"""Cases of linear algebra."""

import numpy as onp
from hypothesis import strategies as st

import backwave.scipy.linalg as sl
from backwave.protocol.rules.primitive import apply

from .base import arrays, case, drawn, flat, shapes

_own = onp.random.default_rng(1910)  # so that these arrays do not depend on other families


def real(*shape, random=_own):
    return random.uniform(-2.0, 2.0, shape)[()]


def complexes(*shape, random=_own):
    return (random.uniform(-2.0, 2.0, shape) + 1j * random.uniform(-2.0, 2.0, shape))[()]


def away(*shape, random=_own, kind=real):
    """Entries that are not close to 0."""
    x = kind(*shape, random=random)
    return x + 0.5 * onp.sign(onp.real(x))


def away_complex(*shape, random=_own):
    return away(*shape, random=random, kind=complexes)


KINDS = (real, complexes)


def good(*shape, random=_own, kind=real):
    """Well-conditioned square matrices, with eigenvalues apart from each other."""
    n = shape[-1]
    return 0.4 * kind(*shape, random=random) + onp.diag(3.0 * onp.arange(1.0, 1.0 + n))


def good_complex(*shape, random=_own):
    return good(*shape, random=random, kind=complexes)


def tall(*shape, random=_own, kind=real):
    """Matrices of full rank, with singular values apart from each other."""
    diagonal = onp.eye(*shape[-2:]) * 2.0 * onp.arange(1.0, 1.0 + shape[-1])
    return 0.3 * kind(*shape, random=random) + diagonal


def tall_complex(*shape, random=_own):
    return tall(*shape, random=random, kind=complexes)


def turned(np, a):
    return np.conj(np.swapaxes(a, -1, -2))


def hermitian(np, a):
    return a + turned(np, a)


def definite(np, a):
    return a @ turned(np, a) + 2.0 * onp.eye(a.shape[-1])


def parts(np, z):
    """A real picture of complex values."""
    return np.real(z) + 2.0 * np.imag(z)


# Norms.

for kind in KINDS:
    case("norm", lambda np, x: np.linalg.norm(x), kind(3))
    case("norm", lambda np, x: np.linalg.norm(x), kind(2, 3))
    case("norm", lambda np, x: np.linalg.norm(x, axis=(2, 0)), kind(2, 3, 4), peer=False)
    for axis in (0, -1):
        for keepdims in (False, True):
            case(
                "norm",
                lambda np, x, axis=axis, k=keepdims: np.linalg.norm(x, axis=axis, keepdims=k),
                kind(2, 3),
                peer=False,
            )
case("norm", lambda np, x: np.linalg.norm(x), real(), peer=False)
case("norm", lambda np, x: np.linalg.norm(x), real(2, 3, 2), peer=False)
case("norm", lambda np, x: np.linalg.norm(x, "fro"), real(2, 3))
case("norm", lambda np, x: np.linalg.norm(x, 2, axis=0), real(2, 3), peer=False)
case("norm", lambda np, x: np.linalg.norm(x, axis=1), real(2, 0, 3), peer=False)
case("norm", lambda np, x: np.linalg.matrix_norm(x), real(2, 3, 3), peer=False)
case("norm", lambda np, x: np.linalg.vector_norm(x), real(2, 3, 3), peer=False)
case("norm", lambda np, x: np.linalg.vector_norm(x, axis=(0, 1, 3)), real(2, 3, 2, 2), peer=False)
case("norm", lambda np, x: np.linalg.vector_norm(x, axis=(2, 0), keepdims=True), real(2, 3, 2),
     peer=False)  # fmt: skip
for order, primitive in [(1, "sum"), (onp.inf, "max"), (-onp.inf, "min"), (3, "power"),
                         (2.5, "power"), (0.5, "power"), (-1.5, "power")]:  # fmt: skip
    for kind in (away, away_complex):
        case(
            primitive,
            lambda np, x, order=order: np.linalg.norm(x, order, axis=1, keepdims=True),
            kind(2, 3, 2),
            peer=False,
        )
for order, primitive in [("nuc", "svdvals"), (2, "svdvals"), (-2, "svdvals"), (1, "sum"),
                         (-1, "sum"), (onp.inf, "sum"), (-onp.inf, "sum")]:  # fmt: skip
    for kind in (tall, tall_complex):
        case(
            primitive,
            lambda np, x, order=order: np.linalg.norm(x, order, axis=(0, -1)),
            onp.moveaxis(kind(2, 4, 3), 1, 0),
            peer=False,
        )
    case(
        primitive,
        lambda np, x, order=order: np.linalg.norm(x, order, (1, 2), keepdims=True),
        tall(2, 3, 2),
        peer=False,
    )


@st.composite
def norms(draw):
    shape = draw(shapes(min_dims=1, min_side=1))
    axis = draw(
        st.none() | st.lists(st.integers(0, len(shape) - 1), min_size=1, max_size=2, unique=True)
    )
    axis = None if axis is None else tuple(axis)
    keepdims = draw(st.booleans())
    x = draw(arrays(draw(st.sampled_from([away, away_complex])), shape))
    return (
        lambda np, x: np.linalg.norm(x, axis=axis, keepdims=keepdims),
        [x],
        {"peer": False},
    )


drawn("norm")(norms())


# Inverses, systems, determinants.

for kind in (good, good_complex):
    for shape in ((1, 1), (3, 3), (2, 2, 2), (2, 0, 3, 3)):
        case("inv", lambda np, a: np.linalg.inv(a), kind(*shape))
        case("det", lambda np, a: np.linalg.det(0.5 * a), kind(*shape), peer=kind is good)
        case("cofactor", lambda np, a: apply("cofactor", 0.5 * a), kind(*shape), peer=False)
        case(
            "cofactor_slope",
            lambda np, a, along: apply("cofactor_slope", 0.5 * a, along),
            kind(*shape),
            kind(*shape),
            peer=False,
        )
        case("slogdet", lambda np, a: np.linalg.slogdet(a)[1], kind(*shape), peer=False)
        case("slogdet", lambda np, a: np.linalg.slogdet(a).sign, kind(*shape), peer=False)
    case("det", lambda np, a: np.linalg.det(a), kind(0, 0), peer=False)
    case("inv", lambda np, a: np.linalg.inv(a), kind(0, 0), peer=False)
case("slogdet", lambda np, a: np.linalg.slogdet(a)[1], good(3, 3))
SYSTEMS = [
    ((3, 3), (3,)),
    ((3, 3), (3, 2)),
    ((2, 3, 3), (3,)),
    ((2, 3, 3), (3, 2)),
    ((3, 3), (2, 3, 1)),
    ((4, 1, 2, 2), (3, 2, 2)),
    ((1, 1), (1,)),
    ((0, 0), (0,)),
    ((2, 2), (2, 0)),
]
for a, b in SYSTEMS:
    for left, right in ((good, real), (good_complex, complexes)):
        case(
            "solve",
            lambda np, a, b: np.linalg.solve(a, b),
            left(*a),
            right(*b),
            peer=a == (3, 3) and len(b) < 3,
        )
case("solve", lambda np, a, b: np.linalg.solve(a, b), good_complex(2, 2), real(2), peer=False)
case(
    "solve",
    lambda np, a, b: parts(np, np.linalg.solve(a, b)),
    good(2, 2),
    complexes(2),
    peer=False,
)
case("solve", lambda np, a: np.linalg.solve(a, onp.arange(3.0)), good(3, 3))
case("solve", lambda np, b: np.linalg.solve(onp.eye(3) * 3.0, b), real(3))
case("solve", lambda np, a, b: np.linalg.tensorsolve(a, b), good(6, 6).reshape(2, 3, 6), real(2, 3),
     peer=False)  # fmt: skip
case("inv", lambda np, a: np.linalg.tensorinv(a, 1), good(6, 6).reshape(6, 3, 2), peer=False)


def a_stack(draw, domain):
    n = draw(st.integers(1, 4))
    return draw(arrays(domain, (*draw(shapes(max_dims=2)), n, n)))


SQUARES = st.sampled_from([good, good_complex])


@st.composite
def of_one_square(draw, f, **options):
    return f, [a_stack(draw, draw(SQUARES))], {"peer": False, **options}


drawn("inv")(of_one_square(lambda np, a: np.linalg.inv(a)))
drawn("det")(of_one_square(lambda np, a: np.linalg.det(0.15 * a)))
drawn("cofactor")(of_one_square(lambda np, a: apply("cofactor", 0.15 * a)))
drawn("cofactor_slope")(of_one_square(lambda np, a: apply("cofactor_slope", 0.15 * a, 0.1 * a * a)))
drawn("slogdet")(of_one_square(lambda np, a: np.linalg.slogdet(a)[1]))
drawn("slogdet")(of_one_square(lambda np, a: np.linalg.slogdet(a)[0]))
drawn("expm")(of_one_square(lambda np, a: apply("expm", 0.2 * a)))


@st.composite
def systems(draw):
    n = draw(st.integers(1, 3))
    joint = draw(shapes(max_dims=2))
    left = joint[draw(st.integers(0, len(joint))) :]
    right = joint[draw(st.integers(0, len(joint))) :]
    vector = draw(st.booleans())
    columns = draw(st.integers(0, 3))
    kind = draw(st.booleans())
    a = draw(arrays(good_complex if kind else good, (*left, n, n)))
    b = draw(arrays(complexes if kind else real, (n,) if vector else (*right, n, columns)))
    return lambda np, a, b: np.linalg.solve(a, b), [a, b], {"peer": False}


drawn("solve")(systems())


# Of Hermitian matrices: raw, where the triangle that is read counts, and made symmetric.

for kind in (good, good_complex):
    for shape in ((1, 1), (3, 3), (2, 2, 2), (0, 2, 2)):
        case("cholesky", lambda np, a: np.linalg.cholesky(definite(np, a)), kind(*shape),
             peer=kind is good)  # fmt: skip
        case("cholesky", lambda np, a: np.linalg.cholesky(2.0 * a), kind(*shape), peer=False)
        case("eigvalsh", lambda np, a: np.linalg.eigvalsh(a), kind(*shape), peer=False)
        case("eigvalsh", lambda np, a: np.linalg.eigvalsh(a, "U"), kind(*shape), peer=False)
        case("eigh", lambda np, a: np.linalg.eigh(hermitian(np, a))[0], kind(*shape),
             peer=kind is good and len(shape) == 2)  # fmt: skip
        case(
            "eigh",
            lambda np, a: np.abs(np.linalg.eigh(a, UPLO="u").eigenvectors) ** 2,
            kind(*shape),
            peer=False,
        )
    case(
        "cholesky", lambda np, a: np.linalg.cholesky(2.0 * a, upper=True), kind(2, 3, 3), peer=False
    )
case("eigh", lambda np, a: np.linalg.eigh(a)[1], good(3, 3), peer=False)
case("eigh", lambda np, a: np.linalg.eigh(a)[1] * np.linalg.eigh(a, "U")[1], good(2, 3, 3),
     peer=False)  # fmt: skip
case("eigvalsh", lambda np, a: np.linalg.eigvalsh(a), good(0, 0), peer=False)
drawn("cholesky")(of_one_square(lambda np, a: np.linalg.cholesky(2.0 * a)))
drawn("eigvalsh")(of_one_square(lambda np, a: np.linalg.eigvalsh(a)))


@st.composite
def spectral(draw):
    triangle = draw(st.sampled_from("LU"))

    def f(np, a):
        values, vectors = np.linalg.eigh(a, triangle)
        return (vectors * np.expand_dims(np.sin(values), -2)) @ turned(np, vectors)

    return f, [a_stack(draw, draw(SQUARES))], {"peer": False}


drawn("eigh")(spectral())


# Of any square matrices: complex always.


def by_eigvals(np, a):
    values = np.linalg.eigvals(a)  # in an order that may change with the last bit
    return np.sum(parts(np, np.sin(values)), axis=-1)


def by_eig(np, a):
    values, vectors = np.linalg.eig(a)
    middle = (vectors * np.expand_dims(np.sin(values), -2)) @ np.linalg.inv(vectors)
    sizes = np.sum(np.absolute(vectors) ** 4, axis=-1)
    return parts(np, middle) + np.expand_dims(sizes, -1)


ROTATIONS = onp.array([[[1.0, 2.0], [-1.0, 1.5]], [[0.5, -1.0], [2.0, 1.0]]])
for a in (good(3, 3), good_complex(3, 3), good(2, 2, 2), ROTATIONS, good(1, 1), good(0, 2, 2)):
    case("eig", by_eig, a, peer=False)
    case("eigvals", by_eigvals, a, peer=False)
drawn("eig")(of_one_square(by_eig))
drawn("eigvals")(of_one_square(by_eigvals))


# Singular values and orthogonal factors.


def by_svd(np, a, full=False):
    u, s, vh = np.linalg.svd(a, full_matrices=full)
    k = s.shape[-1]
    middle = (u[..., :k] * np.expand_dims(np.sin(s), -2)) @ vh[..., :k, :]
    return middle + np.expand_dims(np.abs(u[..., 0, :k]) ** 2 @ s[..., None], -1)


def by_full_svd(np, a):
    u, s, vh = np.linalg.svd(a)
    k = s.shape[-1]
    left, right = u[..., k:], vh[..., k:, :]
    rows = np.sum(left @ turned(np, left), axis=-1)[..., None]
    columns = np.sum(turned(np, right) @ right, axis=-2)[..., None, :]
    return rows * rows + columns * columns + by_svd(np, a, True)


for kind in (tall, tall_complex):
    for shape in ((3, 3), (4, 2), (2, 4), (2, 3, 2), (1, 1), (0, 2, 3)):
        case("svd", by_svd, kind(*shape), peer=False)
        case("svdvals", lambda np, a: np.linalg.svd(a, compute_uv=False), kind(*shape), peer=False)
        case("svdvals", lambda np, a: np.linalg.svdvals(a), kind(*shape), peer=False)
        case("qr", lambda np, a: np.linalg.qr(a)[0], kind(*shape), peer=False)
        case("qr", lambda np, a: np.linalg.qr(a, mode="r"), kind(*shape), peer=False)
        case("qr", lambda np, a: np.linalg.qr(a).Q @ np.linalg.qr(a * a).R, kind(*shape),
             peer=False)  # fmt: skip
        case("pinv", lambda np, a: np.linalg.pinv(a), kind(*shape), peer=False)
        case("pinv", lambda np, a: np.linalg.pinv(a @ turned(np, a)[..., :1] @ a[..., :1, :], 1e-5),
             kind(*shape), peer=False)  # fmt: skip
    for shape in ((4, 2), (2, 4), (2, 4, 3)):
        case("svd", by_full_svd, kind(*shape), peer=False)
case("svd", lambda np, a: np.linalg.svd(a)[0], tall(3, 3), peer=False)
case("svd", lambda np, a: np.linalg.svd(a, full_matrices=False)[2], tall(4, 3))
case("svd", lambda np, a: np.linalg.svd(a, full_matrices=False)[0] * 2.0, tall(2, 4, 3))
for kind in (tall, tall_complex):
    for a, b in [
        ((4, 2), (4,)),
        ((4, 2), (4, 3)),
        ((2, 4), (2,)),
        ((3, 3), (3, 1)),
        ((3, 1), (3, 0)),
    ]:
        case(
            "lstsq",
            lambda np, a, b: np.linalg.lstsq(a, b)[0],
            kind(*a),
            (real if kind is tall else complexes)(*b),
            peer=False,
        )
case("lstsq", lambda np, a, b: np.linalg.lstsq(a, b)[1], tall(4, 2), real(4), peer=False)
case("svdvals", lambda np, a: np.linalg.cond(a), tall(3, 2), peer=False)
case("svdvals", lambda np, a: np.linalg.cond(a, -2), tall(2, 2, 2), peer=False)
case("inv", lambda np, a: np.linalg.cond(a, 1), good(2, 3, 3), peer=False)


@st.composite
def of_one_matrix(draw, f):
    m, n = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    a = draw(arrays(draw(st.sampled_from([tall, tall_complex])), (*draw(shapes(max_dims=1)), m, n)))
    return f, [a], {"peer": False}


drawn("svd")(of_one_matrix(by_svd))
drawn("svd")(of_one_matrix(by_full_svd))
drawn("svdvals")(of_one_matrix(lambda np, a: np.linalg.svdvals(a)))
drawn("qr")(of_one_matrix(lambda np, a: np.linalg.qr(a)[0] @ np.sin(np.linalg.qr(a)[1])))
drawn("pinv")(of_one_matrix(lambda np, a: np.linalg.pinv(a)))


@st.composite
def least_squares(draw):
    m, n = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    kind = draw(st.booleans())
    a = draw(arrays(tall_complex if kind else tall, (m, n)))
    columns = draw(st.sampled_from([(), (1,), (2,)]))
    b = draw(arrays(complexes if kind else real, (m, *columns)))
    return lambda np, a, b: np.linalg.lstsq(a, b)[0], [a, b], {"peer": False}


drawn("lstsq")(least_squares())


# Powers, exponentials, products of many, and what SciPy has.

for power in (-2, 1, 2, 3, 5):
    case(
        "matmul" if power > 1 else "inv",
        lambda np, a, power=power: np.linalg.matrix_power(a + np.linalg.inv(a), power) * 0.1,
        0.5 * good(2, 3, 3),
        peer=False,
    )
case("matmul", lambda np, a, b, c: np.linalg.multi_dot([a, b, c]), real(3), real(3, 4), real(4, 2),
     peer=False)  # fmt: skip
case("matmul", lambda np, a, b, c, d: np.linalg.multi_dot([a, b, c, d]), real(2, 5), real(5, 1),
     complexes(1, 4), real(4), peer=False)  # fmt: skip
for kind in (good, good_complex):
    case("expm", lambda np, a: apply("expm", a * 0.3), kind(3, 3), peer=False)
    case("expm", lambda np, a: apply("expm", a * 3.0), kind(2, 2) - 4.0 * onp.eye(2), peer=False)
    case("expm", lambda np, a: apply("expm", a * onp.array([0.1, 1.0])[:, None, None]),
         kind(2, 2, 2), peer=False)  # fmt: skip
case("expm", lambda np, a: apply("expm", a), real(0, 0), peer=False)
for trans in (0, 1, "C"):
    for lower in (False, True):
        case(
            "solve",
            lambda np, a, b, trans=trans, lower=lower: sl.solve_triangular(
                a, b, trans=trans, lower=lower
            ),
            good(3, 3),
            real(3, 2),
            peer=False,
        )
case(
    "solve",
    lambda np, a, b: sl.solve_triangular(a, b, unit_diagonal=True),
    good(3, 3),
    real(3),
    peer=False,
)
for lower in (False, True):
    case(
        "cholesky",
        lambda np, a, b, lower=lower: sl.cho_solve(sl.cho_factor(2.0 * a, lower), b),
        good(3, 3),
        real(3),
        peer=False,
    )
case("concatenate", lambda np, a, b, c: sl.block_diag(a, b, c), real(2, 3), real(1, 1), real(2),
     peer=False)  # fmt: skip
case("getitem", lambda np, c: sl.toeplitz(c), real(3), peer=False)
case("getitem", lambda np, c, r: sl.toeplitz(c, r), real(3), real(4), peer=False)

flat("greater", lambda np, a: np.linalg.matrix_rank(a), real(2, 3, 2))
flat("greater", lambda np, a: np.linalg.matrix_rank(a, 0.1), real(3, 2))
