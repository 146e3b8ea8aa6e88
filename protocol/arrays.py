"""Values at rest: the one layout and the one set of dtypes that every node's value has.

Two runs agree in every bit only if each operation sees the same numbers *in the same memory
layout*: NumPy sums a strided array in another order than a contiguous one, and BLAS picks its
kernel by the strides. So every value and every message is brought to rest by :func:`settle`, in
this process as on a worker, and the wire needs to carry no more about layout than C or Fortran.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

Array = Any
"""A NumPy array or scalar, a device array, or a traced node: whatever a rule can be given."""

DTYPES = {
    np.dtype(code).str: np.dtype(code)
    for code in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
}
"""The dtypes that a node may have, by the name that stands on the wire (``'<f8'``)."""

_SCALARS = (bool, int, float, complex)


def settle(value: Array) -> Array:
    """Bring a value to rest: a NumPy scalar, or an array that is contiguous in C or Fortran order.

    Device arrays and traced nodes keep their kind.
    """
    if type(value) is np.ndarray or isinstance(value, np.ndarray):
        shape = value.shape
        if not shape:
            return value[()]
        flags = value.flags
        if flags.c_contiguous:
            return _canonical_strides(value) if 1 in shape else value
        if flags.f_contiguous:
            return _canonical_strides(value.T).T if 1 in shape else value
        return np.ascontiguousarray(value)
    if isinstance(value, np.generic):
        return value
    if isinstance(value, _SCALARS):
        return np.asarray(value)[()]
    device_flags = getattr(value, "flags", None)
    if device_flags is None or device_flags.c_contiguous or device_flags.f_contiguous:
        return value
    return value.copy(order="C")


_STRIDES: dict[tuple[tuple[int, ...], int], tuple[int, ...]] = {}


def _canonical_strides(value: np.ndarray) -> np.ndarray:
    """Give an axis of length 1, whose stride means nothing, the stride that the wire would give."""
    key = value.shape, value.itemsize
    strides = _STRIDES.get(key)
    if strides is None:
        if len(_STRIDES) > 4096:
            _STRIDES.clear()
        strides = _STRIDES[key] = np.empty(key[0], f"V{key[1]}").strides
    return value if value.strides == strides else value.reshape(-1).reshape(key[0])


def layout(value: Array) -> str:
    """Return ``'F'`` for an array that is Fortran-contiguous only, else ``'C'``."""
    flags = getattr(value, "flags", None)
    if flags is None or isinstance(value, np.generic) or flags.c_contiguous:
        return "C"
    return "F"


def is_float(dtype: Any) -> bool:
    """Whether values of this dtype can be differentiated (real or complex floating point)."""
    return dtype.kind in "fc"


def real_of(dtype: Any) -> Any:
    """Return the dtype of the real and imaginary part of values of this dtype."""
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def nbytes(shape: tuple[int, ...], dtype: Any) -> int:
    """Return the bytes that an array of this shape and dtype holds, without allocating it."""
    size = int(dtype.itemsize)
    for length in shape:
        size *= length
    return size


def namespace(value: Array) -> Any:
    """Return the module whose functions make arrays of this value's kind (NumPy, CuPy, ...).

    CuPy's arrays do not know theirs (``__array_namespace__``); it is the package of their type.
    """
    if isinstance(value, np.ndarray | np.generic):
        return np
    find = getattr(value, "__array_namespace__", None)
    return find() if find else sys.modules[type(value).__module__.partition(".")[0]]
