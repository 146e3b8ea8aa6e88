"""The traced forms of convolutions, NumPy's, and those of ``scipy.signal`` as plain functions.

NumPy's protocols do not reach ``scipy.signal``; its functions here take NumPy arrays, which go to
SciPy itself, and traced nodes and other kinds of arrays, under SciPy's names.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...arrays import Array
from ...errors import ArgumentError, ShapeError
from ...rules.einsum import terms
from ...rules.primitive import Recorded, apply
from ...source_line import user_line
from .einsum import LETTERS
from .register import array_of, face, one_axis

_MODES = {"full": "full", "same": "same", "valid": "valid", 0: "valid", 1: "same", 2: "full"}
_PLAIN = ",->"  # all axes are convolved


def _mode(what: str, mode: Any) -> str:
    if mode not in _MODES:
        raise ArgumentError(f"{user_line()}: {what} with mode={mode!r}; it is full, same or valid")
    return _MODES[mode]


def _flipped(a: Array) -> Array:
    """Reverse all axes, and conjugate: what makes a correlation of a convolution."""
    turned = a[(slice(None, None, -1),) * a.ndim]
    return np.conjugate(turned) if a.dtype.kind == "c" else turned


def _centre(full: Array, wanted: tuple[int, ...], up: int = 0) -> Array:
    """Cut the middle out of the trailing axes; ``up`` decides where there are two middles."""
    lengths = full.shape[full.ndim - len(wanted) :]
    if lengths == wanted:
        return full
    starts = [(n - m + up) // 2 for n, m in zip(lengths, wanted, strict=True)]
    return full[(..., *(slice(i, i + m) for i, m in zip(starts, wanted, strict=True)))]


def _convolved(
    what: str, a: Array, b: Array, mode: str, method: str, subscripts: str = _PLAIN
) -> Array:
    """Convolve the trailing axes; ``same`` has the lengths of ``a``."""
    left, right, out = terms(subscripts)
    mine, other = a.shape[len(left) :], b.shape[len(right) :]
    if len(mine) != len(other):
        raise ShapeError(
            f"{user_line()}: {what} of shapes {a.shape} and {b.shape}: not as many axes"
        )
    if 0 in mine + other:
        raise ShapeError(f"{user_line()}: {what} of shapes {a.shape} and {b.shape}: one is empty")
    if mode == "valid" and any(m < n for m, n in zip(mine, other, strict=True)):
        if any(m > n for m, n in zip(mine, other, strict=True)):
            raise ShapeError(
                f"{user_line()}: {what} of shapes {a.shape} and {b.shape} with mode='valid': one "
                f"must be at least as long as the other along every axis"
            )
        a, b, mine, other = b, a, other, mine
        left, right = right, left
    one = "valid" if mode == "valid" else "full"
    subscripts = f"{left},{right}->{out}"
    if method == "auto":
        method = _faster(a, b, subscripts, one)
    u = apply("convolve", a, b, subscripts=subscripts, mode=one, method=method)
    return _centre(u, mine) if mode == "same" else u


def _faster(a: Array, b: Array, subscripts: str, mode: str) -> str:
    """Choose between sums over slices and Fourier transforms, by nanoseconds on one core."""
    left, right, out = terms(subscripts)
    mine, other = a.shape[len(left) :], b.shape[len(right) :]
    lengths = dict(zip(left + right, a.shape[: len(left)] + b.shape[: len(right)], strict=False))
    products = math.prod(lengths.values())
    if mode == "full":
        long = math.prod(m + n - 1 for m, n in zip(mine, other, strict=True))
        steps = min(math.prod(mine), math.prod(other))
        each = max(math.prod(mine), math.prod(other))
    else:
        long = math.prod(mine)
        made = math.prod(m - n + 1 for m, n in zip(mine, other, strict=True))
        steps, each = sorted((made, math.prod(other)))
    batches = sum(math.prod(lengths[label] for label in term) for term in (left, right, out))
    transforms = 60_000 + long * (batches * (5 + math.log2(long)) + 2 * products)
    if subscripts == _PLAIN and len(mine) == 1:
        return "direct" if 0.4 * steps * each < transforms else "fft"
    return "direct" if steps * (10_000 + products * each) < transforms else "fft"


@face(np.convolve)
def convolve_rows(a: Any, v: Any, mode: Any = "full") -> Any:
    """Trace ``np.convolve``."""
    a, v, mode = _row(a), _row(v), _mode("np.convolve", mode)
    if v.size > a.size:
        a, v = v, a
    return _convolved("np.convolve", a, v, mode, "direct")


@face(np.correlate)
def correlate_rows(a: Any, v: Any, mode: Any = "valid") -> Any:
    """Trace ``np.correlate``."""
    a, v, mode = _row(a), _row(v), _mode("np.correlate", mode)
    turned = _flipped(v)
    if mode == "same" and v.size > a.size:
        full = _convolved("np.correlate", a, turned, "full", "direct")
        return _centre(full, v.shape, up=1)
    return _convolved("np.correlate", a, turned, mode, "direct")


def _row(a: Any) -> Array:
    a = array_of(a)
    if a.ndim > 1:
        raise ShapeError(f"{user_line()}: a convolution of shape {a.shape} takes one axis")
    return a if a.ndim else np.reshape(a, (1,))


def _plain(*values: Any) -> bool:
    """Whether SciPy itself can do it."""
    return all(isinstance(value, np.ndarray | np.generic | list | float | int) for value in values)


def _method(what: str, method: Any, a: Array, b: Array) -> str:
    if method not in ("auto", "direct", "fft"):
        raise ArgumentError(
            f"{user_line()}: {what} with method={method!r}; it is auto, direct or fft"
        )
    # SciPy rounds the transforms of integers; sums give the same, and are exact.
    return str(method) if np.result_type(a.dtype, b.dtype).kind in "fc" else "direct"


def convolve(
    in1: Any,
    in2: Any,
    mode: str = "full",
    method: str = "auto",
    *,
    axes: Any = None,
    dot_axes: Any = ((), ()),
) -> Any:
    """Do ``scipy.signal.convolve``, also of traced nodes; ``axes`` names those that it convolves.

    Args:
        in1: an array or node.
        in2: another, with as many axes.
        mode: ``full``, ``valid`` or ``same``.
        method: ``direct``, ``fft`` or ``auto``, whichever takes less time.
        axes: the convolved axes of each, as in ``([2, 3], [2, 3])``, if not all of them. What is
            left of the axes of in1, then of in2, then the convolved ones are the result's axes.
        dot_axes: the axes of each that are multiplied and summed, such as those of channels.

    """
    what = "scipy.signal.convolve"
    if axes is None:
        if _plain(in1, in2):
            import scipy.signal

            return scipy.signal.convolve(in1, in2, mode, method)
        a, b = array_of(in1), array_of(in2)
        mode, method = _mode(what, mode), _method(what, method, a, b)
        return a * b if a.ndim == b.ndim == 0 else _convolved(what, a, b, mode, method)
    a, b = array_of(in1), array_of(in2)
    convolved = [_places(axes[i], z) for i, z in enumerate((a, b))]
    summed = [_places(dot_axes[i], z) for i, z in enumerate((a, b))]
    if len(convolved[0]) != len(convolved[1]) or len(summed[0]) != len(summed[1]):
        raise ShapeError(f"{user_line()}: {what} with {axes=} and {dot_axes=}: not as many axes")
    labels = iter(LETTERS)
    joined = "".join(next(labels) for _ in summed[0])
    arranged = []
    free = []
    for z, spatial, dots in zip((a, b), convolved, summed, strict=True):
        rest = tuple(i for i in range(z.ndim) if i not in spatial and i not in dots)
        order = rest + dots + spatial
        arranged.append(z if order == tuple(range(z.ndim)) else np.transpose(z, order))
        free.append("".join(next(labels) for _ in rest))
    left, right = (own + joined for own in free)
    a, b = arranged
    if a.shape[len(free[0]) : len(left)] != b.shape[len(free[1]) : len(right)]:
        raise ShapeError(
            f"{user_line()}: {what} of shapes {np.shape(in1)} and {np.shape(in2)} with "
            f"{dot_axes=}: the lengths differ"
        )
    subscripts = f"{left},{right}->{free[0]}{free[1]}"
    return _convolved(what, a, b, _mode(what, mode), _method(what, method, a, b), subscripts)


def _places(axes: Sequence[int], z: Array) -> tuple[int, ...]:
    return tuple(one_axis(axis, z.ndim) for axis in axes)


def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """Do ``scipy.signal.correlate``, also of traced nodes."""
    if _plain(in1, in2):
        import scipy.signal

        return scipy.signal.correlate(in1, in2, mode, method)
    what = "scipy.signal.correlate"
    a, b = array_of(in1), array_of(in2)
    if a.ndim == b.ndim == 0:
        return a * (np.conjugate(b) if b.dtype.kind == "c" else b)
    return _convolved(what, a, _flipped(b), _mode(what, mode), _method(what, method, a, b))


def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """Do ``scipy.signal.fftconvolve``, also of traced nodes."""
    if _plain(in1, in2):
        import scipy.signal

        return scipy.signal.fftconvolve(in1, in2, mode, axes)
    what = "scipy.signal.fftconvolve"
    a, b = array_of(in1), array_of(in2)
    mode = _mode(what, mode)
    if a.ndim != b.ndim:
        raise ShapeError(
            f"{user_line()}: {what} of shapes {a.shape} and {b.shape}: not as many axes"
        )
    if a.ndim == 0:
        return a * b
    if axes is None:
        return _convolved(what, a, b, mode, "fft")
    spatial = _places(axes if isinstance(axes, tuple | list) else (axes,), a)
    beside = tuple(i for i in range(a.ndim) if i not in spatial)
    order = beside + spatial
    # The other axes stand beside each other, and broadcast.
    written = ["", "", ""]
    kept: list[list[int]] = [[], []]
    for label, i in zip(LETTERS, beside, strict=False):
        lengths = {a.shape[i], b.shape[i]}
        if len(lengths - {1}) > 1:
            raise ShapeError(
                f"{user_line()}: {what} of shapes {a.shape} and {b.shape} with {axes=}: the "
                f"lengths of axis {i} differ"
            )
        for place, z in enumerate((a, b)):
            if len(lengths) == 1 or z.shape[i] != 1:
                written[place] += label
                kept[place].append(z.shape[i])
        written[2] += label
    arranged = []
    for z, own in zip((a, b), kept, strict=True):
        moved = z if order == tuple(range(z.ndim)) else np.transpose(z, order)
        shape = (*own, *moved.shape[len(beside) :])
        arranged.append(moved if moved.shape == shape else np.reshape(moved, shape))
    subscripts = f"{written[0]},{written[1]}->{written[2]}"
    u = _convolved(what, arranged[0], arranged[1], mode, "fft", subscripts)
    back = tuple(order.index(i) for i in range(a.ndim))
    return u if back == tuple(range(a.ndim)) else np.transpose(u, back)


def oaconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """Do ``scipy.signal.oaconvolve``, also of traced nodes, which take the whole at once."""
    if _plain(in1, in2):
        import scipy.signal

        return scipy.signal.oaconvolve(in1, in2, mode, axes)
    return fftconvolve(in1, in2, mode, axes)


def convolve2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0
) -> Any:
    """Do ``scipy.signal.convolve2d``, also of traced nodes."""
    if _plain(in1, in2, fillvalue):
        import scipy.signal

        return scipy.signal.convolve2d(in1, in2, mode, boundary, fillvalue)
    return _of_planes("scipy.signal.convolve2d", in1, in2, mode, boundary, fillvalue, False)


def correlate2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0
) -> Any:
    """Do ``scipy.signal.correlate2d``, also of traced nodes."""
    if _plain(in1, in2, fillvalue):
        import scipy.signal

        return scipy.signal.correlate2d(in1, in2, mode, boundary, fillvalue)
    return _of_planes("scipy.signal.correlate2d", in1, in2, mode, boundary, fillvalue, True)


_CONTINUED = {"wrap": "wrap", "symm": "symmetric"}


def _of_planes(
    what: str, in1: Any, in2: Any, mode: Any, boundary: str, fillvalue: Any, turn: bool
) -> Any:
    a, b, mode = array_of(in1), array_of(in2), _mode(what, mode)
    if a.ndim != 2 or b.ndim != 2:
        raise ShapeError(f"{user_line()}: {what} of shapes {a.shape} and {b.shape}: not 2 axes")
    if boundary not in ("fill", *_CONTINUED):
        raise ArgumentError(
            f"{user_line()}: {what} with boundary={boundary!r}; it is fill, wrap or symm"
        )
    if turn:
        b = _flipped(b)
    if mode == "valid":
        u = _convolved(what, a, b, mode, "direct")
        # SciPy changes the operands' places here, and conjugates what is then the second.
        changed = turn and any(m < n for m, n in zip(a.shape, b.shape, strict=True))
        return np.conjugate(u) if changed and u.dtype.kind == "c" else u
    wanted = a.shape
    if boundary == "fill":
        full = _surrounded(what, a, b, fillvalue)
    else:
        rows, columns = (
            np.pad(np.arange(length), reach - 1, mode=_CONTINUED[boundary])  # type: ignore[call-overload]
            for length, reach in zip(a.shape, b.shape, strict=True)
        )
        full = _convolved(what, a[rows[:, None], columns], b, "valid", "direct")
    return _centre(full, wanted, up=int(turn)) if mode == "same" else full


def _surrounded(what: str, a: Array, b: Array, value: Any) -> Array:
    """Convolve a plane that goes on as one value: what differs from it, and it."""
    if not isinstance(value, Recorded):
        value = np.asarray(value).astype(np.result_type(a.dtype, b.dtype))[()]
        if value == 0:
            return _convolved(what, a, b, "full", "direct")
    full = _convolved(what, a - value, b, "full", "direct")
    total = full + value * np.sum(b)
    return total if total.dtype == full.dtype else total.astype(full.dtype)
