"""Linear algebra: values and options as NumPy and SciPy have them, and the known traps."""

import numpy as np
import pytest
import scipy.linalg

import backwave as bw
import backwave.scipy.linalg as sl
from backwave.protocol.tracing.trace import record

random = np.random.default_rng(4)
A = random.normal(size=(3, 3)) + 3.0 * np.eye(3)
STACK = random.normal(size=(2, 3, 3)) + 3.0 * np.eye(3)
TALL, WIDE = random.normal(size=(4, 2)), random.normal(size=(2, 2, 4))
COMPLEX = A + 1j * random.normal(size=(3, 3))
VECTOR = random.normal(size=3)


def same(f, *args, rtol=1e-12):
    """Check each output of f, traced, against itself, and the type of all of them together."""
    expected = f(*args)
    many = isinstance(expected, tuple)
    for i, value in enumerate(expected if many else (expected,)):

        def one(*args, i=i):
            result = f(*args)
            assert type(result) is type(expected) or not many
            return result[i] if many else result

        graph, values, *_ = record(one, args)
        found = values[graph.output]
        assert np.shape(found) == np.shape(value)
        assert found.dtype == np.asarray(value).dtype
        np.testing.assert_allclose(found, value, rtol=rtol, atol=rtol)
        abstract = bw.trace(one, *(bw.Shape(np.shape(a), a.dtype) for a in args))
        assert abstract.nodes[abstract.output].shape == np.shape(value)
        assert abstract.nodes[abstract.output].dtype == np.asarray(value).dtype


@pytest.mark.parametrize("ord", [None, 2, 1, 0, 3, 2.5, 0.5, -1, -2.0, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["f8", "f4", "c16", "i8"])
def test_norms_of_vectors(ord, dtype):
    x = (4.0 * (COMPLEX if dtype == "c16" else A)).astype(dtype) + np.eye(3, dtype=dtype) * 5
    x = np.where(x == 0, x + 1, x) if ord is not None and ord < 0 else x
    rtol = 1e-6 if dtype == "f4" else 1e-13
    other = 2 if ord is None else ord
    same(lambda x: np.linalg.norm(x[0], ord), x, rtol=rtol)
    same(lambda x: np.linalg.norm(x, ord, -1, keepdims=True), x, rtol=rtol)
    same(lambda x: np.linalg.norm(x, ord, axis=(0,)), x, rtol=rtol)
    same(lambda x: np.linalg.vector_norm(x, ord=other), x, rtol=rtol)
    same(lambda x: np.linalg.vector_norm(x, ord=other, axis=1, keepdims=True), x, rtol=rtol)
    same(lambda x: np.linalg.vector_norm(x[None, :, :, None], ord=other, axis=(3, 0, 2)), x,
         rtol=rtol)  # fmt: skip


@pytest.mark.parametrize("ord", [None, "fro", "f", "nuc", 1, -1, 2, -2, np.inf, -np.inf])
@pytest.mark.parametrize("x", [A, STACK[0].astype("f4"), COMPLEX, TALL, np.eye(2, 3, dtype="i4")])
def test_norms_of_matrices(ord, x):
    rtol = 1e-6 if x.dtype == np.float32 else 1e-13
    same(lambda x: np.linalg.norm(x, ord), x, rtol=rtol)
    same(lambda x: np.linalg.norm(x[:, None], ord, axis=(2, 0), keepdims=True), x, rtol=rtol)
    same(lambda x: np.linalg.norm(x[:, None], ord, axis=(0, -1)), x, rtol=rtol)
    if ord is not None:
        same(lambda x: np.linalg.matrix_norm(x, ord=ord, keepdims=True), x, rtol=rtol)


LIKE_NUMPY = {
    "inv": np.linalg.inv,
    "det": np.linalg.det,
    "slogdet": np.linalg.slogdet,
    "cholesky": np.linalg.cholesky,
    "cholesky upper": lambda a: np.linalg.cholesky(a, upper=True),
    "eigh": np.linalg.eigh,
    "eigh U": lambda a: np.linalg.eigh(a, "U"),
    "eigvalsh": lambda a: np.linalg.eigvalsh(a, UPLO="U"),
    "svd": np.linalg.svd,
    "svd reduced": lambda a: np.linalg.svd(a, full_matrices=False),
    "svd of all": lambda a: np.linalg.svd(a[..., :2]),
    "svd of values": lambda a: np.linalg.svd(a, compute_uv=False),
    "svdvals": np.linalg.svdvals,
    "qr": np.linalg.qr,
    "qr r": lambda a: np.linalg.qr(a[..., :2], mode="r"),
    "qr complete": lambda a: np.linalg.qr(a[..., :2, :], "complete"),
    "pinv": lambda a: np.linalg.pinv(a[..., :2], rtol=None),
    "pinv rcond": lambda a: np.linalg.pinv(a, 0.3),
    "cond": np.linalg.cond,
    "cond -2": lambda a: np.linalg.cond(a[..., :2], -2),
    "cond fro": lambda a: np.linalg.cond(a, "fro"),
    "cond inf": lambda a: np.linalg.cond(a, np.inf),
    "matrix_rank": np.linalg.matrix_rank,
    "matrix_rank tol": lambda a: np.linalg.matrix_rank(a, 2.0),
    "matrix_rank rtol": lambda a: np.linalg.matrix_rank(a, rtol=0.5),
    "matrix_power 0": lambda a: np.linalg.matrix_power(a, 0) * a,
    "matrix_power 3": lambda a: np.linalg.matrix_power(a, 3),
    "matrix_power -5": lambda a: np.linalg.matrix_power(a, -5),
    "solve": lambda a: np.linalg.solve(a, a[..., :2]),
    "solve of a vector": lambda a: np.linalg.solve(a, VECTOR.astype("f4")),
    "matrix_transpose": np.linalg.matrix_transpose,
    "trace": lambda a: np.linalg.trace(a, offset=1),
    "diagonal": lambda a: np.linalg.diagonal(a, offset=-1),
    "matmul": lambda a: np.linalg.matmul(a, a),
    "tensordot": lambda a: np.linalg.tensordot(a, a, axes=(-1, -2)),
    "vecdot": lambda a: np.linalg.vecdot(a, a[..., ::-1, :], axis=-2),
    "cross": lambda a: np.linalg.cross(a, a[..., ::-1, :]),
}


@pytest.mark.parametrize("name", LIKE_NUMPY)
@pytest.mark.parametrize(
    "a", [A, STACK, COMPLEX, STACK.astype("f4")], ids=["f8", "stack", "c16", "f4"]
)
def test_values_are_numpys(name, a):
    if "cholesky" in name:
        a = a @ np.conj(np.swapaxes(a, -1, -2)) + np.tril(np.ones((3, 3), a.dtype), -1) * 0.1
    same(LIKE_NUMPY[name], a, rtol=2e-4 if a.dtype == np.float32 else 1e-12)


def test_values_of_more_are_numpys():
    same(np.linalg.eig, COMPLEX)
    same(np.linalg.eigvals, np.array([[1.0, 2.0], [-2.0, 1.0]]))
    same(np.linalg.svd, TALL)
    same(lambda a: np.linalg.outer(a, a + 1.0), VECTOR)
    same(lambda a: np.linalg.norm(a), np.array(-2.0))
    same(lambda a, b: np.linalg.lstsq(a, b)[0], TALL, random.normal(size=(4, 2)))
    same(lambda a, b: np.linalg.lstsq(a, b)[1], TALL, random.normal(size=(4, 2)))
    same(lambda a, b: np.linalg.lstsq(a, b)[2], TALL, random.normal(size=4))
    same(lambda a, b: np.linalg.lstsq(a, b, rcond=0.1)[3], TALL.T, random.normal(size=2))
    same(lambda a, b: np.linalg.lstsq(a, b)[1], TALL.T, random.normal(size=2))
    four = random.normal(size=(6, 4)), random.normal(size=(4, 1)), random.normal(size=(1, 5))
    same(lambda a, b, c, d: np.linalg.multi_dot([a, b, c, d]), *four, random.normal(size=5))
    same(lambda a, b: np.linalg.multi_dot([a, b]), VECTOR, VECTOR)
    a, b = random.normal(size=(2, 3, 6)), random.normal(size=(2, 3))
    same(np.linalg.tensorsolve, a, b)
    a, b = random.normal(size=(2, 6, 3)), random.normal(size=6)
    same(lambda a, b: np.linalg.tensorsolve(a, b, axes=(0,)), a, b)
    same(lambda a: np.linalg.tensorinv(a, ind=1), random.normal(size=(6, 2, 3)))
    assert np.linalg.matrix_rank(VECTOR) == 1
    graph, values, *_ = record(np.linalg.matrix_rank, (VECTOR,))
    assert values[graph.output] == 1


# SciPy: plain arrays go to it, traced nodes do as it does.

SCIPY = {
    "solve_triangular": lambda sl, a: sl.solve_triangular(a, a[:, :2]),
    "solve_triangular lower": lambda sl, a: sl.solve_triangular(a, a[0], trans="T", lower=True),
    "solve_triangular unit": lambda sl, a: sl.solve_triangular(a, a, "C", unit_diagonal=True),
    "cho_factor": lambda sl, a: sl.cho_factor(a @ a.conj().T)[0],
    "cho_solve": lambda sl, a: sl.cho_solve(sl.cho_factor(a @ a.conj().T, True), a[0]),
    "expm": lambda sl, a: sl.expm(a),
    "expm large": lambda sl, a: sl.expm(a * 20.0),
    "expm small": lambda sl, a: sl.expm(a * 1e-3),
    "block_diag": lambda sl, a: sl.block_diag(a, a[0], a[:1, :2]),
    "toeplitz": lambda sl, a: sl.toeplitz(a[0]),
    "toeplitz of two": lambda sl, a: sl.toeplitz(a[0], a[1, :2]),
}


@pytest.mark.parametrize("name", SCIPY)
@pytest.mark.parametrize("a", [A, COMPLEX], ids=["f8", "c16"])
def test_values_are_scipys(name, a):
    f = SCIPY[name]
    expected = f(scipy.linalg, a)
    np.testing.assert_array_equal(f(sl, a), expected)
    conjugated = lambda a: np.conjugate(a) if a.dtype.kind == "c" else a  # noqa: E731

    def traced(a):
        if name.startswith("cho"):
            product = a @ np.swapaxes(conjugated(a), 0, 1)
            if name == "cho_factor":
                return sl.cho_factor(product)[0]
            return sl.cho_solve(sl.cho_factor(product, True), a[0])
        return f(sl, a)

    graph, values, *_ = record(traced, (a,))
    np.testing.assert_allclose(
        values[graph.output], expected, rtol=1e-11, atol=1e-12 * np.max(np.abs(expected))
    )


def test_expm_of_stacks_and_of_what_is_not_finite():
    a = random.normal(size=(2, 4, 4)) * np.array([0.1, 10.0])[:, None, None]
    graph, values, *_ = record(lambda a: sl.expm(a), (a,))
    np.testing.assert_allclose(values[graph.output], scipy.linalg.expm(a), rtol=1e-11)
    with np.errstate(all="ignore"):
        graph, values, *_ = record(lambda a: sl.expm(a), (np.array([[np.inf, 0.0], [0.0, 1.0]]),))
    assert not np.all(np.isfinite(values[graph.output]))


# Traps.


def test_norms_at_zero_have_the_slope_zero():
    for shape in ((3,), (2, 3), (2, 2, 2)):
        zeros = np.zeros(shape)
        np.testing.assert_array_equal(bw.grad(np.linalg.norm)(zeros), zeros)
        for ord in (0.5, 1, 1.5, 2, 3, 7.0):
            found = bw.grad(lambda x, p=ord: np.sum(np.linalg.norm(x, p, axis=0)))(zeros)
            np.testing.assert_array_equal(found, zeros)
    for ord in ("fro", "nuc", 2, 1, np.inf):
        found = bw.grad(lambda x, p=ord: np.linalg.norm(x, p))(np.zeros((2, 3)))
        np.testing.assert_array_equal(found, np.zeros((2, 3)))
    row = np.array([[3.0, 4.0], [0.0, 0.0]])
    found = bw.grad(lambda x: np.sum(np.linalg.norm(x, axis=1)))(row)
    np.testing.assert_allclose(found, [[0.6, 0.8], [0.0, 0.0]], rtol=1e-15)
    assert np.all(bw.grad(np.linalg.norm)(np.zeros(2, complex)) == 0)
    second = bw.grad(lambda x: np.sum(bw.grad(np.linalg.norm)(x)))(np.zeros(3))
    assert np.all(np.isfinite(second))


def test_det_of_a_singular_matrix_has_its_cofactors():
    a = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
    cofactors = [[-3.0, 6.0, -3.0], [6.0, -12.0, 6.0], [-3.0, 6.0, -3.0]]
    np.testing.assert_allclose(bw.grad(np.linalg.det)(a), cofactors, atol=1e-13)
    np.testing.assert_allclose(bw.grad(np.linalg.det)(np.diag([2.0, 0.0])), np.diag([0.0, 2.0]))
    np.testing.assert_array_equal(bw.grad(np.linalg.det)(np.zeros((3, 3))), np.zeros((3, 3)))
    # Of [[a, b], [c, d]]: the slope of the cofactors d - b is 1 at d, and so for all.
    slope = bw.grad(lambda a: bw.grad(np.linalg.det)(a)[0, 0])(np.zeros((2, 2)))
    np.testing.assert_allclose(slope, [[0.0, 0.0], [0.0, 1.0]], atol=1e-15)
    third = bw.grad(lambda a: bw.grad(lambda b: bw.grad(np.linalg.det)(b)[0, 0])(a)[1, 1])(
        np.eye(3)
    )
    np.testing.assert_allclose(third, np.diag([0.0, 0.0, 1.0]), atol=1e-14)


def test_equal_eigenvalues_and_singular_values_have_finite_messages():
    for a in (np.eye(3), np.zeros((3, 3)), np.diag([2.0, 2.0, 5.0])):
        for f in (
            lambda a: np.sum(np.linalg.eigh(a)[0] ** 2),
            lambda a: np.sum(np.linalg.eigvalsh(a) ** 3),
            lambda a: np.sum(np.linalg.eigh(a)[1]),
            lambda a: np.sum(np.linalg.svd(a)[0]),
            lambda a: np.sum(np.linalg.svd(a, full_matrices=False)[2]),
            lambda a: np.sum(np.linalg.svdvals(a) ** 2),
            lambda a: np.sum(np.real(np.linalg.eigvals(a) ** 2)),
        ):
            assert np.all(np.isfinite(bw.grad(f)(a)))
            assert np.all(np.isfinite(bw.grad(lambda a, f=f: np.sum(bw.grad(f)(a) ** 2))(a)))
    # What does not depend on the choice of vectors is right there: polar factors turn with a.
    polar = lambda a: np.linalg.svd(a)[0] @ np.linalg.svd(a)[2]  # noqa: E731
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    _, back = bw.vjp(polar, np.eye(2))
    np.testing.assert_allclose(back(turn)[0], turn, atol=1e-15)


def test_the_triangle_that_is_read_gets_the_message():
    a = A @ A.T
    below, above = np.tril(np.ones((3, 3)), -1) == 1, np.triu(np.ones((3, 3)), 1) == 1
    for f, unread in (
        (np.linalg.cholesky, above),
        (lambda a: np.linalg.cholesky(a, upper=True), below),
        (np.linalg.eigvalsh, above),
        (lambda a: np.linalg.eigh(a, "U")[1], below),
    ):
        found = bw.grad(lambda a, f=f: np.sum(np.sin(f(a))))(a)
        assert np.all(found[unread] == 0)
        assert np.all(found[~unread] != 0)


def test_eig_is_complex_always():
    graph, values, *_ = record(lambda a: np.linalg.eigvals(a), (np.diag([1.0, 2.0]),))
    assert values[graph.output].dtype == np.complex128
    found = bw.grad(lambda a: np.real(np.sum(np.linalg.eig(a)[0] ** 2)))(np.diag([1.0, 2.0]))
    np.testing.assert_allclose(found, np.diag([2.0, 4.0]), atol=1e-14)


def test_integers_are_computed_with_and_have_no_gradient():
    whole = np.array([[2, 1], [1, 3]])
    _, values, *_ = record(lambda x, a: np.sum(x * np.linalg.inv(a)), (np.eye(2), whole))
    found = bw.grad(lambda x, a: np.sum(np.linalg.solve(a, x)))(np.ones(2), whole)
    np.testing.assert_allclose(found, np.sum(np.linalg.inv(whole), axis=0), rtol=1e-15)
    assert values[-1] == pytest.approx(np.trace(np.linalg.inv(whole)))


REFUSED = {
    "hermitian=": lambda a: np.linalg.pinv(a, hermitian=True),
    "hermitian= cannot": lambda a: np.linalg.svd(a, hermitian=True),
    "mode='complete'": lambda a: np.linalg.qr(a[:, :1], "complete"),
    "mode='raw'": lambda a: np.linalg.qr(a, "raw"),
    "no order of a norm of vectors": lambda a: np.linalg.norm(a[0], "fro"),
    "no order of a norm of matrices": lambda a: np.linalg.norm(a, 3),
    "norm of order 2": lambda a: np.linalg.norm(a[None], 2),
    "UPLO is": lambda a: np.linalg.eigh(a, "x"),
    "square matrices": lambda a: np.linalg.inv(a[:2]),
    "needs square": lambda a: np.linalg.det(a[:, :2]),
    "numbers of rows differ": lambda a: np.linalg.solve(a, a[:2]),
    "a matrix": lambda a: np.linalg.svdvals(a[0]),
    "whole number": lambda a: np.linalg.matrix_power(a, 0.5),
    "3 entries": lambda a: np.linalg.cross(a[:, :2], a[:, :2]),
    "takes two ": lambda a: np.linalg.outer(a, a),
    "float16": lambda a: np.linalg.inv(a.astype("f2")),
    "system is not square": lambda a: np.linalg.tensorsolve(a[:2], np.ones(2)),
    "must be one plain number": lambda a: np.linalg.pinv(a, np.ones(3)),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_traced_is_refused_by_name(reason):
    errors = (bw.errors.ShapeError, bw.errors.TraceError)
    with pytest.raises(errors, match=rf"test_faces_linalg\.py:\d+: .*{reason}"):
        bw.trace(REFUSED[reason], bw.Shape((3, 3)))
    with pytest.raises(errors, match=r"test_faces_linalg\.py:\d+"):
        bw.trace(REFUSED[reason], A)


def test_a_fit_with_a_plain_matrix():
    a, b = np.arange(12.0).reshape(4, 3) ** 0.5, np.array([1.0, -2.0, 0.5, 3.0])
    found, expected = bw.vjp(lambda b: np.linalg.lstsq(a, b), b)[0], np.linalg.lstsq(a, b)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)
        assert ours.dtype == np.asarray(theirs).dtype


def test_stacks_of_toeplitz_and_of_solves_with_one_vector():
    c = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 7.0]])
    for f, *args in (
        (sl.toeplitz, c),
        (sl.toeplitz, c, c[:, :2]),
        (
            lambda a, b: sl.cho_solve(sl.cho_factor(a @ a.mT + np.eye(3)), b),
            np.stack([c.T @ c, np.eye(3)]),
            c[0],
        ),
    ):
        expected = f(*args)
        found = bw.vjp(f, *args)[0]
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        bw.check_grads(f, tolerance=1e-5)(*args)
