"""Cases of Fourier transforms."""

import numpy as np
from hypothesis import strategies as st

from .base import case, complexes, drawn, real


def _spectrum(name, *args, **options):
    """Call a transform; the case's value is real, so that its loss is, for a real input."""

    def transform(np, z):
        u = getattr(np.fft, name)(z, *args, **options)
        return np.real(u) + 2.0 * np.imag(u) if np.iscomplexobj(u) else u

    return transform


NORMS = ("backward", "ortho", "forward")
for name in ("fft", "ifft", "irfft", "hfft"):
    primitive = "irfft" if name == "hfft" else name
    peer = name in ("fft", "ifft")
    case(primitive, _spectrum(name), complexes(4), peer=peer)
    case(primitive, _spectrum(name), complexes(2, 5), peer=peer)
    case(primitive, _spectrum(name), real(2, 4), peer=False)
    case(primitive, _spectrum(name, axis=0), complexes(4, 2), peer=peer)
    case(primitive, _spectrum(name), complexes(0, 3), peer=False)
    for norm in NORMS:
        case(primitive, _spectrum(name, norm=norm), complexes(5), peer=False)
        case(primitive, _spectrum(name, n=6, norm=norm), complexes(2, 5), peer=False)
    for n in (1, 2, 3, 7, 8, 11):
        case(primitive, _spectrum(name, n=n), complexes(5), peer=False)
        case(primitive, _spectrum(name, n=n, axis=0), complexes(4, 2), peer=False)
for name in ("rfft", "ihfft"):
    case("rfft", _spectrum(name), real(4), peer=False)
    case("rfft", _spectrum(name), real(2, 5), peer=False)
    case("rfft", _spectrum(name, axis=0), real(4, 2), peer=False)
    case("rfft", _spectrum(name), real(1), peer=False)
    for norm in NORMS:
        case("rfft", _spectrum(name, norm=norm), real(5), peer=False)
        case("rfft", _spectrum(name, n=6, norm=norm), real(2, 5), peer=False)
    for n in (1, 2, 3, 7, 8):
        case("rfft", _spectrum(name, n=n), real(5), peer=False)
case("fft", lambda np, z: np.fft.fft(z), complexes(4))
case("ifft", lambda np, z: np.fft.ifft(z), complexes(2, 3))
case("rfft", lambda np, x: np.abs(np.fft.rfft(x)) ** 2, real(6), peer=False)
case("irfft", lambda np, x: np.fft.irfft(np.fft.rfft(x) * (1 + 2j)), real(2, 6), peer=False)
case("irfft", lambda np, x: np.fft.irfft(np.fft.rfft(x) * (1 + 2j), n=5), real(2, 5), peer=False)

# The transposes, as messages of the transforms and as operations.
for n, axis, norm in ((4, 0, "ortho"), (5, 1, "backward"), (1, 0, "forward"), (2, 1, "ortho")):
    attributes = {"n": n, "axis": axis, "norm": norm}
    half = n // 2 + 1
    case(
        "rfft_transpose",
        lambda np, S, a=attributes: transposed("rfft_transpose", S, **a),
        complexes(*((half, 3) if axis == 0 else (2, half))),
        peer=False,
    )
    case(
        "irfft_transpose",
        lambda np, S, a=attributes: _parts(np, transposed("irfft_transpose", S, **a)),
        real(*((n, 3) if axis == 0 else (2, n))),
        peer=False,
    )


def transposed(name, S, **attributes):
    from backwave.protocol.rules.primitive import apply

    return apply(name, S, **attributes)


def _parts(np, u):
    return np.real(u) + 2.0 * np.imag(u)


SEVERAL = [
    ("fft2", "fft", complexes, (2, 3, 2)),
    ("ifft2", "ifft", complexes, (2, 3, 2)),
    ("fftn", "fft", complexes, (2, 3, 2)),
    ("ifftn", "ifft", complexes, (2, 3, 2)),
    ("rfft2", "rfft", real, (2, 3, 4)),
    ("rfftn", "rfft", real, (2, 3, 3)),
    ("irfft2", "irfft", complexes, (2, 3, 3)),
    ("irfftn", "irfft", complexes, (2, 3, 3)),
]
for name, primitive, domain, shape in SEVERAL:
    case(primitive, _spectrum(name), domain(*shape), peer=False)
    case(primitive, _spectrum(name, axes=(0, 1), norm="ortho"), domain(*shape), peer=False)
    case(primitive, _spectrum(name, s=(3, 4), axes=(2, 0)), domain(*shape), peer=False)
for name in ("fftshift", "ifftshift"):
    case("roll", lambda np, x, n=name: getattr(np.fft, n)(x), real(3, 4))
    case("roll", lambda np, x, n=name: getattr(np.fft, n)(x, axes=1), real(2, 5))


@st.composite
def transforms(draw, names, domain):
    """Draw an array, the axis that is transformed, its new length and the norm."""
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    options = {
        "axis": axis,
        "n": draw(st.none() | st.integers(1, 7)),
        "norm": draw(st.sampled_from([None, *NORMS])),
    }
    name = draw(st.sampled_from(names))
    if options["n"] is None and name in ("irfft", "hfft"):
        shape[axis] += 1  # one entry stands for a signal of none
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    return _spectrum(name, **options), (domain(*shape, random=random),), {"peer": False}


drawn("fft")(transforms(["fft"], complexes))
drawn("ifft")(transforms(["ifft"], complexes))
drawn("rfft")(transforms(["rfft", "ihfft"], real))
drawn("irfft")(transforms(["irfft", "hfft"], complexes))


@st.composite
def transposes(draw, name):
    """Draw half a spectrum or a signal, and the length of the signal."""
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    axis = draw(st.integers(0, len(shape) - 1))
    n = draw(st.integers(1, 7))
    attributes = {"n": n, "axis": axis, "norm": draw(st.sampled_from(NORMS))}
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    if name == "rfft_transpose":
        shape[axis] = n // 2 + 1
        f = lambda np, S: transposed(name, S, **attributes)  # noqa: E731
        return f, (complexes(*shape, random=random),), {"peer": False}
    shape[axis] = n
    f = lambda np, S: _parts(np, transposed(name, S, **attributes))  # noqa: E731
    return f, (real(*shape, random=random),), {"peer": False}


for name in ("rfft_transpose", "irfft_transpose"):
    drawn(name)(transposes(name))
