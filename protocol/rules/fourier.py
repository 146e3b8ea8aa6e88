"""Fourier transforms along one axis; those of several axes are written with these.

A transform is a symmetric matrix F, so the message of ``fft`` is ``fft`` of S: no conjugate, for S
is ∂f/∂x - i·∂f/∂y. Half the spectrum of a real signal stands for the other half as well: the
transposes of ``rfft`` and ``irfft`` weigh its entries, and are primitives of their own, whose
message is the transform itself.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arrays import Array
from ..errors import ShapeError
from .attributes import AXIS, Inputs, one_of
from .einsum import one_node
from .primitive import Abstract, apply, define

NORMS = ("backward", "ortho", "forward")
_OTHER_WAY: dict[str, Any] = {"backward": "forward", "ortho": "ortho", "forward": "backward"}
"""The norm of the inverse transform that has the factor of this norm."""


def LENGTH(value: Any, z: Inputs) -> bool:
    """Take the length of a transform."""
    return type(value) is int and 1 <= value < 2**48


def half(n: int) -> int:
    """Return how many entries the half spectrum of a real signal of length ``n`` has."""
    return n // 2 + 1


def _cut(axis: int, start: int | None, stop: int | None) -> tuple[slice, ...]:
    return (slice(None),) * axis + (slice(start, stop),)


def _of_length(S: Array, z: Array, axis: int) -> Array:
    """Undo that the transform cut its input, or continued it with zeros."""
    n = z.shape[axis]
    if S.shape[axis] == n:
        return S
    if S.shape[axis] > n:
        return S[_cut(axis, None, n)]
    everything = (("slice", None, None, None),) * axis
    used = ("slice", None, S.shape[axis], None)
    shape = (*S.shape[:axis], n, *S.shape[axis + 1 :])
    return apply("scatter", S, index=(*everything, used), shape=shape)


def _complex_of(dtype: Any) -> Any:
    # Half and single precision make complex numbers of single precision, all others of double.
    single = dtype.itemsize <= {"f": 4, "c": 8}.get(dtype.kind, 0)
    return np.dtype("c8" if single else "c16")


def _real_of(dtype: Any) -> Any:
    if dtype.kind == "f":
        return dtype
    return np.dtype("f4" if _complex_of(dtype).itemsize == 8 else "f8")


def _changed(z: Abstract, axis: int, length: int, dtype: Any) -> Abstract:
    return Abstract((*z.shape[:axis], length, *z.shape[axis + 1 :]), dtype)


def _to_spectrum(z: Abstract, *, n: int, axis: int, norm: str) -> Abstract:
    return _changed(z, axis, n, _complex_of(z.dtype))


def _to_half_spectrum(z: Abstract, *, n: int, axis: int, norm: str) -> Abstract:
    if z.dtype.kind == "c":
        raise ShapeError("rfft takes real numbers; use fft for complex ones")
    return _changed(z, axis, half(n), _complex_of(z.dtype))


def _to_signal(z: Abstract, *, n: int, axis: int, norm: str) -> Abstract:
    return _changed(z, axis, n, _real_of(z.dtype))


def _rfft_transpose_shape(z: Abstract, *, n: int, axis: int, norm: str) -> Abstract:
    if z.shape[axis] != half(n):
        raise ShapeError(f"half a spectrum of {n} entries has {half(n)}, not {z.shape[axis]}")
    return _to_signal(z, n=n, axis=axis, norm=norm)


def _irfft_transpose_shape(z: Abstract, *, n: int, axis: int, norm: str) -> Abstract:
    if z.shape[axis] != n:
        raise ShapeError(f"a signal of {n} entries has not {z.shape[axis]}")
    return _to_half_spectrum(z, n=n, axis=axis, norm=norm)


def _inside(n: int, axis: int) -> tuple[slice, ...]:
    """Index the entries of half a spectrum that stand for one of the other half too."""
    return _cut(axis, 1, (n + 1) // 2)


@one_node("rfft_transpose")
def _rfft_transpose(S: Array, *, n: int, axis: int, norm: str) -> Array:
    spectrum = np.conjugate(S)
    spectrum[_inside(n, axis)] *= 0.5
    # The entries that stand alone count with their real part; not every FFT library sees to that.
    for alone in {0, n // 2} if n % 2 == 0 else {0}:
        place = _cut(axis, alone, alone + 1)
        spectrum[place] = np.real(spectrum[place])
    return np.fft.irfft(spectrum, n=n, axis=axis, norm=_OTHER_WAY[norm])


@one_node("irfft_transpose")
def _irfft_transpose(S: Array, *, n: int, axis: int, norm: str) -> Array:
    spectrum = np.conjugate(np.fft.rfft(S, n=n, axis=axis, norm=_OTHER_WAY[norm]))
    spectrum[_inside(n, axis)] *= 2.0
    return spectrum


def _flops(u: Abstract, z: Abstract, *, n: int, axis: int, norm: str) -> int:
    rows = u.size // u.shape[axis] if u.shape[axis] else 0
    return int((5.0 if u.dtype.kind == "c" else 2.5) * rows * n * math.log2(n))


_TAKES = {"n": LENGTH, "axis": AXIS, "norm": one_of(*NORMS)}

for _name, _function in (("fft", np.fft.fft), ("ifft", np.fft.ifft)):

    def _message(
        S: Array, u: Array, z: Array, *, n: int, axis: int, norm: str, name: str = _name
    ) -> Array:
        return _of_length(apply(name, S, n=n, axis=axis, norm=norm), z, axis)

    define(_name, _function, _message, shape=_to_spectrum, flops=_flops, takes=_TAKES)


def _rfft_message(S: Array, u: Array, z: Array, *, n: int, axis: int, norm: str) -> Array:
    return _of_length(apply("rfft_transpose", S, n=n, axis=axis, norm=norm), z, axis)


def _irfft_message(S: Array, u: Array, z: Array, *, n: int, axis: int, norm: str) -> Array:
    return _of_length(apply("irfft_transpose", S, n=n, axis=axis, norm=norm), z, axis)


define("rfft", np.fft.rfft, _rfft_message, shape=_to_half_spectrum, flops=_flops, takes=_TAKES)
define("irfft", np.fft.irfft, _irfft_message, shape=_to_signal, flops=_flops, takes=_TAKES)
define(
    "rfft_transpose",
    _rfft_transpose,
    lambda S, u, z, **attributes: apply("rfft", S, **attributes),
    shape=_rfft_transpose_shape,
    flops=_flops,
    takes=_TAKES,
)
define(
    "irfft_transpose",
    _irfft_transpose,
    lambda S, u, z, **attributes: apply("irfft", S, **attributes),
    shape=_irfft_transpose_shape,
    flops=_flops,
    takes=_TAKES,
)
