"""Products, Fourier transforms and convolutions: traced, they have NumPy's and SciPy's values."""

import numpy as np
import pytest
import scipy.signal

import backwave as bw
from backwave.protocol.rules.einsum import well_formed
from backwave.scipy import signal

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

_draw = np.random.default_rng(11)


def real(*shape):
    return _draw.normal(size=shape)


def complexes(*shape):
    return real(*shape) + 1j * real(*shape)


def primitives(f, *arrays):
    graph = bw.trace(f, *arrays)
    return [node.primitive for node in graph.nodes if node.inputs]


def agrees(f, *arrays, oracle=None):
    """Whether ``f`` traced gives the values, shape and dtype of the plain function."""
    expected = np.asarray((oracle or f)(*arrays))
    found = np.asarray(bw.vjp(f, *arrays)[0])
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    tolerance = 1e-3 if found.dtype in ("f2", "f4", "c8") else 1e-12
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


# Sums of products.


@pytest.mark.parametrize(
    ("subscripts", "operands"),
    [
        ("ij->", (np.ones((2, 2), "i4"),)),
        ("ij->", (np.ones((2, 2), bool),)),
        ("ij,jk->ik", (np.ones((2, 2), bool), np.eye(2, dtype=bool))),
        ("i,->i", (np.ones(2, "f4"), np.float64(2.0))),
        ("i j , j k", (real(2, 3), real(3, 2))),
        ("bA,aB", (real(2, 3), real(2, 3))),
        ("->", (np.float64(1.5),)),
        ("...,...", (real(2, 1), real(3))),
        ("ij,ij->j", (real(1, 3), real(0, 3))),
    ],
)
def test_einsum_reads_subscripts_as_numpy_does(subscripts, operands):
    agrees(lambda *operands: np.einsum(subscripts, *operands), *operands)


def test_einsum_takes_an_order_or_finds_one():
    a, b, c = real(10, 2), real(2, 10), real(10, 1)
    path = ["einsum_path", (0, 1), (0, 1)]
    for optimize, first in ((True, "jk,kl->jl"), (path, "ij,jk->ik")):
        graph = bw.trace(lambda *z, o=optimize: np.einsum("ij,jk,kl->il", *z, optimize=o), a, b, c)
        products = [node for node in graph.nodes if node.primitive == "einsum"]
        assert products[0].attributes["subscripts"] == first
        assert len(products) == 2


def test_a_product_is_one_node_and_its_messages_are_too():
    a, b = real(2, 3, 4), real(5, 4, 3)
    tensordot = lambda a, b: np.tensordot(a, b, axes=([1, 2], [2, 1]))  # noqa: E731
    assert primitives(tensordot, a, b) == ["einsum"]
    gradient = bw.trace(
        lambda a, b: bw.grad(lambda a: np.sum(np.sin(np.einsum("nij,kji->nk", a, b))))(a)[0, 0, 0],
        a,
        b,
    )
    assert [node.primitive for node in gradient.nodes].count("einsum") == 2


def test_a_weight_shared_by_a_stack_gets_one_message_and_no_stack_of_them():
    w, z = real(2, 3), real(50, 3, 4)
    gradient = bw.trace(lambda w, z: np.sum(bw.grad(lambda w: np.sum((w @ z) ** 2))(w)), w, z)
    assert (50, 2, 3) not in {node.shape for node in gradient.nodes}


@pytest.mark.parametrize(
    ("subscripts", "shapes", "match"),
    [
        ("ij,jk", [(2, 3)], "2 terms and 1 operands"),
        ("ij", [(2,)], "labels 'ij'"),
        ("i", [(2, 3)], "labels 'i'"),
        ("ij,jk->ik", [(2, 3), (4, 2)], "lengths 3 and 4"),
        ("ii", [(2, 3)], "lengths of 'i' differ"),
        ("i->j", [(2,)], "output 'j'"),
        ("i->ii", [(2,)], "output 'ii'"),
        ("...i->i", [(2, 3)], r"needs '\.\.\.'"),
        ("i%->i", [(2,)], "cannot read"),
    ],
)
def test_einsum_says_what_is_wrong(subscripts, shapes, match):
    with pytest.raises(bw.errors.ShapeError, match=match) as error:
        bw.trace(
            lambda *z: np.sum(np.einsum(subscripts, *z)), *(np.ones(shape) for shape in shapes)
        )
    assert "test_faces_products.py" in str(error.value)
    with pytest.raises(ValueError, match=r".+"):  # and so does NumPy
        np.einsum(subscripts, *(np.ones(shape) for shape in shapes))


def test_options_that_cannot_be_traced_are_refused_by_name():
    with pytest.raises(bw.errors.TraceError, match="dtype="):
        bw.trace(lambda x: np.einsum("i->", x, dtype="f4"), np.ones(2))
    with pytest.raises(bw.errors.TraceError, match="out="):
        bw.trace(lambda x: np.fft.fft(x, out=np.ones(2, complex)), np.ones(2))
    bw.trace(lambda x: np.einsum("i->", x, order="K", casting="safe"), np.ones(2))


def test_subscripts_from_outside_are_held_to_their_form():
    for text in ("ij,jk->ik", ",->", "i,->i", "bij,bjk->kbi"):
        assert well_formed(text)
    for text in ("ij,jk", "ii,i->i", "ij,jk->k", "i,j->i", "i,i->i ", "i,i,i->i", "...i,i->i"):
        assert not well_formed(text)


@pytest.mark.parametrize(
    ("left", "right"),
    [((2,), (3,)), ((2, 3), (4,)), ((2,), (3, 4)), ((2, 3), (4, 1, 5)), ((), (2,)), ((2, 0), (3,))],
)
def test_products_of_all_with_all(left, right):
    for a, b in ((real(*left), real(*right)), (complexes(*left), real(*right).astype("f4"))):
        agrees(np.kron, a, b)
        agrees(np.outer, a, b)
        agrees(lambda a, b: np.tensordot(a, b, axes=0), a, b)


def test_products_of_vectors():
    agrees(np.vdot, complexes(2, 3), complexes(3, 2))
    agrees(np.vdot, complexes(3), real(3))
    agrees(np.inner, real(2, 3), real(4, 3))
    agrees(np.inner, real(2, 3), np.float64(1.5))
    agrees(np.dot, real(2, 2, 3), real(4, 3, 2))
    agrees(np.dot, real(2, 2, 3), real(3))
    agrees(lambda a, b: np.dot(a, [1.0, 2.0]) + b, real(3, 2), real(3))
    agrees(np.linalg.outer, real(2), real(3))
    agrees(np.linalg.tensordot, real(2, 3, 4), real(3, 4))
    for a, b in (((3,), (3,)), ((3,), (2,)), ((2, 2), (3,)), ((2,), (2,)), ((4, 2), (1, 2))):
        agrees(np.cross, real(*a), real(*b))
    agrees(lambda a, b: np.cross(a, b, axis=0), real(3, 2), real(3, 2))
    agrees(lambda a, b: np.cross(a, b, axisa=0, axisb=1, axisc=0), real(3, 4), real(4, 3))
    for name, left, right in (
        ("vecdot", (2, 3), (4, 1, 3)),
        ("matvec", (2, 4, 3), (3,)),
        ("vecmat", (2, 3), (3, 4)),
    ):
        if hasattr(np, name):
            agrees(getattr(np, name), complexes(*left), complexes(*right))
            agrees(getattr(np, name), real(*left).astype("f4"), np.ones(right, "i4"))


def test_polynomials():
    for p in (real(4), [1, 2.5], [3.0], np.arange(3)):
        agrees(lambda x, p=p: np.polyval(p, x), real(2, 3))
        agrees(lambda x, p=p: np.polyval(p, x), np.float32([1.5, 2.0]))
    agrees(np.polyval, real(3), np.float64(0.5))
    agrees(np.polyval, real(1), real(2))
    agrees(lambda a, x: np.polyval([a, 1.0, a * a], x), np.float64(2.0), real(3))
    agrees(np.vander, real(4))
    agrees(lambda x: np.vander(x, 3, increasing=True), np.array([0.0, 1.0, -2.0]))
    agrees(lambda x: np.vander(x, 0), real(2))


# Fourier transforms.

ONE_AXIS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
SEVERAL = ("fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn")


def takes_real(name):
    return name in ("rfft", "ihfft", "rfft2", "rfftn")


@pytest.mark.parametrize("name", ONE_AXIS)
def test_transforms_of_one_axis(name):
    transform = getattr(np.fft, name)
    z = (real if takes_real(name) else complexes)(4, 5)
    for n in (None, 1, 2, 4, 7):
        for axis in (0, -1):
            for norm in (None, "backward", "ortho", "forward"):
                agrees(lambda z, n=n, axis=axis, norm=norm: transform(z, n, axis, norm), z)
    for dtype in ("?", "i2", "i8", "f2", "f4", "f8", "c8", "c16"):
        if not (takes_real(name) and dtype[0] == "c"):
            agrees(transform, np.ones((2, 3), dtype))


@pytest.mark.parametrize("name", SEVERAL)
def test_transforms_of_several_axes(name):
    transform = getattr(np.fft, name)
    z = (real if takes_real(name) else complexes)(3, 4, 5)
    for options in (
        {},
        {"axes": (0, 1)},
        {"s": (3, 6), "axes": (0, 1)},
        {"s": (4, -1), "axes": (2, 0)},
        {"norm": "ortho", "axes": (1,)},
        {"s": (2, 3)},
        {"axes": (1, 1, 0), "norm": "forward"},
    ):
        agrees(lambda z, options=options: transform(z, **options), z)


def test_shifts_of_the_spectrum():
    for shift in (np.fft.fftshift, np.fft.ifftshift):
        for axes in (None, 0, (0, 1), [1], ()):
            agrees(lambda x, shift=shift, axes=axes: shift(x, axes), real(3, 4))


def test_transforms_say_what_is_wrong():
    for f, match in (
        (lambda x: np.fft.fft(x, 0), "of 0 entries"),
        (lambda x: np.fft.fft(x, norm="other"), "norm='other'"),
        (lambda x: np.fft.fft(x, axis=2), "axis 2"),
        (lambda x: np.fft.rfft(x * 1j), "real numbers"),
        (lambda x: np.fft.fft2(x, s=(2,)), "not as many"),
        (lambda x: np.fft.irfft(x[:, :1]), "of 0 entries"),
    ):
        for argument in (np.ones((2, 3)), bw.Shape((2, 3))):
            with pytest.raises(bw.errors.ShapeError, match=match):
                bw.trace(f, argument)


# Convolutions.

MODES = ("full", "same", "valid")


@pytest.mark.parametrize("domain", [real, complexes])
@pytest.mark.parametrize("mode", MODES)
def test_convolutions_of_one_axis(domain, mode):
    for m, n in ((5, 3), (3, 5), (4, 4), (6, 2), (2, 6), (5, 4), (4, 5), (1, 3)):
        a, b = domain(m), domain(n)
        agrees(lambda a, b: np.convolve(a, b, mode), a, b)
        agrees(lambda a, b: np.correlate(a, b, mode), a, b)
        for method in ("auto", "direct", "fft"):
            for name in ("convolve", "correlate"):
                agrees(
                    lambda a, b, n=name, m=method: getattr(signal, n)(a, b, mode, m),
                    a,
                    b,
                    oracle=lambda a, b, n=name, m=method: getattr(scipy.signal, n)(a, b, mode, m),
                )


@pytest.mark.parametrize("domain", [real, complexes, lambda *n: _draw.integers(-9, 9, n)])
@pytest.mark.parametrize("name", signal.__all__)
def test_convolutions_of_two_axes(domain, name):
    for left, right in (((5, 6), (3, 2)), ((3, 2), (5, 6)), ((4, 4), (2, 2)), ((2, 5), (1, 4))):
        a, b = domain(*left), domain(*right)
        every = [(mode,) for mode in MODES]
        if name.endswith("2d"):
            every += [(mode, boundary) for mode in MODES for boundary in ("wrap", "symm")]
            every += [(mode, "fill", 1.5) for mode in MODES]
        for options in every:
            agrees(
                lambda a, b, options=options: getattr(signal, name)(a, b, *options),
                a,
                b,
                oracle=lambda a, b, options=options: getattr(scipy.signal, name)(a, b, *options),
            )
            plain = getattr(signal, name)(a, b, *options)
            np.testing.assert_array_equal(plain, getattr(scipy.signal, name)(a, b, *options))


def test_convolutions_along_some_axes():
    for mode in MODES:
        for axes in (0, 1, -1, (0, 2), (2, 0)):
            options = {"mode": mode, "axes": axes}
            agrees(
                lambda a, b, o=options: signal.fftconvolve(a, b, **o),
                real(4, 4, 4),
                real(4, 4, 4),
                oracle=lambda a, b, o=options: scipy.signal.fftconvolve(a, b, **o),
            )
    agrees(
        lambda a, b: signal.fftconvolve(a, b, axes=1),
        real(4, 5, 3),
        real(1, 2, 3),
        oracle=lambda a, b: scipy.signal.fftconvolve(a, b, axes=1),
    )
    peer = pytest.importorskip("autograd.scipy.signal")
    for axes, dots, left, right in (
        (([2, 3], [2, 3]), ([1], [1]), (2, 3, 6, 7), (4, 3, 3, 2)),
        (([1], [0]), ([0], [1]), (3, 6), (4, 3)),
        (([1, 2], [2, 1]), ((), ()), (2, 6, 7), (3, 2, 3)),
    ):
        for mode in ("full", "valid"):
            for method in ("direct", "fft", "auto"):
                options = {"axes": axes, "dot_axes": dots, "mode": mode}
                agrees(
                    lambda a, b, o=options, m=method: signal.convolve(a, b, method=m, **o),
                    real(*left),
                    real(*right),
                    oracle=lambda a, b, o=options: peer.convolve(a, b, **o),
                )


def test_convolutions_say_what_is_wrong():
    x = np.ones((3, 4))
    for f, match in (
        (lambda x: signal.convolve(x, x[0]), "not as many axes"),
        (lambda x: signal.convolve(x, np.ones((4, 1)), "valid"), "at least as long"),
        (lambda x: signal.convolve(x, x[:0]), "is empty"),
        (lambda x: signal.convolve(x, x, "around"), "mode='around'"),
        (lambda x: signal.convolve(x, x, method="fast"), "method='fast'"),
        (lambda x: signal.convolve2d(x, x, boundary="none"), "boundary='none'"),
        (lambda x: np.convolve(x, x), "takes one axis"),
    ):
        with pytest.raises(bw.errors.BackwaveError, match=match):
            bw.trace(f, x)
