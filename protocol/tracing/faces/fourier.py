"""The traced forms of ``np.fft``."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ...errors import ShapeError
from ...rules.fourier import NORMS
from ...source_line import user_line
from .register import face, one_axis, only, record

_OTHER_WAY = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}

Transform = Callable[..., Any]


def _transform(name: str) -> Transform:
    def transform(a: Any, n: Any = None, axis: Any = -1, norm: Any = None, out: Any = None) -> Any:
        only(f"np.fft.{name}", out=out)
        place = one_axis(axis, a.ndim)
        if norm not in (None, *NORMS):
            raise ShapeError(
                f"{user_line()}: np.fft.{name} with norm={norm!r}; it takes {', '.join(NORMS)}"
            )
        if name == "rfft" and a.dtype.kind == "c":
            raise ShapeError(f"{user_line()}: np.fft.rfft takes real numbers; use np.fft.fft")
        if n is None:
            n = a.shape[place]
            n = 2 * (n - 1) if name == "irfft" else n
        n = operator.index(n)
        if n < 1:
            raise ShapeError(f"{user_line()}: np.fft.{name} of {n} entries")
        return record(name, a, n=n, axis=place, norm=norm or "backward")

    return transform


fft = face(np.fft.fft)(_transform("fft"))
ifft = face(np.fft.ifft)(_transform("ifft"))
rfft = face(np.fft.rfft)(_transform("rfft"))
irfft = face(np.fft.irfft)(_transform("irfft"))


def _conjugate(a: Any) -> Any:
    return np.conjugate(a) if a.dtype.kind == "c" else a


@face(np.fft.hfft)
def hfft(a: Any, n: Any = None, axis: Any = -1, norm: Any = None, out: Any = None) -> Any:
    """Trace ``np.fft.hfft`` by ``irfft``."""
    return irfft(_conjugate(a), n, axis, _OTHER_WAY.get(norm, norm), out)


@face(np.fft.ihfft)
def ihfft(a: Any, n: Any = None, axis: Any = -1, norm: Any = None, out: Any = None) -> Any:
    """Trace ``np.fft.ihfft`` by ``rfft``."""
    return np.conjugate(rfft(a, n, axis, _OTHER_WAY.get(norm, norm), out))


def _lengths(what: str, a: Any, s: Any, axes: Any, signal: bool = False) -> list[tuple[Any, int]]:
    """Return the length and the axis of each transform; ``signal`` is the output's last length."""
    if axes is None:
        axes = range(a.ndim) if s is None else range(a.ndim - len(s), a.ndim)
    places = [one_axis(axis, a.ndim) for axis in axes]
    if s is None:
        lengths = [a.shape[place] for place in places]
        if signal and places:
            lengths[-1] = 2 * (lengths[-1] - 1)
    else:
        lengths = list(s)
        if len(lengths) != len(places):
            raise ShapeError(f"{user_line()}: {what} with s={s!r} and axes={axes!r}: not as many")
        for i, place in enumerate(places):
            if lengths[i] is None or lengths[i] == -1:
                lengths[i] = a.shape[place]
    return list(zip(lengths, places, strict=True))


def _of_axes(name: str, one: Transform, default: Any) -> Transform:
    """Transform the axes one after the other, the last one first."""

    def transform(
        a: Any, s: Any = None, axes: Any = default, norm: Any = None, out: Any = None
    ) -> Any:
        only(f"np.fft.{name}", out=out)
        for n, axis in reversed(_lengths(f"np.fft.{name}", a, s, axes)):
            a = one(a, n, axis, norm)
        return a

    return transform


for _default, _suffix in ((None, "n"), ((-2, -1), "2")):
    for _one in (fft, ifft):
        _name = ("fft" if _one is fft else "ifft") + _suffix
        face(getattr(np.fft, _name))(_of_axes(_name, _one, _default))


def _of_real_axes(name: str, default: Any) -> Transform:
    def transform(
        a: Any, s: Any = None, axes: Any = default, norm: Any = None, out: Any = None
    ) -> Any:
        only(f"np.fft.{name}", out=out)
        *others, (n, axis) = _lengths(f"np.fft.{name}", a, s, axes)
        a = rfft(a, n, axis, norm)
        for n, axis in reversed(others):
            a = fft(a, n, axis, norm)
        return a

    return transform


def _to_real_axes(name: str, default: Any) -> Transform:
    def transform(
        a: Any, s: Any = None, axes: Any = default, norm: Any = None, out: Any = None
    ) -> Any:
        only(f"np.fft.{name}", out=out)
        *others, (last, last_axis) = _lengths(f"np.fft.{name}", a, s, axes, signal=True)
        for n, axis in others:
            a = ifft(a, n, axis, norm)
        return irfft(a, last, last_axis, norm)

    return transform


face(np.fft.rfftn)(_of_real_axes("rfftn", None))
face(np.fft.rfft2)(_of_real_axes("rfft2", (-2, -1)))
face(np.fft.irfftn)(_to_real_axes("irfftn", None))
face(np.fft.irfft2)(_to_real_axes("irfft2", (-2, -1)))


def _shift(sign: int) -> Transform:
    def shift(x: Any, axes: Any = None) -> Any:
        if axes is None:
            axes = range(x.ndim)
        places = [one_axis(i, x.ndim) for i in (axes if isinstance(axes, Iterable) else (axes,))]
        shifts = tuple(sign * (x.shape[place] // 2) for place in places)
        return np.roll(x, shifts, tuple(places)) if places else x

    return shift


face(np.fft.fftshift)(_shift(1))
face(np.fft.ifftshift)(_shift(-1))
